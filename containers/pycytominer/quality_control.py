"""Show at a glance which plates of a set are bad: a table of all, and a picture of each with its faults in words.

The picture shows every well's number of cells, how well it agrees with its replicates on all plates, and how much it
resembles the wells beside it, which hold other perturbations: where that is high, the position shapes the profile.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Dict, List

import agreement
import numpy as np
import pandas as pd
import plate_faults
import plate_picture
import profiles
from stagekit import contracts, outside, program
from stored_plates import StoredPlates


def main() -> None:
    """Read the flags, judge every plate, draw it, write the table."""
    flags = program.parser(__doc__)
    flags.add_argument("--profiles", required=True, type=Path, nargs="+", help="normalized, a file a plate")
    flags.add_argument("--load_data", required=True, type=Path, nargs="+", help="the images, a file a plate")
    flags.add_argument("--batch", required=True, help="for the table's first column")
    flags.add_argument("--low_count", required=True, type=float, help="a well has few cells below this part of median")
    flags.add_argument("--edge_effect", required=True, type=float, help="the edge differs from this part of median on")
    flags.add_argument(
        "--suspicious", required=True, type=json.loads, help="a JSON table: plate -> what of its cells is"
    )
    flags.add_argument("--write_summary", required=True, type=Path)
    flags.add_argument("--write_pictures", required=True, type=Path, nargs="+", help="a file for each of --profiles")
    args = flags.parse_args()
    if not len(args.profiles) == len(args.load_data) == len(args.write_pictures):
        flags.error("--profiles, --load_data and --write_pictures take a file a plate")
    with program.Report(args.output) as report:
        stored = StoredPlates(args.output)
        tables = [_read(path, stored) for path in args.profiles]
        _check_distinct(tables)
        agreed = _agreements(tables, stored, report)
        rows = []
        for at, (table, path, picture) in enumerate(zip(tables, args.load_data, args.write_pictures, strict=True)):
            images = profiles.read_text(path, outside.of_load_data(contracts.LOAD_DATA))
            _check_same_plate(table, images, path)
            rows.append(_judge(table, stored.plate(at), images, agreed[at], args, picture))
        summary = pd.DataFrame(rows)
        summary.to_csv(args.write_summary, sep="\t", index=False, lineterminator="\n")
        report.fact("faults", {row["Plate_Name"]: row["Faults"] for row in rows if row["Faults"]})
        for row in rows:
            if row["Faults"]:
                report.warn(f"{row['Plate_Name']}: {row['Faults']}")


def _read(path: Path, stored: StoredPlates) -> pd.DataFrame:
    """Return the metadata of a plate; its features go to the file of all plates."""
    table = profiles.read(path, contracts.SCALED_PROFILES)
    stored.add(table[profiles.features_of(table)])
    return table[profiles.metadata_of(table)]


def _judge(
    table: pd.DataFrame, features: pd.DataFrame, images: pd.DataFrame, agreed: np.ndarray, args: argparse.Namespace,
    picture: Path,
) -> Dict[str, object]:  # fmt: skip
    """Draw a plate, and return its row of the table: the resource's columns, then ours."""
    plate = str(table["Metadata_Plate"].iloc[0])
    wells = table.set_index("Metadata_Well")
    shown = pd.DataFrame(index=wells.index)
    counts = wells.get("Metadata_Object_Count")
    shown["cells"] = np.nan if counts is None else pd.to_numeric(counts)
    shown["replicates"] = agreed
    shown["neighbours"] = plate_faults.neighbours(features.set_index(wells.index))
    faults = plate_faults.find(shown["cells"], list(images["Metadata_Well"].unique()), args.low_count, args.edge_effect)
    faults += args.suspicious.get(plate, [])
    plate_picture.draw(plate, shown, faults, picture)
    sites = images.groupby("Metadata_Well")["Metadata_Site"].nunique()
    return {
        "Batch_Name": args.batch,
        "Plate_Name": plate,
        "Well_Count": len(sites),
        "Images_per_site": sum(name.startswith("FileName_Orig") for name in images),
        "Sites_per_well_Median": f"{sites.median():g}",
        "Sites_per_well_mad": f"{(sites - sites.mean()).abs().mean():.3f}",
        "Profile_Count": len(wells),
        "Cells_per_well_Median": f"{shown['cells'].median():g}",
        "Replicate_correlation_Median": f"{shown['replicates'].median():.3f}",
        "Neighbour_correlation_Median": f"{shown['neighbours'].median():.3f}",
        "Faults": "; ".join(faults),
    }


def _check_distinct(tables: List[pd.DataFrame]) -> None:
    plates = [str(table["Metadata_Plate"].iloc[0]) for table in tables]
    twice = sorted({plate for plate in plates if plates.count(plate) > 1})
    if twice:
        raise program.DataError(f"--profiles has several files of plate {', '.join(twice)}; give one a plate")


def _check_same_plate(table: pd.DataFrame, images: pd.DataFrame, path: Path) -> None:
    plates = {*table["Metadata_Plate"], *images["Metadata_Plate"]}
    if len(plates) > 1:
        message = f"{path.name} and the profiles beside it are of different plates: {', '.join(sorted(plates))}"
        raise program.DataError(f"{message}; give --profiles and --load_data in the same order")


def _agreements(tables: List[pd.DataFrame], stored: StoredPlates, report: program.Report) -> List[np.ndarray]:
    """Return for each plate how well its wells agree with their replicates on all plates.

    Features that some well of the set lacks take no part, with a warning.
    """
    whole, features = [{*stored.whole(at)} for at in range(len(tables))], stored.features()
    gaps = [name for name in features if not all(name in own for own in whole)]
    if gaps:
        shown = f"{', '.join(gaps[:5])}{', ...' if len(gaps) > 5 else ''}"
        message = f"{len(gaps)} of {len(features)} features lack a value in some well of the set"
        report.warn(f"{message}; replicates are compared without them: {shown}")
    lacking = {*gaps}
    compared = stored.table([name for name in features if name not in lacking])
    samples = np.concatenate([table["Metadata_broad_sample"].to_numpy(dtype="object") for table in tables])
    ends = np.cumsum([len(table) for table in tables])[:-1]
    return np.split(agreement.agreements(compared, samples), ends)


if __name__ == "__main__":
    program.run(main)
