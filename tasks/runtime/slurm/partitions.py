"""What Slurm's partitions give, and which file systems the nodes can share: for doctor, for plan, and for a warning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tasks.runtime.slurm.slurm import said

LIMIT = re.compile(r"(?:(?P<days>\d+)-)?(?:(?P<hours>\d+):)?(?P<minutes>\d+):(?P<seconds>\d+)")
SHARED = {"nfs", "nfs4", "lustre", "gpfs", "beegfs", "ceph", "cifs", "glusterfs", "panfs", "wekafs", "pvfs2", "afs"}
OF_A_NODE = ("/tmp", "/var/tmp", "/dev/shm", "/run", "/scratch/local", "/localscratch")
"""Where a node's own disk or memory mostly is."""


@dataclass(frozen=True)
class Partition:
    """A partition, by its largest node."""

    name: str
    is_default: bool
    is_up: bool
    minutes: float
    nodes: int
    cpus: int
    memory_gb: float

    def lacks(self, cpus: int, memory_gb: float, minutes: float) -> list[str]:
        """Return what it can not give an element, in words."""
        asked = {"cores": (cpus, self.cpus), "GB": (memory_gb, self.memory_gb), "minutes": (minutes, self.minutes)}
        short = [f"{need:g} {what} of {most:g}" for what, (need, most) in asked.items() if need > most]
        return [*([] if self.is_up else ["it is not up"]), *short]


def partitions() -> dict[str, Partition]:
    """Return the partitions by name; raise NoAnswerError or EngineError if Slurm can not be asked."""
    found: dict[str, Partition] = {}
    for line in said(["sinfo", "--noheader", "--format=%P|%a|%l|%D|%c|%m"]).splitlines():
        name, up, limit, nodes, cpus, memory_mb = line.split("|")
        own = found.get(name.rstrip("*"))
        found[name.rstrip("*")] = Partition(
            name.rstrip("*"),
            name.endswith("*"),
            up == "up",
            minutes(limit),
            _number(nodes) + (own.nodes if own else 0),
            max(_number(cpus), own.cpus if own else 0),
            max(_number(memory_mb) / 1024, own.memory_gb if own else 0.0),
        )
    return found


def most_elements() -> int:
    """Return how many elements the site lets an array have."""
    told = re.search(r"(?m)^MaxArraySize\s*=\s*(\d+)", said(["scontrol", "show", "config"]))
    return int(told[1]) if told else 1001


def minutes(limit: str) -> float:
    """Return a time limit as sinfo shows it: 2-00:00:00, 30:00, infinite."""
    told = LIMIT.fullmatch(limit)
    if not told:
        return float("inf")
    days, hours, full, seconds = (int(part or 0) for part in told.group("days", "hours", "minutes", "seconds"))
    return days * 1440 + hours * 60 + full + seconds / 60


def file_system(path: Path) -> str:
    """Return the kind of file system that a path lies on."""
    there = next(each for each in (path, *path.parents) if each.exists()).resolve()
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    above = [(len(point), kind) for point, kind in mounts if there.is_relative_to(point.replace("\\040", " "))]
    return max(above, default=(0, "unknown"), key=lambda each: each[0])[1]


def unshared(path: Path) -> str:
    """Return why the nodes may not see a path as it is here; empty if its file system is one that nodes share."""
    kind = file_system(path)
    if kind in SHARED or kind.startswith("fuse.") and kind != "fuse.overlayfs":
        return ""
    below = next((place for place in OF_A_NODE if path.is_relative_to(place)), "")
    return f"{path} lies below {below}, which is mostly a node's own" if below else f"{path} lies on {kind}"


def _number(text: str) -> int:
    digits = re.match(r"\d+", text)  # `16+` where nodes differ
    return int(digits[0]) if digits else 0
