"""Publish what was measured as Parquet, four files a well (well_files.py, and experiment/<well>.csv).

A file holds a whole well, so the number of shards changes nothing; if a failure cut a well, the files of its parts bear
the part's first site too: <well>_s<site>.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

import load_data
import site_folders
import site_objects
import well_files
from site_folders import Site
from stagekit.contracts import COMPARTMENTS
from stagekit.program import DataError
from well_files import Measured, Objects

Found = tuple[Site, Path, Mapping[str, str]]
"""A site, the folder of what CellProfiler wrote of it, and its row in the Image.csv there."""


def publish(
    produced: Path, plate: str, sites: Sequence[Site], whole: Sequence[str], kind: str, target: Path
) -> dict[str, site_objects.Tables]:
    """Write the files of every well below `target`; return what is told of each site's objects.

    `whole` names all sites of the plate, `kind` is the type of the cells' values: float64 or float32.
    """
    told: dict[str, site_objects.Tables] = {}
    experiment = site_folders.experiment(produced)
    for well, found in _by_well(produced, sites).items():
        measured = [_measured(plate, each) for each in found]
        names = [load_data.site_name(each.site.row) for each in measured]
        is_whole = {*names} >= {name for name in whole if name.rpartition("-")[0] == well}
        stem = well if is_whole else f"{well}_s{measured[0].site.row['Metadata_Site']}"
        well_files.write_cells(target / "cells" / f"{stem}.parquet", measured, kind)
        well_files.write_images(target / "images" / f"{stem}.parquet", measured)
        well_files.write_sums(target / "sums" / f"{stem}.parquet", plate, well, measured)
        (target / "experiment").mkdir(exist_ok=True)
        site_folders.write(target / "experiment" / f"{stem}.csv", *experiment)
        told |= {name: _told(each) for name, each in zip(names, measured)}
    return told


def _by_well(produced: Path, sites: Sequence[Site]) -> dict[str, list[Found]]:
    """Return what CellProfiler wrote, by well and by the sites' numbers; each site must be there once."""
    found: dict[str, Found] = {}
    for path in sorted(produced.glob("**/Image.csv")):
        header, rows = site_folders.read(path)
        for row in rows:
            image = dict(zip(header, row))
            site = site_folders.site_of(image, sites, path)
            if found.setdefault(load_data.site_name(site.row), (site, path.parent, image))[2] is not image:
                raise DataError(f"site {load_data.site_name(site.row)} came out twice")
    site_folders.check_all(sites, found)
    wells: dict[str, list[Found]] = {}
    for each in sorted(found.values(), key=lambda each: _order(each[0].row["Metadata_Site"])):
        wells.setdefault(each[0].row["Metadata_Well"], []).append(each)
    return wells


def _order(site: str) -> tuple[int, str]:
    return (int(site) if site.isdigit() else 0), site


def _measured(plate: str, found: Found) -> Measured:
    site, folder, image = found
    tables = {}
    for name in COMPARTMENTS:
        objects = _objects(folder, name, image["ImageNumber"])
        site_folders.check_count(name, objects.values.shape[1], image, site)
        tables[name] = objects
    header, (cells,) = site_folders.image_table(list(image), list(image.values()), site)
    return Measured(site, dict(zip(header, cells)), tables)


def _objects(folder: Path, name: str, number: str) -> Objects:
    """Return the objects of an image: as the module handed them on, else from CellProfiler's csv."""
    handed = folder / f"{name}.npy"
    if handed.exists():
        names = tuple(handed.with_suffix(".names").read_text(encoding="utf-8").split("\n"))
        values = np.load(handed, mmap_mode="r")
        own = np.flatnonzero(values[0] == float(number))  # one after the other
        return Objects(names[1:], values[1:, own[0] : own[-1] + 1] if len(own) else values[1:, :0])
    header, groups = site_folders.by_image(folder / f"{name}.csv")
    kept = [at for at, column in enumerate(header) if at and not column.startswith("Metadata_")]
    rows = groups.get(number, [])
    try:
        values = np.array([[float(row[at] or "nan") for row in rows] for at in kept]).reshape(len(kept), len(rows))
    except ValueError as error:
        raise DataError(f"{name}.csv holds a text among its numbers: {error}; measure numbers only") from error
    return Objects(tuple(header[at] for at in kept), values)


def _told(measured: Measured) -> site_objects.Tables:
    """Return what is looked at of a site's objects and image."""
    told: dict[str, Sequence[site_objects.Row]] = {"Image": [site_objects.looked_at(measured.image)]}
    for name in ("Nuclei", "Cells"):
        names, values = measured.tables[name]
        kept = {column: values[at].tolist() for at, column in enumerate(names) if site_objects.is_looked_at(column)}
        told[name] = [{column: repr(own[at]) for column, own in kept.items()} for at in range(values.shape[1])]
    return told
