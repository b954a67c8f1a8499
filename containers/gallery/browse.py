"""List a folder of the gallery: what is in it, how many files, how many bytes.

Not a stage: `python -m tasks browse` calls it, and prints what it writes into result.json.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

import bucket_flags
from bucket import Bucket
from stagekit import program


@dataclass
class Entry:
    """A file, or a folder with all that is below it; `counted` is false where the count was cut short."""

    name: str
    files: int = 0
    bytes: int = 0
    counted: bool = True


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__)
    bucket_flags.add_flags(flags)
    flags.add_argument("--folder", required=True, help="below <project>/<source>; may be empty")
    flags.add_argument("--most", required=True, type=int, help="how many files are counted at most")
    flags.add_argument("--output", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        folder = args.folder.strip("/") + "/" if args.folder.strip("/") else ""
        bucket = bucket_flags.of(args)
        entries = browse(bucket, folder, args.most)
        if not entries:
            raise program.DataError(f"s3://{bucket.name}/{bucket.prefix}{folder}: there is nothing")
        report.fact("folder", f"s3://{bucket.name}/{bucket.prefix}{folder}")
        report.fact("entries", [asdict(entry) for entry in entries])


def browse(bucket: Bucket, folder: str, most: int) -> list[Entry]:
    """Return the files and folders of a folder, by name; the listing ends after `most` files.

    Keys come in order: all folders before the one in which the listing ended are counted wholly.
    """
    entries: dict[str, Entry] = {}
    current = ""
    for listed, (path, size) in enumerate(bucket.walk(folder)):
        head, below, _ = path[len(folder) :].partition("/")
        current = head + below
        entry = entries.setdefault(current, Entry(current))
        if listed == most:
            entry.counted = False
            break
        entry.files += 1
        entry.bytes += size
    else:
        return list(entries.values())
    later = [name for name in bucket.entries(folder) if name > current]
    return [*entries.values(), *(Entry(name, counted=False) for name in later)]


if __name__ == "__main__":
    program.run(main)
