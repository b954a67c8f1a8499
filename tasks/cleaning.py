"""What may be deleted: intermediates that were used, runs that another one replaced, environments of old recipes."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasks import manifest, pipeline, settings, stages, storage
from tasks.errors import StageError
from tasks.layout import Layout
from tasks.runtime import environments
from tasks.storage import Intermediate

INTERMEDIATE, REPLACED, TRASH, ENVIRONMENT = "intermediate", "replaced run", "left by a crash", "old environment"


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


def find(batch: str = "") -> list[Deletable]:
    """Return what could go, of one batch or of all; nothing is deleted."""
    layout = settings.load().layout
    found = [*_intermediates(layout, batch), *_replaced(layout, batch)]
    return found if batch else [*found, *_trash(layout), *_environments()]


def delete(found: Iterable[Deletable]) -> int:
    """Delete what may go; return how many bytes went."""
    gone = 0
    for each in found:
        if each.goes and each.intermediate:
            gone += storage.delete(each.intermediate)
        elif each.goes:
            for path in each.paths:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            gone += each.bytes
    return gone


def _intermediates(layout: Layout, batch: str) -> Iterator[Deletable]:
    names = [name for name, stage in stages.load().items() if stage.intermediate]
    made = {path.parent.name + "/" + path.stem for name in names for path in layout.manifests.glob(f"{name}/*/*.json")}
    for each in sorted(made):
        of_batch, _, plate = each.partition("/")
        if batch not in ("", of_batch):
            continue
        try:
            below = list(storage.intermediates(pipeline.RunPlate(batch_id=of_batch, plate=plate)))
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


def _replaced(layout: Layout, batch: str) -> Iterator[Deletable]:
    """Yield the folders of runs whose stage has since been run again: its manifest names another run."""
    for path in sorted(layout.manifests.glob(f"*/{batch or '*'}/*.json")):
        found = manifest.read(path)
        if found is None:
            continue
        current = layout.root / found.run
        with settings.load().store.at_once(layout.lock(found.stage, found.batch, found.plate)) as alone:
            old = sorted(current.parent.iterdir()) if alone and current.parent.is_dir() else []
        for folder in (folder for folder in old if folder != current):
            name = f"{found.stage} of {found.batch}/{found.plate}"
            yield Deletable(REPLACED, name, (folder,), _bytes(folder), True, f"{current.name} replaced {folder.name}")


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
