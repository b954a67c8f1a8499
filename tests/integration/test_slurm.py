"""The place slurm on a real site of two nodes: the same results as here, and what becomes of a run if it fails."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tests.hpc.site import Site, arrays, nodes
from tests.integration.conftest import Made
from tests.integration.node import SIF_FILES, USER_ID
from tests.integration.toolkit import Toolkit, features, one_last_digit, wait_for

pytestmark = [pytest.mark.engine("site"), pytest.mark.usefixtures("docker_shared")]

PLATE = PLATES[0]
MEASURE = ("Measure", "--batch-id", BATCH, "--plate", PLATE)
SITES = [f"{well}-1" for well in ("A01", "A02", "B02", "C04")]  # as the stub lists them
SLURM = {"grace_seconds": "3"}
QUICK = {"backoff_seconds": "0.5"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, docker_shared: None) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site") / "shared")
    made.up()
    yield made
    made.down()


Laid = Callable[..., Toolkit]


@pytest.fixture(scope="module")
def illuminated(site: Site) -> Toolkit:
    """Four wells of a plate of stubs, ready to be measured."""
    toolkit = Toolkit(site.folder / "illuminated", "process", {"slurm": SLURM}, place="slurm")
    toolkit.draw(PLATE, ",".join(FOUR_WELLS))
    site.node().own(toolkit.folder)
    code, printed = site.run(toolkit, "Illumination", *MEASURE[1:])
    assert code == 0, printed
    return toolkit


@pytest.fixture
def laid(site: Site, illuminated: Toolkit, request: pytest.FixtureRequest) -> Laid:
    def lay(**extra: dict[str, str]) -> Toolkit:
        folder = site.folder / re.sub(r"\W", "_", request.node.name)
        shutil.copytree(illuminated.root, folder / "root")
        site.node().own(folder)
        settings = {"slurm": SLURM, "retries": QUICK, "measure": {"sites_per_shard": "1"}}
        merged = {name: {**settings.get(name, {}), **extra.get(name, {})} for name in {*settings, *extra}}
        return Toolkit(folder, "process", merged, place="slurm")

    return lay


IMAGES = ("cellprofiler", "pycytominer")
"""What becomes SIF: what lists sites does not, for a third conversion would only take longer."""


@pytest.fixture(scope="module")
def measured(site: Site, cut: Made) -> tuple[Toolkit, str]:
    """Four wells of a plate, from the illumination of this machine to profiles, by Apptainer on the nodes."""
    node = site.node()
    node.configure(images=SIF_FILES)
    for image in IMAGES:
        node.convert(image)
    settings = {"slurm": SLURM, "apptainer": {"images": str(SIF_FILES)}, "measure": {"sites_per_shard": "1"}}
    toolkit = Toolkit(site.folder / "measured", "apptainer", settings, place="slurm")
    toolkit.draw(PLATE, ",".join(FOUR_WELLS))
    toolkit.lay_results(cut[0], "load_data", "illumination")
    node.own(toolkit.folder)
    code, printed = site.run(toolkit, "RunPlate", *MEASURE[1:], stubs=False)
    assert code == 0, printed
    return toolkit, printed


def running(site: Site) -> list[str]:
    return [element for element, state in site.queue().items() if state == "RUNNING"]


def begun(toolkit: Toolkit) -> list[Path]:
    """Return the logs of the stubs that wait at their gate."""
    logs = toolkit.root.glob(".work/runs/*/*/measure/*/*/*/shards/*/stderr.log")
    return [path for path in logs if "suffers from wait" in path.read_text()]


def open_gate(toolkit: Toolkit) -> None:
    (toolkit.folder / "gate").touch()


def start_and_wait(site: Site, toolkit: Toolkit, count: int = 4, **fault: str) -> subprocess.Popen[str]:
    """Start the measurement with programs that wait at a gate, and wait until so many do."""
    told = {"stage": "measure", "act": "wait", "gate": str(toolkit.folder / "gate"), **fault}
    process = site.start(toolkit, *MEASURE, **told)
    if not wait_for(lambda: len(begun(toolkit)) == count, 60):
        site.signal("INT")
        raise AssertionError(process.communicate()[0])
    return process


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    printed, _ = process.communicate(timeout=180)
    return process.returncode, printed


def test_a_plate_goes_from_illumination_to_profiles_on_both_nodes(measured, record_property):
    toolkit, printed = measured
    seen = nodes(toolkit.root)
    record_property("elements by node", dict(sorted(seen.items())))

    assert "engine for the image cellprofiler: apptainer" in printed
    assert set(seen) == {"node1", "node2"}
    assert sum(seen.values()) >= 4 + 7  # sites, and a stage each


def test_its_profiles_are_those_of_this_machine(measured, cut):
    """Between environments: a written digit, and normalized values where the spread is real."""
    means, here = (toolkit.profiles(PLATE, "") for toolkit in (measured[0], cut[0]))
    values, others = (features(table).to_numpy(float) for table in (means, here))
    close = np.abs(values - others) <= 1.001 * one_last_digit(others)
    spread = features(here).sub(features(here).median()).abs().median()
    scaled, scaled_here = (features(toolkit.profiles(PLATE, "_normalized")) for toolkit in (measured[0], cut[0]))
    solid = [name for name in scaled_here if name in scaled and spread[name] > 1e-3 * abs(here[name].median())]
    difference = (scaled[solid] - scaled_here[solid]).abs() / scaled_here[solid].abs().clip(lower=1)

    assert list(means.columns) == list(here.columns)
    assert (close | (np.isnan(values) & np.isnan(others))).all()
    assert len(solid) > 500
    assert difference.max().max() <= 1e-3


def test_manifests_and_logs_lie_where_they_belong(measured, cut):
    def made(toolkit: Toolkit) -> set[str]:
        return {path.relative_to(toolkit.root).as_posix() for path in toolkit.root.glob(".work/manifests/*/*/*/*/*")}

    (manifest,) = measured[0].root.glob(".work/manifests/*/*/measure/*/*.json")
    told = json.loads(manifest.read_text())
    logs = list((measured[0].root / told["run"]).glob("shards/*/stderr.log"))

    assert made(measured[0]) == made(cut[0])
    assert set(measured[0].published()) == set(cut[0].published())
    assert told["environment"]["engine"] == "apptainer"
    assert len(logs) == 4


def test_elements_run_on_both_nodes_and_their_ends_say_so(site, laid):
    toolkit = laid()
    process = start_and_wait(site, toolkit)
    told = wait_for(lambda: "2 RUNNING, node2" in toolkit.tasks("status", "--stage", "measure").stdout, 20)
    shown = toolkit.tasks("status", "--stage", "measure").stdout
    open_gate(toolkit)
    code, printed = ended(process)

    assert code == 0, printed
    assert nodes(toolkit.root, "measure") == {"node1": 2, "node2": 2}
    assert told, shown


def test_a_stopped_nodes_elements_run_again_on_another_one(site, laid):
    toolkit = laid()
    process = start_and_wait(site, toolkit)
    site.compose("kill", "node2")
    try:
        lost = wait_for(
            lambda: (
                not [name for name, state in site.queue().items() if state != "RUNNING"] and len(running(site)) <= 2
            ),
            90,
        )
        open_gate(toolkit)
        code, printed = ended(process)
    finally:
        site.compose("up", "--detach", "--wait", "node2")

    assert lost
    assert code == 0, printed
    assert "after node_lost" in printed
    assert nodes(toolkit.root, "measure") == {"node1": 4}


def test_a_restarted_slurmctld_is_waited_for(site, laid):
    toolkit = laid()
    process = start_and_wait(site, toolkit)
    site.compose("stop", "--timeout", "2", "control")
    noticed = wait_for(lambda: '"said": "slurmctld' in (toolkit.root / f".work/queue/{USER_ID}.json").read_text(), 60)
    site.compose("up", "--detach", "--wait", "control")
    open_gate(toolkit)
    code, printed = ended(process)

    assert noticed
    assert code == 0, printed
    assert "slurmctld does not answer" in printed
    assert "answers again" in printed
    assert len(arrays(toolkit.root, "measure")) == 1


def test_a_killed_controller_finds_its_elements_again(site, laid):
    toolkit = laid()
    process = start_and_wait(site, toolkit)
    site.signal("KILL")
    killed, _ = ended(process)
    survived = running(site)
    again = start_and_wait(site, toolkit)
    open_gate(toolkit)
    code, printed = ended(again)

    assert killed != 0
    assert len(survived) == 4
    assert code == 0, printed
    assert "adopted" in printed
    assert len(arrays(toolkit.root, "measure")) == 1


def test_what_ended_while_nobody_looked_is_taken_up(site, laid):
    toolkit = laid()
    process = start_and_wait(site, toolkit)
    site.signal("KILL")
    ended(process)
    open_gate(toolkit)
    over = wait_for(lambda: not site.queue(), 60)
    code, printed = site.run(toolkit, *MEASURE)

    assert over
    assert code == 0, printed
    assert len(arrays(toolkit.root, "measure")) == 1


@pytest.mark.parametrize(("on_interrupt", "left"), [("cancel", 0), ("leave", 4)])
def test_ctrl_c_cancels_or_leaves_as_it_is_told(site, laid, on_interrupt, left):
    toolkit = laid(slurm={"on_interrupt": on_interrupt})
    process = start_and_wait(site, toolkit)
    site.signal("INT")
    code, printed = ended(process)
    time.sleep(3)
    found = running(site)
    open_gate(toolkit)
    again, said = site.run(toolkit, *MEASURE)

    assert code != 0, printed
    assert len(found) == left
    assert again == 0, said
    assert len(arrays(toolkit.root, "measure")) == (1 if left else 2)


def test_an_element_out_of_memory_gets_more(site, laid):
    toolkit = laid(measure={"memory_gb": "0.2"})
    code, printed = site.run(toolkit, *MEASURE, stage="measure", unit="A02-1", act="hog")

    assert code == 0, printed
    assert "try 2 after out_of_memory (1 sites, from A02-1 on)" in printed


def test_an_element_over_its_time_is_named_and_the_others_are_done(site, laid):
    toolkit = laid(measure={"minutes": "0.06"})
    code, printed = site.run(toolkit, *MEASURE, stage="measure", unit="A02-1", act="hang")

    assert code == 30, printed
    assert "try 2 after timeout" in printed
    assert "took longer than its limit" in printed
    assert "1 of 4 sites failed" in printed
    assert len(list(toolkit.root.glob(".work/runs/*/*/measure/*/*/*/shards/*/outcome.json"))) == 3


def test_a_cancelled_element_is_named_and_the_others_are_done(site, laid):
    toolkit = laid()
    process = start_and_wait(site, toolkit)
    array = next(iter(site.queue())).partition("_")[0]
    site.on("login", "scancel", f"{array}_1")
    open_gate(toolkit)
    code, printed = ended(process)
    again, said = site.run(toolkit, *MEASURE)
    by_time = sorted(arrays(toolkit.root, "measure"), key=lambda path: path.stat().st_ctime)

    assert code == 30, printed
    assert "cancelled from outside the run" in printed
    assert f"{array}_1: CANCELLED" in printed
    assert again == 0, said
    assert [len(json.loads((path / "array.json").read_text())["elements"]) for path in by_time] == [4, 1]


def test_a_need_that_no_node_meets_is_a_named_error(site, laid):
    toolkit = laid(measure={"memory_gb": "4000"})
    code, printed = site.run(toolkit, *MEASURE)

    assert code == 30, printed
    assert "Memory specification can not be satisfied" in printed
    assert "an element needs 1 cores, 4000 GB" in printed
    assert "Traceback" not in printed
