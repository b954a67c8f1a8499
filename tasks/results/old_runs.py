"""Run folders that no result stands for any more, or never did: which may go, and why the others stay."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tasks.dataset.layout import BOTH_ENGINES, Layout, of_run
from tasks.errors import StageError
from tasks.results import ledger, manifest
from tasks.results.store.store import Store
from tasks.runtime.arrays import array_folder

REPLACED, UNFINISHED, EVIDENCE = "replaced run", "unfinished run", "evidence"


@dataclass(frozen=True)
class OldRun:
    """The folder of a run that is not the one its result is of."""

    kind: str
    folder: Path
    goes: bool
    why: str


def find(layout: Layout, store: Store, batch: str = "", *, unfinished: bool = False) -> Iterator[OldRun]:
    """Yield the old runs of one batch or of all; those that never ended well go only if `unfinished` says so."""
    for place in sorted(layout.runs.glob(f"*/{batch or '*'}/*")):
        folders = sorted(each for each in place.iterdir() if each.is_dir()) if place.is_dir() else []
        if folders:
            with store.at_once(layout.lock(*of_run(folders[0]))) as alone:
                found = _judged(layout, folders, unfinished) if alone else []
            yield from found


def delete(layout: Layout, store: Store, folder: Path, *, unfinished: bool = False) -> bool:
    """Delete the folder of an old run, unless a run has come to need it meanwhile; return whether it went."""
    with store.at_once(layout.lock(*of_run(folder))) as alone:
        store.refresh(now=True)
        if not alone or not folder.is_dir() or not any(each.goes for each in _judged(layout, [folder], unfinished)):
            return False
        store.remove(folder)
    return True


def _judged(layout: Layout, folders: list[Path], unfinished: bool) -> list[OldRun]:
    """Judge the run folders of one subject, whose lock is held; the one that its result is of is left out."""
    record = layout.manifest(*of_run(folders[0]))
    made, intent = manifest.read(record), manifest.read(record.with_suffix(".publishing"))
    if record.exists() and made is None:
        return []  # of which run the result is cannot be read
    current = layout.root / made.run if made else None
    last = _last_unfinished(layout, folders[0])
    return [
        _of(
            folder,
            current,
            is_needed=intent is not None and layout.root / intent.run == folder,
            last=last,
            go=unfinished,
        )
        for folder in folders
        if folder != current
    ]


def _of(folder: Path, current: Path | None, *, is_needed: bool, last: Path | None, go: bool) -> OldRun:
    if folder.name == BOTH_ENGINES:
        why = "what verify --against stock measured, kept because the engines differ; remove it by hand"
        return OldRun(EVIDENCE, folder, False, why)
    if is_needed:
        return OldRun(UNFINISHED, folder, False, "its results are half published; the next run finishes that")
    if _has_jobs_under_way(folder):
        return OldRun(UNFINISHED, folder, False, "jobs of it may still be under way on the cluster")
    if current and folder != last:
        return OldRun(REPLACED, folder, True, f"{current.name} replaced {folder.name}")
    why = "it did not end well; the next run goes on with its finished jobs"
    return OldRun(UNFINISHED, folder, go, why if go else f"{why}; clean --unfinished lets it go")


def _last_unfinished(layout: Layout, folder: Path) -> Path | None:
    """Return the folder of the subject's last run, if the ledger does not say that it ended well."""
    told = ledger.history(layout.ledger(*of_run(folder)), whole=False)
    return layout.root / told.run if told and told.run and told.ended != ledger.MADE else None


def _has_jobs_under_way(folder: Path) -> bool:
    with suppress(OSError, ValueError, KeyError, TypeError, StageError):
        return any(array.unsettled() for array in array_folder.of_run(folder / "shards"))
    return False
