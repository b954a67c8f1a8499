"""The memory that a container needs is what it cannot give back, by either version of cgroups."""

from __future__ import annotations

from typing import Any

import pytest
from stagekit import child

from tasks.runtime.engines import container_memory
from tasks.runtime.engines.container_memory import Peak, needed_bytes

MB = 2**20
TOLD = {
    "version 1": {
        "usage": 900 * MB,
        "max_usage": 1000 * MB,
        "stats": {"active_anon": 1, "inactive_anon": 1, "total_active_anon": 50 * MB, "total_inactive_anon": 250 * MB},
    },
    "version 2": {"usage": 900 * MB, "stats": {"active_anon": 50 * MB, "inactive_anon": 250 * MB, "file": 600 * MB}},
    "no parts": {"usage": 300 * MB},
}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_the_cache_of_files_is_no_need(told: dict[str, Any]) -> None:
    assert needed_bytes(told) == 300 * MB


class Container:
    """Tells of one size after the other, and of nothing once it has ended."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = list(sizes)

    def stats(self, stream: bool, one_shot: bool) -> dict[str, Any]:
        return {"memory_stats": {"usage": self.sizes.pop(0)} if self.sizes else {}}


def test_the_largest_sample_is_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container_memory, "SAMPLE_SECONDS", 0.0)
    peak, container = Peak(), Container(512 * MB, 2048 * MB, 1024 * MB)
    for _ in range(4):
        peak.look(container)

    assert peak.gb == 2.0


def test_samples_are_a_second_apart_once_it_has_run_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(child.time, "monotonic", lambda: clock[0])
    peak, container = Peak(), Container(*[MB] * 1000)
    taken = []
    for clock[0] in (each / 5 for each in range(500)):
        before = len(container.sizes)
        peak.look(container)
        taken += [clock[0]] if len(container.sizes) < before else []

    assert taken[:4] == [0.0, 0.2, 0.4, 0.6]
    assert {round(late - early, 1) for early, late in zip(taken[-50:], taken[-49:], strict=False)} == {1.0}


def test_a_container_that_ended_before_the_first_sample_has_none() -> None:
    peak = Peak()
    peak.look(Container())

    assert peak.gb is None
