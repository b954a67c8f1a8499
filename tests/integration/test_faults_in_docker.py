"""Faults of containers and their daemon: nothing is left running, nothing is half published, the run goes on."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tasks.dataset.layout import Layout
from tasks.results import ledger
from tests.campaign import invariants
from tests.integration.conftest import Made
from tests.integration.test_docker import at_work, containers
from tests.integration.toolkit import REPOSITORY, TWO_CHANNELS, Toolkit, wait_for

pytestmark = [pytest.mark.engine("docker"), pytest.mark.usefixtures("docker_alone")]

PLATE = PLATES[0]
WORDS = ("Illumination", "--batch-id", BATCH, "--plate", PLATE)
DAEMON_PID = Path(os.environ.get("ENGINE_ROOT", "/var/tmp/platewright-engine")) / "run/dockerd.pid"


def functions(toolkit: Toolkit) -> dict[str, bytes]:
    folder = toolkit.dataset / "images" / BATCH / "illum" / PLATE
    return {path.name: path.read_bytes() for path in folder.rglob("*.npy")}


@pytest.fixture(scope="module")
def undisturbed(in_docker: Made) -> dict[str, bytes]:
    """What a run that nothing befell makes of the two channels."""
    assert in_docker[1].returncode == 0, in_docker[1].stderr[-3000:]
    made = functions(in_docker[0])
    return {name: made[name] for name in (f"{PLATE}_IllumRNA.npy", f"{PLATE}_IllumDNA.npy")}


def started(folder: Path, **extra: dict[str, str]) -> Toolkit:
    toolkit = Toolkit(folder, "docker", {"load_data": TWO_CHANNELS, **extra})
    toolkit.draw(PLATE, ",".join(FOUR_WELLS))
    return toolkit


def told(toolkit: Toolkit) -> ledger.History:
    found = ledger.history(Layout(toolkit.root, "cpg0000-jump-pilot", "source_4").ledger("illumination", BATCH, PLATE))
    assert found is not None
    return found


def test_a_container_that_is_killed_is_tried_again_and_the_run_ends_well(tmp_path, undisturbed):
    toolkit = started(tmp_path)
    run = toolkit.start(*WORDS)
    seen = wait_for(lambda: at_work(toolkit, "illumination"))
    killed = subprocess.run(["docker", "kill", at_work(toolkit, "illumination")[0]], capture_output=True, check=False)
    printed, _ = run.communicate(timeout=600)
    reasons = [line["reason"] for line in told(toolkit).attempts]

    assert seen, printed
    assert killed.returncode == 0, killed.stderr
    assert "program_error" in reasons
    assert run.returncode == 0, printed
    assert functions(toolkit) == undisturbed
    assert containers(toolkit.folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can kill the daemon and start it again")
def test_a_daemon_that_is_killed_is_waited_for_and_the_run_ends_well(tmp_path, undisturbed):
    if not DAEMON_PID.exists():
        pytest.skip("the daemon is not the tests' own: it is left alone")
    toolkit = started(tmp_path, retries={"tries": "5", "backoff_seconds": "5"})
    run = toolkit.start(*WORDS)
    seen = wait_for(lambda: at_work(toolkit, "illumination"))
    os.kill(int(DAEMON_PID.read_text()), signal.SIGKILL)
    gone = subprocess.run(["docker", "info"], capture_output=True, check=False).returncode != 0
    back = subprocess.run(["bash", "tests/engines/start_docker.sh"], cwd=REPOSITORY, capture_output=True, text=True)
    printed, _ = run.communicate(timeout=900)
    attempts = told(toolkit).attempts

    assert seen, printed
    assert gone
    assert back.returncode == 0, back.stderr
    assert "node_lost" in [line["reason"] for line in attempts]
    assert run.returncode == 0, printed
    assert functions(toolkit) == undisturbed
    assert containers(toolkit.folder) == []


def test_a_container_that_runs_out_of_memory_is_given_more(tmp_path, undisturbed):
    toolkit = started(tmp_path, illumination={"memory_gb": "0.06"})
    done = toolkit.luigi(*WORDS)
    attempts = told(toolkit).attempts
    gb = {line["memory_gb"] for line in attempts if line["reason"] == "out_of_memory"}

    assert 0.06 in gb, done.stderr
    assert done.returncode == 0, done.stderr
    assert all(line["memory_gb"] > min(gb) for line in attempts if not line["reason"])
    assert functions(toolkit) == undisturbed
    assert containers(toolkit.folder) == []


def test_a_container_that_takes_too_long_is_stopped_and_named(tmp_path, undisturbed):
    toolkit = started(tmp_path, illumination={"minutes": "0.03"})
    done = toolkit.luigi(*WORDS)
    reasons = {line["reason"] for line in told(toolkit).attempts}
    left = containers(toolkit.folder)
    toolkit.extra = {"load_data": TWO_CHANNELS}
    again = toolkit.luigi(*WORDS)

    assert done.returncode == 30
    assert reasons == {"timeout"}
    assert "more time: [illumination] minutes" in done.stderr
    assert left == []
    assert again.returncode == 0, again.stderr
    assert functions(toolkit) == undisturbed
    layout = Layout(toolkit.root, "cpg0000-jump-pilot", "source_4")
    assert not [said for said in invariants.broken(layout, frozenset()) if "claims it" not in said]
