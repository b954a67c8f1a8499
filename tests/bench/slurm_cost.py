"""What the place slurm costs on the site in a box: submission, start, polls, and a controller that waits.

    python tests/bench/slurm_cost.py [--plates 50] [--minutes 2]

Programs are stubs; each command of Slurm is counted as it is called on the login node. First one plate, then many at
once, run to the end; then the many wait at a gate for some minutes, which shows what waiting costs.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tests.engines import report
from tests.hpc.site import Site
from tests.integration.node import USER_ID
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
            for plates in (1, args.plates):
                print(f"{plates} plates: {json.dumps(to_the_end(site, plates))}", flush=True)
            print(f"{args.plates} plates wait: {json.dumps(waiting(site, args.plates, args.minutes))}", flush=True)
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


def waiting(site: Site, plates: int, minutes: float) -> dict[str, object]:
    """Let all plates wait at a gate; return the calls and the CPU seconds a minute once all is submitted."""
    toolkit = lay(site, plates, "gate")
    gate = {"stage": "measure", "act": "wait", "gate": str(toolkit.folder / "gate")}
    process = site.start(toolkit, *words(plates), path=str(toolkit.folder / "bin"), **gate)
    arrays = toolkit.root / ".work/runs"
    assert wait_for(lambda: len(list(arrays.glob("*/*/measure/*/*/*/arrays/*/id"))) == plates, 900)
    time.sleep(30)
    log(toolkit).write_text("")
    before, began = cpu_seconds(site), time.monotonic()
    time.sleep(minutes * 60)
    seconds = time.monotonic() - began
    used = cpu_seconds(site) - before
    found = calls(toolkit, seconds)
    site.signal("INT")
    process.communicate(timeout=120)
    return {"minutes": round(seconds / 60, 1), "cpu_percent_of_a_core": round(100 * used / seconds, 2), **found}


def lay(site: Site, plates: int, name: str) -> Toolkit:
    """Lay so many plates of four wells, and let the commands of Slurm be counted."""
    folder = site.folder / f"{name}-{plates}"
    settings = {"measure": {"sites_per_shard": "1"}, "core": {"workers": str(plates)}}
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
    """Return what the toolkit's processes on the login node have used so far."""
    lines = site.on("login", "ps", "-u", str(USER_ID), "-o", "cputimes=,args=").splitlines()
    return sum(float(line.split()[0]) for line in lines if re.search("tests.campaign.host", line))


if __name__ == "__main__":
    sys.exit(main())
