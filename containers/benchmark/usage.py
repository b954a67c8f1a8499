"""What the jobs of a batch used, by stage and by plate: core-hours, memory, and what that costs."""

from __future__ import annotations

import math
from typing import Any, Dict, List, Mapping, Sequence

Record = Mapping[str, Any]
JOINTLY = "all plates jointly"


def sums(runs: Sequence[Record], record: Record) -> Dict[str, Any]:
    """Return what the jobs of some runs used together; a run that tells no core-seconds had one core a job."""
    told = [run["used"] for run in runs if run["used"]]
    core_hours = sum(used.get("core_seconds", used["seconds"]) for used in told) / 3600
    peaks = [used["peak_memory_gb"] for used in told if "peak_memory_gb" in used]
    dollars = core_hours * record["rate"]["dollars_per_core_hour"]
    return {
        "jobs": sum(used["jobs"] for used in told), "peak_gb": max(peaks, default=None),
        "core_hours": core_hours, "core_hours_decimals": decimals(core_hours),
        "dollars": dollars, "dollars_decimals": decimals(dollars),
    }  # fmt: skip


def plates(record: Record) -> List[Dict[str, Any]]:
    """Return a row a plate, with what was made of it alone, and one of what was made of several plates at once."""
    single = [run for run in record["runs"] if run["is_plate"]]
    rows = [(each["plate"], [run for run in single if run["subject"] == each["plate"]]) for each in record["plates"]]
    rows.append((JOINTLY, [run for run in record["runs"] if not run["is_plate"]]))
    return [{"plate": name, **sums(runs, record)} for name, runs in rows if runs]


def decimals(whole: float) -> int:
    """Return how many decimals a column needs whose sum is to be read: two, or more where the sum is small."""
    return min(6, max(2, 2 - math.floor(math.log10(whole)))) if whole > 0 else 2
