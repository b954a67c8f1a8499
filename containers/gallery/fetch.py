"""Fetch files or folders from the gallery, and check every byte against what the gallery says of it.

What is wanted is named by its path below <project>/<source>: `a/b.csv` a file, `a/b/` a folder and all that is
below it, `a/P__*/` the one folder whose name is P, or P__ and the time of imaging. With --content leave the files stay
where they are, and are only listed.
"""

from __future__ import annotations

import argparse
import errno
import json
import shutil
from pathlib import Path, PurePosixPath
from typing import Any, Dict, List, Mapping

import bucket_flags
import records
from bucket import Bucket, Remote
from download import Download, Fetched
from fetch_progress import GB, Progress
from file_units import FileUnits
from records import Finished
from stagekit import contracts, program

SPARE_BYTES = GB  # left free on the disk, for logs and other programs
NAMED = 10
CONTENTS = FETCH, LEAVE = ("fetch", "leave")


def main() -> None:
    args = _flags().parse_args()
    with program.Report(args.output) as report:
        bucket = bucket_flags.of(args)
        remotes = [remote for wanted in json.loads(args.wanted) for remote in _found(bucket, wanted, args)]
        rows = fetch(bucket, remotes, args, report) if args.content == FETCH else leave(bucket, remotes, args, report)
        records.write(args.write_fetched, rows)
        report.fact("from", f"s3://{bucket.name}/{bucket.prefix}")
        report.fact("endpoint_url", bucket.client.meta.endpoint_url)
        report.fact("files", len(rows))
        report.fact("bytes", sum(row["bytes"] for row in rows))
        report.fact("sha256_from_list", sum(row["checked"] == contracts.SHA256_CHECKED for row in rows))


def _flags() -> argparse.ArgumentParser:
    flags = program.parser(__doc__)
    bucket_flags.add_flags(flags)
    flags.add_argument("--wanted", required=True, help="a JSON list of paths, as above")
    flags.add_argument("--absent", required=True, choices=["refuse", "leave_out"], help="a file that is not there")
    flags.add_argument("--content", required=True, choices=CONTENTS, help="whether the files come, or are only listed")
    flags.add_argument("--measurement", required=True, help="which of a plate's measurements; may be empty")
    flags.add_argument("--checksums", required=True, type=Path, help="csv: path, sha256")
    flags.add_argument("--write_fetched", required=True, type=Path, help="the table of what came")
    flags.add_argument("--write_gallery", required=True, type=Path, help="the folder of what came, as in the gallery")
    return flags


def _found(bucket: Bucket, wanted: str, args: argparse.Namespace) -> List[Remote]:
    if args.absent == "leave_out" and not wanted.endswith("/"):
        one = bucket.one(wanted)
        return [one] if one else []
    return find(bucket, wanted, args.measurement)


def find(bucket: Bucket, wanted: str, measurement: str) -> List[Remote]:
    """Return the objects of a path; that there is none is an error."""
    if wanted.endswith("__*/"):
        wanted = look_up(bucket, wanted[: -len("__*/")], measurement)
    if wanted.endswith("/"):
        found = bucket.below(wanted)
    else:
        one = bucket.one(wanted)
        found = [one] if one else []
    if not found:
        beside = bucket.names(f"{PurePosixPath(wanted).parent}/", NAMED)
        there = f"beside it there are: {', '.join(beside)}, ..." if beside else "nor is there anything beside it"
        raise program.DataError(f"s3://{bucket.name}/{bucket.prefix}{wanted} is not in the gallery; {there}")
    return found


def look_up(bucket: Bucket, start: str, measurement: str) -> str:
    """Return the folder of a plate's images: its name holds the time of imaging."""
    path = PurePosixPath(start)
    found = [name for name in bucket.names(start) if name == path.name or name.startswith(f"{path.name}__")]
    where = f"s3://{bucket.name}/{bucket.prefix}{path.parent}/"
    if not found:
        near = bucket.names(start[:-2], NAMED)
        like = f"; names that are like it: {', '.join(near)}" if near else ""
        raise program.DataError(f"{where}: there is no folder of the plate {path.name}{like}")
    chosen = [name for name in found if name == measurement or name.endswith(f"-{measurement}")]
    if len(found) > 1 and len(chosen) != 1:
        choose = "choose one with [gallery] measurement in luigi.cfg, such as Measurement2"
        raise program.DataError(
            f"{where}: plate {path.name} has {len(found)} measurements: {', '.join(found)}; {choose}"
        )
    return f"{path.parent}/{chosen[0] if len(found) > 1 else found[0]}/"


def fetch(
    bucket: Bucket, remotes: List[Remote], args: argparse.Namespace, report: program.Report
) -> List[Dict[str, Any]]:
    """Fetch what is not there yet; return a row a file, in the order of their paths."""
    listed = records.read_checksums(args.checksums)
    source = f"s3://{bucket.name}/{bucket.prefix}"
    finished = Finished(args.output / "finished.jsonl", args.write_gallery, source, listed)
    todo = [remote for remote in remotes if not finished.has(remote)]
    progress = Progress(report, len(remotes), sum(remote.bytes for remote in remotes))
    units = FileUnits(report, remotes)
    units.there(remote for remote in remotes if finished.has(remote))

    def done(fetched: Fetched) -> None:
        finished.add(fetched.remote, fetched.sha256)
        units.came(fetched)
        progress.file()

    tell_and_check = (progress.came, done, lambda path: records.checksum(listed, path))
    places = (args.output, args.write_gallery)
    download = Download(bucket, *places, args.connections, args.stall_seconds, *tell_and_check)
    missing = download.missing_bytes(todo)
    check_space(args.output, missing)
    progress.start(len(remotes) - len(todo), progress.total_bytes - missing)
    failures = _run(download, todo, args.output)
    progress.say()
    units.failed(failures)
    if failures:
        raise program.DataError(tell(failures, args.output / "quarantine"))
    return finished.rows(remotes)


def leave(
    bucket: Bucket, remotes: List[Remote], args: argparse.Namespace, report: program.Report
) -> List[Dict[str, Any]]:
    """Return a row a file, as the gallery lists it; what only its content could show is not checked."""
    listed = records.read_checksums(args.checksums)
    unread = sum(records.checksum(listed, remote.path) is not None for remote in remotes)
    if unread:
        report.warn(f"{unread} files stay in the gallery unread: {args.checksums.name} has their SHA-256, not compared")
    return records.left(remotes, f"s3://{bucket.name}/{bucket.prefix}")


def _run(download: Download, todo: List[Remote], folder: Path) -> Mapping[str, str]:
    try:
        return download.run(todo)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise program.ServiceError(f"{folder}: {error}; what came is kept: free space and run again") from error


def check_space(folder: Path, needed: int) -> None:
    """Refuse to begin what the disk cannot hold."""
    free = shutil.disk_usage(folder).free
    if needed + SPARE_BYTES > free:
        message = f"{needed / GB:.1f} GB are to come, and {free / GB:.1f} GB are free on the data root's disk"
        short = (needed + SPARE_BYTES - free) / GB
        raise program.ServiceError(f"{message}: free {short:.1f} GB (1 GB stays spare) and run again")


def tell(failures: Mapping[str, str], quarantine: Path) -> str:
    """Return what could not be had, why, and where it lies if something came."""
    lines = [f"  {path}: {reason}" for path, reason in sorted(failures.items())[:NAMED]]
    more = f"\n  ... and {len(failures) - NAMED} more" if len(failures) > NAMED else ""
    kept = [path for path in failures if (quarantine / path).exists()]
    lies = f"; {len(kept)} came wrong each time and lie in {quarantine}" if kept else ""
    head = f"{len(failures)} files could not be fetched{lies}; what is good is kept, run again to try the others:\n"
    return head + "\n".join(lines) + more


if __name__ == "__main__":
    program.run(main)
