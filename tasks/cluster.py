"""What doctor looks at where [runtime] place = slurm: Slurm, its partitions against the stages' needs, shared folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tasks import layout, settings, stages
from tasks.errors import EngineError
from tasks.findings import BAD, GOOD, NOTE, Finding
from tasks.runtime.partitions import OF_A_NODE, Partition, most_elements, partitions, unshared
from tasks.runtime.places import LOCAL
from tasks.runtime.queue import NoAnswerError
from tasks.runtime.slurm import SPARE_MINUTES
from tasks.stages import Stage


def examine() -> Iterator[Finding]:
    """Look at Slurm from here; nothing is submitted."""
    if settings.load().place == LOCAL:
        return
    yield from _shared()
    try:
        found, most = partitions(), most_elements()
    except (NoAnswerError, EngineError) as error:
        yield Finding("Slurm", BAD, str(error), "a login node of the cluster, or [runtime] place = local")
        return
    yield Finding("Slurm", GOOD, f"slurmctld answers; {len(found)} partitions")
    asked = settings.load().slurm.packing.max_array
    if asked > most:
        yield Finding(
            "arrays", BAD, f"[slurm] max_array = {asked}, the site's MaxArraySize is {most}", f"at most {most}"
        )
    yield from _partitions(found)


def submitted() -> list[Stage]:
    """Return the stages that run on the cluster."""
    here = settings.load().slurm.network_here
    return [stage for stage in stages.load().values() if not (stage.network and here)]


def partition_of(stage: Stage, found: Mapping[str, Partition]) -> str:
    """Return the partition that a stage's arrays go to; empty if the site has no default."""
    default = next((each.name for each in found.values() if each.is_default), "")
    return settings.slurm_options(stage).partition or default


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
    for what, path in (("data root", settings.load().layout.root), ("clone", layout.REPOSITORY)):
        why = unshared(path)
        state = (BAD if any(place in why for place in OF_A_NODE) else NOTE) if why else GOOD
        remedy = "it must be the same folder on all nodes, with the same path" if why else ""
        yield Finding(f"{what} on the nodes", state, why or f"{path} lies on a shared file system", remedy)
