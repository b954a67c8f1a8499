"""LinkTask: a fetch that brings nothing where jobs can read the gallery by themselves; a link says where they read."""

from __future__ import annotations

from pathlib import Path

from tasks.execution.collect import RunSummary
from tasks.execution.specs import StageSpec
from tasks.execution.stage_run import Run
from tasks.results.store import links
from tasks.results.store.links import Link
from tasks.runtime.engines.engines import Engine
from tasks.settings import settings
from tasks.stage_tasks.fetch import GALLERY, FetchTask

LINK = "link"


class LinkTask(FetchTask):
    """Fetches into a folder; where the data root is on S3, lists what it would fetch, and links it."""

    @property
    def content(self) -> str:
        return "leave" if settings.load().store.url else "fetch"

    def spec(self) -> StageSpec:
        return super().spec().adding(disabled_outputs=frozenset({GALLERY} if self.content == "leave" else ()))

    def _carry_out(self, run: Run, engine: Engine) -> RunSummary:
        findings = super()._carry_out(run, engine)
        if self.content == "leave":
            links.write(_link(run), self._linked(run))
        return findings

    def _brought(self, run: Run, units: list[str]) -> dict[str, tuple[Path, Path]]:
        if self.content == "fetch":
            return super()._brought(run, units)
        layout, store = settings.load().layout, settings.load().store
        folders = [layout.dataset / unit for unit in units]
        store.look(*folders)
        to_link = [folder for folder in folders if not folder.exists()]  # else a person laid it in the meantime
        return {LINK: (_link(run), layout.link(to_link[0]))} if to_link else {}

    def _linked(self, run: Run) -> Link:
        """Return the link to what was listed: one folder of the gallery."""
        given = settings.load()
        _, table = self._table(run)
        rows = self._rows(run)
        (unit,) = self._units_of(rows)
        files = [(row["path"].removeprefix(f"{unit}/"), int(row["bytes"]), row["etag"]) for row in rows]
        return Link(
            source=rows[0]["source"].removesuffix(rows[0]["path"]) + f"{unit}/",
            endpoint_url=given.gallery.endpoint_url,
            region=given.gallery.region,
            unsigned=given.gallery.unsigned,
            table=table.relative_to(given.layout.root).as_posix(),
            folders=links.folders(files),
        )


def _link(run: Run) -> Path:
    return run.folder / "link.json"
