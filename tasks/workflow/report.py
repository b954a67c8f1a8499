"""Report: one page of what lies there of a batch, whatever made it; nothing is started to have more to show."""

from __future__ import annotations

import atexit
import functools
import hashlib
import logging
import subprocess
import sys
from dataclasses import asdict
from typing import Any

import luigi
import luigi.cmdline_parser
from stagekit import whole

from tasks.dataset.layout import TOOLKIT, Layout
from tasks.errors import MissingInputError, StageError
from tasks.execution.collect import RunSummary
from tasks.execution.specs import StageSpec
from tasks.execution.stage_run import Run
from tasks.results import batch_record
from tasks.results.fingerprint import Artifact
from tasks.results.manifest import Manifest
from tasks.runtime.engines.engines import Engine
from tasks.settings import rate, settings
from tasks.stage_tasks.plate import ListedOnce
from tasks.stage_tasks.stage import Staged

logger = logging.getLogger(__name__)

SHOWN = {
    "pictures": "quality_control",
    "summary": "quality_control",
    "montage": "montage",
    "comparison": "tabulate",
    "replicability_map": "tabulate",
    "matching_map": "tabulate",
    "gene_compound_matching_map": "tabulate",
    "figures": "figures",
    "feature_sets": "compare_features",
    "dose_response": "dose_response",
    "dose_figures": "dose_response",
}
"""The results that are shown, by the name of the output, and the stage that makes them."""

Found = dict[str, list[Artifact]]


class BatchReported(ListedOnce):
    """What ends with the report of its batch: as its last stage, or in a process of its own if one failed before."""

    batch_id = luigi.Parameter(description="the batch's name, as in the gallery")

    def reports(self) -> list[luigi.Task]:
        """Return the report, or nothing if this run is to have none."""
        return [Report(batch_id=self.batch_id)]


@BatchReported.event_handler(luigi.Event.DEPENDENCY_DISCOVERED)  # type: ignore[untyped-decorator]
def _report_in_the_end(task: BatchReported, _: luigi.Task) -> None:
    """Let the run that a command line asks for end with a report, whichever stage it gets to.

    Luigi runs no task whose requirements failed, and tells nobody that its worker has ended.
    """
    command_line = luigi.cmdline_parser.CmdlineParser.get_instance()
    if command_line and command_line.get_task_obj() is task and task.reports():
        _at_exit(str(task.batch_id))


@functools.cache
def _at_exit(batch_id: str) -> None:
    atexit.register(tell_of_failure, batch_id)


def tell_of_failure(batch_id: str) -> None:
    """Make the report of a batch whose run failed; what cannot be told is only warned of, and no exit code changes."""
    if isinstance(getattr(sys, "last_value", None), KeyboardInterrupt):
        return  # nothing failed, and who stops a run wants it to end
    report = Report(batch_id=batch_id)
    try:
        report.inputs()  # refuses a batch of which nothing was made
        if report.complete() or subprocess.run(in_a_process(batch_id), check=False).returncode == 0:
            path = settings.load().store.ensure_local(report.output_folder("report") / f"{batch_id}_report.html")
            print(f"report: {path}", file=sys.stderr)
            return
        logger.warning("the report of batch %s could not be made", batch_id)
    except (StageError, OSError) as error:
        logger.warning("no report: %s", error)


def in_a_process(batch_id: str) -> list[str]:
    """Return the command that makes a report apart from this process: Python starts no thread when it ends."""
    build = "sys.exit(not luigi.build([tasks.Report(batch_id=sys.argv[1])], local_scheduler=True, log_level='ERROR'))"
    # Beside a wheel no other `tasks` is taken: the folder that a user works in may hold one.
    safe = ["-P"] if TOOLKIT.is_installed else []
    return [sys.executable, *safe, "-c", f"import sys, luigi, tasks\n{build}", batch_id]


class Report(Staged):
    """One page about a batch: of all that has been made of it by now, and of the runs that did not end well."""

    stage = "report"
    scope = ("batch_id",)
    batch_id = luigi.Parameter(description="the batch's name, as in the gallery")
    seen: tuple[bytes, Found] | None = None

    @property
    def subject(self) -> str:
        return str(self.batch_id)

    def spec(self) -> StageSpec:
        folder = settings.load().layout.published(self.definition.folder, self.batch_id, self.batch_id)
        return super().spec().adding(folders=dict.fromkeys(self.definition.outputs, folder))

    def complete(self) -> bool:
        """Look afresh each time: what it shows may have changed since it was made, a moment ago."""
        complete: bool = Staged.complete.__wrapped__(self)  # type: ignore[attr-defined]
        return complete

    def inputs(self, spec: StageSpec | None = None) -> Found:
        content, found = self.seen or self._look()
        path = settings.load().layout.record(self.batch_id)
        return {**found, "record": [Artifact(path, hashlib.sha256(content).hexdigest(), 1, len(content))]}

    def _run(self) -> None:
        self.seen = self._look()  # once: another run may publish something while this one works
        try:
            super()._run()
        finally:
            self.seen = None

    def _carry_out(self, run: Run, engine: Engine) -> RunSummary:
        content, _ = self.seen or self._look()
        path = settings.load().layout.record(self.batch_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        whole.write(path, content, sync=False)
        return super()._carry_out(run, engine)

    def _look(self) -> tuple[bytes, Found]:
        """Return the record, and the files that are shown, in the order in which the record lists them."""
        layout = settings.load().layout
        price, is_held = asdict(rate.of_core_hour()), settings.load().store.is_held
        recorded = batch_record.of_batch(layout, self.batch_id, price, is_held)
        if not recorded["runs"] and not recorded["unfinished"]:
            raise MissingInputError(
                f"nothing has been made of batch {self.batch_id} below {layout.dataset}: run it first"
            )
        shown = _shown(layout, batch_record.manifests(layout, self.batch_id))
        listed = {name: [told for told, _ in each] for name, each in shown.items()}
        return batch_record.encoded(recorded | {"shown": listed}), {
            name: [made for _, made in each] for name, each in shown.items()
        }


def _shown(layout: Layout, found: list[Manifest]) -> dict[str, list[tuple[dict[str, Any], Artifact]]]:
    """Return the results to be shown by the input's name: whose each is, and where it lies."""
    shown: dict[str, list[tuple[dict[str, Any], Artifact]]] = {name: [] for name in SHOWN}
    for each in found:
        for key, made in each.artifacts(layout.root).items():
            name, _, plate = key.partition("/")
            if SHOWN.get(name) == each.stage and made.path.exists():
                shown[name].append(({"subject": each.plate, "plate": plate or each.plate}, made))
    return shown
