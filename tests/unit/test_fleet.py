"""Hours and dollars on hired machines, against slow ways to count them."""

from __future__ import annotations

import heapq
import random
from dataclasses import replace

import pytest

from tasks.definitions.stages import Resources
from tasks.planning import aws_costs
from tasks.planning.aws_costs import Work
from tasks.settings import aws_prices
from tasks.settings.aws_prices import InstanceClass, Prices

OURS = aws_prices.read(aws_prices.OURS)


def machine(vcpus: int = 4, memory_gib: float = 16, gpus: int = 0) -> InstanceClass:
    return InstanceClass("m", vcpus, memory_gib, gpus, on_demand=1.0, spot=0.4)


def only(one: InstanceClass) -> Prices:
    return replace(OURS, classes=(one,), disk_hour=0.0)


def need(cpus: int = 1, memory_gb: float = 2.0, gpus: int = 0) -> Resources:
    return Resources(cpus, memory_gb, 10, gpus)


def put_one_after_the_other(one: InstanceClass, needed: Resources) -> int:
    """Return how many jobs a machine holds, by putting them on it until one does not fit."""
    vcpus, memory, gpus, held = one.vcpus, one.memory_gib * OURS.memory_fraction, one.gpus, 0
    while vcpus >= needed.cpus and memory >= needed.memory_gb - 1e-9 and gpus >= needed.gpus:
        vcpus, memory, gpus, held = vcpus - needed.cpus, memory - needed.memory_gb, gpus - needed.gpus, held + 1
    return held


def simulated(works: list[Work], held: dict[str, int], machines: int) -> tuple[float, float]:
    """Return wall and machine-hours: each job goes to the place that is free first, stage after stage."""
    wall = hours = 0.0
    for work in works:
        each = work.core_seconds / 3600 / work.resources.cpus / work.jobs
        places = [0.0] * (machines * held[work.stage])
        for _ in range(work.jobs):
            heapq.heappush(places, heapq.heappop(places) + each)
        wall += max(places)
        full, rest = divmod(work.jobs, held[work.stage])
        hours += (full + bool(rest)) * each
    return wall, hours


def test_a_machine_holds_what_its_vcpus_memory_and_gpus_let_it() -> None:
    dice = random.Random(1)
    for _ in range(500):
        one = machine(dice.choice([2, 4, 8, 16]), dice.choice([4, 8, 16, 32, 128]), dice.choice([0, 1, 4]))
        needed = need(dice.choice([1, 2, 4, 8]), dice.choice([0.5, 1, 2, 4, 7.5, 8, 30]), dice.choice([0, 0, 1, 2]))

        assert aws_costs.side_by_side(one, needed, OURS.memory_fraction) == put_one_after_the_other(one, needed)


def test_hours_are_those_of_a_simulation() -> None:
    dice = random.Random(2)
    for _ in range(100):
        one, machines = machine(dice.choice([4, 8, 16])), dice.choice([1, 3, 200])
        works = [
            Work(
                name,
                dice.choice([1, 8, 288, 1000]),
                dice.uniform(1, 1e5),
                need(dice.choice([1, 2]), dice.choice([1, 4])),
            )
            for name in "abc"
        ]
        held = {work.stage: aws_costs.side_by_side(one, work.resources, OURS.memory_fraction) for work in works}
        wall, hours = simulated(works, held, machines)
        (cost,) = aws_costs.costs(works, only(one), machines)

        assert (cost.wall_hours, cost.machine_hours) == pytest.approx((wall, hours))
        assert (cost.spot_dollars, cost.on_demand_dollars) == pytest.approx((0.4 * hours, hours))


def test_a_machine_is_paid_whole_for_one_job_and_its_disk_with_it() -> None:
    (cost,) = aws_costs.costs([Work("collate", 1, 3600, need())], replace(only(machine()), disk_hour=0.1), 200)

    assert cost.machine_hours == cost.wall_hours == pytest.approx(1.0)
    assert cost.spot_dollars == pytest.approx(0.5)


def test_a_class_without_the_memory_stands_last_and_says_what_for() -> None:
    works = [Work("small", 10, 1e4, need()), Work("large", 1, 10, need(memory_gb=8))]
    found = aws_costs.costs(works, OURS, 10)

    assert found[0].lacks == ""
    assert found[0].spot_dollars == min(each.spot_dollars for each in found if not each.lacks)
    assert [each.name for each in found if each.lacks] == ["c6i.xlarge", "c7i.xlarge"]
    assert found[-1].lacks == "large needs 1 vCPUs, 8 GiB; 7.6 GiB are left of its 8"


def test_what_needs_a_gpu_is_done_where_there_is_one_and_nothing_else_is() -> None:
    works = [Work("measure", 10, 1e4, need()), Work("deep_profile", 4, 1e4, need(gpus=1))]
    found = aws_costs.costs(works, OURS, 10)
    gpus = {one.name for one in OURS.classes if one.gpus}
    alone = aws_costs.costs(works[1:], OURS, 10)

    assert {each.name for each in alone} == gpus
    assert [each for each in found if each.name in gpus] == alone
    assert len(found) == len(OURS.classes)


def test_nothing_to_do_costs_nothing() -> None:
    assert aws_costs.costs([Work("measure", 0, 0.0, need())], OURS, 10) == []
