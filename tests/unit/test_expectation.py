"""What is found of a plate's cells is held against what is to be expected, and each doubt names what to set."""

from __future__ import annotations

import pytest

from tasks.workflow import expectation, segmentation

# What CPJUMP1's four real sites and the demo come to, at their extremes.
REAL = {
    "r04c14": {"nuclei": 98, "median": 37.98, "touching": 0.1429, "solidity": 0.9736, "form": 0.8681,
               "eccentricity": 0.7388, "covered_nuclei": 0.09521, "covered_cells": 0.4187, "threshold_nuclei": 0.0365},
    "r14c09": {"nuclei": 43, "median": 45.61, "touching": 0.3721, "solidity": 0.9563, "form": 0.7716,
               "eccentricity": 0.7742, "covered_nuclei": 0.06239, "covered_cells": 0.3636, "threshold_nuclei": 0.0406},
    "demo": {"nuclei": 24, "median": 27.5, "touching": 0.2, "solidity": 0.968, "form": 0.9,
             "eccentricity": 0.65, "covered_nuclei": 0.1326, "covered_cells": 0.6179, "threshold_nuclei": 0.017},
}  # fmt: skip
GOOD = REAL["r04c14"]
EMPTY = dict.fromkeys(GOOD) | {"nuclei": 0, "covered_nuclei": 0.0, "covered_cells": 0.0}
WRONG = {
    "no nucleus": (EMPTY, "nuclei_bounds"),
    "as small as the least": ({"median": 19.9}, "pixel_um"),
    "as large as the most": ({"median": 69.7}, "nucleus_diameter"),
    "in pieces": ({"touching": 0.8}, "declump_distance"),
    "ragged": ({"solidity": 0.85}, "nuclei_smoothing"),
    "with a rough outline": ({"form": 0.5}, "nuclei_smoothing"),
    "oblong": ({"eccentricity": 0.95}, "nuclei_smoothing"),
    "too dark": ({"threshold_nuclei": 0.014}, "camera_bits"),
    "without cytoplasm": ({"covered_cells": 0.0953}, "cells_bounds"),
    "with the background as cell": ({"covered_cells": 0.95, "covered_nuclei": 0.02}, "cells_bounds"),
}


def doubts(*sites: dict, **told: str) -> list[str]:
    return expectation.doubts(sites, expectation.Expected({**segmentation.plain(), **told}, None))


@pytest.mark.parametrize("site", REAL.values(), ids=REAL)
def test_real_sites_are_as_expected(site: dict) -> None:
    assert doubts(site) == []


@pytest.mark.parametrize(("differs", "setting"), WRONG.values(), ids=WRONG)
def test_nuclei_that_are_wrong_on_half_of_the_sites_are_suspicious(differs: dict, setting: str) -> None:
    wrong = {**GOOD, **differs}

    assert [doubt for doubt in doubts(wrong, GOOD) if setting in doubt]
    assert all(doubt.startswith(expectation.SUSPICIOUS) for doubt in doubts(wrong, GOOD))
    assert doubts(wrong, GOOD, GOOD) == []


def test_rings_around_nuclei_are_not_held_against_the_size_of_cells() -> None:
    assert doubts({**GOOD, "covered_cells": 0.0953}, cells_channel="none") == []


@pytest.mark.parametrize(("sites", "told"), [(4, True), (16, False), (None, False)])
def test_an_illumination_of_few_sites_is_told_beside_other_doubts_only(sites: int | None, told: bool) -> None:
    expected = expectation.Expected(segmentation.plain(), None, sites)
    doubted = expectation.doubts([{**GOOD, "touching": 0.8}], expected)

    assert any("illumination" in doubt for doubt in doubted) == told
    assert expectation.doubts([GOOD], expected) == []


def test_a_plate_without_a_site_is_not_suspicious() -> None:
    assert doubts() == []
    assert expectation.summary([]) == {}


def test_the_summary_has_the_median_of_what_is_known() -> None:
    assert expectation.summary([GOOD, {**GOOD, "median": 20.0}, EMPTY])["median"] == pytest.approx(28.99)
