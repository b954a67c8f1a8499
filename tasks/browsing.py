"""Ask the gallery what a folder holds, through the gallery's own image: the host needs no S3 library."""

from __future__ import annotations

import json
import shlex
import shutil
import uuid
from typing import Any

from tasks import errors, fetch_task, settings
from tasks.errors import ProgramError
from tasks.run import last_words
from tasks.runtime import engines
from tasks.runtime.job import Job, words_of
from tasks.runtime.places import Local
from tasks.stages import Resources

IMAGE = "gallery"
RESOURCES = Resources(cpus=1, memory_gb=1, minutes=30, gpus=0)
MOST = 50_000


def browse(folder: str, most: int = MOST) -> dict[str, Any]:
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
        flags=words_of(asked),
        inputs=(),
        folder=given.layout.work / name,
        resources=RESOURCES,
        network=True,
        passed=fetch_task.passed(),
    )
