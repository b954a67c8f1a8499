"""Of a drawn batch, what was planted is retrieved and what was not is not."""

from __future__ import annotations

import pytest

from tests.stages.benchmark.drawn_batch import BATCH, GENES, Drawing


@pytest.mark.parametrize("definition", ["final", "copairs"])
def test_planted_phenotypes_are_retrieved_and_unplanted_are_not(ranked, tmp_path, definition):
    Drawing(features=200, groups=1, strength=2.0).write(tmp_path)
    profiles = sorted((tmp_path / "workspace/profiles" / BATCH).glob("*/*.csv.gz"))
    table = ranked("replicability", profiles=profiles, definition=definition, permutations=20_000).table("map")
    planted = table["label"].str.split("-").str[1].astype(int) % GENES < GENES // 2
    retrieved = table["above_q_threshold"]

    assert planted.sum() == 152
    assert retrieved[planted].mean() > 0.95
    assert retrieved[~planted].mean() < 0.05
