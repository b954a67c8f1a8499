"""What `verify <stage> --reference` does: compare results with published ones; not 0 if anything differs."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tasks import inputs, manifest, parity, settings, stages
from tasks.errors import MissingInputError
from tasks.parity import STATES, Parity, ParityError


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags that compare a stage's outputs with a reference."""
    parser.add_argument("stage", nargs="?", default="", help="with --reference: for example normalize_negcon")
    parser.add_argument(
        "--reference", type=Path, help="a folder of published files, of the same names; needs --batch-id"
    )
    parser.add_argument("--plate-set", default="", help="of a stage of a set of plates: its name, if not the batch's")
    parser.add_argument("--tolerance", type=float, default=0.0, help="absolute, beside one unit of the last digit")


def act(args: argparse.Namespace) -> int:
    if not (args.stage and args.reference and args.batch_id):
        raise ParityError("to compare, name all three: verify <stage> --batch-id <batch> --reference <folder>")
    ours = _ours(args)
    references = {path.name: path for path in args.reference.rglob("*") if path.is_file()}
    known = {kind: [path for path in paths if path.name in references] for kind, paths in ours.items()}
    if not any(known.values()):
        names = ", ".join(path.name for paths in ours.values() for path in paths[:2])
        raise MissingInputError(f"{args.reference}: holds no file that is named like one of ours ({names}, ...)")
    found = [
        parity.compare(path, references.get(path.name), args.tolerance)
        for kind, paths in ours.items()
        for path in (paths if known[kind] else ())
    ]
    bad = [each for each in found if not each.good]
    alone = [kind for kind in ours if not known[kind]]
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
    plates = [args.plate] if args.plate else inputs.plates(layout, args.batch_id)
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
            style = None if not any(counts[state] for state in parity.BAD) else "red"
            table.add_row(each.name, name, *(str(counts[state] or "") for state in STATES), style=style)
    console.print(table)
    for each in found:
        for said in (*each.notes, *([f"first difference: {each.first}"] if each.first else [])):
            console.print(f"{each.name}: {said}", markup=False, highlight=False, soft_wrap=True)
