"""What earlier versions made is read by this one, and nothing is stale but what was changed on purpose.

A stage that fails here has another program than the version that made the data root. Does it make the same bytes? Then
let `python -m tasks equivalent` show it. Does it not? Then say so in the data root's changed.toml.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import luigi
import pytest
from luigi.task import flatten

from data.demo.plan import BATCH, PLATES
from tasks import __main__ as command
from tasks.commands import remake
from tasks.commands.staleness import BLOCKED, COMPLETE, STALE, Explanation, explain, other_inputs, other_settings
from tasks.dataset.layout import REPOSITORY, Layout
from tasks.results import equivalence, manifest, provenance, status
from tasks.results.manifest import Manifest
from tasks.runtime.engines import engines
from tasks.runtime.engines.engines import Engine
from tasks.settings import settings
from tasks.stage_tasks.stage import Staged
from tasks.workflow import pipeline
from tests.data_roots import kept
from tests.unit.conftest import LoadSettings

Verb = Callable[..., tuple[int, str]]
NOT_KEPT = ["the input checkpoint has other content"]
"""What is hashed each time and too large to be kept: a network's weights."""


@pytest.fixture(autouse=True)
def look_each_time() -> None:
    """Let tasks remember for some seconds what they saw, as in a run: a batch's graph is asked for the same often."""


@pytest.fixture(params=kept.names())
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def laid(name: str, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Lay a kept data root, with the luigi.cfg of this version; no engine may be asked for."""

    def refuse(wanted: str, image: str) -> Engine:
        raise AssertionError(f"a job of the image {image} was to be run")

    monkeypatch.setattr(engines, "choose", refuse)
    text = (REPOSITORY / "luigi.cfg").read_text(encoding="utf-8")
    layout = luigi_cfg(text.replace("root = data_root", "root = root"))
    kept.lay(name, layout.root)
    return layout


@pytest.fixture
def verb(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verb:
    def act(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["tasks", *words])
        capsys.readouterr()
        code = command.main()
        return code, capsys.readouterr().out

    return act


def runs() -> list[luigi.Task]:
    return [pipeline.RunBatch(batch_id=BATCH), pipeline.RunBenchmark(batch_id=BATCH)]


def stages_below(tasks: list[luigi.Task], seen: set[str] | None = None) -> Iterator[Staged]:
    """Yield every stage that a run reaches, each once."""
    seen = set() if seen is None else seen
    for task in tasks:
        if task.task_id not in seen:
            seen.add(task.task_id)
            if isinstance(task, Staged):
                yield task
            yield from stages_below(flatten(task.requires()), seen)
            if isinstance(task, pipeline.RunBatch):
                yield from stages_below([*task.parts(), *task.reports()], seen)


def explained() -> list[Explanation]:
    return [explain(task) for task in stages_below(runs())]


def own_changes(layout: Layout) -> dict[str, list[str]]:
    """Return the stages that are stale by themselves, whatever is stale before them, each with what differs."""
    found: dict[str, list[str]] = {}
    for made in manifests(layout):
        was, now = made.fingerprint, remake.task_of(made).fingerprint()
        linked = equivalence.linked(made.stage, equivalence.code(was), equivalence.code(now)) is not None
        differs = [*other_settings(was, now), *([] if linked else ["the program"]), *other_inputs(was, now)]
        differs = [each for each in differs if each not in NOT_KEPT]
        if differs:
            found[made.stage] = differs
    return found


def manifests(layout: Layout) -> list[Manifest]:
    paths = sorted(layout.manifests.glob("*/*/*.json"))
    found = [each for path in paths if (each := manifest.read(path))]
    assert len(found) == len(paths) > 0  # all are read, whatever version wrote them
    return found


def test_nothing_is_stale_but_what_was_changed_on_purpose(name: str, laid: Layout) -> None:
    own, changed = own_changes(laid), kept.changed(name)
    states = {
        state: {each.stage for each in explained() if each.state == state} for state in (COMPLETE, STALE, BLOCKED)
    }

    assert {stage: differs for stage, differs in own.items() if stage not in changed} == {}
    assert set(changed) <= set(own), "what is complete was not changed: remove it from changed.toml"
    assert states[STALE] <= set(changed)
    assert states[STALE] or not states[BLOCKED]
    assert len(states[COMPLETE]) > 15 or changed


def test_explain_gives_reasons_for_what_is_stale_and_entries_for_what_another_program_made(laid: Layout) -> None:
    for task in stages_below(runs()):
        seen, found = explain(task), manifest.read(task.manifest_path())
        assert found is not None
        another = equivalence.code(found.fingerprint) != equivalence.code(task.fingerprint())

        assert bool(seen.reasons) == (seen.state != COMPLETE), seen
        assert bool(seen.equivalent) == (seen.state == COMPLETE and another), seen


def test_a_run_of_the_batch_has_nothing_to_do(name: str, laid: Layout) -> None:
    if kept.changed(name):
        pytest.skip(f"made anew since: {', '.join(kept.changed(name))}")
    batch, benchmark = runs()

    assert batch.complete()
    assert benchmark.is_made()
    assert luigi.build([batch, benchmark], local_scheduler=True, log_level="ERROR")  # no engine is asked for


def test_status_says_that_all_is_done(laid: Layout, verb: Verb) -> None:
    seen = status.look(laid)
    code, printed = verb("status", "--json")

    assert {each.state for each in seen} == {status.DONE}
    assert {(each.stage, each.subject) for each in seen} == {(each.stage, each.plate) for each in manifests(laid)}
    assert code == 0
    assert len(json.loads(printed)) == len(seen)


def test_verify_finds_every_file_as_long_as_it_was(laid: Layout, verb: Verb) -> None:
    code, printed = verb("verify", "--json")

    assert code == 0
    assert json.loads(printed)["faults"] == []
    assert json.loads(printed)["results"] == len(manifests(laid))


def test_the_crate_is_of_these_manifests_and_tells_what_was_done_to_a_file(laid: Layout) -> None:
    folder = laid.published("profiles", BATCH, PLATES[0])
    told = provenance.history(laid, folder / f"{PLATES[0]}_normalized_feature_select_negcon_batch.csv.gz")
    steps = [step.run for step in told.steps]

    assert provenance.is_current(laid, BATCH, settings.load().store)
    assert told.unchanged
    assert len(steps) >= 8
    assert "load_data" in steps[0]


def test_the_report_reads_what_it_read(name: str, laid: Layout) -> None:
    if "report" in kept.changed(name):
        pytest.skip(f"changed since: {kept.changed(name)['report']}")
    report = pipeline.Report(batch_id=BATCH)
    found = manifest.read(report.manifest_path())

    assert found is not None
    assert {key: [made.digest for made in each] for key, each in report.inputs().items()} == found.fingerprint["inputs"]


def test_a_changed_platemap_still_makes_stale_what_reads_it(name: str, laid: Layout) -> None:
    (platemap,) = (laid.platemaps / BATCH / "platemap").glob("*.txt")
    with open(platemap, "a", encoding="utf-8") as handle:
        handle.write("P24\tanother\tDMSO\n")
    states = {each.stage: each.state for each in explained()}

    assert states["load_data"] == STALE
    assert states["illumination"] == BLOCKED


def test_a_kept_data_root_is_small_and_names_no_folder_of_a_machine(name: str) -> None:
    content = kept.FOLDER / name / kept.CONTENT
    files = [path for path in content.rglob("*") if path.is_file()]
    listed = {row["path"] for row in kept.rows(name)}

    assert sum(path.stat().st_size for path in files) < 5_000_000
    assert {path.relative_to(content).as_posix() for path in files} <= listed
    job = next(path for path in files if path.name == "job.json")
    sources = [each["source"] for each in json.loads(job.read_text())["inputs"]]
    assert all(source.startswith(("@data_root@/", "@toolkit@/")) for source in sources)


def test_a_file_is_laid_as_long_and_as_old_as_it_was(name: str, tmp_path: Path) -> None:
    kept.lay(name, tmp_path)
    images = [row for row in kept.rows(name) if row["path"].endswith(".tiff")]
    laid = [(tmp_path / row["path"]).stat() for row in images]

    assert len(images) == 320
    assert [(each.st_size, each.st_mtime_ns) for each in laid] == [
        (int(r["bytes"]), int(r["mtime_ns"])) for r in images
    ]
