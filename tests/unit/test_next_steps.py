"""What add-plate says has to be done next: settings that are open, tables to fill in; and what it refuses to begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.commands import add_plate as command_add_plate
from tasks.dataset import lookup
from tasks.planning import cost_plan
from tasks.settings import luigi_file
from tasks.workflow import plate_layouts
from tests.unit.conftest import AddPlate, LoadSettings
from tests.unit.drawn_exports import BATCH, PLATE, SITES, WELLS, image, ome_tiff, write_tiff

OPEN = ("[images] z = 2", "[cells] nuclei_channel = Hoechst", "[cells] cells_channel = SYTO")
SET = "[images]\nz = max\n[cells]\nnuclei_channel = Hoechst\ncells_channel = SYTO\n"
NAMES = ("--channels", "1=Hoechst,2=SYTO")


def steps(printed: str) -> list[str]:
    """Return the lines below `next:`."""
    return [line.strip() for line in printed.partition("\nnext:\n")[2].splitlines()]


def test_open_settings_and_the_platemap_come_before_the_run(
    luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate
) -> None:
    ome_tiff(exported, 3)
    layout = luigi_cfg("")
    _, printed, _ = add_plate("--yes", *NAMES)
    found = steps(printed)

    assert [line.partition(", or")[0] for line in found[:3]] == [f"set in luigi.cfg: {each}" for each in OPEN]
    assert found[3].endswith(str(lookup.laid_platemaps(layout, BATCH, PLATE)[0]))
    assert found[4] == f"then run: luigi --module tasks RunBatch --batch-id {BATCH}"
    assert all(f"  set          {each}" in printed for each in OPEN)


def test_the_channel_of_the_cells_is_not_proposed_for_nuclei(
    luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate
) -> None:
    ome_tiff(exported, 1)
    luigi_cfg("")

    assert "  set          [cells] nuclei_channel = mine, or" in add_plate("--channels", "1=RNA,2=mine")[1]


def test_what_is_set_is_not_asked_for(luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate) -> None:
    ome_tiff(exported, 3)
    layout = luigi_cfg(SET)
    table = layout.barcode_platemap(BATCH).parent / "platemap" / f"{PLATE}.csv"
    table.parent.mkdir(parents=True)
    table.write_text("Well,Compound\nA01,DMSO\nB12,x\n")
    _, printed, _ = add_plate("--yes", *NAMES)

    assert steps(printed) == [f"run: luigi --module tasks RunBatch --batch-id {BATCH}"]
    assert "  set  " not in printed


def test_a_plane_that_the_plate_has_not_is_an_open_setting(
    luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate
) -> None:
    ome_tiff(exported, 3)
    luigi_cfg(SET.replace("max", "7"))

    assert "  set          [images] z = 2, or another" in add_plate(*NAMES)[1]


def test_a_skeleton_needs_no_other_table_and_a_layout_takes_its_place_until_it_is_filled_in(
    luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate, tmp_path: Path
) -> None:
    ome_tiff(exported, 1)
    layout, own = luigi_cfg(""), tmp_path / "plan.tsv"
    own.write_text("Well\tCompound\nA1\tDMSO\nB12\tx\n")
    add_plate("--yes")
    (skeleton,) = lookup.laid_platemaps(layout, BATCH, PLATE)

    assert skeleton.read_text() == "Well,Compound,Concentration (uM)\nA01,unknown,\nB12,unknown,\n"
    assert plate_layouts.tables(BATCH, PLATE).external_metadata is not None
    assert add_plate("--yes", "--replace", "--platemap", str(own))[0] == 0
    assert lookup.laid_platemaps(layout, BATCH, PLATE) == [skeleton.with_suffix(".tsv")]

    skeleton.with_suffix(".tsv").unlink()
    skeleton.write_text("Well,Compound,Concentration (uM)\nA01,DMSO,\nB12,unknown,\n")
    code, _, said = add_plate("--yes", "--replace", "--platemap", str(own))

    assert (code, "has this platemap already" in said) == (1, True)


def test_nothing_is_laid_into_a_dataset_that_no_luigi_cfg_names(
    luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate, monkeypatch: pytest.MonkeyPatch
) -> None:
    ome_tiff(exported, 1)
    layout = luigi_cfg("")
    monkeypatch.setattr(luigi_file, "there", lambda: False)
    looked, refused = add_plate(), add_plate("--yes")

    assert (looked[0], refused[0]) == (0, 1)
    assert all("has no luigi.cfg" in said for _, _, said in (looked, refused))
    assert not layout.root.exists()
    assert command_add_plate.luigi_file.REMEDY in refused[2]


def test_a_plan_costs_the_import_of_the_plates_that_are_imported(
    luigi_cfg: LoadSettings, exported: Path, add_plate: AddPlate
) -> None:
    for well in WELLS:
        for site in SITES:
            for channel in range(2):
                path = exported / f"plain/P0_{well}_s{site}_w{channel + 1}.tif"
                path.parent.mkdir(exist_ok=True)
                write_tiff(path, image(well, site, channel))
    luigi_cfg(SET)
    assert add_plate("--yes", *NAMES)[0] == 0
    for path in sorted(exported.rglob("*.tif")):
        path.rename(exported.parent / path.name)
    before = cost_plan.make(BATCH, [], "")
    ome_tiff(exported, 3)
    assert add_plate("--yes", *NAMES)[0] == 0
    (line,) = (line for line in cost_plan.make(BATCH, [PLATE], "").lines if line.stage == "import_images")

    assert "import_images" not in [each.stage for each in before.lines]
    assert (line.to_do, line.jobs) == (1, 4)
    assert line.cost.core_seconds > 0
