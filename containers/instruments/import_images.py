"""Make plain grey TIFFs, one a channel and site, of images of any form that an index of planes lists.

Unit and shard: sites. Writes <well>_s<site>_<channel>.tiff: of a plane, or of several by a projection.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

import image_parts
import projection
import tifffile
from image_parts import Pixels
from stagekit import planes, program
from stagekit.planes import Key, Row

Sites = Mapping[str, Mapping[Key, Sequence[Row]]]
"""site -> image -> its planes."""


@dataclass
class Found:
    """What a person should know of the images."""

    beyond: Counter[str] = field(default_factory=Counter)
    """Site -> pixels that are beyond black or white."""
    absent: Counter[str] = field(default_factory=Counter)
    """Array -> pieces that are not there."""

    def said(self) -> Iterator[str]:
        if +self.beyond:
            first = f"{self.beyond.total():,} pixels of {len(+self.beyond)} sites, first {next(iter(+self.beyond))}"
            yield f"{first}, are beyond what [images] scale says is black or white"
        if +self.absent:
            first = f"{self.absent.total():,} pieces of {len(+self.absent)} arrays, first {next(iter(+self.absent))}"
            yield f"{first}, are not there, and were read as the value that the array is filled with"


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--images", required=True, type=Path, help="the folder that the index names files of")
    flags.add_argument("--planes", required=True, nargs="*", type=Path, help="the index of an added plate's planes")
    flags.add_argument("--z", required=True, help="a plane's number, max, mean or sharpest; empty: the only one")
    flags.add_argument("--time", required=True, help="which time point, or empty: the only one")
    flags.add_argument("--scale", required=True, type=projection.scale, help="black to white, or empty: as they are")
    flags.add_argument("--exclude", required=True, help="sites and wells to leave out: A01-1,B02")
    flags.add_argument("--write_images", required=True, type=Path)
    flags.add_argument("--shard", required=True, type=program.shard, help="sites by name, or k/n: a slice of them")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        if not args.planes:
            raise program.DataError(f"plate {args.plate} was not added by add-plate: there is nothing to import")
        sites = _sites(planes.read(args.planes[0]), args)
        args.write_images.mkdir(parents=True, exist_ok=True)
        found = Found()
        wanted = args.shard.of(list(sites))
        faults = {site: fault for site in wanted if (fault := _import(site, sites, args, report, found))}
        for warning in found.said():
            report.warn(warning)
        if faults:
            shown = "\n  ".join(f"{site}: {fault}" for site, fault in list(faults.items())[:50])
            said = f"{args.planes[0].name}: {len(faults)} sites cannot be imported"
            raise program.DataError(f"{said}; copy them again, or leave them out: [preflight] exclude\n  {shown}")


def _sites(rows: Sequence[Row], args: Namespace) -> Sites:
    """Return the images of every site but those to leave out, in the order of the index."""
    excluded = args.exclude.split(",")
    chosen = planes.stacks(planes.chosen(rows, args.z, args.time, args.planes[0].name))
    sites: dict[str, dict[Key, Sequence[Row]]] = {}
    for key, stack in chosen.items():
        site = f"{key[0]}-{key[1]}"
        if not {site, key[0]} & {*excluded}:
            sites.setdefault(site, {})[key] = stack
    usual = {channel: _usual(chosen, channel) for channel in {channel for _, _, channel in chosen}}
    for site, images in sites.items():
        sites[site] = {key: stack if len(stack) == usual[key[2]] else () for key, stack in images.items()}
    return sites


def _usual(chosen: Mapping[Key, Sequence[Row]], channel: str) -> int:
    counts = Counter(len(stack) for (_, _, own), stack in chosen.items() if own == channel)
    return max(counts, key=lambda count: (counts[count], count))


def _import(site: str, sites: Sites, args: Namespace, report: program.Report, found: Found) -> str:
    """Write the images of a site; return what is wrong with one, if anything, and then leave none of them."""
    started = time.monotonic()
    made = [(args.write_images / planes.image_name(key), key, stack) for key, stack in sites[site].items()]
    try:
        for path, key, stack in made:
            if not stack:
                raise ValueError(f"channel {key[2]} has not as many planes as at other sites: a plane is missing")
            found.beyond[site] += _write(path, stack, args)
        for file in {row["file"]: row for _, _, stack in made for row in stack}:
            found.absent[file] = image_parts.absent(args.images / file)
    except ValueError as error:
        for path, _, _ in made:
            path.unlink(missing_ok=True)
        report.unit(site, "failed", time.monotonic() - started, str(error))
        return str(error)
    report.unit(site, "ok", time.monotonic() - started)
    return ""


def _write(path: Path, stack: Sequence[Row], args: Namespace) -> int:
    """Write an image; return how many of its pixels are beyond black or white. Raises ValueError, naming the file."""
    try:
        image, beyond = projection.stretch(projection.project(_planes(args.images, stack), args.z), args.scale)
    except ValueError as error:
        raise ValueError(f"{stack[0]['source']}: {error}") from error
    # No date, no program's name, no description: the same pixels are the same bytes.
    tifffile.imwrite(
        path,
        image,
        photometric="minisblack",
        compression="zlib",
        compressionargs={"level": 1},
        metadata=None,
        software="",
    )
    return beyond


def _planes(folder: Path, stack: Sequence[Row]) -> Iterator[Pixels]:
    """Yield the planes of a stack, each file opened once as long as its planes follow each other."""
    for file, rows in groupby(stack, key=lambda row: row["file"]):
        yield from image_parts.read(folder / file, [row.get(planes.AT, "") for row in rows])


if __name__ == "__main__":
    program.run(main)
