"""What the demo batch is made of: read from data/demo/plan.py by its path, for a wheel has no package `data`."""

from __future__ import annotations

import runpy
from typing import Any

from tasks.dataset import layout

_PLAN = runpy.run_path(str(layout.REPOSITORY / "data" / "demo" / "plan.py"))
BATCH: str = _PLAN["BATCH"]
PLATES: tuple[str, ...] = _PLAN["PLATES"]
COMPOUNDS: tuple[Any, ...] = _PLAN["COMPOUNDS"]
"""What is planted: see Compound in data/demo/plan.py."""
