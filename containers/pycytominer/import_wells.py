"""Bring well profiles of another laboratory into the contract's form: one plate's rows, metadata mapped, features kept.

Nothing is computed: a feature keeps its name (blanks become `_`) and its value. Without a platemap the table itself
says what each well holds: Metadata_broad_sample and Metadata_control_type are made from the columns that are mapped.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Dict, List

import copies
import foreign
import pandas as pd
import profiles
from stagekit import contracts, features, program
from stagekit.features import METADATA

SAMPLE, CONTROL, DOSE = "Metadata_broad_sample", "Metadata_control_type", "Metadata_dose"
MAPPED = ("plate", "well", "perturbation", "dose", "control")
UNTREATED = "dmso"
NO_DOSE = (*foreign.MISSING, "-")
OF_IMAGES = ("FileName_", "PathName_", "URL_", "MD5Digest_", "ExecutionTime_", "ModuleError_", "ObjectsFileName_")
"""Columns of CellProfiler's Image table that say where its files lay and how long it took: no feature."""
QUERY = re.compile(r"[=<>()]| in ")
COUNT = re.compile(r"Metadata_(Site_Count|Object_Count|Count_.+)")
SIGNS = {"neg": "negcon", "vehicle": "negcon", "pos": "poscon"}


def main() -> None:
    """Read the flags, convert, write."""
    flags = program.parser(__doc__)
    flags.add_argument(
        "--table", required=True, type=Path, help="csv, tsv (.gz or not) or Parquet; of one plate or all"
    )
    for role in MAPPED:
        flags.add_argument(
            f"--{role}_column", required=True, help="its column; empty: the one whose name leaves no doubt"
        )
    foreign.add_flag(flags)
    flags.add_argument("--features", required=True, help="what features begin with, by commas; empty: the usual ones")
    flags.add_argument("--negative", required=True, help="negative controls: names by commas, or a query")
    flags.add_argument("--positive", required=True, help="positive controls")
    flags.add_argument("--metadata", required=True, choices=("table", "platemap"), help="what says what a well holds")
    flags.add_argument("--write_profiles", required=True, type=Path)
    copies.add_flags(flags, several=False)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        made = convert(foreign.read(args.table), args, report)
        contract = contracts.ANNOTATED_PROFILES if args.metadata == "table" else contracts.PROFILES
        profiles.write(made, args.write_profiles, contract, copies.wanted(args.write_parquet, args))


def convert(table: pd.DataFrame, args: argparse.Namespace, report: program.Report) -> pd.DataFrame:
    """Return the plate's wells in the contract's form, by well."""
    where = args.table.name
    known = features.prefixes(args.features)
    named = [name for name in table.columns if name.startswith(known) and not foreign.LEADING.match(name)]
    vectors = [name for name in table.columns if name not in named and _is_vector(name, table)]
    named += [] if args.features else vectors
    others = [name for name in table.columns if name not in named]
    columns = {role: _column(others, role, args) for role in MAPPED}
    if not columns["plate"] and args.bears_plate == "false":
        raise program.DataError(f"{where}: {foreign.no_plate('import_wells', args.plate)}")
    rows = _with_values(_of_plate(table, columns, args.plate, where), named, columns, report)
    metadata = _metadata(rows, [name for name in others if name not in columns.values()], columns, args, report)
    values = _values(rows, named, where, report)
    _check_wells(metadata, rows.index, where)
    if args.metadata == "table":
        _tell_doses(metadata, report)
    else:
        metadata = metadata[
            [name for name in map(str, metadata) if name in contracts.WELL or _is_count(name, metadata)]
        ]
    report.fact("wells", len(metadata))
    report.fact("features", values.shape[1])
    report.fact("columns", {role: name for role, name in columns.items() if name})
    made = metadata.join(values)
    return made.sort_values("Metadata_Well", kind="stable", ignore_index=True)


def _is_vector(name: str, table: pd.DataFrame) -> bool:
    """Say whether a column is one number of a vector (all_0, all_1, ...): name_0 and name_1 are both there."""
    stem, _, number = name.rpartition("_")
    whole = number.isdigit() and stem and not foreign.LEADING.match(name)
    return bool(whole) and {f"{stem}_0", f"{stem}_1"} <= {*table.columns} and pd.api.types.is_float_dtype(table[name])


def _column(names: List[str], role: str, args: argparse.Namespace) -> str:
    return foreign.column(names, role, f"[import_wells] {role}", getattr(args, f"{role}_column"), args.table.name)


def _of_plate(table: pd.DataFrame, columns: Dict[str, str], plate: str, where: str) -> pd.DataFrame:
    """Return the rows of a plate; a table without a column of plates is of the plate that its file is named for."""
    if not columns["well"]:
        shown = ", ".join([name for name in table.columns if not features.is_feature(name)][:8])
        message = f"{where}: which column says the well? It has {shown or ', '.join(list(table.columns)[:8])}"
        raise program.DataError(f"{message}; name it: [import_wells] well = ...")
    if not columns["plate"]:
        return table
    held = foreign.texts(table[columns["plate"]])
    chosen = [each == plate for each in held]
    if not any(chosen):
        few = ", ".join(sorted({*held} - {""})[:8])
        raise program.DataError(f"{where}: no row is of plate {plate}; column {columns['plate']} holds {few}")
    return table[chosen]


def _with_values(rows: pd.DataFrame, named: List[str], columns: Dict[str, str], report: program.Report) -> pd.DataFrame:
    """Return the rows without those of wells that have no feature, as wells without cells have none here."""
    values = rows[[name for name in named if not _is_about(name)]]
    empty = (values.isna() | values.isin(foreign.MISSING)).all(axis=1)
    wells = foreign.texts(rows.loc[empty, columns["well"]])
    report.fact("wells_without_values", wells)
    if wells and not empty.all():
        report.warn(f"{len(wells)} wells have no value of any feature, and are left out: {', '.join(wells[:10])}")
        return rows[~empty]
    return rows


def _is_count(name: str, metadata: pd.DataFrame) -> bool:
    """Say whether a column tells the sites or cells of each well, by the contract's name: no platemap tells them."""
    return bool(COUNT.fullmatch(name)) and bool(metadata[name].str.fullmatch("[0-9]+").all())


def _metadata(
    rows: pd.DataFrame, others: List[str], columns: Dict[str, str], args: argparse.Namespace, report: program.Report
) -> pd.DataFrame:
    texts = {"Metadata_Plate": [args.plate] * len(rows)}
    texts["Metadata_Well"] = _wells(foreign.texts(rows[columns["well"]]), rows.index, columns["well"], args.table.name)
    strangers = [name for name in others if not foreign.LEADING.match(name)]
    if strangers:
        message = f"{len(strangers)} columns are taken for metadata: {', '.join(strangers[:8])}"
        report.warn(f"{args.table.name}: {message}; if they are features, name their prefix: [import_wells] features")
    for name in others:
        texts.setdefault(METADATA + re.sub(r"\s+", "_", foreign.LEADING.sub("", name)), foreign.texts(rows[name]))
    if args.metadata == "table":
        _add_controls(texts, _add_sample(texts, rows, columns, args), rows, columns, args, report)
    return pd.DataFrame(texts, index=rows.index, dtype="str")


def _wells(texts: List[str], rows: pd.Index, column: str, where: str) -> List[str]:
    found = [foreign.well(text) for text in texts]
    for row, text, name in zip(rows, texts, found):
        if not name:
            message = f"{where}: row {row + 2}, column {column}: {text!r} is no well; wells are written A01, A1 or a1"
            raise program.DataError(f"{message}; correct it, or name another column: [import_wells] well")
    return found


def _add_sample(
    texts: Dict[str, List[str]], rows: pd.DataFrame, columns: Dict[str, str], args: argparse.Namespace
) -> List[str]:
    """Add what each well holds, and its dose; return the first."""
    if not columns["perturbation"]:
        message = f"{args.table.name}: no column says what a well holds, and plate {args.plate} has no platemap"
        raise program.DataError(f"{message}; name it, [import_wells] perturbation = ..., or lay a platemap")
    held = foreign.texts(rows[columns["perturbation"]])
    own = METADATA + re.sub(r"\s+", "_", foreign.LEADING.sub("", columns["perturbation"]))
    texts.setdefault(own, held)
    texts[SAMPLE] = held
    if columns["dose"]:
        texts[DOSE] = ["" if text in NO_DOSE else text for text in foreign.texts(rows[columns["dose"]])]
        for row, text in zip(rows.index, texts[DOSE]):
            if text and not _is_number(text):
                message = f"{args.table.name}: row {row + 2}, column {columns['dose']}: {text!r} is no dose, a number"
                raise program.DataError(f"{message}; correct it, or name another column: [import_wells] dose")
    return held


def _is_number(text: str) -> bool:
    try:
        return float(text) >= 0
    except ValueError:
        return False


def _add_controls(
    texts: Dict[str, List[str]],
    held: List[str],
    rows: pd.DataFrame,
    columns: Dict[str, str],
    args: argparse.Namespace,
    report: program.Report,
) -> None:
    """Add which wells are controls: by the settings, else by the table's own column, else those called DMSO."""
    told = foreign.texts(rows[columns["control"]]) if columns["control"] else [""] * len(held)
    made = [next((sign for start, sign in SIGNS.items() if text.lower().startswith(start)), "") for text in told]
    if foreign.plain(columns["control"]) == "controltype":
        made = told
    if args.negative or not any(each == "negcon" for each in made):
        chosen = _chosen(args.negative, texts, held, args) or [text.lower() in ("", UNTREATED) for text in held]
        made = ["negcon" if is_one else each for is_one, each in zip(chosen, made)]
    if args.positive:
        names = {name.strip() for name in args.positive.split(",")}
        if not names & {*held} and not QUERY.search(args.positive):  # other plates of the batch may hold it
            report.warn(f"{args.table.name}: no well of plate {args.plate} holds [controls] positive = {args.positive}")
            chosen = [False] * len(held)
        else:
            chosen = _chosen(args.positive, texts, held, args)
        made = ["poscon" if is_one else each for is_one, each in zip(chosen, made)]
    texts[CONTROL] = made
    report.fact("negative_controls", made.count("negcon"))
    if "negcon" not in made:
        remedy = "say which are: [controls] negative = DMSO; what scales against them will fail"
        report.warn(f"{args.table.name}: plate {args.plate} has no negative control; {remedy}")


def _chosen(text: str, texts: Dict[str, List[str]], held: List[str], args: argparse.Namespace) -> List[bool]:
    """Return which wells a setting of controls means: names by commas, or a query of the metadata."""
    if not text:
        return []
    names = {name.strip() for name in text.split(",")}
    if names & {*held}:
        return [each in names for each in held]
    bare = {name[len(METADATA) :]: cells for name, cells in texts.items()}
    table = pd.DataFrame({**bare, **texts}).replace("", None)
    try:
        found = table.query(text).index
    except Exception as error:  # pandas raises whatever its parser meets
        message = (
            f"{args.table.name}: no well holds {text!r}, nor is it a query of {', '.join(list(bare)[:8])}: {error}"
        )
        raise program.DataError(f"{message}; correct [controls]") from error
    return table.index.isin(found).tolist()


def _values(rows: pd.DataFrame, named: List[str], where: str, report: program.Report) -> pd.DataFrame:
    """Return the features; a column of CellProfiler's about files and times is none, and neither is an empty one."""
    about = [name for name in named if _is_about(name)]
    empty = [name for name in named if rows[name].isna().all() and name not in about]
    kept = [name for name in named if name not in {*about, *empty}]
    if not kept:
        message = f"{where}: no column is a feature, which begin with {', '.join(features.KNOWN)}"
        raise program.DataError(f"{message}; name what yours begin with: [import_wells] features = dino_")
    if about or empty:
        told = [*about, *empty]
        report.warn(
            f"{where}: {len(told)} columns about files and times, or without a value, are left out: {told[0]}, ..."
        )
    values = foreign.numbers(rows, kept, where)
    values.columns = [re.sub(r"\s+", "_", name) for name in kept]
    bad = [name for name in values.columns if not features.is_feature(name)]
    twice = values.columns[values.columns.duplicated()]
    if bad or len(twice):
        rule = f"{bad[0]!r} is no name of a feature, such as dino_0" if bad else f"{twice[0]} would stand there twice"
        raise program.DataError(f"{where}: {rule}; rename the column")
    return values


def _is_about(name: str) -> bool:
    return name.startswith("Image_") and any(each in name for each in OF_IMAGES)


def _check_wells(metadata: pd.DataFrame, rows: pd.Index, where: str) -> None:
    seen: Dict[str, int] = {}
    for row, name in zip(rows, metadata["Metadata_Well"]):
        if name in seen:
            message = f"{where}: rows {seen[name] + 2} and {row + 2} are both well {name}; a profile is one row a well"
            raise program.DataError(f"{message}; keep one, or start from single cells: --start-from cells")
        seen[name] = row


def _tell_doses(metadata: pd.DataFrame, report: program.Report) -> None:
    """Report the doses of each perturbation: whether there are several decides what replicates are."""
    if DOSE in metadata:
        pairs = sorted({(held, dose) for held, dose in zip(metadata[SAMPLE], metadata[DOSE]) if held and dose})
        report.fact("doses", [list(pair) for pair in pairs])


if __name__ == "__main__":
    program.run(main)
