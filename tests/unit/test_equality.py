"""Two measurements of a site are compared value by value, and chance chooses the same sites each time."""

from __future__ import annotations

import csv
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from stagekit.equality import STATES, Comparison, Tally, choose, compare

HEADER = ["ImageNumber", "Texture_A", "Texture_B", "AreaShape_C"]
ROWS = [["1", "0.5", "nan", "7"], ["1", "0.25", "1e-12", "8"]]


def lay(folder: Path, rows: list[list[str]], name: str = "Cells.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "w", newline="") as lines:
        csv.writer(lines).writerows(rows)
    return folder


def compared(tmp_path: Path, ours: list[list[str]], reference: list[list[str]]) -> Comparison:
    return compare(lay(tmp_path / "ours", ours), lay(tmp_path / "reference", reference))


def states(tally: Tally) -> dict[str, int]:
    return {state: getattr(tally, state) for state in STATES if getattr(tally, state)}


@pytest.mark.parametrize(
    ("ours", "reference", "state"),
    [
        ("1.5", "1.5", "equal"),
        ("1.50", "1.5", "equal"),
        ("nan", "NaN", "equal"),
        ("inf", "Infinity", "equal"),
        ("A01", "A01", "equal"),
        ("1000000.5", "1000000", "within"),
        ("1000002", "1000000", "different"),
        ("9e-10", "0", "within"),
        ("2e-9", "0", "different"),
        ("nan", "1", "different"),
        ("inf", "1", "different"),
        ("inf", "-inf", "different"),
        ("", "0", "different"),
        ("A01", "A02", "different"),
        ("-1", "1", "different"),
    ],
)
def test_a_value_agrees_within_a_millionth_or_1e_9(ours: str, reference: str, state: str) -> None:
    assert Tally().count(ours, reference) == state
    assert Tally().count(reference, ours) == state


def test_random_values_are_judged_as_numpy_judges_them() -> None:
    random = np.random.default_rng(1)
    reference = random.normal(size=500) * 10.0 ** random.integers(-12, 6, 500)
    ours = reference * (1 + random.normal(size=500) * 10.0 ** random.integers(-9, -3, 500))
    tally = Tally()
    agree = [
        tally.count(repr(float(a)), repr(float(b))) in ("equal", "within") for a, b in zip(ours, reference, strict=True)
    ]

    smaller = np.minimum(np.abs(ours), np.abs(reference))
    assert agree == list(np.abs(ours - reference) <= np.maximum(1e-9, 1e-6 * smaller))
    assert 100 < sum(agree) < 450
    assert tally.largest == pytest.approx(np.abs(ours - reference).max())


def test_the_same_tables_agree(tmp_path: Path) -> None:
    found = compared(tmp_path, [HEADER, *ROWS], [HEADER, *ROWS])

    assert {key: states(tally) for key, tally in found.tallies.items()} == {
        ("Cells.csv", "ImageNumber"): {"equal": 2},
        ("Cells.csv", "Texture"): {"equal": 4},
        ("Cells.csv", "AreaShape"): {"equal": 2},
    }
    assert found.all.bad == 0
    assert found.first == []


def edited(row: int, column: int, value: str) -> list[list[str]]:
    rows = [list(each) for each in (HEADER, *ROWS)]
    rows[row][column] = value
    return rows


CHANGES = {
    "value": (edited(1, 1, "0.6"), "Texture", "different", 1, "Cells.csv row 1 Texture_A: 0.6, not 0.5"),
    "a number for NaN": (edited(1, 2, "0"), "Texture", "different", 1, "Cells.csv row 1 Texture_B: 0, not nan"),
    "lost row": ([HEADER, ROWS[0]], "Texture", "missing", 2, "Cells.csv row 2 ImageNumber: nothing, not 1"),
    "new row": ([HEADER, *ROWS, ROWS[0]], "AreaShape", "extra", 1, "Cells.csv row 3 ImageNumber: 1, not nothing"),
    "lost column": (
        [row[:3] for row in (HEADER, *ROWS)],
        "AreaShape",
        "missing",
        2,
        "row 1 AreaShape_C: nothing, not 7",
    ),
    "new column": ([[*row, "Count_D"] for row in (HEADER, *ROWS)], "Count", "extra", 2, "row 1 Count_D: Count_D, not"),
    "no table": ([], "Texture", "missing", 4, "Cells.csv row 1 ImageNumber: nothing, not 1"),
}


@pytest.mark.parametrize(("ours", "family", "state", "count", "words"), CHANGES.values(), ids=CHANGES)
def test_a_difference_is_counted_in_its_family_and_told(
    ours: list[list[str]], family: str, state: str, count: int, words: str, tmp_path: Path
) -> None:
    found = compared(tmp_path, ours, [HEADER, *ROWS])

    assert getattr(found.tallies["Cells.csv", family], state) == count
    assert found.all.bad >= count
    assert words in found.first[0]


def test_nan_on_one_side_is_counted_by_itself(tmp_path: Path) -> None:
    found = compared(tmp_path, edited(1, 2, "0"), [HEADER, *ROWS])

    assert (found.all.nan, found.all.different) == (1, 1)


def test_a_file_that_only_one_engine_made_is_a_difference(tmp_path: Path) -> None:
    lay(tmp_path / "reference", [HEADER, *ROWS], "Nuclei.csv")
    found = compared(tmp_path, [HEADER, *ROWS], [HEADER, *ROWS])

    assert found.all.missing == 8


def test_the_comparisons_of_sites_add_up(tmp_path: Path) -> None:
    first, second = (
        compared(tmp_path / name, edited(1, 1, value), [HEADER, *ROWS]) for name, value in (("a", "0.6"), ("b", "0.5"))
    )
    whole = Comparison()
    for each in (first, second):
        whole.add(each)

    assert states(whole.all) == {"equal": 15, "different": 1}
    assert whole.all.largest == pytest.approx(0.1)
    assert len(whole.first) == 1
    assert math.isclose(first.all.largest, 0.1)


def test_chance_chooses_the_same_sites_each_time_and_others_for_another_plate_or_seed() -> None:
    sites = [f"A{column:02d}-{site}" for column in range(1, 13) for site in range(1, 10)]
    drawn = choose("BR00117013", sites, 5)

    assert drawn == choose("BR00117013", iter(sites), 5)
    assert len(drawn) == 5
    assert drawn == [site for site in sites if site in drawn]
    assert drawn != choose("BR00117014", sites, 5)
    assert drawn != choose("BR00117013", sites, 5, seed=1)
    assert choose("P", sites, 0) == []
    assert choose("P", sites, 1000) == sites


def test_every_site_is_chosen_about_as_often() -> None:
    sites = [f"site {number}" for number in range(8)]
    counts = Counter(choose(f"plate {plate}", sites, 1)[0] for plate in range(1600))

    assert set(counts) == set(sites)
    assert all(150 < count < 250 for count in counts.values())  # 200 +- 3.8 standard deviations
