"""What a run is, before it is an act: frozen values without behaviour."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tasks.definitions.stages import Resources

OUTPUT = "/out"
"""Where a program sees its run's folder, in a container; the published files are below /out/files."""
TEMPORARY = "/tmp"
GUARD = {"STAGE_GUARD": "stdin"}
"""What makes stagekit end a program when its stdin closes, which a host that dies does not keep open."""


def words_of(flags: Mapping[str, str]) -> tuple[str, ...]:
    """Return flags as the words of a command: --name value."""
    return tuple(word for name, value in flags.items() for word in (f"--{name}", value))


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host, and where the program sees it."""

    source: Path
    target: str
    writable: bool = False
    listed: str = ""
    """Where the program sees the table that names which of the folder's files it reads; empty: it may read all."""
    afar: bool = False
    """Whether the program can read a folder on S3 by itself: it need not be fetched."""


@dataclass(frozen=True)
class Job:
    """One call of a program: one container run, one array element, or one local process."""

    name: str
    image: str
    program: str
    flags: tuple[str, ...]
    inputs: tuple[Mount, ...]
    folder: Path
    """The run's own folder on the host: seen as /out, with logs, result.json and files/."""
    resources: Resources
    network: bool = False
    passed: tuple[str, ...] = ()
    """Names of the caller's environment variables that the program sees; their values are written nowhere."""
    resumes: bool = False
    """Whether the program goes on with what an interrupted try left in the folder."""
    units: tuple[str, ...] = ()
    """What it works on: sites or channels; empty where the unit is the plate."""
    unit: str = ""
    """What kind of units they are."""
    contracts: tuple[tuple[str, str], ...] = ()
    """Tables that it makes whole (their paths below /out/files), each with its contract."""
    attempt: int = 1
    """How often these units are tried with this call."""
    causes: tuple[str, ...] = ()
    """Why its earlier tries ended badly (tasks/execution/reasons.py), in their order: each cause has its own count."""

    @property
    def mounts(self) -> tuple[Mount, ...]:
        return (*self.inputs, Mount(self.folder / "out", OUTPUT, writable=True))

    @property
    def temporary(self) -> Path:
        """Return the folder on the host for what the program makes and needs no more, where /tmp is not in memory."""
        return self.folder / "tmp"

    def variables(self, temporary: str) -> dict[str, str]:
        """Return the variables that every engine sets, for a program that sees its temporary folder there."""
        threads = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        return {
            "PYTHONHASHSEED": "0",
            **dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR"), temporary),
            **dict.fromkeys(threads, str(self.resources.cpus)),
        }

    @property
    def words(self) -> tuple[str, ...]:
        """Return the command as the program's environment sees it."""
        return ("python", f"/opt/stages/{self.image}/{self.program}", *self.flags, "--output", OUTPUT)

    @property
    def words_here(self) -> tuple[str, ...]:
        """Return the words after the program's name, with the host's paths in the place of the container's."""
        return tuple(self._path_here(word) for word in self.words[2:])

    def _path_here(self, word: str) -> str:
        for mount in self.mounts:
            if word == mount.target or word.startswith(f"{mount.target}/"):
                return str(mount.source) + word[len(mount.target) :]
        return word

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=1, default=str)


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    exit_code: int
    seconds: float
    out_of_memory: bool = False
    timed_out: bool = False
    peak_memory_gb: float | None = None
    """In a container the largest sample, a second apart; of a process the largest one's, by the kernel."""
    cancelled: bool = False
    lost: str = ""
    """Why the place can not say how it ended: its daemon or its node is gone, or somebody else cancelled it."""
    where: str = ""
    """The node that it ran on, and what the scheduler calls it there; empty for this machine."""

    @property
    def ok(self) -> bool:
        return self.exit_code == 0 and not self.cancelled and not self.lost
