"""Take over label images of nuclei and cells that another program, or a hand, has drawn: check, pair and renumber them.

Unit and shard: sites. Writes `<Well>-<Site>_nuclei.tiff` and, if there are cells, `<Well>-<Site>_cells.tiff`: 16 bits,
a cell's number that of its nucleus. Nothing is measured before all label images were found good.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Optional

import numpy as np
import tifffile

import images
import load_data
import mask_files
from stagekit import contracts, program

NEXT = "mend the label images, or leave the site out by [preflight] exclude"


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--labels", required=True, type=Path, help="the folder of label images, whatever its folders")
    flags.add_argument("--nuclei_channel", required=True, help="what is made from an image of it shows nuclei")
    flags.add_argument("--unpaired", required=True, choices=("stop", "leave_out"), help="cells without a nucleus")
    flags.add_argument("--write_masks", required=True, type=Path)
    flags.add_argument("--shard", required=True, type=program.shard, help="sites by name, or k/n: a slice of them")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        table = load_data.read(args.load_data, contracts.LOAD_DATA, args.plate)
        files = [path.relative_to(args.labels).as_posix() for path in sorted(args.labels.rglob("*")) if path.is_file()]
        usable = mask_files.usable(files)
        found = {
            load_data.site_name(row): mask_files.assign(usable, row, table.channels(), args.nuclei_channel)
            for row in table.rows
        }
        with_cells = any(names["cells"] for names in found.values())
        args.write_masks.mkdir(parents=True, exist_ok=True)
        _take(args, args.shard.of(table.rows, load_data.site_name), found, with_cells, report)
        report.fact("with_cells", with_cells)


def _take(
    args: Namespace,
    rows: Sequence[load_data.Row],
    found: Mapping[str, mask_files.Names],
    with_cells: bool,
    report: program.Report,
) -> None:
    """Write the masks of all sites; raise DataError, with all that is wrong, if those of one are not good."""
    faults: dict[str, str] = {}
    objects = {"nuclei": 0, "cells": 0}
    left_out: dict[str, str] = {}
    for row in rows:
        site = load_data.site_name(row)
        try:
            counts, lone = _site(args, row, found[site], with_cells)
        except ValueError as error:
            faults[site] = str(error)
            report.unit(site, "failed", reason=str(error))
            continue
        objects = {kind: objects[kind] + counts.get(kind, 0) for kind in objects}
        left_out.update({site: lone} if lone else {})
        report.unit(site, "ok")
    if faults:
        raise program.DataError(f"{images.summary(args.labels.name, faults)}\n  {NEXT}")
    report.fact("nuclei", objects["nuclei"])
    report.fact("cells", objects["cells"])
    report.fact("left_out", left_out)
    if left_out:
        site, lone = next(iter(left_out.items()))
        report.warn(f"on {len(left_out)} sites objects without a partner are left out, as on {site}: {lone}")


def _site(args: Namespace, row: load_data.Row, names: mask_files.Names, with_cells: bool) -> tuple[dict[str, int], str]:
    """Write the masks of a site; return how many objects each has, and in words what was left out."""
    shape = images.read(args.images / row[f"{load_data.ORIGINAL}{args.nuclei_channel}"]).shape
    kinds = mask_files.KINDS if with_cells else mask_files.KINDS[:1]
    labels = {kind: mask_files.read(args.labels / _only(kind, names[kind], row), shape) for kind in kinds}
    nuclei, cells, lone = mask_files.pair(labels["nuclei"], labels.get("cells"))
    text = " and ".join(f"{count} {kind} without a partner" for kind, count in lone.items() if count)
    if text and args.unpaired == "stop":
        raise ValueError(f"{text}: each cell has one nucleus, and each nucleus a cell; [measure] unpaired = leave_out")
    site = load_data.site_name(row)
    for kind, image in (("nuclei", nuclei), ("cells", cells)):
        _write(args.write_masks / f"{site}_{kind}.tiff", image)
    return {kind: int(image.max()) for kind, image in (("nuclei", nuclei), ("cells", cells)) if image is not None}, text


def _only(kind: str, files: list[str], row: load_data.Row) -> str:
    if not files:
        start = f"{row['Metadata_Well']}_s{row['Metadata_Site']}--{kind}_labels"
        raise ValueError(
            f"there is no label image of its {kind}: {start}.tiff, or one named after its image (png, tif)"
        )
    if len(files) > 1:
        raise ValueError(f"{files[0]} and {files[1]} both show its {kind}; keep one")
    return files[0]


def _write(path: Path, image: Optional[np.ndarray]) -> None:
    if image is not None:
        tifffile.imwrite(path, image, compression="zlib", metadata=None)


if __name__ == "__main__":
    program.run(main)
