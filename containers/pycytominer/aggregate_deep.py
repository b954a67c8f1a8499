"""Average the deep features of a plate: the cells of a site, then the sites of a well, each site counting the same.

Reads npz files as DeepProfiler lays them, <Well>/<Site>.npz, or flat, <Well>_<Site>.npz.
"""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional

import numpy as np
import pandas as pd
import profiles
from stagekit import contracts, program

WELL = r"(?P<well>[A-Z]+[0-9]+)"
FORMS = (
    re.compile(rf"(?:.*/)?{WELL}/(?P<site>[0-9]+)\.npz"),
    re.compile(rf"(?:.*[/_])?{WELL}[_-](?P<site>[0-9]+)\.npz"),
)


class Site(NamedTuple):
    """A file of features."""

    well: str
    number: int
    path: Path


def main() -> None:
    """Read the flags, average, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--embeddings", required=True, type=Path, help="the folder of the plate's npz files")
    flags.add_argument("--parquet", required=True, choices=["true", "false"], help="the single cells, too")
    flags.add_argument("--behaviour", required=True, choices=profiles.BEHAVIOURS, help="as_published: without counts")
    flags.add_argument("--write_profiles", required=True, type=Path)
    flags.add_argument("--write_cells", required=True, type=Path, help="a folder of Parquet files, one a well")
    args = flags.parse_args()
    with program.Report(args.output) as report:
        cells = args.write_cells if args.parquet == "true" else None
        table = aggregate(find(args.embeddings, args.plate), args.plate, cells, report)
        counts = [name for name in table if name.startswith("Metadata_") and name.endswith("_Count")]
        profiles.write(table.drop(columns=counts) if args.behaviour == "as_published" else table, args.write_profiles)


def find(folder: Path, plate: str) -> List[Site]:
    """Return a plate's files by well and site; DataError for one that is of no site, or a site that is there twice."""
    found: Dict[tuple, Path] = {}
    for path in sorted(folder.rglob("*.npz")):
        name = path.relative_to(folder).as_posix()
        match = next((match for form in FORMS if (match := form.fullmatch(name))), None)
        if not match:
            raise program.DataError(f"{name}: not named like {plate}/A01/1.npz or {plate}/A01_1.npz; move it away")
        key = (match["well"], int(match["site"]))
        if key in found:
            raise program.DataError(f"{name}: site {match['well']}-{key[1]} is in {found[key].name} too; keep one")
        found[key] = path
    if not found:
        raise program.DataError(f"{folder.name}: holds no npz file of plate {plate}; was it profiled?")
    return [Site(*key, path) for key, path in sorted(found.items())]


def aggregate(found: List[Site], plate: str, cells: Optional[Path], report: program.Report) -> pd.DataFrame:
    """Return one row a well: plate, well, counts, the mean of its sites' means; `cells` is where they are kept."""
    wells: Dict[str, List[Site]] = {}
    for site in found:
        wells.setdefault(site.well, []).append(site)
    rows, places, width = [], [], 0
    for well, own in wells.items():
        features = [_features(site) for site in own]
        width = width or features[0].shape[1]
        for site, values in zip(own, features, strict=True):
            if values.shape[1] != width:
                message = f"{well}-{site.number}: {values.shape[1]} features, the first site has {width}"
                raise program.DataError(f"{message}; profile the plate with one network")
        rows.append(np.mean([values.mean(axis=0, dtype="float64") for values in features], axis=0))
        counts = {"Metadata_Site_Count": len(own), "Metadata_Object_Count": sum(map(len, features))}
        places.append({"Metadata_Plate": plate, "Metadata_Well": well, **counts})
        if cells:
            _write_cells(cells / f"{well}.parquet", plate, own, features)
    report.fact("wells", len(rows))
    report.fact("sites", len(found))
    report.fact("cells", sum(place["Metadata_Object_Count"] for place in places))
    report.fact("features", width)
    return pd.DataFrame(places).join(pd.DataFrame(np.stack(rows), columns=_names(width)))


def _features(site: Site) -> np.ndarray:
    try:
        with np.load(site.path, allow_pickle=False) as file:
            values = file["features"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        message = f"{site.well}-{site.number}: {site.path.name} is no whole npz with features ({error})"
        raise program.DataError(f"{message}; profile the site again") from error
    if values.ndim != 2 or not len(values) or not np.isfinite(values).all():
        message = f"{site.well}-{site.number}: features of shape {values.shape}, or not all finite"
        raise program.DataError(f"{message}; a row a cell of finite numbers is needed: profile the site again")
    return values


def _names(width: int) -> List[str]:
    return [f"{contracts.DEEP_PREFIX}{at}" for at in range(width)]


def _write_cells(path: Path, plate: str, own: List[Site], features: List[np.ndarray]) -> None:
    import pyarrow
    import pyarrow.parquet

    values = np.concatenate(features)
    columns: Dict[str, pyarrow.Array] = {
        "Metadata_Plate": pyarrow.array([plate] * len(values)),
        "Metadata_Well": pyarrow.array([own[0].well] * len(values)),
        "Metadata_Site": pyarrow.array(np.repeat([str(site.number) for site in own], [len(each) for each in features])),
    }
    columns |= dict(zip(_centre_names(), (pyarrow.array(axis) for axis in _centres(own).T), strict=True))
    columns |= {name: pyarrow.array(column) for name, column in zip(_names(values.shape[1]), values.T, strict=True)}
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(columns), path, compression="zstd", use_dictionary=list(columns)[:3])


def _centre_names() -> Iterator[str]:
    return (f"Metadata_Nuclei_Location_Center_{axis}" for axis in "XY")


def _centres(own: List[Site]) -> np.ndarray:
    parts = []
    for site in own:
        with np.load(site.path, allow_pickle=False) as file:
            parts.append(file["locations"])
    return np.concatenate(parts).astype("float64")


if __name__ == "__main__":
    program.run(main)
