"""What `python -m tasks tune` proposes finds the cells of drawn plates, whatever the magnification and the camera."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tifffile

from tasks.workflow import expectation, proposals, segmentation
from tasks.workflow.proposals import Seen
from tests.stages.cellprofiler.drawn_sites import Drawn, draw
from tests.stages.cellprofiler.plates import FOLDER, PLATE, Programs, words_of
from tests.stages.cellprofiler.test_cells_of_any_plate import Named

DEFAULTS = {
    name: how._default
    for name, how in segmentation.Segmented.get_params()
    if name in segmentation.names(segmentation.Segmented)
}
PROPOSAL = 4


class Plate(NamedTuple):
    """How a plate was imaged; nobody knows how long a pixel is unless `known`."""

    pixel_um: float
    bits: int = 16
    dim: float = 1.0
    known: bool = False
    cells: bool = True


PLATES = {
    "10x": Plate(1.196),
    "40x": Plate(0.299, known=True),
    "40x, 2 x 2 pixels joined, 12 bits": Plate(0.598, bits=12, known=True),
    "8 bits": Plate(0.598, bits=8),
    "a tenth as bright": Plate(0.598, dim=0.1),
    "10x, 12 bits, no channel of cells": Plate(1.196, bits=12, cells=False),
}


def laid(folder: Path, plate: Plate, sites: list[Drawn]) -> Named:
    """Write a plate of drawn sites, a well each."""
    channels = ("Hoechst", "ConA") if plate.cells else ("Hoechst",)
    wells = tuple((f"A{number:02d}", "1") for number in range(1, len(sites) + 1))
    found = Named(folder, channels, wells)
    found.images.mkdir(parents=True)
    for (well, site), drawn in zip(wells, sites, strict=True):
        dimmed = Drawn(drawn.nuclei * plate.dim, drawn.cells * plate.dim, drawn.areas)
        for channel, kind in zip(channels, ("nuclei", "cells"), strict=False):
            tifffile.imwrite(found.image(well, site, channel), dimmed.image(kind, plate.bits))
    found.write_tables()
    return found


def estimated(programs: Programs, plate: Named, output: Path, cells: str) -> dict[str, Any]:
    outcome = programs.run(
        "estimate_cells.py", "--plate", PLATE, "--load_data", plate.table(False), "--images", plate.images,
        "--nuclei_channel", "Hoechst", "--cells_channel", cells, "--write_estimate", output / "files/e.tsv",
        "--output", output,
    )  # fmt: skip
    assert outcome.code == 0, outcome.stderr
    return outcome.facts()


def tuned(
    programs: Programs, plate: Named, estimate: Path, output: Path, seen: Seen, cells: str, chosen: list[int]
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Return what some candidates find by site, and what the program is told of each."""
    own = {**DEFAULTS, "nuclei_channel": "Hoechst", "cells_channel": cells}
    told = []
    for each in proposals.candidates(seen):
        pixel_um = float(each.get("pixel_um", seen.pixel_um or segmentation.CPJUMP1_PIXEL_UM))
        told.append(segmentation.numbers({**own, **each}, pixel_um, seen.bits))
    listed = [{"title": proposals.titles()[number], "differs": told[number]} for number in chosen]
    outcome = programs.run(
        "tune_cells.py", "--plate", PLATE, "--load_data", plate.table(False), "--images", plate.images,
        "--pipeline", FOLDER / "pipelines/analysis.cppipe", "--candidates", json.dumps(listed), "--shown", "4",
        "--estimate", estimate, "--write_sheet", output / "files/sheet.png", "--output", output,
        *words_of(told[PROPOSAL]),
    )  # fmt: skip
    assert outcome.code == 0, outcome.stderr
    return list(outcome.facts()["candidates"].values()), [told[number] for number in chosen]


@pytest.mark.parametrize("plate", PLATES.values(), ids=PLATES)
def test_the_proposal_finds_the_cells_of_a_plate_that_nobody_described(
    programs: Programs, tmp_path: Path, plate: Plate
) -> None:
    drawn = draw(plate.pixel_um)
    cells = "ConA" if plate.cells else "none"
    named = laid(tmp_path / "plate", plate, [drawn])
    facts = estimated(programs, named, tmp_path / "estimate", cells)
    estimate = tmp_path / "estimate/files/e.tsv"
    bits = segmentation.camera_bits(facts["greatest"])
    seen = Seen(facts["estimate"], plate.pixel_um if plate.known else None, bits)
    (found,), (told,) = tuned(programs, named, estimate, tmp_path / "tune", seen, cells, [PROPOSAL])
    site = found["A01-1"]
    truth = 2 * np.sqrt(statistics.median(drawn.areas) / np.pi)

    assert seen.estimate["width_px"] == pytest.approx(truth, rel=0.15)
    assert abs(site["nuclei"] - len(drawn.areas)) <= 0.05 * len(drawn.areas)
    assert site["cells"] == site["nuclei"]
    assert site["median"] == pytest.approx(truth, rel=0.1)
    assert expectation.doubts([site], expectation.Expected(told, seen.pixel_um)) == []


def dusty(drawn: Drawn, pixel_um: float) -> Drawn:
    """Return a site with sixty specks, as wide as a tenth of a nucleus and three times as bright."""
    random = np.random.default_rng(2)
    nuclei = drawn.nuclei.copy()
    side = round(2.4 / pixel_um)
    for top, left in random.integers(0, len(nuclei) - side, (60, 2)):
        nuclei[top : top + side, left : left + side] += 0.3
    return Drawn(nuclei, drawn.cells, drawn.areas)


def unfocused(drawn: Drawn, pixel_um: float) -> Drawn:
    """Return a site whose details are blurred over 2 um (a mean, twice)."""
    side = round(2 / pixel_um)
    kernel = np.convolve(np.ones(side), np.ones(side)) / side**2

    def blurred(image: np.ndarray) -> np.ndarray:
        rows = np.apply_along_axis(np.convolve, 1, image, kernel, mode="same")
        return np.apply_along_axis(np.convolve, 0, rows, kernel, mode="same")

    return Drawn(blurred(drawn.nuclei), blurred(drawn.cells), drawn.areas)


SITES = {
    "confluent": draw(0.598, across=6),
    "sparse": draw(0.598, across=2),
    "dust": dusty(draw(0.598), 0.598),
    "out of focus": unfocused(draw(0.598), 0.598),
}


@pytest.mark.parametrize("drawn", SITES.values(), ids=SITES)
def test_nuclei_are_as_wide_as_they_are_however_the_site_looks(
    programs: Programs, tmp_path: Path, drawn: Drawn
) -> None:
    named = laid(tmp_path / "plate", Plate(0.598), [drawn])
    facts = estimated(programs, named, tmp_path / "estimate", "ConA")
    truth = 2 * np.sqrt(statistics.median(drawn.areas) / np.pi)

    assert facts["estimate"]["width_px"] == pytest.approx(truth, rel=0.15)


def test_a_channel_without_nuclei_is_named(programs: Programs, tmp_path: Path) -> None:
    noise = 0.003 + 0.0004 * np.random.default_rng(1).standard_normal((334, 334))
    named = laid(tmp_path / "plate", Plate(0.598), [Drawn(noise, noise, [])])
    outcome = programs.run(
        "estimate_cells.py", "--plate", PLATE, "--load_data", named.table(False), "--images", named.images,
        "--nuclei_channel", "Hoechst", "--cells_channel", "none", "--write_estimate", tmp_path / "out/files/e.tsv",
        "--output", tmp_path / "out",
    )  # fmt: skip

    assert outcome.code == 65
    assert "nothing in the channel Hoechst has the shape of a nucleus" in outcome.stderr
