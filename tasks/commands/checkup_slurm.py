"""What doctor looks at where [runtime] place = slurm: shared folders, and the partitions against the stages' needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tasks.commands.finding import BAD, GOOD, NOTE, Finding
from tasks.dataset import layout
from tasks.definitions import stages
from tasks.definitions.stages import Stage
from tasks.errors import EngineError
from tasks.execution import backends
from tasks.runtime.arrays.places import SLURM
from tasks.runtime.arrays.queue import NoAnswerError
from tasks.runtime.slurm.partitions import OF_A_NODE, Partition, most_elements, partitions, unshared
from tasks.runtime.slurm.slurm import SPARE_MINUTES
from tasks.settings import sections, settings


def examine() -> Iterator[Finding]:
    """Look at Slurm from here; nothing is submitted."""
    if settings.load().place != SLURM:
        return
    yield from _shared()
    try:
        found, most = partitions(), most_elements()
    except (NoAnswerError, EngineError) as error:
        yield Finding("Slurm", BAD, str(error), "a login node of the cluster, or [runtime] place = local")
        return
    yield Finding("Slurm", GOOD, f"slurmctld answers; {len(found)} partitions")
    asked: int = sections.slurm().max_array
    if asked > most:
        yield Finding(
            "arrays", BAD, f"[slurm] max_array = {asked}, the site's MaxArraySize is {most}", f"at most {most}"
        )
    yield from _partitions(found)


def submitted() -> list[Stage]:
    """Return the stages that run on the cluster."""
    return [stage for stage in stages.load().values() if not backends.is_here(stage)]


def partition_of(stage: Stage, found: Mapping[str, Partition]) -> str:
    """Return the partition that a stage's arrays go to; empty if the site has no default."""
    default = next((each.name for each in found.values() if each.is_default), "")
    return backends.options(stage).partition or default


@dataclass(frozen=True)
class Share:
    """What a partition would have to do."""

    name: str
    stages: tuple[str, ...]
    core_hours: float
    cores: int
    """Of its largest node; 0 where Slurm does not answer."""

    @property
    def node_hours(self) -> float:
        return self.core_hours / self.cores if self.cores else 0.0


def shares(core_seconds: Mapping[str, float]) -> list[Share]:
    """Return what each partition would have to do of stages that take so many core-seconds."""
    try:
        found = partitions()
    except (NoAnswerError, EngineError):
        found = {}
    names: dict[str, list[str]] = {}
    for stage in (stages.stage(name) for name, seconds in core_seconds.items() if seconds):
        names.setdefault(partition_of(stage, found), []).append(stage.name)
    return [
        Share(
            name,
            tuple(of_it),
            sum(core_seconds[stage] for stage in of_it) / 3600,
            max((found[each].cpus for each in name.split(",") if each in found), default=0),
        )
        for name, of_it in names.items()
    ]


def _partitions(found: Mapping[str, Partition]) -> Iterator[Finding]:
    users: dict[str, list[Stage]] = {}
    for stage in submitted():
        users.setdefault(partition_of(stage, found), []).append(stage)
    for name, of_it in users.items():
        known = [found[each] for each in name.split(",") if each in found]
        if not known:
            said = f"there is no partition {name!r}" if name else "the site has no default partition"
            yield Finding("partition", BAD, f"{said}; known: {', '.join(sorted(found))}", "[slurm] partition")
            continue
        for each in known:
            what = f"{each.nodes} nodes, {each.cpus} cores and {each.memory_gb:,.0f} GB each, {each.minutes:g} minutes"
            yield Finding(f"partition {each.name}", GOOD, f"{what}: {len(of_it)} stages")
        yield from (bad for stage in of_it for bad in _short(stage, known))


def _short(stage: Stage, known: list[Partition]) -> Iterator[Finding]:
    need = settings.resources(stage)
    lacking = [each.lacks(need.cpus, need.memory_gb, need.minutes + SPARE_MINUTES) for each in known]
    if all(lacking):
        said = f"partition {known[0].name} can not give {', '.join(lacking[0])}"
        remedy = f"[{stage.name}] slurm_partition, or cpus, memory_gb, minutes"
        yield Finding(f"stage {stage.name}", BAD, said, remedy)


def _shared() -> Iterator[Finding]:
    for what, path in {"data root": settings.load().layout.root, **layout.TOOLKIT.shared}.items():
        why = unshared(path)
        state = (BAD if any(place in why for place in OF_A_NODE) else NOTE) if why else GOOD
        remedy = "it must be the same folder on all nodes, with the same path" if why else ""
        yield Finding(f"{what} on the nodes", state, why or f"{path} lies on a shared file system", remedy)
