"""Load the compiled kernels (native/*.c) of this environment."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path
from typing import Any

import numpy as np

PATH = Path(sys.prefix) / "lib" / "libmeasure_kernels.so"


def array(kind: type) -> type:
    """Return the argument type of a contiguous array of this kind: another kind is refused, not converted."""
    return np.ctypeslib.ndpointer(dtype=kind, flags="C_CONTIGUOUS")


def function(name: str, arguments: list[Any], result: Any = None) -> Any:
    """Return a function of the library; OSError if the library is missing, for a plugin must never go on without it."""
    loaded = ctypes.CDLL(str(PATH))
    found = getattr(loaded, name)
    found.argtypes = arguments
    found.restype = result
    return found


INT = ctypes.c_int32
LONG = ctypes.c_int64
SIGNS = array(np.int8)
INTS = array(np.int32)
LONGS = array(np.int64)
WORDS = array(np.uint64)
BYTES = array(np.uint8)
FLOATS = array(np.float32)
DOUBLES = array(np.float64)
