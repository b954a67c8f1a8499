"""What may be deleted: intermediates that were used, runs that no result needs, environments of old recipes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks.dataset.layout import Layout, of_run
from tasks.definitions import stages
from tasks.errors import StageError
from tasks.results import old_runs
from tasks.results.old_runs import EVIDENCE, REPLACED, UNFINISHED
from tasks.runtime.images import environments
from tasks.settings import settings
from tasks.stage_tasks import intermediates
from tasks.stage_tasks.intermediates import Intermediate
from tasks.workflow import pipeline

INTERMEDIATE, TRASH, ENVIRONMENT = "intermediate", "left by a crash", "old environment"
RUNS = (REPLACED, UNFINISHED, EVIDENCE)


@dataclass(frozen=True)
class Deletable:
    """Something that takes room, and why it may go, or why it stays."""

    kind: str
    name: str
    paths: Sequence[Path]
    bytes: int
    goes: bool
    why: str
    intermediate: Intermediate | None = None


def find(batch: str = "", *, unfinished: bool = False) -> list[Deletable]:
    """Return what could go, of one batch or of all, unfinished runs if asked for; nothing is deleted."""
    layout = settings.load().layout
    found = [*_intermediates(layout, batch), *_runs(layout, batch, unfinished)]
    return found if batch else [*found, *_trash(layout), *_environments()]


def delete(found: Iterable[Deletable]) -> int:
    """Delete what may go, and what no run has come to need meanwhile; return how many bytes went."""
    return sum(_deleted(each) for each in found if each.goes)


def _deleted(each: Deletable) -> int:
    if each.intermediate:
        return intermediates.delete(each.intermediate)
    if each.kind in RUNS:
        given, unfinished = settings.load(), each.kind == UNFINISHED
        gone = [old_runs.delete(given.layout, given.store, path, unfinished=unfinished) for path in each.paths]
        return each.bytes if all(gone) else 0
    for path in each.paths:
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return each.bytes


def _intermediates(layout: Layout, batch: str) -> Iterator[Deletable]:
    names = [name for name, stage in stages.load().items() if stage.intermediate]
    made = {path.parent.name + "/" + path.stem for name in names for path in layout.manifests.glob(f"{name}/*/*.json")}
    for each in sorted(made):
        of_batch, _, plate = each.partition("/")
        if batch not in ("", of_batch):
            continue
        try:
            below = list(intermediates.intermediates(pipeline.RunPlate(batch_id=of_batch, plate=plate)))
        except StageError as error:  # the plate's metadata is gone: what is made from it is not known
            yield Deletable(INTERMEDIATE, each, (), 0, False, str(error))
            continue
        yield from (_judged(found, each) for found in below)


def _judged(found: Intermediate, plate: str) -> Deletable:
    name = f"{found.maker.stage} of {plate}"
    goes, why = False, f"waited for by {', '.join(found.waits_for)}"
    if not found.waits_for:
        goes = found.maker.stage in settings.load().delete
        why = "it was used" if goes else "it was used; name it in luigi.cfg [storage] delete to let it go"
    return Deletable(INTERMEDIATE, name, found.paths, found.bytes, goes, why, found)


def _runs(layout: Layout, batch: str, unfinished: bool) -> Iterator[Deletable]:
    """Yield the folders of runs whose stage has since been run again, and of those that never ended well."""
    for run in old_runs.find(layout, settings.load().store, batch, unfinished=unfinished):
        stage, of_batch, subject = of_run(run.folder)
        name = f"{stage} of {of_batch}/{subject}"
        yield Deletable(run.kind, name, (run.folder,), _bytes(run.folder), run.goes, run.why)


def _trash(layout: Layout) -> Iterator[Deletable]:
    for path in sorted(layout.trash.iterdir()) if layout.trash.is_dir() else ():
        yield Deletable(TRASH, path.name, (path,), _bytes(path), True, "a deletion was cut short")


def _environments() -> Iterator[Deletable]:
    """Yield the process engine's environments that no image's recipe asks for any more."""
    current = {environments.folder(image) for image in stages.images()}
    there = environments.FOLDER.glob("*-????????????") if environments.FOLDER.is_dir() else ()
    for folder in sorted(folder for folder in there if folder.is_dir() and folder not in current):
        why = "its image has another recipe now"
        yield Deletable(ENVIRONMENT, folder.name, (folder,), _bytes(folder), True, why)


def _bytes(path: Path) -> int:
    files = path.rglob("*") if path.is_dir() else (path,)
    return sum(file.lstat().st_size for file in files if file.is_file() or file.is_symlink())
