"""Look at a plate's images before anything is computed: all faults in one table, and the sites that may be used."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import faults
import image_folder
import image_index
import plane_index
import plate_wells
import tiff_headers
from faults import Fault
from image_index import Found, Site
from stagekit import program
from stagekit.planes import Row


@dataclass(frozen=True)
class Usable:
    """The images that a run may use: site -> channel -> file name, sites sorted."""

    images: dict[Site, dict[str, str]]

    @property
    def channels(self) -> list[str]:
        return list(next(iter(self.images.values())))


def add_flags(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("--images", required=True, type=image_folder.of, help="the folder of the plate's TIFFs")
    flags.add_argument("--platemap", required=True, type=Path)
    flags.add_argument("--pattern", required=True, help="the form of image names: [load_data] pattern")
    flags.add_argument("--channels", required=True, help="what the pattern's channel says=its name, ...")
    flags.add_argument("--ignore", required=True, help="forms of names that are passed over: .*,*_thumb*")
    flags.add_argument("--expected_images", required=True, type=int, help="the published number of images, or 0")
    flags.add_argument("--exclude", required=True, help="sites and wells to leave out: A01-1,B02")
    flags.add_argument("--faulty_sites", required=True, choices=["stop", "exclude"])
    flags.add_argument("--write_preflight", required=True, type=Path)


def found(args: argparse.Namespace, listed: Sequence[Row]) -> tuple[Found, list[Fault]]:
    """Return what lies in the folder, or is listed of it, and the faults of names or list, headers and platemap."""
    form = image_index.naming(args.pattern, args.channels, args.ignore)
    images, wrong = plane_index.index(args.images, listed) if listed else image_index.index(args.images, form)
    wrong += image_index.check_counts(images, form, args.expected_images)
    wrong += plate_wells.check(images, args.platemap)
    wrong += tiff_headers.check(args.images, images)
    return images, wrong


def settle(args: argparse.Namespace, images: Found, wrong: Sequence[Fault], report: program.Report) -> Usable:
    """Write the table of faults, stop if errors are left, and record what is left out."""
    by_name = {str(site): site for site in images}
    exclude = [unit for unit in args.exclude.split(",") if unit]
    verdict = faults.judge(by_name, wrong, exclude, args.faulty_sites)
    verdict.write(args.write_preflight)
    faults.stop(verdict, args.write_preflight)
    for rule in dict.fromkeys(fault.rule for fault in wrong if verdict.severity(fault) == faults.WARNING):
        same = [fault for fault in wrong if fault.rule == rule]
        first = ": ".join(part for part in (same[0].unit, same[0].file, same[0].said) if part)
        report.warn(first if len(same) == 1 else f"{len(same)} x {rule}, the first: {first}")
    if verdict.excluded:
        report.warn(f"{len(verdict.excluded)} of the plate's {len(by_name)} sites are excluded: see preflight.tsv")
    report.fact("excluded_sites", dict(verdict.excluded))
    return Usable(image_index.single(images, [by_name[name] for name in verdict.kept]))


def record(usable: Usable, wrong: Sequence[Fault], report: program.Report) -> None:
    """Record the units of later stages, and what the plate holds."""
    report.fact("site", [str(site) for site in usable.images])
    report.fact("channel", usable.channels)
    report.fact("wells", len({site.well for site in usable.images}))
    report.fact("wells_without_images", [fault.unit for fault in wrong if fault.rule == "well_without_images"])
