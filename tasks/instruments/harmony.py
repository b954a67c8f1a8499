"""Operetta and Opera Phenix, by Harmony: r01c01f01p01-ch1sk1fk1fl1.tiff, Index.idx.xml (V5, V6) or Index.xml (V7)."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element

from stagekit import wells

from tasks.instruments import xml_file
from tasks.instruments.reader import Plane, Reader, Sidecars, Told, pattern


def read(found: Sidecars) -> Told:
    """Return what the index of a measurement says."""
    told, images = Told(), {}
    path = next(iter(sorted(found.values(), key=lambda file: (len(file.parts), file.name))))
    for element in xml_file.elements(path, "Plate", "Image", "InstrumentType", "Entry"):
        parts = xml_file.texts(element)
        kind = xml_file.local(element.tag)
        if kind == "InstrumentType":
            told = replace(told, instrument=(element.text or "").strip())
        elif kind == "Plate":
            rows, columns = xml_file.whole(parts.get("PlateRows")), xml_file.whole(parts.get("PlateColumns"))
            plate = parts.get("Name") or parts.get("PlateID", "")
            told = replace(told, plate=plate, rows=rows, columns=columns)
        elif kind == "Entry":
            told = _channel(_optics(told, parts), element.attrib.get("ChannelID", ""), parts)
        elif "URL" in parts:
            images[parts["URL"]] = _plane(parts)
            told = _channel(_optics(told, parts), parts.get("ChannelID", ""), parts)
        _clear(element, kind)
    return replace(told, images=images)


def _plane(parts: dict[str, str]) -> Plane:
    row, column = xml_file.whole(parts.get("Row")) or 1, xml_file.whole(parts.get("Col")) or 1
    return Plane(
        path=parts["URL"],
        well=f"{wells.row_letters(row - 1)}{column:02d}",
        site=xml_file.whole(parts.get("FieldID")) or 1,
        channel=parts.get("ChannelID", ""),
        z=xml_file.whole(parts.get("PlaneID")) or 1,
        time=(xml_file.whole(parts.get("TimepointID")) or 0) + 1,  # sk1 of the names is its 0
        x_m=parts.get("PositionX", ""),
        y_m=parts.get("PositionY", ""),
    )


def _channel(told: Told, key: str, parts: dict[str, str]) -> Told:
    name = parts.get("ChannelName", "")
    return replace(told, channels={**told.channels, key: name}) if name and key not in told.channels else told


def _optics(told: Told, parts: dict[str, str]) -> Told:
    """Take the pixel's size and the magnification: of images, or of an entry a channel, as version 7 has them."""
    metres, times = parts.get("ImageResolutionX"), parts.get("ObjectiveMagnification")
    if metres and told.pixel_um is None:
        told = replace(told, pixel_um=(xml_file.number(metres) or 0) * 1e6 or None)
    return replace(told, magnification=xml_file.number(times)) if times and told.magnification is None else told


def _clear(element: Element, kind: str) -> None:
    if kind in ("Image", "Entry"):
        element.clear()


HARMONY = Reader(
    name="harmony",
    title="Operetta or Opera Phenix (Harmony)",
    patterns=(
        pattern(
            r"r(?P<row>\d\d)c(?P<column>\d\d)f(?P<site>\d+)p(?P<z>\d+)-ch(?P<channel>\d+)sk(?P<time>\d+)fk\d+fl\d+\.tiff?"
        ),
    ),
    sidecars=("index.idx.xml", "index.xml"),
    read=read,
)
