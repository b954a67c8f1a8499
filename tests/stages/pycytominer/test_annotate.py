"""Every well gets its own perturbation, DMSO included, and every text stays as it was."""

from __future__ import annotations

import csv
import string

import pandas as pd
import pytest

PLATE = "00117013"


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    wells = ["A01", "A02", "A03"]
    return {
        "profiles": pd.DataFrame({"Metadata_Plate": PLATE, "Metadata_Well": wells, "Cells_A": [1.5, 2.0, None]}),
        "platemap": pd.DataFrame({"well_position": wells, "broad_sample": ["B1", "", "B2"], "solvent": "DMSO"}),
        "external_metadata": pd.DataFrame(
            {
                "broad_sample": ["B2", "B1", ""],
                "pubchem_cid": ["9883933", "0042", "679"],
                "pert_type": ["trt", "trt", "control"],
                "control_type": ["", "poscon_cp", "negcon"],
                "gene": ["NA", "nan", ""],
            }
        ),
    }


@pytest.fixture
def annotate(stage, save, tables, tmp_path):
    def run(plate: str = PLATE, **files):
        endings = {"profiles": ".csv.gz", "platemap": ".txt", "external_metadata": ".tsv"}
        paths = {name: save(table, name + endings[name]) for name, table in tables.items()}
        return stage("annotate", plate=plate, **{**paths, **files}, write_profiles=tmp_path / "augmented.csv.gz")

    return run


@pytest.fixture
def written(tmp_path):
    return lambda: pd.read_csv(tmp_path / "augmented.csv.gz", dtype=str, keep_default_na=False)


def test_an_empty_broad_sample_finds_the_dmso_row(annotate, written):
    outcome = annotate()

    wells = written().set_index("Metadata_Well")
    assert outcome.code == 0
    assert wells.loc["A02", "Metadata_pubchem_cid"] == "679"
    assert wells["Metadata_control_type"].to_dict() == {"A01": "poscon_cp", "A02": "negcon", "A03": ""}


def test_metadata_come_first_and_every_text_is_exact(annotate, written):
    annotate()

    names = ["broad_sample", "solvent", "Plate", "Well", "pubchem_cid", "pert_type", "control_type", "gene"]
    wells = written()
    assert list(wells) == [f"Metadata_{name}" for name in names] + ["Cells_A"]
    assert wells["Metadata_Plate"].tolist() == [PLATE] * 3
    assert wells["Metadata_pubchem_cid"].tolist() == ["0042", "679", "9883933"]
    assert wells["Metadata_gene"].tolist() == ["nan", "", "NA"]
    assert wells["Cells_A"].tolist() == ["1.5", "2", ""]


def test_wells_and_perturbations_that_find_no_partner_are_told(annotate, tables, written):
    tables["profiles"] = tables["profiles"].iloc[:2]
    tables["external_metadata"] = tables["external_metadata"].iloc[[0, 2]]

    outcome = annotate()

    assert outcome.facts["wells_without_profile"] == ["A03"]
    assert outcome.facts["broad_samples_without_metadata"] == ["B1"]
    assert len(outcome.warnings) == 2
    assert written()["Metadata_pert_type"].tolist() == ["", "control"]


def change(table: str, row: int | slice, column: str, value: str):
    def harm(tables: dict[str, pd.DataFrame]) -> None:
        tables[table].loc[row, column] = value

    return harm


HARMS = {
    "well in no platemap": (change("profiles", 1, "Metadata_Well", "P24"), "not in the platemap: P24"),
    "well named a1": (change("platemap", 0, "well_position", "a1"), "not in the platemap: A01"),
    "well twice in the platemap": (change("platemap", 1, "well_position", "A01"), "'A01' has more than one row"),
    "perturbation twice": (change("external_metadata", 0, "broad_sample", "B1"), "'B1' has more than one row"),
    "two DMSO rows": (change("external_metadata", 0, "broad_sample", ""), "'' has more than one row"),
    "well twice in the profiles": (change("profiles", 1, "Metadata_Well", "A01"), "A01 stands there twice"),
    "column in both": (change("external_metadata", slice(None), "solvent", "x"), "have the column solvent already"),
    "no control_type": (
        lambda tables: tables["external_metadata"].pop("control_type"),
        "needs the column control_type",
    ),
    "no broad_sample": (lambda tables: tables["platemap"].pop("broad_sample"), "needs the column broad_sample"),
    "an index column": (lambda tables: tables["profiles"].insert(0, "Unnamed: 0", 1), "stray index column"),
    "a strange column": (lambda tables: tables["profiles"].insert(0, "count", 1), "column count starts with none"),
    "a text feature": (change("profiles", slice(None), "Cells_A", "high"), "not a complete table of numbers"),
}


@pytest.mark.parametrize(("harm", "words"), HARMS.values(), ids=HARMS)
@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_tables_that_do_not_fit_are_an_error(annotate, tables, harm, words, tmp_path):
    harm(tables)

    outcome = annotate()

    assert outcome.code == 65
    assert words in outcome.stderr
    assert not (tmp_path / "augmented.csv.gz").exists()


def test_a_cut_profile_file_is_an_error(annotate, save, tables, tmp_path):
    path = save(tables["profiles"], "cut.csv.gz")
    path.write_bytes(path.read_bytes()[:-12])

    outcome = annotate(profiles=path)

    assert outcome.code == 65
    assert "cut.csv.gz" in outcome.stderr


@pytest.mark.parametrize("modality", ["compound", "crispr", "orf"])
def test_all_384_wells_of_a_real_platemap_get_their_perturbation(stage, save, real_data, tmp_path, modality):
    platemap = real_data / f"metadata/platemaps/2020_11_04_CPJUMP1/platemap/JUMP-Target-1_{modality}_platemap.txt"
    external = real_data / f"metadata/external_metadata/JUMP-Target-1_{modality}_metadata.tsv"
    wells = [f"{row}{column:02d}" for row in string.ascii_uppercase[:16] for column in range(1, 25)]
    profiles = save(pd.DataFrame({"Metadata_Plate": "BR1", "Metadata_Well": wells, "Cells_A": 1.0}), "wells.csv.gz")

    outcome = stage(
        "annotate",
        plate="BR1",
        profiles=profiles,
        platemap=platemap,
        external_metadata=external,
        write_profiles=tmp_path / "augmented.csv.gz",
    )

    # A join by hand: one dictionary look-up a well.
    placed = {row["well_position"]: row for row in csv.DictReader(platemap.open(), delimiter="\t")}
    known = {row["broad_sample"]: row for row in csv.DictReader(external.open(), delimiter="\t")}
    written = pd.read_csv(tmp_path / "augmented.csv.gz", dtype=str, keep_default_na=False)
    assert outcome.code == 0, outcome.stderr
    assert len(written) == 384
    for row in written.to_dict("records"):
        place = placed[row["Metadata_Well"]]
        facts = {**known.get(place["broad_sample"], dict.fromkeys(next(iter(known.values())), "")), **place}
        facts |= {"Plate": "BR1", "Well": facts.pop("well_position")}
        assert row == {"Cells_A": "1", **{f"Metadata_{name}": text for name, text in facts.items()}}
    expected = 64 if modality == "compound" else 60
    assert (written["Metadata_control_type"] == "negcon").sum() == expected
