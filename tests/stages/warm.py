"""Run programs of an environment from a process that has imported its libraries already: a fork a call.

A program of pandas and scikit-learn spends two seconds on importing them, CellProfiler as much and TensorFlow four, and
a test that calls one little more. What a program does is not changed: it is run by its path, as `__main__`, in a
process of its own with streams of its own; warm_server.py holds how.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SERVER = Path(__file__).with_name("warm_server.py")


class Warm:
    """A process of an environment that has imported some libraries, and forks for each call of a program."""

    def __init__(self, python: Path, libraries: Sequence[str], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [str(python), str(SERVER), *libraries],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(environment),
        )
        atexit.register(self.process.kill)
        self._answer("ready")

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Call a program (its path, then its flags) in a folder as subprocess.run with captured output does."""
        with tempfile.TemporaryDirectory() as streams:
            stdout, stderr = Path(streams, "stdout"), Path(streams, "stderr")
            asked = {
                "words": list(words),
                "environment": dict(environment),
                "folder": str(folder or Path.cwd()),
                "stdout": str(stdout),
                "stderr": str(stderr),
            }
            assert self.process.stdin
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
            code = int(self._answer())
            return subprocess.CompletedProcess(list(words), code, stdout.read_text(), stderr.read_text())

    def _answer(self, expected: str = "") -> str:
        assert self.process.stdout
        answer = self.process.stdout.readline().strip()
        if not answer or expected not in answer:
            raise RuntimeError(f"the process that programs are forked from has ended: {self.process.wait()}")
        return answer


@dataclass(frozen=True)
class Cold:
    """Starts each call of a program anew, as a stage is started."""

    python: Path

    def run(
        self, words: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Call a program (its path, then its flags) in a folder."""
        command = [str(self.python), *words]
        return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


@functools.cache
def process(python: Path, libraries: tuple[str, ...], variables: tuple[tuple[str, str], ...]) -> Warm:
    """Return the process of this test worker for an environment and these variables, which libraries may read."""
    return Warm(python, libraries, {**os.environ, **dict(variables)})
