"""Every bad end has one class, wherever the job ran."""

from __future__ import annotations

import pytest

from tasks import reasons
from tasks.runtime.job import Outcome

ENDS = {
    "good": (Outcome(0, 1), "", ""),
    "data": (Outcome(65, 1), "error: x.tiff does not decode", "corrupt_input"),
    "bug": (Outcome(1, 1), "KeyError: 'x'", "program_error"),
    "flags": (Outcome(2, 1), "", "program_error"),
    "crash of what it ran": (Outcome(70, 1), "", "program_error"),
    "segmentation fault": (Outcome(139, 1), "", "program_error"),
    "killed": (Outcome(137, 1), "", "program_error"),
    "service": (Outcome(69, 1), "error: no answer", "service"),
    "full disk": (Outcome(1, 1), "OSError: [Errno 28] No space left on device", "service"),
    "full disk, told as data": (Outcome(65, 1), "OSError: [Errno 28] No space left on device", "service"),
    "read-only disk": (Outcome(1, 1), "OSError: [Errno 30] Read-only file system: '/out/a'", "service"),
    "out of memory": (Outcome(137, 1, out_of_memory=True), "", "out_of_memory"),
    "out of memory, told as data": (Outcome(65, 1, out_of_memory=True), "CellProfiler left", "out_of_memory"),
    "MemoryError": (Outcome(1, 1), "MemoryError: Unable to allocate 8 GiB", "out_of_memory"),
    "Java's": (Outcome(65, 1), "java.lang.OutOfMemoryError: Java heap space", "out_of_memory"),
    "timeout": (Outcome(143, 1, timed_out=True), "MemoryError once, long ago", "timeout"),
    "lost": (Outcome(255, 1, lost="the daemon is gone"), "", "node_lost"),
    "lost with 0": (Outcome(0, 1, lost="the node is gone"), "", "node_lost"),
    "cancelled from outside": (Outcome(143, 1, cancelled=True, lost="12_3: CANCELLED"), "", "cancelled"),
}


@pytest.mark.parametrize(("outcome", "words", "reason"), ENDS.values(), ids=ENDS)
def test_an_end_has_its_class(outcome: Outcome, words: str, reason: str) -> None:
    assert reasons.of(outcome, words.splitlines()) == reason


def test_every_class_but_none_is_listed() -> None:
    assert {reason for _, _, reason in ENDS.values()} - {""} == set(reasons.ALL)
