"""Estimate from some sites of a plate how wide its nuclei are, and how bright nuclei, cells and background are.

Nothing is assumed of magnification or camera. All brightness is from 0 to 1 of the range of the files.
"""

from __future__ import annotations

import statistics
from argparse import Namespace
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np
import tifffile

import images
import load_data
import nucleus_width
from nucleus_width import Found
from stagekit import contracts, program

NONE = "none"
WHITE = 65535
MAX_SAMPLE_VALUE = 281  # a TIFF's tag: what is white in it; CellProfiler scales by that
LEAST_NUCLEI = 3
"""A site with fewer says nothing of brightness."""


class Site(NamedTuple):
    """The images of a site, from 0 to 1."""

    nuclei: np.ndarray
    cells: Optional[np.ndarray]

    @classmethod
    def read(cls, args: Namespace, row: load_data.Row) -> Site:
        cells = None if args.cells_channel == NONE else _read(args, row, args.cells_channel)
        return cls(_read(args, row, args.nuclei_channel), cells)

    def brightness(self, width: float) -> dict[str, float]:
        """Return what it tells of the brightness of nuclei and cells, and its count of nuclei."""
        levels = nucleus_width.levels(self.nuclei, self.cells, width)
        return {name: float(f"{value:.4g}") for name, value in levels.items()}


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--nuclei_channel", required=True)
    flags.add_argument("--cells_channel", required=True, help=f"{NONE}: there is none that shows whole cells")
    flags.add_argument("--write_estimate", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        table = load_data.read(args.load_data, contracts.LOAD_DATA, args.plate)
        seen = [Site.read(args, row) for row in table.rows]
        found = nucleus_width.joined([nucleus_width.find(site.nuclei) for site in seen])
        if not found.widths.size:
            raise program.DataError(
                f"{args.load_data.name}: on {len(seen)} sites nothing in the channel {args.nuclei_channel} has the "
                "shape of a nucleus; see whether it is the right channel ([cells] nuclei_channel), or take more --wells"
            )
        width = nucleus_width.usual(found)
        sites = [site.brightness(width) for site in seen]
        report.fact("greatest", _greatest(args, table))
        report.fact("estimate", {**_summary(sites, width), "widths": _spread(found)})
        report.fact("sites", {load_data.site_name(row): site for row, site in zip(table.rows, sites)})
        lines = [f"{name}\t{value}" for name, value in _summary(sites, width).items()]
        args.write_estimate.parent.mkdir(parents=True, exist_ok=True)
        args.write_estimate.write_text("\n".join(["name\tvalue", *lines]) + "\n", encoding="utf-8")


def _read(args: Namespace, row: load_data.Row, channel: str) -> np.ndarray:
    """Return an image from 0 to 1 of its range, as CellProfiler reads it; DataError if it cannot be read."""
    path = args.images / row[load_data.ORIGINAL + channel]
    try:
        pixels = images.read(path)
    except ValueError as error:
        raise program.DataError(str(error)) from error
    with tifffile.TiffFile(path) as tiff:
        told = getattr(tiff.pages[0], "tags", {}).get(MAX_SAMPLE_VALUE)
    white = float(told.value) if told else float(np.iinfo(pixels.dtype).max)
    return pixels.astype(np.float32) / np.float32(white)


def _summary(sites: list[dict[str, float]], width: float) -> dict[str, float]:
    """Return the median over the sites that have nuclei, of everything; of all sites if none has."""
    full = [site for site in sites if site["nuclei"] >= LEAST_NUCLEI] or sites
    medians = {name: statistics.median(site[name] for site in full) for name in full[0]}
    return {"width_px": round(width, 2), **medians}


def _spread(found: Found) -> dict[str, float]:
    """Return how wide nuclei are: the 5th, 25th, 75th and 95th percentile, in pixels."""
    return {f"p{part}": round(float(np.percentile(found.widths, part)), 1) for part in (5, 25, 75, 95)}


def _greatest(args: Namespace, table: load_data.LoadData) -> dict[str, int]:
    """Return the greatest value of each channel, as the stage illumination notes it: white if the files say it."""
    found: dict[str, int] = {}
    for channel in table.channels():
        span = images.Span(channel)
        images.inspect(table.of_channels([channel]), args.images, span.look)
        with tifffile.TiffFile(args.images / table.rows[0][load_data.ORIGINAL + channel]) as tiff:
            told = MAX_SAMPLE_VALUE in getattr(tiff.pages[0], "tags", ())
        found[channel] = int(span.greatest) if span.wide and not told else WHITE
    return found


if __name__ == "__main__":
    program.run(main)
