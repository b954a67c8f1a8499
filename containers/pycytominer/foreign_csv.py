"""Folders of csv files as CellProfiler's ExportToSpreadsheet writes them: a folder a site, or one for all.

Beside an Image.csv (in any case, after any prefix: MyExpt_Image.csv) lie the csv files of its objects, or object.csv
with two header lines: the object's name, and the feature's. Image numbers hold within their folder only.
"""

from __future__ import annotations

import csv
import functools
import re
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import numpy as np
import pandas as pd
from foreign import MISSING
from foreign_cells import FOLDER, KEYS, NO_OBJECTS, PLACE, Asked, OtherPlateError, Well, images, joined, renamed
from stagekit import program

IMAGE = re.compile(r"(?P<prefix>.*)image\.csv", re.IGNORECASE)
TOGETHER = "object"


class Folder(NamedTuple):
    """A folder of csv files, and what stands before the names of all of them."""

    path: Path
    image: Path
    prefix: str


class Reader:
    """Reads the cells of all folders below one, a well at a time."""

    def __init__(self, path: Path, asked: Asked) -> None:
        """Read all images, and which features there are."""
        self.path, self.asked = path, asked
        self.quarantined: Dict[str, str] = {}
        self.folders = {self._name(folder): folder for folder in _folders(path)}
        if not self.folders:
            raise program.DataError(f"{path.name}: no folder in it has an Image.csv; is it CellProfiler's output?")
        heads = {name: self._headers(name, folder) for name, folder in self.folders.items()}
        self.images = self._images()
        self.sites = [name for name in self.folders if name in self.images or name in self.quarantined]
        theirs = list(dict.fromkeys(each for head in heads.values() for each in head))
        self.asked.check(theirs, path.name)
        self.objects = [each for each in theirs if asked.ours(each)]
        self._check_objects(heads)
        self.features = {
            asked.ours(each): list(
                dict.fromkeys(name for head in heads.values() for name in head.get(each, {}).values())
            )
            for each in self.objects
        }
        self._tables = functools.lru_cache(maxsize=2)(self._read)

    def wells(self) -> Iterator[Well]:
        """Yield every well, its sites in order; a folder that cannot be read joins the quarantined ones."""
        numbered = [
            (str(well), name, int(number), str(site))
            for name, table in self.images.items()
            for well, number, site in zip(table["well"], table["ImageNumber"], table["site"])
        ]
        for well in sorted({each[0] for each in numbered}):
            yield self._well(well, [each[1:] for each in numbered if each[0] == well])

    def _well(self, well: str, held: List[Tuple[str, int, str]]) -> Well:
        parts: Dict[str, List[pd.DataFrame]] = {self.asked.ours(each): [] for each in self.objects}
        good: List[Tuple[int, str]] = []
        for name, number, site in held:
            try:
                tables = self._tables(name) if name not in self.quarantined else None
            except (program.DataError, OSError, ValueError) as error:
                self.quarantined[name] = str(error)
                tables = None
            if tables is not None:
                for each, table in tables.items():
                    parts[each].append(table[table["image"] == number].assign(image=len(good)))
                good.append((number, site))
        cells = (
            joined({each: pd.concat(found) for each, found in parts.items()}) if good else pd.DataFrame({"image": []})
        )
        at = cells.pop("image").to_numpy(dtype="int64")
        place = [[self.asked.plate, well, good[each][1], good[each][0]] for each in at]
        return Well(well, len(good), pd.DataFrame(place, columns=list(PLACE)).join(cells))

    def _name(self, folder: Folder) -> str:
        return folder.path.relative_to(self.path).as_posix() if folder.path != self.path else self.path.name

    def _images(self) -> Dict[str, pd.DataFrame]:
        """Return the images of every good folder that are of the plate; DataError if there is none."""
        made, said = {}, []
        for name, folder in self.folders.items():
            if name in self.quarantined:
                continue
            try:
                table = _read(folder.image, "str")
                if table.empty:
                    raise program.DataError(f"{folder.image.name} has no row")
                made[name] = images(_named(table, folder.path.name), self.asked, f"{name}/{folder.image.name}")
            except OtherPlateError as error:
                said.append(str(error))
            except (program.DataError, OSError, ValueError) as error:
                said.append(str(error))
                self.quarantined[name] = str(error)
        if not made and said:
            raise program.DataError(said[0] + (f"; and {len(said) - 1} more folders are so" if said[1:] else ""))
        return made

    def _headers(self, name: str, folder: Folder) -> Dict[str, Dict[str, str]]:
        """Return the features of every object with any: what the file calls them, and what they are called here."""
        try:
            return {
                each: made
                for each, names in _objects(folder).items()
                if (made := renamed(each, names, self.asked)) and len(names) > len(made) > 0
            }
        except (program.DataError, OSError, ValueError) as error:
            self.quarantined[name] = str(error)
            return {}

    def _check_objects(self, heads: Dict[str, Dict[str, Dict[str, str]]]) -> None:
        """Quarantine the folders that lack an object which others have."""
        for name, head in heads.items():
            lacking = [each for each in self.objects if each not in head]
            if lacking and name in self.images:
                self.quarantined.setdefault(name, f"it has no {lacking[0]}.csv, which other folders have")

    def _read(self, name: str) -> Dict[str, pd.DataFrame]:
        """Return the objects of a folder by our names: image, number, then all features of the plate."""
        made = {}
        for theirs, table in _object_tables(self.folders[name], self.objects).items():
            names = renamed(theirs, list(table.columns), self.asked)
            features = table.rename(columns=names).reindex(columns=self.features[self.asked.ours(theirs)])
            keys = pd.DataFrame({"image": table["ImageNumber"], "number": table["ObjectNumber"]}).astype("int64")
            if keys.duplicated().any():
                twice = keys[keys.duplicated()].iloc[0]
                message = f"{theirs}.csv has object {twice['number']} of image {twice['image']} twice"
                raise program.DataError(message)
            made[self.asked.ours(theirs)] = keys.join(features)
        return made


def _folders(path: Path) -> Iterator[Folder]:
    for image in sorted(each for each in path.rglob("*") if each.suffix.lower() == ".csv"):
        match = IMAGE.fullmatch(image.name)
        if match:
            yield Folder(image.parent, image, match["prefix"])


def _named(table: pd.DataFrame, folder: str) -> pd.DataFrame:
    """Add plate, well and site of the folder's name (<plate>-A01-1), where the table has no column of wells."""
    match = FOLDER.fullmatch(folder)
    if match and len(table) == 1 and not any(name.lower().endswith("well") for name in table.columns):
        told = {f"Metadata_{key.title()}": value for key, value in match.groupdict().items()}
        return table.assign(**told)
    return table


def _csv_files(folder: Folder) -> Dict[str, Path]:
    """Return the csv files of a folder's objects, by the names of these."""
    found = {}
    for path in sorted(folder.path.glob(f"{folder.prefix}*.csv")):
        name = path.stem[len(folder.prefix) :]
        if path != folder.image and name not in NO_OBJECTS[:3]:
            found[name] = path
    return found


def _objects(folder: Folder) -> Dict[str, List[str]]:
    """Return the columns of every object of a folder; a file without ImageNumber and ObjectNumber is none."""
    found: Dict[str, List[str]] = {}
    for name, path in _csv_files(folder).items():
        if not path.stat().st_size:
            raise program.DataError(f"{path.name} is empty: it has 0 bytes")
        if name.lower() == TOGETHER:
            for each, pairs in _together(pd.read_csv(path, header=[0, 1], nrows=0)).items():
                found[each] = [*KEYS[:2], *(feature for _, feature in pairs)]
        else:
            columns = _header(path)
            found.update({name: columns} if {*KEYS[:2]} <= {*columns} else {})
    return found


def _header(path: Path) -> List[str]:
    """Return the names of the columns; pandas takes a second for thousands, and a plate has thousands of files."""
    with open(path, encoding="utf-8-sig", newline="") as lines:
        return next(csv.reader(lines), [])


def _object_tables(folder: Folder, objects: List[str]) -> Dict[str, pd.DataFrame]:
    made: Dict[str, pd.DataFrame] = {}
    for name, path in _csv_files(folder).items():
        if name.lower() == TOGETHER:
            table = pd.read_csv(path, header=[0, 1], na_values=MISSING)
            place = table[[column for column in table.columns if column[1] in KEYS[:2]]].droplevel(0, axis=1)
            for each, columns in _together(table).items():
                own = table[columns].droplevel(0, axis=1)
                made.update({each: place.join(own)} if each in objects else {})
        elif name in objects:
            made[name] = _read(path, None)
    return made


def _together(table: pd.DataFrame) -> Dict[str, List[Tuple[str, str]]]:
    """Return the columns of each object of a table with two header lines, without the keys."""
    found: Dict[str, List[Tuple[str, str]]] = {}
    columns: List[Any] = list(table.columns)
    for column in columns:
        if column[0] not in NO_OBJECTS and column[1] not in KEYS:
            found.setdefault(column[0], []).append(column)
    return found


def _read(path: Path, kind: Any) -> pd.DataFrame:
    if not path.stat().st_size:
        raise program.DataError(f"{path.name} is empty: it has 0 bytes")
    with open(path, "rb") as file:
        file.seek(-1, 2)
        if file.read(1) != b"\n":
            raise program.DataError(f"{path.name} is cut off: its last line has no end")
    how: Dict[str, Any] = (
        {"keep_default_na": False} if kind else {"na_values": MISSING, "float_precision": "round_trip"}
    )
    table = pd.read_csv(path, dtype=kind, encoding="utf-8-sig", **how)
    if kind is None and len(table):  # a site without a cell has a header only
        for name in table.columns:
            if table[name].dtype == object and name not in KEYS and not name.startswith("Metadata_"):
                bad = table[name][pd.to_numeric(table[name], errors="coerce").isna() & table[name].notna()]
                raise program.DataError(
                    f"{path.name}: row {bad.index[0] + 2}, column {name}: {bad.iloc[0]!r} is no number"
                )
        if (
            table[[*KEYS[:2]]].isna().to_numpy().any()
            or not np.isfinite(table[[*KEYS[:2]]].to_numpy(dtype=float)).all()
        ):
            raise program.DataError(f"{path.name} has a row without ImageNumber or ObjectNumber; was it cut?")
    return table
