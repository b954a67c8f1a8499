"""CellVoyager CV7000 and CV8000: <plate>_A01_T0001F001L01A01Z01C01.tif, MeasurementData.mlf, .mrf and .mes."""

from __future__ import annotations

from dataclasses import replace

from stagekit import wells

from tasks.instruments import xml_file
from tasks.instruments.reader import Plane, Reader, Sidecars, Told, pattern


def read(found: Sidecars) -> Told:
    """Return what the list of images (.mlf), the description of the measurement (.mrf) and its settings (.mes) say."""
    told = Told()
    for name, path in sorted(found.items()):
        if name.lower().endswith(".mlf"):
            continue
        for element in xml_file.elements(
            path, "MeasurementDetail", "MeasurementSamplePlate", "MeasurementChannel", "Channel"
        ):
            given, kind = xml_file.attributes(element), xml_file.local(element.tag)
            if kind == "MeasurementChannel":
                told = replace(told, pixel_um=xml_file.number(given.get("HorizontalPixelDimension")))
            elif kind == "MeasurementDetail":
                told = _detail(told, given)
            elif kind == "MeasurementSamplePlate":
                told = replace(told, plate=given.get("Name", ""))
            elif kind == "Channel" and name.lower().endswith(".mes"):
                told = _channel(told, given)
    return _with_images(told, found)


def _detail(told: Told, given: dict[str, str]) -> Told:
    return replace(
        told,
        instrument=f"{given.get('TargetSystem', 'CellVoyager')} {given.get('ReleaseNumber', '')}".strip(),
        rows=xml_file.whole(given.get("RowCount")),
        columns=xml_file.whole(given.get("ColumnCount")),
        sites=xml_file.whole(given.get("FieldCount")),
        planes=xml_file.whole(given.get("ZCount")),
        times=xml_file.whole(given.get("TimePointCount")),
    )


def _channel(told: Told, given: dict[str, str]) -> Told:
    name = given.get("Fluorophore") or " ".join(filter(None, (given.get("Target"), given.get("Acquisition"))))
    magnification = told.magnification or xml_file.number(given.get("Magnification"))
    return replace(told, channels={**told.channels, given.get("Ch", ""): name}, magnification=magnification)


def _with_images(told: Told, found: Sidecars) -> Told:
    images, projected, failed = {}, 0, 0
    for path in (file for name, file in sorted(found.items()) if name.lower().endswith(".mlf")):
        for element in xml_file.elements(path, "MeasurementRecord"):
            given, name = xml_file.attributes(element), (element.text or "").strip()
            element.clear()
            if given.get("Type") != "IMG" or not name:
                failed += 1
                continue
            projected += given.get("ZImageProcessing", "") != ""
            images[name] = _plane(name, given)
    notes = []
    if projected:
        notes.append(f"{projected} of {len(images)} images are projections that the instrument made, named as a plane")
    if failed:
        notes.append(f"{failed} records of the list are no images: the instrument could not take them")
    return replace(told, images=images, notes=tuple(notes))


def _plane(name: str, given: dict[str, str]) -> Plane:
    row, column = int(given.get("Row", "1")), int(given.get("Column", "1"))
    return Plane(
        path=name,
        well=f"{wells.row_letters(row - 1)}{column:02d}",
        site=int(given.get("FieldIndex", "1")),
        channel=given.get("Ch", ""),
        z=int(given.get("ZIndex", "1")),
        time=int(given.get("TimePoint", "1")),
        x_m=xml_file.metres(given.get("X")),
        y_m=xml_file.metres(given.get("Y")),
    )


YOKOGAWA = Reader(
    name="yokogawa",
    title="CellVoyager (Yokogawa)",
    patterns=(
        pattern(
            r"(?P<plate>[^/]+)_(?P<well>(?-i:[A-Z]{1,2})\d\d)_T(?P<time>\d+)F(?P<site>\d+)L\d+A\d+Z(?P<z>\d+)C(?P<channel>\d+)"
            r"\.tiff?"
        ),
    ),
    sidecars=("*.mlf", "*.mrf", "*.mes"),
    read=read,
    ignored={"sc_*": "an image that corrects shading", "dc_*": "an image of the dark camera"},
)
