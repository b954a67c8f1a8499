"""Take a published load_data table: hold it against the images that are here, and let it name them where they lie."""

from __future__ import annotations

import argparse
from pathlib import Path

import image_index
import load_data_tables
import plate_wells
import positions
import published_load_data
import tiff_headers
from faults import Fault
from image_index import Found
from published_load_data import Listed
from stagekit import program


def main() -> None:
    flags = program.parser(__doc__)
    load_data_tables.add_flags(flags)
    flags.add_argument("--published_load_data", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        listed, wrong = published_load_data.read(args.published_load_data, args.plate)
        form = image_index.naming(args.pattern, args.channels, args.ignore)
        images = published_load_data.as_found(listed, form.channels)
        wrong += check(args, form, listed, images)
        load_data_tables.finish(args, images, wrong, listed.stage or positions.read(args.images), report)


def check(args: argparse.Namespace, form: image_index.Naming, listed: Listed, images: Found) -> list[Fault]:
    """Return what is wrong between the table, the folder and the platemap."""
    there, _ = image_index.index(args.images, form)
    lacking = published_load_data.hold_against(listed, there, args.published_load_data.name)
    missing = {fault.file for fault in lacking if fault.rule == "file_missing"}
    readable = {
        site: {channel: [name for name in names if name not in missing] for channel, names in channels.items()}
        for site, channels in images.items()
    }
    return [
        *lacking,
        *image_index.check_channels(images),
        *image_index.check_counts(there, form, args.expected_images),
        *plate_wells.check(images, args.platemap),
        *tiff_headers.check(args.images, readable),
    ]


if __name__ == "__main__":
    program.run(main)
