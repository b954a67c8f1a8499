"""What `verify <stage> --reference` does: compare results with published ones; not 0 if anything differs.

They lie in a folder, or in the gallery, where each has the place that it has here.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from stagekit.equality import BAD, STATES

from tasks.commands import table_comparison
from tasks.commands.table_comparison import Parity, ParityError
from tasks.dataset import lookup
from tasks.definitions import stages
from tasks.errors import MissingInputError
from tasks.results import manifest
from tasks.settings import settings
from tasks.stage_tasks import gallery

GALLERY = "gallery"


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags that compare a stage's outputs with a reference."""
    parser.add_argument("stage", nargs="?", default="", help="with --reference: for example normalize_negcon")
    parser.add_argument(
        "--reference", help=f"a folder of published files, of the same names, or `{GALLERY}`; needs --batch-id"
    )
    parser.add_argument("--plate-set", default="", help="of a stage of a set of plates: its name, if not the batch's")
    parser.add_argument("--tolerance", type=float, default=0.0, help="absolute, beside one unit of the last digit")


def act(args: argparse.Namespace) -> int:
    if not (args.stage and args.reference and args.batch_id):
        raise ParityError(
            f"to compare, name all three: verify <stage> --batch-id <batch> --reference <folder, or {GALLERY}>"
        )
    ours = _ours(args)
    with _references(args.reference, [path for paths in ours.values() for path in paths]) as references:
        known = {kind for kind, paths in ours.items() if any(path in references for path in paths)}
        if not known:
            names = ", ".join(path.name for paths in ours.values() for path in paths[:2])
            raise MissingInputError(f"{args.reference}: holds no file that is named like one of ours ({names}, ...)")
        found = [
            table_comparison.compare(path, references.get(path), args.tolerance)
            for kind, paths in ours.items()
            for path in (paths if kind in known else ())
        ]
    return _tell(found, [kind for kind in ours if kind not in known], args)


@contextmanager
def _references(reference: str, ours: list[Path]) -> Iterator[dict[Path, Path]]:
    """Give the published file of each of ours that has one; those of the gallery for as long as they are compared."""
    if reference == GALLERY:
        dataset = settings.load().layout.dataset
        keys = {path: path.relative_to(dataset).as_posix() for path in ours}
        again = shlex.join(["python", "-m", "tasks", *sys.argv[1:]])
        with gallery.fetched(list(keys.values()), again) as folder:
            yield {path: folder / key for path, key in keys.items() if (folder / key).is_file()}
    elif not Path(reference).is_dir():
        raise MissingInputError(f"{reference}: is no folder; name one that holds published files, or `{GALLERY}`")
    else:
        yield _of_the_same_name(ours, Path(reference))


def _of_the_same_name(ours: list[Path], folder: Path) -> dict[Path, Path]:
    """Return the file of a folder for each of ours: of many Cells.csv the one below the folders of the same names."""
    named: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            named.setdefault(path.name, []).append(path)
    twins = {name for name, count in Counter(path.name for path in ours).items() if count > 1}
    found: dict[Path, Path] = {}
    for path in ours:
        shared = {each: _shared_parts(path, each) for each in named.get(path.name, [])}
        nearest = [each for each, parts in shared.items() if parts == max(shared.values())]
        if len(nearest) > 1:
            raise ParityError(f"{path}: {nearest[0]} and {nearest[1]} are both named so; name one of their folders")
        if nearest and (shared[nearest[0]] > 1 or path.name not in twins):
            found[path] = nearest[0]
    return found


def _shared_parts(one: Path, other: Path) -> int:
    """Return of how many names the ends of two paths are the same."""
    pairs = zip(reversed(one.parts), reversed(other.parts), strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _tell(found: list[Parity], alone: list[str], args: argparse.Namespace) -> int:
    """Print how every file compares; return the exit code."""
    bad = [each for each in found if not each.good]
    if args.json:
        files = [{**asdict(each), "good": each.good} for each in found]
        print(json.dumps({"files": files, "not_compared": alone}, indent=1))
        return 1 if bad else 0
    _show(found)
    for kind in alone:
        print(f"{kind}: the reference has no such file, of any plate; not compared")
    print(f"{len(found) - len(bad)} of {len(found)} files agree with {args.reference}")
    return 1 if bad else 0


def _ours(args: argparse.Namespace) -> dict[str, list[Path]]:
    """Return the published files by the output's name; raise MissingInputError if a result is not there."""
    layout, unit = settings.load().layout, stages.stage(args.stage).unit
    plates = [args.plate] if args.plate else lookup.plates(layout, args.batch_id)
    found: dict[str, list[Path]] = {}
    for subject in [args.plate_set or args.batch_id] if unit == "batch" else plates:
        made = manifest.read(layout.manifest(args.stage, args.batch_id, subject))
        if made is None:
            raise MissingInputError(f"{args.stage}/{subject} of {args.batch_id} has no result yet; run it first")
        for key, output in made.artifacts(layout.root).items():
            kind, _, plate = key.partition("/")
            whole = output.path.is_dir()
            files = sorted(path for path in output.path.rglob("*") if path.is_file()) if whole else [output.path]
            found.setdefault(kind, []).extend(files if plate in ("", *plates) else ())
    return found


def _show(found: list[Parity]) -> None:
    console = Console(width=None)
    table = Table("file", "family", *STATES, box=box.SIMPLE)
    for each in found:
        for name, counts in sorted(each.families.items()):
            style = None if not any(counts[state] for state in BAD) else "red"
            table.add_row(each.name, name, *(str(counts[state] or "") for state in STATES), style=style)
    console.print(table)
    for each in found:
        for said in (*each.notes, *([f"first difference: {each.first}"] if each.first else [])):
            console.print(f"{each.name}: {said}", markup=False, highlight=False, soft_wrap=True)
