"""Profile tables: one row a well, exact text in the Metadata_ columns, numbers in the feature columns after them."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import List, Optional, Sequence

import numpy as np
import pandas as pd
from stagekit import contracts, outside, program, tables
from stagekit.features import KNOWN, is_feature, must_be_finite

PRECISION = "%.5g"  # the resource's; only of features: a rounded pubchem_cid is another compound (defect D3)
GZIP_LEVEL = 3  # 7 % larger than gzip's usual 6, in a quarter of the time
BEHAVIOURS = ("corrected", "as_published")  # of the defects that the published workflow had
MISSING = ["", "nan", "NaN", "NA"]


def metadata_of(table: pd.DataFrame) -> List[str]:
    """Return the metadata columns, in order."""
    return [name for name in table.columns if name.startswith("Metadata_")]


def features_of(table: pd.DataFrame) -> List[str]:
    """Return the feature columns, in order."""
    return [name for name in table.columns if is_feature(name)]


def read(path: Path, contract: contracts.Table = contracts.PROFILES) -> pd.DataFrame:
    """Read and check a table of profiles; a missing text is "", a missing number NaN."""
    columns = _header(path)
    contract.check(columns, path.name)
    metadata = [name for name in columns if name.startswith("Metadata_")]
    features = [name for name in columns if is_feature(name)]
    known = {*metadata, *features}
    strangers = [name for name in columns if name not in known]
    if strangers:
        prefixes = ", ".join(("Metadata_", *KNOWN, "another word and _"))
        message = f"{path.name}: the column {', '.join(strangers[:5])} starts with none of {prefixes}"
        raise program.DataError(f"{message}; rename or remove it")
    types = {**dict.fromkeys(metadata, "str"), **dict.fromkeys(features, "float64")}
    table = _parse(path, types)
    if table.empty:
        raise program.DataError(f"{path.name}: holds no well")
    _check_values(table, contract, path.name, _line_numbers(path))
    return table


def _check_values(table: pd.DataFrame, contract: contracts.Table, where: str, lines: Sequence[int]) -> None:
    """Raise DataError for values that break the contract; `lines` are the numbers of the rows' lines in the file."""
    metadata = metadata_of(table)
    texts = table[metadata].astype("str").itertuples(index=False, name=None)
    rows = list(zip(lines, texts, strict=True))
    outside.refuse(list(outside.faults(outside.of_profiles(contract), metadata, rows)), where)
    features = features_of(table)
    for row, at in np.argwhere(np.isinf(table[features].to_numpy())):
        if must_be_finite(contract):
            raise program.DataError(
                f"{where}: line {lines[row]}: {features[at]} is infinite; correct it, or leave it empty"
            )


def read_text(path: Path, kind: outside.Kind) -> pd.DataFrame:
    """Read and check a table of nothing but text: csv, or tab separated with any other ending."""
    header, rows = outside.split(path, "," if path.suffix == ".csv" else "\t")
    outside.check(kind, header, rows, path.name)
    return pd.DataFrame([row for _, row in rows], columns=header, dtype="str")


def reference_wells(table: pd.DataFrame, samples: str, where: str, needed: bool = True) -> pd.Series:
    """Return which wells a query of the metadata chooses; none is an error if some are needed."""
    if samples == "all":
        return pd.Series(True, index=table.index)
    metadata = table[metadata_of(table)]
    try:
        # An empty text is a missing one to whoever writes a query.
        found = metadata.replace("", None).query(samples).index
    except Exception as error:  # pandas raises whatever its parser meets
        raise program.DataError(f"the samples {samples!r} are no query of {where}: {error}") from error
    if needed and found.empty:
        raise program.DataError(f"{where}: no row has {samples}; mark such wells in the metadata or choose others")
    return pd.Series(table.index.isin(found), index=table.index)


def write(
    table: pd.DataFrame, path: Path, contract: contracts.Table = contracts.PROFILES, copy: Optional[Path] = None
) -> None:
    """Write metadata, then features, as csv.gz; the same table always gives the same bytes.

    `copy` gets the same values as Parquet: an empty text and a missing number are null, counts are whole numbers.
    """
    contract.check(table.columns, path.name)
    _check_values(table, contract, path.name, range(2, len(table) + 2))
    metadata, features = metadata_of(table), features_of(table)
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = table[metadata].itertuples(index=False, name=None)
    values = table[features].to_numpy(dtype="float64")
    with (
        open(path, "wb") as file,
        gzip.GzipFile("", "wb", GZIP_LEVEL, file, mtime=0) as packed,
        io.TextIOWrapper(packed, encoding="utf-8", newline="") as lines,
    ):
        rows = csv.writer(lines, lineterminator="\n")
        rows.writerow([*metadata, *features])
        rows.writerows([*text, *_rounded(numbers)] for text, numbers in zip(texts, values, strict=True))
    if copy:
        _write_parquet(table[metadata], features, values, contract, copy)


def _write_parquet(
    metadata: pd.DataFrame, features: List[str], values: np.ndarray, contract: contracts.Table, path: Path
) -> None:
    import pyarrow  # takes a third of a second, which no other run need wait for
    import pyarrow.parquet

    columns = {}
    for name in metadata.columns:
        texts = pyarrow.array([str(text) or None for text in metadata[name]], pyarrow.string())
        columns[name] = texts.cast("int64") if contract.whole(name) else texts
    for at, name in enumerate(features):
        rounded = np.array([float(PRECISION % number) for number in values[:, at].tolist()])
        columns[name] = pyarrow.array(rounded, pyarrow.float64(), from_pandas=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.table(columns), path, compression="zstd")


def _rounded(numbers: np.ndarray) -> List[str]:
    return [PRECISION % number if number == number else "" for number in numbers.tolist()]


def _header(path: Path) -> List[str]:
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as lines:
            return next(csv.reader(lines), [])
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise program.DataError(f"{path.name}: cannot be read: {error}") from error


def _line_numbers(path: Path) -> List[int]:
    try:
        return tables.line_numbers(path)
    except (OSError, EOFError, csv.Error, UnicodeDecodeError) as error:
        raise program.DataError(f"{path.name}: cannot be read: {error}") from error


def _parse(path: Path, types: dict[str, str]) -> pd.DataFrame:
    missing = {name: MISSING for name, kind in types.items() if kind == "float64"}
    try:
        return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=missing)
    except (OSError, EOFError, ValueError) as error:  # pandas' own errors are ValueErrors
        said = _text_among_numbers(path, list(missing)) or str(error)
        raise program.DataError(f"{path.name}: not a complete table of numbers: {said}") from error


def _text_among_numbers(path: Path, features: List[str]) -> str:
    """Return which value of which feature is a text, if that is what is wrong with a table."""
    try:
        table = pd.read_csv(path, dtype="str", keep_default_na=False, na_values=MISSING)[features]
    except (OSError, EOFError, ValueError):
        return ""
    for name in features:
        bad = table[name].notna() & pd.to_numeric(table[name], errors="coerce").isna()
        if bad.any():
            remedy = f"if it is no feature, call it Metadata_{name}"
            return f"{name} holds {table.loc[bad, name].iloc[0]!r} in row {int(bad.to_numpy().argmax()) + 2}; {remedy}"
    return ""
