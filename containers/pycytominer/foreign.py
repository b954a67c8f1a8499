"""A table of another laboratory, as it lies there: csv, tsv (packed or not) or Parquet; metadata as text."""

from __future__ import annotations

import argparse
import csv
import re
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import pandas as pd
from stagekit import program, wells
from stagekit.features import METADATA

MISSING = ["", "nan", "NaN", "NA", "NULL", "null", "None", "<NA>"]  # of numbers
NO_TEXT = ("", "nan", "NaN", "<NA>")  # of metadata: a gene may be called NA
ROLES: Dict[str, Tuple[str, ...]] = {
    "plate": ("plate", "platename", "plateid", "platebarcode", "assayplatebarcode", "barcode"),
    "well": ("well", "wellposition", "wellid", "wellname", "wellpos", "welllabel", "assaywell"),
    "site": ("site", "field", "fieldid", "fov", "fieldindex"),
    "perturbation": (
        "broadsample", "perturbation", "perturbagen", "compound", "compoundname", "compoundid", "treatment", "drug",
        "drugname", "agent", "reagent", "jcp2022", "sgrna", "sirna",
    ),
    "dose": ("dose", "dosage", "concentration", "conc", "finalconcentration", "mmolesperliter"),
    "control": ("controltype", "control", "role", "welltype"),
}  # fmt: skip
"""What columns are called, in small letters without signs and a leading Metadata_ or Image_Metadata_."""
FIRST = ("plate", "well", "site", "broadsample", "dose", "controltype")
"""The contract's own names: a table that has one means it, whatever its other columns are called."""
LEADING = re.compile(r"^(image_)?metadata_", re.IGNORECASE)
WELL_SIGNS = re.compile(r"[\s_-]+")


def read(path: Path) -> pd.DataFrame:
    """Read a whole table, every cell as it is written; raise DataError, naming the file, if it is none."""
    try:
        table = _parquet(path) if path.suffix == ".parquet" else _text(path)
    except (OSError, EOFError, ValueError, csv.Error) as error:  # pandas' and Arrow's own are ValueErrors
        raise program.DataError(f"{path.name}: it cannot be read as a table: {error}; write it anew") from error
    table.columns = [str(name).strip() for name in table.columns]
    table = table[[name for name in table.columns if name and not name.startswith(("Unnamed:", "__index_level_"))]]
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise program.DataError(f"{path.name}: the column {twice[0]} stands there twice; keep one, or rename it")
    if table.empty:
        raise program.DataError(f"{path.name}: it has a header and no row; write it anew")
    return table


def _text(path: Path) -> pd.DataFrame:
    name = path.name[:-3] if path.suffix == ".gz" else path.name
    packed = "gzip" if path.suffix == ".gz" else None
    separator = "\t" if name.endswith((".tsv", ".txt")) else ","
    how: Dict[str, Any] = {
        "sep": separator,
        "encoding": "utf-8-sig",
        "compression": packed,
        "float_precision": "round_trip",
    }
    names = list(pd.read_csv(path, nrows=0, **how).columns)
    numbers = pd.read_csv(path, keep_default_na=False, na_values=MISSING, low_memory=False, **how)
    texts = [each for each in names if not pd.api.types.is_float_dtype(numbers[each]) or _is_metadata(each)]
    if texts:  # 0042, 1E5 and True are text where they are no measurement
        written = pd.read_csv(path, usecols=texts, dtype="str", keep_default_na=False, **how)
        numbers = numbers.astype(dict.fromkeys(texts, "object"))
        numbers[texts] = written[texts]
    return numbers


def _is_metadata(name: str) -> bool:
    return bool(LEADING.match(name.strip())) or plain(name) in {each for names in ROLES.values() for each in names}


def _parquet(path: Path) -> pd.DataFrame:
    import pyarrow.parquet  # takes a third of a second, which a csv need not wait for

    with pyarrow.parquet.ParquetFile(path) as file:
        table = file.read(use_threads=False)
    columns: Dict[str, Any] = {}
    for name in table.column_names:
        column = table[name]
        if pyarrow.types.is_list(column.type) or pyarrow.types.is_large_list(column.type):
            columns.update(_spread(name, column, path))
        elif pyarrow.types.is_dictionary(column.type):
            columns[name] = pd.Series(column.cast(column.type.value_type).to_pylist(), dtype="object")
        else:
            columns[name] = column.to_pandas()
    return pd.DataFrame(columns)


def _spread(name: str, column: Any, path: Path) -> Dict[str, np.ndarray]:
    """Return a column of vectors, as deep features come in, as a column a number: all_0, all_1, ..."""
    rows = column.to_pylist()
    lengths = sorted({len(row or ()) for row in rows})
    if len(lengths) != 1 or not lengths[0]:
        told = ", ".join(map(str, lengths[:5]))
        raise program.DataError(f"{path.name}: the vectors of column {name} have {told} numbers; all need as many")
    values = np.array(rows, dtype="float64")
    return {f"{name}_{at}": values[:, at] for at in range(values.shape[1])}


def plain(name: str) -> str:
    """Return a column's name without what people write differently."""
    return re.sub(r"[^a-z0-9]+", "", LEADING.sub("", name.strip()).lower())


def column(names: Sequence[str], role: str, setting: str, given: str, where: str) -> str:
    """Return the column of a role: the one that a setting gives, else the one whose name leaves no doubt, else ""."""
    if given:
        if given not in names:
            few = ", ".join(list(names)[:8])
            raise program.DataError(f"{where}: there is no column {given!r} ({setting}); it has {few}, ...")
        return given
    found = [name for name in names if plain(name) in ROLES[role]]
    for best in ([n for n in found if n.startswith(METADATA)], [n for n in found if plain(n) in FIRST]):
        found = best if len(best) == 1 else found
    if len(found) > 1:
        raise program.DataError(f"{where}: the {role} may be in {', '.join(found)}; say which: {setting} = {found[0]}")
    return found[0] if found else ""


def add_flag(flags: argparse.ArgumentParser) -> None:
    """Add whether a table without a column of plates can only be of the plate."""
    flags.add_argument(
        "--bears_plate", required=True, choices=("true", "false"), help="its name says the plate, or there is one only"
    )


def no_plate(section: str, plate: str) -> str:
    """Return what is wrong with a table that says of no row which plate it is of, in a batch of several."""
    message = f"no column says the plate, and the table is not called {plate}: is it of this plate, of all that ask?"
    return f"{message} Name the column, [{section}] plate = ..., or lay the table of each plate under its name"


def texts(values: pd.Series) -> List[str]:
    """Return the cells of a column of metadata as text without blanks around; missing ones empty, 3.0 as 3."""
    return ["" if cell is None or cell != cell else _written(cell) for cell in values]


def _written(cell: object) -> str:
    text = f"{cell:.15g}" if isinstance(cell, (float, np.floating)) else str(cell).strip()
    return "" if text in NO_TEXT else text


def well(text: str) -> str:
    """Return a well as A01, however it is written (A1, a01, A - 1, C_3); "" if it is none."""
    return wells.normal(WELL_SIGNS.sub("", text)) or ""


def numbers(table: pd.DataFrame, names: Sequence[str], where: str) -> pd.DataFrame:
    """Return features as numbers; raise DataError that names the row and the column of a text among them."""
    made = {}
    for name in names:
        cells = table[name]
        if not pd.api.types.is_numeric_dtype(cells):
            missing = cells.isna() | cells.astype("str").str.strip().isin(MISSING)
            cells = pd.to_numeric(cells.where(~missing), errors="coerce")
            bad = (cells.isna() & ~missing).to_numpy()
            if bad.any():
                at = int(bad.argmax())
                row, text = int(table.index[at]) + 2, str(table[name].iloc[at])[:60]
                message = f"{where}: row {row}, column {name}: {text!r} is no number"
                remedy = "correct it, or call the column Metadata_... if it is no feature"
                raise program.DataError(f"{message}; {remedy}")
        made[name] = cells.astype("float64").to_numpy()
    return pd.DataFrame(made, index=table.index)
