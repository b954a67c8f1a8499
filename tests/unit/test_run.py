"""A run before it is an act: the words of its jobs follow the convention of docs/add_a_stage.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks import errors
from tasks.execution import reasons
from tasks.execution.retries import Attempt
from tasks.execution.stage_run import failure
from tasks.results.fingerprint import Artifact
from tasks.results.ledger import Unit
from tasks.runtime.core.job import Outcome
from tests.unit.fakes import PLATE, make_run, make_stage


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, list[Artifact]]:
    folder, file = tmp_path / "data/images", tmp_path / "data/P_augmented.csv.gz"
    folder.mkdir(parents=True)
    file.touch()
    return {"images": [Artifact(folder, "", 1, 1)], "profiles": [Artifact(file, "", 1, 1), Artifact(file, "", 1, 1)]}


def test_the_words_of_a_job_follow_the_convention(tmp_path: Path, inputs: dict[str, list[Artifact]]) -> None:
    (job,) = make_run(tmp_path, make_stage(), **inputs).jobs()

    assert " ".join(job.words) == (
        "python /opt/stages/easel/paint.py --plate BR00117013 --method mean"
        " --images /in/images --profiles /in/profiles/P_augmented.csv.gz /in/profiles/P_augmented.csv.gz"
        " --write_picture /out/files/BR00117013.csv --write_tiles /out/files/tiles --output /out"
    )


def test_an_output_that_is_the_whole_folder_is_files(tmp_path: Path) -> None:
    (job,) = make_run(tmp_path, make_stage(outputs={"tiles": "."})).jobs()

    assert job.flags[-2:] == ("--write_tiles", "/out/files")


def test_inputs_are_mounted_read_only_and_the_job_writes_below_its_folder(
    tmp_path: Path, inputs: dict[str, list[Artifact]]
) -> None:
    (job,) = make_run(tmp_path, make_stage(), **inputs).jobs()

    assert [(str(mount.source), mount.target) for mount in job.mounts if not mount.writable] == [
        (str(inputs["images"][0].path), "/in/images"),
        *[(str(inputs["profiles"][0].path), "/in/profiles/P_augmented.csv.gz")] * 2,
    ]
    assert [(mount.source, mount.target) for mount in job.mounts if mount.writable] == [(job.folder / "out", "/out")]


def test_each_shard_has_its_own_number_folder_and_name(tmp_path: Path) -> None:
    jobs = make_run(tmp_path, make_stage("site"), shards=3, units=("A", "B", "C")).jobs()

    assert [job.flags[-2:] for job in jobs] == [("--shard", unit) for unit in ("A", "B", "C")]
    assert [job.folder.parent for job in jobs] == [tmp_path / "abc123/shards"] * 3
    assert [job.folder.name.partition("-")[0] for job in jobs] == ["1of3", "2of3", "3of3"]
    assert len({job.name for job in jobs}) == 3
    assert all(re.fullmatch(rf"platewright-paint-{PLATE}-[0-9a-f]{{8}}-{job.folder.name}", job.name) for job in jobs)


def test_the_same_run_below_two_data_roots_has_two_names(tmp_path: Path) -> None:
    here, there = (make_run(tmp_path / root, make_stage()).jobs()[0].name for root in ("here", "there"))

    assert here != there


def test_the_sites_of_a_well_stay_in_one_shard_and_every_site_is_in_one(tmp_path: Path) -> None:
    units = tuple(f"A{well:02d}-{site}" for well in range(1, 8) for site in range(1, 4))
    jobs = make_run(tmp_path, make_stage("site"), shards=3, units=units).jobs()
    wells = [{unit.partition("-")[0] for unit in job.units} for job in jobs]

    assert tuple(unit for job in jobs for unit in job.units) == units
    assert sum(len(each) for each in wells) == 7
    assert [len(each) for each in wells] == [2, 2, 3]


def test_only_what_is_not_done_is_cut_into_jobs_of_about_the_same_size(tmp_path: Path) -> None:
    run = make_run(tmp_path, make_stage("site"), shards=4, units=tuple("ABCDEFGH"))
    jobs = run.jobs({"A", "B", "F"})

    assert [job.units for job in jobs] == [("C",), ("D", "E"), ("G", "H")]
    assert run.jobs(set("ABCDEFGH")) == []


def test_jobs_that_ended_well_are_taken_up_whatever_the_shards_are_now(tmp_path: Path) -> None:
    stage, units = make_stage("site"), ("A", "B", "C")
    done, other = make_run(tmp_path, stage, shards=2, units=units).jobs()
    for job in (done, other):
        job.folder.mkdir(parents=True)
        (job.folder / "job.json").write_text(job.as_json())
    (other.folder / "job.json").write_text('{"units": ["A", "Z"]}')
    now = make_run(tmp_path, stage, shards=3, units=units)

    assert [(job.units, job.folder) for job in now.taken_up([done.folder, other.folder, tmp_path])] == [
        (done.units, done.folder)
    ]


def test_a_job_that_was_given_other_flags_is_not_taken_up(tmp_path: Path) -> None:
    now = make_run(tmp_path, make_stage("site"), units=("A",))
    (job,) = replace(now, flags=(*now.flags, "--audit_sites", "1")).jobs()
    job.folder.mkdir(parents=True)
    (job.folder / "job.json").write_text(job.as_json())

    assert now.taken_up([job.folder]) == []


def test_a_piece_of_a_job_has_a_folder_of_its_own_and_the_jobs_resources(tmp_path: Path) -> None:
    run = make_run(tmp_path, make_stage("site"), shards=1, units=("A", "B", "C"))
    (job,) = run.jobs()
    big = replace(job, resources=replace(job.resources, memory_gb=8), attempt=2)
    piece = run.cut(big, ["B"], 2, 3)

    assert piece.units == ("B",)
    assert piece.flags[-2:] == ("--shard", "B")
    assert piece.folder.name.startswith("1of1.2of3-")
    assert (piece.resources.memory_gb, piece.attempt) == (8, 2)


def test_a_stage_of_a_plate_has_no_shard_flag(tmp_path: Path) -> None:
    (job,) = make_run(tmp_path, make_stage("plate")).jobs()

    assert "--shard" not in job.flags


def test_a_job_says_what_it_is_in_json(tmp_path: Path, inputs: dict[str, list[Artifact]]) -> None:
    (job,) = make_run(tmp_path, make_stage(), **inputs).jobs()
    told = json.loads(job.as_json())

    assert told["flags"] == list(job.flags)
    assert told["resources"] == {"cpus": 1, "memory_gb": 1, "minutes": 1, "gpus": 0}
    path = str(inputs["images"][0].path)
    assert told["inputs"][0] == {"source": path, "target": "/in/images", "writable": False, "listed": "", "afar": False}


Fail = Callable[..., str]


@pytest.fixture
def fail(tmp_path: Path) -> Fail:
    """Return a function that gives a run's first jobs these outcomes and returns the error's text."""

    def text(*outcomes: Outcome, log: str = "", units: tuple[str, ...] = ("A01-1", "B01-1"), allowed: float = 0) -> str:
        run = make_run(tmp_path, make_stage("site"), shards=len(units), units=units)
        bad = []
        for job, outcome in zip(run.jobs(), outcomes, strict=False):
            job.folder.mkdir(parents=True)
            (job.folder / "stderr.log").write_text(log)
            words = log.split("\n")
            told = {unit: Unit(unit, "failed", 1.0, f"no nuclei in {unit}") for unit in job.units[:1]}
            bad.append(Attempt(job, outcome, reasons.of(outcome, words, job.folder), told, "its last word"))
        return str(failure(run, bad, allowed))

    return text


def test_a_failure_says_what_the_programs_words_the_units_the_log_and_the_command(tmp_path: Path, fail: Fail) -> None:
    text = fail(Outcome(65, 1.0), log="warning: x\n\nerror: P.csv: no row has a negcon\n")
    folder = make_run(tmp_path, make_stage("site"), 2, ("A01-1", "B01-1")).jobs()[0].folder

    assert text.splitlines() == [
        f"paint/{PLATE} failed: exit code 65 (its input breaks the contract); 1 of 2 sites failed",
        "    warning: x",
        "    error: P.csv: no row has a negcon",
        "    A01-1: corrupt_input: no nuclei in A01-1",
        "  hint   1 other site succeeded and is kept; remove the cause and run again, or continue without the failed "
        "sites: [runtime] max_failed_fraction = 0.5 in luigi.cfg (now 0)",
        f"  log    {folder}/stderr.log",
        f"  again  sh {folder}/command",
    ]


def test_a_failure_that_asks_for_a_setting_does_not_offer_the_same_command_again(fail: Fail) -> None:
    text = fail(Outcome(65, 1.0), log="error: P.csv: it has 3 planes. Choose it: [images] z = <one of 1, 2, 3>\n")

    assert "  then   set it in luigi.cfg" in text
    assert "again  sh" not in text


ENDS = {
    "bug": (Outcome(1, 1), "exit code 1 (a bug in the program or its library)", ""),
    "flags": (Outcome(2, 1), "exit code 2 (its flags are not those", ""),
    "odd code": (Outcome(7, 1), "failed: exit code 7\n", ""),
    "killed": (Outcome(137, 1), "exit code 137 (killed)", ""),
    "crash": (Outcome(70, 1), "exit code 70 (a program that it ran crashed)", ""),
    "lost": (
        Outcome(255, 1, lost="the daemon is gone"),
        "lost contact with it (1 attempt)\n    the daemon is gone",
        "",
    ),
    "out of memory": (
        Outcome(137, 1, out_of_memory=True),
        "(out of memory)",
        "more memory: [paint] memory_gb in luigi.cfg",
    ),
    "timed out": (Outcome(143, 1, timed_out=True), "longer than its limit", "more time: [paint] minutes in luigi.cfg"),
}


@pytest.mark.parametrize(("outcome", "what", "hint"), ENDS.values(), ids=ENDS)
def test_an_end_is_told_apart_from_others(outcome: Outcome, what: str, hint: str, fail: Fail) -> None:
    text = fail(outcome, units=())

    assert what in text
    assert ("  hint   " in text) == bool(hint)
    assert hint in text


@pytest.mark.parametrize("sign", errors.HINTS)
def test_a_known_cause_has_a_hint(sign: str, fail: Fail) -> None:
    assert f"  hint   {errors.HINTS[sign].format(stage='paint')}" in fail(
        Outcome(1, 1), log=f"OSError: {sign}: '/out/a'\n"
    )


def test_a_failure_counts_the_units_and_shows_first_what_is_no_single_ones(tmp_path: Path) -> None:
    run = make_run(tmp_path, make_stage("site"), shards=3, units=("A01-1", "B01-1", "B01-2", "C01-1"))
    outcomes = [Outcome(1, 1), Outcome(69, 1), Outcome(1, 1)]
    bad = [Attempt(job, outcome, "service", {}, "why") for job, outcome in zip(run.jobs(), outcomes, strict=True)]
    text = str(failure(run, bad, 0.5))

    assert "exit code 69 (the network, a service or the disk fails); 4 of 4 sites failed" in text
    assert "max_failed_fraction" not in text
    assert f"{run.jobs()[1].folder}/stderr.log" in text


def test_only_the_end_of_a_long_log_is_shown(fail: Fail) -> None:
    text = fail(Outcome(1, 1), log="".join(f"line {number}\n" for number in range(100)))

    assert "line 99" in text
    assert "line 92" in text
    assert "line 91" not in text
