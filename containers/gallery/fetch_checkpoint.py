"""Fetch the weights of a network from a URL, and check them against their SHA-256 where it is known."""

from __future__ import annotations

import hashlib
import os
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Tuple
from urllib.parse import urlsplit

from stagekit import program

TRIES = 3
STALL_SECONDS = 60
CHUNK_BYTES = 1 << 20


def main() -> None:
    """Read the flags, fetch, check."""
    flags = program.parser(__doc__)
    flags.add_argument("--url", required=True, help="http, https or ftp")
    flags.add_argument("--sha256", required=True, help="what it must be; may be empty")
    flags.add_argument("--write_checkpoint", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        if urlsplit(args.url).scheme not in ("http", "https", "ftp"):
            raise program.DataError(f"{args.url}: not a URL of http, https or ftp; a file is named by its path")
        partial = args.output / "checkpoint.partial"
        began = time.monotonic()
        digest, count = fetch(args.url, partial)
        if args.sha256 and digest != args.sha256.lower():
            message = f"{args.url}: what came has SHA-256 {digest}, [deep_profile] checkpoint_sha256 says {args.sha256}"
            raise program.DataError(f"{message}; correct one of them")
        if not args.sha256:
            report.warn(
                f"{args.url} came unchecked: give [deep_profile] checkpoint_sha256 = {digest} to hold it to that"
            )
        report.fact("sha256", digest)
        report.fact("bytes", count)
        args.write_checkpoint.parent.mkdir(parents=True, exist_ok=True)
        os.replace(partial, args.write_checkpoint)
        report.unit(args.write_checkpoint.name, "ok", time.monotonic() - began)


def fetch(url: str, path: Path) -> Tuple[str, int]:
    """Write what a URL holds; return its SHA-256 and its size in bytes. ServiceError after three tries."""
    reason = ""
    for _ in range(TRIES):
        try:
            return _fetch_once(url, path)
        except urllib.error.HTTPError as error:
            reason = f"HTTP {error.code} {error.reason}"
            if error.code < 500 and error.code != 429:
                break
        except OSError as error:  # a refused, reset, stalled or cut connection
            reason = str(error)
    raise program.ServiceError(f"{url} cannot be fetched: {reason}; or lay the file and name it in [deep_profile]")


def _fetch_once(url: str, path: Path) -> Tuple[str, int]:
    digest, count = hashlib.sha256(), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    with urllib.request.urlopen(url, timeout=STALL_SECONDS) as answer, open(path, "wb") as out:
        while chunk := answer.read(CHUNK_BYTES):
            digest.update(chunk)
            out.write(chunk)
            count += len(chunk)
        expected = answer.headers.get("Content-Length")
    if expected is not None and int(expected) != count:
        raise OSError(f"{count} of {expected} bytes came")
    return digest.hexdigest(), count


if __name__ == "__main__":
    program.run(main)
