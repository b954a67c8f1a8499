"""The cells of several sites are computed together: each once, in order, in batches that are full but the last."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from tasks.runtime.images import environments
from tests.stages.deepprofiler.plate import CONTAINERS

CUT = """
import json, sys
import torch_run
print(json.dumps([list(torch_run.batches(counts, at_once)) for counts, at_once in json.load(sys.stdin)]))
"""


@pytest.fixture(scope="module")
def deep_torch_python() -> Path:
    environments.make("deep_torch")
    return environments.python("deep_torch")


def test_a_batch_holds_the_next_cells_of_as_many_sites_as_fill_it(deep_torch_python: Path):
    drawn = random.Random(0)
    cases = [([drawn.randint(1, 40) for _ in range(drawn.randint(1, 9))], drawn.randint(1, 50)) for _ in range(200)]
    environment = {"PYTHONPATH": f"{CONTAINERS}:{CONTAINERS / 'deep_torch'}"}
    words = [str(deep_torch_python), "-c", CUT]
    done = subprocess.run(words, input=json.dumps(cases), env=environment, capture_output=True, text=True, check=True)

    for (counts, at_once), batches in zip(cases, json.loads(done.stdout), strict=True):
        cells = [[(site, cell) for site, start, stop in batch for cell in range(start, stop)] for batch in batches]
        assert sum(cells, []) == [(site, cell) for site, count in enumerate(counts) for cell in range(count)]
        assert {len(batch) for batch in cells[:-1]} <= {at_once}
        assert 1 <= len(cells[-1]) <= at_once
