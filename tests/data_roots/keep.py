"""Keep the demo's data root as an input of the tests of every later version: `python -m tests.data_roots.keep NAME`.

Run it at the commit that made the data root, right after `make demo`. Kept with their content are the files that the
toolkit reads to judge what is complete: manifests, ledgers, small records of runs, metadata and some tables. Of all
others path, size and time of change are listed.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from tasks.dataset.layout import REPOSITORY
from tests.data_roots import kept

LEFT_OUT = (".work/locks", ".work/slots", ".work/trash", ".work/queue")
"""What is of the machine, and made anew."""
DATASET = "*/*/workspace"
WITH_CONTENT = (
    ".work/manifests/**/*",
    ".work/ledger/**/*",
    ".work/adopted/**/*",
    ".work/records/**/*",
    ".work/runs/**/*.json*",  # no logs
    f"{DATASET}/metadata/**/*",
    f"{DATASET}/load_data_csv/**/*",
    f"{DATASET}/provenance/**/*",
    f"{DATASET}/quality_control/**/*.tsv",
    f"{DATASET}/benchmark/**/*.csv",
    f"{DATASET}/profiles/**/*_normalized_feature_select_negcon_batch.csv.gz",  # the benchmark ranks them
    f"{DATASET}/profiles/*_DL/**/*_spherized.csv.gz",
)
MOST_BYTES = 5_000_000


def main() -> int:
    """Keep a data root; return 1 if it is too large, or the name is taken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help="the version and commit that made it: 0.1.0-9297b11")
    parser.add_argument("--root", type=Path, default=REPOSITORY / "data_root", help="in the checkout that made it")
    args = parser.parse_args()
    folder, root = kept.FOLDER / args.name, args.root.resolve()
    if folder.exists() or not (root / ".work/manifests").is_dir():
        print(f"{folder} is there already, or {root} holds no results: give another name or --root", file=sys.stderr)
        return 1
    total = sum(_keep(root, path, folder) for path in sorted(_with_content(root)))
    _list(root, folder / kept.LISTING)
    if total > MOST_BYTES:
        print(f"{folder} has {total:,} bytes, more than {MOST_BYTES:,}: keep less", file=sys.stderr)
        return 1
    print(f"{folder}: {total:,} bytes in {sum(path.is_file() for path in folder.rglob('*'))} files")
    return 0


def _files(root: Path) -> Iterator[Path]:
    left_out = [root / name for name in LEFT_OUT]
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    yield from (path for path in files if not any(path.is_relative_to(folder) for folder in left_out))


def _with_content(root: Path) -> set[Path]:
    wanted = {path for pattern in WITH_CONTENT for path in root.glob(pattern)}
    return {path for path in wanted.intersection(_files(root)) if path.stat().st_size > 0}


def _keep(root: Path, path: Path, folder: Path) -> int:
    """Copy a file; where it names this machine's folders, with what stands for them. Return its bytes."""
    target = folder / kept.CONTENT / path.relative_to(root)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        shutil.copyfile(path, target)
    else:
        content = path.read_bytes().replace(str(root).encode(), kept.DATA_ROOT)
        target.write_bytes(content.replace(str(root.parent).encode(), kept.TOOLKIT))
    return target.stat().st_size


def _list(root: Path, listing: Path) -> None:
    with open(listing, "w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, delimiter="\t", lineterminator="\n")
        writer.writerow(kept.COLUMNS)
        for path in _files(root):
            status = path.stat()
            writer.writerow((path.relative_to(root).as_posix(), status.st_size, status.st_mtime_ns))


if __name__ == "__main__":
    sys.exit(main())
