"""The index of a plate's images: one row a plane. It is written when a plate is added, and read in place of names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

from stagekit import tables
from stagekit.contracts import PLACE
from stagekit.program import DataError
from stagekit.rules import FINITE, TEXT, WHOLE, Form, Table, Values

AT = "at"
PART = Form("whole numbers by commas", re.compile(r"\d+(,\d+)*"))
TABLE = Table(
    "planes",
    ("file", "source", "well", "site", "channel", "z", "time", "x_m", "y_m"),
    key=("well", "site", "channel", "z", "time"),
    values=(
        Values("file", TEXT),
        Values("source", TEXT),
        Values("well", TEXT, form=PLACE),
        Values("site", WHOLE, least=0),
        Values("channel", TEXT),
        Values("z", WHOLE, least=0),
        Values("time", WHOLE, least=0),
        Values("x_m", FINITE, needed=False),
        Values("y_m", FINITE, needed=False),
        Values(AT, TEXT, needed=False, form=PART),
    ),
)
"""file: the name in the plate's image folder. source: the path below the folder that the instrument exported. x_m, y_m:
where the stage stood, in metres. And perhaps `at`, which part of the file the plane is: a page of a TIFF, or the
indices of an array before y and x, from 0. It is empty for a file that is measured as it is, one grey plane."""
PROJECTIONS = ("max", "mean", "sharpest")
Row = Mapping[str, str]
Key = Tuple[str, int, str]
"""Well, site and channel."""


def read(path: Path) -> List[Dict[str, str]]:
    """Return the rows of an index that keeps its contract; raise DataError if it does not."""
    header, *rows = tables.lines(path) or [[]]
    TABLE.check(header, path.name)
    TABLE.check_rows(header, rows, path.name)
    if not rows:
        raise DataError(f"{path.name}: it lists no image; add the plate again")
    return [dict(zip(header, row)) for row in rows]


def chosen(rows: Sequence[Row], z: str, time: str, where: str) -> List[Row]:
    """Return the rows of one time point, and of one plane or those that are projected.

    Raises DataError, naming the setting, if that takes a choice. A channel that has one plane only, as one that the
    instrument projected, is taken with that plane.
    """
    at_time = _of(rows, "time", time, where, "time points")
    found: List[Row] = []
    for channel in dict.fromkeys(row["channel"] for row in at_time):
        own = [row for row in at_time if row["channel"] == channel]
        all_of_it = z in PROJECTIONS or len({row["z"] for row in own}) == 1
        found += own if all_of_it else _of(own, "z", z, f"{where}: channel {channel}", "planes")
    return found


def are_plain(rows: Sequence[Row]) -> bool:
    """Say whether each of the chosen images is a file that can be measured as it is: nothing has to be imported."""
    return not any(row.get(AT) for row in rows) and len({key(row) for row in rows}) == len(rows)


def stacks(rows: Sequence[Row]) -> Dict[Key, List[Row]]:
    """Return the planes of every image of chosen rows, sorted by z."""
    found: Dict[Key, List[Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["z"])):
        found.setdefault(key(row), []).append(row)
    return {each: found[each] for each in dict.fromkeys(map(key, rows))}


def imported(rows: Sequence[Row]) -> List[Row]:
    """Return a row an image that is imported from chosen rows, under the name that it gets."""
    return [{**own[0], "file": image_name(each), AT: ""} for each, own in stacks(rows).items()]


def key(row: Row) -> Key:
    """Return which image a plane belongs to."""
    return row["well"], int(row["site"]), row["channel"]


def image_name(of: Key) -> str:
    """Return the name of an imported image."""
    well, site, channel = of
    return f"{well}_s{site}_{channel}.tiff"


def _of(rows: Sequence[Row], column: str, wanted: str, where: str, what: str) -> List[Row]:
    """Return the rows of the wanted number, or all if there is one number only and none is wanted."""
    numbers = sorted({int(row[column]) for row in rows})
    if not wanted and len(numbers) == 1:
        return list(rows)
    if not wanted or int(wanted) not in numbers:
        shown = ", ".join(map(str, numbers[:10])) + (f" ... {numbers[-1]}" if len(numbers) > 10 else "")
        has = f"{wanted} is none of its {what}" if wanted else f"it has {len(numbers)} {what}"
        message = f"{where}: {has}; one is measured. Choose it: [images] {column} = <one of {shown}>"
        raise DataError(f"{message}, or a projection: {', '.join(PROJECTIONS)}" if column == "z" else message)
    return [row for row in rows if int(row[column]) == int(wanted)]
