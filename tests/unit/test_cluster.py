"""What doctor and plan say of a cluster, by what its commands print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks.commands import checkup_slurm, finding, plan
from tasks.planning import cost_plan
from tasks.planning.cost_model import Cost
from tasks.planning.cost_plan import Line, Plan
from tasks.runtime.slurm import partitions
from tasks.runtime.slurm.partitions import file_system, minutes, unshared
from tests.unit.conftest import LoadSettings
from tests.unit.test_slurm import Commands, commands

__all__ = ["commands"]

SINFO = """\
short*|up|4:00:00|10|16|64000
short*|up|4:00:00|2|32+|128000+
long|up|7-00:00:00|4|64|515000
closed|down|infinite|1|1|1000
"""
CONFIG = "MaxArraySize            = 501\nMaxJobCount             = 10000\n"


@pytest.fixture
def site(commands: Commands) -> Commands:
    commands.say("sinfo", SINFO)
    commands.say("scontrol", CONFIG)
    return commands


@pytest.mark.parametrize(
    ("text", "expected"),
    [("30:00", 30), ("4:00:00", 240), ("2-00:30:00", 2910), ("0:30", 0.5), ("infinite", float("inf"))],
)
def test_time_limits_are_read_as_sinfo_shows_them(text: str, expected: float) -> None:
    assert minutes(text) == expected


def test_a_partition_is_as_large_as_its_largest_node(site: Commands) -> None:
    found = partitions.partitions()
    short = found["short"]

    assert (short.is_default, short.nodes, short.cpus, short.memory_gb, short.minutes) == (True, 12, 32, 125, 240)
    assert found["closed"].lacks(2, 1, 1) == ["it is not up", "2 cores of 1", "1 GB of 0.976562"]
    assert found["long"].lacks(64, 400, 600) == []


def states() -> dict[str, finding.Finding]:
    return {seen.subject: seen for seen in checkup_slurm.examine()}


def test_here_nothing_of_a_cluster_is_looked_at(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    assert states() == {}


def test_a_stage_that_its_partition_can_not_hold_is_named_with_what_is_short(
    luigi_cfg: LoadSettings, site: Commands
) -> None:
    luigi_cfg(
        "[runtime]\nplace = slurm\n[slurm]\nmax_array = 501\n"
        "[measure]\nminutes = 300\n[collate]\nslurm_partition = long\nminutes = 300\n"
        "[montage]\nslurm_partition = lnog\n"
    )
    seen = states()

    assert seen["Slurm"].state == seen["partition short"].state == seen["partition long"].state == finding.GOOD
    assert seen["stage measure"].said == "partition short can not give 302 minutes of 240"
    assert seen["partition"].said == "there is no partition 'lnog'; known: closed, long, short"
    assert {"stage collate", "stage fetch_images", "arrays"}.isdisjoint(seen)


def test_an_array_that_is_larger_than_the_site_allows_is_named(luigi_cfg: LoadSettings, site: Commands) -> None:
    luigi_cfg("[runtime]\nplace = slurm\n")

    assert states()["arrays"].said == "[slurm] max_array = 1000, the site's MaxArraySize is 501"


def test_a_slurm_that_is_not_there_is_named(luigi_cfg: LoadSettings, commands: Commands) -> None:
    luigi_cfg("[runtime]\nplace = slurm\n")

    assert (states()["Slurm"].state, "no command sinfo" in states()["Slurm"].said) == (finding.BAD, True)


def test_a_folder_below_tmp_is_a_nodes_own_and_a_network_file_system_is_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = unshared(Path("/tmp/root"))
    monkeypatch.setattr(partitions, "file_system", lambda path: "lustre")

    assert here == "/tmp/root lies below /tmp, which is mostly a node's own"
    assert unshared(Path("/tmp/root")) == ""
    assert file_system(Path("/proc/self")) == "proc"


def test_plan_gives_node_hours_by_partition(
    luigi_cfg: LoadSettings, site: Commands, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    luigi_cfg("[runtime]\nplace = slurm\n[measure]\nslurm_partition = long\n")
    hour = 3600.0
    lines = [Line("measure", 0, 1, Cost(0, 640 * hour), 1), Line("collate", 0, 1, Cost(0, 16 * hour), 1)]
    made = Plan("B", ["P"], lines, 0, 0, [])
    monkeypatch.setattr(cost_plan, "make", lambda *given: made)
    plan._print(made)
    said = capsys.readouterr().out
    plan._print_json(made)
    told = json.loads(capsys.readouterr().out)

    assert "to compute 656.0 core-hours" in said
    assert "partition long: 640.0 core-hours, 10.0 node-hours of 64 cores (measure)" in said
    assert "partition short: 16.0 core-hours, 0.5 node-hours of 32 cores (collate)" in said
    assert told["partitions"]["long"] == {"stages": ["measure"], "core_hours": 640.0, "cores": 64, "node_hours": 10.0}
    assert "wall_seconds" not in told


def test_plan_goes_without_a_slurm_that_does_not_answer(
    luigi_cfg: LoadSettings, commands: Commands, capsys: pytest.CaptureFixture[str]
) -> None:
    luigi_cfg("[runtime]\nplace = slurm\n")
    plan._print(Plan("B", ["P"], [Line("collate", 0, 1, Cost(0, 3600.0), 1)], 0, 0, []))

    assert "the default partition: 1.0 core-hours (collate)" in capsys.readouterr().out
