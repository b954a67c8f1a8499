"""Where the microscope's stage stood at each image: Harmony's Index.idx.xml beside the images, if there is one."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from stagekit.program import DataError

FILE = "Index.idx.xml"
LARGEST_BYTES = 1 << 30  # a plate's own is some 60 MB


def read(folder: Path) -> dict[str, tuple[str, str]]:
    """Return image name -> PositionX, PositionY as written (metres); empty without the file.

    Raises DataError if the file cannot be read as XML or is beyond all measure.
    """
    path = folder / FILE
    if not path.is_file():
        return {}
    if path.stat().st_size > LARGEST_BYTES:
        raise DataError(f"{FILE}: it has {path.stat().st_size} bytes, more than {LARGEST_BYTES}; move it away")
    found = {}
    try:
        for _, element in ElementTree.iterparse(path):
            if _local(element.tag) != "Image":
                continue
            parts = {_local(child.tag): (child.text or "").strip() for child in element}
            if {"URL", "PositionX", "PositionY"} <= set(parts):
                found[parts["URL"]] = parts["PositionX"], parts["PositionY"]
            element.clear()
    except ElementTree.ParseError as error:
        raise DataError(f"{FILE}: it is no whole XML ({error}); fetch it again, or move it away") from error
    return found


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
