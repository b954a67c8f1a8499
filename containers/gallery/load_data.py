"""List the images of a plate: one row a site, one column a channel, with and without the illumination functions."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Dict, List

import image_index
from image_index import Index
from stagekit import contracts, program


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--platemap", required=True, type=Path)
    flags.add_argument("--image_folder", required=True, help="the TIFFs' folder below the gallery's root")
    flags.add_argument("--illumination_folder", required=True, help="the illumination functions' folder, likewise")
    flags.add_argument("--write_load_data", required=True, type=Path)
    flags.add_argument("--write_load_data_with_illum", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        index = image_index.index(args.images)
        compare_with_platemap(index, args.platemap, report)
        image_index.check_headers(args.images, index)
        write(args.write_load_data, rows(args.plate, index, args.image_folder))
        illuminated = rows(args.plate, index, args.image_folder, args.illumination_folder)
        write(args.write_load_data_with_illum, illuminated)
        report.fact("site", [str(site) for site in index])
        report.fact("channel", list(next(iter(index.values()))))
        report.fact("wells", len({site.well for site in index}))


def rows(plate: str, index: Index, image_folder: str, illumination_folder: str = "") -> List[Dict[str, str]]:
    """Return the table's rows; with an illumination folder, a plate's own functions are named on each."""
    table = []
    for site, names in index.items():
        row = {f"FileName_Orig{channel}": name for channel, name in names.items()}
        row.update({f"PathName_Orig{channel}": image_folder for channel in names})
        row.update({"Metadata_Plate": plate, "Metadata_Well": site.well, "Metadata_Site": str(site.number)})
        if illumination_folder:
            row.update({f"FileName_Illum{channel}": f"{plate}_Illum{channel}.npy" for channel in names})
            row.update({f"PathName_Illum{channel}": illumination_folder for channel in names})
        table.append(row)
    return table


def compare_with_platemap(index: Index, platemap: Path, report: program.Report) -> None:
    """Refuse wells that the platemap does not know; tell of wells without images, which a plate may have."""
    with open(platemap, newline="", encoding="utf-8-sig") as handle:
        reader = csv.DictReader(handle, delimiter="\t")
        contracts.PLATEMAP.check(reader.fieldnames or [], platemap.name)
        mapped = {row["well_position"] for row in reader}
    imaged = {site.well for site in index}
    strangers = sorted(imaged - mapped)
    if strangers:
        message = f"{platemap.name}: wells with images are not in the platemap: {', '.join(strangers[:10])}"
        raise program.DataError(f"{message} ({len(strangers)} in all); is it another plate's?")
    if mapped - imaged:
        report.warn(f"{len(mapped - imaged)} of the platemap's {len(mapped)} wells have no images")
    report.fact("wells_without_images", sorted(mapped - imaged))


def write(path: Path, table: List[Dict[str, str]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


if __name__ == "__main__":
    program.run(main)
