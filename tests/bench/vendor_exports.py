"""What add-plate makes of every real export that is here: PYTHONPATH=containers python -m tests.bench.vendor_exports.

A row a folder: the instrument, what is there, what keeps it from being measured or what has to be set, and seconds.
With --measure [PART OF A NAME] those that have images are measured to well averages (tests/bench/vendor_profiles.py).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tasks.commands.open_settings import of_images
from tasks.commands.plate_listing import announced
from tasks.errors import StageError
from tasks.instruments import export, plate, readers
from tasks.instruments.plate import FoundPlate
from tests import real_files
from tests.bench import vendor_profiles

KNOWN = ", ".join(reader.title for reader in readers.READERS.values())
"""What an error lists of the instruments; a row a folder need not repeat it."""


def folders(vendors: Path) -> Iterator[Path]:
    """Yield the folders of one export each: a scheme's folder, or those in it where it holds several."""
    for scheme in sorted(path for path in vendors.iterdir() if path.is_dir()):
        inside = sorted(path for path in scheme.iterdir() if path.is_dir())
        several = len(inside) > 1 and not any(path.is_file() for path in scheme.iterdir())
        yield from inside if several else [scheme]


def main() -> None:
    vendors = real_files.vendors()
    if sys.argv[1:2] == ["--measure"]:
        for row in vendor_profiles.table(vendors, *sys.argv[2:3]):
            print(row, flush=True)
        return
    print("| folder | recognised as | what is there | before it is measured | s |\n|---|---|---|---|---|")
    for folder in folders(vendors):
        started = time.monotonic()
        try:
            seen = export.look(folder)
            found = plate.plates(seen)
            cells = [(seen.reader.title, _here(each), _needed(each)) for each in found] or [(seen.reader.title, "", "")]
        except StageError as error:
            said = str(error).replace(f"{folder}: ", "").replace(KNOWN, "...").splitlines()[0]
            cells = [("refused", "", said)]
        seconds = time.monotonic() - started
        for title, here, needed in cells:
            print(f"| `{folder.relative_to(vendors)}` | {title} | {here} | {needed} | {seconds:.2f} |")


def _here(each: FoundPlate) -> str:
    if not each.planes:
        told = announced(each.told)
        counts = {"wells": told.wells, "sites": told.sites, "channels": len(told.channels), "planes": told.planes}
        return "announced: " + ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    parts = " (import_images)" if any(plane.at for plane in each.planes) else ""
    sites, z, times = (len(each.numbers(of)) for of in ("site", "z", "time"))
    counted = f"{len(each.wells)} wells, {sites} sites, {len(each.channels)} channels, {z} planes, {times} times"
    return counted + parts


def _needed(each: FoundPlate) -> str:
    if not each.planes:
        return "no image of it is here"
    faults = [*each.faults, *each.unmeasurable(each.channels, "")]
    wanted = [f"[images] {name} = {value}" for name, value in of_images(each).items()]
    return "; ".join(faults or wanted or ["nothing: add-plate --yes"])


if __name__ == "__main__":
    main()
