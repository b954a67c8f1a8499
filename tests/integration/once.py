"""What the workers of a test run share: what is made once for all, and locks on what some of them need alone."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from tests import minutes

Made = TypeVar("Made")


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Made]) -> Made:
    """Let `make` fill a folder, unless another worker did; return what it returned. Whoever uses it changes nothing."""
    shared = _folder_of_the_run(factory) / "made-once"
    kept = shared / f"{name}.pickle"
    with held(shared / f"{name}.lock"):
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make(shared / name)))
    made: Made = pickle.loads(kept.read_bytes())
    return made


@contextmanager
def held(lock: Path, shared: bool = False) -> Iterator[None]:
    """Hold a lock, alone or beside others who share it; what passes until it is free is counted as waiting."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "a") as handle:
        with minutes.waiting():
            fcntl.flock(handle, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def _folder_of_the_run(factory: pytest.TempPathFactory) -> Path:
    own = factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
