"""Write where every nucleus of a plate lies: a csv a site, as DeepProfiler reads them.

Coordinates are pixels from the image's top left corner, as CellProfiler's Location_Center of Nuclei. A site without
cells has a file with nothing but the header.
"""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Tuple, Union

import backend
import sites
import well_tables
from stagekit import program, quarantine

CENTRE = ("Location_Center_X", "Location_Center_Y")
OTHER = ("AreaShape_Center_X", "AreaShape_Center_Y")  # the same point, where a pipeline exports no Location_
NAMES = tuple(f"Nuclei_{name}" for name in CENTRE)

Centres = List[Tuple[str, str]]
Located = Tuple[str, Union[Centres, str]]
"""A site's name, and where its nuclei are, or why nobody knows."""


def main() -> None:
    """Read the flags, locate, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--source", required=True, choices=sorted(READERS), help="which of the next two to read")
    flags.add_argument("--analysis", required=True, type=Path, nargs="*", help="the folder of site folders")
    flags.add_argument("--backend", required=True, type=Path, nargs="*", help="the plate's sqlite of single cells")
    quarantine.add_flag(flags)
    flags.add_argument("--write_locations", required=True, type=Path)
    args = flags.parse_args()
    paths = getattr(args, args.source)
    if len(paths) != 1:
        flags.error(f"--source {args.source} needs one --{args.source}")
    with program.Report(args.output) as report:
        counts, bad = _write(READERS[args.source](paths[0], args.plate), args.write_locations)
        quarantine.settle(report, args.plate, list(counts), bad, args.max_failed_fraction)
        empty = [name for name, count in counts.items() if not count and name not in bad]
        report.fact("sites", len(counts) - len(bad))
        report.fact("cells", sum(counts.values()))
        report.fact("sites_without_cells", len(empty))
        if empty:
            report.warn(f"{len(empty)} sites have no cells: {', '.join(empty[:10])}")


def _write(located: Iterator[Located], folder: Path) -> Tuple[Dict[str, int], Dict[str, str]]:
    """Write a file for every good site; return the number of cells of all, and why the others cannot be used."""
    folder.mkdir(parents=True, exist_ok=True)
    counts: Dict[str, int] = {}
    bad: Dict[str, str] = {}
    for site, centres in located:
        if site in counts:
            raise program.DataError(f"the site {site} is there twice, so its cells cannot be told apart")
        counts[site] = 0 if isinstance(centres, str) else len(centres)
        if isinstance(centres, str):
            bad[site] = centres
            continue
        with open(folder / f"{site}-Nuclei.csv", "w", encoding="utf-8", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows([NAMES, *centres])
    return counts, bad


def of_analysis(analysis: Path, plate: str) -> Iterator[Located]:
    """Yield the nuclei of every site that was measured, by their numbers, or what is wrong with it."""
    if well_tables.lie_in(analysis):
        yield from _of_tables(analysis, plate)
        return
    for site in sites.find(analysis, plate):
        try:
            centres: Union[Centres, str] = _centres(site)
        except program.DataError as error:
            centres = str(error)
        yield f"{site.well}-{site.number}", centres


def _centres(site: sites.Site) -> Centres:
    """Return the centres of a site's nuclei, as its csv writes them; there must be as many as its image counted."""
    expected = sites.image(site, list(sites.header(site, "Image").names)).counts.get("Nuclei")
    names = sites.header(site, "Nuclei").names
    found = next((pair for pair in (CENTRE, OTHER) if {*pair} <= {*names}), None)
    if not found:
        message = f"Nuclei.csv has neither {CENTRE[0]} nor {OTHER[0]}: let the pipeline measure AreaShape"
        raise program.DataError(message)
    with open(site.folder / "Nuclei.csv", encoding="utf-8", newline="") as lines:
        centres = [(row[found[0]], row[found[1]]) for row in csv.DictReader(lines)]
    if expected not in (None, len(centres)) or any(None in pair or "" in pair for pair in centres):
        raise program.DataError(f"Nuclei.csv has {len(centres)} rows, some cut off, or Image.csv counted {expected}")
    return centres


def _of_tables(analysis: Path, plate: str) -> Iterator[Located]:
    """Yield the nuclei of every site of the Parquet files."""
    for well, found in well_tables.parts(analysis, plate).items():
        centres: Dict[str, Centres] = {
            f"{well}-{int(name.rpartition('-')[2])}": [] for part in found for name in part.sites
        }
        for part in found:
            for site, *centre in well_tables.nuclei(part, (CENTRE, OTHER)):
                centres[f"{well}-{site}"].append((repr(centre[0]), repr(centre[1])))
        yield from sorted(centres.items(), key=lambda each: int(each[0].rpartition("-")[2]))


def of_backend(path: Path, plate: str) -> Iterator[Located]:
    """Yield the nuclei of every image of a sqlite, ours or cytominer-database's, by their numbers."""
    try:
        database = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
        x, y = _columns(database, path)
        prefix = backend.image_prefix(database)
        backend.check_plate(database, plate, prefix)
        key = "TableNumber, ImageNumber"
        images = database.execute(f"SELECT {key}, {prefix}Metadata_Well, {prefix}Metadata_Site FROM Image").fetchall()
        if len({image[:2] for image in images}) < len(images):
            raise program.DataError(f"{path.name}: a (TableNumber, ImageNumber) stands there twice; collate it again")
        found: Dict[Tuple[int, int], Centres] = {}
        for table, number, *centre in database.execute(f'SELECT {key}, "{x}", "{y}" FROM Nuclei ORDER BY rowid'):
            found.setdefault((table, number), []).append((_number(centre[0], path), _number(centre[1], path)))
    except sqlite3.DatabaseError as error:
        raise program.DataError(f"{path.name}: not a backend of single cells: {error}") from error
    strange = sorted(set(found) - {image[:2] for image in images})
    if strange:
        message = f"{path.name}: Nuclei has cells of (TableNumber, ImageNumber) {strange[0]}, which Image lacks"
        raise program.DataError(f"{message}; collate the plate again")
    for table, number, well, site in sorted(images, key=lambda image: (image[2], int(image[3]))):
        yield f"{well}-{int(site)}", found.get((table, number), [])


def _number(value: object, path: Path) -> str:
    """Return a coordinate as exact text: backends in the wild hold it as a number or as a text."""
    try:
        return repr(float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        message = f"{path.name}: a nucleus has the centre {value!r}, which is no number; collate the plate again"
        raise program.DataError(message) from error


def _columns(database: sqlite3.Connection, path: Path) -> Tuple[str, str]:
    names = {row[1] for row in database.execute('PRAGMA table_info("Nuclei")')}
    for pair in (CENTRE, OTHER):
        own = (f"Nuclei_{pair[0]}", f"Nuclei_{pair[1]}")
        if {*own} <= names:
            return own
    raise program.DataError(f"{path.name}: its table Nuclei has neither {NAMES[0]} nor Nuclei_{OTHER[0]}")


READERS: Dict[str, Callable[[Path, str], Iterator[Located]]] = {"analysis": of_analysis, "backend": of_backend}


if __name__ == "__main__":
    program.run(main)
