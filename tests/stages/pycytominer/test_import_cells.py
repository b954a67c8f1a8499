"""import_cells: single cells of other programs, held against direct computations on the same real files."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests import real_files
from tests.stages.pycytominer.conftest import PLATE

COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")
LINKS = ["Cytoplasm_Parent_Cells", "Cytoplasm_Parent_Nuclei"]
MERGED = """
import sys
import pandas
table = pandas.read_parquet(sys.argv[1])
kinds = tuple(f"{name}_" for name in sys.argv[3:])
table[[name for name in table if name.startswith(kinds)]].mean().to_csv(sys.argv[2])
"""
READ = """
import sys
import pandas
pandas.concat([pandas.read_parquet(path) for path in sys.argv[2:]]).to_csv(sys.argv[1], index=False)
"""


@pytest.fixture
def bring(stage: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Return a function that imports a plate's cells, and averages them."""

    def run(table: Path, plate: str, **given: str) -> Any:
        flags: dict[str, Any] = {f"{role}_column": given.get(role, "") for role in ("plate", "well", "site")}
        flags |= {"objects": "", "method": "mean", "max_failed_fraction": "0", "cells": "true"}
        flags["bears_plate"] = "true"
        flags |= {name: value for name, value in given.items() if name in flags}
        places = {"write_profiles": tmp_path / "made.csv.gz", "write_cells": tmp_path / "made_cells"}
        return stage("import_cells", plate, table=table, **flags, **places)

    return run


@pytest.fixture
def made(load: Callable[[Path], pd.DataFrame], tmp_path: Path) -> Callable[[], pd.DataFrame]:
    return lambda: load(tmp_path / "made.csv.gz").set_index("Metadata_Well")


def exported() -> Path:
    folder = real_files.vendors() / "cellprofiler_exporttodatabase_sqlite/cellprofiler/NF1_SchwannCell_data"
    return folder / "all_cellprofiler.sqlite"


@pytest.mark.parametrize("method", ["mean", "median"])
def test_an_export_to_database_comes_to_what_pandas_makes_of_it(bring, made, method: str) -> None:
    done = bring(exported(), "001", method=method)
    table = made()
    with sqlite3.connect(f"file:{exported()}?mode=ro", uri=True) as database:
        images = pd.read_sql_query("SELECT ImageNumber, Image_Metadata_Well AS well FROM Per_Image", database)
        objects = {name: pd.read_sql_query(f"SELECT * FROM Per_{name}", database) for name in COMPARTMENTS}

    assert done.code == 0, done.stderr
    assert list(table.index) == ["C06", "C07", "D06", "D07", "E06", "E07", "F06", "F07"]
    assert table["Metadata_Site_Count"].astype(int).tolist() == [4] * 8
    for name, cells in objects.items():
        own = cells.merge(images, on="ImageNumber").groupby("well")
        features = [each for each in cells if each.startswith(f"{name}_") and each not in LINKS]
        numbers = cells[features].apply(pd.to_numeric, errors="coerce")
        expected = numbers.groupby(cells.merge(images, on="ImageNumber")["well"]).agg(method)
        assert table[f"Metadata_Count_{name}"].astype(int).tolist() == own.size().tolist()
        np.testing.assert_allclose(table[features], expected, rtol=1e-4, atol=1e-9)


def test_cytominers_sqlite_comes_to_what_aggregate_makes_of_it(bring, made, stage, load, tmp_path: Path) -> None:
    folder = real_files.vendors() / "cellprofiler_cytominer_database_sqlite/cytominer-database/Cell-Health"
    path = folder / "test-SQ00014613.sqlite"
    ours = bring(path, "SQ00014613")
    same = stage(
        "aggregate", "SQ00014613", source="backend", analysis=[], backend=path, cells=[], method="mean",
        behaviour="corrected", compartment_counts="false", max_failed_fraction="0",
        write_profiles=tmp_path / "aggregated.csv.gz",
    )  # fmt: skip
    aggregated = load(tmp_path / "aggregated.csv.gz").set_index("Metadata_Well")

    assert (ours.code, same.code) == (0, 0), ours.stderr + same.stderr
    features = [name for name in aggregated if not name.startswith("Metadata_")]
    assert {*features} == {name for name in made() if not name.startswith("Metadata_")}
    np.testing.assert_array_equal(made()[features], aggregated[features])


def test_our_own_cells_come_to_what_aggregate_makes_of_their_sites(
    bring, made, stage, load, analysis, tmp_path: Path
) -> None:
    same = stage(
        "aggregate", PLATE, source="analysis", analysis=analysis, backend=[], cells=[], method="mean",
        behaviour="corrected", compartment_counts="false", max_failed_fraction="0",
        write_profiles=tmp_path / "aggregated.csv.gz",
    )  # fmt: skip
    aggregated = load(tmp_path / "aggregated.csv.gz").set_index("Metadata_Well")
    features = [name for name in aggregated if not name.startswith("Metadata_")]
    first = bring(analysis, PLATE)
    of_folders = made()
    shutil.move(tmp_path / "made_cells", tmp_path / "cells")
    again = bring(tmp_path / "cells", PLATE)

    assert (same.code, first.code, again.code) == (0, 0, 0), first.stderr + again.stderr
    np.testing.assert_array_equal(of_folders[features], aggregated[features])
    np.testing.assert_array_equal(made()[features], aggregated[features])
    assert made()["Metadata_Site_Count"].tolist() == aggregated["Metadata_Site_Count"].tolist()


MERGED_FILES = {
    "three objects": (
        "cytotable_single_cell_parquet/pediatric_cancer_atlas_profiling/BR00143976_shrunken.parquet",
        "BR00143976",
        "C03",
        COMPARTMENTS,
    ),
    "nuclei alone": (
        "cytotable_single_cell_parquet/nuclear_speckles/test_slide1_converted.parquet",
        "slide1",
        "A01",
        ("Nuclei",),
    ),
}


@pytest.mark.parametrize(("name", "plate", "well", "objects"), MERGED_FILES.values(), ids=MERGED_FILES)
def test_cytotables_parquet_comes_to_the_mean_of_its_rows(
    bring, made, oracle, tmp_path: Path, name: str, plate: str, well: str, objects: tuple[str, ...]
) -> None:
    path = real_files.vendors() / name
    done = bring(path, plate)
    oracle(MERGED, path, tmp_path / "means.csv", *map(Path, objects))
    expected = pd.read_csv(tmp_path / "means.csv", index_col=0).iloc[:, 0].drop(LINKS, errors="ignore")

    assert done.code == 0, done.stderr
    assert list(made().index) == [well]
    np.testing.assert_allclose(made().loc[well, expected.index].astype(float), expected, rtol=1e-4, atol=1e-9)


GROUPS = """
import sys
import pandas
import pyarrow
import pyarrow.parquet
cells = [{"Metadata_Plate": "P1", "Metadata_Well": f"{'AB'[row % 2]}01", "Metadata_ImageNumber": row // 7 + 1,
          "Metadata_Cells_Number_Object_Number": row % 7 + 1, "Cells_Area": row ** 1.5} for row in range(60)]
pyarrow.parquet.write_table(pyarrow.Table.from_pylist(cells), sys.argv[1], row_group_size=13)
pandas.DataFrame(cells).to_csv(sys.argv[2], index=False)
"""


def test_a_well_is_gathered_from_whatever_groups_of_rows_it_lies_in(bring, made, oracle, tmp_path: Path) -> None:
    oracle(GROUPS, tmp_path / "P1.parquet", tmp_path / "P1.csv")
    cells = pd.read_csv(tmp_path / "P1.csv").groupby("Metadata_Well")["Cells_Area"]
    done = bring(tmp_path / "P1.parquet", "P1")

    assert done.code == 0, done.stderr
    assert made()["Metadata_Count_Cells"].astype(int).tolist() == cells.size().tolist()
    np.testing.assert_allclose(made()["Cells_Area"], cells.mean(), rtol=1e-4)


def test_csv_folders_with_two_header_lines_and_with_a_site_each_are_read(bring, made, tmp_path: Path) -> None:
    together = real_files.vendors() / "cellprofiler_csv_object_multiheader/cytominer-database/data_a"
    done = bring(together, "110000106828")
    raw = pd.read_csv(together / "1/object.csv", header=[0, 1])
    images = pd.read_csv(together / "1/image.csv").set_index("ImageNumber")["Metadata_Well"]
    expected = raw[("Nuclei", "AreaShape_Area")].groupby(raw[("Image", "ImageNumber")].map(images)).mean()

    assert done.code == 0, done.stderr
    np.testing.assert_allclose(made().loc[expected.index, "Nuclei_AreaShape_Area"], expected, rtol=1e-4)

    site = real_files.needed() / "cellprofiler_csv"
    assert bring(site, "BR00116991").code == 0
    area = pd.read_csv(site / "BR00116991-A01-1/Cells.csv")["AreaShape_Area"]
    assert made().loc["A01", "Cells_AreaShape_Area"] == pytest.approx(area.mean(), rel=1e-4)


def test_objects_have_the_names_that_a_setting_gives(bring, made, oracle, tmp_path: Path) -> None:
    human = real_files.vendors() / "cellprofiler_csv_other_objects/cellprofiler/ExampleHuman"
    shutil.copytree(human, tmp_path / "plate/P1-A01-1")
    done = bring(tmp_path / "plate", "P1", objects="Nuclei=Nuclei, Mitotic=PH3")
    oracle(READ, tmp_path / "cells.csv", tmp_path / "made_cells/A01.parquet")
    cells = pd.read_csv(tmp_path / "cells.csv")
    mitotic = pd.read_csv(human / "PH3.csv")

    assert done.code == 0, done.stderr
    first = mitotic[~mitotic["Parent_Nuclei"].duplicated()]  # a nucleus of two objects is the first one's
    assert done.facts["objects"] == {"Nuclei": 289, "Mitotic": 22}
    assert len(cells) == 289 + len(mitotic) - len(first)
    paired = cells[cells["Metadata_Mitotic_ObjectNumber"].notna()].sort_values("Metadata_Mitotic_ObjectNumber")
    paired = paired[paired["Metadata_Nuclei_ObjectNumber"].notna()]
    assert paired["Metadata_Nuclei_ObjectNumber"].tolist() == first["Parent_Nuclei"].tolist()
    assert made().loc["A01", "Mitotic_Location_Center_X"] == pytest.approx(
        mitotic["Location_Center_X"].mean(), rel=1e-4
    )


def test_sites_that_cannot_be_used_are_named_and_left_out(bring, made, tmp_path: Path) -> None:
    shutil.copytree(real_files.needed() / "cellprofiler_csv", tmp_path / "plate")
    gaps = real_files.vendors() / "cellprofiler_csv_per_site_with_gaps/cytominer-database/data_b"
    shutil.copytree(gaps / "E17-4", tmp_path / "plate/E17-4")
    refused = bring(tmp_path / "plate", "BR00116991")
    allowed = bring(tmp_path / "plate", "BR00116991", max_failed_fraction="0.5")

    assert (refused.code, allowed.code) == (65, 0), allowed.stderr
    assert "E17-4: Cells.csv is empty" in refused.stderr
    assert allowed.facts["quarantined"] == {"E17-4": "Cells.csv is empty: it has 0 bytes"}
    assert list(made().index) == ["A01"]


CELLS = "ImageNumber,ObjectNumber,AreaShape_Area\n"


def laid_site(folder: Path, image: str, cells: str = CELLS + "1,1,2.5\n1,2,3.5\n") -> None:
    folder.mkdir(parents=True)
    (folder / "Image.csv").write_text(image)
    (folder / "Cells.csv").write_text(cells)


def test_a_site_without_a_cell_is_a_good_site(bring, made, tmp_path: Path) -> None:
    for well, cells in {"A01": {}, "A02": {"cells": CELLS}}.items():
        laid_site(tmp_path / f"plate/{well}", f"ImageNumber,Metadata_Plate,Metadata_Well\n1,P1,{well}\n", **cells)
    done = bring(tmp_path / "plate", "P1")

    assert done.code == 0, done.stderr
    assert done.facts["wells_without_cells"] == ["A02"]
    assert made().loc["A01", "Cells_AreaShape_Area"] == 3


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ("", "Image.csv is empty: it has 0 bytes"),
        ("ImageNumber,Metadata_Plate,Metadata_Well\n1,P1,A", "Image.csv is cut off"),
        ("ImageNumber,Metadata_Plate,Metadata_Well\n1,P1,??\n", "'??', which is no well"),
    ],
    ids=["empty", "cut", "no well"],
)
def test_a_site_whose_images_cannot_be_told_is_not_passed_over(bring, tmp_path: Path, image: str, told: str) -> None:
    laid_site(tmp_path / "plate/good", "ImageNumber,Metadata_Plate,Metadata_Well\n1,P1,A01\n")
    laid_site(tmp_path / "plate/bad", image)
    refused = bring(tmp_path / "plate", "P1")
    allowed = bring(tmp_path / "plate", "P1", max_failed_fraction="0.5")

    assert (refused.code, allowed.code) == (65, 0), allowed.stderr
    assert told in refused.stderr
    assert told in allowed.facts["quarantined"]["bad"]


def test_cells_of_no_plate_are_refused_where_they_may_be_of_several(bring, tmp_path: Path) -> None:
    laid_site(tmp_path / "cells/good", "ImageNumber,Metadata_Well\n1,A01\n")

    assert bring(tmp_path / "cells", "P1").code == 0
    refused = bring(tmp_path / "cells", "P1", bears_plate="false")
    assert refused.code == 65
    assert "no column says the plate" in refused.stderr


@pytest.mark.parametrize(
    ("plate", "given", "told"),
    [
        ("002", {}, ["Per_Image", "plate 002", "Image_Metadata_Plate", "001"]),
        ("001", {"objects": "Cells=Cell"}, ["'Cell'", "Cells, Cytoplasm, Nuclei", "[import_cells] objects"]),
        ("001", {"well": "Image_Well"}, ["Image_Well", "[import_cells] well"]),
    ],
    ids=["another plate", "another object", "another column"],
)
def test_what_is_wrong_is_named(bring, tmp_path: Path, plate: str, given: dict[str, str], told: list[str]) -> None:
    done = bring(exported(), plate, **given)

    assert done.code == 65
    assert [text for text in told if text not in done.stderr] == []
    assert not (tmp_path / "made.csv.gz").exists()


def test_a_file_that_is_cut_is_refused(bring, tmp_path: Path) -> None:
    cut = tmp_path / "cut.sqlite"
    cut.write_bytes(exported().read_bytes()[:200_000])
    empty = tmp_path / "empty.parquet"
    empty.write_bytes(b"")

    assert bring(cut, "001").code == 65
    assert bring(empty, "001").code == 65
