"""Wells come out as pycytominer's SingleCells averages them."""

from __future__ import annotations

import csv
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PLATE = "00117013"
WELLS = "wells.csv.gz"
SOURCES = {"analysis": "analysis", "backend": "plate.sqlite", "cells": "cells"}
ORACLE = """
import sys
from pycytominer.cyto_utils.cells import SingleCells
backend, method, written = sys.argv[1:]
cells = SingleCells("sqlite:///" + backend, aggregation_operation=method)
cells.aggregate_profiles().to_csv(written, index=False)
"""
UNROUNDED = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import aggregate
from stagekit.program import Report
source, path, method, plate, written = sys.argv[2:]
cells = aggregate.READERS[source](Path(path), plate)
wells = aggregate.aggregate(cells, plate, aggregate.METHODS[method], Report(Path(written).parent), 0)
wells.to_csv(written, index=False)
"""
PROGRAMS = Path(__file__).parents[3] / "containers" / "pycytominer"


@pytest.fixture
def backend(stage, analysis, tmp_path) -> Path:
    path = tmp_path / "plate.sqlite"
    outputs = {"write_backend": path, "write_cells": tmp_path / "cells", "max_failed_fraction": 0}
    stage("collate", analysis=analysis, sqlite="true", parquet="true", **outputs)
    return path


@pytest.fixture
def aggregate(stage, backend, tmp_path):
    def run(path: Path = backend, source: str = "backend", plate: str = PLATE, **flags):
        paths = {**dict.fromkeys(("analysis", "backend", "cells"), []), source: path}
        settings = {"method": "mean", "behaviour": "corrected", "compartment_counts": "false"}
        settings |= {"max_failed_fraction": 0, **flags}
        return stage("aggregate", plate=plate, source=source, **paths, **settings, write_profiles=tmp_path / WELLS)

    return run


@pytest.mark.parametrize("method", ["mean", "median"])
@pytest.mark.parametrize("source", SOURCES)
def test_wells_are_what_pycytominer_makes_of_the_backend(oracle, backend, tmp_path, method, source, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(PROGRAMS.parent))
    oracle(UNROUNDED, PROGRAMS, source, tmp_path / SOURCES[source], method, PLATE, tmp_path / "ours.csv")
    oracle(ORACLE, backend, method, tmp_path / "theirs.csv")

    ours = pd.read_csv(tmp_path / "ours.csv", dtype={"Metadata_Plate": str})
    theirs = pd.read_csv(tmp_path / "theirs.csv", dtype={"Metadata_Plate": str})
    ours = ours.drop(columns=[f"Metadata_Count_{name}" for name in ("Cells", "Cytoplasm", "Nuclei")])
    assert set(ours) == set(theirs)
    assert features(ours) == features(theirs)
    pd.testing.assert_frame_equal(ours, theirs[list(ours)], rtol=1e-9, atol=0)


def features(table: pd.DataFrame) -> list[str]:
    return [name for name in table if not name.startswith("Metadata_")]


@pytest.mark.parametrize("source", SOURCES)
def test_sites_and_objects_are_counted_those_without_a_cell_too(
    stage, aggregate, analysis, load, tmp_path, source, empty
):
    path = empty(f"{PLATE}-A02-2")
    outputs = {"write_backend": tmp_path / "plate.sqlite", "write_cells": tmp_path / "cells", "max_failed_fraction": 0}
    stage("collate", analysis=analysis, sqlite="true", parquet="true", **outputs)
    aggregate(tmp_path / SOURCES[source], source, compartment_counts="true")
    wells = load(tmp_path / WELLS).set_index("Metadata_Well")
    cells = {well: sum(count_rows(analysis / f"{PLATE}-{well}-{site}") for site in (1, 2)) for well in wells.index}

    assert not count_rows(path)
    assert wells["Metadata_Site_Count"].to_dict() == dict.fromkeys(cells, "2")
    for name in ("Object_Count", "Count_Cells", "Count_Cytoplasm", "Count_Nuclei"):
        assert wells[f"Metadata_{name}"].astype(int).to_dict() == cells


COUNTED = """
import sys
from pycytominer.cyto_utils.cells import SingleCells
backend, written = sys.argv[1:]
cells = SingleCells("sqlite:///" + backend, image_feature_categories=["Count"], add_image_features=True)
cells.aggregate_profiles().to_csv(written, index=False)
"""


def test_objects_are_counted_under_the_names_and_with_the_numbers_of_pycytominer(
    aggregate, oracle, backend, load, tmp_path
):
    aggregate(compartment_counts="true")
    oracle(COUNTED, backend, tmp_path / "theirs.csv")

    ours, theirs = load(tmp_path / WELLS), load(tmp_path / "theirs.csv")
    names = [name for name in ours if "_Count" in name]
    assert names == [name for name in theirs if "_Count" in name] and len(names) == 5
    np.testing.assert_array_equal(ours[names].astype(float), theirs[names].astype(float))


def test_objects_of_the_compartments_are_counted_only_if_asked_for(aggregate, load, tmp_path):
    aggregate()

    wells = load(tmp_path / WELLS)
    assert [name for name in wells if "Count" in name] == ["Metadata_Site_Count", "Metadata_Object_Count"]


def count_rows(folder: Path) -> int:
    return len(pd.read_csv(folder / "Cells.csv"))


@pytest.fixture
def empty(analysis, edit_csv):
    """Return a function that takes all cells from a site."""

    def take(site: str) -> Path:
        for name in ("Cells", "Cytoplasm", "Nuclei"):
            edit_csv(analysis / site / f"{name}.csv", lambda rows: rows[:1])
        edit_csv(analysis / site / "Image.csv", lambda rows: [rows[0], ["0", "0", "0", *rows[1][3:]]])
        return analysis / site

    return take


def test_as_published_nothing_is_counted(aggregate, load, tmp_path):
    aggregate(behaviour="as_published", compartment_counts="true")

    wells = load(tmp_path / WELLS)
    assert [name for name in wells if name.startswith("Metadata_")] == ["Metadata_Plate", "Metadata_Well"]


def test_the_real_site_is_averaged_as_a_person_would(aggregate, real_data, load, tmp_path):
    analysis = real_data / "cellprofiler_csv"
    outcome = aggregate(analysis, "analysis", plate="BR00116991")
    wells = load(tmp_path / WELLS)

    assert outcome.facts["cells"] == 109
    for compartment in ("Cells", "Cytoplasm", "Nuclei"):
        with open(analysis / "BR00116991-A01-1" / f"{compartment}.csv", newline="") as lines:
            rows = list(csv.DictReader(lines))
        expected = {}
        for name in rows[0].keys() - {"ImageNumber", "ObjectNumber", "Parent_Cells", "Parent_Nuclei"}:
            values = [float(row[name]) for row in rows if row[name] != "nan"]
            expected[f"{compartment}_{name}"] = float(f"{sum(values) / len(values):.5g}")
        made = wells.filter(regex=f"^{compartment}_").iloc[0].to_dict()
        made = {name: value for name, value in made.items() if "_Parent_" not in name}
        assert made == pytest.approx(expected, rel=2e-5)


def test_a_source_that_is_not_there_is_a_wrong_flag(stage, tmp_path):
    nothing = dict.fromkeys(("analysis", "backend", "cells"), [])
    flags = {"method": "mean", "behaviour": "corrected", "write_profiles": tmp_path / WELLS}

    assert stage("aggregate", source="backend", **nothing, **flags).code == 2


def test_a_mean_is_over_all_cells_of_the_well_not_over_its_sites(aggregate, analysis, load, tmp_path):
    outcome = aggregate()

    sites = [pd.read_csv(analysis / f"{PLATE}-B01-{site}" / "Nuclei.csv") for site in (1, 2)]
    expected = pd.concat(sites)["Texture_X_DNA"].mean()
    wells = load(tmp_path / WELLS).set_index("Metadata_Well")
    assert outcome.code == 0
    assert len(sites[0]) != len(sites[1])
    assert wells.loc["B01", "Nuclei_Texture_X_DNA"] == float(f"{expected:.5g}")


def test_plate_and_well_come_first_then_the_features_of_each_compartment(aggregate, load, tmp_path):
    outcome = aggregate()

    wells = load(tmp_path / WELLS)
    compartments = [name.split("_")[0] for name in features(wells)]
    assert list(wells.columns[:2]) == ["Metadata_Plate", "Metadata_Well"]
    assert compartments == sorted(compartments)
    assert set(wells["Metadata_Plate"]) == {PLATE}
    assert outcome.facts["wells"] == 3
    assert outcome.facts["features"] == len(compartments) == 9


def test_a_well_without_cells_is_left_out_and_told(aggregate, backend, load, tmp_path):
    database = sqlite3.connect(backend)
    images = "SELECT ImageNumber FROM Image WHERE Metadata_Well = 'A02'"
    database.execute(f"DELETE FROM Cytoplasm WHERE ImageNumber IN ({images})")
    database.commit()

    outcome = aggregate()

    assert load(tmp_path / WELLS)["Metadata_Well"].tolist() == ["A01", "B01"]
    assert outcome.facts["wells_without_cells"] == ["A02"]
    assert "1 wells have no cell and so no profile: A02" in outcome.warnings[0]


def test_a_feature_that_no_cell_has_is_missing_not_zero(aggregate, backend, load, tmp_path):
    database = sqlite3.connect(backend)
    database.execute("UPDATE Cells SET Cells_AreaShape_Area = NULL")
    database.commit()

    aggregate()

    assert np.isnan(load(tmp_path / WELLS)["Cells_AreaShape_Area"]).all()


def test_a_backend_with_prefixed_image_columns_and_numbers_as_text_is_read_too(aggregate, backend, load, tmp_path):
    aggregate()
    expected = load(tmp_path / WELLS)
    database = sqlite3.connect(backend)
    for name in ("Plate", "Well"):
        database.execute(f"ALTER TABLE Image RENAME COLUMN Metadata_{name} TO Image_Metadata_{name}")
    database.execute("CREATE TABLE texts (TableNumber TEXT, ImageNumber TEXT, Nuclei_Texture_X_DNA TEXT)")
    database.execute("INSERT INTO texts SELECT TableNumber, ImageNumber, Nuclei_Texture_X_DNA FROM Nuclei")
    database.executescript("DROP TABLE Nuclei; ALTER TABLE texts RENAME TO Nuclei;")

    outcome = aggregate()

    wells = load(tmp_path / WELLS)
    assert outcome.code == 0
    pd.testing.assert_frame_equal(wells, expected[list(wells)])


def harmed(backend: Path, harm: str) -> Path:
    path = backend.with_name("harmed.sqlite")
    if harm == "empty file":
        path.write_bytes(b"")
        return path
    if harm == "no sqlite":
        path.write_text("Metadata_Plate,Metadata_Well\n")
        return path
    shutil.copy(backend, path)
    database = sqlite3.connect(path)
    database.execute(harm)
    database.commit()
    return path


HARMS = {
    "empty file": ("empty file", "not a backend"),
    "not sqlite": ("no sqlite", "not a backend"),
    "another plate": ("UPDATE Image SET Metadata_Plate = 'BR1'", "holds BR1"),
    "no image": ("DELETE FROM Image", "holds no image"),
    "no cell": ("DELETE FROM Nuclei", "no well with cells"),
    "no table": ("DROP TABLE Nuclei", "has no table Nuclei"),
    "an image twice": ("INSERT INTO Image SELECT * FROM Image LIMIT 1", "twice"),
}


@pytest.mark.parametrize(("harm", "words"), HARMS.values(), ids=HARMS)
def test_a_backend_that_cannot_be_averaged_is_an_error(aggregate, backend, harm, words):
    outcome = aggregate(path=harmed(backend, harm))

    assert outcome.code == 65
    assert words in outcome.stderr


def test_an_unknown_method_is_refused(aggregate):
    assert aggregate(method="mode").code == 2
