"""Measure the real wells with both engines, in turn: CPU seconds a site by module, memory, and every value compared.

    python tests/bench/fast_cellprofiler.py [--images DIR] [--wells 4]

A well is measured by stock and then by fast before the next one, so that what else the machine does falls on both.
Then all are measured by fast in one process, as a shard is.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tasks.runtime import environments  # noqa: E402
from tests.bench.cellprofiler_cost import Cost, measure  # noqa: E402
from tests.stages.cellprofiler.plates import NUMBERS, REAL_IMAGES, Plate, real_sites, shaded_functions  # noqa: E402

ENGINES = ("stock", "fast")
RELATIVE, ABSOLUTE = 1e-6, 1e-9
SITES_A_PLATE = 3456


class Parity:
    """How the values of two engines agree, by family of features."""

    def __init__(self) -> None:
        self.values: dict[str, int] = defaultdict(int)
        self.equal: dict[str, int] = defaultdict(int)
        self.beyond: dict[str, int] = defaultdict(int)
        self.worst: dict[str, float] = defaultdict(float)

    def add(self, stock: Path, fast: Path) -> None:
        """Compare the tables of one well."""
        for path in sorted(stock.rglob("*.csv")):
            (header, own), (other_header, other) = (_table(place) for place in (path, fast / path.relative_to(stock)))
            if header != other_header or len(own) != len(other):
                sys.exit(f"{path.name}: the tables have other columns or rows")
            for number, name in enumerate(header):
                self._column(name.split("_")[0], [row[number] for row in own], [row[number] for row in other])

    def _column(self, family: str, own: list[str], other: list[str]) -> None:
        self.values[family] += len(own)
        self.equal[family] += sum(a == b for a, b in zip(own, other, strict=True))
        try:
            stock, fast = np.array(own, float), np.array(other, float)
        except ValueError:
            self.beyond[family] += sum(a != b for a, b in zip(own, other, strict=True))
            return
        self.beyond[family] += int((~np.isclose(fast, stock, rtol=RELATIVE, atol=ABSOLUTE, equal_nan=True)).sum())
        self.worst[family] = max([self.worst[family], *np.nan_to_num(np.abs(stock - fast))])

    def table(self) -> list[str]:
        """Return the lines of the report."""
        lines = [f"{'values':<24}{'compared':>12}{'same text':>12}{'beyond':>8}{'largest difference':>20}"]
        for family in sorted(self.values, key=lambda name: -self.values[name]):
            counts = f"{self.values[family]:12,}{self.equal[family]:12,}{self.beyond[family]:8}"
            lines.append(f"  {family:<22}{counts}{self.worst[family]:20.1e}")
        total = f"{sum(self.values.values()):12,}{sum(self.equal.values()):12,}{sum(self.beyond.values()):8}"
        return [*lines, f"  {'all':<22}{total}{max(self.worst.values()):20.1e}"]


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    with open(path, newline="", encoding="utf-8") as source:
        header, *rows = csv.reader(source)
    return header, rows


def costs(spent: dict[str, list[Cost]], wells: int) -> list[str]:
    """Return the lines of CPU seconds a site, by module, and what a plate takes."""
    modules = {name: sum(cost.modules()[name] for cost in spent["stock"]) for name in spent["stock"][0].modules()}
    lines = [f"  {'CPU seconds a site':<48}{'stock':>8}{'fast':>8}{'ratio':>8}"]
    for name in sorted(modules, key=lambda name: -modules[name]):
        lines.append(_line(name, *(sum(cost.modules()[name] for cost in spent[engine]) / wells for engine in ENGINES)))
    for name, seconds in (
        ("all modules", lambda cost: sum(cost.modules().values())),
        ("start-up, checks and export (a process a site)", Cost.startup),
    ):
        lines.append(_line(name, *(sum(map(seconds, spent[engine])) / wells for engine in ENGINES)))
    whole = [sum(cost.cpu_seconds for cost in spent[engine]) / wells for engine in ENGINES]
    lines.append(_line("everything", *whole))
    lines.append(_line(f"CPU hours of {SITES_A_PLATE} such sites", *(cost * SITES_A_PLATE / 3600 for cost in whole)))
    lines.append(_line("peak memory, MB", *(max(cost.peak_mb for cost in spent[engine]) for engine in ENGINES)))
    return lines


def of_shard(cost: Cost, wells: int) -> list[str]:
    """Return the lines of what the wells take in one process."""
    modules = sum(cost.modules().values())
    return [
        f"  fast, {wells} wells in one process: {cost.cpu_seconds / wells:.2f} CPU seconds a site, "
        f"{modules / wells:.2f} of them in modules; peak memory {cost.peak_mb:.0f} MB",
    ]


def _line(name: str, stock: float, fast: float) -> str:
    return f"  {name:<48}{stock:8.2f}{fast:8.2f}{stock / fast if fast else 1:8.1f}"


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--images", type=Path, default=REAL_IMAGES)
    flags.add_argument("--wells", type=int, default=4)
    args = flags.parse_args()
    environments.make("cellprofiler")
    python = environments.python("cellprofiler")
    spent: dict[str, list[Cost]] = {engine: [] for engine in ENGINES}
    parity = Parity()
    with tempfile.TemporaryDirectory(prefix="fast-cellprofiler-") as scratch:
        folder = Path(scratch)
        plate = Plate(folder, tuple(NUMBERS), real_sites(args.images)[: args.wells], at=args.images.resolve())
        shaded_functions(plate, 1080)
        plate.write_tables()
        wells = len(plate.sites)
        for well in range(1, wells + 1):
            for engine in ENGINES:
                place = folder / f"{engine}{well}"
                spent[engine].append(measure(python, plate, place, f"{well}/{wells}", engine))
            parity.add(folder / f"stock{well}/files", folder / f"fast{well}/files")
        shard = measure(python, plate, folder / "shard", "1/1", "fast")
    print("\n".join([*costs(spent, wells), *of_shard(shard, wells), *parity.table()]))
    sys.exit(1 if sum(parity.beyond.values()) else 0)


if __name__ == "__main__":
    main()
