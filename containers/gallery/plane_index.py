"""The images of a plate that was added with an index of its planes: sites and channels, and the stage's positions."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

from faults import Fault
from image_folder import ImageFolder
from image_index import Found, Site, check_channels
from stagekit import planes
from stagekit.planes import Row


def read(path: Path, z: str, time: str, imported: bool) -> List[Row]:
    """Return a row an image that is measured: a file that lies in the plate's folder, or one that was imported."""
    chosen = planes.chosen(planes.read(path), z, time, path.name)
    return planes.imported(chosen) if imported else chosen


def index(folder: ImageFolder, rows: Sequence[Row]) -> Tuple[Found, List[Fault]]:
    """Return the images by sites and channels, and every fault of the list: a file that is not there is none."""
    there = set(folder.names())
    found: Dict[Site, Dict[str, List[str]]] = defaultdict(lambda: defaultdict(list))
    faults = []
    for row in rows:
        site = Site(row["well"], int(row["site"]))
        own = found[site]  # a site that has lost all its images is a fault, too
        if row["file"] not in there:
            faults.append(Fault("file_missing", str(site), row["file"], f"the index of planes lists {row['source']}"))
            continue
        own[row["channel"]].append(row["file"])
    order = list(dict.fromkeys(row["channel"] for row in rows))
    ordered = {site: {each: found[site][each] for each in order if each in found[site]} for site in sorted(found)}
    return ordered, faults + check_channels(ordered)


def positions(rows: Sequence[Row]) -> Dict[str, Tuple[str, str]]:
    """Return image name -> where the stage stood, in metres as written; of images whose place is known."""
    return {row["file"]: (row["x_m"], row["y_m"]) for row in rows if row["x_m"] and row["y_m"]}
