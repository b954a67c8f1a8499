"""`python -m tasks verify`: what of a table agrees with a reference, by family; anything else is not 0."""

from __future__ import annotations

import argparse
import csv
import gzip
import shutil
from pathlib import Path

import pytest

from tasks.commands import table_comparison, verify
from tasks.commands.table_comparison import ParityError, agreement, compare
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError
from tasks.results import manifest
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate, make_manifest

STAGE = "select_features_negcon"
NAME = f"{PLATE}_normalized_feature_select_negcon_plate.csv.gz"
ROWS = [
    ["Metadata_Plate", "Metadata_Well", "Metadata_gene", "Cells_Texture_A", "Cells_Texture_B", "Nuclei_AreaShape_A"],
    ["P", "A01", "TP53", "1.2345", "-0.5", "12345"],
    ["P", "A02", "", "0", "", "1.2e-05"],
]


def write(path: Path, rows: list[list[str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", newline="") as lines:
        csv.writer(lines).writerows(rows)
    return path


def changed(row: int, column: int, value: str) -> list[list[str]]:
    rows = [list(each) for each in ROWS]
    rows[row][column] = value
    return rows


@pytest.mark.parametrize(
    ("ours", "reference", "tolerance", "state"),
    [
        ("1.2345", "1.2345", 0, "equal"),
        ("9.8839e+06", "9883900", 0, "equal"),
        ("nan", "NaN", 0, "equal"),
        ("1.2345", "1.2346", 0, "within"),
        ("-12345", "-12346", 0, "within"),
        ("99999", "1e5", 0, "within"),
        ("1.2345", "1.2347", 0, "different"),
        ("1.2345", "-1.2345", 0, "different"),
        ("0.0001", "0.0009", 1e-3, "within"),
        ("0.0001", "0.0013", 1e-3, "different"),
        ("", "0", 1, "different"),
        ("TP53", "MYC", 1, "different"),
        ("inf", "1", 1, "different"),
        ("nan", "1", 1, "different"),
    ],
)
def test_values_agree_to_one_unit_of_the_last_written_digit(
    ours: str, reference: str, tolerance: float, state: str
) -> None:
    assert agreement(ours, reference, tolerance) == state
    assert agreement(reference, ours, tolerance) == state


def test_equal_tables_agree_whatever_the_order_of_rows_and_columns(tmp_path: Path) -> None:
    turned = [row[::-1] for row in (ROWS[0], ROWS[2], ROWS[1])]
    found = compare(write(tmp_path / "a.csv.gz", ROWS), write(tmp_path / "b.csv.gz", turned), 0)

    assert found.good
    assert {name: dict(counts) for name, counts in found.families.items()} == {
        "Metadata": {"equal": 6},
        "Cells_Texture": {"equal": 4},
        "Nuclei_AreaShape": {"equal": 2},
    }


CHANGES = {
    "value": (changed(1, 3, "1.3"), "Cells_Texture", "different", 1),
    "text": (changed(2, 2, "MYC"), "Metadata", "different", 1),
    "lost well": (ROWS[:2], "Cells_Texture", "missing", 2),
    "lost column": ([row[:-1] for row in ROWS], "Nuclei_AreaShape", "missing", 2),
    "new well": ([*ROWS, ["P", "A03", "", "1", "1", "1"]], "Metadata", "extra", 3),
    "new column": ([[*row, "Nuclei_Texture_A"] for row in ROWS], "Nuclei_Texture", "extra", 2),
}


@pytest.mark.parametrize(("rows", "name", "state", "count"), CHANGES.values(), ids=CHANGES)
def test_a_change_is_counted_in_its_family_and_shown(
    rows: list[list[str]], name: str, state: str, count: int, tmp_path: Path
) -> None:
    found = compare(write(tmp_path / "a.csv.gz", rows), write(tmp_path / "b.csv.gz", ROWS), 0)

    assert not found.good
    assert found.families[name][state] == count
    assert f"({state})" in found.first
    assert bool(found.notes) == (state != "different")


def test_other_files_are_compared_by_their_bytes(tmp_path: Path) -> None:
    for name, content in (("a.png", b"x"), ("b.png", b"x"), ("c.png", b"y")):
        (tmp_path / name).write_bytes(content)

    assert compare(tmp_path / "a.png", tmp_path / "b.png", 0).good
    assert not compare(tmp_path / "a.png", tmp_path / "c.png", 0).good


@pytest.mark.parametrize("rows", [[*ROWS, ROWS[1]], [*ROWS, ["P", "A03"]]], ids=["a well twice", "a short row"])
def test_a_table_that_cannot_be_read_is_named(rows: list[list[str]], tmp_path: Path) -> None:
    with pytest.raises(ParityError, match=r"a.csv.gz"):
        compare(write(tmp_path / "a.csv.gz", rows), write(tmp_path / "b.csv.gz", ROWS), 0)


def test_a_cut_file_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", ROWS)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(ParityError, match=r"a.csv.gz: cannot be read"):
        compare(path, write(tmp_path / "b.csv.gz", ROWS), 0)


@pytest.fixture
def published(luigi_cfg: LoadSettings) -> Layout:
    """Publish a selection of one plate, with its table of excluded features."""
    layout = luigi_cfg("")
    lay_plate(layout)
    place = layout.published("profiles", BATCH, PLATE)
    write(place / NAME, ROWS)
    (place / "excluded.csv").write_text("feature\n")
    path = layout.manifest(STAGE, BATCH, PLATE)
    path.parent.mkdir(parents=True)
    outputs = {"profiles": place / NAME, "excluded": place / "excluded.csv"}
    manifest.write(path, make_manifest(outputs, layout.root, STAGE))
    return layout


def verified(reference: Path, *words: str) -> int:
    return verify.act(parsed(STAGE, "--batch-id", BATCH, "--reference", str(reference), *words))


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    verify.add(parser)
    return parser.parse_args(words)


def test_a_stage_that_agrees_is_0_and_says_what_was_not_compared(
    published: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "reference" / "deep" / NAME, changed(1, 3, "1.2344"))
    code, printed = verified(tmp_path / "reference"), capsys.readouterr().out

    assert code == 0
    assert "1 of 1 files agree" in printed
    assert "excluded: the reference has no such file" in printed
    assert "Cells_Texture" in printed


def test_a_stage_that_differs_is_1_and_shows_where(
    published: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "reference" / NAME, changed(1, 3, "1.3"))
    code, printed = verified(tmp_path / "reference"), capsys.readouterr().out

    assert code == 1
    assert "first difference: P A01 Cells_Texture_A: 1.2345 here, 1.3 in the reference (different)" in printed
    assert "0 of 1 files agree" in printed
    assert verified(tmp_path / "reference", "--tolerance", "0.1") == 0


def test_a_removed_file_is_missing_not_equal(published: Layout, tmp_path: Path) -> None:
    write(tmp_path / "reference" / NAME, ROWS)
    (published.published("profiles", BATCH, PLATE) / NAME).unlink()

    assert verified(tmp_path / "reference") == 1


@pytest.mark.parametrize(
    "words", [[STAGE], ["--reference", "x"], [STAGE, "--reference", "x"], [STAGE, "--batch-id", "b"]]
)
def test_a_comparison_that_is_not_whole_is_an_error(words: list[str], luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    with pytest.raises(ParityError, match="name all three"):
        verify.act(parsed(*words))


def test_a_reference_that_is_no_folder_is_an_error(published: Layout, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="is no folder; name one that holds published files, or `gallery`"):
        verified(tmp_path / "reference")


@pytest.fixture
def measured(published: Layout) -> Layout:
    """Publish two sites, whose files bear the same names, beside the selection."""
    folder = published.published("analysis", BATCH, PLATE) / "analysis"
    for site, value in (("A01-1", "1"), ("A02-1", "2")):
        (folder / f"{PLATE}-{site}").mkdir(parents=True)
        (folder / f"{PLATE}-{site}" / "Cells.csv").write_text(f"Cells_AreaShape_Area\n{value}\n")
    path = published.manifest("measure", BATCH, PLATE)
    path.parent.mkdir(parents=True)
    manifest.write(path, make_manifest({"analysis": folder}, published.root, "measure"))
    return published


def test_files_of_one_name_are_compared_with_those_of_the_same_folders(
    measured: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(measured.published("analysis", BATCH, PLATE), tmp_path / "other" / PLATE)
    words = ("measure", "--batch-id", BATCH, "--reference", str(tmp_path / "other"))
    same = verify.act(parsed(*words))
    (tmp_path / "other" / PLATE / "analysis" / f"{PLATE}-A02-1" / "Cells.csv").unlink()
    capsys.readouterr()
    cut = verify.act(parsed(*words))

    assert (same, cut) == (0, 1)
    assert "1 of 2 files agree" in capsys.readouterr().out


def test_a_reference_that_has_a_name_twice_is_an_error(published: Layout, tmp_path: Path) -> None:
    for copy in "ab":
        write(tmp_path / "reference" / copy / NAME, ROWS)
    with pytest.raises(ParityError, match=r"are both named so; name one of their folders"):
        verified(tmp_path / "reference")


def test_a_reference_without_any_such_file_is_an_error(published: Layout, tmp_path: Path) -> None:
    (tmp_path / "reference").mkdir()
    with pytest.raises(MissingInputError, match=rf"holds no file that is named like one of ours \({NAME}"):
        verified(tmp_path / "reference")


def test_a_stage_that_was_not_run_is_an_error(published: Layout, tmp_path: Path) -> None:
    published.manifest(STAGE, BATCH, PLATE).unlink()
    with pytest.raises(MissingInputError, match="has no result yet; run it first"):
        verified(tmp_path)


def test_a_real_released_table_agrees_with_itself_and_not_with_another_plates(real_data: Path) -> None:
    folder = real_data / "profiles" / BATCH
    paths = [next((folder / plate).iterdir()) for plate in ("BR00117010", "BR00117011")]
    same, other = compare(paths[0], paths[0], 0), compare(paths[0], paths[1], 0)

    assert same.good
    assert sum(counts["equal"] for counts in same.families.values()) == 384 * 917
    assert not other.good
    assert table_comparison.family("Cells_Texture_AngularSecondMoment_AGP_10_00_256") in other.families
