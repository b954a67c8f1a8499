"""Look at the folder that an instrument exported, and say what plate it is; with --yes, add it where it lies.

No image is copied: an index of the planes and links are written below the data root, and a skeleton of the platemap
where there is none. Wrong guesses are corrected by flags; files are never renamed.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tasks.commands import contact_sheet, open_settings, plate_listing, platemap_skeletons
from tasks.commands.added import Added
from tasks.dataset import planes
from tasks.dataset.layout import NAME, Layout, checked_name
from tasks.errors import ExportError, SettingsError, TableError, unknown
from tasks.instruments import export, plate, readers, stains
from tasks.instruments.export import Export
from tasks.instruments.plate import FoundPlate
from tasks.settings import forms, luigi_file, settings
from tasks.settings.settings import default_of
from tasks.workflow import inputs
from tasks.workflow.import_images import ImportImages

PAIR = re.compile(r"\s*([^=]+?)\s*=\s*([A-Za-z0-9]+|-)\s*(?:,|$)")
"""A channel and its name; file names may say channels with a comma in them: DAPI 377,447=DNA."""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="the folder that the instrument exported")
    parser.add_argument("--batch-id", required=True, help="the batch that the plate belongs to")
    parser.add_argument("--plate", default="", help="the plate's name; of several plates in the folder, the one meant")
    parser.add_argument("--instrument", default="", help=f"one of {', '.join(readers.READERS)}; else it is recognised")
    parser.add_argument(
        "--pattern", default="", help=f"the form of file names, a regular expression with {forms.PATTERN_GROUPS}"
    )
    parser.add_argument(
        "--channels", default="", help="what names say=the channel's name, as 1=DNA,2=ER,3=- (- : left out)"
    )
    parser.add_argument("--platemap", default="", metavar="FILE", help="the plate's layout: csv, tsv, txt or xlsx")
    parser.add_argument("--yes", action="store_true", help="add the plate; without it nothing is written")
    parser.add_argument("--replace", action="store_true", help="with --yes: add a plate anew that was added before")
    parser.add_argument("--json", action="store_true", help="print what was found for programs")


def act(args: argparse.Namespace) -> int:
    checked_name("batch", args.batch_id)
    _check_settings_are_there(writes=args.yes)
    folder = Path(args.folder).resolve()
    _check_pattern(args.pattern)
    seen = export.look(folder, args.instrument, args.pattern)
    found = [_named(each, args) for each in _meant(plate.plates(seen), args.plate, folder)]
    for each in found:
        each.faults.extend(_hindrances(each, args))
        each.layout.extend(_read_layout(each, args))
        if [other.name for other in found].count(each.name) > 1:
            each.faults.append(
                f"several plates would be called {each.name}: add them one by one, from their own folders"
            )
    if args.json:
        print(json.dumps([plate_listing.facts(seen, each) for each in found], indent=1, ensure_ascii=False))
    else:
        plate_listing.show(seen, found, settings.load().layout, args.batch_id)
    faults = (*seen.faults, *(fault for each in found for fault in each.faults))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ExportError(f"{folder}: this keeps it from being added: {faults[0]}{more}\nnothing was written")
    if args.yes:
        layout = settings.load().layout
        for each in found:
            with settings.load().store.alone(layout.lock("add_plate", args.batch_id, "all"), "add-plate"):
                written = _add(seen, each, args)
                index = layout.planes(args.batch_id, each.name)
                sheet = contact_sheet.write(each, seen.folder, index.with_suffix(".png"))
            if not args.json:
                _tell(each, args.batch_id, written, sheet)
    elif not args.json:
        print("\nnothing was written; if this is right, repeat it with --yes")
    return 0


def _check_settings_are_there(*, writes: bool) -> None:
    """Raise SettingsError rather than lay a plate into a dataset that nobody named; without writing, warn only."""
    if luigi_file.there():
        return
    message = f"{Path.cwd()} has no luigi.cfg, which says in which dataset the plate is laid: {luigi_file.REMEDY}"
    if writes:
        raise SettingsError(f"{message}. Nothing was written")
    print(f"WARNING: {message}", file=sys.stderr)


def _check_pattern(text: str) -> None:
    try:
        if text:
            forms.path_names(text)
    except ValueError as error:
        raise SettingsError(f"--pattern {text}: {error}") from error


def _meant(found: Sequence[FoundPlate], wanted: str, folder: Path) -> Sequence[FoundPlate]:
    """Return the plate that the user means, of several; all of them without a name."""
    if not found:
        raise ExportError(f"{folder}: no image here has the form of the instrument's names; is it the right one?")
    if not wanted or len(found) == 1:
        return found
    meant = [each for each in found if wanted in (each.name, _plain(each.name))]
    if not meant:
        raise ExportError(unknown("plate", wanted, [_plain(each.name) for each in found], str(folder)))
    return meant


def _named(found: FoundPlate, args: argparse.Namespace) -> Added:
    """Give a plate and its channels the names that they will have."""
    channels = stains.proposed(found.channels, found.told.channels)
    given = _given_channels(args.channels, found)
    name = args.plate if args.plate and NAME.fullmatch(args.plate) else _plain(args.plate or found.name)
    used = {**given, **{key: own for key, own in channels.items() if key not in given}}
    each = Added(name, found, used, list(found.faults))
    return replace(each, faults=[*each.faults, *found.unmeasurable(each.measured, _scale())])


def _scale() -> str:
    """Return what luigi.cfg says of black and white."""
    return default_of(ImportImages, "scale")


def _plain(name: str) -> str:
    """Return a plate's name with '_' for what paths and tables cannot hold; empty if letters would be lost."""
    if not name.isascii():
        return ""
    return re.sub(r"\.\.+", ".", re.sub(r"[^A-Za-z0-9._-]+", "_", name)).strip("._-")


def _given_channels(text: str, found: FoundPlate) -> dict[str, str]:
    """Return the channels' names that the user gives; raise SettingsError for a text of another form."""
    given: dict[str, str] = {}
    at = 0
    while at < len(text):
        pair = PAIR.match(text, at)
        key = pair[1] if pair else ""
        key = str(int(key)) if key.isascii() and key.isdecimal() else key
        if pair is None or key in given:
            right = (
                "it must read 1=DNA,2=ER: each channel once, with a name of letters and digits, or - to leave it out"
            )
            raise SettingsError(f"--channels {text}: {right}")
        if found.planes and key not in found.channels:
            raise SettingsError(unknown("channel", key, found.channels, f"--channels {text}"))
        given[key] = pair[2]
        at = pair.end()
    return given


def _hindrances(each: Added, args: argparse.Namespace) -> list[str]:
    """Return what keeps a plate from being added, beside the faults of its files."""
    layout, said = settings.load().layout, []
    if not each.found.planes and not each.found.faults:
        said.append(f"{each.found.folder}: there are only the instrument's own files, and no image of the plate")
    if not each.name:
        said.append(
            f"the plate's name {each.found.name!r} cannot be a folder's: give it one of letters and digits, --plate"
        )
        return said
    twice = [name for name in each.used.values() if name != forms.LEFT_OUT and list(each.used.values()).count(name) > 1]
    if twice:
        said.append(f"two channels would be called {twice[0]}: give them names, --channels")
    if each.found.planes and not each.measured:
        said.append("no channel is left: --channels leaves out all of them")
    try:
        inputs.refuse_unseen(each.found.folder, f"plate {each.name}")
    except SettingsError as error:
        said.append(str(error))
    return said + _already(layout, args.batch_id, each.name, replace=args.replace)


def _already(layout: Layout, batch: str, name: str, *, replace: bool) -> list[str]:
    folder = layout.image_folders(batch)
    laid = [path for path in folder.glob("*") if path.name.partition("__")[0] == name] if folder.is_dir() else []
    if planes.index_of(layout, batch, name) and [path.name for path in laid] in ([], [name]):
        return [] if replace else [f"plate {name} was added before; to add it anew: --yes --replace"]
    return [f"{laid[0]}: the batch has images of a plate {name} already; give another name, --plate"] if laid else []


def _read_layout(each: Added, args: argparse.Namespace) -> list[str]:
    """Return what the plate's own layout says; a layout that cannot be used is a fault of the plate."""
    if not args.platemap or not each.name:
        return []
    try:
        return platemap_skeletons.read(Path(args.platemap), settings.load().layout, args.batch_id, each)
    except (TableError, SettingsError) as error:
        each.faults.append(str(error))
        return []


def _add(seen: Export, each: Added, args: argparse.Namespace) -> list[Path]:
    """Write what makes it a plate of the batch; the tables first, for without images they do nothing."""
    layout, batch = settings.load().layout, args.batch_id
    laid = platemap_skeletons.lay(Path(args.platemap), layout, batch, each.name) if args.platemap else []
    written = laid + platemap_skeletons.write(layout, batch, each.name, each.found.wells)
    channels, facts = each.measured, plate_listing.facts(seen, each)
    found = [plane for plane in each.found.planes if plane.channel in channels]
    return written + planes.add(layout, batch, each.name, found, seen.folder, channels, facts, each.found.whole)


def _tell(each: Added, batch: str, written: Sequence[Path], sheet: str) -> None:
    print(f"\nplate {each.name} is added; written:")
    for line in (*map(str, written), sheet):
        print(f"  {line}")
    laid = () if each.layout else [path for path in written if path.parent.name == "platemap"]
    steps = [f"set in luigi.cfg: {setting}" for setting in open_settings.of_plate(each)]
    steps += [f"fill in what the wells hold: {path}" for path in laid]
    steps += [f"{'then ' if steps else ''}run: luigi --module tasks RunBatch --batch-id {batch}"]
    print("next:", *(f"  {step}" for step in steps), sep="\n")
