"""import_wells: well profiles of other laboratories and programs, held against the tables that they come from."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests import real_files

ROLES = ("plate", "well", "perturbation", "dose", "control")
COPY = """
import sys
import pandas
table = pandas.read_parquet(sys.argv[1])
for name in [each for each in table if getattr(table[each].iloc[0], "ndim", 0)]:
    vectors = pandas.DataFrame(table.pop(name).tolist())
    table = table.join(vectors.add_prefix(f"{name}_"))
table.to_csv(sys.argv[2], index=False)
"""


@pytest.fixture
def bring(stage: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Return a function that imports a plate's rows of a table."""

    def run(table: Path, plate: str, metadata: str = "table", **given: str) -> Any:
        flags = {f"{role}_column": given.get(role, "") for role in ROLES}
        flags |= {name: given.get(name, "") for name in ("features", "negative", "positive")}
        flags["bears_plate"] = given.get("bears_plate", "true")
        return stage(
            "import_wells", plate, table=table, metadata=metadata, write_profiles=tmp_path / "made.csv.gz", **flags
        )

    return run


@pytest.fixture
def screen() -> pd.DataFrame:
    """Return four wells as a laboratory might write them: other names, a numeric barcode, unpadded wells, an NA."""
    return pd.DataFrame(
        {
            "Plate ID": ["0042"] * 3 + ["0043"],
            "Well": ["b2", "A1", "C - 03", "A1"],
            "Compound": ["DMSO", "taxol", "taxol", "DMSO"],
            "Concentration": ["", "0.5", "5", ""],
            "dino_0": [0.1, np.nan, 3.0, 9.0],
            "dino_1": [1, 2, 3, 9],
            "Image_Granularity_1_DNA": [7.5, 8.5, 9.5, 9.0],
            "Image_FileName_DNA": ["a.tif", "b.tif", "c.tif", "d.tif"],
        }
    )


def test_other_names_become_the_contracts_and_numbers_stay(bring, save, load, screen, tmp_path: Path) -> None:
    done = bring(save(screen, "all.csv"), "0042")
    made = load(tmp_path / "made.csv.gz")

    assert done.code == 0, done.stderr
    assert list(made["Metadata_Well"]) == ["A01", "B02", "C03"]
    assert list(made["Metadata_Plate"]) == ["0042"] * 3
    assert list(made["Metadata_broad_sample"]) == ["taxol", "DMSO", "taxol"]
    assert list(made["Metadata_control_type"]) == ["", "negcon", ""]
    assert list(made["Metadata_dose"]) == ["0.5", "", "5"]
    assert list(made)[-3:] == ["dino_0", "dino_1", "Image_Granularity_1_DNA"]
    np.testing.assert_array_equal(made["dino_0"], [np.nan, 0.1, 3.0])
    assert done.facts["doses"] == [["taxol", "0.5"], ["taxol", "5"]]


@pytest.mark.parametrize("ending", ["csv.gz", "tsv", "parquet"])
def test_the_form_of_a_table_does_not_matter(bring, save, oracle, screen, tmp_path: Path, ending: str) -> None:
    done = bring(save(screen, "all.csv"), "0042")
    assert done.code == 0, done.stderr
    first = gzip.decompress((tmp_path / "made.csv.gz").read_bytes())
    path = save(screen, f"form.{ending}")
    if ending == "parquet":
        oracle("import sys, pandas; pandas.read_csv(sys.argv[1], dtype={'Plate ID': str}).to_parquet(sys.argv[2])",
               tmp_path / "all.csv", path)  # fmt: skip
    again = bring(path, "0042")

    assert again.code == 0, again.stderr
    assert gzip.decompress((tmp_path / "made.csv.gz").read_bytes()) == first


def test_cpjump1s_own_profiles_come_through_as_they_are(bring, load, tmp_path: Path) -> None:
    name = "BR00117010_normalized_feature_select_negcon_batch.csv.gz"
    path = real_files.needed() / "profiles/2020_11_04_CPJUMP1/BR00117010" / name
    done = bring(path, "BR00117010")
    made, released = load(tmp_path / "made.csv.gz"), load(path).sort_values("Metadata_Well", ignore_index=True)
    features = [each for each in released if not each.startswith("Metadata_")]

    assert done.code == 0, done.stderr
    assert [each for each in made if not each.startswith("Metadata_")] == features
    np.testing.assert_array_equal(made[features], released[features])
    assert (made["Metadata_control_type"] == released["Metadata_control_type"].fillna("")).all()


@pytest.mark.parametrize("kind", ["profiles", "profiles_cpcnn_zenodo_7114558"])
def test_published_jump_profiles_are_read(bring, load, oracle, tmp_path: Path, kind: str) -> None:
    path = (
        real_files.jump_production()
        / kind
        / "source_4/workspace/profiles/2021_04_26_Batch1/BR00117038/BR00117038.parquet"
    )
    oracle(COPY, path, tmp_path / "copy.csv")
    published = pd.read_csv(tmp_path / "copy.csv")
    well = "Metadata_Well" if kind == "profiles" else "well"
    published = published.sort_values(well, ignore_index=True)
    done = bring(path, "BR00117038", metadata="platemap")
    made = load(tmp_path / "made.csv.gz")
    features = [each for each in made if not each.startswith("Metadata_")]

    assert done.code == 0, done.stderr
    assert len(features) == 3
    assert len(made) == 384
    assert list(made["Metadata_Well"]) == list(published[well])
    np.testing.assert_allclose(made[features], published[features], rtol=1e-4)


# fmt: off
FAULTS: dict[str, tuple[dict[str, Any], dict[str, str], list[str]]] = {
    "another plate": ({}, {"plate_named": "0044"}, ["all.csv", "0044", "Plate ID", "0042"]),
    "no well": ({"Well": ["x9y", "A1", "A2", "A1"]}, {}, ["row 2", "column Well", "x9y"]),
    "a well twice": ({"Well": ["A1", "A01", "A2", "A1"]}, {}, ["rows 2 and 3", "A01", "--start-from cells"]),
    "a text among numbers": ({"dino_0": ["1", "high", "2", "3"]}, {}, ["row 3", "dino_0", "high"]),
    "no dose": ({"Concentration": ["", "low", "5", ""]}, {}, ["row 3", "Concentration", "low"]),
    "two columns of compounds": ({"Drug": ["a", "b", "c", "d"]}, {}, ["Compound, Drug", "[import_wells] perturbation"]),
    "a column that is not there": ({}, {"well": "Wells"}, ["Wells", "[import_wells] well"]),
    "a text among numbers of a later plate": (
        {"dino_0": ["1", "2", "3", "high"]}, {"plate_named": "0043"}, ["row 5", "dino_0", "high"],
    ),
    "no plate, and a batch of several": (
        {"Plate ID": ["x"] * 4}, {"renamed": "Remark", "bears_plate": "false"}, ["no column says the plate", "0042"],
    ),
    "no feature": ({}, {"features": "resnet_"}, ["no column is a feature", "[import_wells] features"]),
}


# fmt: on
@pytest.mark.parametrize(("change", "given", "told"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_is_named(bring, save, screen, tmp_path: Path, change, given, told) -> None:
    given = dict(given)
    plate = given.pop("plate_named", "0042")
    table = screen.assign(**change).rename(columns={"Plate ID": given.pop("renamed", "Plate ID")})
    done = bring(save(table, "all.csv"), plate, **given)

    assert done.code == 65
    assert [text for text in told if text not in done.stderr] == []
    assert not (tmp_path / "made.csv.gz").exists()


def test_a_well_without_any_value_is_left_out_and_named(bring, save, load, screen, tmp_path: Path) -> None:
    screen.loc[2, ["dino_0", "dino_1", "Image_Granularity_1_DNA"]] = np.nan
    done = bring(save(screen, "all.csv"), "0042")

    assert done.code == 0, done.stderr
    assert list(load(tmp_path / "made.csv.gz")["Metadata_Well"]) == ["A01", "B02"]
    assert done.facts["wells_without_values"] == ["C - 03"]


def test_counts_of_cells_stay_beside_a_platemap(bring, save, load, screen, tmp_path: Path) -> None:
    table = screen.assign(Metadata_Object_Count=[10, 20, 30, 40], Metadata_Count_Cells=["1", "many", "3", "4"])
    done = bring(save(table, "all.csv"), "0042", metadata="platemap")
    made = load(tmp_path / "made.csv.gz")

    assert done.code == 0, done.stderr
    assert list(made["Metadata_Object_Count"]) == ["20", "10", "30"]
    assert [name for name in made if name.startswith("Metadata_")][2:] == ["Metadata_Object_Count"]


def test_a_plate_without_the_positive_controls_of_its_batch_is_told_of_and_kept(
    bring, save, load, screen, tmp_path: Path
) -> None:
    done = bring(save(screen, "all.csv"), "0042", positive="AMG900, dexamethasone")

    assert done.code == 0, done.stderr
    assert "positive = AMG900, dexamethasone" in done.warnings[0]
    assert "poscon" not in list(load(tmp_path / "made.csv.gz")["Metadata_control_type"])


def test_controls_are_names_or_a_query(bring, save, load, screen, tmp_path: Path) -> None:
    table = save(screen, "all.csv")
    by_name = bring(table, "0042", negative="taxol")
    named = load(tmp_path / "made.csv.gz")["Metadata_control_type"].tolist()
    by_query = bring(table, "0042", positive="dose == '5'")
    queried = load(tmp_path / "made.csv.gz")["Metadata_control_type"].tolist()

    assert (by_name.code, by_query.code) == (0, 0), json.dumps([by_name.stderr, by_query.stderr])
    assert named == ["negcon", "", "negcon"]
    assert queried == ["", "negcon", "poscon"]


def test_such_profiles_go_through_normalize(bring, stage, save, load, screen, tmp_path: Path) -> None:
    assert bring(save(screen, "all.csv"), "0042").code == 0
    done = stage(
        "normalize", "0042", profiles=tmp_path / "made.csv.gz", samples="all", method="standardize", least_spread="0.0",
        min_negcon_wells="2", on_few_negcon="warn", write_profiles=tmp_path / "scaled.csv.gz",
    )  # fmt: skip
    made, raw = load(tmp_path / "scaled.csv.gz"), load(tmp_path / "made.csv.gz")

    assert done.code == 0, done.stderr
    for name in ("dino_0", "dino_1", "Image_Granularity_1_DNA"):
        np.testing.assert_allclose(made[name], (raw[name] - raw[name].mean()) / raw[name].std(ddof=0), rtol=1e-4)
