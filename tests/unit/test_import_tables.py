"""Tables of other laboratories: which file is a plate's, and whether its name alone says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.dataset.layout import Layout
from tasks.workflow.import_tables import OwnCells, OwnTable, OwnWells
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate

OTHER = "BR00000099"


def laid(layout: Layout, kind: str, name: str, plates: tuple[str, ...]) -> None:
    lay_plate(layout)
    rows = [f"{plate},JUMP_platemap" for plate in plates]
    text = "\n".join(["Assay_Plate_Barcode,Plate_Map_Name", *rows, ""])
    layout.barcode_platemap(BATCH).write_text(text)
    path = layout.own_tables(kind, BATCH) / name
    path.parent.mkdir(parents=True)
    path.write_text("Metadata_Well\n")


@pytest.mark.parametrize(("kind", "of"), [("wells", OwnWells), ("cells", OwnCells)])
@pytest.mark.parametrize(
    ("stem", "plates", "said"),
    [(PLATE, (PLATE, OTHER), "true"), ("all", (PLATE, OTHER), "false"), (OTHER, (PLATE, OTHER), "false"),
     ("all", (PLATE,), "true")],
    ids=["its own", "of all", "another's", "of the only plate"],
)  # fmt: skip
def test_a_table_bears_its_plates_name_or_the_batch_has_no_other(
    luigi_cfg: LoadSettings, kind: str, of: type[OwnTable], stem: str, plates: tuple[str, ...], said: str
) -> None:
    layout = luigi_cfg("")
    laid(layout, kind, f"{stem}.csv", plates)

    assert of(batch_id=BATCH, plate=PLATE).bears_plate() == said


def test_a_path_with_the_plate_in_it_bears_its_name(luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    laid(luigi_cfg(f"[import_wells]\nfile = {tmp_path}/{{plate}}/wells.csv\n"), "wells", "none", (PLATE, OTHER))

    assert OwnWells(batch_id=BATCH, plate=PLATE).bears_plate() == "true"
