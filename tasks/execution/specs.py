"""What a task says of its stage, as two frozen values: what decides the result, and how its jobs are run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tasks.definitions.stages import Resources


@dataclass(frozen=True)
class StageSpec:
    """What decides a stage's result, and where that is published; asked each time that a task is looked at."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    """Flags of the program. They are in the fingerprint, but for those in `neutral`."""
    neutral: Mapping[str, str] = field(default_factory=dict)
    """Parameters that earlier versions did not have, each with the value at which it changes nothing.

    With that value a parameter is in no fingerprint, so results made before it existed stay complete.
    """
    files: Mapping[str, Path] = field(default_factory=dict)
    """Inputs that are files of the project or the user, by the input's name."""
    folders: Mapping[str, Path] = field(default_factory=dict)
    """Where each output is published: the folder, by the output's key (`name`, or `name/plate` of a set)."""
    disabled_outputs: frozenset[str] = frozenset()
    """Outputs that settings leave out; the program is told the settings."""

    def fingerprinted(self) -> dict[str, str]:
        """Return the parameters that the fingerprint holds."""
        return {name: value for name, value in self.parameters.items() if self.neutral.get(name) != value}

    def published_in(self, folder: Path) -> StageSpec:
        """Return this with all outputs published in one folder."""
        return replace(self, folders=dict.fromkeys(self.folders, folder))

    def adding(self, **more: Any) -> StageSpec:
        """Return this with more parameters, neutral values, files, folders or disabled outputs."""
        return replace(self, **_united(self, more))


@dataclass(frozen=True)
class JobSpec:
    """How a stage's jobs are run; nothing of it changes what they make. Asked only when a run begins."""

    resources: Resources
    """What one job may use."""
    units_per_job: int = 1
    """How many units one job works on, where the stage is sharded; fewer where cores would be idle."""
    most_jobs: int | None = None
    """Into how many jobs the units are cut at most; None: as many as there are units."""
    flags: Mapping[str, str] = field(default_factory=dict)
    """Flags of the program that are in no fingerprint; one of the same name as a parameter replaces it."""
    unsharded_inputs: frozenset[str] = frozenset()
    """Folders that every job reads all of, whatever their table (Stage.listed) says."""
    environment: tuple[str, ...] = ()
    """Names of the caller's environment variables that the program sees."""

    def adding(self, **more: Any) -> JobSpec:
        """Return this with more flags, or with other resources, units, inputs or variables."""
        return replace(self, **_united(self, more))


def _united(spec: StageSpec | JobSpec, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return values for the fields of a spec: mappings and sets with what is there already, anything else alone."""
    joined = {name: value for name, value in more.items() if isinstance(value, dict | frozenset)}
    return {**more, **{name: getattr(spec, name) | value for name, value in joined.items()}}
