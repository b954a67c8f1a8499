"""Look into the gallery without making a result, through the gallery's own image: the host needs no S3 library."""

from __future__ import annotations

import json
import shlex
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tasks import errors
from tasks.definitions.stages import Resources
from tasks.errors import ProgramError
from tasks.execution.stage_run import last_words
from tasks.runtime.arrays.places import Local
from tasks.runtime.core.job import OUTPUT, Job, Mount, words_of
from tasks.runtime.engines import engines
from tasks.settings import settings
from tasks.stage_tasks import fetch

IMAGE = "gallery"
MEMORY_GB = 1
BROWSE_MINUTES, FETCH_MINUTES = 30, 2880
MOST = 50_000
CHECKSUMS = "/in/checksums.csv"


def browse(folder: str, most: int = MOST) -> dict[str, Any]:
    """Return what a folder of the gallery holds: `folder`, and `entries` with name, files, bytes, counted."""
    asked = fetch.connection() | {"folder": folder, "most": str(most)}
    if folder.startswith("/"):
        asked["below"] = ""
    job = _job("browse", "browse.py", asked, BROWSE_MINUTES)
    with _ran(job, shlex.join(["python", "-m", "tasks", "browse", folder])) as out:
        result: dict[str, Any] = json.loads((out / "result.json").read_text(encoding="utf-8"))
    found: dict[str, Any] = result["facts"]
    return found


@contextmanager
def fetched(keys: Sequence[str], again: str) -> Iterator[Path]:
    """Give a folder with the files of the gallery that `keys` name, as far as they are there; it is gone afterwards.

    They are checked as every fetched file is; `again` is the command that tries it once more.
    """
    given = settings.load().gallery
    asked = fetch.connection() | {
        "plate": "reference",
        "wanted": json.dumps(list(keys)),
        "absent": "leave_out",
        "content": "fetch",
        "measurement": "",
        "checksums": CHECKSUMS,
        "write_fetched": f"{OUTPUT}/files/fetched.csv",
        "write_gallery": f"{OUTPUT}/files/gallery",
    }
    checksums = Mount(given.checksums or fetch.NO_CHECKSUMS, CHECKSUMS)
    with _ran(_job("reference", "fetch.py", asked, FETCH_MINUTES, (checksums,)), again) as out:
        yield out / "files/gallery"


@contextmanager
def _ran(job: Job, again: str) -> Iterator[Path]:
    """Give the folder that a job wrote, until it was read; raise ProgramError if it failed."""
    given = settings.load()
    engine = engines.choose(given.engine, IMAGE)
    try:
        (outcome,) = Local(engine, given.slots).run([job], lambda: None)
        if not outcome.ok:
            what = errors.exit_meaning(
                outcome.exit_code, out_of_memory=outcome.out_of_memory, timed_out=outcome.timed_out
            )
            log = job.folder / "stderr.log"
            title = job.program.removesuffix(".py")
            raise ProgramError(errors.program_failed(title, what, last_words(log), log, again, ""))
        yield job.folder / "out"
    finally:
        shutil.rmtree(job.folder, ignore_errors=True)


def _job(what: str, program: str, asked: Mapping[str, str], minutes: int, inputs: tuple[Mount, ...] = ()) -> Job:
    name = f"{what}-{uuid.uuid4().hex[:12]}"
    return Job(
        name=f"platewright-{name}",
        image=IMAGE,
        program=program,
        flags=words_of(asked),
        inputs=inputs,
        folder=settings.load().layout.work / name,
        resources=Resources(cpus=1, memory_gb=MEMORY_GB, minutes=minutes, gpus=0),
        network=True,
        passed=fetch.passed(),
    )
