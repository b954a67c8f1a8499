"""Names beside points: each can be read, wherever its point lies."""

from __future__ import annotations

import json
import os
import subprocess
from itertools import combinations
from pathlib import Path

import pytest

from tests.stages.benchmark.conftest import PROGRAMS

DRAW = """
import json, sys
import numpy as np
import style, point_names
from matplotlib import pyplot as plt
places = np.array(json.loads(sys.argv[1]))
figure, panel = plt.subplots(figsize=(3.8, 3.8), layout="constrained")
panel.scatter(*places.T, s=6)
figure.draw_without_rendering()
point_names.write(panel, [f"DEMO-C{number:05}" for number in range(len(places))], places)
extents = [text.get_window_extent().extents.tolist() for text in panel.texts]
print(json.dumps([panel.bbox.extents.tolist(), extents]))
"""
PLACES = {
    "at every edge": [[-1, 0], [1, 0], [0, -1], [0, 1], [1, 1], [-1, -1]],
    "in pairs": [[-1, 1], [-0.95, 0.95], [0.9, 0.1], [1, 0.1], [-1, -1], [-0.9, -1]],
}


@pytest.mark.parametrize("places", PLACES.values(), ids=PLACES)
def test_names_stay_in_their_panel_and_cover_no_other(places, benchmark_python: Path):
    paths = f"{PROGRAMS}{os.pathsep}{PROGRAMS.parent}"
    words = [benchmark_python, "-c", DRAW, json.dumps(places)]
    done = subprocess.run(words, env={**os.environ, "PYTHONPATH": paths}, check=True, capture_output=True, text=True)
    (left, _, right, _), extents = json.loads(done.stdout)

    assert len(extents) == len(places)
    assert all(left <= x0 and x1 <= right for x0, _, x1, _ in extents)
    assert not [pair for pair in combinations(extents, 2) if overlap(*pair)]


def overlap(one: list[float], other: list[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
