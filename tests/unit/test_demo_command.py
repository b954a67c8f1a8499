"""The demo's command: what it refuses, where it says that it failed, and what it leaves to the log."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from tasks.commands import demo, images
from tasks.commands.demo import Attempt
from tasks.errors import StageError
from tasks.runtime.images import environments
from tests.unit.conftest import LoadSettings


def asked(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    demo.add(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize("words", [("--plates", "X"), ("--wells", "Z99")], ids=["plate", "well"])
def test_an_unknown_plate_or_well_is_refused(words: tuple[str, str], luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    with pytest.raises(StageError):
        demo.act(asked(*words))


@pytest.fixture
def failing(luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A demo whose run fails; return the folder of its logs."""
    layout = luigi_cfg("")
    monkeypatch.setattr(demo, "_draw", lambda plates, wells: None)
    monkeypatch.setattr(demo, "_make", lambda *told: Attempt.FAILED)
    monkeypatch.setattr(demo, "tell_of_failure", lambda batch: None)
    return layout.logs


def test_a_demo_that_failed_ends_with_where_its_log_is(failing: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = demo.act(asked())
    (log,) = failing.iterdir()
    printed = capfd.readouterr()

    assert code == demo.FAILED
    assert str(log) in printed.err.splitlines()[-1]
    assert printed.out == ""


def test_a_verbose_demo_writes_no_log(failing: Path) -> None:
    assert demo.act(asked("--verbose")) == demo.FAILED
    assert not failing.exists()


def test_what_the_package_manager_says_is_logged_and_not_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(images.logger, "info", lambda form, *words: lines.append(form % words))
    monkeypatch.setattr(environments, "missing_host_packages", lambda image: ["gcc"])
    monkeypatch.setattr(
        environments, "install_line", lambda packages: f"echo Get:1 {packages[0]}; echo fails >&2; false"
    )
    monkeypatch.setattr(environments, "unmakeable", lambda image: "it lacks gcc")
    monkeypatch.setattr(images.os, "geteuid", lambda: 0)
    monkeypatch.setattr(images.shutil, "which", lambda command: command)

    with pytest.raises(StageError):
        images.prepare(["easel"])

    assert [line.strip() for line in lines[1:]] == ["Get:1 gcc", "fails"]
    assert capfd.readouterr() == ("", "")
