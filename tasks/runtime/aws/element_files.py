"""What the elements of AWS Batch are told of a job, and what they see of files outside of the data root.

containers/batch_agent/element.py and mounted.py have their side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stagekit import whole

from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.arrays.shared import OneFileSystem
from tasks.runtime.core.job import TEMPORARY, Job

DESCRIPTION = "element.json"


@dataclass(frozen=True)
class MountedFolder(OneFileSystem):
    """A data root that this machine and all elements see at one path: jobs read and write it themselves."""

    root: Path
    given: Path
    """The folder of files that lie outside of the data root and that jobs read, by their content."""

    def prepare(self, job: Job) -> None:
        """Write down how an element runs a job: by the paths of this machine, which are its own."""
        inputs = [replace(mount, source=seen_below(self.root, mount.source, self.given)) for mount in job.inputs]
        words = (*job.words[:2], *replace(job, inputs=tuple(inputs)).words_here)
        describe(job, words=words, output=str(job.folder / "out"), passed=job.passed)

    def address(self, folder: Path) -> str:
        return str(folder)

    def hand_over(self, array: Array) -> str:
        return str(array.folder)


def describe(
    job: Job,
    *,
    words: Sequence[str],
    output: str,
    passed: Sequence[str],
    inputs: Sequence[Mapping[str, Any]] = (),
    contracts: Mapping[str, str] | None = None,
) -> None:
    """Write element.json: how an element runs a job."""
    told = {
        "words": words,
        "variables": job.variables(TEMPORARY),
        "passed": passed,
        "output": output,
        "temporary": TEMPORARY,
        "inputs": inputs,
        "contracts": contracts or {},
    }
    (job.folder / DESCRIPTION).write_text(json.dumps(told, indent=1), encoding="utf-8")


def seen_below(root: Path, path: Path, given: Path) -> Path:
    """Return a path that elements see: a file that lies outside of the data root as a copy in `given`."""
    if path.is_relative_to(root):
        return path
    content = path.read_bytes()
    copy = given / hashlib.sha256(content).hexdigest()[:16] / path.name
    if not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        whole.write(copy, content, sync=False)
    return copy
