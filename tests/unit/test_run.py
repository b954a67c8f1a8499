"""A run before it is an act: the words of its jobs follow the convention of docs/add_a_stage.md."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks import errors
from tasks.errors import ProgramError
from tasks.fingerprint import Artifact
from tasks.run import check_outcomes
from tasks.runtime.job import Outcome
from tests.unit.fakes import PLATE, make_run, make_stage, write_units


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

    assert [job.flags[-2:] for job in jobs] == [("--shard", f"{number}/3") for number in (1, 2, 3)]
    assert [job.folder for job in jobs] == [tmp_path / f"abc123/shards/{number}of3" for number in (1, 2, 3)]
    assert [job.name for job in jobs] == [f"platewright-paint-{PLATE}-abc123-{number}of3" for number in (1, 2, 3)]


def test_a_stage_of_a_plate_has_no_shard_flag(tmp_path: Path) -> None:
    (job,) = make_run(tmp_path, make_stage("plate")).jobs()

    assert "--shard" not in job.flags


def test_a_job_says_what_it_is_in_json(tmp_path: Path, inputs: dict[str, list[Artifact]]) -> None:
    (job,) = make_run(tmp_path, make_stage(), **inputs).jobs()
    told = json.loads(job.as_json())

    assert told["flags"] == list(job.flags)
    assert told["resources"] == {"cpus": 1, "memory_gb": 1, "minutes": 1, "gpus": 0}
    assert told["inputs"][0] == {"source": str(inputs["images"][0].path), "target": "/in/images", "writable": False}


Fail = Callable[..., str]


@pytest.fixture
def fail(tmp_path: Path) -> Fail:
    """Return a function that gives a run's jobs these outcomes and returns the error's text."""

    def text(*outcomes: Outcome, log: str = "") -> str:
        run = make_run(tmp_path, make_stage("site"), shards=len(outcomes), units=("A01-1", "B01-1"))
        jobs = run.jobs()
        for job in jobs:
            (job.folder / "out").mkdir(parents=True, exist_ok=True)
        bad = next(job for job, outcome in zip(jobs, outcomes, strict=True) if not outcome.ok)
        (bad.folder / "stderr.log").write_text(log)
        write_units(bad, "B01-1", state="failed", reason="no nuclei")
        with pytest.raises(ProgramError) as failure:
            check_outcomes(run, jobs, outcomes)
        return str(failure.value)

    return text


def test_a_failure_says_what_the_programs_words_the_log_and_the_command(tmp_path: Path, fail: Fail) -> None:
    text = fail(Outcome(65, 1.0), log="warning: x\n\nerror: P.csv: no row has a negcon\n")

    assert text.splitlines() == [
        f"paint/{PLATE} failed: exit code 65 (its input breaks the contract)",
        "    warning: x",
        "    error: P.csv: no row has a negcon",
        "    B01-1: no nuclei",
        f"  log    {tmp_path}/abc123/shards/1of1/stderr.log",
        f"  again  sh {tmp_path}/abc123/shards/1of1/command",
    ]


ENDS = {
    "bug": (Outcome(1, 1), "exit code 1 (a bug in the program or its library)", ""),
    "flags": (Outcome(2, 1), "exit code 2 (its flags are not those", ""),
    "odd code": (Outcome(7, 1), "failed: exit code 7\n", ""),
    "killed": (Outcome(137, 1), "exit code 137 (killed)", ""),
    "out of memory": (
        Outcome(137, 1, out_of_memory=True),
        "(out of memory)",
        "more memory: [paint] memory_gb in luigi.cfg",
    ),
    "timed out": (Outcome(143, 1, timed_out=True), "longer than its limit", "more time: [paint] minutes in luigi.cfg"),
}


@pytest.mark.parametrize(("outcome", "what", "hint"), ENDS.values(), ids=ENDS)
def test_an_end_is_told_apart_from_others(outcome: Outcome, what: str, hint: str, fail: Fail) -> None:
    text = fail(outcome)

    assert what in text
    assert ("  hint   " in text) == bool(hint)
    assert hint in text


@pytest.mark.parametrize("sign", errors.HINTS)
def test_a_known_cause_has_a_hint(sign: str, fail: Fail) -> None:
    assert f"  hint   {errors.HINTS[sign].format(stage='paint')}" in fail(Outcome(1, 1), log=f"OSError: {sign}\n")


def test_a_failure_says_how_many_shards_failed_and_shows_the_first(tmp_path: Path, fail: Fail) -> None:
    text = fail(Outcome(0, 1), Outcome(1, 1), Outcome(1, 1), log="boom")

    assert "in 2 of 3 shards" in text
    assert "2of3/stderr.log" in text
    assert "    boom" in text


def test_only_the_end_of_a_long_log_is_shown(fail: Fail) -> None:
    text = fail(Outcome(1, 1), log="".join(f"line {number}\n" for number in range(100)))

    assert "line 99" in text
    assert "line 92" in text
    assert "line 91" not in text


def test_jobs_that_ended_well_are_no_failure(tmp_path: Path) -> None:
    run = make_run(tmp_path, make_stage())

    assert check_outcomes(run, run.jobs(), [Outcome(0, 1.0)]) is None
