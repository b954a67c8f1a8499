"""Make a folder for a screen: luigi.cfg, the tables that describe its plates, a .gitignore, and what to do next."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from stagekit import wells

from tasks.commands import platemap_skeletons
from tasks.dataset.layout import REPOSITORY, Layout, checked_name
from tasks.errors import SettingsError

SHAPES: Mapping[int, tuple[int, int]] = {24: (4, 6), 96: (8, 12), 384: (16, 24), 1536: (32, 48)}
"""Wells of a plate -> rows and columns."""
DATASET = "project = cpg0000-jump-pilot\nsource = source_4\n"
"""The lines of the settings manual that name the dataset."""
ROOT = "root = data_root\n"
"""Its line that names the data root."""
COMPOUNDS = "compounds.tsv"
KINDS = "broad_sample\tpert_type\tcontrol_type\n\tcontrol\tnegcon\n"
"""A table of perturbations that says of solvent wells, whose broad_sample is empty, that they are negative controls."""
IGNORED = "/data_root/\n/.mirror/\n"
README = """# {name}

Cell Painting plates, turned into profiles by Platewright. Settings are in `luigi.cfg`; images, tables and results in
`data_root/`. Type every command in this folder.

1. See what this machine lacks: `platewright doctor`
2. See a whole run on drawn plates: `platewright demo`
3. Add a plate where its instrument exported it: `platewright add-plate FOLDER --batch-id {batch} --yes`
4. Fill in the tables below `{metadata}/`:
   - `platemaps/{batch}/platemap/<plate>.csv`: what each well holds, and its dose. Wells called DMSO are the negative
     controls, unless `[controls]` of `luigi.cfg` names others. A layout of your own may take its place.
   - `external_metadata/{compounds}`, if there is more to say of a compound: a row each, found by `broad_sample`. Then
     set `external_metadata = {compounds}` under `[dataset]` of `luigi.cfg`.
5. See whether its cells are found: `platewright tune --batch-id {batch} --plate PLATE` draws them
6. See what it will cost: `platewright plan --batch-id {batch}`
7. Run it: `luigi --module tasks RunBatch --batch-id {batch}`
8. See how it stands: `platewright status`
9. Look at plates, wells and cells: `luigi --module tasks Explorer --batch-id {batch}`, then `platewright show`
"""


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", help="the folder to make; an empty one may be there")
    parser.add_argument("--project", default="", help="[dataset] project; else the folder's name")
    parser.add_argument("--source", default="source_1", help="[dataset] source: who imaged the plates (%(default)s)")
    parser.add_argument("--batch-id", default="batch_1", help="the first batch (%(default)s)")
    parser.add_argument("--plates", default="", help="A,B: plates of the batch; without it add-plate lists them later")
    parser.add_argument("--wells", type=int, choices=SHAPES, default=384, help="of a plate (%(default)s)")
    parser.add_argument("--json", action="store_true", help="print what was written for programs")


def act(args: argparse.Namespace) -> int:
    folder = Path(args.folder).resolve()
    project = args.project or folder.name
    layout = Layout(folder / "data_root", checked_name("project", project), checked_name("source", args.source))
    checked_name("batch", args.batch_id)
    plates = [checked_name("plate", plate.strip()) for plate in args.plates.split(",") if plate.strip()]
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SettingsError(
            f"init: {folder} is there and not empty; name another folder, or empty it. Nothing was written"
        )
    files = _files(layout, folder.name, args.batch_id)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    written = [*files, *_platemaps(layout, args.batch_id, plates, args.wells)]
    if args.json:
        print(json.dumps({"folder": str(folder), "written": [str(path) for path in written]}, indent=1))
        return 0
    print(f"{folder}: written:", *(f"  {path.relative_to(folder)}" for path in written), sep="\n")
    print(
        f"\nnext: cd {args.folder}\n",
        *README.format(**_words(layout, folder.name, args.batch_id)).splitlines()[5:],
        sep="\n",
    )
    return 0


def _files(layout: Layout, name: str, batch: str) -> dict[Path, str]:
    """Return the files of a new folder, but for platemaps: path -> text."""
    folder = layout.root.parent
    manual = (REPOSITORY / "luigi.cfg").read_text(encoding="utf-8")
    if DATASET not in manual or ROOT not in manual:
        message = f"init: {REPOSITORY / 'luigi.cfg'} has a dataset or data root of your own, and is no manual any more"
        raise SettingsError(f"{message}; move it to a folder of its own (LUIGI_CONFIG_PATH names it) and restore it")
    own = f"project = {layout.project}\nsource = {layout.source}\n"
    return {
        folder / "luigi.cfg": manual.replace(DATASET, own),
        folder / ".gitignore": IGNORED,
        folder / "README.md": README.format(**_words(layout, name, batch)),
        layout.external_metadata(COMPOUNDS): KINDS,
    }


def _words(layout: Layout, name: str, batch: str) -> dict[str, str]:
    metadata = layout.platemaps.parent.relative_to(layout.root.parent).as_posix()
    return {"name": name, "batch": batch, "metadata": metadata, "compounds": COMPOUNDS}


def _platemaps(layout: Layout, batch: str, plates: list[str], count: int) -> list[Path]:
    """Write the list of a batch's plates, and a platemap of every plate; return what was written."""
    rows, columns = SHAPES[count]
    names = [f"{wells.row_letters(row)}{column:02d}" for row in range(rows) for column in range(1, columns + 1)]
    written = [path for plate in plates for path in platemap_skeletons.write(layout, batch, plate, names)]
    return list(dict.fromkeys(written))
