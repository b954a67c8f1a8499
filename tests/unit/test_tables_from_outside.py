"""Every row of a table that comes from outside is checked before anything is computed, and every fault is found."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import pytest
from stagekit import outside, tables
from stagekit.outside import BLANK, CUT, FORM, TWICE, Kind
from stagekit.program import DataError

from tasks.dataset import catalogue, lookup, plate_tables
from tasks.dataset.layout import REPOSITORY, Layout
from tasks.errors import MissingInputError, TableError
from tasks.workflow.image_analysis import LoadData
from tasks.workflow.inputs import FetchMetadata, Platemap
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate, lay_table

WELLS = ["well_position", "broad_sample"]
KINDS = {
    "barcode_platemap": (outside.BARCODE_PLATEMAP, ["Assay_Plate_Barcode", "Plate_Map_Name"], ["P1", "map"]),
    "platemap": (outside.PLATEMAP, [*WELLS, "solvent"], ["A01", "B1", "DMSO"]),
    "external metadata": (
        outside.EXTERNAL_METADATA,
        ["broad_sample", "pert_type", "control_type", "note"],
        ["B1", "trt", "", "of the lab "],
    ),
    "experiment metadata": (
        outside.EXPERIMENT_METADATA,
        ["Batch", "Assay_Plate_Barcode", "Cell_type"],
        ["b", "P1", "U2OS"],
    ),
    "checksums": (outside.CHECKSUMS, ["path", "sha256"], ["a/b.csv", "0" * 64]),
}


def found(kind: Kind, columns: list[str], *rows: list[str]) -> list[tuple[int, str, str]]:
    """Return line, rule and column of the faults of a table whose first row is on line 2."""
    return [fault[:3] for fault in outside.faults(kind, columns, list(enumerate(rows, start=2)))]


@pytest.mark.parametrize(("kind", "columns", "row"), KINDS.values(), ids=KINDS)
def test_a_key_is_there_once_whatever_else_the_row_says(kind: Kind, columns: list[str], row: list[str]) -> None:
    other = [cell if name in kind.key else "other" for name, cell in zip(columns, row, strict=True)]
    faults = found(kind, columns, row, row, other)

    assert found(kind, columns, row) == []
    assert (3, TWICE, ", ".join(kind.key)) in faults
    assert (4, TWICE, ", ".join(kind.key)) in faults


@pytest.mark.parametrize("odd", ["{} ", "\t{}", "\u00a0{}", "{}\u200b"], ids=["behind", "tab", "no-break", "unseen"])
@pytest.mark.parametrize(("kind", "columns", "row"), KINDS.values(), ids=KINDS)
def test_a_value_that_is_compared_has_nothing_around_it_that_is_not_seen(
    kind: Kind, columns: list[str], row: list[str], odd: str
) -> None:
    compared = columns if kind.compared == outside.EVERY else kind.compared
    for at, name in enumerate(columns):
        spoilt = [odd.format(cell) if place == at else cell for place, cell in enumerate(row)]

        assert found(kind, columns, spoilt) == ([(2, BLANK, name)] if name in compared else [])


@pytest.mark.parametrize(("kind", "columns", "row"), KINDS.values(), ids=KINDS)
def test_a_row_that_is_cut_is_named(kind: Kind, columns: list[str], row: list[str]) -> None:
    assert found(kind, columns, row[:-1], [*row, "more"]) == [(2, CUT, ""), (3, CUT, "")]


def test_two_keys_that_differ_by_a_blank_are_the_same() -> None:
    columns = ["Assay_Plate_Barcode", "Plate_Map_Name"]

    assert [rule for _, rule, _ in found(outside.BARCODE_PLATEMAP, columns, ["P1", "a"], ["P1 ", "b"])] == [
        BLANK,
        TWICE,
    ]


def test_an_empty_compound_is_a_key_and_an_empty_well_is_none() -> None:
    external = ["broad_sample", "pert_type", "control_type"]

    assert found(outside.EXTERNAL_METADATA, external, ["", "control", "negcon"], ["", "", ""]) == [
        (3, TWICE, "broad_sample")
    ]
    assert found(outside.PLATEMAP, WELLS, ["", "B1"], ["A1", ""]) == [
        (2, FORM, "well_position"),
        (3, FORM, "well_position"),
    ]


def test_a_compound_may_have_a_row_for_each_of_its_targets() -> None:
    columns = ["broad_sample", "target_list"]

    assert found(outside.LABELS, columns, ["B1", "TP53"], ["B1", "MYC"]) == []


def test_the_number_of_a_line_counts_blank_lines_and_lines_within_a_cell(tmp_path: Path) -> None:
    path = tmp_path / "map.txt"
    path.write_text('\n\nwell_position\tbroad_sample\n\nA01\t"a\nname"\n \nA02\tB1\n\nA02\tB2\n')

    assert [line for line, _ in tables.numbered(path, "\t")] == [3, 5, 8, 10]
    with pytest.raises(DataError, match=r"line 10: well_position A02 is on line 8 already"):
        outside.read(outside.PLATEMAP, path, "\t")


@pytest.mark.parametrize("text", ["", "well_position\tbroad_sample\n"], ids=["nothing", "a header only"])
def test_a_table_without_rows_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text(text)

    with pytest.raises(DataError, match=r"map\.txt"):
        outside.read(outside.PLATEMAP, tmp_path / "map.txt", "\t")


def test_a_column_whose_name_has_a_blank_is_named(tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text("well_position\t broad_sample\nA01\tB1\n")

    with pytest.raises(DataError, match="the column ' broad_sample' has a blank"):
        outside.read(outside.PLATEMAP, tmp_path / "map.txt", "\t")


def test_a_table_of_many_faults_shows_the_first_and_says_how_many(tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text("well_position\tbroad_sample\n" + "A1\tB\n" * 9)

    with pytest.raises(DataError, match=r"map.txt: line 2: .*line 3: .*\(and 12 more faults\)"):
        outside.read(outside.PLATEMAP, tmp_path / "map.txt", "\t")


@pytest.mark.parametrize("name", ["Plate", "Well", "Object_Count", "Site_Count", "Count_Cells", "Metadata_dose"])
def test_a_column_that_the_profiles_have_themselves_is_refused_in_both_tables(layout: Layout, name: str) -> None:
    lay_plate(layout)
    platemap, external = layout.platemap(BATCH, "JUMP_platemap"), layout.external_metadata("JUMP_metadata.tsv")
    for path in (platemap, external):
        good = path.read_text()
        path.write_text("".join(f"{line}\t{name if at == 0 else '7'}\n" for at, line in enumerate(good.splitlines())))

        with pytest.raises(TableError, match=rf"{path}: the column {name}: "):
            plate_tables.check(layout, BATCH, PLATE, "{stem}_metadata.tsv")
        path.write_text(good)
    plate_tables.check(layout, BATCH, PLATE, "{stem}_metadata.tsv")


def test_a_column_of_both_tables_is_refused_with_both_files(layout: Layout) -> None:
    lay_plate(layout)
    platemap, external = layout.platemap(BATCH, "JUMP_platemap"), layout.external_metadata("JUMP_metadata.tsv")
    lay_table(platemap, "\t", [*WELLS, "dose"], [["A01", "BRD-1", "1"]])
    lay_table(external, "\t", ["broad_sample", "pert_type", "control_type", "dose"], [["BRD-1", "trt", "", "1"]])

    with pytest.raises(TableError) as failure:
        plate_tables.check(layout, BATCH, PLATE, "{stem}_metadata.tsv")

    assert all(str(path) in str(failure.value) for path in (platemap, external))
    assert "dose" in str(failure.value)


@pytest.mark.parametrize(
    ("file", "header", "rows"),
    [
        ("platemap", WELLS, [["A01", "B1"], ["A01", "B2"]]),
        ("external", ["broad_sample", "pert_type", "control_type"], [["B1", "trt", ""], ["B1", "trt", "negcon"]]),
    ],
    ids=["a well twice", "a compound twice"],
)
def test_a_well_or_a_compound_twice_is_refused_before_the_plate_is_measured(
    layout: Layout, file: str, header: list[str], rows: list[list[str]]
) -> None:
    lay_plate(layout)
    paths = {
        "platemap": layout.platemap(BATCH, "JUMP_platemap"),
        "external": layout.external_metadata("JUMP_metadata.tsv"),
    }
    lay_table(paths[file], "\t", header, rows)

    with pytest.raises(TableError, match=rf"{paths[file]}: line 3: {header[0]} {rows[0][0]} is on line 2 already"):
        plate_tables.check(layout, BATCH, PLATE, "{stem}_metadata.tsv")


def test_a_plate_is_listed_once(layout: Layout) -> None:
    rows = [["P1", "compounds"], ["P2", "compounds"], ["P1", "guides"]]
    lay_table(layout.barcode_platemap(BATCH), ",", ["Assay_Plate_Barcode", "Plate_Map_Name"], rows)

    with pytest.raises(TableError, match="line 4: Assay_Plate_Barcode P1 is on line 2 already"):
        lookup.plates(layout, BATCH)


def test_a_table_that_was_corrected_is_read_again(layout: Layout) -> None:
    lay_plate(layout)
    path = layout.platemap(BATCH, "JUMP_platemap")
    lay_table(path, "\t", WELLS, [["A01", "B1"], ["A01", "B1"]])
    with pytest.raises(MissingInputError):
        plate_tables.check(layout, BATCH, PLATE, "{stem}_metadata.tsv")
    lay_table(path, "\t", WELLS, [["A01", "B1"], ["A02", "B1"]])

    plate_tables.check(layout, BATCH, PLATE, "{stem}_metadata.tsv")


def test_every_table_that_cpjump1_published_is_good(real_data: Path, layout: Layout) -> None:
    folder = real_data / "metadata"
    kinds = {
        "platemaps/*/barcode_platemap.csv": (outside.BARCODE_PLATEMAP, ","),
        "platemaps/*/platemap/*.txt": (outside.PLATEMAP, "\t"),
        "external_metadata/*.tsv": (outside.EXTERNAL_METADATA, "\t"),
        "experiment-metadata.tsv": (outside.EXPERIMENT_METADATA, "\t"),
        "quality_control_summary.tsv": (outside.QUALITY_SUMMARY, "\t"),
        "../checksums_2022-07-15.csv": (outside.CHECKSUMS, ","),
    }
    for pattern, (kind, separator) in kinds.items():
        paths = list(folder.glob(pattern)) or [folder / pattern]
        for path in paths:
            with open(path, newline="") as lines:
                count = sum(1 for _ in csv.reader(lines)) - 1
            assert len(outside.read(kind, path, separator)) == count > 0
    for platemap in folder.glob("platemaps/*/platemap/*.txt"):
        stem = platemap.stem.removesuffix("_platemap")
        own = [name for name in outside.split(platemap, "\t")[0] if name != "broad_sample"]
        external = outside.split(folder / f"external_metadata/{stem}_metadata.tsv", "\t")[0]
        assert outside.clashes(own) == outside.clashes(external, own) == {}
    assert len(catalogue.cpjump1()) == 117


def test_the_page_shows_what_is_checked_of_every_table_from_outside() -> None:
    page = (REPOSITORY / "docs/data_contracts.md").read_text()
    rows = page.partition("## Tables from outside")[2].partition("|---")[2].splitlines()[1:]
    shown = {}
    for row in itertools.takewhile(lambda line: line.startswith("|"), rows):
        name, key, compared = (cell.strip() for cell in row.split("|")[1:4])
        shown[name] = (key, compared)
    kinds = [kind for kind in vars(outside).values() if isinstance(kind, Kind)]

    assert shown == {
        kind.contract.name: (
            ", ".join(f"`{name}`" for name in kind.key) or "rows may repeat",
            "all columns"
            if kind.compared == outside.EVERY
            else ", ".join(f"`{name}`" for name in kind.compared) or "no column",
        )
        for kind in kinds
    }


def test_a_checksum_list_with_a_path_twice_is_refused_before_a_fetch(luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    lay_table(tmp_path / "sums.csv", ",", ["path", "sha256"], [["a/b.csv", "0" * 64], ["a/b.csv", "1" * 64]])
    luigi_cfg("[gallery]\nchecksums = sums.csv\n")

    with pytest.raises(TableError, match="sums.csv: line 3: path a/b.csv is on line 2 already"):
        FetchMetadata(batch_id=BATCH).spec()


def test_a_plate_with_a_bad_platemap_is_not_measured(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    lay_plate(layout)
    external = layout.external_metadata("JUMP_metadata.tsv")
    external.write_text(external.read_text() + "BRD-1\ttrt\tnegcon\n")

    with pytest.raises(TableError, match=rf"{external}: line 3"):
        Platemap(batch_id=BATCH, plate=PLATE).complete()
    assert any(isinstance(each, Platemap) for each in LoadData(batch_id=BATCH, plate=PLATE).requires())
