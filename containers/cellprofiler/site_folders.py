"""Turn CellProfiler's csv files into one folder a site, free of what depends on the run.

Execution times, absolute paths and the shard's own numbering go; ImageNumber becomes the site's place in
the whole plate's sorted table. So any number of shards gives the same bytes.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
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
    experiment = _experiment(produced)
    for image_csv in sorted(produced.glob("**/Image.csv")):
        header, rows = _read(image_csv)
        tables = {name: _by_image(image_csv.with_name(f"{name}.csv")) for name in OBJECTS}
        for cells in rows:
            image = dict(zip(header, cells))
            site = _site(image, sites, image_csv)
            folder = target / f"{plate}-{load_data.site_name(site.row)}"
            if folder.exists():
                raise program.DataError(f"site {load_data.site_name(site.row)} came out twice")
            folder.mkdir(parents=True)
            counts = {name: _write_objects(folder, name, tables[name], image, site) for name in tables}
            _write(folder / "Image.csv", *_image_table(header, cells, site))
            _write(folder / "Experiment.csv", *experiment)
            found[load_data.site_name(site.row)] = counts["Cells"]
    missing = [name for name in (load_data.site_name(site.row) for site in sites) if name not in found]
    if missing:
        raise program.DataError(f"CellProfiler reported success but wrote nothing for: {', '.join(missing)}")
    return found


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
            folder.mkdir(exist_ok=True)
            own = name.split("--", 1)[1]
            shutil.move(str(pictures.pop(name)), str(folder / f"{well}_s{number}--{own}"))
    return sorted(pictures)


def _read(path: Path) -> tuple[list[str], Lines]:
    if not path.is_file():
        message = f"CellProfiler reported success but wrote no {path.name} in {path.parent.name}; does the pipeline "
        raise program.DataError(message + "measure Cells, Cytoplasm and Nuclei and export all of them?")
    with open(path, encoding="utf-8", newline="") as source:
        lines = list(csv.reader(source))
    if not lines or any(len(line) != len(lines[0]) for line in lines):
        raise program.DataError(f"{path.parent.name}/{path.name}: its lines are not equally long")
    return lines[0], lines[1:]


def _by_image(path: Path) -> tuple[list[str], Mapping[str, Lines]]:
    header, rows = _read(path)
    if header[0] != "ImageNumber":
        raise program.DataError(f"{path.name}: its first column is {header[0]}, not ImageNumber")
    groups: dict[str, Lines] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row)
    return header, groups


def _site(image: Mapping[str, str], sites: Sequence[Site], path: Path) -> Site:
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
    counted = int(float(image.get(f"Count_{name}", "nan").replace("nan", "-1")))
    if counted != len(rows):
        place = load_data.site_name(site.row)
        message = f"site {place}: Image.csv counts {counted} {name}, but {name}.csv has {len(rows)} rows"
        raise program.DataError(message)
    _write(folder / f"{name}.csv", header, [[str(site.number), *row[1:]] for row in rows])
    return len(rows)


def _image_table(header: list[str], cells: list[str], site: Site) -> tuple[list[str], Lines]:
    own = {**site.row, "ImageNumber": str(site.number)}
    kept = [
        (column, own[column] if column == "ImageNumber" or column.startswith("Metadata_") and column in own else cell)
        for column, cell in zip(header, cells)
        if not column.startswith(RUN_COLUMNS)
    ]
    return [column for column, _ in kept], [[cell for _, cell in kept]]


def _experiment(produced: Path) -> tuple[list[str], Lines]:
    # One file for all sites; CellProfiler puts it where the folder's name without any metadata leads.
    written = sorted(produced.glob("**/Experiment.csv"))
    header, rows = _read(written[0] if written else produced / "Experiment.csv")
    return header, [row for row in rows if row[0] not in RUN_FACTS]


def _write(path: Path, header: list[str], rows: Lines) -> None:
    with open(path, "w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows([header, *rows])
