"""Run CellProfiler in a process of its own and believe nothing but what can be checked.

It can leave with exit code 0 after it dropped modules or sites, so the log is read line by line: a
line that means failure ends the run at once, and every module must have run on every image set.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Callable

import replacements
from pipelines import Pipeline
from replacements import Witness
from stagekit import program

STEP = re.compile(r"Image # (\d+), module (\w+) # \d+: CPU_time = ([\d.]+) secs")
FAILURES = (
    "Failed to load pipeline",
    "Error detected during run of module",
    "Failed to complete post_run",
    "Failed to prepare run",
    "Could not load ",
    "could not load these modules",
)
OWN_WORDS = 12  # lines of the log that a message quotes

Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Run:
    """One CellProfiler process over one table; `sites` are its rows, image number 1 first."""

    pipeline: Pipeline
    table: Path
    sites: Sequence[str]
    output: Path
    scratch: Path
    plugins: Path | None = None
    """A folder of modules that take the place of CellProfiler's own."""
    tables: str = "csv"
    """parquet: nobody reads the csv files of objects."""

    @property
    def done_file(self) -> Path:
        return self.scratch / "done.txt"

    def words(self) -> list[str]:
        """Return the command line."""
        flags = {
            "-p": self.scratch / "pipeline.cppipe",
            "-o": self.output,
            "-t": self.scratch,
            "-d": self.done_file,
            "--data-file": self.table,
        }
        flags |= {"--plugins-directory": self.plugins} if self.plugins else {}
        start = self.plugins / "_start.py" if self.plugins else replacements.FOLDER / "_start_stock.py"
        return [sys.executable, str(start), "-c", "-r", *(str(w) for pair in flags.items() for w in pair)]


@dataclass
class Log:
    """What CellProfiler said so far: the modules that ran on each image set, and its last lines."""

    witness: Witness
    ran: dict[int, list[str]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    failure: str = ""

    def read(self, line: str) -> int:
        """Take in a line; return the image number if it says that a module ended, else 0."""
        self.lines.append(line.rstrip())
        self.witness.read(line)
        if not self.failure and any(words in line for words in FAILURES):
            self.failure = line.strip()
        step = STEP.search(line)
        if step is None:
            return 0
        self.ran.setdefault(int(step[1]), []).append(step[2])
        return int(step[1])

    def unreplaced(self) -> list[str]:
        """Return the replacements that are not in force though modules have run."""
        return self.witness.missing() if self.ran else []

    def own_words(self) -> str:
        """Return the lines that say what went wrong: those after the first failure, or the last ones."""
        start = next((n for n, line in enumerate(self.lines) if self.failure and self.failure in line), None)
        told = self.lines[start:] if start is not None else self.lines
        if len(told) > OWN_WORDS:
            told = [*told[: OWN_WORDS // 3], "...", *told[-2 * OWN_WORDS // 3 :]]
        return "\n  | ".join(["CellProfiler said:", *told])


def version() -> str:
    """Return CellProfiler's version."""
    return metadata.version("cellprofiler")


class Failure(program.DataError):
    """CellProfiler fell short; `site` is where, or empty if it is about the whole run."""

    def __init__(self, site: str, message: str, crashed: bool = False) -> None:
        super().__init__(message)
        self.site = site
        if crashed:
            self.exit_code = program.EXIT_CRASH


def run(job: Run, progress: Progress) -> Witness:
    """Run CellProfiler over the table; raise Failure with its own words unless every check holds.

    Return what its log says of the modules that took the place of CellProfiler's own.
    """
    job.output.mkdir(parents=True, exist_ok=True)
    job.scratch.mkdir(parents=True, exist_ok=True)
    (job.scratch / "pipeline.cppipe").write_text(job.pipeline.text, encoding="utf-8")
    job.done_file.unlink() if job.done_file.exists() else None
    log = Log(Witness(job.plugins))
    code = _follow(job, log, progress)
    site, fault = _fault(job, log, code)
    if fault:
        crashed = code != 0 and not log.failure and not log.unreplaced()
        raise Failure(site, f"{job.pipeline.name}: {fault}\n  {log.own_words()}", crashed)
    return log.witness


def _follow(job: Run, log: Log, progress: Progress) -> int:
    process = subprocess.Popen(
        job.words(),
        cwd=job.scratch,  # never "/": Bio-Formats then fails on every image
        env=_environment(job),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        _listen(process, log, len(job.pipeline.modules()), progress)
    except BaseException:  # also SIGTERM and Ctrl-C: nothing may be left running
        _end(process)
        raise
    if log.failure or log.unreplaced():
        _end(process)
    return process.wait()


def _listen(process: subprocess.Popen[str], log: Log, modules: int, progress: Progress) -> None:
    """Take in the log until it ends, or until a failure has been told in full."""
    started = time.monotonic()
    for line in process.stdout or ():
        print(line, end="", file=sys.stderr, flush=True)
        image = log.read(line)
        if image and len(log.ran[image]) == modules:
            now = time.monotonic()
            progress(image, now - started)
            started = now
        if log.unreplaced() or log.failure and _told_all(log):
            return


def _told_all(log: Log) -> bool:
    # A traceback follows the failure; it ends with a line that is not indented.
    after = log.lines[next(n for n, line in enumerate(log.lines) if log.failure in line) + 1 :]
    return len(after) > 60 or any(re.match(r"\w[\w.]*(Error|Exception|Interrupt)\b", line) for line in after)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment(job: Run) -> dict[str, str]:
    # One thread: several shards run side by side, and OpenBLAS's threads cost 3 CPU seconds a site for nothing.
    own = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "TMPDIR": str(job.scratch), "PYTHONUNBUFFERED": "1"}
    own |= {"PLATEWRIGHT_OBJECTS": "numbers"} if job.tables == "parquet" else {}  # plugins/exporttospreadsheet.py
    return {"MPLCONFIGDIR": str(job.scratch), **os.environ, **own}


def _fault(job: Run, log: Log, code: int) -> tuple[str, str]:
    """Return the site at fault and what is wrong with the run; empty texts if nothing is."""
    site, where = _where(job, log)
    done = job.done_file.read_text(encoding="utf-8").strip() if job.done_file.exists() else "nothing"
    if log.unreplaced():
        files = ", ".join(log.unreplaced())
        return site, f"CellProfiler runs its own module in place of {files}: engine = fast is not what it did"
    if log.failure:
        return site, f"CellProfiler failed {where}"
    if code != 0:
        return site, f"CellProfiler left with exit code {code}{_meaning(code)} {where}"
    if done != "Complete":
        return site, f"CellProfiler's done file says {done!r}, not 'Complete', {where}"
    for number, name in enumerate(job.sites, start=1):
        left_out = _left_out(log.ran.get(number, []), job.pipeline.modules())
        if left_out:
            return name, f"site {name}: {', '.join(left_out)} did not run, though CellProfiler reported success"
    stray = sorted(set(log.ran) - set(range(1, len(job.sites) + 1)))
    return "", f"it ran image sets {stray} that the table does not list" if stray else ""


def _left_out(ran: Sequence[str], expected: Sequence[str]) -> list[str]:
    counts = {name: ran.count(name) for name in expected}
    return sorted(name for name in counts if counts[name] < expected.count(name))


def _meaning(code: int) -> str:
    # Popen gives a signal as a negative number; 137 is what a shell or container makes of a kill.
    return " (killed: out of memory?)" if code in (-9, 137) else ""


def _where(job: Run, log: Log) -> tuple[str, str]:
    reached = max(log.ran, default=0)
    if not reached:
        return "", f"before its first site, {job.sites[0]}"
    ended = len(log.ran[reached]) >= len(job.pipeline.modules())
    if ended and reached >= len(job.sites):
        return "", "after its last site"
    site = job.sites[min(reached + ended, len(job.sites)) - 1]
    return site, f"at site {site}"
