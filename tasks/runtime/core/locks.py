"""One at a time, over all processes that share a file system: the kernel gives a dead holder's lock back."""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

logger = logging.getLogger(__name__)


@contextmanager
def at_once(path: Path) -> Iterator[bool]:
    """Hold the lock at `path` if nobody else does; gives whether it is held."""
    with _opened(path) as handle:
        yield _taken(handle)


@contextmanager
def alone(path: Path, what: str) -> Iterator[bool]:
    """Hold the lock at `path`; gives whether another held it first, and was waited for."""
    with _opened(path) as handle:
        waited = not _taken(handle)
        if waited:
            logger.info("%s: another run is at it; waiting for its end", what)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield waited


def is_held(path: Path) -> bool:
    """Say whether somebody holds the lock at `path` now, on whatever machine."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
    try:
        with suppress(PermissionError):  # another user's file: it has its mode already
            os.fchmod(handle, 0o666)  # whatever the umask: a data root may be shared
        yield handle
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
