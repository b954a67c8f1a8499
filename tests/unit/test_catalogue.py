"""The catalogue: CPJUMP1's acquisitions as published, a user's own table, and the choice of plates by condition."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from tasks.dataset import catalogue
from tasks.dataset.layout import Layout
from tasks.errors import DefinitionError, MissingInputError, SettingsError

BATCH = "2020_11_04_CPJUMP1"
LISTED = ("P1", "P2", "P3")
OWN = "Batch\tAssay_Plate_Barcode\tCell_type\tTime\nmine\tP1\tHeLa\t24\nmine\tP2\tHeLa\t48\nother\tP1\tU2OS\t24\n"


def lay(layout: Layout, text: str = OWN) -> Path:
    path = layout.experiment_metadata("mine")
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_the_catalogue_holds_six_batches_of_107_acquisitions_and_the_ten_of_deepprofiler() -> None:
    counts = Counter(each.batch for each in catalogue.cpjump1())

    assert sum(counts.values()) == 117
    assert counts["2020_11_04_CPJUMP1_DL"] == 10
    assert sorted(counts.values()) == [8, 8, 8, 8, 10, 24, 51]


def test_the_catalogue_equals_the_published_table(real_data: Path) -> None:
    with open(real_data / "metadata/experiment-metadata.tsv", newline="") as table:
        published = list(csv.DictReader(table, delimiter="\t"))

    assert [dict(each.conditions) for each in catalogue.cpjump1()] == published


def test_barcodes_repeat_across_batches_and_never_within_one() -> None:
    keys = [(each.batch, each.plate) for each in catalogue.cpjump1()]

    assert len(set(keys)) == len(keys)
    assert len({plate for _, plate in keys}) < len(keys)


def test_a_group_whose_images_do_not_add_up_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(catalogue.CPJUMP1.read_text().replace("BR00116991 = 27648", "BR00116991 = 27647", 1))
    monkeypatch.setattr(catalogue, "CPJUMP1", wrong)
    with pytest.raises(DefinitionError, match="its plates have 1495471 images, published are 1495472"):
        catalogue.cpjump1.__wrapped__()


def test_a_value_that_is_not_in_the_schema_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(
        catalogue.CPJUMP1.read_text().replace('"crispr", Cell_type = "U2OS"', '"crispr", Cell_type = "U2SO"')
    )
    monkeypatch.setattr(catalogue, "CPJUMP1", wrong)
    with pytest.raises(DefinitionError, match="there is no Cell_type 'U2SO'; known: A549, U2OS"):
        catalogue.cpjump1.__wrapped__()


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("Perturbation=compound,Cell_type=U2OS,Time=48", 4),
        ("Perturbation=crispr", 18),
        ("Perturbation=crispr|orf, Cell_type=A549, Antibiotics=absent", 12),
        ("Density=80", 2),
    ],
)
def test_conditions_choose_the_plates_that_meet_all_of_them(layout: Layout, where: str, count: int) -> None:
    assert len(catalogue.select(catalogue.of_batch(layout, BATCH), where)) == count


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("Celltype=U2OS", "there is no column 'Celltype'; known: Anomaly, "),
        ("Cell_type=HeLa", "no plate meets it; there are Cell_type: A549, U2OS"),
        ("Cell_type", "'Cell_type' has not the form column=value"),
        ("Cell_type=U2OS,", "'' has not the form column=value"),
    ],
)
def test_conditions_that_cannot_be_met_say_what_there_is(layout: Layout, where: str, said: str) -> None:
    with pytest.raises(SettingsError, match=f"^--where {where}: .*{said}"):
        catalogue.select(catalogue.of_batch(layout, BATCH), where)


def test_a_users_table_says_what_is_known_of_its_batch(layout: Layout) -> None:
    lay(layout)

    assert [each.plate for each in catalogue.of_batch(layout, "mine")] == ["P1", "P2"]
    assert catalogue.plates(layout, "mine", LISTED, "Time=48") == ["P2"]
    assert catalogue.plates(layout, "mine", LISTED, "") == list(LISTED)


def test_a_batch_that_is_in_no_table_has_no_conditions(layout: Layout) -> None:
    with pytest.raises(SettingsError, match="nothing is known of the plates of batch unheard"):
        catalogue.plates(layout, "unheard", LISTED, "Time=48")


def test_conditions_that_no_listed_plate_meets_are_an_error(layout: Layout) -> None:
    lay(layout)
    with pytest.raises(SettingsError, match="of the batch's plates P1 none meets it"):
        catalogue.plates(layout, "mine", ["P1"], "Time=48")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Batch\tCell_type\nmine\tHeLa\n", "needs the column Assay_Plate_Barcode"),
        (OWN + "mine\tP1\tHeLa\t72\n", "line 5: .* mine P1 is on line 2 already"),
    ],
)
def test_a_users_table_that_breaks_its_form_is_named(layout: Layout, text: str, said: str) -> None:
    path = lay(layout, text)
    with pytest.raises(MissingInputError, match=said) as failure:
        catalogue.of_batch(layout, "mine")

    assert str(path) in str(failure.value)
