"""Where the microscope's stage stood at each image: Harmony's Index.idx.xml beside the images, if there is one."""

from __future__ import annotations

from xml.etree import ElementTree

from image_folder import ImageFolder
from stagekit.program import DataError

FILE = "Index.idx.xml"
LARGEST_BYTES = 1 << 30  # a plate's own is some 60 MB


def read(folder: ImageFolder) -> dict[str, tuple[str, str]]:
    """Return image name -> PositionX, PositionY as written (metres); empty without the file.

    Raises DataError if the file cannot be read as XML or is beyond all measure.
    """
    if FILE not in folder.names():
        return {}
    if folder.bytes(FILE) > LARGEST_BYTES:
        raise DataError(f"{FILE}: it has {folder.bytes(FILE)} bytes, more than {LARGEST_BYTES}; move it away")
    found = {}
    try:
        with folder.stream(FILE) as file:
            for _, element in ElementTree.iterparse(file):
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
