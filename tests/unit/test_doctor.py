"""The doctor: what is usable, what is not, with the remedy, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tasks import __main__ as command
from tasks import doctor
from tasks.runtime import engines
from tests.unit.conftest import LoadSettings


class Engine:
    """Says of every image what it was told to."""

    def __init__(self, reason: str | None) -> None:
        self.reason = reason

    def unusable(self, image: str) -> str | None:
        return self.reason


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """What each engine says of every image."""
    reasons: dict[str, str | None] = {"docker": "no daemon answers", "apptainer": "no command", "process": None}
    monkeypatch.setattr(engines, "engine", lambda name: Engine(reasons[name]))
    monkeypatch.setattr(doctor.shutil, "which", lambda name: None)
    return reasons


def found() -> dict[str, doctor.Finding]:
    return {finding.subject: finding for finding in doctor.examine()}


def test_one_usable_engine_is_enough(told: dict[str, str | None], luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    seen = found()

    assert seen["engine process"].state == doctor.GOOD
    assert (seen["engine docker"].state, "no daemon answers" in seen["engine docker"].said) == (doctor.NOTE, True)
    assert "engine" not in seen


def test_no_usable_engine_is_bad(told: dict[str, str | None], luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    told["process"] = "no compiler"
    seen = found()["engine"]

    assert seen.state == doctor.BAD
    assert seen.said.startswith("[runtime] engine = auto: none for benchmark, cellprofiler")


def test_an_engine_that_was_asked_for_and_is_not_usable_is_bad(
    told: dict[str, str | None], luigi_cfg: LoadSettings
) -> None:
    luigi_cfg("[runtime]\nengine = docker\n")
    seen = found()

    assert seen["engine docker"].state == seen["engine"].state == doctor.BAD


def test_a_stage_that_does_not_fit_the_machine_is_named(told: dict[str, str | None], luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[runtime]\ncores = 1\nmemory_gb = 3\n[measure]\nmemory_gb = 5\n")
    seen = {name: finding for name, finding in found().items() if finding.state == doctor.BAD}

    assert "stage measure" in seen
    assert "[measure] cpus and memory_gb" in seen["stage measure"].remedy


def test_a_data_root_that_cannot_be_written_or_is_nearly_full_is_bad(
    told: dict[str, str | None], luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    luigi_cfg("")
    usage = doctor.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000_000))
    full = found()["data root"]
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)

    assert (full.state, "1.0 GB are free" in full.said) == (doctor.BAD, True)
    assert "cannot be written" in found()["data root"].said


@pytest.mark.parametrize(("reason", "code"), [(None, 0), ("no compiler", 1)])
def test_the_exit_code_says_whether_a_run_can_start(
    reason: str | None,
    code: int,
    told: dict[str, str | None],
    luigi_cfg: LoadSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    luigi_cfg("")
    told["process"] = reason
    monkeypatch.setattr("sys.argv", ["tasks", "doctor", "--json"])

    assert command.main() == code
    assert {"subject", "state", "said", "remedy"} == set(json.loads(capsys.readouterr().out)[0])
