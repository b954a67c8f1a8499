"""Make what the plate explorer shows of a plate: its wells, their profiles, pictures of their sites, and their cells.

Everything is written as scripts and pictures that a page opens from disk. A plate without images (a run that starts
from single cells or profiles) gets no pictures, outlines and cells.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import galleries
import numpy as np
import pictures
import profile_tables
import scripts
import site_cells
import site_images
from galleries import Gallery
from profile_tables import Profiles
from site_cells import Controls
from site_images import Site
from stagekit import contracts, program

ANNOTATED, SCALED = "_augmented.csv.gz", "_normalized_negcon.csv.gz"
SELECTED = "_normalized_feature_select_negcon_plate.csv.gz"
FAR, MISSING = 100.0, -32768
"""A value of a scaled profile is written as no further from 0 than FAR; one that is none as MISSING."""
SHOWN_ELSEWHERE = ("Plate", "Well", "Object_Count")
"""Metadata of a well that are not told among the layout's: the number of cells is a quality figure."""
FEW = ("AreaShape_Area", "AreaShape_Eccentricity", "AreaShape_FormFactor", "Intensity_MeanIntensity_")
"""Parts of the names of features that are told of single cells whether feature selection kept them or not."""


def main() -> None:
    """Read the flags, show the plate."""
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path, nargs="*", help="none: a plate without images")
    flags.add_argument("--images", required=True, type=Path, nargs="*", help="the folder of the plate's TIFFs")
    flags.add_argument("--analysis", required=True, type=Path, nargs="*", help="the folder of site folders")
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help=f"*{ANNOTATED}, *{SCALED}, *{SELECTED}")
    flags.add_argument("--sites", required=True, type=int, help="sites a well that are shown")
    flags.add_argument("--cells", required=True, type=int, help="cells a well that are sampled; 0: none")
    flags.add_argument("--crop_px", required=True, type=int, help="the side of a cell's crop in pixels")
    flags.add_argument("--seed", required=True, type=int, help="of the sample")
    flags.add_argument("--jpeg_quality", required=True, type=int, help="1 to 95")
    flags.add_argument("--pixel_um", required=True, help="the side of a pixel in um; empty: not known")
    flags.add_argument(
        "--suspicious", required=True, type=json.loads, help="a JSON list: what measure found suspicious"
    )
    flags.add_argument("--write_page", required=True, type=Path)
    flags.add_argument("--write_features", required=True, type=Path)
    flags.add_argument("--write_images", required=True, type=Path)
    flags.add_argument("--write_outlines", required=True, type=Path)
    flags.add_argument("--write_cells", required=True, type=Path)
    args = flags.parse_args()
    if not len(args.load_data) == len(args.images) == len(args.analysis) <= 1:
        flags.error("--load_data, --images and --analysis take one each, or none of them any")
    with program.Report(args.output) as report, tempfile.TemporaryDirectory() as scratch:
        explore(args, Path(scratch), report)


def explore(args: argparse.Namespace, scratch: Path, report: program.Report) -> None:
    """Write a plate's files, and say how many of what there are."""
    known, scaled, selected = profiles_of(args.profiles, args.plate)
    features = write_features(scaled, args.plate, args.write_features)
    table = site_images.listed(args.load_data[0], args.plate) if args.load_data else site_images.Listed((), ())
    sites = site_images.shown(table, args.images[0], args.analysis[0], args.sites, scratch) if args.images else []
    if args.images and not sites:
        raise program.DataError(f"{args.analysis[0].name}: holds no site that {args.load_data[0].name} lists")
    channels, sizes = pictures.look(sites)
    scales = pictures.scales(channels)
    of_sites = write_sites(args, sites, sizes, scales)
    shown = sorted({*known.wells, *site_images.by_well(sites)}, key=profile_tables.place)
    wells = [well_told(well, known, of_sites.get(well, []), channels) for well in shown]
    told = {
        "wells": wells,
        "channels": list(scales),
        "objects": [
            kind for kind in pictures.TONES if any(kind in site["outlines"] for well in wells for site in well["sites"])
        ],
        "brightness": {channel: scale._asdict() for channel, scale in scales.items()},
        "controls": known.controls(),
        "features": features,
        "pixel_um": float(args.pixel_um) if args.pixel_um else None,
        "flags": args.suspicious,
        "cells": write_cells(args, sites, known, single_features(selected, known), scales),
    }
    scripts.write(args.write_page, f"plate/{args.plate}", told)
    report.fact("wells", len(shown))
    report.fact("sites", len(sites))
    report.fact("channels", list(scales))


def profiles_of(paths: Sequence[Path], plate: str) -> tuple[Profiles, Profiles, Profiles]:
    """Return a plate's profiles: as annotated, scaled to its controls, and those of the features that were kept."""
    kinds = (
        (ANNOTATED, contracts.ANNOTATED_PROFILES),
        (SCALED, contracts.SCALED_PROFILES),
        (SELECTED, contracts.SCALED_PROFILES),
    )
    known, scaled, selected = (
        profile_tables.read(profile_tables.ending(paths, end), rule, plate) for end, rule in kinds
    )
    return known, scaled, selected


def single_features(selected: Profiles, known: Profiles) -> list[str]:
    """Return the features that are told of single cells: the plainest, and those that feature selection kept."""
    plain = [name for name in known.names if any(part in name for part in FEW)]
    named = dict.fromkeys([*plain, *selected.names])
    return [name for name in named if name.startswith(tuple(f"{each}_" for each in contracts.COMPARTMENTS))]


def write_features(scaled: Profiles, plate: str, path: Path) -> list[str]:
    """Write a plate's scaled profiles as whole numbers of a step a feature; return the features' names."""
    values = np.clip(scaled.values, -FAR, FAR)
    greatest = np.array([np.nanmax(np.abs(each), initial=0.0) if np.isfinite(each).any() else 0 for each in values.T])
    step = np.where(greatest > 0, greatest / -(MISSING + 1), 1.0)
    steps = np.where(np.isfinite(values), np.round(values / step), MISSING)
    told = {"wells": scaled.wells, "values": scripts.array(steps, "i16"), "scale": scripts.array(step, "f32")}
    scripts.write(path, f"features/{plate}", told)
    return scaled.names


def write_sites(
    args: argparse.Namespace,
    sites: Sequence[Site],
    sizes: Mapping[str, tuple[int, int]],
    scales: Mapping[str, pictures.Scale],
) -> dict[str, list[dict[str, Any]]]:
    """Write the pictures and outlines of all sites; return what is told of them, by well."""
    told: dict[str, list[dict[str, Any]]] = {}
    for site in sites:
        names = {}
        for channel, path in site.images.items():
            names[channel] = f"{args.write_images.name}/{site.name}_{channel}.jpg"
            target = args.write_images.parent / names[channel]
            pictures.write_picture(site_images.pixels(path), scales[channel], target, args.jpeg_quality)
        width, height = sizes[site.name]
        outlines = pictures.write_outlines(site, (width, height), args.write_outlines)
        one = {"site": site.number, "width": width, "height": height, "pictures": names, "outlines": outlines}
        told.setdefault(site.well, []).append(one)
    return told


def well_told(
    well: str, known: Profiles, sites: list[dict[str, Any]], channels: Mapping[str, pictures.Channel]
) -> dict[str, Any]:
    """Return what is told of a well: where it is, what is in it, its sites, and how good its images are."""
    row, column = profile_tables.place(well)
    metadata = known.metadata[known.wells.index(well)] if well in known.wells else {}
    quality: dict[str, float | None] = {}
    count = profile_tables.numeric(metadata.get("Object_Count", ""))
    if np.isfinite(count):
        quality["cells"] = scripts.number(count)
    for name, channel in channels.items() if sites else ():
        quality[f"blur_{name}"] = scripts.number(channel.blur(well), 4)
        quality[f"saturated_{name}"] = scripts.number(channel.saturated(well), 4)
    flags = [] if metadata else ["its images were taken, but it has no profile: no cell was found, or it was left out"]
    kept = {name: text for name, text in metadata.items() if name not in SHOWN_ELSEWHERE}
    return {
        "well": well,
        "row": row,
        "column": column,
        "metadata": kept,
        "quality": quality,
        "flags": flags,
        "sites": sites,
    }


def write_cells(
    args: argparse.Namespace,
    sites: Sequence[Site],
    known: Profiles,
    features: Sequence[str],
    scales: Mapping[str, pictures.Scale],
) -> dict[str, Any] | None:
    """Write the galleries of all wells; return what is common to them, None if there are none."""
    if not sites or not args.cells:
        return None
    controls = [site_cells.read(site, features).values for site in sites if site.well in known.controls()]
    reference = Controls.of(np.concatenate([np.empty((0, len(features))), *controls]))
    gallery = Gallery(args.cells, args.crop_px, args.seed, args.jpeg_quality, features, scales, reference)
    wells = site_images.by_well(sites)
    counts = {well: gallery.write(args.plate, of_well, args.write_cells) for well, of_well in wells.items()}
    return {
        "size_px": args.crop_px,
        "columns": galleries.COLUMNS,
        "features": list(features),
        "wells": [well for well, count in counts.items() if count],
        "distance": site_cells.DISTANCE,
    }


if __name__ == "__main__":
    program.run(main)
