"""Estimate the uneven illumination of every channel over the whole plate.

Unit and shard: a channel. Writes `<plate>_Illum<Channel>.npy`. A site whose image cannot be used is left out of its
channel, if no more of them are than may be: its measurement fails by the same image, and leaves it out as well.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tifffile

import images
import load_data
import pipelines
import replacements
import run_cellprofiler
from stagekit import contracts, program, quarantine

WHITE = 65535
MAX_SAMPLE_VALUE = 281  # a TIFF's tag: what is white in it; CellProfiler scales by that


@dataclass(frozen=True)
class Estimate:
    """How the function of a channel was made."""

    sites: int
    left_out: Mapping[str, str]
    """The sites whose images could not be used, each with the reason."""
    stock: Mapping[str, str]
    """Why modules ran their stock code, each with the first thing that did."""
    camera_bits: int
    """How many bits the camera seems to have had, if its images do not use the file's range; else 0."""
    greatest: int
    """The greatest value of all pixels, of 65,535; that too if the files themselves say what is white."""


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--pipeline", required=True, type=Path, help="a .cppipe file, or a template of one")
    flags.add_argument("--engine", required=True, choices=["fast", "stock"], help="fast: images are read without Java")
    quarantine.add_flag(flags)
    flags.add_argument("--write_illumination", required=True, type=Path)
    flags.add_argument("--shard", required=True, type=program.shard, help="channels by name, or k/n: a slice of them")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        table = load_data.read(args.load_data, contracts.LOAD_DATA, args.plate)
        table = load_data.localise(table, args.images)
        text = pipelines.read(args.pipeline)
        report.fact("cellprofiler", run_cellprofiler.version())
        report.fact("pipeline", args.pipeline.name)
        report.fact("pipeline_sha256", _sha256(args.pipeline.name, text, table.channels()))
        report.fact("engine", args.engine)
        made = {channel: _estimate(args, table, text, channel, report) for channel in args.shard.of(table.channels())}
        _say_how(made, report)


def _say_how(made: Mapping[str, Estimate], report: program.Report) -> None:
    """Note from how many sites each channel was estimated and without which, and what ran CellProfiler's own code."""
    report.fact("estimated_from", {channel: each.sites for channel, each in made.items()})
    report.fact("left_out", {channel: each.left_out for channel, each in made.items() if each.left_out})
    report.fact("greatest", {channel: each.greatest for channel, each in made.items()})
    for channel, each in made.items():
        if each.camera_bits:
            report.warn(
                f"channel {channel}: no pixel is above {2**each.camera_bits - 1:,}, as of a {each.camera_bits}-bit "
                "camera; [cells] camera_bits = auto takes the images so, if that is true of all channels"
            )
        if each.left_out:
            report.warn(f"channel {channel} is estimated without {images.summary('its images', each.left_out)}")
    stock = {why: first for each in made.values() for why, first in each.stock.items()}
    report.fact("ran_stock", stock)
    for why, first in stock.items():
        report.warn(f"{why} (first for {first})")


def _sha256(name: str, text: str, channels: Sequence[str]) -> str:
    """Return the hash of the pipelines of all channels, the same in every shard."""
    rendered = dict.fromkeys(pipelines.render(name, text, [channel]).text for channel in channels)
    return hashlib.sha256("".join(rendered).encode("utf-8")).hexdigest()


def _estimate(args: Namespace, table: load_data.LoadData, text: str, channel: str, report: program.Report) -> Estimate:
    """Write the function of a channel."""
    started = time.monotonic()
    try:
        # A literal pipeline names its own channels, so it must be given all of them.
        needed = table.of_channels([channel] if pipelines.is_template(text) else table.channels())
        span = images.Span(channel)
        usable, shape, faults = _usable(needed, args.images, args.max_failed_fraction, span.look)
        _check_span(span)
        with tempfile.TemporaryDirectory(prefix="illumination-") as scratch:
            pipeline = pipelines.render(args.pipeline.name, text, [channel])
            witness = _run(pipeline, usable, Path(scratch), args.engine)
            name = f"{args.plate}_Illum{channel}.npy"
            function = images.read_function(Path(scratch) / "out" / name)
            _check(name, function, shape)
            args.write_illumination.mkdir(parents=True, exist_ok=True)
            shutil.move(str(Path(scratch) / "out" / name), str(args.write_illumination / name))
    except (ValueError, program.DataError) as error:
        report.unit(channel, "failed", time.monotonic() - started, str(error).splitlines()[0])
        raise program.DataError(f"channel {channel}: {error}") from error
    report.unit(channel, "ok", time.monotonic() - started)
    told = _says_its_range(args.images / usable.rows[0][f"FileName_Orig{channel}"])
    greatest = int(span.greatest) if span.wide and not told else WHITE
    return Estimate(len(usable.rows), faults, witness.stock, 0 if told else span.bits(), greatest)


def _usable(
    table: load_data.LoadData, folder: Path, max_failed_fraction: float, look: images.Look
) -> tuple[load_data.LoadData, images.Shape, dict[str, str]]:
    """Return the sites with good images of the usual size, that size, and what is wrong with the others.

    Raises DataError if they are more than may be left out.
    """
    shapes, faults = images.inspect(table, folder, look)
    usual = max(set(shapes.values()), key=list(shapes.values()).count, default=())
    faults.update({site: f"its size is {shape}, elsewhere {usual}" for site, shape in shapes.items() if shape != usual})
    if quarantine.exceeds(len(faults), len(table.rows), max_failed_fraction):
        raise program.DataError(images.summary(table.name, faults))
    good = tuple(row for row in table.rows if load_data.site_name(row) not in faults)
    return replace(table, rows=good), usual, faults


def _run(pipeline: pipelines.Pipeline, table: load_data.LoadData, scratch: Path, engine: str) -> replacements.Witness:
    job = run_cellprofiler.Run(
        pipeline,
        table.write(scratch / "load_data.csv"),
        [load_data.site_name(row) for row in table.rows],
        scratch / "out",
        scratch / "cellprofiler",
        replacements.FOLDER if engine == "fast" else None,
    )
    return run_cellprofiler.run(job, lambda image, seconds: None)


def _says_its_range(path: Path) -> bool:
    """Say whether a readable TIFF says what is white in it."""
    with tifffile.TiffFile(path) as tiff:
        return MAX_SAMPLE_VALUE in getattr(tiff.pages[0], "tags", ())


def _check_span(span: images.Span) -> None:
    """Raise ValueError if there is nothing in a channel's images."""
    if span.least == span.greatest:
        raise ValueError(
            f"every pixel of every image is {span.least:g}: the channel is empty. Leave it out: give it the name - in "
            "[load_data] channels (8=-), or take its columns out of your load_data table"
        )


def _check(name: str, function: np.ndarray, shape: images.Shape) -> None:
    if function.shape != shape:
        raise ValueError(f"{name} is {function.shape}, the channel's images are {shape}")


if __name__ == "__main__":
    program.run(main)
