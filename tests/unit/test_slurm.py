"""Slurm's commands: what they are given, what is read of what they print, and whom they are never left to."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.definitions.stages import Resources
from tasks.errors import EngineError, SettingsError
from tasks.execution import backends
from tasks.execution.specs import JobSpec
from tasks.runtime.arrays import array_folder, queue
from tasks.runtime.arrays.array_folder import ELEMENT, Array
from tasks.runtime.arrays.arrays import Arrays
from tasks.runtime.arrays.places import Local, prepare_folder
from tasks.runtime.arrays.queue import ElementState, NoAnswerError
from tasks.runtime.core.job import Job
from tasks.runtime.slurm.slurm import Options, Slurm, extra_flags, flags, spans
from tasks.settings import checks
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import SMALL, FakeEngine, good, make_run, make_stage

UNITS = ("A01-1", "A02-1", "A03-1")


class Commands:
    """Fake commands of Slurm on PATH: each writes down how it was called, and prints what it is told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def say(self, name: str, printed: str = "", error: str = "", code: int = 0) -> None:
        path = self.folder / name
        (self.folder / f"{name}.out").write_text(printed)
        (self.folder / f"{name}.err").write_text(error)
        path.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" >{path}.words\nenv >{path}.env\ncat {path}.out\ncat {path}.err >&2\n'
            f"exit {code}\n"
        )
        path.chmod(0o755)

    def words(self, name: str) -> list[str]:
        return (self.folder / f"{name}.words").read_text().splitlines()

    def variables(self, name: str) -> dict[str, str]:
        lines = (self.folder / f"{name}.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return Commands(folder)


def make_array(folder: Path, count: int = 3, resources: Resources | None = None) -> tuple[Array, list[Job]]:
    stage = make_stage("site", resources=resources or Resources(2, 1.5, 10, 0))
    jobs = make_run(folder, stage, shards=count, units=UNITS[:count]).jobs()
    for job in jobs:
        prepare_folder(job, FakeEngine(good))
    return array_folder.write("an-array", [[job] for job in jobs]), jobs


def test_an_array_asks_for_what_its_jobs_need(tmp_path: Path) -> None:
    array, _ = make_array(tmp_path)

    assert flags(array, Options()) == [
        "--job-name=an-array",
        "--array=0-2",
        "--no-requeue",
        "--ntasks=1",
        "--cpus-per-task=2",
        "--mem=1536M",
        "--time=12",
        f"--chdir={array.folder}",
        f"--output={array.folder}/element-%a.log",
    ]


def test_what_luigi_cfg_says_of_the_site_is_given_to_sbatch(tmp_path: Path) -> None:
    array, _ = make_array(tmp_path, resources=Resources(1, 1, 1, 2))
    given = flags(array, Options("long", "lab", "normal", "", ("--nice=10",), 8))

    assert given[1] == "--array=0-2%8"
    assert given[-5:] == ["--partition=long", "--account=lab", "--qos=normal", "--gres=gpu:2", "--nice=10"]
    assert "--gres=gpu:a100:2" in flags(array, Options(gres="gpu:a100:2"))


def test_a_percent_of_a_folder_is_none_of_slurms_own(tmp_path: Path) -> None:
    array, _ = make_array(tmp_path / "100%a")

    assert flags(array, Options())[-1].endswith("/100%%a/abc123/arrays/an-array/element-%a.log")


@pytest.mark.parametrize(
    "text",
    [
        "--mem=1G",
        "--array=0-9",
        "--arr=0-9",
        "--output=x",
        "--wrap=ls",
        "--time=1",
        "--t=1",
        "--requeue",
        "--no-requeue",
    ]
    + ["--partition=x", "--dependency=afterok:1", "--clusters=all", "--nodes=2", "--mem-per-cpu=1", "--job-name=x"],
)
def test_a_flag_of_our_own_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingsError, match=r"luigi.cfg \[slurm\] extra: --[a-z-]+ is not to be given here; in its"):
        extra_flags(f"--nice=1 {text}", "luigi.cfg [slurm] extra")


@pytest.mark.parametrize("text", ["-p long", "-C haswell", "script.sh", "--constraint haswell", "--NICE=1", "--"])
def test_what_is_no_flag_with_its_value_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is no flag of the form --name or --name=value"):
        extra_flags(text, "there")


def test_other_flags_pass() -> None:
    text = "--constraint='haswell|skylake' --exclusive --exclude=n[1-3] --mem-bind=local --export=ALL --reservation=r"

    assert extra_flags(text, "there")[:2] == ("--constraint=haswell|skylake", "--exclusive")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("3", [(3, 3)]),
        ("0-7%2", [(0, 7)]),
        ("1,4-8,10", [(1, 1), (4, 8), (10, 10)]),
        ("0-6:3", [(0, 0), (3, 3), (6, 6)]),
        ("N/A", []),
        ("", []),
    ],
)
def test_indices_are_read_as_squeue_shows_them(text: str, found: list[tuple[int, int]]) -> None:
    assert spans(text) == found


def test_an_array_is_submitted_as_its_folder_and_without_what_a_surrounding_job_says(
    tmp_path: Path, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_MEM_PER_CPU", "100")
    monkeypatch.setenv("SLURM_CONF", "/etc/slurm.conf")
    monkeypatch.setenv("SBATCH_ACCOUNT", "lab")
    commands.say("sbatch", "123;box\n")
    array, _ = make_array(tmp_path)
    array_id = Slurm().submit(array)
    given = commands.variables("sbatch")

    assert array_id == "123"
    assert commands.words("sbatch") == ["--parsable", *flags(array, Options()), str(ELEMENT), str(array.folder)]
    assert (given["SLURM_CONF"], given["SBATCH_ACCOUNT"]) == ("/etc/slurm.conf", "lab")
    assert "SLURM_MEM_PER_CPU" not in given


STATES = """\
12|0|COMPLETED|None|node1
12|1|FAILED|NonZeroExitCode|node1
12|2|OUT_OF_MEMORY|OutOfMemory|node1
12|3|TIMEOUT|TimeLimit|node1
12|4|NODE_FAIL|None|node2
12|5|PREEMPTED|None|node2
12|6|CANCELLED|None|
12|7|RUNNING|None|node1
12|8|COMPLETING|None|node1
12|9-1200%8|PENDING|Resources|
13|0-3|PENDING|PartitionTimeLimit|
14|0-3|PENDING|QOSMaxMemoryPerJob|
15|0-3|PENDING|QOSMaxJobsPerUserLimit|
16|0|A_NEW_STATE|None|
17|N/A|RUNNING|None|node1
"""


def test_states_become_ends(commands: Commands) -> None:
    commands.say("squeue", STATES)
    found = Slurm().ask()

    assert [seen.how for seen in found["12"]] == [
        queue.DONE,
        queue.FAILED,
        queue.OUT_OF_MEMORY,
        queue.TIMED_OUT,
        queue.LOST,
        queue.LOST,
        queue.CANCELLED,
        queue.RUNS,
        queue.RUNS,
        queue.QUEUED,
    ]
    assert found["12"][4].said == "NODE_FAIL, node2"
    assert found["12"][9] == ElementState(9, 1200, queue.QUEUED, "PENDING, Resources")
    assert [found[array][0].how for array in ("13", "14", "15", "16")] == [
        queue.REFUSED,
        queue.REFUSED,
        queue.QUEUED,
        queue.FAILED,
    ]
    assert found["17"] == []
    assert commands.variables("squeue")["SLURM_BITSTR_LEN"] == "0"


@pytest.mark.parametrize("line", ["exceeded memory limit (426217472 > 104857600), being killed", "oom_kill event"])
def test_an_element_that_slurmd_ended_for_its_memory_is_told_from_its_log(tmp_path: Path, line: str) -> None:
    log = tmp_path / "element-0.log"
    failed, done = (ElementState(0, 0, how, "x") for how in (queue.FAILED, queue.DONE))
    without = Slurm().judged(failed, log)
    log.write_text(f"slurmstepd: error: StepId=5.batch {line}\n")

    assert without == failed
    assert Slurm().judged(failed, log).how == queue.OUT_OF_MEMORY
    assert Slurm().judged(done, log) == done


OUTAGE = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)"
REFUSAL = (
    "sbatch: error: invalid partition specified: lnog\nsbatch: error: Batch job submission failed: Invalid partition"
)


def test_an_outage_is_no_error_and_a_refusal_is_one_in_sbatchs_words(tmp_path: Path, commands: Commands) -> None:
    array, _ = make_array(tmp_path)
    commands.say("sbatch", error=OUTAGE, code=1)
    with pytest.raises(NoAnswerError, match="connect failure"):
        Slurm().submit(array)
    commands.say("sbatch", error=REFUSAL, code=1)

    with pytest.raises(EngineError, match="sbatch --parsable (.|\n)*invalid partition specified: lnog"):
        Slurm().submit(array)


def test_a_machine_without_slurm_is_named(commands: Commands) -> None:
    with pytest.raises(EngineError, match="no command squeue.*login node"):
        Slurm().ask()


def test_an_array_is_found_by_its_name_and_elements_are_cancelled_by_their_index(commands: Commands) -> None:
    commands.say("squeue", "12\n12\n12\n")
    commands.say("scancel")
    found = Slurm().find("an-array")
    Slurm().cancel("12", (1, 3))
    some = commands.words("scancel")
    Slurm().cancel("12")

    assert found == "12"
    assert "--name=an-array" in commands.words("squeue")
    assert some == ["--quiet", "12_1", "12_3"]
    assert commands.words("scancel") == ["--quiet", "12"]


def test_what_has_ended_can_not_be_cancelled_and_that_is_no_error(commands: Commands) -> None:
    commands.say("scancel", error="scancel: error: Kill job error on job id 12: Invalid job id specified", code=1)
    Slurm().cancel("12")
    commands.say("scancel", error="scancel: error: Access/permission denied", code=1)

    with pytest.raises(EngineError, match="permission denied"):
        Slurm().cancel("12")


# The element's own script, run as Slurm runs it.


def run_element(array: Array, index: int = 0) -> subprocess.CompletedProcess[str]:
    given = {"SLURM_ARRAY_TASK_ID": str(index), "SLURM_ARRAY_JOB_ID": "12", "SLURMD_NODENAME": "n1"}
    words = ["sh", str(ELEMENT), str(array.folder)]
    return subprocess.run(words, env={**os.environ, **given}, capture_output=True, text=True, check=False)


def packed(folder: Path, *lines: str, seconds: float = 60) -> tuple[Array, list[Job]]:
    """Return an array of one element whose jobs are these lines of shell."""
    array, jobs = make_array(folder, len(lines), Resources(1, 1, seconds / 60, 0))
    for job, line in zip(jobs, lines, strict=True):
        (job.folder / "command").write_text(line + "\n")
    one = array_folder.write("packed", [jobs])
    return one, jobs


def ends(array: Array) -> list[tuple[int, bool]]:
    return [
        (array.end(name).exit_code, array.end(name).timed_out) for name in array.elements[0] if name in array.ended()
    ]


def test_an_element_runs_its_jobs_in_order_and_tells_how_each_ended(tmp_path: Path) -> None:
    array, jobs = packed(tmp_path / "a b", "echo out; echo err >&2; cat; pwd", "exit 65", "kill -9 $$")
    done = run_element(array)
    name = jobs[0].folder.name

    assert done.returncode == 0, done.stderr
    assert ends(array) == [(0, False), (65, False), (137, False)]
    assert array.end(name).where == "n1"
    assert array.end(name).id == "12_0"
    assert (jobs[0].folder / "stdout.log").read_text() == f"out\n{jobs[0].folder}/tmp\n"
    assert (jobs[0].folder / "stderr.log").read_text() == "err\n"


def test_a_job_that_takes_too_long_is_ended_and_the_next_one_runs(tmp_path: Path) -> None:
    array, _ = packed(tmp_path, "sleep 60", "true", seconds=1)
    run_element(array)

    assert ends(array) == [(124, True), (0, False)]


def test_what_has_ended_is_not_run_again_and_a_cancelled_array_begins_nothing(tmp_path: Path) -> None:
    array, jobs = packed(tmp_path, f"echo ran >>{tmp_path}/said", "exit 3")
    first = run_element(array)
    again = run_element(array)
    other, _ = packed(tmp_path / "other", f"echo ran >>{tmp_path}/said")
    other.cancel()
    cancelled = run_element(other)

    assert (first.returncode, again.returncode, cancelled.returncode) == (0, 0, 66)
    assert (tmp_path / "said").read_text() == "ran\n"
    assert other.ended() == set()


# What luigi.cfg says.


def test_a_stage_may_have_another_partition_than_the_others(luigi_cfg: LoadSettings) -> None:
    luigi_cfg(
        "[runtime]\nplace = slurm\n[slurm]\npartition = short\nqos = normal\nmax_running = 5\n"
        "[measure]\nslurm_partition = long\nslurm_extra = --nice=3\n"
    )
    measure, other = (backends.options(make_stage(name=name)) for name in ("measure", "paint"))

    assert (measure.partition, measure.qos, measure.extra, measure.max_running) == ("long", "normal", ("--nice=3",), 5)
    assert (other.partition, other.qos, other.extra) == ("short", "normal", ())


def test_what_needs_a_network_runs_here_unless_the_nodes_have_one(luigi_cfg: LoadSettings) -> None:
    engine = FakeEngine(good)
    fetching, other = make_stage(network=True), make_stage()
    luigi_cfg("[runtime]\nplace = slurm\n")
    here = [type(backends.of(stage, engine)) for stage in (fetching, other)]
    luigi_cfg("[runtime]\nplace = slurm\n[slurm]\nnetwork = nodes\n")
    nodes = [type(backends.of(stage, engine)) for stage in (fetching, other)]
    luigi_cfg("[runtime]\nplace = local\n")

    assert here == [Local, Arrays]
    assert nodes == [Arrays, Arrays]
    assert isinstance(backends.of(other, engine), Local)


def test_shards_are_a_multiple_of_the_cores_here_and_as_few_as_may_be_on_a_cluster(luigi_cfg: LoadSettings) -> None:
    dozens = JobSpec(SMALL, units_per_job=12)
    luigi_cfg("[runtime]\ncores = 8\nmemory_gb = 8\n")
    here = backends.job_count(100, dozens)
    luigi_cfg("[runtime]\nplace = slurm\ncores = 8\n")

    assert here == 16
    assert backends.job_count(100, dozens) == 9
    assert backends.job_count(3, dozens) == 1
    assert backends.job_count(100, replace(dozens, most_jobs=1)) == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[slurm]\nextra = --mem=3\n", "--mem is not to be given here"),
        ("[slurm]\nmax_array = 0\n", "max_array = 0"),
        ("[slurm]\non_interrupt = maybe\n", "on_interrupt"),
        ("[measure]\nslurm_partitoin = x\n", "did you mean 'slurm_partition'"),
        ("[measure]\nslurm_extra = --wrap=x\n", "[measure] slurm_extra"),
    ],
)
def test_a_wrong_setting_ends_the_run_before_it_starts(luigi_cfg: LoadSettings, text: str, says: str) -> None:
    luigi_cfg(text)
    with pytest.raises(SettingsError) as caught:
        checks.check(pipeline.stage_settings())

    assert says in str(caught.value)


def test_the_folder_of_an_array_says_what_it_holds(tmp_path: Path) -> None:
    array, jobs = make_array(tmp_path)
    (again,) = array_folder.of_run(jobs[0].folder.parent)

    assert again == array
    assert json.loads((array.folder / "array.json").read_text())["elements"] == [[job.folder.name] for job in jobs]
