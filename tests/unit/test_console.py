"""What a person sees of Luigi's log: no book-keeping, no traceback of a failure that is not our bug."""

from __future__ import annotations

import logging
import sys
import traceback

import pytest

from tasks.errors import MissingInputError, StageError
from tasks.stage_tasks.console import _Quiet

BAD_NEWS = "P.csv: no row has a negcon\n  log    x/stderr.log"


def record(message: str, level: int = logging.INFO, error: Exception | None = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("luigi-interface", level, "worker.py", 1, message, (), info)


def shown(entry: logging.LogRecord) -> str | None:
    return logging.Formatter("%(message)s").format(entry) if _Quiet().filter(entry) else None


def caught(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except Exception as found:
        return found


def test_a_stage_error_is_shown_without_a_traceback() -> None:
    text = shown(record("[pid 1] Worker failed Normalize()", logging.ERROR, caught(StageError(BAD_NEWS))))

    assert text.removeprefix("ERROR: ") == BAD_NEWS


def test_a_bug_keeps_its_traceback() -> None:
    text = shown(record("[pid 1] Worker failed", logging.ERROR, caught(KeyError("x"))))

    assert text.startswith("[pid 1] Worker failed\nTraceback")
    assert "KeyError: 'x'" in text


def traced(error: Exception) -> str:
    """Return the message in which Luigi reports an error of complete() or requires()."""
    trace = "".join(traceback.format_exception(error))
    return f"Will not run RunBatch() or any dependencies due to error in complete() method:\n{trace}"


@pytest.mark.parametrize("cause", [None, ValueError("inner")], ids=["alone", "with a cause"])
def test_a_stage_error_while_scheduling_is_shown_without_a_traceback(cause: Exception | None) -> None:
    entry = record(traced(caught(MissingInputError(BAD_NEWS), caught(cause) if cause else None)), logging.WARNING)

    assert shown(entry) == BAD_NEWS
    assert entry.levelname == "ERROR"


def test_a_bug_while_scheduling_keeps_its_traceback() -> None:
    message = traced(caught(KeyError("x"), caught(StageError(BAD_NEWS))))

    assert shown(record(message, logging.WARNING)) == message


@pytest.mark.parametrize(
    ("message", "level", "is_shown"),
    [
        ("Informed scheduler that task X has status PENDING", logging.INFO, False),
        ("[pid 7] Worker running", logging.INFO, False),
        ("===== Luigi Execution Summary =====", logging.INFO, True),
        ("[pid 7] Worker died", logging.WARNING, True),
    ],
)
def test_luigis_book_keeping_is_dropped_and_its_warnings_are_not(message: str, level: int, is_shown: bool) -> None:
    assert (shown(record(message, level)) == message) == is_shown


def test_the_filter_hangs_on_luigis_logger() -> None:
    assert "tasks" in sys.modules
    assert any(isinstance(each, _Quiet) for each in logging.getLogger("luigi-interface").filters)
