"""Slurm: how an array is submitted, found again, looked at and cancelled; by its commands, whatever their version."""

from __future__ import annotations

import logging
import math
import os
import re
import shlex
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasks.errors import EngineError, SettingsError
from tasks.runtime.arrays.array_folder import ELEMENT, Array
from tasks.runtime.arrays.queue import (
    CANCELLED,
    DONE,
    FAILED,
    LOST,
    OUT_OF_MEMORY,
    QUEUED,
    REFUSED,
    RUNS,
    TIMED_OUT,
    Arrays,
    ElementState,
    NoAnswerError,
)

logger = logging.getLogger(__name__)

SPARE_MINUTES = 2
"""What an element has beyond its jobs' minutes, so that a job's own limit comes first."""
ANSWER_SECONDS = 60
STATES = {
    **dict.fromkeys(("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT"), QUEUED),
    **dict.fromkeys(("RUNNING", "COMPLETING", "STAGE_OUT", "SUSPENDED", "STOPPED", "SIGNALING", "RESIZING"), RUNS),
    "COMPLETED": DONE,
    "OUT_OF_MEMORY": OUT_OF_MEMORY,
    **dict.fromkeys(("TIMEOUT", "DEADLINE"), TIMED_OUT),
    "CANCELLED": CANCELLED,
    **dict.fromkeys(("NODE_FAIL", "BOOT_FAIL", "LAUNCH_FAILED", "RECONFIG_FAIL", "PREEMPTED", "REVOKED"), LOST),
}
"""Slurm's states; any other is FAILED, about which the element's log may say more."""
NEVER = re.compile(
    "PartitionTimeLimit|PartitionNodeLimit|BadConstraints|InvalidAccount|InvalidQOS|AccountNotAllowed|QOSNotAllowed"
    "|AccountingPolicy|.*(PerJob|PerNode)(Limit)?"
)
"""Reasons of a pending job that no waiting mends."""
SIGNS_OF_MEMORY = ("exceeded memory limit", "Exceeded job memory limit", "oom_kill", "oom-kill", "OOM Killed")
SIGNS_OF_OUTAGE = (
    "Unable to contact slurm controller",
    "Socket timed out",
    "Connection refused",
    "Connection timed out",
    "Connection reset",
    "Communication connection failure",
    "Transport endpoint is not connected",
    "Zero Bytes were transmitted",
    "Unexpected message received",
    "Insane message length",
    "slurmctld in standby mode",
    "Slurm backend cannot accept",
    "temporarily unable to accept job",
    "No route to host",
    "Protocol authentication error",
    "Resource temporarily unavailable",
)
SIGNS_OF_THE_END = ("Invalid job id", "already completing or completed")
OWNED = {
    "array": "[slurm] max_running and max_array",
    "cpus-per-task": "[<stage>] cpus",
    "mem": "[<stage>] memory_gb",
    "mem-per-cpu": "[<stage>] memory_gb",
    "mem-per-gpu": "[<stage>] memory_gb",
    "time": "[<stage>] minutes",
    "partition": "[slurm] partition",
    "account": "[slurm] account",
    "qos": "[slurm] qos",
    "gres": "[slurm] gres",
    "dependency": "nothing: Luigi holds the order of the stages",
    "clusters": "nothing: a job's id must mean one cluster",
    **dict.fromkeys(("ntasks", "nodes", "ntasks-per-node"), "nothing: an element is one task on one node"),
    **dict.fromkeys(("requeue", "no-requeue"), "[retries] tries"),
    **dict.fromkeys(
        (
            "output",
            "error",
            "input",
            "open-mode",
            "chdir",
            "job-name",
            "wrap",
            "parsable",
            "wait",
            "test-only",
            "quiet",
        ),
        "nothing: the toolkit gives it",
    ),
}
"""sbatch's flags that are not the user's to give, and what stands in their place."""


@dataclass(frozen=True)
class Options:
    """What luigi.cfg says of how a stage's arrays are submitted."""

    partition: str = ""
    account: str = ""
    qos: str = ""
    gres: str = ""
    extra: tuple[str, ...] = ()
    max_running: int = 0
    """How many elements of an array may run at once; 0: as many as Slurm lets."""


@dataclass(frozen=True)
class Slurm:
    """Slurm as a scheduler of arrays."""

    options: Options = field(default_factory=Options)
    name = "Slurm"
    remedy = "python -m tasks doctor shows what the partitions have, docs/hpc.md what to change in luigi.cfg"

    def submit(self, array: Array) -> str:
        """Submit an array and return its id; NoAnswerError leaves open whether it was submitted."""
        words = ["sbatch", "--parsable", *flags(array, self.options), str(ELEMENT), str(array.folder)]
        return said(words).strip().partition(";")[0]

    def find(self, name: str) -> str:
        """Return the id of the array that was submitted under a name; empty if the queue has none."""
        return said([*_squeue(), f"--name={name}", "--format=%F"]).partition("\n")[0].strip()

    def adopt(self, array: Array) -> None:
        """Do nothing: squeue tells of all arrays of a user."""

    def ask(self) -> Arrays:
        """Return what is known of all arrays of this user, with those that ended a short while ago."""
        found: dict[str, list[ElementState]] = {}
        for line in said([*_squeue(), "--format=%F|%K|%T|%r|%N"]).splitlines():
            array, indices, state, reason, nodes = (*line.split("|"), "", "", "", "")[:5]
            words = ", ".join(each for each in (state, reason if reason != "None" else "", nodes) if each)
            how = REFUSED if state == "PENDING" and NEVER.fullmatch(reason) else STATES.get(state, FAILED)
            found.setdefault(array, []).extend(ElementState(*span, how, words) for span in spans(indices))
        return found

    def judged(self, seen: ElementState, log: Path) -> ElementState:
        """Return what an element's log makes of the state FAILED: where memory is no resource of a control group,
        slurmd itself ends what exceeds it, and says so there only."""
        if seen.how != FAILED or not log.exists():
            return seen
        text = log.read_text(encoding="utf-8", errors="replace")
        return replace(seen, how=OUT_OF_MEMORY) if any(sign in text for sign in SIGNS_OF_MEMORY) else seen

    def cancel(self, array_id: str, indices: Collection[int] = ()) -> None:
        """Cancel an array, or some of its elements; those that have ended are no error."""
        names = [f"{array_id}_{index}" for index in indices] or [array_id]
        try:
            said(["scancel", "--quiet", *names])
        except EngineError as error:
            if not any(sign in str(error) for sign in SIGNS_OF_THE_END):
                raise


def flags(array: Array, options: Options) -> list[str]:
    """Return sbatch's flags for an array."""
    asked = array.resources
    most = f"%{options.max_running}" if options.max_running else ""
    gres = options.gres or (f"gpu:{asked.gpus}" if asked.gpus else "")
    given = {"partition": options.partition, "account": options.account, "qos": options.qos, "gres": gres}
    folder = str(array.folder).replace("%", "%%")
    return [
        f"--job-name={array.name}",
        f"--array=0-{len(array.elements) - 1}{most}",
        # A try is a try: what is run again, and how often, tasks/execution/retries.py says, and the ledger holds.
        "--no-requeue",
        "--ntasks=1",
        f"--cpus-per-task={asked.cpus}",
        f"--mem={math.ceil(asked.memory_gb * 1024)}M",
        f"--time={math.ceil(asked.minutes) + SPARE_MINUTES}",
        f"--chdir={array.folder}",
        f"--output={folder}/element-%a.log",
        *(f"--{name}={value}" for name, value in given.items() if value),
        *options.extra,
    ]


def extra_flags(text: str, where: str) -> tuple[str, ...]:
    """Return further flags for sbatch; raise SettingsError for one that is ours, or no flag."""
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise SettingsError(f"{where} = {text}: {error}; close the quotation") from error
    for word in words:
        name = word.removeprefix("--").partition("=")[0]
        if not re.fullmatch(r"--[a-z][a-z-]*(=.*)?", word):
            raise SettingsError(f"{where}: {word!r} is no flag of the form --name or --name=value")
        # sbatch takes a flag's beginning for the whole.
        owned = next((flag for flag in OWNED if flag.startswith(name)), None)
        if owned:
            raise SettingsError(f"{where}: --{owned} is not to be given here; in its place stands {OWNED[owned]}")
    return words


def spans(text: str) -> list[tuple[int, int]]:
    """Return the indices that squeue shows as `3`, `0-7%2` or `1,4-8:2`, as spans from first to last."""
    found = []
    for part in text.partition("%")[0].split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        if not first.isdigit():  # no array's element
            continue
        ends = int(first), int(last or first)
        found += [(index, index) for index in range(ends[0], ends[1] + 1, int(step))] if step else [ends]
    return found


def _squeue() -> list[str]:
    return ["squeue", f"--user={os.getuid()}", "--states=all", "--noheader"]


def said(words: Sequence[str]) -> str:
    """Return what a command of Slurm printed; raise NoAnswerError if slurmctld is away, else EngineError."""
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, env=_environment(), timeout=ANSWER_SECONDS
        )
    except FileNotFoundError as error:
        raise EngineError(f"there is no command {words[0]}: [runtime] place = slurm needs a login node") from error
    except subprocess.TimeoutExpired as error:
        raise NoAnswerError(f"{words[0]} has not answered for {ANSWER_SECONDS} s") from error
    complaint = " ".join(line for line in done.stderr.splitlines() if line.strip())
    if done.returncode and any(sign in complaint for sign in SIGNS_OF_OUTAGE):
        raise NoAnswerError(f"slurmctld does not answer ({complaint})")
    if done.returncode:
        raise EngineError(f"{shlex.join(words)} failed: {complaint}")
    return done.stdout


def _environment() -> dict[str, str]:
    """Return our environment without what a surrounding Slurm job says of itself: sbatch would take it for wishes."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_") or name == "SLURM_CONF"}
    return own | {"SLURM_BITSTR_LEN": "0"}  # squeue cuts no list of indices short
