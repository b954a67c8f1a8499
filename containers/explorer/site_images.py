"""Which sites of a plate are shown, where their files lie, and their pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import well_cells
from stagekit import afar, contracts, program, tables

ORIGINAL = "FileName_Orig"
OUTLINES = {"nuclei": "nuclei", "cells": "cell"}
"""What is outlined -> what measure calls it in the name of the file."""
TABLES = ("Cells", "Cytoplasm", "Nuclei")


@dataclass(frozen=True)
class Site:
    """A site that is shown: its images by channel, and the folder of what was measured of it."""

    well: str
    number: int
    images: Mapping[str, Path]
    measured: Path

    @property
    def name(self) -> str:
        """Return what its files begin with."""
        return f"{self.well}_s{self.number}"

    def outlines(self) -> dict[str, Path]:
        """Return the pictures of outlines that measure left."""
        found = {
            kind: sorted((self.measured / "outlines").glob(f"*--{end}_outlines.png")) for kind, end in OUTLINES.items()
        }
        return {kind: paths[0] for kind, paths in found.items() if paths}


@dataclass(frozen=True)
class Listed:
    """The images of a plate as load_data lists them: its channels, and a row a site."""

    channels: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]


def listed(path: Path, plate: str) -> Listed:
    """Return the checked list of a plate's images; DataError names the rule that is broken."""
    header, *rows = tables.lines(path) or [[]]
    contracts.LOAD_DATA.check(header, path.name)
    contracts.LOAD_DATA.check_rows(header, rows, path.name)
    found = [dict(zip(header, row)) for row in rows]
    others = sorted({row["Metadata_Plate"] for row in found} - {plate})
    if others:
        raise program.DataError(f"{path.name}: lists images of plate {others[0]}, not of {plate} only")
    return Listed(tuple(name.removeprefix(ORIGINAL) for name in header if name.startswith(ORIGINAL)), tuple(found))


def shown(table: Listed, images: Path, analysis: Path, most: int, scratch: Path) -> list[Site]:
    """Return the first measured sites of every well, `most` at most, by well and number.

    Where the plate lies afar only their files come, to the folder `scratch`. What was not measured is not shown: it was
    left out, or measure would have failed.
    """
    made = afar.names(analysis)
    measured = {name.partition("/")[0] for name in made} | _of_wells(analysis, made, scratch / "analysis")
    rows: dict[str, list[Mapping[str, str]]] = {}
    for row in sorted(table.rows, key=lambda row: (row["Metadata_Well"], int(row["Metadata_Site"]))):
        if _folder(row) in measured and len(rows.setdefault(row["Metadata_Well"], [])) < most:
            rows[row["Metadata_Well"]].append(row)
    chosen = [row for of_well in rows.values() for row in of_well]
    folders = {_folder(row) for row in chosen}
    wanted = [name for name in made if name.partition("/")[0] in folders and _is_read(name)]
    wanted += [name for name in made if well_cells.well_of(name) in rows]
    analysis = afar.near(analysis, wanted, scratch / "analysis")
    files = [row[ORIGINAL + channel] for row in chosen for channel in table.channels]
    images = afar.near(images, files, scratch / "images")
    return [
        Site(
            row["Metadata_Well"],
            int(row["Metadata_Site"]),
            {channel: images / row[ORIGINAL + channel] for channel in table.channels},
            analysis / _folder(row),
        )
        for row in chosen
    ]


def pixels(path: Path) -> np.ndarray:
    """Return the pixels of a grey plane of 8 or 16 bits, as 16 bits; DataError says why there are none."""
    try:
        found = tifffile.imread(path)
    except Exception as error:  # tifffile and its codecs raise many kinds
        said = f"{path.name}: cannot be read ({type(error).__name__}: {error}); lay the image anew, or exclude its site"
        raise program.DataError(said) from error
    if found.ndim != 2 or found.dtype.name not in ("uint8", "uint16"):
        raise program.DataError(
            f"{path.name}: is {found.dtype} of shape {found.shape}, not a grey plane of 8 or 16 bits"
        )
    return found.astype(np.uint16)


def by_well(sites: Sequence[Site]) -> dict[str, list[Site]]:
    """Return the sites of every well."""
    found: dict[str, list[Site]] = {}
    for site in sites:
        found.setdefault(site.well, []).append(site)
    return found


def _of_wells(analysis: Path, made: Sequence[str], scratch: Path) -> set[str]:
    """Return what the folders of the sites are called that were measured into Parquet."""
    names = [name for name in made if well_cells.OF_IMAGES.fullmatch(name)]
    folder = afar.near(analysis, names, scratch)
    return {site for name in names for site in well_cells.folders(folder / name)}


def _folder(row: Mapping[str, str]) -> str:
    return f"{row['Metadata_Plate']}-{row['Metadata_Well']}-{row['Metadata_Site']}"


def _is_read(name: str) -> bool:
    _, _, rest = name.partition("/")
    return rest.startswith("outlines/") or rest in {f"{table}.csv" for table in TABLES}
