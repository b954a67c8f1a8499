"""The two tables that say what a plate's wells hold: as they were laid, or made of a laboratory's own layout.

A platemap in CPJUMP1's form (tab-separated .txt with well_position and broad_sample) is used as it is, unless luigi.cfg
has [platemap] or [controls]. Any other layout is converted as it is looked for: to the same bytes for the same layout
and settings, so what is made of it depends on what it says, and on nothing else.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stagekit import outside, whole
from stagekit.program import DataError

from tasks.dataset import lookup
from tasks.dataset.plate_layouts import conversion
from tasks.dataset.plate_layouts.conversion import Converted
from tasks.dataset.plate_layouts.marking import Controls
from tasks.errors import MissingInputError
from tasks.settings import sections, settings

INNER = (conversion.WELL, conversion.KEY)


@dataclass(frozen=True)
class Tables:
    """Where a plate's tables lie; `layout` is what was read of a laboratory's own one."""

    platemap: Path
    external_metadata: Path | None
    layout: Converted | None = None


def tables(batch: str, plate: str) -> Tables:
    """Return a plate's tables; raise MissingInputError or TableError if it has none that can be used."""
    given = settings.load()
    laid = lookup.platemap(given.layout, batch, plate)
    if is_inner(laid):
        return Tables(laid, _external(batch, plate))
    converted = of_file(laid, plate, _external(batch, plate))
    return _written(batch, plate, converted)


def external_metadata(batch: str, plate: str) -> Path:
    """Return the table of a plate's perturbations; raise MissingInputError if it is not there."""
    given = settings.load()
    found = tables(batch, plate).external_metadata
    return found or lookup.external_metadata(given.layout, batch, plate, given.external_metadata)


def is_inner(path: Path) -> bool:
    """Say whether a platemap has CPJUMP1's form, and no setting says how to read it."""
    of_tables = (text for name, text in _names().items() if name != "sheet")  # a text file has none
    if path.suffix != ".txt" or any([*of_tables, *vars(_controls()).values()]):
        return False
    return _has_inner_names(path, _state(path))


def of_file(path: Path, plate: str, compounds: Path | None) -> Converted:
    """Return what a laboratory's layout says of a plate, by luigi.cfg's [platemap] and [controls]."""
    names = tuple(_names().items())
    return _converted(path, _state(path), plate, names, _controls(), compounds, _state(compounds))


def told(batch: str, plates: Sequence[str]) -> Iterator[str]:
    """Yield what was read of the layouts of some plates, each kind once."""
    seen: dict[str, list[str]] = {}
    for plate in plates:
        try:
            layout = tables(batch, plate).layout
        except MissingInputError as error:
            seen.setdefault(str(error), []).append(plate)
            continue
        for line in sentences(layout) if layout else ():
            seen.setdefault(line, []).append(plate)
    for line, named in seen.items():
        few = ", ".join([*named[:3], *(["..."] if len(named) > 3 else [])])
        yield line if len(named) == len(plates) else f"{few}: {line}"


def sentences(layout: Converted) -> list[str]:
    """Return what was read of a layout, for a person."""
    return [f"{layout.source.name} has {layout.mapping}", *layout.notes]


@functools.lru_cache(maxsize=1024)
def _has_inner_names(path: Path, state: object) -> bool:
    try:
        header, _ = outside.split(path, "\t")
    except DataError:
        return True  # it is checked, and refused, as such a table
    return any(name in header for name in INNER)


@functools.lru_cache(maxsize=1024)
def _converted(
    path: Path,
    state: object,
    plate: str,
    names: tuple[tuple[str, str], ...],
    controls: Controls,
    compounds: Path | None,
    state_of_compounds: object,
) -> Converted:
    """Convert a layout once, and again only if it was changed."""
    return conversion.convert(path, plate, dict(names), controls, compounds)


def _state(path: Path | None) -> object:
    found = path.stat() if path and path.exists() else None
    return (found.st_mtime_ns, found.st_size) if found else None


def _external(batch: str, plate: str) -> Path | None:
    given = settings.load()
    try:
        return lookup.external_metadata(given.layout, batch, plate, given.external_metadata)
    except MissingInputError:
        return None


def _names() -> Mapping[str, str]:
    given = sections.own_layout()
    return {name: str(getattr(given, name)) for name, _ in given.get_params()}


def _controls() -> Controls:
    given = sections.controls()
    return Controls(given.negative, given.positive)


def _written(batch: str, plate: str, made: Converted) -> Tables:
    """Write the tables if they are not there as they would be, with where they come from.

    Their folder is named after what they say: another luigi.cfg that reads the layout otherwise, at the same time on
    the same data root, writes beside them and not over them.
    """
    given = settings.load()
    origin = {
        "source": made.source.relative_to(given.layout.root).as_posix(),
        "sha256": made.sha256,
        "columns": made.mapping,
        "platemap": {name: text for name, text in _names().items() if text},
        "controls": vars(_controls()),
        "notes": list(made.notes),
    }
    texts = [_text(made.platemap), _text(made.external_metadata)]
    texts.append(json.dumps(origin, indent=1, ensure_ascii=False) + "\n")
    content = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:12]
    platemap = given.layout.converted_platemap(batch, plate, content)
    external, source = (platemap.with_name(f"{plate}{end}") for end in ("_metadata.tsv", ".json"))
    contents = dict(zip((platemap, external, source), texts, strict=True))
    changed = [path for path, text in contents.items() if not path.is_file() or path.read_bytes() != text.encode()]
    try:
        platemap.parent.mkdir(parents=True, exist_ok=True)
        for path in changed:
            whole.write(path, contents[path])
    except OSError as error:
        raise MissingInputError(f"{platemap}: what {made.source.name} says cannot be written: {error}") from error
    if changed:
        given.store.push(*changed)
    return Tables(platemap, external, made)


def _text(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, delimiter="\t", lineterminator="\n").writerows(rows)
    return written.getvalue()
