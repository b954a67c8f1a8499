"""What each table must look like, as data; checked by the program that reads it and by the host before publishing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Set, Tuple

from stagekit.program import DataError

COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")
DEEP_PREFIX = "efficientnet_"  # of deep features, as pycytominer names them: efficientnet_0, efficientnet_1, ...
FEATURE_PREFIXES = (*(f"{compartment}_" for compartment in COMPARTMENTS), DEEP_PREFIX)


@dataclass(frozen=True)
class Table:
    """What a table must have: the columns `required`, one for each of `prefixes`, and no two rows with the same `key`.

    docs/data_contracts.md shows all of them.
    """

    name: str
    required: Tuple[str, ...]
    prefixes: Tuple[str, ...] = ()
    key: Tuple[str, ...] = ()

    def check(self, columns: Iterable[str], where: str) -> None:
        """Raise DataError, naming `where`, if a column is missing, unnamed or there twice."""
        names = list(columns)
        missing = [name for name in self.required if name not in names]
        missing += [f"{prefix}*" for prefix in self.prefixes if not any(name.startswith(prefix) for name in names)]
        if missing:
            raise DataError(f"{where}: a {self.name} table needs the column {', '.join(missing)}; it has {_few(names)}")
        if any(not name or name.startswith("Unnamed:") for name in names):
            raise DataError(f"{where}: a column has no name; remove the stray index column")
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise DataError(f"{where}: the column {', '.join(twice[:5])} stands there twice")

    def check_keys(self, keys: Iterable[Tuple[str, ...]], where: str) -> None:
        """Raise DataError, naming `where`, if two rows have the same key."""
        if not self.key:
            return
        seen: Set[Tuple[str, ...]] = set()
        twice = sorted({key for key in keys if key in seen or seen.add(key)})  # type: ignore[func-returns-value]
        if twice:
            shown = ", ".join(" ".join(key) or "(empty)" for key in twice[:5])
            message = f"{where}: {' '.join(self.key)} {shown} stands there twice; a row is one of each, keep one"
            raise DataError(message)


def _few(names: List[str]) -> str:
    return ", ".join(names[:6]) + (f", ... ({len(names)} columns)" if len(names) > 6 else "") if names else "none"


SITE = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
WELL = SITE[:2]
LOAD_DATA = Table("load_data", SITE, ("FileName_Orig",), key=SITE)
LOAD_DATA_WITH_ILLUM = Table("load_data_with_illum", SITE, ("FileName_Orig", "FileName_Illum"), key=SITE)
PUBLISHED_LOAD_DATA = Table("published load_data", LOAD_DATA.required)
BARCODE_PLATEMAP = Table("barcode_platemap", ("Assay_Plate_Barcode", "Plate_Map_Name"), key=("Assay_Plate_Barcode",))
EXPERIMENT_METADATA = Table("experiment metadata", ("Batch", "Assay_Plate_Barcode"))
PLATEMAP = Table("platemap", ("well_position", "broad_sample"), key=("well_position",))
EXTERNAL_METADATA = Table("external metadata", ("broad_sample", "pert_type", "control_type"), key=("broad_sample",))
PROFILES = Table("profiles", WELL, key=WELL)
ANNOTATED_PROFILES = Table("annotated profiles", (*WELL, "Metadata_broad_sample", "Metadata_control_type"), key=WELL)
EXCLUDED = Table("excluded features", ("feature", "reason", "operation", "plate_set"), key=("feature", "operation"))
FETCHED = Table("fetched files", ("path", "bytes", "etag", "sha256", "checked", "changed", "source"))
CHECKSUMS = Table("checksums", ("path", "sha256"))
CONSENSUS = Table("consensus profiles", ("Metadata_label", "Metadata_retrieved"))

# The names that stages.toml uses under `contract`.
BY_NAME: Dict[str, Table] = {
    "load_data": LOAD_DATA,
    "load_data_with_illum": LOAD_DATA_WITH_ILLUM,
    "profiles": PROFILES,
    "annotated_profiles": ANNOTATED_PROFILES,
    "excluded": EXCLUDED,
    "fetched": FETCHED,
    "consensus": CONSENSUS,
}
