"""Faults that hit a stage while it runs, or the disk and clock below it: on stubs of the programs, for speed.

Each test first shows that its fault fired; then that nothing is half published or left running; then that the next run
makes what is missing, to the bytes of an undisturbed run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tasks.dataset.layout import Layout
from tasks.results import ledger
from tasks.results.ledger import History
from tests.campaign import invariants
from tests.integration.toolkit import REPOSITORY, Toolkit, left_running, wait_for

pytestmark = pytest.mark.engine("process")

PLATE, SITE = PLATES[0], "A02-1"
WORDS = ("RunBatch", "--batch-id", BATCH, "--plates", f'["{PLATE}"]')
QUICK = {"retries": {"backoff_seconds": "0.1"}}


class Stubs:
    """A data root with four wells of a plate, whose stages are stubs."""

    def __init__(self, folder: Path, **extra: dict[str, str]) -> None:
        self.toolkit = Toolkit(folder, "process", {**QUICK, **extra})
        self.toolkit.draw(PLATE, ",".join(FOUR_WELLS))
        self.layout = Layout(self.toolkit.root, "cpg0000-jump-pilot", "source_4")
        self.laid = frozenset(invariants.published(self.layout))

    def run(self, *words: str, fault: dict[str, str] | None = None, **variables: str) -> tuple[int, str]:
        environment = {**self.toolkit.configure(), "STUB_FAULT": json.dumps(fault or {}), **variables}
        command = [sys.executable, "-m", "tests.campaign.host", *(words or WORDS)]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def told(self, stage: str = "measure") -> History:
        found = ledger.history(self.layout.ledger(stage, BATCH, PLATE))
        assert found is not None
        return found

    def is_sound(self) -> bool:
        """Say whether nothing is half published and nothing runs."""
        return invariants.broken(self.layout, self.laid) == [] and wait_for(
            lambda: not left_running(self.layout.root), 30
        )

    def contents(self) -> dict[str, str]:
        return invariants.contents(self.layout)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What an undisturbed run publishes: path -> sha256."""
    stubs = Stubs(tmp_path_factory.mktemp("undisturbed"))
    code, printed = stubs.run()
    assert code == 0, printed
    return stubs.contents()


SUFFERED = {
    "hang": ("timeout", 2),
    "crash": ("program_error", 2),
    "memory": ("out_of_memory", 3),
}


@pytest.mark.parametrize(("act", "reason", "tries"), [(act, *end) for act, end in SUFFERED.items()], ids=SUFFERED)
def test_a_unit_that_hangs_crashes_or_takes_all_memory_stands_alone_and_is_made_later(
    act: str, reason: str, tries: int, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    small = {"minutes": "0.1", "memory_gb": "0.5"} if act == "hang" else {"memory_gb": "0.5"}
    stubs = Stubs(tmp_path, measure=small, retries={"backoff_seconds": "0.1", "most_memory_gb": "2"})
    code, printed = stubs.run(fault={"stage": "measure", "unit": SITE, "act": act})
    told, sound = stubs.told(), stubs.is_sound()
    bad = told.units[SITE]
    again, _ = stubs.run()

    assert f"suffers from {act}" in (stubs.layout.root / bad.log).read_text()
    assert (code, bad.state, bad.reason) == (30, "quarantined", reason), printed
    assert bad.attempt >= tries
    assert {name: unit.state for name, unit in told.units.items() if name != SITE} == {
        f"{well}-1": "ok" for well in FOUR_WELLS if well != "A02"
    }
    assert sound
    assert again == 0
    assert [line["units"].keys() for line in stubs.told().attempts if not line["reason"]][-1] == {SITE}
    assert stubs.contents() == undisturbed


def test_a_run_that_fails_leaves_a_report_of_what_and_why_and_its_own_error_and_exit_code_stay(
    tmp_path: Path,
) -> None:
    stubs = Stubs(tmp_path)
    fault = {"stage": "measure", "unit": SITE, "act": "crash"}
    code, printed = stubs.run(*WORDS, "--workers", "2", fault=fault, REAL_STAGES="report")
    page = stubs.layout.published("report", BATCH, BATCH) / f"{BATCH}_report.html"
    text = page.read_text()

    assert code == 30
    assert printed.index("1 of 4 sites failed") < printed.index(f"report: {page}")
    assert "Not all is well" in text
    assert f"measure / {PLATE}: failed" in text
    assert f'<th scope="row">{SITE}</th><td>quarantined</td><td class="long">program_error: ' in text
    assert stubs.is_sound()


def test_a_report_that_cannot_be_made_of_a_failed_run_is_warned_of_and_no_more(tmp_path: Path) -> None:
    stubs = Stubs(tmp_path)
    mine = stubs.layout.published("report", BATCH, BATCH) / f"{BATCH}_report.html"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    code, printed = stubs.run(fault={"stage": "measure", "unit": SITE, "act": "crash"})

    assert code == 30
    assert "1 of 4 sites failed" in printed
    assert f"the report of batch {BATCH} could not be made" in printed
    assert mine.read_text() == "mine"


def test_a_run_that_fails_before_anything_was_made_fails_with_its_own_words(tmp_path: Path) -> None:
    stubs = Stubs(tmp_path)
    code, printed = stubs.run("RunBatch", "--batch-id", BATCH, "--plates", '["NOPLATE"]')

    assert code not in (0, 30)
    assert "there is no plate 'NOPLATE'" in printed
    assert "report" not in printed


def test_a_run_may_go_on_without_the_unit_if_it_is_allowed_to(tmp_path: Path, undisturbed: dict[str, str]) -> None:
    stubs = Stubs(tmp_path, runtime={"max_failed_fraction": "0.25"})
    code, printed = stubs.run(fault={"stage": "measure", "unit": SITE, "act": "crash"})
    lacking = set(undisturbed) - set(stubs.contents())
    retried = stubs.toolkit.tasks("retry", "--dry-run", "--json")

    assert code == 0, printed
    assert [Path(name).name for name in lacking] == [f"{SITE}.txt"]
    assert stubs.is_sound()
    assert [each["stage"] for each in json.loads(retried.stdout)] == ["measure"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a file system to make read-only")
def test_a_disk_that_becomes_read_only_is_named_and_the_next_run_goes_on(
    small_disk: Path, undisturbed: dict[str, str]
) -> None:
    stubs = Stubs(small_disk)
    first, _ = stubs.run("Illumination", "--batch-id", BATCH, "--plate", PLATE)
    environment = {**stubs.toolkit.configure(), "STUB_FAULT": "{}"}
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    try:
        with pytest.raises(OSError, match="Read-only"):
            (small_disk / "fired").touch()
        command = [sys.executable, "-m", "tests.campaign.host", *WORDS]
        done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    sound = stubs.is_sound()
    code, printed = stubs.run()

    assert first == 0
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr
    assert "Traceback" not in done.stderr
    assert sound
    assert code == 0, printed
    assert stubs.contents() == undisturbed


@pytest.mark.parametrize("seconds", [-3e8, 3e8], ids=["back ten years", "on ten years"])
def test_a_clock_that_jumps_makes_nothing_stale_and_loses_nothing(
    seconds: float, tmp_path: Path, undisturbed: dict[str, str]
) -> None:
    stubs = Stubs(tmp_path)
    stubs.run(fault={"stage": "measure", "unit": SITE, "act": "crash"})
    before = stubs.told()
    code, printed = stubs.run(CLOCK_JUMP=str(seconds))
    after = stubs.told()
    numbers = [path.name.split("-")[0] for path in sorted(stubs.layout.ledger("measure", BATCH, PLATE).glob("*"))]
    status = stubs.toolkit.tasks("status", "--json", "--stage", "measure")

    assert (after.began < before.began) == (seconds < 0)  # the clock did jump
    assert abs(int(after.began[:4]) - int(before.began[:4])) in (9, 10)
    assert code == 0, printed
    assert "load_data/" not in printed
    assert numbers == ["000001", "000002"]
    assert json.loads(status.stdout)[0]["units"] == {"ok": 4}
    assert stubs.contents() == undisturbed
    assert "done in" not in stubs.run()[1]
