"""Find the cells of every site and measure them with CellProfiler.

Unit and shard: sites. Writes a folder `<plate>-<well>-<site>` of csv files and outlines a site.
"""

from __future__ import annotations

import tempfile
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import images
import load_data
import pipelines
import replacements
import run_cellprofiler
import site_folders
from stagekit import contracts, program

SEGMENTED = ("DNA", "RNA")  # what our template finds nuclei and cells in


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--load_data_with_illum", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--illumination", required=True, type=Path, help="the folder of <plate>_Illum<Channel>.npy")
    flags.add_argument("--pipeline", required=True, type=Path, help="a .cppipe file, or a template of one")
    flags.add_argument("--engine", required=True, choices=["fast", "stock"], help="fast: modules with compiled kernels")
    flags.add_argument("--write_analysis", required=True, type=Path)
    flags.add_argument("--shard", required=True, type=program.shard, help="sites by name, or k/n: a slice of them")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        plate = load_data.read(args.load_data_with_illum, contracts.LOAD_DATA_WITH_ILLUM, args.plate)
        pipeline = _pipeline(args.pipeline, plate.channels(), report)
        table = load_data.localise(plate, args.images, args.illumination)
        table = replace(table, rows=tuple(args.shard.of(table.rows, load_data.site_name)))
        args.write_analysis.mkdir(parents=True, exist_ok=True)
        if table.rows:
            _check(table, args, report)
            report.fact("engine", args.engine)
            _measure(plate, table, pipeline, args, report)


def _pipeline(path: Path, channels: list[str], report: program.Report) -> pipelines.Pipeline:
    text = pipelines.read(path)
    if pipelines.is_template(text):
        pipelines.require_channels(path.name, channels, SEGMENTED)
    pipeline = pipelines.render(path.name, text, channels)
    report.fact("cellprofiler", run_cellprofiler.version())
    report.fact("pipeline", pipeline.name)
    report.fact("pipeline_sha256", pipeline.sha256)
    return pipeline


def _check(table: load_data.LoadData, args: Namespace, report: program.Report) -> None:
    shapes, faults = images.inspect(table, args.images)
    for site, fault in faults.items():
        report.unit(site, "failed", reason=fault)
    for channel in table.channels():
        name = table.rows[0][f"FileName_Illum{channel}"]
        try:
            function = images.read_function(args.illumination / name).shape
        except ValueError as error:
            faults[channel] = str(error)
            continue
        wrong = {site: f"{name} is {function}, its images {own}" for site, own in shapes.items() if own != function}
        faults.update(wrong)
    if faults:
        raise program.DataError(images.summary(table.name, faults))


def _measure(
    plate: load_data.LoadData,
    table: load_data.LoadData,
    pipeline: pipelines.Pipeline,
    args: Namespace,
    report: program.Report,
) -> None:
    numbers = {load_data.site_name(row): number for number, row in enumerate(plate.rows, start=1)}
    sites = [site_folders.Site(row, numbers[load_data.site_name(row)]) for row in table.rows]
    names = [load_data.site_name(row) for row in table.rows]
    with tempfile.TemporaryDirectory(prefix="measure-") as scratch:
        produced = Path(scratch) / "out"
        listed = table.write(Path(scratch) / "load_data.csv")
        plugins = replacements.FOLDER if args.engine == "fast" else None
        job = run_cellprofiler.Run(pipeline, listed, names, produced, Path(scratch) / "cellprofiler", plugins)
        _run(job, report)
        cells = site_folders.publish(produced, args.plate, sites, args.write_analysis)
        stray = site_folders.move_outlines(produced, args.plate, sites, args.write_analysis)
    if stray:
        report.warn(f"{len(stray)} pictures bear no <Well>_s<Site>-- in their name and are left out: {stray[:3]}")
    report.fact("cells", sum(cells.values()))
    for name in [name for name, count in cells.items() if count == 0]:
        report.warn(f"site {name}: no cells")


def _run(job: run_cellprofiler.Run, report: program.Report) -> None:
    try:
        witness = run_cellprofiler.run(job, lambda image, seconds: report.unit(job.sites[image - 1], "ok", seconds))
    except run_cellprofiler.Failure as failure:
        # The csv files are written after the last site, all or none: what ended well before is lost too.
        for site in job.sites:
            state = "failed" if site == failure.site else "skipped"
            report.unit(site, state, reason=str(failure).splitlines()[0])
        raise
    report.fact("replaced_modules", sorted(witness.in_force))
    report.fact("ran_stock", witness.stock)
    for why, first in witness.stock.items():
        report.warn(f"{why} (first for {first})")


if __name__ == "__main__":
    program.run(main)
