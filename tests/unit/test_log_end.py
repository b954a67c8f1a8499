"""An end is classified by whole lines of a log, however long they are and however many lines of a stack follow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.execution import attempts, reasons
from tasks.runtime.core.job import Outcome
from tasks.runtime.engines import log_end
from tests.unit.fakes import make_job

JAVA = "".join(f"\tat org.cellprofiler.Reader.read{number}(Reader.java:{number})\n" for number in range(60))
PYTHON = "".join(
    f'  File "/opt/{number}.py", line {number}, in read\n    read(image)\n    ^^^^^\n' for number in range(20)
)
LOGS = {
    "far in a long line": ("x" * 400 + " OSError: [Errno 28] No space left on device\n", reasons.SERVICE),
    "above a stack of Java": (f"java.lang.OutOfMemoryError: Java heap space\n{JAVA}", reasons.OUT_OF_MEMORY),
    "above a second traceback": (
        f"MemoryError: no room\n\nDuring handling of the above exception, another exception occurred:\n\n"
        f"Traceback (most recent call last):\n{PYTHON}KeyError: 'x'\n",
        reasons.OUT_OF_MEMORY,
    ),
    "in what a program quotes": (
        f"error: measure: CellProfiler left with exit code 1\n  CellProfiler said:\n"
        f"  | java.lang.OutOfMemoryError: Java heap space\n  | {JAVA.replace(chr(10), chr(10) + '  | ')}\n",
        reasons.OUT_OF_MEMORY,
    ),
    "long ago": ("MemoryError: tried again\n" + "measured a site\n" * 20 + "KeyError: 'x'\n", reasons.PROGRAM_ERROR),
    "nothing": ("", reasons.PROGRAM_ERROR),
}


@pytest.mark.parametrize(("log", "reason"), LOGS.values(), ids=LOGS)
def test_the_cause_is_found_wherever_the_lines_for_people_are_cut(log: str, reason: str, tmp_path: Path) -> None:
    job = make_job(tmp_path / "1of1")
    job.folder.mkdir()
    (job.folder / "stderr.log").write_text(log)

    assert attempts.ended(job, Outcome(1, 1.0)).reason == reason


def test_of_a_huge_log_only_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "stderr.log"
    path.write_bytes(b"\xff old line\n" * 100_000 + b"the last \xff word\n\n")

    assert log_end.telling(path)[-1] == "the last \ufffd word"
    assert len(log_end.lines(path)) * 11 <= log_end.MOST_BYTES + 11


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert log_end.lines(tmp_path / "none") == []
