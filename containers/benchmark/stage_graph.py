"""The stages of a batch as a graph: who read what of whom, by the content that was read."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Sequence, Set, Tuple

Run = Mapping[str, Any]
Arrow = Tuple[str, str]


def makers(runs: Sequence[Run]) -> Dict[Tuple[str, str], str]:
    """Return the stage that made each content first, by the output's name and the content's digest."""
    latest_first = sorted(runs, key=lambda run: run["started"], reverse=True)
    return {
        (key.split("/")[0], made["digest"]): run["stage"]
        for run in latest_first
        for key, made in run["outputs"].items()
    }


def arrows(runs: Sequence[Run]) -> Set[Arrow]:
    """Return (from, to): a stage of `to` read under its own name what a stage of `from` had written."""
    made = makers(runs)
    read = {
        (made.get((name, digest), ""), run["stage"])
        for run in runs
        for name, digests in run["inputs"].items()
        for digest in digests
    }
    return {(before, after) for before, after in read if before and before != after}


def laid(runs: Sequence[Run]) -> List[Dict[str, Any]]:
    """Return what no stage made: each content once, the stages that read it and of what."""
    made = makers(runs)
    found: Dict[Tuple[str, str], Dict[str, Any]] = {}
    for run in runs:
        for name, digests in run["inputs"].items():
            for digest in (digest for digest in digests if (name, digest) not in made):
                entry = found.setdefault((name, digest), {"stages": {}, "subjects": {}, "path": ""})
                entry["path"] = run.get("read", {}).get(digest, entry["path"])
                entry["stages"][run["stage"]] = entry["subjects"][run["subject"]] = None
    listed = [
        {**entry, "name": name, "digest": digest, "stages": [*entry["stages"]], "subjects": [*entry["subjects"]]}
        for (name, digest), entry in found.items()
    ]
    return sorted(listed, key=lambda entry: (entry["name"], entry["subjects"], entry["digest"]))


def levels(stages: Sequence[str], drawn: Set[Arrow]) -> Dict[str, int]:
    """Return how deep each stage lies: one below the lowest that it reads from."""
    before = {stage: {one for one, other in drawn if other == stage} for stage in stages}
    depth: Dict[str, int] = {}
    left = sorted(stages)
    while left:
        ready = [stage for stage in left if before[stage] <= set(depth)]
        ready = ready or left[:1]  # a circle: a stage was run again on what later stages had made of it
        for stage in ready:
            depth[stage] = 1 + max((depth[one] for one in before[stage] if one in depth), default=-1)
        left = [stage for stage in left if stage not in depth]
    return depth
