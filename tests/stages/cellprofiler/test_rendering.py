"""Pipelines are rendered for the channels that a plate has."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.stages.cellprofiler.plates import FOLDER, Programs, make_plate, rendered

EIGHT = ("Mito", "AGP", "RNA", "ER", "DNA", "HighZBF", "LowZBF", "Brightfield")


@pytest.mark.parametrize("channels", [EIGHT, ("DNA", "RNA"), ("RNA", "Actin", "DNA")], ids=lambda c: f"{len(c)}")
def test_every_channel_is_corrected_and_measured(programs: Programs, channels):
    text = rendered(programs, channels)

    assert re.findall(r"Select the input image:Orig(\w+)", text) == sorted(channels)
    assert re.findall(r"Select images to measure:(.*)", text) == [", ".join(sorted(channels))] * 5


def test_a_rendered_pipeline_has_neither_placeholder_nor_comment(programs: Programs):
    text = rendered(programs, EIGHT)

    assert "$" not in text
    assert not re.search(r"^#", text, re.MULTILINE)
    assert text.startswith("CellProfiler Pipeline: http")


@pytest.mark.parametrize(
    ("channels", "sha256"),
    [
        (EIGHT, "45592e1de17e61dfbc468389007774db06f5063ac99262424657bfee5e320f59"),
        (EIGHT[:5], "1ed74591009bebff48ec4270bc9abd5dc4db22acec5b6170166fde2de6d25194"),
    ],
    ids=["8", "5"],
)
def test_by_default_the_pipeline_is_that_of_before_there_were_settings(programs: Programs, channels, sha256: str):
    assert hashlib.sha256(rendered(programs, channels).encode()).hexdigest() == sha256


def test_the_module_count_of_our_pipelines_is_right(programs: Programs):
    for name, channels in (("analysis.cppipe", EIGHT), ("illumination.cppipe", ("DNA",))):
        text = rendered(programs, channels, name)
        counted = int(re.search(r"ModuleCount:(\d+)", text)[1])
        numbers = [int(number) for number in re.findall(r"\[module_num:(\d+)", text)]

        assert numbers == list(range(1, counted + 1))


def test_the_illumination_template_is_for_one_channel(programs: Programs):
    text = rendered(programs, ("ER",), "illumination.cppipe")

    assert "Select the input image:OrigER" in text
    assert r"Enter single file name:\g<Plate>_IllumER" in text


def test_a_pipeline_without_placeholders_is_used_as_it_is(programs: Programs, tmp_path: Path):
    literal = tmp_path / "own.cppipe"
    literal.write_text(rendered(programs, ("DNA", "RNA")))
    plate = make_plate(tmp_path / "plate", channels=("RNA", "AGP"), sites=(("A01", "1"),))
    plate.image("A01", "1", "AGP").unlink()
    outcome = programs.measure(plate, tmp_path / "out", pipeline=literal)

    assert "no DNA" not in outcome.stderr  # our rule for our template, not for another's pipeline


@pytest.mark.parametrize(("missing", "setting"), [("DNA", "nuclei_channel"), ("RNA", "cells_channel")])
def test_a_plate_without_the_channel_of_nuclei_or_cells_is_refused_with_the_setting(
    programs: Programs, tmp_path: Path, missing: str, setting: str
):
    channels = tuple(name for name in ("DNA", "RNA", "AGP") if name != missing)
    plate = make_plate(tmp_path / "plate", channels=channels, sites=(("A01", "1"),))
    outcome = programs.measure(plate, tmp_path / "out")

    assert outcome.code == 65
    assert f"the plate has no {missing} channel" in outcome.stderr
    assert f"[cells] {setting}" in outcome.stderr
    assert not outcome.cellprofiler_started()


def test_a_file_that_is_no_pipeline_is_refused(programs: Programs, tmp_path: Path):
    plate = make_plate(tmp_path / "plate", sites=(("A01", "1"),))
    outcome = programs.measure(plate, tmp_path / "out", pipeline=FOLDER / "stages.toml")

    assert outcome.code == 65
    assert "stages.toml: this is no CellProfiler pipeline" in outcome.stderr
