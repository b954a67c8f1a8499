"""Remember for some seconds what was just looked at: a run asks the same of a plate from many tasks at once."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")

SECONDS = 10.0


def ttl_cache(look: Callable[[Any], Value]) -> Callable[[Any], Value]:
    """Let a method look again only after SECONDS, or if what it saw was nothing or not true."""
    name = f"_{look.__name__}_seen"

    @functools.wraps(look)
    def recalled(self: Any) -> Value:
        seen_at, value = getattr(self, name, (-math.inf, None))
        if value and time.monotonic() - seen_at < SECONDS:
            known: Value = value
            return known
        fresh = look(self)
        setattr(self, name, (time.monotonic(), fresh))
        return fresh

    return recalled
