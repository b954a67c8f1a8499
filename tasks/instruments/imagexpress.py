"""ImageXpress, by MetaXpress: <plate>_A01_s1_w1<GUID>.tif in TimePoint_ and ZStep_ folders, and a .HTD file."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from typing import Any

from stagekit import wells

from tasks.errors import TableError
from tasks.instruments import xml_file
from tasks.instruments.reader import Plane, Reader, Sidecars, Told, pattern

GUID = r"[0-9A-F]{8}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{4}-[0-9A-F]{12}"
TRUE = "TRUE"


def read(found: Sidecars) -> Told:
    """Return what the .HTD file says; in a folder of a time point there is a copy of it."""
    path = min(found.values(), key=lambda file: (len(file.parts), file.name))
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="latin-1")), skipinitialspace=True))
    given = {row[0]: row[1:] for row in rows if len(row) > 1}
    if "EndFile" not in {row[0] for row in rows if row}:
        message = f"{path}: its last line, EndFile, is not there, as in a copy that was cut short"
        raise TableError(f"{message}; copy the export again, or move this file away")
    waves = int(_first(given, "NWavelengths", "0")) if _first(given, "Waves") == TRUE else 1
    return Told(
        instrument="MetaXpress",
        channels={str(wave): _first(given, f"WaveName{wave}") for wave in range(1, waves + 1)},
        rows=xml_file.whole(_first(given, "YWells")),
        columns=xml_file.whole(_first(given, "XWells")),
        wells=_selected(given, "WellsSelection"),
        sites=_selected(given, "SiteSelection") if _first(given, "Sites") == TRUE else 1,
        planes=_planes(given),
        times=xml_file.whole(_first(given, "TimePoints")),
        notes=_notes(given),
    )


def _first(given: Mapping[str, list[str]], key: str, default: str = "") -> str:
    return (given.get(key) or [default])[0].strip()


def _selected(given: Mapping[str, list[str]], prefix: str) -> int:
    return sum(
        cell.strip() == TRUE for key, cells in given.items() if re.fullmatch(rf"{prefix}\d+", key) for cell in cells
    )


def _planes(given: Mapping[str, list[str]]) -> int:
    stack = _first(given, "ZSeries") == TRUE and _first(given, "ZProjection") != TRUE
    return xml_file.whole(_first(given, "ZSteps")) or 1 if stack else 1


def _notes(given: Mapping[str, list[str]]) -> tuple[str, ...]:
    sites = _selected(given, "SiteSelection")
    grid = int(_first(given, "XSites", "1")) * int(_first(given, "YSites", "1"))
    return (f"{sites} of a grid of {grid} sites were chosen: a site's number is no place",) if 0 < sites < grid else ()


def read_hcs_ai(found: Sidecars) -> Told:
    """Return what the .jdce file and the table of images of MetaXpress Acquire say."""
    described = next((file for name, file in found.items() if name.lower().endswith(".jdce")), None)
    stack: dict[str, Any] = {}
    if described:
        try:
            stack = json.loads(described.read_text(encoding="utf-8-sig"))["ImageStack"]
        except (ValueError, KeyError) as error:
            raise TableError(f"{described}: it is no whole JSON of an ImageStack ({error}); copy it again") from error
    protocol = stack.get("AutoLeadAcquisitionProtocol", {})
    optics, plate, waves = (protocol.get(key, {}) for key in ("ObjectiveCalibration", "Plate", "Wavelengths"))
    zoom = re.match(r"(\d+(?:\.\d+)?)\s*x", optics.get("ObjectiveName", ""), re.IGNORECASE)
    return Told(
        plate=stack.get("PlateId", ""),
        instrument=" ".join(filter(None, stack.get("Application", {}).values())),
        channels={str(wave["Index"]): wave.get("EmissionFilter", {}).get("Name", "") for wave in waves or ()},
        pixel_um=optics.get("PixelWidth"),
        magnification=float(zoom[1]) if zoom else None,
        rows=plate.get("Rows"),
        columns=plate.get("Columns"),
        planes=protocol.get("PlateMap", {}).get("ZDimensionParameters", {}).get("NumberOfSlices"),
        times=protocol.get("PlateMap", {}).get("TimeSchedule", {}).get("NumberOfTimepoints"),
        images={each.path: each for name, file in found.items() if name.endswith(".csv") for each in _listed(file)},
    )


def _listed(path: Any) -> list[Plane]:
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")))
    return [
        Plane(
            path=row["ImageFileName"],
            well=f"{wells.row_letters(int(row['Row']) - 1)}{int(row['Column']):02d}",
            site=int(row["Field"]),
            channel=row["Wavelength"],
            z=int(row["ZIndex"]),
            time=int(row["Timepoint"]),
            x_m=xml_file.metres(row.get("FieldOffsetPointX")),
            y_m=xml_file.metres(row.get("FieldOffsetPointY")),
        )
        for row in rows
        if row.get("ImageFileName")
    ]


IMAGEXPRESS = Reader(
    name="imagexpress",
    title="ImageXpress (MetaXpress)",
    patterns=(
        pattern(
            r"(?:TimePoint_(?P<time>\d+)/)?(?:ZStep_(?P<z>\d+)/)?(?P<plate>[^/]+)_(?P<well>(?-i:[A-Z]{1,2})\d\d)"
            rf"(?:_s(?P<site>\d+))?_w(?P<channel>\d+)(?:_?\[?{GUID}\]?)?\.tiff?"
        ),
    ),
    sidecars=("*.htd",),
    read=read,
)
IMAGEXPRESS_HCS_AI = Reader(
    name="imagexpress_hcs_ai",
    title="ImageXpress HCS.ai (MetaXpress Acquire)",
    patterns=(
        pattern(
            r"(?:timepoint\d+/)?(?P<plate>[^/]+)_t(?P<time>\d+)_(?P<well>(?-i:[A-Z]{1,2})\d\d)_s(?P<site>\d+)_w(?P<channel>\d+)"
            r"_z(?P<z>\d+)\.tiff?"
        ),
    ),
    sidecars=("*.jdce", "image_metadata_*.csv"),
    read=read_hcs_ai,
)
