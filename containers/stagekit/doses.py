"""Say which compounds have several doses that are taken for replicates of each other."""

from __future__ import annotations

import re
from typing import Dict, List, Mapping, Sequence

DOSE = re.compile(r"dos(e|age)|conc|molar|moles|mg_per|(^|_)[fpnum]m$", re.IGNORECASE)
"""What the name of a column of doses holds: dose, pert_dose, Concentration, mmoles_per_liter, dose_uM, ..."""
SHOWN = 3


def columns(names: Sequence[str]) -> List[str]:
    """Return the columns that hold doses, as their names say."""
    return [name for name in names if DOSE.search(name)]


def merged(compounds: Sequence[str], doses: Sequence[str]) -> Dict[str, List[str]]:
    """Return the compounds that have more than one dose, each with its doses in the order of the rows."""
    found: Dict[str, List[str]] = {}
    for compound, dose in zip(compounds, doses):
        if compound and dose and dose not in found.setdefault(compound, []):
            found[compound].append(dose)
    return {compound: own for compound, own in found.items() if len(own) > 1}


def warnings(compounds: Sequence[str], tables: Mapping[str, Sequence[str]], remedy: str) -> List[str]:
    """Return a warning for each column of doses (by its name) in which compounds have several."""
    found = {column: merged(compounds, doses) for column, doses in tables.items()}
    return [f"{_told(column, own)}; {remedy.format(column=column)}" for column, own in found.items() if own]


def _told(column: str, found: Mapping[str, Sequence[str]]) -> str:
    shown = ", ".join(f"{compound} ({', '.join(doses)})" for compound, doses in list(found.items())[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f"column {column}: {len(found)} compounds have several doses, which count as replicates: {shown}{more}"
