"""IN Cell Analyzer: `A - 01(fld 1 wv DAPI - DAPI).tif` and an .xdce file, or Channel1-01-A-01.tif of the 3000."""

from __future__ import annotations

from dataclasses import replace
from xml.etree.ElementTree import Element

from stagekit import wells

from tasks.instruments import xml_file
from tasks.instruments.reader import Plane, Reader, Sidecars, Told, pattern


def read(found: Sidecars) -> Told:
    """Return what the .xdce file says."""
    told, waves, images, other = Told(), {}, {}, 0
    path = next(iter(sorted(found.values())))
    for element in xml_file.elements(
        path, "Application", "ObjectiveCalibration", "Plate", "Wavelength", "Image", "ImageStack"
    ):
        given, kind = element.attrib, xml_file.local(element.tag)
        if kind == "Application":
            told = replace(told, instrument=f"{given.get('name', '')} {given.get('software_label', '')}".strip())
        elif kind == "ObjectiveCalibration":
            size, times = xml_file.number(given.get("pixel_width")), xml_file.number(given.get("magnification"))
            told = replace(told, pixel_um=size, magnification=times)
        elif kind == "Plate" and "columns" in given:
            rows, columns = xml_file.whole(given.get("rows")), xml_file.whole(given.get("columns"))
            told = replace(told, rows=rows, columns=columns)
        elif kind == "Wavelength":
            told = _projection(told, given)
            waves[given.get("index", "")] = _wave(_named(element))
        elif kind == "Image" and given.get("filename"):
            own = {xml_file.local(child.tag): child for child in element.iter()}
            images[given["filename"]] = _plane(given["filename"], own)
            other += _labelled(own) not in ("", _numbered(own))
            element.clear()
        elif kind == "ImageStack":
            told = replace(told, plate=given.get("PlateID", ""))
    note = f"the list of images calls wells by label and by number otherwise, {other} times: the label is taken"
    notes = (*told.notes, note) if other else told.notes
    return replace(told, channels={wave: wave for wave in waves.values()}, images=images, notes=notes)


def _named(element: Element) -> dict[str, str]:
    return {xml_file.local(child.tag): child.attrib.get("name", "") for child in element}


def _wave(names: dict[str, str]) -> str:
    """Return what a file's name says of a wave: the filters of excitation and emission."""
    return " - ".join(filter(None, (names.get("ExcitationFilter"), names.get("EmissionFilter"))))


def _projection(told: Told, given: dict[str, str]) -> Told:
    mode = given.get("imaging_mode", "")
    if "projection" not in mode.lower() or told.notes:
        return told
    return replace(told, notes=(f"images are projections that the instrument made: {mode}",))


def _attributes(own: dict[str, Element], tag: str) -> dict[str, str]:
    return dict(own[tag].attrib) if tag in own else {}


def _labelled(own: dict[str, Element]) -> str:
    """Return the well by its label: `C - 3`."""
    return wells.normal(_attributes(own, "Well").get("label", "").replace(" ", "").replace("-", "")) or ""


def _numbered(own: dict[str, Element]) -> str:
    """Return the well by the numbers of its row and column."""
    row, column = (int(_attributes(own, tag).get("number", "1")) for tag in ("Row", "Column"))
    return f"{wells.row_letters(row - 1)}{column:02d}"


def _plane(name: str, own: dict[str, Element]) -> Plane:
    places, offset = _attributes(own, "Identifier"), _attributes(own, "OffsetFromWellCenter")
    filters = {tag: _attributes(own, tag).get("name", "") for tag in ("ExcitationFilter", "EmissionFilter")}
    return Plane(
        path=name,
        well=_labelled(own) or _numbered(own),
        site=int(places.get("field_index", "0")) + 1,
        channel=_wave(filters),
        z=int(places.get("z_index", "0")) + 1,
        time=int(places.get("time_index", "0")) + 1,
        x_m=xml_file.metres(offset.get("x")),
        y_m=xml_file.metres(offset.get("y")),
    )


INCELL = Reader(
    name="incell",
    title="IN Cell Analyzer",
    patterns=(
        pattern(
            r"(?P<row>[A-Z]{1,2}) ?- ?(?P<column>\d{1,2})\(fld (?P<site>\d+) wv (?P<channel>[^)]+?)"
            r"(?: z (?P<z>\d+))?(?: time (?P<time>\d+)[^)]*)?\)\.tiff?"
        ),
    ),
    sidecars=("*.xdce",),
    read=read,
)
INCELL_3000 = Reader(
    name="incell_3000",
    title="IN Cell Analyzer 3000",
    patterns=(pattern(r"Channel(?P<channel>\d+)-\d+-(?P<row>[A-Z]{1,2})-(?P<column>\d{1,2})\.tiff?"),),
)
