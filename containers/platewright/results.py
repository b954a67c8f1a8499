"""A data root's results by name, as pandas tables with the right types; it needs no task and no engine.

Metadata_* are text (a barcode stays `0042`), missing where nothing is written; counts are whole numbers; features are
numbers. Profiles need pandas; single cells need pyarrow too, which is imported when they are asked for.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

COUNTS = re.compile(r"Metadata_(Site_Count|Object_Count|Count_.+)")
WELL_FORM = re.compile(r"(?P<plate>.+)-(?P<well>[A-Z]{1,2}[0-9]{2})-(?P<site>[0-9]+)")
STEP = "normalized_feature_select_negcon_batch"
"""The profiles that the benchmark ranks; "" are the well averages, "augmented" those with the platemap."""
MISSING = ["", "nan", "NaN", "NA"]
SUFFIXES = (".csv.gz", ".csv")


class ResultsError(Exception):
    """What is asked for is not there; the text says where it would lie, and what lies there."""


@dataclass(frozen=True)
class Results:
    """The results of a project and source below a data root."""

    root: Path
    dataset: Path

    @classmethod
    def of(cls, root: str | os.PathLike[str], project: str = "", source: str = "") -> Results:
        """Find them; raise ResultsError if there are none, or several and nothing says which."""
        base = Path(root).expanduser().resolve()
        found = [each.parent for each in sorted(base.glob(f"{project or '*'}/{source or '*'}/workspace"))]
        if len(found) != 1:
            shown = ", ".join(each.relative_to(base).as_posix() for each in found) or "none"
            message = f"{base}: it holds the datasets {shown}; name one that is there"
            raise ResultsError(f"{message}: platewright.open(root, project=..., source=...)")
        return cls(base, found[0])

    def batches(self) -> list[str]:
        """Return the batches that have profiles or a list of plates."""
        places = (self.dataset / "workspace/profiles", self.dataset / "workspace/metadata/platemaps")
        return sorted({each.name for place in places for each in _folders(place)})

    def plates(self, batch: str) -> list[str]:
        """Return the plates of a batch that have profiles."""
        found = sorted(each.name for each in _folders(self.dataset / "workspace/profiles" / batch))
        if not found:
            raise ResultsError(
                f"batch {batch} has no profiles; the batches here are {', '.join(self.batches()) or 'none'}"
            )
        return found

    def steps(self, batch: str, plate: str) -> list[str]:
        """Return which profiles a plate has, as `profiles` names them."""
        names = (each.name for each in (self.dataset / "workspace/profiles" / batch / plate).glob(f"{plate}*.csv.gz"))
        return sorted(name[len(plate) : -len(".csv.gz")].lstrip("_") for name in names)

    def profiles(self, batch: str, step: str = STEP, plate: str = "") -> pd.DataFrame:
        """Return the profiles of a plate, or of all plates of a batch: a row a well, metadata first.

        Of several plates it has the columns of the first, then what others have beside them.
        """
        pandas = _library("pandas", "profiles")
        plates = [plate] if plate else self.plates(batch)
        tables = [_profiles(pandas, path) for each in plates if (path := self._profile(batch, each, step, bool(plate)))]
        if not tables:
            steps = self.steps(batch, plates[0])
            raise ResultsError(f"no plate of batch {batch} has the profiles {step!r}; plate {plates[0]} has {steps}")
        joined: pd.DataFrame = pandas.concat(tables, ignore_index=True)
        return joined[[*_metadata(joined), *features(joined)]]

    def consensus(self, batch: str, plate_set: str = "") -> pd.DataFrame:
        """Return a row a perturbation, of a set of plates; by itself of the batch."""
        path = self.dataset / "workspace/profiles" / batch / f"{plate_set or batch}_consensus.csv.gz"
        if not path.is_file():
            raise ResultsError(f"{path}: there is no consensus of {plate_set or batch}; make it: luigi ... Consensus")
        return _profiles(_library("pandas", "profiles"), path)

    def cells(self, batch: str, plate: str, wells: Sequence[str] = (), columns: Sequence[str] = ()) -> pd.DataFrame:
        """Return a plate's single cells, or those of some wells: a row a cell; `columns` are features by name.

        The cells of a whole plate need as many GB as its Parquet files take, several times: ask for wells or columns.
        """
        _library("pandas", "single cells")
        dataset = _library("pyarrow.dataset", "single cells")
        data = dataset.dataset([str(path) for path in self._cell_files(batch, plate, wells)], format="parquet")
        names = list(data.schema.names)
        unknown = [name for name in columns if name not in names]
        if unknown:
            raise ResultsError(
                f"the cells of plate {plate} have no column {unknown[0]}; they have {', '.join(names[:8])}"
            )
        wanted = [name for name in names if name.startswith("Metadata_") or not columns or name in columns]
        read = data.to_table(columns=wanted, use_threads=False)
        texts = {name: "string" for name in ("Metadata_Plate", "Metadata_Well", "Metadata_Site") if name in wanted}
        table: pd.DataFrame = read.to_pandas().astype(texts)
        return table

    def images(self, batch: str, plate: str) -> pd.DataFrame:
        """Return the images of a plate: plate, well, site, channel, path; a row an image."""
        pandas = _library("pandas", "the list of images")
        folder = self.dataset / "workspace/load_data_csv" / batch / plate
        path = next((each for end in SUFFIXES if (each := folder / f"load_data{end}").is_file()), None)
        if not path:
            raise ResultsError(f"{folder}: there is no load_data.csv of plate {plate}; was the plate measured here?")
        table = pandas.read_csv(path, dtype="string", keep_default_na=False)
        channels = [name[len("FileName_Orig") :] for name in table.columns if name.startswith("FileName_Orig")]
        rows = [
            (row["Metadata_Plate"], row["Metadata_Well"], int(row["Metadata_Site"]), channel, self._image(row, channel))
            for row in table.to_dict("records")
            for channel in channels
        ]
        return _table(pandas, rows, ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "channel", "path"])

    def outlines(self, batch: str, plate: str) -> pd.DataFrame:
        """Return the pictures of outlines of a plate: plate, well, site, objects, path; a row a picture."""
        pandas = _library("pandas", "the list of outlines")
        folder = self.dataset / "workspace/analysis" / batch / plate
        rows = []
        for path in sorted(folder.glob("**/outlines/*.*")):
            match = WELL_FORM.fullmatch(path.parent.parent.name)
            if match:
                objects = path.stem.rpartition("--")[2].replace("_outlines", "")
                rows.append((match["plate"], match["well"], int(match["site"]), objects, str(path)))
        if not rows:
            raise ResultsError(f"{folder}: no outlines of plate {plate} lie here; were they kept ([storage] delete)?")
        return _table(pandas, rows, ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "objects", "path"])

    def _profile(self, batch: str, plate: str, step: str, needed: bool) -> Path | None:
        folder = self.dataset / "workspace/profiles" / batch / plate
        name = f"{plate}_{step}" if step else plate
        found = next((path for end in SUFFIXES if (path := folder / f"{name}{end}").is_file()), None)
        if needed and not found:
            here = ", ".join(map(repr, self.steps(batch, plate))) or "none"
            raise ResultsError(f"{folder}: plate {plate} has no profiles {step!r}; it has {here}")
        return found

    def _cell_files(self, batch: str, plate: str, wells: Sequence[str]) -> list[Path]:
        places = [self.dataset / f"workspace/{each}/{batch}/{plate}/{plate}_cells" for each in ("backend", "imported")]
        folder = next((each for each in places if each.is_dir()), None)
        if not folder:
            raise ResultsError(
                f"{places[0]}: plate {plate} has no Parquet of single cells; set [collate] parquet = true"
            )
        held = {path.stem: path for path in sorted(folder.glob("*.parquet"))}
        unknown = [well for well in wells if well not in held]
        if unknown:
            raise ResultsError(f"{folder}: well {unknown[0]} has no cells here; there are {', '.join(list(held)[:8])}")
        return [held[well] for well in wells or held]

    def _image(self, row: dict[Any, Any], channel: str) -> str:
        """Return where an image lies: paths of load_data are below the data root, or are a person's own."""
        return str(self.root / str(row.get(f"PathName_Orig{channel}", "")) / str(row[f"FileName_Orig{channel}"]))


def features(table: pd.DataFrame) -> list[str]:
    """Return the names of a table's features: all columns that are no metadata."""
    return [str(name) for name in table.columns if not str(name).startswith("Metadata_")]


def _metadata(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table.columns if str(name).startswith("Metadata_")]


def _profiles(pandas: Any, path: Path) -> pd.DataFrame:
    """Read profiles: exact text, whole counts, and features as they are written."""
    names = list(pandas.read_csv(path, nrows=0).columns)
    texts = [name for name in names if name.startswith("Metadata_")]
    missing = {name: MISSING if name not in texts else [""] for name in names}
    kinds = {name: "string" if name in texts else "float64" for name in names}
    try:
        table = pandas.read_csv(
            path, dtype=kinds, keep_default_na=False, na_values=missing, float_precision="round_trip"
        )
        whole = {name: "Int64" for name in texts if COUNTS.fullmatch(name)}
        made: pd.DataFrame = table.astype(dict.fromkeys(whole, "Float64")).astype(whole)
    except (ValueError, EOFError, OSError) as error:
        raise ResultsError(f"{path}: it is no whole table of profiles: {error}") from error
    return made


def _table(pandas: Any, rows: list[tuple[Any, ...]], names: list[str]) -> pd.DataFrame:
    table: pd.DataFrame = pandas.DataFrame(rows, columns=names)
    return table.astype({name: "string" for name in names if name != "Metadata_Site"})


def _folders(place: Path) -> Iterator[Path]:
    return (each for each in sorted(place.iterdir()) if each.is_dir()) if place.is_dir() else iter(())


def _library(name: str, what: str) -> Any:
    """Import a library that the toolkit itself does without."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise ResultsError(f"{what} are read with {package}, which is not installed: pip install {package}") from error
