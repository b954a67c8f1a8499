"""Two machines that share a file system: each its own name and processes, both at the same batch, one killed.

The machines are containers with one data root; the stages are stubs. They share the kernel too, so the locks are those
of a local file system: what a network file system has to bring for the same, docs/faults.md says.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tasks.dataset.layout import Layout
from tasks.results import ledger
from tasks.runtime.images import images
from tests.campaign import invariants
from tests.integration.test_faults_of_units import Stubs
from tests.integration.toolkit import REPOSITORY, wait_for

pytestmark = [pytest.mark.engine("docker"), pytest.mark.usefixtures("docker_shared")]

WORDS = ("RunBatch", "--batch-id", BATCH, "--plates", json.dumps(PLATES))
WAITS = "another run is at it"
SECONDS = 300


class Machine:
    """A container in which the toolkit runs on the shared data root."""

    def __init__(self, name: str, stubs: Stubs) -> None:
        self.name = f"{name}-{uuid.uuid4().hex[:8]}"
        environment = {
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'containers'}:{sysconfig.get_paths()['purelib']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "LUIGI_CONFIG_PATH": stubs.toolkit.configure()["LUIGI_CONFIG_PATH"],
            "STUB_FAULT": "{}",
            "HOME": "/tmp",
        }
        words = ["docker", "run", "--detach", "--name", self.name, "--hostname", name, "--network", "none", "--init"]
        words += ["--user", f"{os.getuid()}:{os.getgid()}", "--workdir", str(REPOSITORY), "--entrypoint", "python"]
        words += [f"--env={key}={value}" for key, value in environment.items()]
        words += [f"--volume={REPOSITORY}:{REPOSITORY}:ro", f"--volume={stubs.toolkit.folder}:{stubs.toolkit.folder}"]
        subprocess.run(
            [*words, images.reference("luigid"), "-m", "tests.campaign.host", *WORDS], check=True, capture_output=True
        )

    def said(self) -> str:
        done = subprocess.run(["docker", "logs", self.name], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def kill(self) -> None:
        subprocess.run(["docker", "kill", "--signal", "KILL", self.name], check=True, capture_output=True)

    def code(self) -> int:
        """Wait for its end; return the exit code."""
        done = subprocess.run(
            ["docker", "wait", self.name], capture_output=True, text=True, check=True, timeout=SECONDS
        )
        return int(done.stdout)


Start = Callable[..., Machine]


@pytest.fixture
def start() -> Iterator[Start]:
    machines: list[Machine] = []

    def started(name: str, stubs: Stubs) -> Machine:
        machines.append(Machine(name, stubs))
        return machines[-1]

    yield started
    for machine in machines:
        subprocess.run(["docker", "rm", "--force", "--volumes", machine.name], check=False, capture_output=True)


def two_plates(folder: Path) -> Stubs:
    stubs = Stubs(folder)
    stubs.toolkit.draw(",".join(PLATES), ",".join(FOUR_WELLS))
    stubs.laid = frozenset(invariants.published(stubs.layout))
    return stubs


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What one machine alone publishes: path -> sha256."""
    stubs = two_plates(tmp_path_factory.mktemp("undisturbed"))
    code, printed = stubs.run(*WORDS)
    assert code == 0, printed
    return stubs.contents()


def times_made(layout: Layout) -> Counter[str]:
    """Return how often each stage of each plate or set was made, by the last lines of its runs."""
    made: Counter[str] = Counter()
    for path in layout.ledgers.glob("*/*/*/*.jsonl"):
        last = json.loads(path.read_text().splitlines()[-1])
        made["/".join(path.parts[-4:-1])] += last["event"] == ledger.END and last["state"] == ledger.MADE
    return made


def test_two_machines_at_one_batch_make_each_stage_once(
    tmp_path: Path, start: Start, undisturbed: dict[str, str]
) -> None:
    stubs = two_plates(tmp_path)
    machines = [start(name, stubs) for name in ("first", "second")]
    codes = [machine.code() for machine in machines]
    said = [machine.said() for machine in machines]
    hosts = {path.name.split("-")[1] for path in stubs.layout.ledgers.glob("*/*/*/*.jsonl")}
    made = times_made(stubs.layout)

    assert codes == [0, 0], "\n".join(said)
    assert hosts == {"first", "second"}  # both worked
    assert any(WAITS in text for text in said)  # and met
    assert set(made.values()) == {1}, made
    assert stubs.is_sound()
    assert stubs.contents() == undisturbed


def test_a_machine_that_dies_holds_up_nobody(tmp_path: Path, start: Start, undisturbed: dict[str, str]) -> None:
    stubs = two_plates(tmp_path)
    first = start("first", stubs)
    at_work = wait_for(lambda: "measure/" in first.said(), 60)
    second = start("second", stubs)
    waits = wait_for(lambda: WAITS in second.said(), 60)
    first.kill()
    code = second.code()
    said = second.said()

    assert at_work, first.said()
    assert waits, said
    assert first.code() == 137
    assert code == 0, said
    assert set(times_made(stubs.layout).values()) == {1}
    assert stubs.is_sound()
    assert stubs.contents() == undisturbed
