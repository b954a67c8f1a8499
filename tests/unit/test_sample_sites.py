"""A sample of a plate: one site in some wells, spread evenly."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.gallery import FOLDER

ROWS = "ABCDEFGHIJKLMNOP"


def sample(folder: Path, wells: list[str], sites: int, count: int) -> tuple[int, str, list[tuple[str, str]]]:
    """Run the program on a plate; return its exit code, what it said, and the sites it took."""
    (folder / "out/files").mkdir(parents=True)
    for name in ("load_data", "load_data_with_illum"):
        rows = [["P", well, str(site), "a.tiff", "b.npy"] for well in wells for site in range(1, sites + 1)]
        columns = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", "FileName_OrigDNA", "FileName_IllumDNA"]
        with open(folder / f"{name}.csv", "w", newline="") as handle:
            csv.writer(handle).writerows([columns, *rows])
    words = [sys.executable, FOLDER / "sample_sites.py", "--plate", "P", "--wells", count, "--output", folder / "out"]
    for name in ("load_data", "load_data_with_illum"):
        words += [f"--{name}", folder / f"{name}.csv", f"--write_{name}", folder / f"out/files/{name}.csv"]
    done = subprocess.run(
        [str(word) for word in words],
        env={"PYTHONPATH": str(FOLDER.parent)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        return done.returncode, done.stderr, []
    with open(folder / "out/files/load_data.csv") as handle:
        taken = [(row["Metadata_Well"], row["Metadata_Site"]) for row in csv.DictReader(handle)]
    return done.returncode, done.stderr, taken


def test_the_middle_site_of_wells_at_equal_distances_is_taken(tmp_path: Path) -> None:
    wells = [f"{row}{column:02d}" for row in ROWS for column in range(1, 25)]
    _, _, taken = sample(tmp_path, wells, 9, 12)
    places = [wells.index(well) for well, _ in taken]
    result = json.loads((tmp_path / "out/result.json").read_text())

    assert {site for _, site in taken} == {"5"}
    assert {after - before for before, after in zip(places, places[1:], strict=False)} == {32}
    assert result["facts"]["site"] == [f"{well}-5" for well, _ in taken]
    assert result["facts"]["channel"] == ["DNA"]


@pytest.mark.parametrize(("wells", "count", "expected"), [(3, 12, 3), (3, 1, 1), (24, 23, 23)])
def test_a_plate_of_fewer_wells_gives_what_it_has(tmp_path: Path, wells: int, count: int, expected: int) -> None:
    _, _, taken = sample(tmp_path, [f"A{column:02d}" for column in range(1, wells + 1)], 1, count)

    assert len({well for well, _ in taken}) == len(taken) == expected


def test_a_sample_of_no_well_is_refused(tmp_path: Path) -> None:
    code, said, _ = sample(tmp_path, ["A01"], 1, -1)

    assert (code, "--sample -1: it must be at least 1 well" in said) == (65, True)
