"""Take one site in some of a plate's wells, spread evenly over the plate: enough for a look before the expense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import tables
from stagekit import contracts, program

Row = Mapping[str, str]


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--load_data_with_illum", required=True, type=Path)
    flags.add_argument("--wells", required=True, type=int, help="how many wells; all of them if the plate has fewer")
    flags.add_argument("--write_load_data", required=True, type=Path)
    flags.add_argument("--write_load_data_with_illum", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        rows = tables.read(args.load_data, contracts.LOAD_DATA)
        taken = {key(row) for row in take(rows, args.wells)}
        tables.write(args.write_load_data, [row for row in rows if key(row) in taken])
        illuminated = tables.read(args.load_data_with_illum, contracts.LOAD_DATA_WITH_ILLUM)
        tables.write(args.write_load_data_with_illum, [row for row in illuminated if key(row) in taken])
        report.fact("site", [f"{well}-{site}" for well, site in sorted(taken)])
        report.fact("channel", [name[len("FileName_Orig") :] for name in rows[0] if name.startswith("FileName_Orig")])


def key(row: Row) -> tuple[str, str]:
    return row["Metadata_Well"], row["Metadata_Site"]


def take(rows: Sequence[Row], wells: int) -> list[Row]:
    """Return the middle site of `wells` wells at equal distances in the plate's order; raise DataError for none."""
    if wells < 1:
        raise program.DataError(f"--sample {wells}: it must be at least 1 well")
    sites: dict[str, list[Row]] = {}
    for row in sorted(
        rows, key=lambda row: (len(row["Metadata_Well"]), row["Metadata_Well"], int(row["Metadata_Site"]))
    ):
        sites.setdefault(row["Metadata_Well"], []).append(row)
    of_wells = list(sites.values())
    count = min(wells, len(of_wells))
    chosen = [of_wells[(2 * number + 1) * len(of_wells) // (2 * count)] for number in range(count)]
    return [found[len(found) // 2] for found in chosen]


if __name__ == "__main__":
    program.run(main)
