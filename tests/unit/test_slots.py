"""Jobs keep to one budget of cores and memory, over threads and processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tasks.definitions.stages import Resources
from tasks.errors import EngineError
from tasks.runtime.core.slots import Slots, _release
from tests.unit.fakes import SMALL, wait_until

HOLDER = """
import sys, threading
from pathlib import Path
from tasks.runtime.core.slots import Slots
from tasks.definitions.stages import Resources
with Slots(Path(sys.argv[1]), 2, 2).taken(Resources(int(sys.argv[2]), 1, 1, 0), threading.Event()) as granted:
    print(granted, flush=True)
    sys.stdin.read()
"""


def hold(folder: Path, cpus: int) -> subprocess.Popen[str]:
    """Start another process that holds slots until its stdin closes."""
    words = [sys.executable, "-c", HOLDER, str(folder), str(cpus)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def is_free(slots: Slots, cpus: int) -> bool:
    return len(take(slots, cpus)) == cpus


def take(slots: Slots, wanted: int) -> list[int]:
    held = slots._lock_free(wanted)
    numbers = list(held)
    _release(held)
    return numbers


@pytest.mark.parametrize(
    ("cpus", "memory_gb", "slots"), [(1, 1, 1), (2, 1, 2), (1, 2, 1), (1, 2.1, 2), (1, 8, 4), (3, 4, 3)]
)
def test_a_job_takes_its_cores_or_its_share_of_the_memory(cpus: int, memory_gb: float, slots: int) -> None:
    assert Slots(Path("/x"), 4, 8).needed(Resources(cpus, memory_gb, 1, 0)) == slots


@pytest.mark.parametrize("resources", [Resources(5, 1, 1, 0), Resources(1, 8.5, 1, 0)], ids=["cores", "memory"])
def test_a_job_that_is_too_big_for_the_machine_is_refused(resources: Resources) -> None:
    with pytest.raises(
        EngineError, match=r"\[runtime\] gives 4 cores and 8.0 GB: raise \[runtime\] memory_gb"
    ) as failure:
        Slots(Path("/x"), 4, 8).needed(resources)

    assert f"needs {resources.cpus} cores and {resources.memory_gb:g} GB" in str(failure.value)


def test_never_more_threads_run_at_once_than_there_are_slots(tmp_path: Path) -> None:
    slots, lock, running, seen = Slots(tmp_path, 2, 2), threading.Lock(), [0], []

    def work() -> None:
        with slots.taken(SMALL, threading.Event()):
            with lock:
                running[0] += 1
                seen.append(running[0])
            time.sleep(0.02)
            with lock:
                running[0] -= 1

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(seen) == 5
    assert max(seen) == 2


def test_big_and_small_jobs_do_not_wait_for_each_other_for_ever(tmp_path: Path) -> None:
    slots, done = Slots(tmp_path, 2, 2), []

    def work(cpus: int) -> None:
        with slots.taken(Resources(cpus, 1, 1, 0), threading.Event()) as granted:
            done.append((cpus, granted))

    threads = [threading.Thread(target=work, args=(cpus,)) for cpus in (2, 1, 2, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)

    assert sorted(done) == [(1, True), (1, True), (2, True), (2, True)]


@pytest.mark.parametrize(("patience_seconds", "first"), [(0, "big"), (60, "small")])
def test_small_jobs_pass_one_that_needs_all_cores_only_for_a_while(
    tmp_path: Path, patience_seconds: float, first: str
) -> None:
    slots, done = Slots(tmp_path, 2, 2, patience_seconds), []

    def work(name: str, cpus: int) -> None:
        with slots.taken(Resources(cpus, 1, 1, 0), threading.Event()):
            done.append(name)

    with slots.taken(SMALL, threading.Event()):
        big = threading.Thread(target=work, args=("big", 2))
        big.start()
        if patience_seconds == 0:
            assert wait_until(lambda: take(slots, 1) == [])  # the big one keeps the slot that is free
        small = threading.Thread(target=work, args=("small", 1))
        small.start()
        small.join(0.5)
    big.join(10)
    small.join(10)

    assert done[0] == first
    assert len(done) == 2


def test_a_cancelled_wait_is_not_granted_and_holds_nothing(tmp_path: Path) -> None:
    slots, cancelled = Slots(tmp_path, 1, 1), threading.Event()
    cancelled.set()
    with slots.taken(SMALL, threading.Event()), slots.taken(SMALL, cancelled) as granted:
        assert granted is False

    assert is_free(slots, 1)


def test_slots_are_freed_after_an_error(tmp_path: Path) -> None:
    slots = Slots(tmp_path, 1, 1)
    with pytest.raises(RuntimeError), slots.taken(SMALL, threading.Event()):
        raise RuntimeError

    assert is_free(slots, 1)


def test_two_processes_share_the_slots_and_a_killed_one_frees_its_own(tmp_path: Path) -> None:
    slots, one, two = Slots(tmp_path, 2, 2), hold(tmp_path, 1), hold(tmp_path, 1)
    try:
        granted = [process.stdout.readline() for process in (one, two)]

        assert granted == ["True\n", "True\n"]
        assert not is_free(slots, 1)

        one.send_signal(signal.SIGKILL)
        one.wait()

        assert wait_until(lambda: is_free(slots, 1))
        assert not is_free(slots, 2)

        two.communicate("")

        assert is_free(slots, 2)
    finally:
        for process in (one, two):
            process.kill()
            process.wait()
            process.stdout.close()
            process.stdin.close()
