"""The doctor: what is usable, what is not, with the remedy, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks import __main__ as command
from tasks.commands import checkup
from tasks.definitions import recipes
from tasks.runtime.engines import apptainer_engine, engines
from tasks.runtime.images import images, sif
from tasks.settings import settings
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
    monkeypatch.setattr(checkup.shutil, "which", lambda name: None)
    return reasons


def found() -> dict[str, checkup.Finding]:
    return {finding.subject: finding for finding in checkup.examine()}


def test_one_usable_engine_is_enough(told: dict[str, str | None], luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    seen = found()

    assert seen["engine process"].state == checkup.GOOD
    assert (seen["engine docker"].state, "no daemon answers" in seen["engine docker"].said) == (checkup.NOTE, True)
    assert "engine" not in seen


def test_no_usable_engine_is_bad(told: dict[str, str | None], luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    told["process"] = "no compiler"
    seen = found()["engine"]

    assert seen.state == checkup.BAD
    assert seen.said.startswith("[runtime] engine = auto: none for benchmark, cellprofiler")


def test_an_engine_that_was_asked_for_and_is_not_usable_is_bad(
    told: dict[str, str | None], luigi_cfg: LoadSettings
) -> None:
    luigi_cfg("[runtime]\nengine = docker\n")
    seen = found()

    assert seen["engine docker"].state == seen["engine"].state == checkup.BAD


APPTAINER = """#!/bin/sh
case "$*" in *inspect*) for file; do :; done; cat "$file" ;; *--net*) echo 'no network namespace' >&2; exit 1 ;; esac
"""


@pytest.fixture
def sif_files(
    told: dict[str, str | None], containers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """Return a function that lays the SIF file of the image easel, as the labels say."""
    command = tmp_path / "apptainer"
    command.write_text(APPTAINER)
    command.chmod(0o755)
    monkeypatch.setattr(sif, "binary", lambda: str(command))
    monkeypatch.setattr(apptainer_engine, "user_namespaces", lambda: False)

    def lay(digest: str) -> Path:
        images.write_lock("easel", digest)
        said = {sif.DIGEST_LABEL: digest, images.RECIPE_LABEL: recipes.recipe_hash("easel")}
        path = tmp_path / "root/.work/images" / f"easel-{digest[7:19]}.sif"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"data": {"attributes": {"labels": said}}}))
        return path

    return lay


def apptainer_findings() -> dict[str, checkup.Finding]:
    settings.load()
    return {f"{finding.subject} {finding.state}": finding for finding in checkup._apptainer()}


def test_sif_files_that_are_here_and_superseded_are_named(
    sif_files: Callable[..., Path], luigi_cfg: LoadSettings
) -> None:
    luigi_cfg("[runtime]\nengine = apptainer\n")
    old, new = sif_files("sha256:" + "a" * 64), sif_files("sha256:" + "b" * 64)
    seen = apptainer_findings()

    assert seen["SIF easel good"].said.startswith(new.name)
    assert seen["SIF files note"].said == f"of no image that is locked here: {old.name}"
    assert "keep the network" in seen["SIF easel note"].said
    assert "user.max_user_namespaces" in seen["user namespaces note"].remedy


def test_a_sif_file_that_is_missing_is_bad_where_apptainer_was_asked_for(
    sif_files: Callable[..., Path], luigi_cfg: LoadSettings
) -> None:
    luigi_cfg("[runtime]\nengine = apptainer\n")
    sif_files("sha256:" + "a" * 64).unlink()
    seen = apptainer_findings()["SIF easel bad"]

    assert seen.said == "the image sha256:aaaaaaaaaaaa of images.lock is not in the engine"
    assert seen.remedy == "type: python -m tasks images convert --to sif easel"


def test_apptainer_is_bad_only_if_it_was_asked_for_and_is_not_there(
    luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    luigi_cfg("")
    assert apptainer_findings() == {}
    luigi_cfg("[runtime]\nengine = apptainer\n")

    assert "module load apptainer" in apptainer_findings()["apptainer bad"].said


def test_a_stage_that_does_not_fit_the_machine_is_named(told: dict[str, str | None], luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[runtime]\ncores = 1\nmemory_gb = 3\n[measure]\nmemory_gb = 5\n")
    seen = {name: finding for name, finding in found().items() if finding.state == checkup.BAD}

    assert "stage measure" in seen
    assert "[measure] cpus and memory_gb" in seen["stage measure"].remedy


def test_a_data_root_that_cannot_be_written_or_is_nearly_full_is_bad(
    told: dict[str, str | None], luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    luigi_cfg("")
    usage = checkup.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000_000))
    full = found()["data root"]
    monkeypatch.setattr(checkup.os, "access", lambda path, mode: False)

    assert (full.state, "1.0 GB are free" in full.said) == (checkup.BAD, True)
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
