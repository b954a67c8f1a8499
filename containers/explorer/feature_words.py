"""What a feature's name says, in a sentence: its compartment, family, channel, unit, and what it measures.

The names are CellProfiler's: the Measure modules in its manual say what each number is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass

COMPARTMENTS = {"Cells": "the cell", "Cytoplasm": "the cytoplasm", "Nuclei": "the nucleus"}
FULL, PIXELS, SQUARE, DEGREES = "part of the camera's range", "px", "px2", "degrees"
SHAPES = {
    "Area": ("the area", SQUARE),
    "BoundingBoxArea": ("the area of the upright rectangle around it", SQUARE),
    "Center_X": ("where its centre lies from left to right", PIXELS),
    "Center_Y": ("where its centre lies from top to bottom", PIXELS),
    "Compactness": ("how spread out or ragged it is: 1 for a disk, more for other shapes", None),
    "ConvexArea": ("the area of the convex shape around it", SQUARE),
    "Eccentricity": ("how elongated it is: 0 for a circle, 1 for a line", None),
    "EquivalentDiameter": ("the diameter of a circle of the same area", PIXELS),
    "EulerNumber": ("the number of its parts less that of its holes", None),
    "Extent": ("the part of its upright rectangle that it fills", None),
    "FormFactor": ("how round and smooth its outline is: 1 for a circle", None),
    "MajorAxisLength": ("its length, along its longer axis", PIXELS),
    "MaxFeretDiameter": ("its greatest width in any direction", PIXELS),
    "MaximumRadius": ("the greatest distance from inside it to its edge", PIXELS),
    "MeanRadius": ("the mean distance from inside it to its edge", PIXELS),
    "MedianRadius": ("the median distance from inside it to its edge", PIXELS),
    "MinFeretDiameter": ("its least width in any direction", PIXELS),
    "MinorAxisLength": ("its width, along its shorter axis", PIXELS),
    "Orientation": ("the angle of its longer axis", DEGREES),
    "Perimeter": ("the length of its outline", PIXELS),
    "Solidity": ("the part of its convex shape that it fills: less if it has notches", None),
}
INTENSITIES = {
    "IntegratedIntensity": "the sum of the brightness of {stain} over {where}",
    "IntegratedIntensityEdge": "the sum of the brightness of {stain} along the edge of {where}",
    "LowerQuartileIntensity": "the brightness of {stain} that a quarter of the pixels of {where} stay below",
    "MADIntensity": "how much the brightness of {stain} varies in {where} (median absolute deviation)",
    "MassDisplacement": "how far the centre of the brightness of {stain} is from the centre of {where}",
    "MaxIntensity": "the brightness of {stain} in the brightest pixel of {where}",
    "MaxIntensityEdge": "the brightness of {stain} in the brightest pixel of the edge of {where}",
    "MeanIntensity": "the mean brightness of {stain} in {where}",
    "MeanIntensityEdge": "the mean brightness of {stain} along the edge of {where}",
    "MedianIntensity": "the median brightness of {stain} in {where}",
    "MinIntensity": "the brightness of {stain} in the darkest pixel of {where}",
    "MinIntensityEdge": "the brightness of {stain} in the darkest pixel of the edge of {where}",
    "StdIntensity": "how much the brightness of {stain} varies in {where} (standard deviation)",
    "StdIntensityEdge": "how much the brightness of {stain} varies along the edge of {where} (standard deviation)",
    "UpperQuartileIntensity": "the brightness of {stain} that a quarter of the pixels of {where} exceed",
}
TEXTURES = {
    "AngularSecondMoment": "how uniform",
    "Contrast": "how strongly neighbouring pixels differ in",
    "Correlation": "how far a pixel foretells its neighbours in",
    "DifferenceEntropy": "how disordered the differences of neighbouring pixels are in",
    "DifferenceVariance": "how unequal the differences of neighbouring pixels are in",
    "Entropy": "how disordered",
    "InfoMeas1": "how much neighbouring pixels tell of each other (first measure) in",
    "InfoMeas2": "how much neighbouring pixels tell of each other (second measure) in",
    "InverseDifferenceMoment": "how alike neighbouring pixels are in",
    "SumAverage": "how bright",
    "SumEntropy": "how disordered the sums of neighbouring pixels are in",
    "SumVariance": "how unequal the sums of neighbouring pixels are in",
    "Variance": "how unequal the pixels are in",
}
COLOCALIZATIONS = {
    "Correlation": "how far {one} and {other} are bright in the same pixels (Pearson correlation)",
    "Costes": "the part of {one} that lies where {other} is bright, with thresholds by Costes",
    "K": "the overlap coefficient of {one} with {other}: how far {other} follows the brightness of {one}",
    "Manders": "the part of {one} that lies where {other} is bright (Manders)",
    "Overlap": "how far {one} and {other} overlap, whatever their means are",
    "RWC": "how far {one} and {other} rank the same pixels as bright (rank weighted)",
    "Slope": "how much brighter {other} becomes with {one} (slope of a line)",
}
RADIALS = {
    "FracAtD": "the part of all {stain} that lies in {ring}",
    "MeanFrac": "how bright {stain} is in {ring}, beside an even distribution",
    "RadialCV": "how unevenly {stain} is distributed around the centre in {ring}",
}
NEIGHBOURS = {
    "AngleBetweenNeighbors": ("the angle between its two closest neighbours", DEGREES),
    "FirstClosestDistance": ("the distance to its closest neighbour", PIXELS),
    "NumberOfNeighbors": ("the number of its neighbours", "objects"),
    "PercentTouching": ("the part of its outline that touches others", "%"),
    "SecondClosestDistance": ("the distance to its second closest neighbour", PIXELS),
}
DIRECTIONS = {"00": "across", "01": "along one diagonal", "02": "upright", "03": "along the other diagonal"}


@dataclass(frozen=True)
class Explained:
    """What a feature's name says; `channel` is the first of those that it is of, if it is of any."""

    compartment: str
    family: str
    channel: str | None
    channels: tuple[str, ...]
    unit: str | None
    sentence: str


def explain(names: Iterable[str], channels: Iterable[str]) -> dict[str, dict[str, object]]:
    """Return what every feature's name says; of the channels those are known that the images have."""
    known = sorted(channels, key=len, reverse=True)
    return {name: asdict(of_feature(name, known)) for name in names}


def of_feature(name: str, channels: Iterable[str]) -> Explained:
    """Return what a feature's name says; a name that is none of CellProfiler's says so itself."""
    compartment, family, rest = [*name.split("_", 2), "", ""][:3]
    if compartment not in COMPARTMENTS:
        said = f"Number {family} of a network's description of the cell: by itself it has no meaning."
        return Explained(compartment, "Deep", None, (), None, said if family.isdigit() else f"The number {name}.")
    found = _channels(rest, channels)
    words = FAMILIES.get(family)
    unit, text = words(rest, COMPARTMENTS[compartment], found) if words else (None, "")
    text = text or f"{COMPARTMENTS[compartment]}: {' '.join([family, *rest.split('_')]).strip()}"
    return Explained(
        compartment, family, found[0] if found else None, (*found,), unit, text[0].upper() + text[1:] + "."
    )


def _channels(rest: str, channels: Iterable[str]) -> list[str]:
    """Return the channels that a name's end bears, in its order; the longest first where one holds another."""
    places: list[tuple[int, str]] = []
    left = f"_{rest}_"
    for channel in channels:
        for match in re.finditer(f"_{re.escape(channel)}(?=_)", left):
            places.append((match.start(), channel))
            left = left[: match.start() + 1] + "\0" * len(channel) + left[match.end() :]
    return [channel for _, channel in sorted(places)]


Words = Callable[[str, str, list[str]], tuple["str | None", str]]


def _shape(rest: str, where: str, _: list[str]) -> tuple[str | None, str]:
    moment = re.fullmatch(r"Zernike_(\d+)_(\d+)", rest)
    if moment:
        return None, f"the shape of {where}: Zernike moment of order {moment[1]}, repetition {moment[2]}"
    box = re.fullmatch(r"BoundingBox(Minimum|Maximum)_([XY])", rest)
    if box:
        edge = {"MinimumX": "left", "MaximumX": "right", "MinimumY": "upper", "MaximumY": "lower"}[box[1] + box[2]]
        return PIXELS, f"where the {edge} edge of {where} lies in the image"
    said, unit = SHAPES.get(rest, ("", None))
    return unit, f"of {where}: {said}" if said else ""


def _intensity(rest: str, where: str, channels: list[str]) -> tuple[str | None, str]:
    kind = rest.split("_")[0]
    unit = PIXELS if kind == "MassDisplacement" else FULL
    said = INTENSITIES.get(kind, "")
    return unit, said.format(stain=_first(channels), where=where)


def _texture(rest: str, where: str, channels: list[str]) -> tuple[str | None, str]:
    kind, *_ = rest.split("_")
    end = re.search(r"_(\d+)_(\d\d)(_\d+)?$", rest)
    said = TEXTURES.get(kind)
    if not said or not end:
        return None, ""
    joined = f"{said} {_first(channels)} is" if not said.endswith(" in") else f"{said} {_first(channels)}"
    way = DIRECTIONS.get(end[2], f"direction {end[2]}")
    return None, f"{joined} in {where}, in texture of {end[1]} px, looking {way}"


def _correlation(rest: str, where: str, channels: list[str]) -> tuple[str | None, str]:
    said = COLOCALIZATIONS.get(rest.split("_")[0], "")
    if len(channels) < 2:
        return None, ""
    return None, f"in {where}, {said.format(one=channels[0], other=channels[1])}" if said else ""


def _granularity(rest: str, where: str, channels: list[str]) -> tuple[str | None, str]:
    step = rest.split("_")[0]
    said = f"how much of {_first(channels)} in {where} is grains of size {step} (of 16, from small to large)"
    return "%", said if step.isdigit() else ""


def _radial(rest: str, where: str, channels: list[str]) -> tuple[str | None, str]:
    ring = re.search(r"_(\d+)of(\d+)$", rest)
    zernike = re.search(r"^Zernike(Magnitude|Phase)_.*_(\d+)_(\d+)$", rest)
    if zernike:
        return (
            None,
            f"the {zernike[1].lower()} of Zernike moment {zernike[2]}, {zernike[3]} of {_first(channels)} in {where}",
        )
    said = RADIALS.get(rest.split("_")[0], "")
    if not said:
        return None, ""
    place = f"ring {ring[1]} of {ring[2]} of {where} (1 is the innermost)" if ring else f"the outermost part of {where}"
    return None, said.format(stain=_first(channels), ring=place)


def _neighbours(rest: str, where: str, _: list[str]) -> tuple[str | None, str]:
    kind, reach = [*rest.split("_", 1), ""][:2]
    said, unit = NEIGHBOURS.get(kind, ("", None))
    near = f" (neighbours within {reach} px)" if reach.isdigit() else ""
    return unit, f"of {where}: {said}{near}" if said else ""


def _location(rest: str, where: str, channels: list[str]) -> tuple[str | None, str]:
    axis = re.search(r"_([XYZ])(_|$)", rest)
    if not axis:
        return None, ""
    what = {
        "CenterMassIntensity": f"the centre of {_first(channels)}",
        "MaxIntensity": f"the brightest pixel of {_first(channels)}",
    }
    way = {"X": "from left to right", "Y": "from top to bottom", "Z": "in depth"}[axis[1]]
    return PIXELS, f"where {what.get(rest.split('_')[0], 'the centre')} of {where} lies in the image, {way}"


def _first(channels: list[str]) -> str:
    return channels[0] if channels else "the image"


FAMILIES: Mapping[str, Words] = {
    "AreaShape": _shape,
    "Correlation": _correlation,
    "Granularity": _granularity,
    "Intensity": _intensity,
    "Location": _location,
    "Neighbors": _neighbours,
    "RadialDistribution": _radial,
    "Texture": _texture,
}
