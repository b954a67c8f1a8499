"""The frame of a stage program: its slices, its exit codes, and result.json only if all is well."""

from __future__ import annotations

import ast
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from stagekit import program
from stagekit.program import Report, Shard

from tasks.dataset import layout
from tasks.results import ledger

HEAD = """
import sys, time
from stagekit import program
def main():
    args = program.parser("A program.").parse_args()
    with program.Report(args.output) as report:
        report.unit("A01-1", "ok", 1.23456)
        report.warn("odd")
        report.fact("cells", 12)
        {act}
program.run(main)
"""


@given(some.integers(0, 60), some.integers(1, 70))
def test_every_item_is_in_one_shard_in_order_and_shards_are_nearly_equal(count: int, shards: int) -> None:
    items = list(range(count))
    parts = [Shard(index, shards).of(items) for index in range(1, shards + 1)]

    assert [item for part in parts for item in part] == items
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_is_read_from_its_flag() -> None:
    assert program.shard("3/20") == Shard(3, 20)


def test_a_shard_may_name_its_units_which_keep_their_order() -> None:
    rows = [{"site": name} for name in ("A01-1", "A01-2", "B01-1")]
    named = program.shard("B01-1,A01-1")

    assert named.of(rows, lambda row: row["site"]) == [rows[0], rows[2]]
    assert program.shard("DNA").of(["RNA", "DNA"]) == ["DNA"]


def test_a_unit_that_is_not_there_is_named() -> None:
    with pytest.raises(program.DataError, match="there is no C01-1 among 2"):
        program.shard("A01-1,C01-1").of(["A01-1", "B01-1"])


@pytest.mark.parametrize("text", ["0/3", "4/3", "", "a/b", "1/2/3", "-1/3", "A01-1,,A01-2"])
def test_a_shard_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        program.shard(text)


def run(folder: Path, act: str, *flags: str, guard: str = "") -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", HEAD.format(act=act), *(flags or ("--plate", "P", "--output", str(folder)))]
    environment = {"PYTHONPATH": str(layout.CONTAINERS), "STAGE_GUARD": guard}
    return subprocess.run(words, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)


def test_a_good_program_ends_with_0_and_tells_its_result(tmp_path: Path) -> None:
    done = run(tmp_path, "pass")

    assert done.returncode == 0
    assert json.loads((tmp_path / "result.json").read_text()) == {"warnings": ["odd"], "facts": {"cells": 12}}
    assert json.loads((tmp_path / "units.jsonl").read_text()) == {
        "unit": "A01-1", "state": "ok", "seconds": 1.235, "reason": "",
    }  # fmt: skip
    assert done.stderr == "warning: odd\n"


BAD_ENDS = {
    "data": ("raise program.DataError('P.csv: no negcon')", 65, "warning: odd\nerror: P.csv: no negcon\n"),
    "bug": ("raise KeyError('x')", 1, "KeyError: 'x'"),
    "exit": ("sys.exit(3)", 3, "odd"),
}


@pytest.mark.parametrize(("act", "code", "said"), BAD_ENDS.values(), ids=BAD_ENDS)
def test_a_program_that_fails_leaves_no_result(tmp_path: Path, act: str, code: int, said: str) -> None:
    (tmp_path / "result.json").write_text("of an earlier try")
    done = run(tmp_path, act)

    assert done.returncode == code
    assert said in done.stderr
    assert ("Traceback" in done.stderr) == (code == 1)
    assert not (tmp_path / "result.json").exists()


def test_wrong_flags_end_with_2_and_are_named(tmp_path: Path) -> None:
    done = run(tmp_path, "pass", "--plate", "P", "--colour", "red")

    assert done.returncode == 2
    assert "the following arguments are required: --output" in done.stderr


def test_a_guarded_program_whose_host_is_gone_ends(tmp_path: Path) -> None:
    words = [sys.executable, "-c", HEAD.format(act="time.sleep(30)"), "--plate", "P", "--output", str(tmp_path)]
    environment = {"PYTHONPATH": str(layout.CONTAINERS), "STAGE_GUARD": "stdin"}
    started = subprocess.Popen(
        words, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    assert started.stderr.readline() == b"warning: odd\n"
    still_running = started.poll() is None
    started.stdin.close()

    assert still_running
    assert started.wait(10) == -signal.SIGKILL
    started.stderr.close()


def test_a_program_without_a_guard_does_not_need_stdin(tmp_path: Path) -> None:
    assert run(tmp_path, "time.sleep(0.1)").returncode == 0


def test_a_program_ends_on_sigterm_without_a_result(tmp_path: Path) -> None:
    done = run(tmp_path, f"import os; os.kill(os.getpid(), {int(signal.SIGTERM)}); time.sleep(30)")

    assert done.returncode == 143
    assert not (tmp_path / "result.json").exists()


def test_units_of_an_earlier_try_are_forgotten(tmp_path: Path) -> None:
    for name in ("A", "B"):
        with Report(tmp_path) as report:
            report.unit(name, "failed", reason="why")
    lines = (tmp_path / "units.jsonl").read_text().splitlines()

    assert [json.loads(line)["unit"] for line in lines] == ["B"]


def test_a_units_state_is_one_of_those_known(tmp_path: Path) -> None:
    with Report(tmp_path) as report, pytest.raises(ValueError, match="not 'good'"):
        report.unit("A01-1", "good")


SHARED = [path for name in ("stagekit", "batch_agent") for path in sorted((layout.CONTAINERS / name).glob("*.py"))]


@pytest.mark.parametrize("source", SHARED, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_all_images_share_is_written_in_python_3_8(source: Path) -> None:
    assert ast.parse(source.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize(("error", "code"), [("ServiceError", 69), ("CheckError", 76)])
def test_what_is_not_the_inputs_fault_ends_a_program_with_a_code_of_its_own(
    error: str, code: int, tmp_path: Path
) -> None:
    done = run(tmp_path, f'raise program.{error}("s3://bucket: no answer")')

    assert done.returncode == code
    assert done.stderr.splitlines()[-1] == "error: s3://bucket: no answer"
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "result.json").exists()


def test_what_a_program_says_of_its_progress_is_left_for_the_host(tmp_path: Path) -> None:
    first = run(tmp_path, 'report.say("1 of 2 files"); report.say("2 of 2 files")')
    said = ledger_said(tmp_path)
    run(tmp_path, "pass")

    assert first.stderr.splitlines()[-2:] == ["1 of 2 files", "2 of 2 files"]
    assert said == "2 of 2 files"
    assert ledger_said(tmp_path) == ""


def ledger_said(output: Path) -> str:
    (output / "job").mkdir(exist_ok=True)
    (output / "job/out").unlink(missing_ok=True)
    (output / "job/out").symlink_to(output)
    return ledger.said([output / "job", output / "a job that has not begun"])
