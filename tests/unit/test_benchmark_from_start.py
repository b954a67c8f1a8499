"""RunBenchmark from a start: what it makes itself does not make the batch before it incomplete again."""

from __future__ import annotations

import pytest

from tasks.results import provenance
from tasks.workflow.run_benchmark import RunBenchmark
from tasks.workflow.run_plate_and_batch import RunBatch
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, lay_plate


@pytest.mark.parametrize("start_from", ["wells", "cells", "backend"])
def test_a_benchmarks_own_results_do_not_take_back_that_its_batch_is_made(
    luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch, start_from: str
) -> None:
    lay_plate(luigi_cfg(""))
    monkeypatch.setattr(RunBatch, "parts", lambda self: [])
    monkeypatch.setattr(RunBatch, "requires", lambda self: [])
    monkeypatch.setattr(RunBatch, "reports", lambda self: [])
    monkeypatch.setattr(provenance, "is_current", lambda *given: False)  # as after any stage of the benchmark
    inner = RunBenchmark(batch_id=BATCH, start_from=start_from).requires()[0]

    assert inner.complete()
    assert not RunBatch(batch_id=BATCH, start_from=start_from).complete()
