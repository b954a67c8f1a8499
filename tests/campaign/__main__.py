"""Kill a run at random moments, and say what was lost, half published or different: each must be zero.

    python -m tests.campaign --kills 180 --seed 1              # every stage a stub, from images to joint profiles
    python -m tests.campaign --kills 20 --seed 1 --real        # inside real CellProfiler, measuring four wells

A kill is a SIGKILL or SIGTERM of the host's process, or of a stage's program, at a random moment of the run. After
each, nothing may be left running, every manifest must hold, every published file must be claimed, and nothing that was
finished may be lost. When a run gets to its end, its bytes are compared with those of an undisturbed one, and it starts
anew. The exit code is 0 only if all held.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tasks.dataset.layout import Layout
from tests.campaign import invariants
from tests.integration.toolkit import REPOSITORY, Toolkit, left_running, wait_for

PLATE = PLATES[0]
STUBS = ("RunBatch", "--batch-id", BATCH, "--plates", f'["{PLATE}"]')
REAL = ("Measure", "--batch-id", BATCH, "--plate", PLATE)
REAL_STAGES = "load_data,illumination,measure"
QUIET_SECONDS = 30
TARGETS = (("host", signal.SIGKILL), ("host", signal.SIGKILL), ("host", signal.SIGTERM), ("program", signal.SIGKILL))


@dataclass
class Campaign:
    """A data root that is run, killed, looked at and run again; `faults` is what should stay empty."""

    root: Path
    seed: int
    real: bool
    kills: Counter[str] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    """In which stage a kill fell."""
    ends: int = 0
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.toolkit = Toolkit(self.root, "process", {"retries": {"backoff_seconds": "0.1"}})
        self.toolkit.draw(PLATE, ",".join(FOUR_WELLS))
        self.layout = Layout(self.toolkit.root, "cpg0000-jump-pilot", "source_4")
        self.laid = frozenset(invariants.published(self.layout))
        if self.real:  # only the measurement is killed
            self._whole("Illumination", *REAL[1:])
        shutil.copytree(self.layout.root, self.root / "before")
        started = time.monotonic()
        self._whole()
        self.seconds = time.monotonic() - started
        self.undisturbed = invariants.contents(self.layout)
        self._begin_anew()

    def _whole(self, *words: str) -> None:
        """Run to the end without a kill."""
        run = self._start(*words)
        printed, _ = run.communicate()
        if run.returncode:
            raise SystemExit(f"the undisturbed run failed:\n{printed}")

    def _begin_anew(self) -> None:
        shutil.rmtree(self.layout.root)
        shutil.copytree(self.root / "before", self.layout.root)

    def _start(self, *words: str) -> subprocess.Popen[str]:
        environment = {**self.toolkit.configure(), "REAL_STAGES": REAL_STAGES if self.real else ""}
        asked = words or (REAL if self.real else STUBS)
        return subprocess.Popen(
            [sys.executable, "-m", "tests.campaign.host", *asked],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def round(self) -> None:
        """Start a run, kill something of it, and look at what is left."""
        before = invariants.finished_work(self.layout)
        run = self._start()
        target, number = self.random.choice(TARGETS)
        fired = self._kill(run, target, number)
        printed, _ = run.communicate(timeout=600)
        if fired:
            self.kills[f"{target} {signal.Signals(number).name}"] += 1
            self.moments[fired] += 1
        self._look(before, f"kill {sum(self.kills.values())} ({target} {number} in {fired or 'nothing'})")
        if run.returncode == 0:
            self._compare()
        elif not fired or target == "program" and "after program_error" not in printed:
            self.faults.append(f"a run failed by itself: {printed[-800:]}")

    def _kill(self, run: subprocess.Popen[str], target: str, number: int) -> str:
        """Kill at a random moment; return the stage that it fell into, empty if the run was faster."""
        if self.real:
            if not wait_for(lambda: run.poll() is not None or self._programs(), QUIET_SECONDS):
                return ""
            time.sleep(self.random.uniform(0, 14))
        else:
            time.sleep(self.random.uniform(0.5, self.seconds))
        while run.poll() is None:
            programs = self._programs()
            victim = run.pid if target == "host" else next(iter(programs), 0)
            if victim and (programs or not self.real):
                stage = next(iter(programs.values()), "between stages")
                try:
                    os.kill(victim, number)
                except ProcessLookupError:
                    continue
                return stage
            time.sleep(0.02)
        return ""

    def _programs(self) -> dict[int, str]:
        """Return the programs of stages that run: process -> stage; of the real run only CellProfiler itself."""
        found = {}
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            wanted = "--data-file" if self.real else "--output"
            place = next((words[at + 1] for at, word in enumerate(words[:-1]) if word == wanted), "")
            if place.startswith(f"{self.layout.work}/runs/"):
                found[int(path.parent.name)] = Path(place).relative_to(self.layout.work / "runs").parts[2]
        return found

    def _look(self, before: dict[str, str], when: str) -> None:
        if not wait_for(lambda: not left_running(self.layout.root), QUIET_SECONDS):
            self.faults.append(f"{when}: left running: {left_running(self.layout.root)}")
        self.faults += [f"{when}: half published: {said}" for said in invariants.broken(self.layout, self.laid)]
        gone = invariants.lost(before, invariants.finished_work(self.layout))
        self.faults += [f"{when}: lost: {name}" for name in gone]
        self.faults += [f"{when}: ledger: {line}" for line in invariants.unreadable_ledgers(self.layout)]

    def _compare(self) -> None:
        """Compare the bytes of a run that got to its end with those of the undisturbed one, and begin anew."""
        now = invariants.contents(self.layout)
        wrong = {name for name in {*now, *self.undisturbed} if now.get(name) != self.undisturbed.get(name)}
        self.faults += [f"wrong bytes: {name}" for name in sorted(wrong)]
        self.ends += 1
        self._begin_anew()

    def report(self) -> dict[str, object]:
        kinds = ("lost", "half published", "wrong bytes", "left running", "ledger", "failed by itself")
        return {
            "seed": self.seed,
            "real": self.real,
            "kills": sum(self.kills.values()),
            "by_target": dict(self.kills),
            "by_stage": dict(self.moments),
            "runs_to_the_end": self.ends,
            "files_compared": len(self.undisturbed),
            **{kind.replace(" ", "_"): sum(kind in fault for fault in self.faults) for kind in kinds},
            "faults": self.faults,
        }


def run(root: Path, kills: int, seed: int, real: bool) -> dict[str, object]:
    """Carry out a campaign of so many kills, and a last run to the end; return what it found."""
    campaign = Campaign(root, seed, real)
    while sum(campaign.kills.values()) < kills and len(campaign.faults) < 20:
        campaign.round()
    before = invariants.finished_work(campaign.layout)
    last = campaign._start()
    last.communicate()
    campaign._look(before, "the last run")
    campaign._compare()
    return campaign.report()


def main() -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--kills", type=int, default=20)
    flags.add_argument("--seed", type=int, default=1)
    flags.add_argument("--real", action="store_true", help="inside real CellProfiler")
    args = flags.parse_args()
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        found = run(Path(folder), args.kills, args.seed, args.real)
    print(json.dumps(found, indent=1))
    return 1 if found["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
