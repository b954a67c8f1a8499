"""What all tests share: which engines are here, and where the real CPJUMP1 files lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import minutes, real_files, timetable
from tests.engines import report


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(minutes)


@pytest.hookimpl(optionalhook=True)  # also without xdist
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> timetable.Timetable:
    return timetable.Timetable(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest."""
    items.sort(key=lambda item: timetable.rank(item.nodeid))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose engine is absent, and say so; with ENGINES=all its absence is a failure."""
    for marker in item.iter_markers("engine"):
        reason = report.absent(marker.args[0])
        if reason and os.environ.get("ENGINES") == "all":
            pytest.fail(f"ENGINES=all, but {marker.args[0]} is absent: {reason}", pytrace=False)
        if reason:
            pytest.skip(f"{marker.args[0]} is absent: {reason}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded for the log: what a worker prints does not come there."""
    for passed in terminalreporter.stats.get("passed", []):
        for name, value in getattr(passed, "user_properties", []):
            if not name.startswith(minutes.WAITED):
                terminalreporter.write_line(f"{name}: {value}")


@pytest.fixture(scope="session")
def real_data() -> Path:
    return real_files.needed()
