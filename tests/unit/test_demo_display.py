"""What a person sees of a run in short: each thing once, no control characters in a pipe, and the rest in the log."""

from __future__ import annotations

import io
import logging
import multiprocessing
from pathlib import Path

import luigi
import pytest
from rich.console import Console

from tasks.commands import demo_display
from tasks.commands.demo_display import Display, Told
from tasks.errors import StageError
from tasks.runtime.core import events
from tasks.runtime.core.events import (
    EngineChosen,
    EnvironmentMade,
    EnvironmentStarted,
    Event,
    StageAdvanced,
    StageEnded,
    StageFailed,
    StageStarted,
)
from tasks.stage_tasks import console

PLATES = ("P1", "P2")
REFUSED = {"docker": "no daemon answers (Connection refused)", "apptainer": "there is no command apptainer; load one"}
BAD_NEWS = "normalize/P1 failed: exit code 65\n    P1.csv: no row has a negcon\n  log    x/stderr.log"


class Shown:
    """A display that writes into a text."""

    def __init__(self, terminal: bool = False) -> None:
        self.text = io.StringIO()
        written = Console(file=self.text, force_terminal=terminal, width=60, highlight=False)
        self.display = Display(PLATES, console=written)

    def tell(self, *told: Event) -> None:
        for event in told:
            self._handle(logging.INFO, "said at length", event)

    def log(self, level: int, message: str) -> None:
        self._handle(level, message, None)

    def _handle(self, level: int, message: str, event: Event | None) -> None:
        record = logging.LogRecord("tasks.x", level, "x.py", 1, message, (), None)
        record.event = event
        self.display.handle(record)

    def lines(self) -> list[str]:
        return self.text.getvalue().splitlines()

    def words(self) -> list[list[str]]:
        return [line.split() for line in self.lines()]


@pytest.fixture
def shown() -> Shown:
    return Shown()


def test_a_stage_has_one_line_with_all_its_plates_once_it_is_done_with_them(shown: Shown) -> None:
    for plate, seconds in zip(PLATES, (277, 162), strict=True):
        shown.tell(StageStarted(f"measure/{plate}"), StageEnded(f"measure/{plate}", seconds))

    assert shown.words() == [["measure", "P1", "4", "min", "37", "s", "P2", "2", "min", "42", "s"]]


def test_a_stage_that_is_done_with_some_plates_is_shown_at_the_end(shown: Shown) -> None:
    with shown.display:
        shown.tell(StageEnded("measure/P2", 3))
        assert shown.lines() == []

    assert shown.words() == [["measure", "P2", "3", "s"]]


def test_what_workers_that_luigi_forked_do_is_shown_as_what_this_process_does(shown: Shown) -> None:
    def work(plate: str, seconds: float) -> None:
        shown.tell(EngineChosen("gallery", "process", {}), StageStarted(f"measure/{plate}"))
        shown.log(logging.INFO, "said at length")
        shown.log(logging.ERROR, BAD_NEWS)
        shown.tell(StageEnded(f"measure/{plate}", seconds, ("dark",)))

    with shown.display:
        for plate, seconds in zip(reversed(PLATES), (4, 3), strict=True):
            worker = multiprocessing.get_context("fork").Process(target=work, args=(plate, seconds))
            worker.start()
            worker.join()

    assert shown.lines() == [
        "engine: process",
        *f"ERROR: {BAD_NEWS}".splitlines(),
        *f"ERROR: {BAD_NEWS}".splitlines(),
        f"  {'measure':<30}P1        3 s   P2        4 s",
        "warning: dark (2 times: measure)",
    ]


def test_the_engine_and_why_no_other_is_taken_are_said_once_for_all_images(shown: Shown) -> None:
    shown.tell(*(EngineChosen(image, "process", REFUSED) for image in ("gallery", "cellprofiler", "pycytominer")))

    refused = "not docker: no daemon answers; not apptainer: there is no command apptainer"
    assert shown.lines() == [f"engine: process ({refused})"]


def test_another_engine_of_a_later_image_is_named_with_its_image(shown: Shown) -> None:
    shown.tell(EngineChosen("gallery", "docker", {}), EngineChosen("benchmark", "process", REFUSED))

    assert shown.lines()[0] == "engine: docker"
    assert shown.lines()[1].startswith("engine for the image benchmark: process")


def test_environments_have_a_line_when_they_begin_and_one_with_their_seconds(shown: Shown) -> None:
    for image in ("gallery", "cellprofiler"):
        shown.tell(EnvironmentStarted(image), EnvironmentMade(image, 40.2))
    shown.tell(StageStarted("load_data/P1"))

    assert len(shown.lines()) == 2
    assert shown.lines()[1].endswith("gallery 40 s, cellprofiler 40 s")


def test_warnings_of_stages_are_shown_at_the_end_each_kind_once(shown: Shown) -> None:
    with shown.display:
        for plate in PLATES:
            shown.tell(StageEnded(f"normalize/{plate}", 3, ("2 features are dropped: A, B",)))

    assert shown.lines()[1:] == ["warning: 2 features are dropped: A, B (2 times: normalize)"]


def test_what_is_told_at_length_is_left_to_the_log_and_errors_and_warnings_are_shown_whole(shown: Shown) -> None:
    shown.log(logging.INFO, "===== Luigi Execution Summary =====")
    shown.log(logging.ERROR, BAD_NEWS)
    shown.log(logging.WARNING, "the scheduler does not answer")

    assert "\n".join(shown.lines()) == f"ERROR: {BAD_NEWS}\nWARNING: the scheduler does not answer"


def test_without_a_terminal_a_long_stage_says_how_far_it_is_and_ever_more_seldom(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(demo_display.time, "monotonic", lambda: now[0])
    shown.tell(StageEnded("illumination/Batch", 3))
    for number in range(600):
        now[0] += 1
        shown.tell(StageAdvanced("measure/P1", f"{number} of 600 sites"))

    assert [line.rpartition(": ")[2] for line in shown.lines()[1:]] == [
        "60 of 600 sites",
        "181 of 600 sites",
        "422 of 600 sites",
    ]


def test_what_cannot_be_shown_does_not_stop_workers_from_telling_more(
    shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = shown.display.console.print
    monkeypatch.setattr(shown.display.console, "print", lambda *_, **__: 1 / 0)
    with shown.display:
        shown.display.from_workers.put(Told(None, "lost"))
        shown.display.from_workers.put(Told(None, "x" * 100_000))  # more than a pipe holds: it waits for the reader
        monkeypatch.setattr(shown.display.console, "print", show)
        shown.display.from_workers.put(Told(None, "shown"))

    assert shown.lines()[-1] == "shown"


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_control_characters_are_written_to_a_terminal_only(terminal: bool) -> None:
    shown = Shown(terminal)
    with shown.display:
        shown.tell(EnvironmentStarted("gallery"), EnvironmentMade("gallery", 4), StageStarted("measure/P1"))
        shown.tell(StageAdvanced("measure/P1", "3 of 32 sites"))
        shown.display.live.refresh()
        shown.tell(StageEnded("measure/P1", 3))

    assert ("\x1b" in shown.text.getvalue()) is terminal
    assert ("3 of 32 sites" in shown.text.getvalue()) is terminal
    assert "P1" in shown.lines()[-1]


def test_on_a_terminal_all_that_is_under_way_is_shown_until_it_ends_or_fails() -> None:
    shown = Shown(terminal=True)
    shown.tell(StageStarted("measure/P1"), StageStarted("measure/P2"), StageAdvanced("measure/P2", "3 of 32 sites"))
    both = str(shown.display._moving())
    shown.tell(StageFailed("measure/P1"), StageEnded("measure/P2", 4))

    assert both == "  measure P1 (< 1 s)\n  measure P2: 3 of 32 sites (< 1 s)"
    assert str(shown.display._moving()) == f"  {'measure':<30}P2        4 s"


def test_a_long_line_is_not_broken(shown: Shown) -> None:
    shown.log(logging.WARNING, f"a/{'long/' * 30}path")

    assert len(shown.lines()) == 1


class Falls(luigi.Task):
    """A task that fails with bad news."""

    def run(self) -> None:
        print("printed by the way")
        logging.getLogger("tasks.x").info("told at length")
        raise StageError(BAD_NEWS)


def test_a_failed_run_shows_the_error_whole_and_luigis_summary_is_in_the_log_only(
    shown: Shown, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "demo.log"
    before = list(logging.getLogger("tasks").handlers)
    with shown.display, console.in_short(shown.display, log):
        built = luigi.build([Falls()], local_scheduler=True, log_level="INFO")
    text = log.read_text()

    assert not built
    assert shown.text.getvalue() == f"ERROR: {BAD_NEWS}\n"
    assert all(said in text for said in (BAD_NEWS, "Luigi Execution Summary", "told at length", "printed by the way"))
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("tasks").handlers == before


def test_what_ends_a_run_is_in_the_log_too(shown: Shown, tmp_path: Path) -> None:
    with pytest.raises(StageError), console.in_short(shown.display, tmp_path / "demo.log"):
        raise StageError(BAD_NEWS)

    assert BAD_NEWS in (tmp_path / "demo.log").read_text()


def test_a_record_without_an_event_bears_none() -> None:
    assert events.of(logging.LogRecord("x", logging.INFO, "x.py", 1, "said", (), None)) is None
