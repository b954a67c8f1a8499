"""A Parquet copy holds what its csv.gz holds: the same columns, wells and values."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

PLATE = "00117013"
SAME = """
import gzip, csv, math, sys
import pyarrow.parquet
for path in sys.argv[1:]:
    with gzip.open(path, "rt", newline="") as lines:
        columns, *rows = csv.reader(lines)
    table = pyarrow.parquet.read_table(path.replace(".csv.gz", ".parquet"), use_threads=False)
    assert table.column_names == columns and table.num_rows == len(rows) > 0
    for at, name in enumerate(columns):
        written, copied = [row[at] for row in rows], table[name].to_pylist()
        kind = "int64" if name.endswith("_Count") else "string" if name.startswith("Metadata_") else "double"
        assert str(table.schema.field(name).type) == kind, name
        for text, value in zip(written, copied, strict=True):
            assert (text == "") == (value is None), (path, name, text, value)
            assert value is None or (value == text if kind == "string" else value == float(text))
"""


@pytest.fixture
def scaled(annotated, save) -> Path:
    table = annotated.assign(Metadata_broad_sample=["", "B1", "B2", "B3"] * 6, Metadata_Site_Count=9)
    return save(table.drop(columns=["Cells_Texture_03", "Cytoplasm_Texture_04", "Nuclei_Texture_05"]), "scaled.csv.gz")


FLAGS = {
    "annotate": {"behaviour": "corrected"},
    "normalize": {
        "method": "mad_robustize",
        "samples": "all",
        "least_spread": 0,
        "min_negcon_wells": 2,
        "on_few_negcon": "warn",
    },
    "select_features": {
        "operations": "drop_na_columns",
        "na_cutoff": 0.05,
        "corr_threshold": 0.9,
        "freq_cut": 0.05,
        "unique_cut": 0.1,
        "outlier_cutoff": 500,
        "behaviour": "corrected",
        "location_features": "auto",
        "blocklist": [],
    },
    "spherize": {"samples": "all", "behaviour": "corrected"},
    "consensus": {"operation": "median", "replicates": "Metadata_broad_sample"},
}


def lay_metadata(save, table: pd.DataFrame) -> dict[str, Path]:
    platemap = pd.DataFrame({"well_position": table["Metadata_Well"], "broad_sample": table["Metadata_broad_sample"]})
    external = pd.DataFrame(
        {"broad_sample": ["", "B1"], "pert_type": ["control", "trt"], "control_type": ["negcon", ""]}
    )
    return {"platemap": save(platemap, "platemap.txt"), "external_metadata": save(external, "external.tsv")}


@pytest.mark.parametrize("program", FLAGS)
def test_each_stage_writes_the_same_twice(stage, oracle, save, load, scaled, tmp_path, program):
    flags, written = dict(FLAGS[program]), tmp_path / "written.csv.gz"
    flags["write_consensus" if program == "consensus" else "write_profiles"] = written
    if program == "annotate":
        table = load(scaled)
        flags |= lay_metadata(save, table)
        scaled = save(table.drop(columns=["Metadata_broad_sample", "Metadata_control_type"]), "wells.csv.gz")
    if program == "select_features":
        flags["write_excluded"] = tmp_path / "excluded.csv"

    outcome = stage(program, profiles=scaled, parquet="true", **flags)

    assert outcome.code == 0, outcome.stderr
    oracle(SAME, written)


def test_wells_are_copied_too_and_two_runs_give_the_same_bytes(stage, analysis, oracle, tmp_path):
    flags = {"source": "analysis", "analysis": analysis, "backend": [], "cells": [], "method": "mean"}
    flags |= {"behaviour": "corrected", "compartment_counts": "false", "max_failed_fraction": 0}
    for name in ("one", "two"):
        stage("aggregate", parquet="true", **flags, write_profiles=tmp_path / f"{name}.csv.gz")

    oracle(SAME, tmp_path / "one.csv.gz", tmp_path / "two.csv.gz")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()


def test_without_the_setting_there_is_no_copy(stage, scaled, tmp_path):
    stage("normalize", profiles=scaled, **FLAGS["normalize"], write_profiles=tmp_path / "written.csv.gz")

    assert (tmp_path / "written.csv.gz").exists()
    assert not (tmp_path / "written.parquet").exists()
