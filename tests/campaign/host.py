"""`luigi --module tasks ...` with stubs in the place of all stages' programs but those that REAL_STAGES names.

The process engine, its children and all of the host side are the real ones: only the program is another.
STUB_FAULT is what a stub suffers from ({"stage": ..., "unit": ..., "act": hang | crash | memory | hog | wait}; it waits
until the file `gate` is there); CLOCK_JUMP moves the host's clock by so many seconds.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import time
from pathlib import Path

JUMP_SECONDS = float(os.environ.get("CLOCK_JUMP", "0"))
if JUMP_SECONDS:  # before anybody takes a name from these modules
    real_datetime, real_time = datetime.datetime, time.time

    class Jumped(real_datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:
            return real_datetime.now(tz) + datetime.timedelta(seconds=JUMP_SECONDS)

    datetime.datetime = Jumped  # type: ignore[misc]
    time.time = lambda: real_time() + JUMP_SECONDS

from luigi.cmdline import luigi_run
from stagekit import contracts

from tasks.definitions import stages
from tasks.runtime.core.job import Job
from tasks.runtime.engines.process_engine import ProcessEngine
from tasks.runtime.images import environments
from tasks.workflow import report

FAULT = json.loads(os.environ.get("STUB_FAULT", "{}"))
STUB = Path(__file__).with_name("stub.py")
REAL = set(os.environ.get("REAL_STAGES", "").split(",")) - {""}


def _columns(rules: str) -> list[str]:
    table = contracts.BY_NAME[rules]
    return [*table.required, *(f"{prefix}Area" for prefix in table.prefixes)]


def main() -> None:
    real_words = ProcessEngine._words

    def words(self: ProcessEngine, job: Job) -> list[str]:
        stage = stages.stage(job.name.split("-")[1])
        if stage.name in REAL:
            return real_words(self, job)
        columns = {name: _columns(rules) for name, rules in stage.contract.items()}
        told = {"columns": columns, "fault": FAULT if FAULT.get("stage") == stage.name else {}}
        return [sys.executable, str(STUB), json.dumps(told), *job.words_here]

    # The report of a failed run is made by a process of its own, which is to have these stubs too.
    report.in_a_process = lambda batch: [sys.executable, "-m", "tests.campaign.host", "Report", "--batch-id", batch]
    ProcessEngine._words = words  # type: ignore[method-assign]
    if not REAL:
        environments.unmakeable = lambda image: None
        environments.make = lambda image: None
        environments.variables = lambda image: {"PATH": os.environ["PATH"]}
    sys.exit(luigi_run([*sys.argv[1:], "--module", "tasks"]))


if __name__ == "__main__":
    main()
