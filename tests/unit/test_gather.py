"""No false success: what a program promised is checked before it is published."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.errors import FalseSuccessError
from tasks.execution.collect import gather
from tasks.execution.stage_run import Run
from tasks.results import ledger
from tests.unit.fakes import PLATE, make_run, make_stage, write_result, write_units

UNITS = ("A01-1", "A02-1", "B01-1")
TABLE = "Metadata_Plate,Metadata_Well,Cells_Area\nP,A01,1\n"


def plate_run(folder: Path) -> Run:
    """Return a run of a stage of a plate whose job has ended well."""
    outputs = {"profiles": "{plate}.csv.gz", "notes": "notes.txt"}
    run = make_run(folder, make_stage(outputs=outputs, contract={"profiles": "profiles"}))
    files = run.jobs()[0].folder / "out/files"
    files.mkdir(parents=True)
    (files / f"{PLATE}.csv.gz").write_bytes(gzip.compress(TABLE.encode()))
    (files / "notes.txt").write_text("x")
    write_result(run.jobs()[0], ["odd"], cells=12)
    return run


def site_run(folder: Path, shards: int = 2) -> Run:
    """Return a run of a sharded stage whose jobs have ended well: each shard its own folders in tiles/."""
    run = make_run(folder, make_stage("site", outputs={"tiles": "tiles"}), shards=shards, units=UNITS)
    for number, job in enumerate(run.jobs()):
        for unit in job.units:
            (job.folder / f"out/files/tiles/{unit}").mkdir(parents=True)
            (job.folder / f"out/files/tiles/{unit}/cells.csv").write_text(unit)
        write_units(job, *job.units)
        write_result(job, [f"of shard {number}"])
    return run


def out(run: Run, number: int = 0) -> Path:
    return run.jobs()[number].folder / "out"


def test_a_good_run_gives_its_warnings_and_facts(tmp_path: Path) -> None:
    run = plate_run(tmp_path)
    found = gather(run, run.jobs())

    assert (found.units, found.warnings, found.facts) == ({}, ("odd",), {"cells": 12})
    assert sorted(path.name for path in run.files.iterdir()) == [f"{PLATE}.csv.gz", "notes.txt"]


@pytest.mark.parametrize("shards", [1, 2, 3])
def test_any_sharding_gives_the_same_files(tmp_path: Path, shards: int) -> None:
    run = site_run(tmp_path, shards)
    found = gather(run, run.jobs())
    files = {path.relative_to(run.files).as_posix(): path.read_text() for path in run.files.rglob("*.csv")}

    assert files == {f"tiles/{unit}/cells.csv": unit for unit in UNITS}
    assert found.units == {"ok": 3}
    assert found.warnings == tuple(f"of shard {number}" for number in range(shards))


def test_the_facts_of_all_shards_are_joined(tmp_path: Path) -> None:
    run = site_run(tmp_path, shards=2)
    for number, job in enumerate(run.jobs(), start=1):
        write_result(job, cells=10 * number, engine="fast", exact=True, ran_stock={f"module {number}": "why"})

    assert gather(run, run.jobs()).facts == {
        "cells": 30,
        "engine": "fast",
        "exact": True,
        "ran_stock": {"module 1": "why", "module 2": "why"},
    }


def test_gathering_again_after_a_crash_gives_the_same(tmp_path: Path) -> None:
    run = site_run(tmp_path)
    first = gather(run, run.jobs())

    assert gather(run, run.jobs()) == first


def unlink(name: str) -> Callable[[Run], object]:
    return lambda run: (out(run) / name).unlink()


def write(name: str, content: bytes) -> Callable[[Run], object]:
    return lambda run: (out(run) / name).write_bytes(content)


TABLE_FILE = f"files/{PLATE}.csv.gz"
FALSE = {
    "no result.json": (unlink("result.json"), "without a whole result.json .*log: .*1of1/stderr.log"),
    "half a result.json": (write("result.json", b'{"warn'), "without a whole result.json .*log: .*1of1/stderr.log"),
    "output missing": (unlink("files/notes.txt"), r"its notes \(notes.txt\) is not there; log: .*shards"),
    "output empty": (write("files/notes.txt", b""), r"its notes \(notes.txt\) is empty; log: .*shards"),
    "wrong columns": (
        write(TABLE_FILE, gzip.compress(b"Metadata_Well,x\n")),
        rf"its profiles breaks the contract: {PLATE}.csv.gz: .* the column Metadata_Plate; it has Metadata_Well, x",
    ),
    "column twice": (
        write(TABLE_FILE, gzip.compress(b"Metadata_Plate,Metadata_Well,x,x\n")),
        rf"breaks the contract: {PLATE}.csv.gz: the column x stands there twice",
    ),
    "no gzip": (
        write(TABLE_FILE, TABLE.encode()),
        rf"its profiles breaks the contract: {PLATE}.csv.gz: .*[Nn]ot a gzip",
    ),
    "cut gzip": (write(TABLE_FILE, gzip.compress(TABLE.encode())[:20]), rf"breaks the contract: {PLATE}.csv.gz: "),
    "no text": (write(TABLE_FILE, gzip.compress(b"\xff\xfe")), rf"breaks the contract: {PLATE}.csv.gz: "),
    "symlink": (
        lambda run: (out(run) / "files/link").symlink_to("/etc/passwd"),
        "made .*/files/link, which is neither a file nor a folder",
    ),
}


@pytest.mark.parametrize(("spoil", "said"), FALSE.values(), ids=FALSE)
def test_a_false_success_is_refused_by_name(tmp_path: Path, spoil: Callable[[Run], object], said: str) -> None:
    run = plate_run(tmp_path)
    spoil(run)

    with pytest.raises(FalseSuccessError, match=rf"paint/{PLATE}.*{said}"):
        gather(run, run.jobs())


FALSE_UNITS = {
    "missing": (UNITS[1:2], "of 3 sites 1 are missing \\(B01-1\\)"),
    "unexpected": ((*UNITS[1:], "C01-1"), "of 3 sites 1 are unexpected \\(C01-1\\)"),
    "both": (("C01-1",), "2 are missing \\(A02-1, B01-1\\) 1 are unexpected \\(C01-1\\)"),
}


@pytest.mark.parametrize(("told", "said"), FALSE_UNITS.values(), ids=FALSE_UNITS)
def test_units_that_are_not_those_of_the_plate_are_named(tmp_path: Path, told: tuple[str, ...], said: str) -> None:
    run = site_run(tmp_path)
    write_units(run.jobs()[1], *told)

    with pytest.raises(FalseSuccessError, match=rf"paint/{PLATE} says that all is well.*{said}.*log: .*shards"):
        gather(run, run.jobs())


@pytest.mark.parametrize("state", ["failed", "skipped"])
def test_a_unit_that_did_not_end_well_is_missing(tmp_path: Path, state: str) -> None:
    run = site_run(tmp_path)
    write_units(run.jobs()[0], "A01-1", state=state)

    with pytest.raises(FalseSuccessError, match=r"1 are missing \(A01-1\)"):
        gather(run, run.jobs())


def test_what_is_left_out_is_told_and_the_shards_keep_their_files(tmp_path: Path) -> None:
    run = site_run(tmp_path, shards=3)
    good = [job for job in run.jobs() if job.units != ("A02-1",)]
    found = gather(run, good, {"A02-1": "timeout: it hung"})
    files = {path.parent.name for path in run.files.rglob("*.csv")}

    assert files == {"A01-1", "B01-1"}
    assert found.units == {"ok": 2, "quarantined": 1}
    assert found.facts["quarantined"] == {"A02-1": "timeout: it hung"}
    assert found.warnings[-1] == "1 of 3 sites are left out: A02-1 (timeout: it hung)"
    assert all((job.folder / f"out/files/tiles/{job.units[0]}/cells.csv").exists() for job in good)


def test_a_unit_that_is_left_out_and_came_nevertheless_is_refused(tmp_path: Path) -> None:
    run = site_run(tmp_path)

    with pytest.raises(FalseSuccessError, match=r"1 are unexpected \(A02-1\)"):
        gather(run, run.jobs(), {"A02-1": "timeout"})


def test_a_file_that_two_shards_made_is_refused(tmp_path: Path) -> None:
    run = site_run(tmp_path)
    for number in (0, 1):
        (out(run, number) / "files/tiles/all.csv").write_text("x")

    with pytest.raises(FalseSuccessError, match=rf"paint/{PLATE}: two shards made tiles/all.csv"):
        gather(run, run.jobs())


def test_an_empty_folder_is_no_output(tmp_path: Path) -> None:
    run = make_run(tmp_path, make_stage(outputs={"tiles": "."}))
    (out(run) / "files").mkdir(parents=True)
    write_result(run.jobs()[0])

    with pytest.raises(FalseSuccessError, match="its tiles .* is empty"):
        gather(run, run.jobs())


def test_the_last_word_on_a_unit_counts_and_a_half_written_line_does_not(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    line = '{"unit": "A01-1", "state": "STATE", "seconds": 2.5, "reason": "why"}\n'
    text = line.replace("STATE", "failed") + line.replace("STATE", "ok") + '{"unit": "A02-1", "sta'
    (tmp_path / "out/units.jsonl").write_text(text)
    found = ledger.units([tmp_path, tmp_path / "not there"])

    assert found == [ledger.Unit("A01-1", "ok", 2.5, "why")]
    assert ledger.counts(found) == {"ok": 1}
