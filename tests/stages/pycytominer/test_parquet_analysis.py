"""What was measured into Parquet tells every reader what the csv files of the same values tell it, byte for byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stages.pycytominer.conftest import Outcome
from tests.stages.pycytominer.measured_plate import PLATE, MeasuredPlate

Read = Callable[..., Outcome]
TYPES = """
import json, sys
import pyarrow.parquet
schemas = map(pyarrow.parquet.read_schema, sys.argv[2:])
with open(sys.argv[1], "w") as out:
    json.dump([{name: str(schema.field(name).type) for name in schema.names} for schema in schemas], out)
"""
OTHER_COLUMNS = """
import sys
import pyarrow.parquet
path = sys.argv[1]
table = pyarrow.parquet.read_table(path)
metadata = pyarrow.parquet.read_metadata(path).metadata
changed = table.slice(1).replace_schema_metadata({b"well": metadata[b"well"]})
pyarrow.parquet.write_table(changed, path)
"""


@pytest.fixture(scope="module")
def plate(cellprofiler_python: Path, tmp_path_factory: pytest.TempPathFactory) -> MeasuredPlate:
    return MeasuredPlate(cellprofiler_python, tmp_path_factory.mktemp("measured"))


@pytest.fixture(scope="module")
def as_csv(plate: MeasuredPlate) -> Path:
    return plate.publish("csv", "csv")


@pytest.fixture(scope="module")
def as_parquet(plate: MeasuredPlate) -> Path:
    return plate.publish("parquet", "parquet")


@pytest.fixture
def read(stage: Read, tmp_path: Path) -> Read:
    """Return a function that lets a program read an analysis, and write below a folder."""

    def run(program: str, analysis: Path, into: str, **flags: str) -> Outcome:
        made = tmp_path / into
        made.mkdir(exist_ok=True)
        own = {
            "collate": {"sqlite": "true", "parquet": "true"}
            | {"write_backend": made / "plate.sqlite", "write_cells": made / "cells"},
            "aggregate": {"source": "analysis", "backend": [], "cells": [], "behaviour": "corrected"}
            | {"compartment_counts": "true", "method": "mean", "parquet": "true"}
            | {"write_profiles": made / "wells.csv", "write_parquet": made / "wells.parquet"},
            "locate_cells": {"source": "analysis", "backend": [], "write_locations": made / "located"},
        }[program]
        output = made / f"out-{program}"
        return stage(program, plate=PLATE, output=output, analysis=analysis, max_failed_fraction=0, **own | flags)

    return run


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("program", "flags"),
    [("aggregate", {}), ("aggregate", {"method": "median"}), ("collate", {}), ("locate_cells", {})],
    ids=["mean", "median", "collate", "locate_cells"],
)
def test_every_reader_makes_the_same_bytes_of_either_form(
    read: Read, as_csv: Path, as_parquet: Path, tmp_path: Path, program: str, flags: dict[str, str]
) -> None:
    outcomes = [read(program, analysis, form, **flags) for form, analysis in (("a", as_csv), ("b", as_parquet))]
    made = files(tmp_path / "a")

    assert [each.code for each in outcomes] == [0, 0], outcomes[1].stderr
    assert outcomes[0].facts == outcomes[1].facts
    assert outcomes[0].warnings == outcomes[1].warnings
    assert files(tmp_path / "b") == made
    assert len(made) >= 3  # the result, the units and what was made


def test_a_well_without_cells_has_columns_of_the_same_types(
    oracle: Callable[..., None], as_parquet: Path, tmp_path: Path
) -> None:
    oracle(TYPES, tmp_path / "types.json", *(as_parquet / f"cells/{well}.parquet" for well in ("A01", "A02")))
    with_cells, without = json.loads((tmp_path / "types.json").read_text())

    assert with_cells == without
    assert with_cells["Metadata_Site"] == "string"


def test_means_are_read_from_the_sums_alone(read: Read, as_csv: Path, as_parquet: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    shutil.copytree(as_parquet / "sums", alone / "sums")

    assert read("aggregate", as_csv, "a").code == read("aggregate", alone, "b").code == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_a_well_that_a_failure_cut_is_the_same_well(read: Read, plate: MeasuredPlate, as_csv: Path, tmp_path: Path):
    for part in (["A01-1", "A02-1"], ["A01-2", "A01-10"], ["B01-3", "AA01-1"]):
        cut = plate.publish("cut", "parquet", part)

    assert sorted(path.name for path in (cut / "cells").iterdir()) == [
        "A01_s1.parquet", "A01_s2.parquet", "A02.parquet", "AA01.parquet", "B01.parquet",
    ]  # fmt: skip
    for program in ("aggregate", "collate", "locate_cells"):
        assert read(program, as_csv, "a").code == read(program, cut, "b").code == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_the_number_of_shards_changes_no_byte(plate: MeasuredPlate, as_parquet: Path) -> None:
    for part in (["A01-1", "A01-2", "A01-10"], ["A02-1"], ["B01-3"], ["AA01-1"]):
        sharded = plate.publish("sharded", "parquet", part)

    assert files(sharded) == files(as_parquet)


def test_float32_is_the_cells_alone(
    read: Read, oracle: Callable[..., None], plate: MeasuredPlate, as_csv: Path, tmp_path: Path
) -> None:
    short = plate.publish("short", "parquet", kind="float32")
    oracle(TYPES, tmp_path / "types.json", short / "cells/A01.parquet")
    (types,) = json.loads((tmp_path / "types.json").read_text())

    assert {kind for name, kind in types.items() if not name.startswith("Metadata_")} == {"float"}
    assert read("aggregate", as_csv, "a").code == read("aggregate", short, "b").code == 0
    assert files(tmp_path / "a") == files(tmp_path / "b")


FAULTS = {
    "no sums": ("sums", lambda folder: [path.unlink() for path in folder.glob("*")], "holds no Parquet file of plate"),
    "sums cut off": ("sums/A01.parquet", lambda path: path.write_bytes(path.read_bytes()[:-9]), "no whole file"),
    "a site twice": (
        "sums/A01.parquet",
        lambda path: shutil.copy(path, path.with_name("A01_s9.parquet")),
        "the site A01-1 is in sums/A01.parquet and sums/A01_s9.parquet",
    ),
    "cells gone": ("cells/B01.parquet", Path.unlink, "cells/B01.parquet: not a whole Parquet file"),
}


@pytest.mark.parametrize(("name", "spoil", "said"), FAULTS.values(), ids=FAULTS)
def test_a_broken_file_is_named_with_what_to_do(
    read: Read, as_parquet: Path, tmp_path: Path, name: str, spoil: Callable[[Path], object], said: str
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(as_parquet, broken)
    spoil(broken / name)
    outcome = read("aggregate", broken, "a", method="median")

    assert outcome.code == 65
    assert said in outcome.stderr
    assert "measure" in outcome.stderr
    assert not (tmp_path / "a/wells.csv").exists()


def test_sums_of_other_columns_and_another_plates_are_refused(
    read: Read, stage: Read, oracle: Callable[..., None], as_parquet: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    shutil.copytree(as_parquet, other)
    oracle(OTHER_COLUMNS, other / "sums/B01.parquet")
    differs = read("aggregate", other, "a")
    flags = {"source": "analysis", "backend": [], "max_failed_fraction": 0, "write_locations": tmp_path / "located"}
    strange = stage("locate_cells", plate="another", analysis=as_parquet, **flags)

    assert (differs.code, strange.code) == (65, 65)
    assert "sums/B01.parquet has other columns than the plate's first file" in differs.stderr
    assert f"holds sums of {PLATE}, not of another" in strange.stderr
