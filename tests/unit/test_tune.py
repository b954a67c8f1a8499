"""`python -m tasks tune`: what it proposes for what was seen, and how a choice gets into a person's luigi.cfg."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import luigi
import pytest

from tasks.commands import tune
from tasks.errors import SettingsError
from tasks.results import manifest
from tasks.settings import section_lines, sizes
from tasks.workflow import pipeline, proposals, segmentation
from tasks.workflow.proposals import Seen
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, lay_plate

# What estimate_cells sees on CPJUMP1's four real sites.
CPJUMP1 = {"width_px": 43.6, "nuclei_threshold": 0.037, "nuclei_noise": 0.0022, "cells_background": 0.007,
           "cells_level": 0.099, "cells_threshold": 0.039}  # fmt: skip
DEFAULTS = {name: str(how._default) for name, how in segmentation.Segmented.get_params()}


def proposal(pixel_um: float | None = None, bits: int = 16, **seen: float) -> dict[str, str]:
    """Return the proposal for a plate that differs from CPJUMP1 in what is seen."""
    return proposals.candidates(Seen({**CPJUMP1, **seen}, pixel_um, bits))[4]


def comes_to(found: Mapping[str, str], pixel_um: float) -> dict[str, str]:
    told = {**DEFAULTS, "scale_texture": "false", "label_images": "false", **found}
    return segmentation.numbers(told, float(found.get("pixel_um", pixel_um)), 16)


def test_cpjump1s_own_settings_are_proposed_for_its_sites() -> None:
    assert comes_to(proposal(), 0.598) == segmentation.plain()
    assert "pixel_um" not in proposal()


@pytest.mark.parametrize(("width_px", "pixel_um"), [(80.0, 0.3), (20.0, 1.2), (160.0, 0.15)])
def test_where_nobody_knows_the_size_of_a_pixel_the_nuclei_tell_it(width_px: float, pixel_um: float) -> None:
    found = proposal(width_px=width_px)

    assert float(found["pixel_um"]) == pytest.approx(pixel_um)
    assert comes_to(found, 0.598)["scale"] == f"{0.598 / pixel_um:.3g}"


def test_small_nuclei_of_a_known_magnification_get_smaller_lengths_and_no_other_pixel() -> None:
    found = proposal(pixel_um=0.598, width_px=20.0)
    least, most, _ = sizes.between(found["nucleus_diameter"])

    assert "pixel_um" not in found
    assert (least, most) == (
        pytest.approx(6 * 20 * 0.598 / 24, rel=0.01),
        pytest.approx(45 * 20 * 0.598 / 24, rel=0.01),
    )


def test_a_dim_plate_gets_a_lower_least_and_a_bright_one_keeps_cpjump1s() -> None:
    dim = sizes.bounds(proposal(nuclei_threshold=0.004, nuclei_noise=0.0002)["nuclei_bounds"])

    assert dim == (pytest.approx(0.0025), 1)
    assert sizes.bounds(proposal(nuclei_threshold=0.3)["nuclei_bounds"]) == (0.014, 1)


def test_limits_that_lie_in_the_background_or_above_the_cells_are_moved_between() -> None:
    low, high = sizes.bounds(proposal(cells_background=0.05, cells_level=0.2, cells_threshold=0.1)["cells_bounds"])

    assert 0.05 < low < high < 0.2


def test_twelve_bits_are_set_and_what_is_seen_is_taken_of_their_range() -> None:
    twelve = proposal(bits=12, nuclei_threshold=CPJUMP1["nuclei_threshold"] / 16)

    assert twelve["camera_bits"] == "12"
    assert twelve["nuclei_bounds"] == "0.014-1"


@pytest.mark.parametrize(
    ("known", "found"),
    [
        (["DNA", "RNA"], ("DNA", "RNA")),
        (["Hoechst", "ConA", "SYTO14"], ("Hoechst", "SYTO14")),
        (["Nuclei", "Phalloidin"], ("Nuclei", "Phalloidin")),
        (["DAPI"], ("DAPI", "none")),
        (["488", "561"], ("DNA", "none")),
    ],
)
def test_channels_that_are_not_there_are_taken_by_their_names(known: list[str], found: tuple[str, str]) -> None:
    assert proposals.roles(known, "DNA", "RNA") == found


PERSONS = """# my own
[paths]
root = /data

[cells]
; cells_channel = RNA
# how long: see the note of 3 May
pixel-um = 0.5
; nucleus_diameter = 6-45 um
[measure]
engine = fast
"""


def test_a_choice_leaves_all_other_lines_and_comments() -> None:
    values = {"pixel_um": "0.3", "nucleus_diameter": "4-30 um", "camera_bits": "12"}
    before, after = PERSONS.splitlines(), section_lines.put(PERSONS, "cells", values).splitlines()

    assert [line for line in before if line not in after] == ["pixel-um = 0.5", "; nucleus_diameter = 6-45 um"]
    assert [line for line in after if line not in before] == [f"{name} = {value}" for name, value in values.items()]
    assert after.index("camera_bits = 12") < after.index("[measure]")


def test_a_file_without_the_section_gets_it() -> None:
    assert section_lines.put("[paths]\nroot = a\n", "cells", {"a": "1"}) == "[paths]\nroot = a\n\n[cells]\na = 1\n"


def test_a_value_of_several_lines_is_left_to_the_person() -> None:
    with pytest.raises(SettingsError, match="left as it is.*\n  pixel_um = 0.3"):
        section_lines.put("[cells]\npixel_um = 0.5\n  0.6\n", "cells", {"pixel_um": "0.3"})


@pytest.fixture
def tuned(luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return a person's luigi.cfg, of a plate whose sheet has two numbers."""
    lay_plate(luigi_cfg("[cells]\ncamera_bits = 12\n"))
    cells = {"nuclei_channel": "DNA", "camera_bits": "12", "nucleus_diameter": "6-45 um"}
    summary = {"found": 12, "median": 40.0}
    facts: dict[str, Any] = {
        "proposed": 1,
        "candidates": [
            {"cells": cells, "found": summary, "suspicious": []},
            {
                "cells": {**cells, "nucleus_diameter": "4.2-32 um"},
                "found": summary,
                "suspicious": ["suspicious cells: x"],
            },
        ],
    }
    made = type("Made", (), {"facts": facts})()
    monkeypatch.setattr(manifest, "read", lambda path: made)
    monkeypatch.setattr(luigi, "build", lambda *tasks, **how: True)
    sheet = type("Sheet", (), {"path": tmp_path / "sheet.png"})()
    monkeypatch.setattr(pipeline.TuneCells, "promises", lambda task: {"sheet": sheet})
    own = tmp_path / "own.cfg"
    own.write_text("[cells]\n; a note of mine\ncamera_bits = 12\n")
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(own))
    return own


def act(*words: str) -> int:
    parser = argparse.ArgumentParser()
    tune.add(parser)
    return tune.act(parser.parse_args(["--batch-id", BATCH, "--plate", PLATE, *words]))


def test_a_look_changes_nothing_and_names_what_differs(tuned: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tuned.read_text()

    assert act() == 0
    assert tuned.read_text() == before
    first, second, *_, last = capsys.readouterr().out.splitlines()
    assert first.endswith("as expected as luigi.cfg is  <- proposed")
    assert second.endswith("suspicious  nucleus_diameter = 4.2-32 um")
    assert last.endswith(f"tune --batch-id {BATCH} --plate {PLATE} --choose 1")


def test_a_choice_writes_only_what_differs(tuned: Path) -> None:
    assert act("--choose", "2") == 0
    assert tuned.read_text() == "[cells]\n; a note of mine\ncamera_bits = 12\nnucleus_diameter = 4.2-32 um\n"


def test_a_number_that_is_not_on_the_sheet_is_refused(tuned: Path) -> None:
    with pytest.raises(SettingsError, match="--choose 3: it must be a number on the sheet, 1 to 2"):
        act("--choose", "3")


def test_a_plate_of_which_nothing_says_which_channel_shows_nuclei_is_refused_before_anything_starts(
    luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    luigi_cfg("[load_data]\nchannels = 1=Red,2=Green\n")
    monkeypatch.setattr(luigi, "build", lambda *tasks, **how: pytest.fail("something was started"))

    with pytest.raises(SettingsError, match=r"nuclei_channel = DNA: no channel is called so.* one of Red, Green"):
        act()
