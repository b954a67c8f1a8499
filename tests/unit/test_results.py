"""platewright.open: results by name, with the right types, and errors that say what is there."""

from __future__ import annotations

import gzip
from pathlib import Path

import platewright
import pytest
from platewright.results import Results, ResultsError, features

BATCH = "B1"
ROW = "0042,A01,NA,9,0.1,\n0042,B02,,8,3,1e-3\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Lay the profiles, images and outlines of a plate whose barcode is a number."""
    workspace = tmp_path / "project/source/workspace"
    for name, text in {
        "profiles/B1/0042/0042_augmented.csv.gz": None,
        "load_data_csv/B1/0042/load_data.csv": "FileName_OrigDNA,PathName_OrigDNA,Metadata_Plate,Metadata_Well,"
        "Metadata_Site\na.tif,images,0042,A01,1\n",
        "analysis/B1/0042/analysis/0042-A01-1/outlines/A01_s1--nuclei_outlines.png": "",
    }.items():
        path = workspace / name
        path.parent.mkdir(parents=True)
        if text is None:
            head = "Metadata_Plate,Metadata_Well,Metadata_gene,Metadata_Object_Count,Cells_A_1,X_1\n"
            path.write_bytes(gzip.compress((head + ROW).encode()))
        else:
            path.write_text(text)
    return tmp_path


@pytest.fixture
def data(root: Path) -> Results:
    found: Results = platewright.open(root)
    return found


def test_barcodes_stay_text_counts_are_whole_and_features_numbers(data: Results) -> None:
    table = data.profiles(BATCH, "augmented")

    assert table["Metadata_Plate"].tolist() == ["0042", "0042"]
    assert table["Metadata_gene"].iloc[0] == "NA"
    assert table["Metadata_gene"].isna().tolist() == [False, True]
    assert (str(table["Metadata_Object_Count"].dtype), table["Metadata_Object_Count"].tolist()) == ("Int64", [9, 8])
    assert features(table) == ["Cells_A_1", "X_1"]
    assert table["X_1"].isna().tolist() == [True, False]
    assert table["Cells_A_1"].tolist() == [0.1, 3.0]


def test_what_there_is_is_told(data: Results) -> None:
    assert (data.batches(), data.plates(BATCH), data.steps(BATCH, "0042")) == ([BATCH], ["0042"], ["augmented"])


def test_pictures_are_found_with_their_wells(data: Results, root: Path) -> None:
    image, outline = data.images(BATCH, "0042").iloc[0], data.outlines(BATCH, "0042").iloc[0]

    assert (image["Metadata_Well"], image["channel"], image["path"]) == ("A01", "DNA", str(root / "images/a.tif"))
    assert (outline["Metadata_Plate"], outline["Metadata_Site"], outline["objects"]) == ("0042", 1, "nuclei")
    assert Path(outline["path"]).is_file()


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda data: data.profiles("B2"), "B1"),
        (lambda data: data.profiles(BATCH), "augmented"),
        (lambda data: data.profiles(BATCH, "normalized", "0042"), "'augmented'"),
        (lambda data: data.consensus(BATCH), "Consensus"),
        (lambda data: data.images(BATCH, "0043"), "0043"),
        (lambda data: platewright.open(data.root / "project"), "none"),
    ],
    ids=["batch", "step", "step of a plate", "consensus", "images", "root"],
)
def test_what_is_not_there_is_said_with_what_is(data: Results, ask, told: str) -> None:
    with pytest.raises(ResultsError, match=told):
        ask(data)
