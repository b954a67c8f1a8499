"""How a run speaks to a person: our lines, Luigi's summary, and no traceback for a failure that is not our bug."""

from __future__ import annotations

import logging
import re
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path
from types import FrameType, TracebackType

from luigi.interface import core
from luigi.parameter import ParameterException
from luigi.setup_logging import InterfaceLogging

from tasks.errors import StageError
from tasks.execution import progress

LUIGI_NOISE = (
    "Informed scheduler",
    "Done scheduling",
    "Running Worker",
    "Loaded ",
    "logging configured",
    "Worker Worker",
    "[pid ",
    "There are no more tasks",
)


# Luigi writes the traceback of an error in complete() or requires() into its own message.
TRACED = re.compile(
    r"Traceback \(most recent call last\):\n.*^tasks\.errors\.\w+: (?P<said>.*)", re.DOTALL | re.MULTILINE
)


class _Quiet(logging.Filter):
    """Drop Luigi's book-keeping, and the traceback of a StageError or of a wrong parameter."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, (StageError, ParameterException)):
            record.msg, record.args = str(error), ()
            record.exc_info = record.exc_text = None
            return True
        message = record.getMessage()
        told = TRACED.search(message)
        if told and "Traceback (most" not in told["said"]:  # else a bug came of the StageError
            record.msg, record.args = told["said"].strip(), ()
            record.levelno, record.levelname = logging.ERROR, "ERROR"  # Luigi warns: the task is not run, and it ends
            return True
        return record.levelno >= logging.WARNING or not message.startswith(LUIGI_NOISE)


def set_up() -> None:
    """Send our log lines to stderr, and stop on SIGTERM as on Ctrl-C: nothing is left running."""
    logger = logging.getLogger("tasks")
    if not logger.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logging.getLogger("luigi-interface").addFilter(_Quiet())
    sys.excepthook = _show_uncaught
    main_thread = threading.current_thread() is threading.main_thread()
    if main_thread and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminate)


@contextmanager
def in_short(shown: logging.Handler, log: Path) -> Iterator[None]:
    """Write all that is logged or printed to a file; `shown`, which gets the log too, tells a person what matters."""
    InterfaceLogging.setup(core(log_level="INFO"))  # now, or the first run would set up Luigi's own
    with ExitStack() as stack:
        text = stack.enter_context(open(log, "a", encoding="utf-8", buffering=1))
        full = logging.StreamHandler(text)
        full.setLevel(logging.INFO)
        full.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
        for name, level in (("tasks", logging.DEBUG), ("luigi-interface", logging.INFO)):
            stack.enter_context(_handled_by(logging.getLogger(name), level, [full, shown]))
        stack.enter_context(progress.without_bars())
        stack.enter_context(redirect_stdout(text))
        try:
            yield
        except Exception:
            traceback.print_exc(file=text)
            raise


@contextmanager
def _handled_by(logger: logging.Logger, level: int, handlers: list[logging.Handler]) -> Iterator[None]:
    before = logger.handlers, logger.level
    logger.handlers = handlers
    logger.setLevel(level)
    try:
        yield
    finally:
        logger.handlers = before[0]
        logger.setLevel(before[1])


def _show_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print(
            "\ninterrupted: nothing is left running or half published; the next run goes on from here", file=sys.stderr
        )
    else:
        sys.__excepthook__(kind, error, trace)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt  # Luigi takes any other exception for a failed task, and goes on with the next
