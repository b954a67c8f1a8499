"""What each table must look like, as data; checked by the program that reads it and by the host before publishing."""

from __future__ import annotations

import re
from typing import Dict

from stagekit.rules import FINITE, NUMBER, TEXT, WHOLE, Form, Table, Values

COMPARTMENTS = ("Cells", "Cytoplasm", "Nuclei")
DEEP_PREFIX = "efficientnet_"  # of deep features, as pycytominer names them: efficientnet_0, efficientnet_1, ...
FEATURE_PREFIXES = (*(f"{compartment}_" for compartment in COMPARTMENTS), DEEP_PREFIX)

NAME = Form("a name of letters, digits, '.', '-' and '_'", re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*"))
PLACE = Form("a well like A01", re.compile(r"[A-Z]{1,2}[0-9]{2}"))
SHA256 = Form("a SHA-256 of 64 hexadecimal digits", re.compile(r"[0-9A-Fa-f]{64}"))

SITE = ("Metadata_Plate", "Metadata_Well", "Metadata_Site")
WELL = SITE[:2]
IN_A_WELL = (Values("Metadata_Plate", TEXT, form=NAME), Values("Metadata_Well", TEXT, form=PLACE))
AT_A_SITE = (*IN_A_WELL, Values("Metadata_Site", WHOLE, least=0))
FILE_NAMES = (Values("FileName_*", TEXT),)
COUNTS = (
    Values("Metadata_Site_Count", WHOLE, least=1),
    Values("Metadata_Object_Count", WHOLE, least=0),
    Values("Metadata_Count_*", WHOLE, least=0),
)
RAW = tuple(Values(f"{prefix}*", NUMBER, needed=False) for prefix in FEATURE_PREFIXES)
SCALED = tuple(Values(f"{prefix}*", FINITE, needed=False) for prefix in FEATURE_PREFIXES)
CHECKED = SHA256_CHECKED, ETAG_CHECKED, LISTED = ("sha256", "etag", "listed")
"""By what a fetched file was checked; one that is only listed was left in the gallery, and has no SHA-256 here."""
ANNOTATION = ("Metadata_broad_sample", "Metadata_control_type")

LOAD_DATA = Table("load_data", SITE, ("FileName_Orig",), key=SITE, values=(*AT_A_SITE, *FILE_NAMES))
LOAD_DATA_WITH_ILLUM = Table(
    "load_data_with_illum", SITE, ("FileName_Orig", "FileName_Illum"), key=SITE, values=(*AT_A_SITE, *FILE_NAMES)
)
PUBLISHED_LOAD_DATA = Table("published load_data", LOAD_DATA.required)
BARCODE_PLATEMAP = Table(
    "barcode_platemap",
    ("Assay_Plate_Barcode", "Plate_Map_Name"),
    key=("Assay_Plate_Barcode",),
    values=(Values("Assay_Plate_Barcode", TEXT, form=NAME), Values("Plate_Map_Name", TEXT, form=NAME)),
)
EXPERIMENT_METADATA = Table("experiment metadata", ("Batch", "Assay_Plate_Barcode"))
PLATEMAP = Table(
    "platemap",
    ("well_position", "broad_sample"),
    key=("well_position",),
    values=(Values("well_position", TEXT, form=PLACE),),
)
EXTERNAL_METADATA = Table("external metadata", ("broad_sample", "pert_type", "control_type"), key=("broad_sample",))
PROFILES = Table("profiles", WELL, key=WELL, values=(*IN_A_WELL, *COUNTS, *RAW))
ANNOTATED_PROFILES = Table("annotated profiles", (*WELL, *ANNOTATION), key=WELL, values=PROFILES.values)
SCALED_PROFILES = Table("normalized profiles", (*WELL, *ANNOTATION), key=WELL, values=(*IN_A_WELL, *COUNTS, *SCALED))
EXCLUDED = Table(
    "excluded features",
    ("feature", "reason", "operation", "plate_set"),
    key=("feature", "operation"),
    values=tuple(Values(name, TEXT) for name in ("feature", "reason", "operation"))
    + (Values("plate_set", TEXT, form=NAME),),
)
REPLICATES = Table("consensus of replicates", (), ("Metadata_",), values=(*COUNTS, *SCALED))
QUALITY_SUMMARY = Table(
    "quality control summary",
    (
        "Batch_Name",
        "Plate_Name",
        "Well_Count",
        "Images_per_site",
        "Sites_per_well_Median",
        "Sites_per_well_mad",
    ),
    key=("Batch_Name", "Plate_Name"),
    values=(
        Values("Batch_Name", TEXT, form=NAME),
        Values("Plate_Name", TEXT, form=NAME),
        Values("Well_Count", WHOLE, least=1),
        Values("Images_per_site", WHOLE, least=1),
        Values("Sites_per_well_Median", FINITE, least=1),
        Values("Sites_per_well_mad", FINITE, least=0),
    ),
)
FETCHED = Table(
    "fetched files",
    ("path", "bytes", "etag", "sha256", "checked", "changed", "source"),
    key=("path",),
    values=(
        Values("path", TEXT),
        Values("bytes", WHOLE, least=0),
        Values("sha256", TEXT, needed=False, form=SHA256),
        Values("checked", TEXT, choices=CHECKED),
    ),
)
CHECKSUMS = Table("checksums", ("path", "sha256"), values=(Values("path", TEXT), Values("sha256", TEXT, form=SHA256)))
CONSENSUS = Table(
    "consensus profiles",
    ("Metadata_label", "Metadata_retrieved"),
    values=(Values("Metadata_label", TEXT), Values("Metadata_retrieved", TEXT, choices=("true", "false"))),
)

# The names that stages.toml uses under `contract`.
BY_NAME: Dict[str, Table] = {
    "load_data": LOAD_DATA,
    "load_data_with_illum": LOAD_DATA_WITH_ILLUM,
    "profiles": PROFILES,
    "annotated_profiles": ANNOTATED_PROFILES,
    "scaled_profiles": SCALED_PROFILES,
    "replicates": REPLICATES,
    "quality_summary": QUALITY_SUMMARY,
    "excluded": EXCLUDED,
    "fetched": FETCHED,
    "consensus": CONSENSUS,
}
