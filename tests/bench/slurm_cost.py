"""What the place slurm costs on the site in a box: submission, start, polls, and a controller that waits.

    python tests/bench/slurm_cost.py [--plates 50] [--minutes 2]

Programs are stubs; each command of Slurm is counted as it is called on the login node. One plate runs to the end. Then
many at once run until the arrays that measure them are all submitted, which are held in the queue for some minutes:
that shows what a controller costs that waits.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tests.engines import report
from tests.hpc.site import Site
from tests.integration.toolkit import Toolkit, wait_for

COMMANDS = ("sbatch", "squeue", "scancel", "sacct", "scontrol")
COUNTED = """#!/bin/sh
echo "$(date +%s.%N) {name}" >>{log}
exec /usr/bin/{name} "$@"
"""


def main() -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--plates", type=int, default=50)
    flags.add_argument("--minutes", type=float, default=2.0)
    args = flags.parse_args()
    reason = report.absent("site")
    if reason:
        print(f"no site: {reason}")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        site = Site(Path(folder) / "shared")
        site.up()
        try:
            print(f"1 plate, all stages: {json.dumps(to_the_end(site, 1))}", flush=True)
            for what, found in waiting(site, args.plates, args.minutes):
                print(f"{args.plates} plates {what}: {json.dumps(found)}", flush=True)
        finally:
            site.down()
    return 0


def to_the_end(site: Site, plates: int) -> dict[str, object]:
    """Measure plates to the end; return what was called, and how long an element waited for its start."""
    toolkit = lay(site, plates, "end")
    began = time.monotonic()
    code, printed = site.run(toolkit, *words(plates), path=str(toolkit.folder / "bin"))
    seconds = time.monotonic() - began
    assert code == 0, printed[-3000:]
    return {"seconds": round(seconds, 1), **calls(toolkit, seconds), "submit_to_start_s": starts(toolkit)}


def waiting(site: Site, plates: int, minutes: float) -> Iterator[tuple[str, dict[str, object]]]:
    """Let all plates wait; yield the calls until all is submitted, then those of some minutes of waiting."""
    toolkit = lay(site, plates, "held", slurm_extra="--hold")
    began = time.monotonic()
    process = site.start(toolkit, *words(plates), path=str(toolkit.folder / "bin"))
    arrays = toolkit.root / ".work/runs"
    assert wait_for(lambda: len(list(arrays.glob("*/*/measure/*/*/*/arrays/*/id"))) == plates, 900)
    seconds = time.monotonic() - began
    told = {"seconds": round(seconds, 1), "cpu_seconds": cpu_seconds(site), **calls(toolkit, seconds)}
    yield "until measured", {**told, "submit_to_start_s": starts(toolkit)}
    time.sleep(30)
    log(toolkit).write_text("")
    before, began = cpu_seconds(site), time.monotonic()
    time.sleep(minutes * 60)
    seconds = time.monotonic() - began
    used = cpu_seconds(site) - before
    yield "wait", {"cpu_percent_of_a_core": round(100 * used / seconds, 2), **calls(toolkit, seconds)}
    site.signal("INT")
    process.communicate(timeout=120)


def lay(site: Site, plates: int, name: str, **measure: str) -> Toolkit:
    """Lay so many plates of four wells, and let the commands of Slurm be counted."""
    folder = site.folder / f"{name}-{plates}"
    settings = {"measure": {"sites_per_shard": "1", **measure}, "core": {"workers": str(plates)}}
    toolkit = Toolkit(folder, "process", settings, place="slurm")
    toolkit.draw(PLATES[0], ",".join(FOUR_WELLS))
    table = toolkit.dataset / "workspace/metadata/platemaps" / BATCH / "barcode_platemap.csv"
    (row,) = list(csv.DictReader(table.read_text().splitlines()))[:1]
    table.write_text(",".join(row) + "\n" + "".join(f"{plate},{row['Plate_Map_Name']}\n" for plate in names(plates)))
    images = toolkit.images(BATCH, PLATES[0]).parent
    for plate in names(plates)[1:]:
        (images.parent / images.name.replace(PLATES[0], plate)).symlink_to(images.name)
    (folder / "bin").mkdir()
    for command in COMMANDS:
        (folder / "bin" / command).write_text(COUNTED.format(name=command, log=log(toolkit)))
        (folder / "bin" / command).chmod(0o755)
    log(toolkit).touch()
    site.node().own(folder)
    return toolkit


def words(plates: int) -> list[str]:
    return ["RunBatch", "--batch-id", BATCH, "--plates", json.dumps(names(plates)), "--report", "false"]


def names(plates: int) -> list[str]:
    return [PLATES[0], *(f"BENCH{number:05d}" for number in range(1, plates))]


def log(toolkit: Toolkit) -> Path:
    return toolkit.folder / "calls"


def calls(toolkit: Toolkit, seconds: float) -> dict[str, object]:
    counted = Counter(line.split()[1] for line in log(toolkit).read_text().splitlines())
    return {"calls": dict(counted), "calls_a_minute": round(60 * sum(counted.values()) / seconds, 2)}


def starts(toolkit: Toolkit) -> dict[str, float]:
    """Return the seconds from an array's submission to its first element's start: the median and the most."""
    waited = []
    for path in toolkit.root.glob(".work/runs/*/*/load_data/*/*/*/arrays/*"):
        written = json.loads((path / "array.json").read_text())["written"]
        (end,) = (path / "ended").iterdir()
        waited.append(end.stat().st_mtime - json.loads(end.read_text())["seconds"] - written)
    waited.sort()
    return {"median": round(waited[len(waited) // 2], 1), "most": round(waited[-1], 1)}


def cpu_seconds(site: Site) -> float:
    """Return what the toolkit's processes on the login node, and the commands that they called, have used so far."""
    show = "for process in $(pgrep -f tests.campaign.host); do cat /proc/$process/stat; done 2>/dev/null; true"
    fields = [line.rpartition(")")[2].split() for line in site.on("login", "sh", "-c", show).splitlines()]
    return round(sum(int(ticks) for each in fields for ticks in each[11:15]) / os.sysconf("SC_CLK_TCK"), 2)


if __name__ == "__main__":
    sys.exit(main())
