"""Find the cells of every site and measure them with CellProfiler.

Unit and shard: sites. Writes a folder `<plate>-<well>-<site>` of csv files and outlines a site, or Parquet files a well
(well_files.py) and folders of outlines.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import audit
import images
import load_data
import masks
import pipelines
import run_cellprofiler
import segmentation
import site_objects
from replacements import Witness
from sites import CSV, Form, Made, Sites
from stagekit import contracts, program


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--load_data_with_illum", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--illumination", required=True, type=Path, help="the folder of <plate>_Illum<Channel>.npy")
    flags.add_argument("--pipeline", required=True, type=Path, help="a .cppipe file, or a template of one")
    flags.add_argument("--engine", required=True, choices=["fast", "stock"], help="fast: modules with compiled kernels")
    flags.add_argument("--audit_sites", required=True, type=int, help="sites of the plate that stock measures too")
    flags.add_argument("--tables", required=True, choices=["csv", "parquet", "both"], help="the form of the values")
    flags.add_argument("--cell_values", required=True, choices=["float64", "float32"], help="of cells in Parquet")
    segmentation.add_flags(flags)
    flags.add_argument("--masks", type=Path, help="the folder of label images that replace finding nuclei and cells")
    flags.add_argument("--write_analysis", required=True, type=Path)
    flags.add_argument("--shard", required=True, type=program.shard, help="sites by name, or k/n: a slice of them")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        plate = load_data.read(args.load_data_with_illum, contracts.LOAD_DATA_WITH_ILLUM, args.plate)
        pipeline = _pipeline(args, plate.channels(), report)
        table = load_data.localise(plate, args.images, args.illumination)
        table = masks.listed(table, args.masks) if args.masks else table
        table = replace(table, rows=tuple(args.shard.of(table.rows, load_data.site_name)))
        args.write_analysis.mkdir(parents=True, exist_ok=True)
        if table.rows:
            shapes = _check(table, args, report)
            sites = Sites.of(plate, table, pipeline, args.plate, Form(args.tables, args.cell_values))
            report.fact("engine", args.engine)
            if args.tables != CSV.tables:  # without the fact it is csv, as in earlier versions
                report.fact("tables", args.tables)
            report.fact("objects", _objects(shapes, _measure(sites, args, report)))
            if args.engine == "fast":
                chosen = audit.chosen(plate, args.plate, args.audit_sites)
                report.fact("audit_chosen", chosen)
                audit.audit(sites, chosen, args.write_analysis, report)


def _pipeline(args: Namespace, channels: list[str], report: program.Report) -> pipelines.Pipeline:
    name = args.pipeline.name
    text = segmentation.fill(name, pipelines.read(args.pipeline), args, channels)
    text = masks.take(name, text, args.masks) if args.masks else text
    pipeline = pipelines.render(name, text, channels)
    report.fact("cellprofiler", run_cellprofiler.version())
    report.fact("pipeline", pipeline.name)
    report.fact("pipeline_sha256", pipeline.sha256)
    return pipeline


def _objects(shapes: Mapping[str, images.Shape], made: Made) -> dict[str, object]:
    """Return what the nuclei and cells of each site are like."""
    return {site: site_objects.describe(made.tables[site], shape[0] * shape[1]) for site, shape in shapes.items()}


def _check(table: load_data.LoadData, args: Namespace, report: program.Report) -> Mapping[str, images.Shape]:
    """Return the sizes of the sites' images; raise DataError, with all that is wrong, if one cannot be measured."""
    shapes, faults = images.inspect(table, args.images)
    unusable: dict[str, str] = {}
    for channel in table.channels():
        name = table.rows[0][f"FileName_Illum{channel}"]
        try:
            function = images.read_function(args.illumination / name).shape
        except ValueError as error:
            unusable[channel] = str(error)
            continue
        wrong = {site: f"{name} is {function}, its images {own}" for site, own in shapes.items() if own != function}
        faults.update(wrong)
    for site, fault in faults.items():
        report.unit(site, "failed", reason=fault)
    if faults or unusable:
        raise program.DataError(images.summary(table.name, {**faults, **unusable}))
    return shapes


def _measure(sites: Sites, args: Namespace, report: program.Report) -> Made:
    names = sites.names
    try:
        made = sites.measure(
            args.engine, args.write_analysis, lambda image, seconds: report.unit(names[image - 1], "ok", seconds)
        )
    except run_cellprofiler.Failure as failure:
        # The csv files are written after the last site, all or none: what ended well before is lost too.
        for site in names:
            state = "failed" if site == failure.site else "skipped"
            report.unit(site, state, reason=str(failure).splitlines()[0])
        raise
    if made.stray:
        report.warn(
            f"{len(made.stray)} pictures bear no <Well>_s<Site>-- in their name and are left out: {made.stray[:3]}"
        )
    report.fact("cells", sum(len(tables["Cells"]) for tables in made.tables.values()))
    for name in [name for name, tables in made.tables.items() if not tables["Cells"]]:
        report.warn(f"site {name}: no cells")
    _say_how(sites, made.witness, report)
    return made


def _say_how(sites: Sites, witness: Witness, report: program.Report) -> None:
    """Note which modules were replaced, which have no replacement, and which fell back to their stock code and why."""
    # The module that exports runs its stock code where csv is asked for.
    replaced = witness.in_force - (set() if sites.form.tables == "parquet" else {"ExportToSpreadsheet"})
    report.fact("replaced_modules", sorted(replaced))
    report.fact("unreplaced_modules", sorted({*sites.pipeline.modules()} - replaced))
    report.fact("ran_stock", witness.stock)
    for why, first in witness.stock.items():
        report.warn(f"{why} (first for {first})")


if __name__ == "__main__":
    program.run(main)
