"""Turn CellProfiler's csv files into one folder a site, free of what depends on the run.

Execution times, absolute paths and the shard's own numbering go; ImageNumber becomes the site's place in
the whole plate's sorted table. So any number of shards gives the same bytes.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import load_data
from stagekit import contracts, program

OBJECTS = contracts.COMPARTMENTS
RUN_COLUMNS = ("ExecutionTime_", "PathName_", "URL_", "Group_")
RUN_FACTS = ("Run_Timestamp", "Modification_Timestamp", "Exit_Status")

Lines = list[list[str]]


class Site(NamedTuple):
    """A site of the shard: its row in load_data, and its number in the whole plate."""

    row: load_data.Row
    number: int


def publish(produced: Path, plate: str, sites: Sequence[Site], target: Path) -> dict[str, int]:
    """Write `<plate>-<well>-<site>/` below `target` for every site; return the number of cells of each."""
    found: dict[str, int] = {}
    whole = experiment(produced)
    for image_csv in sorted(produced.glob("**/Image.csv")):
        header, rows = read(image_csv)
        tables = {name: by_image(image_csv.with_name(f"{name}.csv")) for name in OBJECTS}
        for cells in rows:
            image = dict(zip(header, cells))
            site = site_of(image, sites, image_csv)
            folder = target / f"{plate}-{load_data.site_name(site.row)}"
            if folder.exists():
                raise program.DataError(f"site {load_data.site_name(site.row)} came out twice")
            folder.mkdir(parents=True)
            counts = {name: _write_objects(folder, name, tables[name], image, site) for name in tables}
            write(folder / "Image.csv", *image_table(header, cells, site))
            write(folder / "Experiment.csv", *whole)
            found[load_data.site_name(site.row)] = counts["Cells"]
    check_all(sites, found)
    return found


def check_all(sites: Sequence[Site], found: Container[str]) -> None:
    """Raise DataError if a site is not among those that were found."""
    missing = [name for name in (load_data.site_name(site.row) for site in sites) if name not in found]
    if missing:
        raise program.DataError(f"CellProfiler reported success but wrote nothing for: {', '.join(missing)}")


def move_outlines(produced: Path, plate: str, sites: Sequence[Site], target: Path) -> list[str]:
    """Move each site's `<Well>_s<Site>--*.png` into its folder; return the pictures that belong to no site."""
    return _move(produced, ".png", "outlines", plate, sites, target)


def move_labels(produced: Path, plate: str, sites: Sequence[Site], target: Path) -> list[str]:
    """Move each site's label images, `<Well>_s<Site>--*.tiff`, likewise."""
    return _move(produced, ".tiff", "labels", plate, sites, target)


def _move(produced: Path, kind: str, place: str, plate: str, sites: Sequence[Site], target: Path) -> list[str]:
    pictures = {path.name: path for path in sorted(produced.glob(f"**/*{kind}"))}
    for site in sites:
        folder = target / f"{plate}-{load_data.site_name(site.row)}" / place
        well, number = site.row["Metadata_Well"], site.row["Metadata_Site"]
        # LoadData reads "01" as the number 1.
        prefixes = (f"{well}_s{number}--", f"{well}_s{number.lstrip('0')}--")
        for name in [name for name in pictures if name.startswith(prefixes)]:
            folder.mkdir(parents=True, exist_ok=True)
            own = name.split("--", 1)[1]
            shutil.move(str(pictures.pop(name)), str(folder / f"{well}_s{number}--{own}"))
    return sorted(pictures)


def read(path: Path) -> tuple[list[str], Lines]:
    """Return the header and the rows of a csv, which must be there and all as long."""
    if not path.is_file():
        message = f"CellProfiler reported success but wrote no {path.name} in {path.parent.name}; does the pipeline "
        raise program.DataError(message + "measure Cells, Cytoplasm and Nuclei and export all of them?")
    with open(path, encoding="utf-8", newline="") as source:
        lines = list(csv.reader(source))
    if not lines or any(len(line) != len(lines[0]) for line in lines):
        raise program.DataError(f"{path.parent.name}/{path.name}: its lines are not equally long")
    return lines[0], lines[1:]


def by_image(path: Path) -> tuple[list[str], Mapping[str, Lines]]:
    """Return the header of a csv of objects, and its rows by ImageNumber."""
    header, rows = read(path)
    if header[0] != "ImageNumber":
        raise program.DataError(f"{path.name}: its first column is {header[0]}, not ImageNumber")
    groups: dict[str, Lines] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row)
    return header, groups


def site_of(image: Mapping[str, str], sites: Sequence[Site], path: Path) -> Site:
    """Return the site that a row of Image.csv is of."""
    # By file name, not by Metadata_: LoadData reads "01" as the number 1.
    names = {column: cell for column, cell in image.items() if column.startswith(load_data.ORIGINAL)}
    for site in sites:
        if names and all(site.row.get(column) == cell for column, cell in names.items()):
            return site
    raise program.DataError(f"{path.parent.name}/Image.csv: its images {list(names.values())[:2]} are of no site")


def _write_objects(
    folder: Path, name: str, table: tuple[list[str], Mapping[str, Lines]], image: Mapping[str, str], site: Site
) -> int:
    header, groups = table
    rows = groups.get(image["ImageNumber"], [])
    check_count(name, len(rows), image, site)
    write(folder / f"{name}.csv", header, [[str(site.number), *row[1:]] for row in rows])
    return len(rows)


def check_count(name: str, objects: int, image: Mapping[str, str], site: Site) -> None:
    """Raise DataError if a site's image counts another number of these objects than there are."""
    counted = int(float(image.get(f"Count_{name}", "nan").replace("nan", "-1")))
    if counted != objects:
        place = load_data.site_name(site.row)
        message = f"site {place}: Image.csv counts {counted} {name}, but {name}.csv has {objects} rows"
        raise program.DataError(message)


def image_table(header: list[str], cells: list[str], site: Site) -> tuple[list[str], Lines]:
    """Return the header and the one row of a site's Image.csv as they are published."""
    own = {**site.row, "ImageNumber": str(site.number)}
    kept = [
        (column, own[column] if column == "ImageNumber" or column.startswith("Metadata_") and column in own else cell)
        for column, cell in zip(header, cells)
        if not column.startswith(RUN_COLUMNS)
    ]
    return [column for column, _ in kept], [[cell for _, cell in kept]]


def experiment(produced: Path) -> tuple[list[str], Lines]:
    """Return the header and the rows of Experiment.csv, without what is of this run."""
    # One file for all sites; CellProfiler puts it where the folder's name without any metadata leads.
    written = sorted(produced.glob("**/Experiment.csv"))
    header, rows = read(written[0] if written else produced / "Experiment.csv")
    return header, [row for row in rows if row[0] not in RUN_FACTS]


def write(path: Path, header: list[str], rows: Lines) -> None:
    """Write a csv."""
    with open(path, "w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([header, *rows])
