"""What a test run took, by area, and what it left untested: a plugin of pytest that speaks in the run's last lines."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import Any

import pytest

from tests import timetable

WAITED = "waited_seconds"
SLOWEST = 10
_waited = 0.0


@contextmanager
def waiting() -> Iterator[None]:
    """Count as waiting what passes until another worker has made, or given back, what this one needs."""
    global _waited
    start = time.monotonic()
    try:
        yield
    finally:
        _waited += time.monotonic() - start


def area(nodeid: str) -> str:
    """Return where a test's time is counted: its group, or its folder."""
    name = timetable.group(nodeid)
    path = PurePosixPath(name)
    if name in timetable.GROUPS or "integration" in path.parts:
        return name.removeprefix("tests/").removesuffix(".py")
    return str(path.parent).removeprefix("tests/")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Note beside a test how long it waited for other workers."""
    global _waited
    report = yield
    if _waited:
        report.user_properties.append((f"{WAITED} {call.when}", round(_waited, 1)))
        _waited = 0.0
    return report


def _waits(report: Any) -> float:
    return sum(value for name, value in report.user_properties if name == f"{WAITED} {report.when}")


def _reports(terminal: Any) -> list[Any]:
    found = (report for reports in terminal.stats.values() for report in reports)
    return [report for report in found if hasattr(report, "when") and hasattr(report, "duration")]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the minutes of every area and the slowest set-ups."""
    work: defaultdict[str, float] = defaultdict(float)
    waits: defaultdict[str, float] = defaultdict(float)
    tests: Counter[str] = Counter()
    setups = []
    for report in _reports(terminalreporter):
        where = area(report.nodeid)
        waited = _waits(report)
        work[where] += report.duration - waited
        waits[where] += waited
        tests[where] += report.when == "call"
        if report.when == "setup":
            setups.append((report.duration - waited, waited, report.nodeid))
    if sum(work.values()) < 60:
        return
    terminalreporter.section("minutes of one worker, by area")
    terminalreporter.write_line(f"{'area':<34} {'tests':>6} {'at work':>8} {'waiting':>8}")
    for where in sorted(work, key=work.__getitem__, reverse=True):
        line = f"{where:<34} {tests[where]:>6} {work[where] / 60:>8.1f} {waits[where] / 60:>8.1f}"
        terminalreporter.write_line(line)
    total = f"{'total':<34} {tests.total():>6} {sum(work.values()) / 60:>8.1f} {sum(waits.values()) / 60:>8.1f}"
    terminalreporter.write_line(total)
    terminalreporter.section(f"the {SLOWEST} slowest set-ups, in seconds at work (and waiting)")
    for seconds, waited, nodeid in sorted(setups, reverse=True)[:SLOWEST]:
        terminalreporter.write_line(f"{seconds:>6.0f} ({waited:.0f})  {nodeid}")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Say in the last lines what was not tested, and why."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is None or hasattr(config, "workerinput"):
        return
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in terminal.stats.get("skipped", ()))
    for reason, count in reasons.most_common():
        terminal.write_line(f"not tested here: {count} {'test' if count == 1 else 'tests'}, because {reason}")
