"""List the images of a plate: one row a site, one column a channel, with and without the illumination functions."""

from __future__ import annotations

from pathlib import Path

import load_data_tables
import plane_index
import positions
import preflight
from stagekit import program


def main() -> None:
    flags = program.parser(__doc__)
    load_data_tables.add_flags(flags)
    flags.add_argument("--planes", required=True, nargs="*", type=Path, help="the index of an added plate's planes")
    flags.add_argument(
        "--z", required=True, help="which plane or projection of an index is measured, or empty: [images] z"
    )
    flags.add_argument("--time", required=True, help="which time point, or empty: [images] time")
    flags.add_argument(
        "--imported", required=True, choices=["true", "false"], help="whether images were made of the index"
    )
    args = flags.parse_args()
    with program.Report(args.output) as report:
        listed = plane_index.read(args.planes[0], args.z, args.time, args.imported == "true") if args.planes else []
        images, wrong = preflight.found(args, listed)
        stage = plane_index.positions(listed) if listed else positions.read(args.images)
        load_data_tables.finish(args, images, wrong, stage, report)


if __name__ == "__main__":
    program.run(main)
