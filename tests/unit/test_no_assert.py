"""Python's -O takes assertions away: nothing that comes from outside is checked by one."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tasks.dataset.layout import CONTAINERS, REPOSITORY

# It only narrows a type: Popen was asked for that pipe. A change of the file would make all deep profiles stale.
ONLY_NARROWS = {"deepprofiler/deepprofiler_run.py": ["process.stdout is not None"]}


def asserted(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Assert):
                yield path.relative_to(folder).as_posix(), ast.unparse(node.test)


def test_no_module_of_the_host_asserts() -> None:
    assert list(asserted(REPOSITORY / "tasks")) == []


def test_a_stage_program_asserts_only_what_its_types_cannot_say() -> None:
    known = [(name, text) for name, texts in ONLY_NARROWS.items() for text in texts]

    assert list(asserted(CONTAINERS)) == known


def test_a_project_s_name_is_checked_without_assertions_too(tmp_path: Path) -> None:
    path = tmp_path / "luigi.cfg"
    path.write_text("[dataset]\nproject = ../outside\n")
    words = [sys.executable, "-O", "-c", "from tasks.settings import settings; settings.load()"]
    variables = {**os.environ, "LUIGI_CONFIG_PATH": str(path)}
    done = subprocess.run(words, cwd=REPOSITORY, env=variables, capture_output=True, text=True, check=False)

    assert done.returncode != 0
    assert "'../outside' is not a name" in done.stderr
