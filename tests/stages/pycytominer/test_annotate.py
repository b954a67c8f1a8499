"""Every well gets its own perturbation, DMSO included, and every text stays as it was."""

from __future__ import annotations

import csv
import gzip
import json
import string
import subprocess
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from tasks.dataset.plate_layouts.conversion import convert
from tasks.dataset.plate_layouts.marking import Controls

PLATE = "00117013"
PROGRAMS = Path(__file__).parents[3] / "containers" / "pycytominer"
MANY = """
import json, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent)]
import annotate, profiles
from stagekit import contracts, outside
for job in json.loads(Path(sys.argv[2]).read_text()):
    wells, platemap, external, written = map(Path, job)
    tables = profiles.read_text(platemap, outside.PLATEMAP), profiles.read_text(external, outside.EXTERNAL_METADATA)
    profiles.write(annotate.join(profiles.read(wells), *tables), written, contracts.ANNOTATED_PROFILES)
"""


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
    def run(plate: str = PLATE, behaviour: str = "corrected", **files):
        endings = {"profiles": ".csv.gz", "platemap": ".txt", "external_metadata": ".tsv"}
        paths = {name: save(table, name + endings[name]) for name, table in tables.items()}
        written = tmp_path / "augmented.csv.gz"
        return stage("annotate", plate=plate, behaviour=behaviour, **{**paths, **files}, write_profiles=written)

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


def test_a_converted_layout_of_a_laboratory_is_annotated(annotate, tables, written, tmp_path):
    layout = tmp_path / "mine.csv"
    layout.write_text("Well;Compound;Conc (nM);MoA\na1;drug;1,5;mek\nA02;DMSO;;\nA3;drug;30;mek\n")
    made = convert(layout, PLATE, {}, Controls(), None)
    for name, (header, *rows) in (("platemap", made.platemap), ("external_metadata", made.external_metadata)):
        tables[name] = pd.DataFrame(rows, columns=header)

    assert annotate().code == 0

    wells = written().set_index("Metadata_Well")
    assert wells["Metadata_broad_sample"].to_dict() == {"A01": "drug", "A02": "DMSO", "A03": "drug"}
    assert wells["Metadata_control_type"].to_dict() == {"A01": "", "A02": "negcon", "A03": ""}
    assert wells["Metadata_dose"].to_dict() == {"A01": "0.0015", "A02": "", "A03": "0.03"}
    assert wells["Metadata_MoA"].to_dict() == {"A01": "mek", "A02": "", "A03": "mek"}


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
    "well named a1": (
        change("platemap", 0, "well_position", "a1"),
        "platemap.txt: line 2: well_position is 'a1', not a well like A01",
    ),
    "well twice in the platemap": (
        change("platemap", 1, "well_position", "A01"),
        "platemap.txt: line 3: well_position A01 is on line 2 already",
    ),
    "perturbation twice": (
        change("external_metadata", 0, "broad_sample", "B1"),
        "line 3: broad_sample B1 is on line 2 already",
    ),
    "two DMSO rows": (
        change("external_metadata", 0, "broad_sample", ""),
        "line 4: broad_sample (empty) is on line 2 already",
    ),
    "well twice in the profiles": (change("profiles", 1, "Metadata_Well", "A01"), "A01 is on line 2 already"),
    "column in both": (
        change("external_metadata", slice(None), "solvent", "x"),
        "the column solvent: the other table has it too",
    ),
    "no control_type": (
        lambda tables: tables["external_metadata"].pop("control_type"),
        "needs the column control_type",
    ),
    "no broad_sample": (lambda tables: tables["platemap"].pop("broad_sample"), "needs the column broad_sample"),
    "an index column": (lambda tables: tables["profiles"].insert(0, "Unnamed: 0", 1), "stray index column"),
    "a strange column": (lambda tables: tables["profiles"].insert(0, "count", 1), "column count starts with none"),
    "no plate": (change("profiles", 0, "Metadata_Plate", ""), "line 2: Metadata_Plate is empty"),
    "a compound with a blank behind it": (
        change("platemap", 0, "broad_sample", "B1 "),
        "platemap.txt: line 2: broad_sample is 'B1 '",
    ),
    "a control with a blank behind it": (
        change("external_metadata", 2, "control_type", "negcon "),
        "external_metadata.tsv: line 4: control_type is 'negcon '",
    ),
    "a column of the profiles in the platemap": (
        lambda tables: tables["platemap"].insert(1, "Object_Count", "7"),
        "platemap.txt: the column Object_Count: ",
    ),
    "a column of these profiles in the compounds": (
        lambda tables: (
            tables["profiles"].insert(2, "Metadata_batch", "x"),
            tables["external_metadata"].insert(1, "batch", "x"),
        ),
        "external_metadata.tsv: the column batch: ",
    ),
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


def test_the_line_of_a_fault_counts_blank_lines(annotate, save, tables):
    path = save(tables["profiles"].assign(Metadata_Well=["A01", "A02", "A3"]), "wells.csv.gz")
    lines = gzip.decompress(path.read_bytes()).decode().splitlines()
    path.write_bytes(gzip.compress("\n\n".join(lines).encode()))
    outcome = annotate(profiles=path)

    assert outcome.code == 65
    assert "wells.csv.gz: line 7: Metadata_Well is 'A3'" in outcome.stderr


def test_a_row_of_profiles_that_is_cut_is_an_error_and_no_missing_value(annotate, save, tables):
    path = save(tables["profiles"], "wells.csv.gz")
    text = gzip.decompress(path.read_bytes()).decode()
    path.write_bytes(gzip.compress(text.replace("A02,2.0", "A02").encode()))
    outcome = annotate(profiles=path)

    assert outcome.code == 65
    assert "wells.csv.gz: line 3 has 2 fields" in outcome.stderr


def test_doses_of_a_compound_are_told_with_the_column_of_the_platemap(annotate, tables):
    tables["platemap"]["broad_sample"] = ["B1", "B1", "B2"]
    tables["platemap"]["dose_uM"] = ["0.1", "10", "1"]
    outcome = annotate()

    assert outcome.code == 0, outcome.stderr
    (warning,) = [each for each in outcome.warnings if "dose" in each]
    assert "platemap.txt: column dose_uM: 1 compounds" in warning
    assert "B1 (0.1, 10)" in warning
    assert "B2" not in warning


def test_doses_in_the_column_that_tells_replicates_apart_are_no_warning(annotate, tables):
    tables["platemap"]["broad_sample"] = ["B1", "B1", "B2"]
    tables["platemap"]["dose"] = ["0.1", "10", "1"]

    assert [each for each in annotate().warnings if "dose" in each] == []


def test_a_cut_profile_file_is_an_error(annotate, save, tables, tmp_path):
    path = save(tables["profiles"], "cut.csv.gz")
    path.write_bytes(path.read_bytes()[:-12])

    outcome = annotate(profiles=path)

    assert outcome.code == 65
    assert "cut.csv.gz" in outcome.stderr


def test_as_published_numbers_among_the_metadata_lose_digits_where_pandas_saw_floats(annotate, tables, written):
    tables["external_metadata"] = tables["external_metadata"].assign(
        pubchem_cid=["9883933", "", "679"], dose=["1.123456", "2", "3"], whole=["1234567", "2345678", "3456789"]
    )
    annotate(behaviour="as_published")

    wells = written().set_index("Metadata_Well")
    assert wells["Metadata_pubchem_cid"].to_dict() == {"A01": "", "A02": "679", "A03": "9.8839e+06"}
    assert wells["Metadata_dose"].to_dict() == {"A01": "2", "A02": "3", "A03": "1.1235"}
    assert wells["Metadata_whole"].tolist() == ["2345678", "3456789", "1234567"]
    assert wells["Metadata_Plate"].tolist() == [PLATE] * 3


@pytest.mark.parametrize("plate", ["BR00117010", "BR00117011", "BR00117012", "BR00117013"])
def test_as_published_the_metadata_of_a_real_plate_are_the_released_ones(stage, save, real_data, tmp_path, plate):
    batch = "2020_11_04_CPJUMP1"
    name = f"{plate}_normalized_feature_select_negcon_batch.csv.gz"
    released = pd.read_csv(real_data / "profiles" / batch / plate / name, dtype=str, keep_default_na=False)
    released = released.filter(regex="^Metadata_")
    wells = released[["Metadata_Plate", "Metadata_Well"]].assign(Cells_A=1.0)
    stage(
        "annotate",
        plate=plate,
        behaviour="as_published",
        profiles=save(wells, "wells.csv.gz"),
        platemap=real_data / "metadata/platemaps" / batch / "platemap/JUMP-Target-1_compound_platemap.txt",
        external_metadata=real_data / "metadata/external_metadata/JUMP-Target-1_compound_metadata.tsv",
        write_profiles=tmp_path / "augmented.csv.gz",
    )

    ours = pd.read_csv(tmp_path / "augmented.csv.gz", dtype=str, keep_default_na=False).drop(columns="Cells_A")
    # Two columns come from the genetic plates of the batch, with which they were selected.
    of_others = ["Metadata_target_sequence", "Metadata_negcon_control_type"]
    assert list(ours) == [name for name in released if name not in of_others]
    pd.testing.assert_frame_equal(ours, released.drop(columns=of_others))


BATCH = "2020_11_04_CPJUMP1"


def by_hand(platemap: Path, external: Path, plate: str) -> list[dict[str, str]]:
    """Return what each well of a plate is: one dictionary look-up a well."""
    known = {row["broad_sample"]: row for row in csv.DictReader(external.open(), delimiter="\t")}
    nothing = dict.fromkeys(next(iter(known.values())), "")
    rows = []
    for place in csv.DictReader(platemap.open(), delimiter="\t"):
        facts = {**known.get(place["broad_sample"], nothing), **place, "Plate": plate, "Well": place["well_position"]}
        rows.append({f"Metadata_{name}": text for name, text in facts.items() if name != "well_position"})
    return sorted(rows, key=lambda row: row["Metadata_Well"])


def test_all_384_wells_of_all_51_plates_of_the_batch_get_their_perturbation(
    pycytominer_python, save, real_data, tmp_path
):
    platemaps = real_data / "metadata/platemaps" / BATCH
    with open(platemaps / "barcode_platemap.csv", newline="") as lines:
        plates = {row["Assay_Plate_Barcode"]: row["Plate_Map_Name"] for row in csv.DictReader(lines)}
    wells = [f"{row}{column:02d}" for row in string.ascii_uppercase[:16] for column in range(1, 25)]
    jobs = []
    for plate, name in plates.items():
        table = pd.DataFrame({"Metadata_Plate": plate, "Metadata_Well": wells, "Cells_A": range(384)})
        external = real_data / "metadata/external_metadata" / f"{name.removesuffix('_platemap')}_metadata.tsv"
        paths = (save(table, f"{plate}.csv.gz"), platemaps / "platemap" / f"{name}.txt", external)
        jobs.append([*map(str, paths), str(tmp_path / f"{plate}_augmented.csv.gz")])
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    subprocess.run([pycytominer_python, "-c", MANY, PROGRAMS, tmp_path / "jobs.json"], check=True)
    negcon = Counter()

    assert len(plates) == 51
    for (plate, name), (_, platemap, external, augmented) in zip(plates.items(), jobs, strict=True):
        with gzip.open(augmented, "rt", newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert len(rows) == 384
        order = [row["Metadata_Well"] for row in rows]
        assert [wells[int(row.pop("Cells_A"))] for row in rows] == order  # no profile went to another well
        assert sorted(rows, key=lambda row: row["Metadata_Well"]) == by_hand(Path(platemap), Path(external), plate)
        negcon[name, sum(row["Metadata_control_type"] == "negcon" for row in rows)] += 1

    assert negcon == {
        ("JUMP-Target-1_compound_platemap", 64): 24,
        ("JUMP-Target-1_crispr_platemap", 60): 18,
        ("JUMP-Target-1_orf_platemap", 60): 9,
    }
