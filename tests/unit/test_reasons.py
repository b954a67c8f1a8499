"""Every bad end has one class, wherever the job ran."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tasks.execution import reasons
from tasks.runtime.core.job import Outcome

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
def test_an_end_has_its_class(outcome: Outcome, words: str, reason: str, tmp_path: Path) -> None:
    assert reasons.of(outcome, words.splitlines(), tmp_path) == reason


DISKS = {
    "below /out": ("OSError: [Errno 30] Read-only file system: '/out/files/a.csv'", "service"),
    "/out itself": ("mkdir: cannot create directory '/out': Read-only file system", "service"),
    "the job's folder": ("OSError: [Errno 30] Read-only file system: '{folder}/out/files/a.csv'", "service"),
    "from one to the other": ("cp: cannot move '/in/a' to '/out/b': Read-only file system", "service"),
    "home": ("OSError: [Errno 30] Read-only file system: '/home/cp/.cache'", "program_error"),
    "a name that only begins so": ("OSError: [Errno 30] Read-only file system: '/outside/a'", "program_error"),
    "an input": ("sh: 1: cannot create /in/images/a: Read-only file system", "program_error"),
    "no place named": ("java.io.IOException: Read-only file system", "program_error"),
    "shared memory": ("OSError: [Errno 28] No space left on device: '/dev/shm/pool'", "program_error"),
    "full, and what was read is named": ("error: /in/images/a.tiff: No space left on device", "service"),
    "a full temporary folder": ("OSError: [Errno 28] No space left on device: '/tmp/scratch'", "service"),
    "full, no place named": ("OSError: [Errno 122] Disk quota exceeded", "service"),
    "one of two": ("No space left on device: '/dev/shm/a'\nNo space left on device: '/out/b'", "service"),
}


@pytest.mark.parametrize(("words", "reason"), DISKS.values(), ids=DISKS)
@pytest.mark.parametrize("code", [1, 65])
def test_a_disk_is_an_outage_only_where_the_job_may_write(words: str, reason: str, code: int, tmp_path: Path) -> None:
    told = words.format(folder=tmp_path).splitlines()

    assert reasons.of(Outcome(code, 1), told, tmp_path) == reason


def test_a_program_that_says_itself_that_a_service_fails_is_believed(tmp_path: Path) -> None:
    assert reasons.of(Outcome(69, 1), [DISKS["home"][0]], tmp_path) == reasons.SERVICE


def test_a_read_only_disk_that_no_line_names_is_an_outage_where_the_job_cannot_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, how: path != tmp_path)

    assert reasons.of(Outcome(1, 1), ["IOException: Read-only file system"], tmp_path) == reasons.SERVICE


def test_every_class_but_none_is_listed() -> None:
    assert {reason for _, _, reason in ENDS.values()} - {""} == set(reasons.ALL)
