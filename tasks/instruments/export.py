"""Look at a folder that an instrument exported: which reader's it is, and what lies there, by folders and plates."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from tasks.errors import ExportError, TableError, unknown
from tasks.instruments import czi, ome_zarr, paths, readers
from tasks.instruments.paths import BadPathError, Named
from tasks.instruments.reader import IGNORED, Reader

SUFFIXES = (".tif", ".tiff")


@dataclass(frozen=True)
class Part:
    """What of an export is of one plate: its folder below the user's, and the plate's name as file names give it."""

    folder: str
    plate: str
    named: tuple[Named, ...]
    sidecars: Mapping[str, Path]


@dataclass(frozen=True)
class Export:
    """A folder of files, sorted out by a reader."""

    folder: Path
    reader: Reader
    parts: tuple[Part, ...]
    ignored: Mapping[str, tuple[str, ...]]
    """Why images are passed over -> their paths."""
    faults: tuple[str, ...]
    """What keeps the plates from being added."""


def look(folder: Path, wanted: str = "", pattern: str = "") -> Export:
    """Sort out a folder by the reader that reads most of it, or the wanted one, or a pattern of file names.

    Raises ExportError if the folder is not there, or nothing in it has the form of an instrument.
    """
    found = _files(folder)
    images = [path for path in found if path.lower().endswith(SUFFIXES)]
    arrays = [path for path in found if _is_zarr(path or folder.name) and ome_zarr.is_plate(folder / path)]
    if arrays and not pattern and (wanted == ome_zarr.OME_ZARR.name or not (wanted or images)):
        return Export(folder, ome_zarr.OME_ZARR, tuple(_of_zarr(folder, path) for path in arrays), {}, ())
    zeiss = [path for path in found if czi.is_czi(path)]
    if zeiss and not pattern and (wanted == czi.CZI.name or not (wanted or images)):
        return Export(folder, czi.CZI, (_of_czi(folder, zeiss),), {}, ())
    reader = _reader(folder, found, images, wanted, pattern)
    ignored, faults = defaultdict(list), []
    groups: dict[tuple[str, str], list[Named]] = defaultdict(list)
    for path in images:
        why = _passed_over(path, reader)
        try:
            named = None if why else paths.parse(path, reader)
        except BadPathError as error:
            faults.append(f"{path}: {error}")
            continue
        if named:
            groups[named.folder, named.plate].append(named)
        else:
            ignored[why or f"a name that is not of {reader.title}"].append(path)
    sidecars = [path for path in found if _is_sidecar(path, reader)]
    parts = _parts(folder, groups, sidecars)
    refused = [f"{path}: {why}" for path in found if not images and (why := _form(path, readers.REFUSED))]
    return Export(folder, reader, parts, {why: tuple(names) for why, names in ignored.items()}, (*faults, *refused))


def _of_zarr(folder: Path, path: str) -> Part:
    root, below = folder / path, f"{path}/" if path else ""
    try:
        return Part(below, "", tuple(ome_zarr.named(root, below)), {path: root})
    except (KeyError, IndexError, TypeError) as error:
        raise TableError(f"{root}: its JSON is not as OME-Zarr has it ({type(error).__name__}: {error})") from error


def _of_czi(folder: Path, found: Sequence[str]) -> Part:
    """Return the files of a plate: one of all its wells, or one a well."""
    plate = PurePosixPath(found[0]).stem if len(found) == 1 else ""
    return Part("", plate, tuple(czi.named(folder, found)), {path: folder / path for path in found})


def _files(folder: Path) -> list[str]:
    """Return the paths of all files below a folder; an OME-Zarr folder counts as one, and is '' if it is the folder."""
    if not folder.is_dir():
        raise ExportError(f"{folder}: there is no such folder; give the folder that the instrument exported")
    if _is_zarr(folder.name):
        return [""]
    found = []
    for at, folders, names in os.walk(folder):
        below = Path(at).relative_to(folder)
        found += [(below / name).as_posix() for name in [*names, *(each for each in folders if _is_zarr(each))]]
        folders[:] = sorted(name for name in folders if not name.startswith(".") and not _is_zarr(name))
    return sorted(found)


def _is_zarr(name: str) -> bool:
    return name.lower().endswith(".zarr")


def _reader(folder: Path, found: Sequence[str], images: Sequence[str], wanted: str, pattern: str) -> Reader:
    if pattern:
        return readers.of_pattern(pattern)
    if wanted:
        if wanted not in readers.READERS:
            raise ExportError(unknown("instrument", wanted, readers.READERS, "--instrument"))
        return readers.READERS[wanted]
    counts = Counter(
        reader.name for reader in readers.READERS.values() for path in images if _matches(path, reader)
    ) or Counter(reader.name for reader in readers.READERS.values() for path in found if _is_sidecar(path, reader))
    if not counts:
        raise ExportError(_nothing(folder, found, images))
    return readers.READERS[counts.most_common(1)[0][0]]


def _matches(path: str, reader: Reader) -> bool:
    return any(each.fullmatch(path) for each in reader.patterns)


def _nothing(folder: Path, found: Sequence[str], images: Sequence[str]) -> str:
    refused = next((f"{path} is {why}" for path in found if (why := _form(path, readers.REFUSED))), "")
    if refused:
        return f"{folder}: nothing here can be read: {refused}"
    known = ", ".join(reader.title for reader in readers.READERS.values())
    first = next(iter(images or found), "")
    what = f"{len(images)} TIFF files, the first is {first}" if images else f"{len(found)} files, and no TIFF"
    message = f"{folder}: no file name has the form of an instrument that is known ({known}); there are {what}"
    return f"{message}; give the form of the names: --pattern, a regular expression with the groups channel and well"


def _passed_over(path: str, reader: Reader) -> str:
    return _form(path, {**IGNORED, **reader.ignored})


def _form(path: str, forms: Mapping[str, str]) -> str:
    name = PurePosixPath(path).name.lower()
    return next((why for form, why in forms.items() if fnmatchcase(name, form)), "")


def _is_sidecar(path: str, reader: Reader) -> bool:
    return bool(_form(path, dict.fromkeys(reader.sidecars, "yes")))


def _parts(folder: Path, groups: Mapping[tuple[str, str], list[Named]], sidecars: Sequence[str]) -> tuple[Part, ...]:
    """Give every plate its sidecars; without any image, every folder of sidecars is a plate's."""
    if not groups:
        folders = sorted({path.rpartition("/")[0] for path in sidecars})
        outer = [at for at in folders if not any(at != other and f"{at}/".startswith(f"{other}/") for other in folders)]
        outer = [""] if "" in folders else outer
        below = {at: f"{at}/" if at else "" for at in outer}
        return tuple(Part(below[at], "", (), _below(folder, sidecars, below[at], "")) for at in outer)
    counts = Counter(at for at, _ in groups)
    return tuple(
        Part(at, plate, tuple(named), _below(folder, sidecars, at, plate if counts[at] > 1 else ""))
        for (at, plate), named in sorted(groups.items())
    )


def _below(folder: Path, sidecars: Sequence[str], at: str, plate: str) -> dict[str, Path]:
    """Return the sidecars in or below a plate's folder; where several plates share it, those that bear its name."""
    found = [path for path in sidecars if path.startswith(at)]
    if plate:
        found = [path for path in found if PurePosixPath(path).name.startswith(plate)]
    return {path: folder / path for path in found}
