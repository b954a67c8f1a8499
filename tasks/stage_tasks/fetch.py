"""FetchTask: brings something from the gallery to where a person would have laid it; what lies there stays as it is."""

from __future__ import annotations

import csv
import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from stagekit import outside

from tasks.dataset import layout, plate_tables
from tasks.execution.specs import JobSpec, StageSpec
from tasks.execution.stage_run import Run
from tasks.results import fingerprint, manifest
from tasks.results.fingerprint import Artifact
from tasks.runtime.engines import passing
from tasks.settings import settings
from tasks.stage_tasks.plate import ProvidedTask
from tasks.stage_tasks.stage import Staged

FETCHED, GALLERY = "fetched", "gallery"
"""The outputs: the table of what came, and what came."""
HOW = {"connections", "stall_seconds"}
NO_CHECKSUMS = layout.CONTAINERS / "gallery" / "no_checksums.csv"


class FetchTask(Staged):
    """Runs a fetch stage. A subclass says which; what it brings is a fact of the layout."""

    taken_as_it_lies: ClassVar[bool] = True
    folders: ClassVar[bool] = True
    """Whether a place is a folder, and all that is below it."""

    @property
    def content(self) -> str:
        """Return what becomes of the files' content: fetch | leave (it stays in the gallery, and is read there)."""
        return "fetch"

    def places(self) -> tuple[str, ...]:
        """Return what this brings: paths below <project>/<source>, each fetched as a whole."""
        return settings.load().layout.gallery(self.stage, self.batch_id, self.subject)

    def spec(self) -> StageSpec:
        """Return what is asked for: all of its places, and the list that what comes is held against.

        Raise TableError if that list is not good.
        """
        folder = settings.load().layout.published(self.definition.folder, self.batch_id, self.subject)
        folders = dict.fromkeys(self.definition.outputs, folder)
        return StageSpec(self._asked(self.places()), files={"checksums": _checksums()}, folders=folders)

    def job_spec(self) -> JobSpec:
        """Return how it is asked: for what is absent only."""
        flags = connection() | self._asked(self._absent()) | {"absent": "refuse"}
        return super().job_spec().adding(flags=flags, environment=passed())

    def provided(self) -> ProvidedTask | None:
        """Return the task whose hashes are remembered, so that what was hashed as it came is not read once more."""
        return None

    def complete(self) -> bool:
        """Say whether all of it lies there: fetched or laid by a person, it is taken as it is."""
        found = manifest.read(self.manifest_path())
        if found and found.freed and not self.kept:
            return True  # it was used, and deleted to save room
        return not self._absent() and not manifest.interrupted(settings.load().layout, self.manifest_path())

    def also_lacks(self) -> Iterator[str]:
        """Yield what nothing lies at, and a publication that was cut short."""
        dataset = settings.load().layout.dataset
        yield from (f"nothing lies at {dataset / place}" for place in self._absent())
        if manifest.interrupted(settings.load().layout, self.manifest_path()):
            yield "its last run was cut short while it published; run again to finish it"

    def _run(self) -> None:
        found = manifest.read(self.manifest_path())
        if found:  # what an earlier fetch brought was removed: nothing that lies there now is ours to replace
            settings.load().store.remove(self.promises()[FETCHED].path)
            settings.load().store.remove(self.manifest_path())
        super()._run()
        settings.load().store.refresh(now=True)  # of metadata more is read here than that they are there
        self._remember()

    def _asked(self, places: Sequence[str]) -> dict[str, str]:
        """Return what is asked for; what only says how makes no difference to what comes."""
        return {name: value for name, value in connection().items() if name not in HOW} | {
            "wanted": json.dumps([place + ("/" if self.folders else "") for place in places]),
            "content": self.content,
            "measurement": settings.load().gallery.measurement,
        }

    def _absent(self) -> list[str]:
        """Return the places where nothing lies at all."""
        dataset, store = settings.load().layout.dataset, settings.load().store
        for start in (place.removesuffix(layout.LOOKED_UP) for place in self.places()):
            store.look((dataset / start).parent)
        return [place for place in self.places() if not any(_there(dataset, place))]

    def _moves(self, run: Run) -> dict[str, tuple[Path, Path]]:
        """Return the table, and each place that it lists files of: they go to where the gallery has them."""
        units = self._units_of(self._rows(run))
        return self._brought(run, units) | {FETCHED: self._table(run)}

    def _brought(self, run: Run, units: list[str]) -> dict[str, tuple[Path, Path]]:
        """Return where what came goes."""
        (gallery, _), dataset = super()._moves(run)[GALLERY], settings.load().layout.dataset
        settings.load().store.look(*(dataset / unit for unit in units))
        to_go = {unit: (gallery / unit, dataset / unit) for unit in units}
        # What came to lie there in the meantime stays as it is: a person laid it, or another batch's fetch.
        return {unit: way for unit, way in to_go.items() if not all(end.exists() for end in way)}

    def _table(self, run: Run) -> tuple[Path, Path]:
        return super()._moves(run)[FETCHED]

    def _rows(self, run: Run) -> list[dict[str, str]]:
        """Return the table's rows; none before it was made."""
        made, published = self._table(run)
        return _rows(made if made.exists() else published)

    def _units_of(self, rows: Sequence[Mapping[str, str]]) -> list[str]:
        """Return the parts of paths that are moved into their place by one rename each."""
        pairs = ((row["path"], place) for row in rows for place in self.places())
        return sorted({_unit(path, place) for path, place in pairs if _is_below(path, place)})

    def _artifact(self, run: Run, source: Path) -> Artifact:
        """Return what came, by the hashes that were taken while it came."""
        if self.content != "fetch":
            return super()._artifact(run, source)
        gallery, _ = super()._moves(run)[GALLERY]
        memory = run.folder / "hashes.json"
        fingerprint.remember(memory, source, {str(gallery / row["path"]): row["sha256"] for row in self._rows(run)})
        return fingerprint.artifact(source, memory)

    def _remember(self) -> None:
        laid, dataset = self.provided(), settings.load().layout.dataset
        if laid and not settings.load().store.url:  # of what lies on S3 no content is read here
            table = _rows(self.promises()[FETCHED].path)
            hashes = {str(dataset / row["path"]): row["sha256"] for row in table}
            fingerprint.remember(laid.memory(), laid.path(), hashes)


def connection() -> dict[str, str]:
    """Return the flags that say which bucket, and how it is asked."""
    given = settings.load()
    return {
        "bucket": given.gallery.bucket,
        "endpoint_url": given.gallery.endpoint_url,
        "region": given.gallery.region,
        "unsigned": str(given.gallery.unsigned).lower(),
        "below": given.layout.dataset.relative_to(given.layout.root).as_posix(),
        "connections": str(given.gallery.connections),
        "stall_seconds": f"{given.gallery.stall_seconds:g}",
    }


def passed() -> tuple[str, ...]:
    """Return the names of the caller's variables that a program which asks the gallery sees."""
    return passing.PROXIES + (() if settings.load().gallery.unsigned else passing.CREDENTIALS)


def _checksums() -> Path:
    """Return the list that what comes is held against: the user's, or an empty one; raise TableError if it is bad."""
    given = settings.load().gallery.checksums
    if given:
        plate_tables.good_columns(outside.CHECKSUMS, given, ",")
    return given or NO_CHECKSUMS


def _there(dataset: Path, place: str) -> list[Path]:
    """Return what lies at a place: the plate's folder may bear the time of imaging after its name."""
    start = place.removesuffix(layout.LOOKED_UP)
    looked_up = dataset.glob(glob.escape(start) + layout.LOOKED_UP) if start != place else ()
    return [path for path in (dataset / start, *looked_up) if path.exists()]


def _is_below(path: str, place: str) -> bool:
    start = place.removesuffix(layout.LOOKED_UP)
    return path == place or path.startswith((f"{start}/", f"{start}__") if start != place else f"{start}/")


def _unit(path: str, place: str) -> str:
    """Return the part of a file's path that is moved into its place by one rename."""
    return "/".join(path.split("/")[: place.count("/") + 1])


def _rows(table: Path) -> list[dict[str, str]]:
    if not table.exists():
        return []
    with open(settings.load().store.ensure_local(table), newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))
