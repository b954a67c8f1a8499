"""Values that say nothing of where the data root lies: the same for whoever made the results, on whatever machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = "<data root>"
IN_A_NAME = r"\w.~+@%-"
"""What a file's name goes on with, or began with: then a path is another one, which only looks alike."""


def without_root(value: Any, root: Path) -> Any:
    """Return a JSON value with every path of the data root, and of what is below it, beginning with `<data root>`."""
    known = sorted({str(root), str(root.resolve())} - {"/"}, key=len, reverse=True)
    if not known:
        return value
    either = "|".join(map(re.escape, known))
    pattern = rf"(?:(?<=://)|(?<![/{IN_A_NAME}]))(?:{either})(?=$|[^{IN_A_NAME}]|\.(?:\W|$))"
    return _replaced(value, re.compile(pattern))


def _replaced(value: Any, root: re.Pattern[str]) -> Any:
    if isinstance(value, str):
        return root.sub(ROOT, value)
    if isinstance(value, Mapping):
        return {_replaced(key, root): _replaced(each, root) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replaced(each, root) for each in value]
    return value
