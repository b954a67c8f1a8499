"""Real layouts of laboratories: each comes in by its path, and says what pandas reads of the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from tasks.dataset.plate_layouts.conversion import Converted, convert
from tasks.dataset.plate_layouts.marking import Controls
from tasks.errors import TableError
from tests import real_files

PANDAS = {"dtype": str, "keep_default_na": False, "encoding": "utf-8-sig"}
Read = Callable[[Path], pd.DataFrame]


def read(well: str, what: str, dose: str = "", factor: float = 1.0, **how: object) -> Read:
    """Return how pandas reads a file: what each well holds, and its dose."""

    def of(path: Path) -> pd.DataFrame:
        table = pd.read_csv(path, **{**PANDAS, **how})  # type: ignore[call-overload]
        table = table.rename(columns=str.strip).apply(lambda column: column.str.strip())
        wells = table[well].str.replace(r"^([A-Z])(\d)$", r"\g<1>0\2", regex=True)
        doses = pd.to_numeric(table[dose], errors="coerce") * factor if dose else pd.Series(float("nan"), table.index)
        said = pd.DataFrame({"well": wells, "what": table[what], "dose": doses, "plate": ""})
        for name in ("plate", "Metadata_PlateID", "Plate"):
            if name in table:
                said["plate"] = table[name].str.partition("__")[0]
        said["solvent"] = table.get("solvent", pd.Series("", table.index))
        return said

    return of


TAB = {"sep": "\t"}
FILES: dict[str, tuple[str, dict[str, str], Controls, str, Read, int]] = {
    # file, [platemap], [controls], the plate, pandas, the negative controls
    "broad_lincs/platemaps/2016_04_01_a549_48hr_batch1/platemap/C-7161-01-LM6-001.txt": (
        "any", {}, Controls(), "", read("well_position", "broad_sample", "mmoles_per_liter", 1000, **TAB), 24,
    ),
    "broad_lincs/platemaps/2017_12_05_Batch2/platemap/AB00022422.csv": (
        "any", {}, Controls(), "", read("well_position", "broad_sample", "mmoles_per_liter", 1000), 24,
    ),
    "broad_lincs/idr/idr0000-screenA-library_batch_1.txt.gz": (
        "SQ00015211", {"perturbation": "Name"}, Controls(), "SQ00015211",
        read("Well", "Name", "Dose", **TAB), 24,
    ),
    "jump_target/JUMP-Target-1_compound_platemap.tsv": (
        "any", {}, Controls(), "", read("well_position", "broad_sample", **TAB), 64,
    ),
    "jump_target/JUMP-Target-1_crispr_platemap.tsv": (
        "any", {}, Controls("perturbation == ''"), "", read("well_position", "broad_sample", **TAB), 4,
    ),
    "way_nf1/platemap_NF1_plate2.csv": (
        "any", {"perturbation": "genotype"}, Controls("WT"), "", read("well_position", "genotype"), 16,
    ),
    "way_nf1/platemap_NF1_plate5.csv": (
        "any", {"perturbation": "genotype"}, Controls("WT"), "", read("well_position", "genotype"), 24,
    ),
    "way_cardiac/localhost220512140003_KK22-05-198_platemap.csv": (
        "any", {}, Controls(), "", read("well_position", "treatment", "dose"), 16,
    ),
    "way_cardiac/localhost230405150001_platemap.csv": (
        "any", {}, Controls("treatment == 'DMSO' and cell_type == 'healthy'"), "",
        read("well_position", "treatment"), 6,
    ),
    "way_fibrosis_screen/original_platemaps/Target_Selective_Library_Screen_Plate_11.csv": (
        "any", {}, Controls("DMSO", "TGFRi"), "", read("well_position", "treatment"), 8,
    ),
    "way_pediatric_cancer/Assay_Plate12_platemap.csv": (
        "any", {"perturbation": "cell_line"}, Controls(), "", read("well", "cell_line"), 0,
    ),
    "sorger_datarail/examples/metadata.csv": (
        "schema2", {"unit": "uM"}, Controls(), "schema2", read("well", "agent", "concentration"), 20,
    ),
    "sintef_mcpcell/platemap.csv": (
        "26159", {}, Controls(), "26159",
        read("Metadata_DestinationWell", "Metadata_Compound", "Metadata_Conc", skipinitialspace=True), 1,
    ),
}  # fmt: skip


def rows_of(made: Converted) -> pd.DataFrame:
    return pd.DataFrame(made.platemap[1:], columns=made.platemap[0])


@pytest.mark.parametrize("name", FILES, ids=lambda name: Path(name).stem)
def test_a_real_layout_says_what_pandas_reads(name: str) -> None:
    path = real_files.vendors() / "platemaps" / name
    plate, given, controls, own, pandas, negatives = FILES[name]

    made = convert(path, plate, given, controls, None)

    expected = pandas(path)
    expected = expected[expected["plate"] == own].set_index("well").sort_index()
    got = rows_of(made).set_index("well_position").sort_index()
    assert got.index.tolist() == expected.index.tolist()
    assert got["perturbation"].tolist() == expected["what"].where(expected["what"] != "", expected["solvent"]).tolist()
    if expected["dose"].notna().any():
        assert pd.to_numeric(got["dose"]).to_numpy() == pytest.approx(
            expected["dose"].to_numpy(), rel=1e-5, nan_ok=True
        )
    types = {row[0]: row[2] for row in made.external_metadata[1:]}
    assert (got["broad_sample"].map(types) == "negcon").sum() == negatives


def test_every_real_table_is_tried_or_known_as_no_layout() -> None:
    folder = real_files.vendors() / "platemaps"
    others = {
        "broad_lincs/idr/idr0000-screenA-library.txt",
        "sorger_datarail/examples/drug_stock.csv",
        "way_nf1/barcode_platemap.csv",
        "safari_cellpaint_xlsx/platemap_template.xlsx",
    }
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}

    assert found == {*FILES, *others}
    for name in others:
        with pytest.raises(TableError, match=Path(name).name):
            convert(folder / name, "any", {}, Controls(), None)


def test_a_real_template_of_grids_is_read_once_it_is_filled_in(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(real_files.vendors() / "platemaps/safari_cellpaint_xlsx/platemap_template.xlsx")
    for place, name, dose in (("B2", "DMSO", None), ("C2", "BRD-1", 10), ("Y17", "BRD-1", 0.1)):
        book["Treatment"][place], book["Dosage"][place], book["CellLine"][place] = name, dose, "U2OS"
    book.save(tmp_path / "filled.xlsx")

    made = rows_of(convert(tmp_path / "filled.xlsx", "any", {"unit": "nM"}, Controls(), None))

    columns = ["well_position", "perturbation", "dose", "dose_unit", "CellLine"]
    assert made[columns].to_numpy().tolist() == [
        ["A01", "DMSO", "", "", "U2OS"],
        ["A02", "BRD-1", "0.01", "uM", "U2OS"],
        ["P24", "BRD-1", "0.0001", "uM", "U2OS"],
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "well"), [("drug_layout.csv", "C03"), ("drug_layout_utf8-dom.csv", "B03")])
def test_layouts_beside_real_exports_are_read(name: str, well: str) -> None:
    path = real_files.vendors() / "perkinelmer_operetta_sonata_harmony_v5/fixtures" / name

    made = rows_of(convert(path, "any", {}, Controls(), None))

    assert made["well_position"].tolist() == [well]
    assert made[["dose", "dose_unit"]].to_numpy().tolist() == [["0.125", "%"] if well == "C03" else ["0.1", "uM"]]
