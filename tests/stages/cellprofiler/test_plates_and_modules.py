"""What the host knows of CellProfiler holds for the one in the image; a montage has room for 1536 wells."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from stagekit import wells

from tasks.dataset import layout
from tasks.settings import cppipe

CONTAINERS = layout.CONTAINERS
FOR_TESTS_ONLY = {"InjectImage", "InjectObjects", "MeasurementFixture"}
MODULES = """
import importlib.util, json, pathlib, re
found = set()
for package in ("cellprofiler", "cellprofiler_core"):
    folder = pathlib.Path(importlib.util.find_spec(package).origin).parent / "modules"
    for path in folder.glob("*.py"):
        found |= set(re.findall(r"module_name = [\\"'](\\w+)[\\"']", path.read_text()))
print(json.dumps(sorted(found)))
"""
MONTAGE = """
import json, sys
import montage
names = json.loads(sys.argv[1])
grid = montage.layout(names)
made = {"rows": grid.rows, "columns": grid.columns, "cells": grid.cells, "size": grid.size(), "side": grid.side}
print(json.dumps(made))
"""


def test_the_modules_that_a_pipeline_may_have_are_those_of_the_image(cellprofiler_python: Path) -> None:
    done = subprocess.run([cellprofiler_python, "-c", MODULES], capture_output=True, text=True, check=True)

    assert set(cppipe.MODULES.read_text().split()) == set(json.loads(done.stdout)) - FOR_TESTS_ONLY


def test_a_montage_has_a_place_for_each_of_1536_wells(cellprofiler_python: Path) -> None:
    rows = [wells.row_letters(row) for row in range(32)]
    names = [f"{row}{column:02d}" for row in rows for column in range(1, 49)]
    done = subprocess.run(
        [cellprofiler_python, "-c", MONTAGE, json.dumps(names)],
        env={"PYTHONPATH": f"{CONTAINERS / 'cellprofiler'}:{CONTAINERS}"},
        capture_output=True,
        text=True,
        check=True,
    )
    made = json.loads(done.stdout)

    assert (made["rows"], made["columns"]) == (rows, list(range(1, 49)))
    assert made["cells"] == {name: list(wells.place(name)) for name in names}
    assert made["side"] >= 50
    assert max(made["size"]) <= 3000
