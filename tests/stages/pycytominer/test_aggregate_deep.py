"""Deep features become wells: cells to sites, sites to the well, from either layout of npz files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.stages.pycytominer.conftest import PLATE

CELLS = {"A01": (3, 40), "A02": (7,), "B01": (1, 2)}


def features_of(well: str, site: int, cells: int, width: int = 6) -> np.ndarray:
    return np.random.default_rng([ord(well[0]), int(well[1:]), site]).normal(1, 2, (cells, width)).astype("float32")


def write(path: Path, features: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    places = np.arange(2 * len(features), dtype="float64").reshape(-1, 2)
    np.savez_compressed(path, features=features, metadata=np.array({"a": 1}, dtype=object), locations=places)


def lay(folder: Path, form: str = "{well}/{site}.npz") -> Path:
    for well, counts in CELLS.items():
        for site, cells in enumerate(counts, start=1):
            write(folder / form.format(well=well, site=site), features_of(well, site, cells))
    return folder


@pytest.fixture
def aggregate(stage, tmp_path):
    def run(embeddings: Path, parquet: str = "false", behaviour: str = "corrected"):
        paths = {"write_profiles": tmp_path / "wells.csv.gz", "write_cells": tmp_path / "cells"}
        return stage("aggregate_deep", embeddings=embeddings, parquet=parquet, behaviour=behaviour, **paths)

    return run


def by_hand() -> pd.DataFrame:
    """Return what every well is to hold: one number at a time."""
    rows = {}
    for well, counts in CELLS.items():
        sites = []
        for site, cells in enumerate(counts, start=1):
            values = features_of(well, site, cells).astype(float)
            sites.append([sum(values[:, at]) / cells for at in range(values.shape[1])])
        rows[well] = [sum(site[at] for site in sites) / len(sites) for at in range(6)]
    return pd.DataFrame.from_dict(rows, orient="index", columns=[f"efficientnet_{at}" for at in range(6)])


FORMS = {
    "nested": "{well}/{site}.npz",
    "nested below the plate": PLATE + "/{well}/{site}.npz",
    "flat": "{well}_{site}.npz",
    "flat with the plate": PLATE + "_{well}_{site}.npz",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_well_is_the_mean_of_its_sites_and_a_site_of_its_cells(form, aggregate, load, tmp_path):
    done = aggregate(lay(tmp_path / "npz", form))
    table = load(tmp_path / "wells.csv.gz")

    assert done.code == 0, done.stderr
    assert list(table.Metadata_Well) == list(CELLS)
    assert set(table.Metadata_Plate) == {PLATE}
    expected = by_hand()
    np.testing.assert_allclose(table[expected.columns], expected, rtol=5e-5)
    assert table.Metadata_Object_Count.tolist() == ["43", "7", "3"]
    assert table.Metadata_Site_Count.tolist() == ["2", "1", "2"]


def test_as_published_there_are_no_counts(aggregate, load, tmp_path):
    aggregate(lay(tmp_path / "npz"), behaviour="as_published")

    columns = [name for name in load(tmp_path / "wells.csv.gz") if name.startswith("Metadata_")]
    assert columns == ["Metadata_Plate", "Metadata_Well"]


def test_the_single_cells_are_kept_if_asked_for(aggregate, oracle, tmp_path):
    assert aggregate(lay(tmp_path / "npz"), parquet="true").code == 0
    script = "import sys, pandas as pd; pd.read_parquet(sys.argv[1]).to_csv(sys.argv[2], index=False)"
    oracle(script, tmp_path / "cells/A01.parquet", tmp_path / "A01.csv")
    table = pd.read_csv(tmp_path / "A01.csv", dtype={"Metadata_Plate": str})
    values = np.concatenate([features_of("A01", 1, 3), features_of("A01", 2, 40)])

    assert sorted(path.stem for path in (tmp_path / "cells").iterdir()) == list(CELLS)
    assert table.Metadata_Site.tolist() == [1] * 3 + [2] * 40
    np.testing.assert_allclose(table[[f"efficientnet_{at}" for at in range(6)]], values, rtol=1e-6)
    assert table.Metadata_Nuclei_Location_Center_Y.tolist()[:4] == [1, 3, 5, 1]


def test_without_being_asked_no_cells_are_kept(aggregate, tmp_path):
    aggregate(lay(tmp_path / "npz"))

    assert not (tmp_path / "cells").exists()


def cut(folder: Path) -> None:
    path = folder / "A01/2.npz"
    path.write_bytes(path.read_bytes()[:200])


BAD = {
    "truncated": (cut, "A01-2: 2.npz is no whole npz"),
    "no features": (
        lambda folder: np.savez(folder / "A01/2.npz", other=1),
        "A01-2: 2.npz is no whole npz with features",
    ),
    "not finite": (lambda folder: write(folder / "A01/2.npz", np.array([[np.nan] * 6])), "A01-2: .*not all finite"),
    "no cell": (lambda folder: write(folder / "A01/2.npz", np.empty((0, 6))), r"A01-2: features of shape \(0, 6\)"),
    "other width": (
        lambda folder: write(folder / "A01/2.npz", np.ones((2, 5))),
        "A01-2: 5 features, the first site has 6",
    ),
    "twice": (lambda folder: write(folder / "A01_2.npz", np.ones((2, 6))), "site A01-2 is in .* too"),
    "stranger": (lambda folder: write(folder / "notes.npz", np.ones((2, 6))), "notes.npz: not named like"),
}


@pytest.mark.parametrize(("spoil", "said"), BAD.values(), ids=BAD)
def test_a_bad_file_is_named(spoil, said, aggregate, tmp_path):
    import re

    spoil(lay(tmp_path / "npz"))
    done = aggregate(tmp_path / "npz")

    assert done.code == 65
    assert re.search(said, done.stderr), done.stderr


def test_a_folder_without_a_file_is_an_error(aggregate, tmp_path):
    (tmp_path / "npz").mkdir()
    done = aggregate(tmp_path / "npz")

    assert done.code == 65
    assert f"holds no npz file of plate {PLATE}" in done.stderr
