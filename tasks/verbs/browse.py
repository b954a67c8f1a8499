"""List a folder of the gallery: its files and folders, how many files each holds and how many bytes."""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import uuid
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from tasks import errors, fetch_task, settings
from tasks.errors import ProgramError
from tasks.run import last_words
from tasks.runtime import engines
from tasks.runtime.job import Job
from tasks.runtime.places import Local
from tasks.stages import Resources

IMAGE = "gallery"
RESOURCES = Resources(cpus=1, memory_gb=1, minutes=30, gpus=0)


def add(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", default="", help="below <project>/<source>; /... is below the bucket")
    parser.add_argument("--most", type=int, default=50_000, help="count at most so many files")
    parser.add_argument("--json", action="store_true", help="print it for programs")


def act(args: argparse.Namespace) -> int:
    found = browse(args.folder, args.most)
    if args.json:
        print(json.dumps(found, indent=1))
        return 0
    table = Table(found["folder"], Column("files", justify="right"), Column("bytes", justify="right"))
    for entry in found["entries"]:
        more = "" if entry["counted"] else ("more than " if entry["files"] else "not counted")
        counted = (f"{more}{entry['files']:,}", f"{more}{entry['bytes']:,}") if entry["files"] else (more, "")
        table.add_row(entry["name"], *counted)
    Console().print(table)
    return 0


def browse(folder: str, most: int) -> dict[str, Any]:
    """Return what the gallery's program found: `folder`, and `entries` with name, files, bytes, counted."""
    given = settings.load()
    engine = engines.choose(given.engine, IMAGE)
    job = _job(folder, most)
    try:
        (outcome,) = Local(engine, given.slots).run([job], lambda: None)
        if not outcome.ok:
            what = errors.exit_meaning(
                outcome.exit_code, out_of_memory=outcome.out_of_memory, timed_out=outcome.timed_out
            )
            log = job.folder / "stderr.log"
            again = shlex.join(["python", "-m", "tasks", "browse", folder])
            raise ProgramError(errors.program_failed("browse", what, last_words(log), log, again, ""))
        result: dict[str, Any] = json.loads((job.folder / "out" / "result.json").read_text(encoding="utf-8"))
        found: dict[str, Any] = result["facts"]
    finally:
        shutil.rmtree(job.folder, ignore_errors=True)
    return found


def _job(folder: str, most: int) -> Job:
    given = settings.load()
    name = f"browse-{uuid.uuid4().hex[:12]}"
    asked = fetch_task.connection() | {"folder": folder, "most": str(most)}
    if folder.startswith("/"):
        asked["below"] = ""
    return Job(
        name=f"platewright-{name}",
        image=IMAGE,
        program="browse.py",
        flags=tuple(word for key, value in asked.items() for word in (f"--{key}", value)),
        inputs=(),
        folder=given.layout.work / name,
        resources=RESOURCES,
        network=True,
        passed=fetch_task.passed(),
    )
