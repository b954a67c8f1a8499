"""A plate whose images lie where its instrument exported them: the index of its planes, and the links to them."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from stagekit import planes, whole
from stagekit.program import DataError

from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError, PublishError, TableError
from tasks.instruments.reader import Plane

EXPORT = ".export"
"""The end of the link, beside a folder of links to images, that leads to the folder that the instrument exported."""


def index_of(layout: Layout, batch: str, plate: str) -> Path | None:
    """Return the index of a plate that was added; None for one whose images a person laid or that was fetched."""
    path = layout.planes(batch, plate)
    return path if path.is_file() else None


def rows(index: Path, z: str, time: str) -> list[planes.Row]:
    """Return the rows of an index that are measured, of each plane that is projected one.

    Raises TableError if it is no index, or a choice is needed.
    """
    try:
        return planes.chosen(planes.read(index), z, time, index.name)
    except DataError as error:
        raise TableError(f"{index.parent}/{error}") from error


def need_import(index: Path, z: str) -> bool:
    """Say whether an index lists images that cannot be measured as they lie there."""
    status = index.stat()
    parts, stacks = _holds(index, status.st_mtime_ns, status.st_size)
    return parts or (stacks and z in planes.PROJECTIONS)


@functools.lru_cache(maxsize=1024)
def _holds(index: Path, changed_ns: int, size: int) -> tuple[bool, bool]:
    """Say whether an index, as it was at a time, lists parts of files, and several planes of an image."""
    with open(index, newline="", encoding="utf-8") as table:
        found = list(csv.DictReader(table))
    images = {(row.get("well"), row.get("site"), row.get("channel"), row.get("time")) for row in found}
    return any(row.get(planes.AT) for row in found), len(images) < len(found)


def channels(layout: Layout) -> set[str]:
    """Return the names of the channels of all plates that were added."""
    facts = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(layout.all_planes.glob("*/*.json"))]
    return {name for plate in facts for name in plate["channels"].values()}


def facts(layout: Layout, batch: str, plate: str) -> dict[str, Any]:
    """Return what was noted of a plate as it was added; nothing of another plate."""
    path = layout.planes(batch, plate).with_suffix(".json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found


def size(layout: Layout, batch: str, plate: str) -> tuple[int, int] | None:
    """Return the height and width of an added plate's images, as its first one has it; None for another plate."""
    noted = facts(layout, batch, plate)
    if not noted:
        return None
    width, _, height = next(iter(noted["pixels"])).partition(" ")[0].partition("x")
    return int(height), int(width)


def export_behind(images: Path) -> Path | None:
    """Return the link beside a folder of links, through which they lead; None for a folder of another kind."""
    link = _export_link(images)
    return link if images.name == "Images" and link.is_symlink() else None


def add(
    layout: Layout,
    batch: str,
    plate: str,
    found: Sequence[Plane],
    export: Path,
    channels: Mapping[str, str],
    facts: Mapping[str, object],
    whole_folder: str | None = None,
) -> list[Path]:
    """Register planes without copying an image: an index, and a link. Return what was written.

    A `whole_folder` below the export, which is an image by itself, is linked as it is.

    All of it is made aside first. The index gets its name last but one, the folder of links last: without that folder
    a plate is not there.
    """
    images, index = layout.images_of(batch, plate), layout.planes(batch, plate)
    names = _names(found, whole_folder)
    index.parent.mkdir(parents=True, exist_ok=True)
    images.parent.parent.mkdir(parents=True, exist_ok=True)
    making = images.parent.with_name(f".{plate}.{uuid.uuid4().hex[:8]}.adding")
    try:
        making.mkdir()
        _link(making, plate, found, export, names, whole_folder)
        whole.write(index.with_suffix(".json"), json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
        whole.write(index, _table(found, names, channels))
        if images.parent.exists():
            remove(layout, batch, plate)
        making.rename(images.parent)
    except OSError as error:
        raise PublishError(
            f"{images.parent}: plate {plate} could not be added ({error}); see to it and repeat"
        ) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return [images, index, index.with_suffix(".json")]


def remove(layout: Layout, batch: str, plate: str) -> None:
    """Remove an added plate's links; raise MissingInputError if there is anything else among them."""
    folder = layout.images_of(batch, plate).parent
    files = [Path(at, name) for at, folders, names in os.walk(folder) for name in [*names, *folders]]
    strangers = [path for path in files if not path.is_symlink() and path.name != "Images"]
    if strangers:
        message = f"{strangers[0]}: it is no link, so it is not of add-plate"
        raise MissingInputError(f"{message}; move it away before the plate is added again")
    shutil.rmtree(folder)


def _link(
    making: Path, plate: str, found: Sequence[Plane], export: Path, names: Mapping[str, str], whole_folder: str | None
) -> None:
    """Link the folder of the images, if all are in one; else link each image, through one link to the export."""
    folders = {PurePosixPath(each.path).parent for each in found}
    folders = folders if whole_folder is None else {PurePosixPath(whole_folder)}
    if len(folders) == 1:
        (making / "Images").symlink_to(export / folders.pop(), target_is_directory=True)
        return
    (making / f"{plate}{EXPORT}").symlink_to(export, target_is_directory=True)
    (making / "Images").mkdir()
    for path, name in names.items():
        (making / "Images" / name).symlink_to(f"../{plate}{EXPORT}/{path}")


def _export_link(images: Path) -> Path:
    return images.parent / f"{images.parent.name}{EXPORT}"


def _names(found: Iterable[Plane], whole_folder: str | None) -> dict[str, str]:
    """Return path -> the name in one folder of all: the file's own if no other has it, else with its folders.

    In a folder that is an image by itself, it is the path below that.
    """
    listed = list(dict.fromkeys(each.path for each in found))
    if whole_folder is not None:
        return {path: path.removeprefix(whole_folder) for path in listed}
    own = [PurePosixPath(path).name for path in listed]
    alone = len(set(own)) == len(own)
    return {path: name if alone else path.replace("/", "__") for path, name in zip(listed, own, strict=True)}


def _table(found: Iterable[Plane], names: Mapping[str, str], channels: Mapping[str, str]) -> str:
    order = list(channels)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    listed = list(found)
    parts = any(each.at for each in listed)
    table.writerow((*planes.TABLE.required, *([planes.AT] if parts else ())))
    for each in sorted(
        listed,
        key=lambda plane: (order.index(plane.channel), len(plane.well), plane.well, plane.site, plane.z, plane.time),
    ):
        place = (each.well, each.site, channels[each.channel], each.z, each.time, each.x_m, each.y_m)
        table.writerow((names[each.path], each.path, *place, *([each.at] if parts else ())))
    return text.getvalue()
