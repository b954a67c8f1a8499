"""Find the cells of some sites by several settings, and draw a sheet by which a person chooses among them.

`--candidates` is a JSON list of {"title": ..., "differs": {flag: value}}: how each differs from the flags given.
The illumination is taken for even: of so few sites none can be estimated in which the cells do not show.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import images
import load_data
import pipelines
import segmentation
import site_objects
import tune_sheet
from sites import CSV, Sites
from stagekit import contracts, program

ONLY_MEASURE = (
    "MeasureColocalization", "MeasureGranularity", "MeasureObjectIntensity", "MeasureObjectIntensityDistribution",
    "MeasureTexture",
)  # fmt: skip
"""Modules by which no object is found or judged."""
ZERNIKE = "Calculate the Zernike features?:{}"
FLAT = "flat.npy"


def main() -> None:
    flags = program.parser(__doc__)
    segmentation.add_flags(flags)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--pipeline", required=True, type=Path, help="our template of the analysis")
    flags.add_argument("--candidates", required=True, type=json.loads)
    flags.add_argument("--shown", required=True, type=int, help="so many of the sites are measured and drawn")
    flags.add_argument("--estimate", required=True, type=Path, help="what estimate_cells wrote: pictures are cut by it")
    flags.add_argument("--write_sheet", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report, tempfile.TemporaryDirectory(prefix="tune-") as scratch:
        table = load_data.read(args.load_data, contracts.LOAD_DATA, args.plate)
        rows = table.rows[:: max(1, len(table.rows) // args.shown)][: args.shown]
        table = replace(table, rows=tuple(rows))
        found, panels = {}, []
        for number, candidate in enumerate(args.candidates, start=1):
            report.say(f"candidate {number} of {len(args.candidates)}")
            analysis = Path(scratch) / str(number)
            words = [word for name, value in candidate["differs"].items() for word in (f"--{name}", value)]
            told = flags.parse_args([*sys.argv[1:], *words])  # of a flag that is given twice the last holds
            found[str(number)] = _measured(told, table, analysis)
            panels.append(tune_sheet.Panel(number, candidate["title"], found[str(number)], analysis))
        report.fact("candidates", found)
        names = {load_data.site_name(row): args.images / _file(row, args) for row in rows}
        args.write_sheet.parent.mkdir(parents=True, exist_ok=True)
        tune_sheet.draw(args.plate, panels, names, _width_px(args.estimate)).save(args.write_sheet, optimize=True)


def _width_px(estimate: Path) -> float:
    """Return how wide nuclei are."""
    lines = (line.split("\t") for line in estimate.read_text(encoding="utf-8").splitlines())
    return next(float(value) for name, value in lines if name == "width_px")


def _file(row: load_data.Row, args: Namespace) -> str:
    return row[load_data.ORIGINAL + args.nuclei_channel]


def _measured(args: Namespace, table: load_data.LoadData, target: Path) -> dict[str, dict[str, Any]]:
    """Return what the nuclei and cells of each site are like by some settings; their outlines lie in `target`."""
    named = (args.nuclei_channel, args.cells_channel)
    channels = [channel for channel in dict.fromkeys(named) if channel != segmentation.NONE]
    text = _lean(segmentation.fill(args.pipeline.name, pipelines.read(args.pipeline), args, channels))
    pipeline = pipelines.render(args.pipeline.name, text, channels)
    target.mkdir(parents=True)
    shapes, faults = images.inspect(table.of_channels(channels), args.images)
    if faults:
        raise program.DataError(images.summary(table.name, faults))
    flat = _flat(table, channels, args.images, shapes, target / "flat")
    sites = Sites.of(flat, flat, pipeline, args.plate, CSV)
    made = sites.measure("fast", target, lambda image, seconds: None)
    return {site: site_objects.describe(made.tables[site], shape[0] * shape[1]) for site, shape in shapes.items()}


def _lean(text: str) -> str:
    """Return a template without the modules that only measure."""
    head, *modules = re.split(r"\n(?=\w+:\[module_num)", text.replace(ZERNIKE.format("Yes"), ZERNIKE.format("No")))
    return "\n".join([head, *(module for module in modules if module.partition(":")[0] not in ONLY_MEASURE)])


def _flat(
    table: load_data.LoadData, channels: Sequence[str], folder: Path, shapes: Mapping[str, images.Shape], scratch: Path
) -> load_data.LoadData:
    """Return a table of these channels with an even illumination for each site."""
    scratch.mkdir()
    localised = load_data.localise(table.of_channels(channels), folder)
    rows = []
    for row in localised.rows:
        shape = shapes[load_data.site_name(row)]
        name = f"{'x'.join(map(str, shape))}_{FLAT}"
        np.save(scratch / name, np.ones(shape, np.float32)) if not (scratch / name).exists() else None
        flat = {f"{kind}_Illum{channel}": value for channel in channels
                for kind, value in (("FileName", name), ("PathName", str(scratch.resolve())))}  # fmt: skip
        rows.append({**row, **flat})
    return replace(localised, columns=tuple(rows[0]), rows=tuple(rows))


if __name__ == "__main__":
    program.run(main)
