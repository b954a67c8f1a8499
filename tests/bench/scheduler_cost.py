"""What the host's side costs: beside the jobs of a real run, and before the first job of a batch that is resumed.

    python tests/bench/scheduler_cost.py run [--plates DEMO000001,DEMO000002] [--wells A01,...]
    python tests/bench/scheduler_cost.py resume [--plates 51]

`run` makes the demo batch by the process engine. Two measures, for neither says all: processor seconds of the process
that schedules (with the imports, hashes, checks and publishing) against those of the programs; and the time in which no
job was at work, which counts waiting too. `resume` is a batch of stubs of which every other plate is complete.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from data.demo.plan import BATCH, PLATES, wells  # noqa: E402
from tests.integration.toolkit import Toolkit  # noqa: E402

if TYPE_CHECKING:
    from tasks.dataset.layout import Layout

# Runs luigi as its command does, and says at the end what the process and its children took.
MEASURED = """
import atexit, json, resource, sys
from luigi.cmdline import luigi_run
def tell():
    own, programs = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds = {"host": own.ru_utime + own.ru_stime, "programs": programs.ru_utime + programs.ru_stime}
    open(sys.argv[1], "w").write(json.dumps(seconds))
atexit.register(tell)
luigi_run(["--module", "tasks", *sys.argv[2:]])
"""
CONFIG = "[paths]\nroot = root\n[core]\nlocal_scheduler = true\nno_lock = true\n[runtime]\nengine = process\n"
FIRST_JOB_SECONDS = 120.0


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = flags.add_subparsers(dest="verb")
    run = verbs.add_parser("run")
    run.add_argument("--plates", default=",".join(PLATES))
    run.add_argument("--wells", default=",".join(wells()))
    resume = verbs.add_parser("resume")
    resume.add_argument("--plates", type=int, default=51)
    args = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LUIGI_CONFIG_PATH"] = str(Path(folder) / "luigi.cfg")  # before `tasks` is imported, which reads it
        (Path(folder) / "luigi.cfg").write_text(CONFIG)
        if args.verb in ("run", None):
            real_run(Path(folder) / "run", getattr(args, "plates", ",".join(PLATES)), getattr(args, "wells", ""))
        if args.verb in ("resume", None):
            resumed(Path(folder), args.plates if args.verb else 51)


def real_run(folder: Path, plates: str, only_wells: str) -> None:
    toolkit = Toolkit(folder, "process", audited=True)
    toolkit.draw(plates, only_wells or ",".join(wells()))
    told = folder / "seconds.json"
    words = ["RunBatch", "--batch-id", BATCH, "--plates", json.dumps(plates.split(","))]
    began, started = datetime.datetime.now(datetime.UTC).timestamp(), time.monotonic()
    done = toolkit.command(sys.executable, "-c", MEASURED, str(told), *words)
    wall = time.monotonic() - started
    from tasks.dataset.layout import Layout

    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    cpu = json.loads(told.read_text())
    spans = jobs(Layout(toolkit.root, "cpg0000-jump-pilot", "source_4"))
    idle = wall - covered(spans, began, began + wall)
    print(f"{len(plates.split(','))} plates, {len(spans)} jobs, {wall:.0f} s")
    print(f"processor: host {cpu['host']:.1f} s, programs {cpu['programs']:.1f} s: {cpu['host'] / cpu['programs']:.2%}")
    print(f"no job at work: {idle:.1f} s: {idle / wall:.2%} of the time")


def jobs(layout: Layout) -> list[tuple[float, float]]:
    """Return when each job began and ended, by the ledgers."""
    from tasks.results import ledger

    spans = []
    for folder in layout.ledgers.glob("*/*/*"):
        told = ledger.history(folder)
        for line in told.attempts if told else ():
            end = datetime.datetime.fromisoformat(line["at"]).timestamp()
            spans.append((end - line["seconds"], end))
    return spans


def covered(spans: list[tuple[float, float]], began: float, ended: float) -> float:
    """Return how many seconds of a time some span covers."""
    seconds, reached = 0.0, began
    for first, last in sorted(spans):
        seconds += max(0.0, min(last, ended) - max(first, reached))
        reached = max(reached, last)
    return seconds


def resumed(folder: Path, count: int) -> None:
    """Make every other plate of a batch by stubs, start the whole batch, and wait for its first job."""
    from tasks.settings import settings
    from tests.bench.recheck_cost import make

    plates = [f"P{number:03d}" for number in range(count)]
    make(plates, 8)
    layout = settings.load().layout
    for path in layout.manifests.glob("*/*/*.json"):
        if path.stem not in plates[::2]:
            path.unlink()
    known = set(layout.runs.rglob("stderr.log"))
    words = [sys.executable, "-m", "tests.campaign.host", "RunBatch", "--batch-id", batch()]
    started = time.time()
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(words, cwd=REPOSITORY, stdout=log, stderr=log, start_new_session=True)
        first = wait_for_job(layout, known, process)
        spent = processor_seconds(process.pid) if first else 0.0
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if first is None:
        raise SystemExit((folder / "log").read_text())
    told = f"the first job begins after {first - started:.2f} s ({spent:.2f} CPU)"
    print(f"{count} plates, every other one complete: {told}")


def batch() -> str:
    from tests.unit.fakes import BATCH as OF_STUBS

    return OF_STUBS


def processor_seconds(pid: int) -> float:
    """Return what a process has taken of the processor so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_for_job(layout: Layout, known: set[Path], process: subprocess.Popen[bytes]) -> float | None:
    """Return when the first job since then began: its log is opened."""
    deadline = time.monotonic() + FIRST_JOB_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        fresh = set(layout.runs.rglob("stderr.log")) - known
        if fresh:
            return min(path.stat().st_mtime for path in fresh)
        time.sleep(0.1)
    return None


if __name__ == "__main__":
    main()
