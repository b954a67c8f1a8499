"""Open the plate explorer of a batch, at a plate or a well; print where it lies if there is no screen."""

from __future__ import annotations

import argparse
import json
import os
import sys
import webbrowser
from pathlib import Path
from urllib.parse import urlencode

from tasks.dataset import lookup
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError, unknown
from tasks.results import manifest
from tasks.settings import settings
from tasks.workflow.explorer import ExplorePlate, Explorer


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--batch-id", default="", help="needed if several batches have an explorer")
    parser.add_argument("--plate-set", default="", help="the explorer of this set of plates; the batch's if empty")
    parser.add_argument("--plate", default="", help="begin at this plate")
    parser.add_argument("--well", default="", help="A01: begin at this well of the plate")
    parser.add_argument(
        "--json", action="store_true", help="print the page's path and address for programs; open nothing"
    )


def act(args: argparse.Namespace) -> int:
    layout = settings.load().layout
    batch = args.batch_id or _only_batch(layout)
    index = _index(layout, batch, args.plate_set)
    if args.well and not args.plate:
        raise MissingInputError(f"--well {args.well}: of which plate? Name it too: --plate P")
    if args.plate:
        _check_plate(layout, batch, args.plate)
    address = index.resolve().as_uri() + fragment(args.plate, args.well)
    print(json.dumps({"batch": batch, "page": str(index), "address": address}, indent=1) if args.json else address)
    if not args.json and has_screen():
        webbrowser.open(address)
    return 0


def fragment(plate: str, well: str) -> str:
    """Return the end of an address that lets the explorer begin at a plate, or a well of it."""
    named = {"view": "plate", "plate": plate, "well": well}
    return f"#{urlencode({name: value for name, value in named.items() if value})}" if plate else ""


def has_screen() -> bool:
    """Say whether a browser could open a window here."""
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER"))


def _only_batch(layout: Layout) -> str:
    """Return the one batch that has an explorer; raise MissingInputError if there are none or several."""
    found = sorted({path.parent.name for path in (layout.manifests / Explorer.stage).glob("*/*.json")})
    if len(found) != 1:
        said = f"several batches have an explorer: {', '.join(found)}" if found else "no batch has an explorer yet"
        raise MissingInputError(f"{said}; name one: --batch-id B{'' if found else HOW.format(batch='B')}")
    return found[0]


def pages(layout: Layout, batch: str) -> dict[str, Path]:
    """Return the page of every set of plates of a batch that has an explorer."""
    found = (manifest.read(made) for made in sorted((layout.manifests / Explorer.stage / batch).glob("*.json")))
    return {
        each.plate: layout.root / each.outputs["index"]["path"] for each in found if each and "index" in each.outputs
    }


def _index(layout: Layout, batch: str, plate_set: str) -> Path:
    """Return the page of a set, by default the batch's or the only one; MissingInputError says how it is made."""
    made = pages(layout, batch)
    wanted = plate_set or (batch if batch in made or len(made) != 1 else next(iter(made)))
    if wanted in made:
        return settings.load().store.ensure_local(made[wanted])
    known = layout.batches()
    if batch not in known:
        raise MissingInputError(unknown("batch", batch, known, str(layout.platemaps)))
    if made:
        raise MissingInputError(unknown("plate set", wanted, sorted(made), f"the explorers of batch {batch}"))
    path = layout.published("explorer", batch, "any") / "index.html"
    raise MissingInputError(f"{path} is not there{HOW.format(batch=batch)}")


def _check_plate(layout: Layout, batch: str, plate: str) -> None:
    """Raise MissingInputError if a plate has no part in the explorer."""
    shown = sorted(path.stem for path in (layout.manifests / ExplorePlate.stage / batch).glob("*.json"))
    if plate not in shown:
        known = lookup.plates(layout, batch)
        if plate in known:
            raise MissingInputError(f"plate {plate} is not in the explorer{HOW.format(batch=batch)}")
        raise MissingInputError(unknown("plate", plate, shown, f"the explorer of batch {batch}"))


HOW = "; make it with: luigi --module tasks Explorer --batch-id {batch}"
"""How an explorer is made."""
