"""Make the pages of the plate explorer: its plates at a glance, the map of their profiles, neighbours, and words.

They lie beside the plates' own folders, which explore_plate makes, and open from disk.
"""

from __future__ import annotations

import argparse
import html
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import feature_words
import numpy as np
import profile_tables
import scripts
import similarity
from profile_tables import Profiles
from stagekit import contracts, program, tables

PAGE = Path(__file__).with_name("page")
TITLE = "{{batch}}"
COLOURS = {
    "DNA": "#4477ff", "ER": "#33dd77", "RNA": "#ffcc33", "AGP": "#ff8833", "Mito": "#ee3366", "Brightfield": "#bbbbbb",
}  # fmt: skip
OTHERS = ("#66ccee", "#cc88ee", "#dddddd", "#aacc44")
"""Of channels that are none of Cell Painting's."""
PERTURBATION = "broad_sample"
DO = {
    "missing wells": "Look at these wells' images; measure them again with: python -m tasks retry",
    "dead": "Look at the wells of this row or column: a pipette or an objective may have failed. Leave them out if so",
    "low count": "Look at the wells' sites: toxic, not seeded, or out of focus? Leave out those that are no effect",
    "edge effect": "Compare replicates inside and at the edge before a result at the edge is believed",
    "cells were not counted": "Set [aggregate] compartment_counts, or measure again",
}
"""What to do about a fault of quality_control, by its beginning."""


def main() -> None:
    """Read the flags, write the pages."""
    flags = program.parser(__doc__)
    flags.add_argument("--batch", required=True, help="the batch's name")
    flags.add_argument("--page", required=True, type=Path, nargs="+", help="what explore_plate wrote, a file a plate")
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help="of the set's features, a file a plate")
    flags.add_argument("--summary", required=True, type=Path, nargs="*", help="quality_control's table, or none")
    flags.add_argument("--neighbours", required=True, type=int, help="nearest wells and perturbations that are named")
    flags.add_argument(
        "--plates_folder", required=True, help="the folder of the plates' folders, as seen from the index"
    )
    flags.add_argument("--report", required=True, help="the batch's report, as seen from the index")
    flags.add_argument("--write_index", required=True, type=Path)
    flags.add_argument("--write_script", required=True, type=Path)
    flags.add_argument("--write_style", required=True, type=Path)
    flags.add_argument("--write_batch", required=True, type=Path)
    flags.add_argument("--write_map", required=True, type=Path)
    flags.add_argument("--write_explained", required=True, type=Path)
    args = flags.parse_args()
    if len(args.page) != len(args.profiles):
        flags.error("--page and --profiles take a file a plate")
    with program.Report(args.output) as report:
        explore(args, report)


def explore(args: argparse.Namespace, report: program.Report) -> None:
    """Write the pages of a set of plates."""
    plates = dict(_plate(path) for path in args.page)
    profiles = [profile_tables.read(path, contracts.SCALED_PROFILES) for path in args.profiles]
    if [each.plate for each in profiles] != list(plates):
        raise program.DataError(
            f"--page and --profiles are of different plates: {', '.join(plates)}; give the same order"
        )
    columns = metadata_columns(plates)
    kept, told = map_of(profiles, columns, args.neighbours)
    channels = list(dict.fromkeys(channel for plate in plates.values() for channel in plate["channels"]))
    faults = faults_of(args.summary[0]) if args.summary else {}
    scripts.write(args.write_map, "map", told)
    named = dict.fromkeys(name for plate in plates.values() for name in [*plate["features"], *of_cells(plate)])
    scripts.write(args.write_explained, "features", feature_words.explain(named, channels or COLOURS))
    scripts.write(args.write_batch, "batch", batch_of(args, plates, channels, columns, faults, kept))
    copy_page(args)
    report.fact("plates", len(plates))
    report.fact("points", len(told["well"]))
    report.fact("features", kept)
    if not kept:
        report.warn("no feature is in the profiles of all plates: the map and the neighbours are empty")


def copy_page(args: argparse.Namespace) -> None:
    """Copy the page that shows it all; its title names the batch."""
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    args.write_index.parent.mkdir(parents=True, exist_ok=True)
    args.write_index.write_text(text.replace(TITLE, html.escape(args.batch)), encoding="utf-8")
    shutil.copyfile(PAGE / "explorer.js", args.write_script)
    shutil.copyfile(PAGE / "explorer.css", args.write_style)


def _plate(path: Path) -> tuple[str, dict[str, Any]]:
    name, told = scripts.read(path)
    if not name.startswith("plate/"):
        raise program.DataError(f"{path.name}: holds {name}, no plate; make it again with explore_plate")
    return name.removeprefix("plate/"), told


def of_cells(plate: Mapping[str, Any]) -> list[str]:
    """Return the features of a plate's single cells."""
    return list(plate["cells"]["features"]) if plate["cells"] else []


def metadata_columns(plates: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the columns of metadata that say different things of different wells, in the plates' order."""
    values: dict[str, set[str]] = {}
    for plate in plates.values():
        for well in plate["wells"]:
            for name, text in well["metadata"].items():
                values.setdefault(name, set()).add(text)
    return [name for name, found in values.items() if len(found) > 1]


def map_of(profiles: Sequence[Profiles], columns: Sequence[str], most: int) -> tuple[int, dict[str, Any]]:
    """Return how many features the profiles share, and the map of all wells with the nearest of each."""
    shared = [name for name in profiles[0].names if all(name in {*each.names} for each in profiles[1:])]
    values = np.concatenate([each.values[:, [each.names.index(name) for name in shared]] for each in profiles])
    whole = np.isfinite(values).all(axis=0)
    unit = similarity.directions(values[:, whole])
    places = similarity.plane(unit)
    metadata = {name: coded([told.get(name, "") for each in profiles for told in each.metadata]) for name in columns}
    wells = [well for each in profiles for well in each.wells]
    numbers = [at for at, each in enumerate(profiles) for _ in each.wells]
    told = {
        "x": scripts.array(places[:, 0], "f32"),
        "y": scripts.array(places[:, 1], "f32"),
        "plate": scripts.array(np.array(numbers), "u16"),
        "well": wells,
        "metadata": {
            name: {"values": found, "codes": scripts.array(codes, "u16")} for name, (found, codes) in metadata.items()
        },
        "nearest": neighbours(unit, most),
        "perturbation": perturbations(unit, metadata, most),
    }
    return int(whole.sum()), told


def coded(texts: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """Return the different texts, sorted, and the number of each one's among them."""
    found = sorted({*texts})
    numbers = {text: at for at, text in enumerate(found)}
    return found, np.array([numbers[text] for text in texts])


def neighbours(unit: np.ndarray, most: int) -> dict[str, Any]:
    """Return the nearest of each row as the page reads it."""
    found = similarity.nearest(unit, most)
    return {"k": most, "point": scripts.array(found.rows, "u32"), "similarity": scripts.array(found.cosine, "f32")}


def perturbations(unit: np.ndarray, metadata: Mapping[str, tuple[list[str], np.ndarray]], most: int) -> dict[str, Any]:
    """Return the perturbations, and the nearest of each by the mean direction of its wells."""
    if PERTURBATION not in metadata:
        return {"column": PERTURBATION, "names": [], "nearest": None}
    names, codes = metadata[PERTURBATION]
    sums = np.zeros((len(names), unit.shape[1]))
    np.add.at(sums, codes, unit)
    return {"column": PERTURBATION, "names": names, "nearest": neighbours(similarity.directions(sums), most)}


def faults_of(path: Path) -> dict[str, list[str]]:
    """Return what quality_control found wrong, by plate."""
    _, rows = tables.records(path, "\t")
    return {row["Plate_Name"]: [said for said in row.get("Faults", "").split("; ") if said] for row in rows}


def batch_of(
    args: argparse.Namespace,
    plates: Mapping[str, Mapping[str, Any]],
    channels: Sequence[str],
    columns: Sequence[str],
    faults: Mapping[str, Sequence[str]],
    kept: int,
) -> dict[str, Any]:
    """Return what is told of the set of plates as a whole."""
    spare = iter(OTHERS * (1 + len(channels) // len(OTHERS)))
    sizes = {plate["pixel_um"] for plate in plates.values()}
    quality = dict.fromkeys(name for plate in plates.values() for well in plate["wells"] for name in well["quality"])
    objects = dict.fromkeys(kind for plate in plates.values() for kind in plate["objects"])
    points = sum(bool(well["metadata"]) for plate in plates.values() for well in plate["wells"])
    note = f"They are of profiles scaled to the negative controls, {kept} features, each profile of length 1."
    return {
        "batch": args.batch,
        "made": {"version": None},
        "report": args.report or None,
        "channels": [{"name": name, "color": COLOURS.get(name) or next(spare)} for name in channels],
        "objects": list(objects),
        "pixel_um": sizes.pop() if len(sizes) == 1 else None,
        "metadata": list(columns),
        "quality": list(quality),
        "plates": [
            plate_told(f"{args.plates_folder}/{name}", name, plate, faults.get(name, ()))
            for name, plate in plates.items()
        ],
        "map": {"points": points, "method": "pca", "seed": None, "note": note} if kept else None,
    }


def plate_told(folder: str, name: str, plate: Mapping[str, Any], faults: Sequence[str]) -> dict[str, Any]:
    """Return what is told of a plate at a glance."""
    wells = plate["wells"]
    known: dict[str, list[float]] = {}
    for well in wells:
        for what, value in well["quality"].items():
            if value is not None:
                known.setdefault(what, []).append(value)
    rows, columns = form(wells)
    return {
        "plate": name,
        "folder": folder,
        "rows": rows,
        "columns": columns,
        "wells": len(wells),
        "sites": sum(len(well["sites"]) for well in wells),
        "flags": flags(plate, faults),
        "summary": {what: scripts.number(float(np.median(values))) for what, values in known.items()},
    }


def form(wells: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """Return the rows and columns of the smallest plate of the market that has all wells: 6, 24, 96, 384 or 1,536."""
    rows, columns = (max((well[side] for well in wells), default=1) for side in ("row", "column"))
    fits = [size for size in ((2, 3), (4, 6), (8, 12), (16, 24), (32, 48)) if size[0] >= rows and size[1] >= columns]
    return fits[0] if fits else (rows, columns)


def flags(plate: Mapping[str, Any], faults: Sequence[str]) -> list[dict[str, str | None]]:
    """Return everything that is doubtful of a plate, each with what to do about it, and the well if it is of one."""
    found: list[dict[str, str | None]] = []
    for text in plate["flags"]:  # what measure said: the fault, then what to do
        what, _, do = text.partition(". ")
        found.append({"what": what, "well": None, "do": do or "Look at the outlines of some wells"})
    for text in faults:
        if not any(text == each["what"] for each in found):
            do = next((words for start, words in DO.items() if text.startswith(start)), "Look at the plate's wells")
            found.append({"what": text, "well": None, "do": do})
    for well in plate["wells"]:
        found += [{"what": text, "well": well["well"], "do": "Look at the well's sites"} for text in well["flags"]]
    return found


if __name__ == "__main__":
    program.run(main)
