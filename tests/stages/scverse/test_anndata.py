"""anndata: what is read back equals the tables that it was made from, to the last bit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.dataset.layout import CONTAINERS
from tests import real_files

BACK = """
import json, sys
import anndata, numpy
wells, cells = (anndata.read_h5ad(path) for path in sys.argv[1:3])
told = {"names": list(wells.obs_names), "features": list(wells.var_names), "layers": sorted(wells.layers)}
told |= {"plates": wells.obs["Plate"].astype(str).tolist(), "first": wells.var.iloc[0].tolist()}
told |= {"compounds": wells.obs["broad_sample"].astype(str).tolist(), "cells": list(cells.obs_names)}
numpy.savez(sys.argv[3], X=wells.X, cells=cells.X, **wells.layers)
print(json.dumps(told))
"""
CELLS = """
import sys, pandas
row = {"Metadata_Plate": "0042", "Metadata_Well": "A01", "Metadata_Site": "3", "Metadata_ImageNumber": 1}
number = {"Metadata_Cells_ObjectNumber": [1, 2, None], "Metadata_Nuclei_ObjectNumber": [1, 2, 7]}
pandas.DataFrame({**{name: [value] * 3 for name, value in row.items()}, **number,
                  "Cells_AreaShape_Area": [0.1, 1 / 3, None], "Nuclei_AreaShape_Area": [1.0, 2.0, 3.0]}
                 ).to_parquet(sys.argv[1])
"""


@pytest.fixture(scope="module")
def written(
    scverse_python: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict, dict, dict[str, pd.DataFrame]]:
    """Write two real plates of 24 wells each, and three cells; return what is read back, and the tables."""
    folder = tmp_path_factory.mktemp("anndata")
    tables: dict[str, pd.DataFrame] = {}
    for plate in ("BR00117010", "BR00117011"):
        name = f"profiles/2020_11_04_CPJUMP1/{plate}/{plate}_normalized_feature_select_negcon_batch.csv.gz"
        table = pd.read_csv(real_files.needed() / name, dtype=str, keep_default_na=False).iloc[:24, :60]
        for step in ("augmented", "normalized", "normalized_negcon"):
            columns = table.columns if step == "normalized_negcon" else table.columns[:-1]
            tables[f"{plate}_{step}"] = table[columns]
            table[columns].to_csv(folder / f"{plate}_{step}.csv.gz", index=False)
    (folder / "0042_cells").mkdir()
    call(scverse_python, "-c", CELLS, str(folder / "0042_cells/A01.parquet"))
    profiles = [str(folder / f"{name}.csv.gz") for name in tables]
    words = ["--plate", "B", "--output", str(folder / "out"), "--profiles", *profiles, "--single_cells", "true"]
    words += ["--cells", str(folder / "0042_cells"), "--write_cells", str(folder / "made_cells")]
    call(
        scverse_python, str(CONTAINERS / "scverse/write_anndata.py"), *words, "--write_profiles", str(folder / "B.h5ad")
    )
    read = [str(folder / "B.h5ad"), str(folder / "made_cells/A01.h5ad"), str(folder / "values.npz")]
    told = json.loads(call(scverse_python, "-c", BACK, *read))
    return told, dict(np.load(folder / "values.npz")), tables


def call(python: Path, *words: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(CONTAINERS)}
    done = subprocess.run([str(python), *words], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_number_of_every_step_comes_back(written) -> None:
    told, values, tables = written
    for step, name in (("X", "normalized_negcon"), ("augmented", "augmented"), ("normalized", "normalized")):
        table = pd.concat([tables[f"{plate}_{name}"] for plate in ("BR00117010", "BR00117011")])
        expected = table.reindex(columns=told["features"]).replace("", None).astype(float).to_numpy()

        assert np.array_equal(values[step], expected, equal_nan=True), step
    assert told["layers"] == ["augmented", "normalized"]


def test_rows_are_named_by_plate_and_well_and_metadata_are_text(written) -> None:
    told, _, tables = written
    table = pd.concat([tables[f"{plate}_normalized_negcon"] for plate in ("BR00117010", "BR00117011")])

    assert told["names"] == (table["Metadata_Plate"] + "_" + table["Metadata_Well"]).tolist()
    assert told["compounds"] == table["Metadata_broad_sample"].tolist()


def test_cells_are_named_by_site_and_object_and_keep_their_numbers(written) -> None:
    told, values, _ = written

    assert told["cells"] == ["0042_A01_3_1", "0042_A01_3_2", "0042_A01_3_nuclei7"]
    np.testing.assert_array_equal(values["cells"], [[0.1, 1.0], [1 / 3, 2.0], [np.nan, 3.0]])
