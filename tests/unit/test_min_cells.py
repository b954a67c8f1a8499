"""[normalize] min_cells: wells of few cells are not scaled against; without it nothing is stale."""

from __future__ import annotations

import io

import pandas as pd
import pytest

from tasks.errors import SettingsError
from tasks.workflow.profiles import Normalize, NormalizeNegcon
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate

# As normalize.py reads profiles: all metadata are texts.
WELLS = """Metadata_Well,Metadata_control_type,Metadata_Object_Count
A01,negcon,9
A02,negcon,100
A03,poscon,2000
"""


@pytest.mark.parametrize(
    ("kind", "least", "chosen"),
    [
        (Normalize, 10, ["A02", "A03"]),
        (Normalize, 101, ["A03"]),
        (NormalizeNegcon, 9, ["A01", "A02"]),
        (NormalizeNegcon, 10, ["A02"]),
    ],
)
def test_a_well_of_too_few_cells_is_not_scaled_against(
    kind: type[Normalize], least: int, chosen: list[str], luigi_cfg: LoadSettings
) -> None:
    lay_plate(luigi_cfg(f"[normalize]\nmin_cells = {least}\n"))
    query = kind(batch_id=BATCH, plate=PLATE).spec().fingerprinted()["samples"]

    assert list(pd.read_csv(io.StringIO(WELLS), dtype=str).query(query).Metadata_Well) == chosen


def test_without_it_a_result_of_an_earlier_version_stays_complete(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    told = Normalize(batch_id=BATCH, plate=PLATE).spec().fingerprinted()

    assert "min_cells" not in told
    assert told["samples"] == "all"


def test_profiles_without_counts_are_refused_before_anything_starts(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg("[profiles]\nbehaviour = as_published\n[normalize]\nmin_cells = 10\n"))

    with pytest.raises(SettingsError, match="Metadata_Object_Count"):
        Normalize(batch_id=BATCH, plate=PLATE).requires()
