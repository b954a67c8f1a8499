"""Read an instrument's XML element by element, bounded, and with what is wrong in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from tasks.errors import TableError

LARGEST_BYTES = 1 << 30


def elements(path: Path, *names: str) -> Iterator[Element]:
    """Yield the elements of these names as they end, whatever their namespace; raise TableError for no whole XML."""
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise TableError(
            f"{path}: it has {size} bytes, more than {LARGEST_BYTES}; is it the instrument's? Move it away"
        )
    try:
        for _, element in ElementTree.iterparse(path):
            if local(element.tag) in names:
                yield element
    except ElementTree.ParseError as error:
        message = f"{path}: it is no whole XML ({error}), as a copy that was cut short"
        raise TableError(f"{message}; copy the export again, or move this file away") from error


def local(tag: str) -> str:
    """Return a name without its namespace."""
    return tag.rpartition("}")[2]


def texts(element: Element) -> dict[str, str]:
    """Return the texts of an element's children by their names."""
    return {local(child.tag): (child.text or "").strip() for child in element}


def attributes(element: Element) -> dict[str, str]:
    """Return an element's attributes by their names without namespaces."""
    return {local(name): value for name, value in element.attrib.items()}


def number(text: str | None) -> float | None:
    """Return a text as a number above 0, or None."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if value > 0 else None


def whole(text: str | None) -> int | None:
    """Return a text as a whole number, or None."""
    return int(text) if text and text.strip().isdecimal() else None


def metres(micrometres: str | None) -> str:
    """Return a position in micrometres as metres; empty for no number."""
    try:
        return f"{float(micrometres or '') / 1e6:.10g}"
    except ValueError:
        return ""
