"""Instruments that describe their images by OME-XML: Olympus scanR and Leica's Matrix Screener."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree.ElementTree import Element

from stagekit import wells

from tasks.instruments import xml_file
from tasks.instruments.reader import Plane, Reader, Sidecars, Told, pattern

SCANR_IMAGE = re.compile(r"Well (?P<well_number>\d+), Position (?P<site>\d+) \((?P<well>[A-Z]{1,2}\d{1,2})\)")


def read_scanr(found: Sidecars) -> Told:
    """Return what scanR's metadata.ome.xml says: an image a well and position."""
    told, zooms = Told(), {}
    path = next(iter(sorted(found.values())))
    for element in xml_file.elements(path, "Objective", "Image", "OME"):
        given, kind = element.attrib, xml_file.local(element.tag)
        if kind == "Objective":
            zooms[given.get("ID")] = xml_file.number(given.get("NominalMagnification"))
        elif kind == "OME":
            told = replace(told, instrument=given.get("Creator", "").partition("  ")[0])
        else:
            told = _scanr_image(told, element)
            used = [child.get("ID") for child in element if xml_file.local(child.tag) == "ObjectiveSettings"]
            told = replace(told, magnification=zooms.get(used[0]) if used else told.magnification)
            element.clear()
    return told


def _scanr_image(told: Told, image: Element) -> Told:
    named = SCANR_IMAGE.fullmatch(image.get("Name", ""))
    pixels = next((child for child in image if xml_file.local(child.tag) == "Pixels"), None)
    if named is None or pixels is None:
        return told
    channels = [child.get("Name", "") for child in pixels if xml_file.local(child.tag) == "Channel"]
    files, places = [], {}
    for child in pixels:
        given = xml_file.attributes(child)
        if xml_file.local(child.tag) == "TiffData":
            files.append(([uuid.get("FileName", "") for uuid in child], given))
        elif xml_file.local(child.tag) == "Plane":
            places[given.get("TheC"), given.get("TheZ"), given.get("TheT")] = given
    images = dict(told.images)
    for names, given in files:
        first = (given.get("FirstC", "0"), given.get("FirstZ", "0"), given.get("FirstT", "0"))
        stood = places.get(first, {})
        for name in filter(None, names):
            images[name] = Plane(
                name, wells.normal(named["well"]) or "", int(named["site"]), channels[int(first[0])], int(first[1]),
                int(first[2]), xml_file.metres(stood.get("PositionX")), xml_file.metres(stood.get("PositionY")),
            )  # fmt: skip
    size = xml_file.number(pixels.get("PhysicalSizeX"))
    own = {name: name for name in channels}
    return replace(told, images=images, pixel_um=size, channels={**told.channels, **own})


def read_leica(found: Sidecars) -> Told:
    """Return what one of the fields' metadata says; all of a plate are alike."""
    told, path = Told(instrument="Leica"), next(iter(sorted(found.values())))
    for element in xml_file.elements(path, "Microscope", "NominalMagnification", "Pixels"):
        kind = xml_file.local(element.tag)
        if kind == "Microscope":
            told = replace(told, instrument=f"Leica {element.get('Model', '')}".strip())
        elif kind == "NominalMagnification":
            told = replace(told, magnification=xml_file.number(element.text))
        else:
            told = replace(told, pixel_um=xml_file.number(element.get("PhysicalSizeX")))
    return told


SCANR = Reader(
    name="scanr",
    title="scanR (Olympus)",
    patterns=(
        pattern(
            r"(?:(?P<well>[A-Z]{1,2}\d{1,2})|[^/]*?)--W(?P<well_number>\d+)--P(?P<site>\d+)--Z(?P<z>\d+)--T(?P<time>\d+)"
            r"--(?P<channel>[^/]+?)(?:\.ome)?\.tiff?"
        ),
    ),
    sidecars=("metadata.ome.xml",),
    read=read_scanr,
)
LEICA = Reader(
    name="leica",
    title="Matrix Screener (Leica)",
    patterns=(
        pattern(
            r"slide--S\d+/chamber--U\d+--V\d+/field--X\d+--Y\d+/image--L\d+--S\d+--U(?P<column>\d+)--V(?P<row>\d+)"
            r"--J\d+--E\d+--O\d+--X(?P<site_x>\d+)--Y(?P<site_y>\d+)--T(?P<time>\d+)--Z(?P<z>\d+)--C(?P<channel>\d+)"
            r"(?:\.ome)?\.tiff?"
        ),
    ),
    sidecars=("image--*.ome.xml",),
    read=read_leica,
    from_zero=frozenset({"row", "column"}),
)
