"""Start Java when it is first called for: its start costs CPU seconds, and plain images are read without it."""

from __future__ import annotations

from typing import Any, Callable

import javabridge
from cellprofiler_core.utilities import java
from javabridge import jutil

DOORS = ("get_env", "attach")  # every call of Java goes through one of these


def install() -> None:
    """Put off CellProfiler's start of Java to the first call of it."""
    start, doors = java.start_java, {name: getattr(jutil, name) for name in DOORS}
    java.start_java = lambda: None

    def opening(door: Callable[..., Any]) -> Callable[..., Any]:
        def opened(*words: Any) -> Any:
            if getattr(jutil, DOORS[0]) is not doors[DOORS[0]]:
                _set(doors)  # before the start, which goes through them too
                start()
            return door(*words)

        return opened

    _set({name: opening(door) for name, door in doors.items()})


def _set(doors: dict[str, Callable[..., Any]]) -> None:
    for module in (jutil, javabridge):
        for name, door in doors.items():
            setattr(module, name, door)
