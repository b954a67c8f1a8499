"""[cells] of luigi.cfg becomes numbers of a plate's own pixels; with CPJUMP1's nothing is in the fingerprint."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

from tasks.dataset.layout import CONTAINERS
from tasks.errors import SettingsError
from tasks.execution.collect import RunSummary
from tasks.results import manifest
from tasks.settings import sizes
from tasks.workflow import segmentation
from tasks.workflow.image_analysis import Measure
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate
from tests.unit.test_expectation import GOOD

CPJUMP1 = {
    "nucleus_diameter": "10,75",
    "declump_smoothing": "7",
    "declump_distance": "8.0",
    "nuclei_smoothing": "3.0",
    "nuclei_bounds": "0.014,1",
    "cells_bounds": "0.005,0.014",
    "scale": "1",
    "camera_bits": "16",
}


def measure() -> Measure:
    return Measure(batch_id=BATCH, plate=PLATE)


def test_the_defaults_are_cpjump1s_numbers() -> None:
    assert segmentation.plain().items() >= CPJUMP1.items()


@pytest.mark.parametrize("pixel_um", [0.5979760809567617, 0.598, 0.6])
def test_cpjump1s_pixel_as_an_instrument_tells_it_gives_the_same_sizes(
    pixel_um: float, luigi_cfg: LoadSettings
) -> None:
    luigi_cfg(f"[cells]\npixel_um = {pixel_um}\n")

    assert {**measure().segmentation({}), "scale": "1"} == segmentation.plain()


def test_what_is_in_um_follows_the_size_of_a_pixel_and_what_is_in_px_does_not(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[cells]\npixel_um = 0.299\ndeclump_smoothing = 9 px\n")
    told = measure().segmentation({})

    assert (told["nucleus_diameter"], told["declump_distance"], told["scale"]) == ("20,151", "16.1", "2")
    assert told["declump_smoothing"] == "9"


def test_with_the_defaults_a_result_of_an_earlier_version_stays_complete(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    spec = measure().spec()

    assert not set(segmentation.plain()) & set(spec.fingerprinted())


def test_another_setting_is_another_result_and_another_way_to_write_it_is_not(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg("[cells]\nnucleus_diameter = 10-75 px\n"))
    same = measure().spec().fingerprinted()
    luigi_cfg("[cells]\nnucleus_diameter = 20-75 px\n")
    other = measure().spec().fingerprinted()

    assert "nucleus_diameter" not in same
    assert other["nucleus_diameter"] == "20,75"


@pytest.mark.parametrize(
    ("greatest", "bits"),
    [
        ({}, 16),
        ({"DNA": 65535}, 16),
        ({"DNA": 9000, "RNA": 2000}, 16),
        ({"DNA": 4095, "RNA": 2000}, 12),
        ({"DNA": 3000, "RNA": 2000}, 12),
        ({"DNA": 1023, "RNA": 900}, 10),
        ({"DNA": 16383, "RNA": 900}, 14),
        ({"DNA": 65535, "RNA": 4095}, 16),
    ],
)
def test_the_bits_of_the_camera_are_those_of_its_brightest_pixel(greatest: dict[str, int], bits: int) -> None:
    assert segmentation.camera_bits(greatest) == bits


def test_what_the_illumination_saw_says_the_bits_of_the_camera(
    luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_plate(luigi_cfg(""))
    seen = type("Seen", (), {"facts": {"greatest": {"DNA": 4095}}})()
    monkeypatch.setattr(manifest, "read", lambda path: seen if "illumination" in str(path) else None)

    assert measure().spec().parameters["camera_bits"] == "12"


def judged(
    monkeypatch: pytest.MonkeyPatch, greatest: dict[str, int], differs: dict[str, float] | None = None
) -> RunSummary:
    """Return what is said of a plate of good cells, whose images have these greatest values."""
    seen = type("Seen", (), {"facts": {"greatest": greatest}})()
    monkeypatch.setattr(manifest, "read", lambda path: seen if "illumination" in str(path) else None)
    return measure()._doubted(RunSummary({}, (), {"objects": {"A01-1": {**GOOD, **(differs or {})}}}))


@pytest.mark.parametrize(
    ("greatest", "bits"),
    [
        ({"DNA": 65535, "RNA": 65535}, "16"),
        ({"DNA": 4095, "RNA": 4000}, "12"),
        ({"DNA": 65535, "RNA": 4000}, "12"),
        ({}, "12"),
    ],
    ids=["8 bits, or white is said", "12 bits", "one channel is brighter", "not known"],
)
def test_files_that_say_what_is_white_come_before_the_setting(
    greatest: dict[str, int], bits: str, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_plate(luigi_cfg("[cells]\ncamera_bits = 12\n"))
    found = judged(monkeypatch, greatest)

    assert measure().spec().parameters["camera_bits"] == bits
    assert any("camera_bits = 12 is not used" in text for text in found.warnings) == (bits == "16")
    assert any("DNA has pixels above 4,095" in text for text in found.facts.get("suspicious", ())) == (
        greatest.get("DNA") == 65535 and bits == "12"
    )


@pytest.mark.parametrize(("greatest", "told"), [(4095, True), (9000, False)])
def test_bits_that_were_found_are_told_so_that_all_plates_may_have_them(
    greatest: int, told: bool, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_plate(luigi_cfg(""))
    found = judged(monkeypatch, {"DNA": greatest})

    assert any("camera_bits = auto came to 12" in text for text in found.warnings) == told
    assert "suspicious" not in found.facts


@pytest.mark.parametrize(("cells", "suspicious"), [("", True), ("[cells]\nnucleus_diameter = 30-200 px\n", False)])
def test_nuclei_of_a_pipeline_of_ones_own_are_held_against_the_range_that_is_set(
    cells: str, suspicious: bool, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own = tmp_path / "own.cppipe"
    own.write_text("CellProfiler Pipeline: http://www.cellprofiler.org\n")
    lay_plate(luigi_cfg(f"[measure]\npipeline = {own}\n{cells}"))
    dark = {"median": 100.0, "threshold_nuclei": 0.001}
    found = judged(monkeypatch, {"DNA": 4095}, dark)

    assert [text.partition(", close")[0] for text in found.facts.get("suspicious", ())] == (
        ["suspicious cells: nuclei are 100 px (59.8 um) wide"] if suspicious else []
    )
    assert found.warnings == tuple(found.facts.get("suspicious", ()))


def test_the_size_of_a_pixel_is_the_instruments_own_if_the_plate_was_added(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    index = layout.planes(BATCH, PLATE)
    index.parent.mkdir(parents=True)
    index.touch()
    index.with_suffix(".json").write_text(json.dumps({"pixel_um": 1.196, "channels": {"1": "Hoechst"}}))

    assert measure().known_pixel_um == 1.196
    assert measure().segmentation({})["nucleus_diameter"] == "5,38"


def test_a_channel_that_an_added_plate_lacks_is_named_with_the_flag_that_names_it(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    index = layout.planes(BATCH, PLATE)
    index.parent.mkdir(parents=True)
    index.touch()
    index.with_suffix(".json").write_text(json.dumps({"channels": {"1": "Hoechst", "2": "ConA"}}))

    with pytest.raises(
        SettingsError, match=r"no channel is called so \(add-plate --channels\).*in one of Hoechst, ConA$"
    ):
        measure().check_channels("1=DNA,2=RNA")


def test_a_plate_of_one_channel_is_refused_before_our_pipeline_measures_it(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    with pytest.raises(SettingsError, match=r"one channel only \(DNA.*\[measure\] pipeline"):
        measure().check_channels("1=DNA,2=-")


def test_a_pipeline_that_is_no_template_counts_the_modules_that_write_images_of_objects() -> None:
    text = "ModuleCount:2\nLoadData:[module_num:1|...]\n    a:b\n\nExportToSpreadsheet:[module_num:2|...]\n    c:d\n"
    add = runpy.run_path(str(CONTAINERS / "cellprofiler" / "label_images.py"))["add"]
    modules = re.findall(r"^(\w+):\[module_num", add(text), re.MULTILINE)

    assert modules == ["LoadData", *["ConvertObjectsToImage", "SaveImages"] * 3, "ExportToSpreadsheet"]
    assert f"ModuleCount:{len(modules)}\n" in add(text)


@pytest.mark.parametrize(
    ("cells", "refused"),
    [
        ("", "nuclei_channel = DNA"),
        ("nuclei_channel = Hoechst\n", "cells_channel = RNA"),
        ("nuclei_channel = Hoechst\ncells_channel = none\n", ""),
        ("nuclei_channel = Hoechst\ncells_channel = ConA\n", ""),
    ],
)
def test_a_channel_that_is_not_there_is_refused_before_anything_starts(
    luigi_cfg: LoadSettings, cells: str, refused: str
) -> None:
    luigi_cfg(f"[load_data]\nchannels = 1=Hoechst,2=ConA,3=-\n[cells]\n{cells}")
    if not refused:
        assert len(measure().requires()) == 3
        return
    with pytest.raises(SettingsError) as failure:
        measure().requires()

    assert refused in str(failure.value)
    assert "Hoechst, ConA" in str(failure.value)


@pytest.mark.parametrize("text", ["", "6", "6 cm", "0 um", "-3 px"])
def test_a_length_has_a_unit(text: str) -> None:
    with pytest.raises(ValueError, match="6 um or 10 px"):
        sizes.size(text)


@pytest.mark.parametrize("text", ["6 um", "45-6 um", "0-5 px", "6-45"])
def test_a_range_of_lengths_has_the_least_first(text: str) -> None:
    with pytest.raises(ValueError, match="6-45 um"):
        sizes.between(text)


def test_a_micro_sign_is_a_u() -> None:
    assert sizes.size("6 \N{MICRO SIGN}m") == sizes.size("6 um") == (6.0, "um")


@pytest.mark.parametrize("text", ["1-0.5", "0.5", "0-2", "a-b"])
def test_bounds_lie_from_0_to_1(text: str) -> None:
    with pytest.raises(ValueError, match="0.014-1"):
        sizes.bounds(text)
