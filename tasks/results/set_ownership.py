"""Which set of plates a published file belongs to: no set's result overwrites another's unasked.

The results of all sets of a batch bear the same names in the plates' folders, so a plate's file can be of one set only:
of the one whose manifest names it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from tasks.dataset.layout import Layout
from tasks.errors import PublishError
from tasks.results import manifest
from tasks.results.manifest import Manifest


def resolve(
    layout: Layout, stage: str, batch: str, plate_set: str, targets: Collection[Path], replaces: Collection[str]
) -> dict[Path, Manifest]:
    """Return what the manifests of other sets are to say once this one has its files, by the manifests' paths.

    Raises PublishError if a file belongs to a set that is not among `replaces`. What it returns may be written only
    while the batch's lock of sets (`Layout.lock_of_sets`) is held: any other set's publication changes it.
    """
    taken = {}
    own = layout.manifest(stage, batch, plate_set)
    for path in sorted(own.parent.glob("*.json")):
        lost = manifest.claims(layout, path).keys() & set(targets) if path != own else set()
        if not lost:
            continue
        if path.stem not in replaces and any(file.exists() for file in lost):
            raise PublishError(_refusal(stage, plate_set, path.stem, sorted(lost)))
        taken[path] = _without(layout, path, lost, plate_set)
    return taken


def _without(layout: Layout, path: Path, lost: set[Path], plate_set: str) -> Manifest:
    """Return the manifest that gave up files: it claims the others, and is the record of no complete result."""
    found = manifest.read(path)
    if found is None:
        raise PublishError(
            f"{path}: it claims {min(lost)}, and is of another version of this toolkit or was not written whole; make "
            f"the set {path.stem!r} again with this version, or move the manifest and its files away, and run again"
        )
    kept = {name: entry for name, entry in found.outputs.items() if layout.root / entry["path"] not in lost}
    # How the files that it keeps were made stays on record; as it stands, it is no complete result.
    return replace(found, outputs=kept, fingerprint={**found.fingerprint, manifest.SUPERSEDED: plate_set})


def _refusal(stage: str, plate_set: str, other: str, lost: list[Path]) -> str:
    many = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return (
        f"{stage}/{plate_set}: {lost[0]}{many} was made jointly with the plates of the set {other!r}, and a plate's "
        f"file can be of one set only; add --replaces {other} to overwrite the result of {other!r}, "
        "or leave out its plates (--plates)"
    )
