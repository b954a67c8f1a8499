"""Which column of a layout is which: by luigi.cfg's [platemap], or by a header that leaves no doubt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.dataset.plate_layouts import cells

ROLES = ("well", "row", "column", "plate", "perturbation", "dose", "unit", "control")
KNOWN: Mapping[str, tuple[str, ...]] = {
    "well": ("wellposition", "well", "wellid", "wellname", "wellpos", "destinationwell", "destwell", "assaywell"),
    "row": ("row", "wellrow", "platerow"),
    "column": ("column", "col", "wellcol", "wellcolumn", "platecolumn"),
    "plate": (
        "plate", "plateid", "platename", "platebarcode", "assayplatebarcode", "compoundplatebarcode", "barcode",
        "platemapname",
    ),
    "perturbation": (
        "broadsample", "perturbation", "perturbagen", "compound", "compoundname", "compoundid", "treatment", "drug",
        "drugname", "agent", "reagent", "substance", "molecule", "sgrna", "sirna",
    ),
    "dose": (
        "dose", "dosage", "concentration", "conc", "finalconcentration", "finalconc", "mmolesperliter",
    ),
    "unit": ("doseunit", "unit", "units", "concentrationunit", "concentrationunits", "concunit", "dosageunit"),
    "control": ("controltype", "control", "role", "welltype", "wellrole"),
}  # fmt: skip
"""What headers say, in small letters without blanks, signs and a leading Metadata_."""
FIRST = {"wellposition", "broadsample", "dose", "doseunit", "controltype"}
"""The names of the result: a table that has one means it, whatever its other columns are called."""
WITH_UNIT = re.compile(r"(?:final)?(?:dos(?:e|age)|conc|concentration)(?:in)?([munpf]?m)")
PER_LITER = "mmolesperliter"
SOLVENT = "solvent"


@dataclass(frozen=True)
class Names:
    """The columns of a layout by their roles; `unit` may be a unit instead of a column."""

    columns: Mapping[str, str]
    unit: str = ""
    doubtful: Mapping[str, Sequence[str]] | None = None
    """Of a role that no setting names: the columns that might have it, where they are several."""
    solvent: str = ""

    def __contains__(self, role: str) -> bool:
        return role in self.columns

    def told(self) -> str:
        """Return the mapping as luigi.cfg would say it."""
        said = [f"{role} = {self.columns[role]}" for role in ROLES if role in self.columns]
        return ", ".join([*said, *([f"unit = {self.unit}"] if self.unit else [])])


def plain(header: str) -> str:
    """Return a header without what people write differently: case, blanks, signs, a leading Metadata_."""
    text = header.strip().lower().removeprefix("metadata_").replace("\u00b5", "u").replace("\u03bc", "u")
    return re.sub(r"[^a-z0-9]+", "", text)


def find(columns: Sequence[str], given: Mapping[str, str]) -> Names:
    """Return which column is which; `given` are the settings that are not empty.

    Raises KeyError with the role of a setting that names a column which is not there.
    """
    found: dict[str, str] = {}
    doubtful: dict[str, Sequence[str]] = {}
    taken = [_column(columns, given[role], role) for role in ROLES if given.get(role) and role != "unit"]
    for role in ROLES:
        if role == "unit" and given.get(role) and not _same(columns, given[role]):
            continue  # a unit itself
        if given.get(role):
            found[role] = _column(columns, given[role], role)
            continue
        might = _guess([name for name in columns if name not in (*taken, *found.values())], role)
        if len(might) == 1:
            found[role] = might[0]
        elif might:
            doubtful[role] = might
    if "well" in found:
        found = {role: name for role, name in found.items() if role not in ("row", "column")}
    solvents = [name for name in columns if plain(name) == SOLVENT and name not in found.values()]
    return Names(found, _unit(found, given), doubtful, solvents[0] if len(solvents) == 1 else "")


def _guess(columns: Sequence[str], role: str) -> list[str]:
    might = [name for name in columns if plain(name) in KNOWN[role]]
    if role == "dose":
        might += [name for name in columns if WITH_UNIT.fullmatch(plain(name)) and name not in might]
    meant = [name for name in might if plain(name) in FIRST]
    return meant if len(meant) == 1 else might


def _column(columns: Sequence[str], name: str, role: str) -> str:
    same = _same(columns, name)
    if not same:
        raise KeyError(role)
    return same


def _same(columns: Sequence[str], name: str) -> str:
    """Return the column of a name: as it is written, else but for case, blanks and signs; empty if there is none."""
    if name in columns:
        return name
    alike = [each for each in columns if plain(each) == plain(name)]
    return alike[0] if len(alike) == 1 and plain(name) else ""


def _unit(found: Mapping[str, str], given: Mapping[str, str]) -> str:
    """Return the unit of all doses: the setting's, or the one in the name of their column."""
    if given.get("unit") and "unit" not in found:
        return cells.unit(given["unit"])
    header = plain(found.get("dose", ""))
    if "unit" in found or not header:
        return ""
    match = WITH_UNIT.fullmatch(header)
    if header == PER_LITER:
        return "mM"
    # A lone m is what is left of M: nobody gives a dose in metres.
    return cells.unit("M" if match[1] == "m" else match[1]) if match else ""
