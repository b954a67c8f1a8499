"""A batch's manifests as a Workflow Run RO-Crate: what it holds, before anything is written.

The crate follows the Provenance Run Crate profile (https://w3id.org/ro/wfrun/provenance/0.5): a CreateAction for every
run of a stage, with what it read and wrote, the program and its environment, the parameters, who and when.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rocrate.model import ComputationalWorkflow, ComputerLanguage, ContextEntity, Dataset, File
from rocrate.model.entity import Entity
from rocrate.rocrate import ROCrate

from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.results.manifest import TOOLKIT, Manifest

GRAPH = "graph.json"
LUIGI = "https://github.com/spotify/luigi"
RUN_CRATE = "https://w3id.org/ro/wfrun/{}/0.5"
PROFILES = (*(RUN_CRATE.format(name) for name in ("process", "workflow", "provenance")),)
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
LICENSE = "https://creativecommons.org/publicdomain/zero/1.0/"


class Crate:
    """A crate while it is filled: an entity is made where it is first named."""

    def __init__(self, layout: Layout, batch: str, found: Sequence[Manifest], state: str) -> None:
        self.layout, self.batch, self.found = layout, batch, found
        self.stages = list(dict.fromkeys(each.stage for each in found))
        self.crate = ROCrate(version="1.1")
        self.crate.name = f"{batch}: from images to profiles"
        self.crate.description = f"What was made of batch {batch}, from what, by what, when and by whom."
        self.crate.license = LICENSE
        self.crate.root_dataset["version"] = state
        self.crate.root_dataset["conformsTo"] = [
            self._entity(url, "CreativeWork", name=url.split("/")[-2], version=url.split("/")[-1])
            for url in (*PROFILES, WORKFLOW_CRATE)
        ]
        for each in found:  # what lies there is what was published last, whatever was read from that place before
            self._written(each)
        self._add_runs([self._run(each) for each in found])

    def metadata(self) -> dict[str, Any]:
        """Return the content of ro-crate-metadata.json."""
        content: dict[str, Any] = self.crate.metadata.generate()
        return content

    @cached_property
    def workflow(self) -> Entity:
        """Return the graph of stages: the workflow that was run."""
        language = self.crate.add(ComputerLanguage(self.crate, "#luigi-tasks", {"name": "Luigi", "url": LUIGI}))
        described = {
            "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
            "name": "The graph of stages",
            "version": version("platewright"),
            "programmingLanguage": language,
            "step": [self._step(name) for name in self.stages],
            "hasPart": list({tool.id: tool for tool in map(self._tool, self.found)}.values()),
        }
        made = self.crate.add(ComputationalWorkflow(self.crate, None, GRAPH, properties=described))
        self.crate.mainEntity = made
        return made

    def _entity(self, identifier: str, kind: str | list[str], **properties: Any) -> Entity:
        """Return the entity of that name; its properties are set where it is first asked for."""
        known = self.crate.get(identifier)
        if known is not None:
            return known
        return self.crate.add(ContextEntity(self.crate, identifier, {"@type": kind, **properties}))

    def _file(self, told: Mapping[str, Any], name: str) -> Entity:
        """Return what was read or written: a file by its sha256, a folder by that of its list of names and sha256."""
        path, sha256 = str(told["path"]), str(told["digest"])
        size = {"name": name, "contentSize": str(told["bytes"])}
        whole = self.layout.root / path
        if path.startswith(TOOLKIT) or Path(path).is_absolute() or not whole.exists():  # it is not with the data
            return self._entity(f"#{quote(path)}@{sha256[:12]}", "CreativeWork", sha256=sha256, **size)
        place = quote(Path(os.path.relpath(whole, self.layout.provenance(self.batch))).as_posix())
        known = self.crate.get(place) or self.crate.get(f"{place}/")
        if known is not None and known.get("sha256") != sha256:  # other content than what came to lie there later
            return self._entity(f"#{place}@{sha256[:12]}", "CreativeWork", sha256=sha256, **size)
        if known is not None:
            return known
        made = (Dataset if whole.is_dir() else File)(self.crate, None, place, properties={"sha256": sha256, **size})
        return self.crate.add(made)

    def _step(self, stage: str) -> Entity:
        position = str(self.stages.index(stage) + 1)
        first = next(each for each in self.found if each.stage == stage)
        return self._entity(
            f"{GRAPH}#{stage}",
            "HowToStep",
            name=stage,
            description=stages.stage(stage).summary,
            position=position,
            workExample=self._tool(first),
        )

    def _tool(self, each: Manifest) -> Entity:
        """Return the program, by the hash of its code, and the environment that it ran in."""
        table, version = stages.stage(each.stage), str(each.fingerprint["program"])
        environment = f"{table.image}-{hashlib.sha256(json.dumps(each.environment).encode()).hexdigest()[:12]}"
        described = ", ".join(f"{name} {value}" for name, value in each.environment.items())
        needs = self._entity(
            f"#{environment}",
            "SoftwareApplication",
            name=table.image,
            description=described,
            softwareVersion=each.environment.get("digest") or str(each.fingerprint["environment"]),
        )
        return self._entity(
            f"#{each.stage}-{version[:12]}-{environment}",
            "SoftwareApplication",
            name=table.program,
            description=table.summary,
            softwareVersion=version,
            softwareRequirements=needs,
        )

    def _run(self, each: Manifest) -> Entity:
        """Return the action of one run of a stage."""
        began = datetime.datetime.fromisoformat(each.started)
        ended = began + datetime.timedelta(seconds=each.seconds)
        subject = f"{each.stage}/{each.plate}"
        agent = self._entity(f"#{quote(each.by or 'unknown')}", "Person", name=each.by or "unknown")
        warned = f" {len(each.warnings)} warnings." if each.warnings else ""
        units = ", ".join(f"{count} {state}" for state, count in each.units.items())
        return self._entity(
            f"#{quote(subject)}",
            "CreateAction",
            name=subject,
            description=f"{stages.stage(each.stage).summary}{warned}{' Units: ' + units if units else ''}",
            instrument=self._tool(each),
            agent=agent,
            startTime=began.isoformat(),
            endTime=ended.isoformat(timespec="seconds"),
            actionStatus="http://schema.org/CompletedActionStatus",
            object=[*self._read(each), *self._parameters(each)],
            result=self._written(each),
        )

    def _written(self, each: Manifest) -> list[Entity]:
        return [self._file(told, name) for name, told in each.outputs.items()]

    def _read(self, each: Manifest) -> list[Entity]:
        return [self._file(told, name) for name, found in each.inputs.items() for told in found]

    def _parameters(self, each: Manifest) -> list[Entity]:
        given: Mapping[str, str] = each.fingerprint["parameters"]
        return [
            self._entity(f"#{each.stage}.{name}={quote(value, safe='')}", "PropertyValue", name=name, value=value)
            for name, value in given.items()
        ]

    def _add_runs(self, runs: Sequence[Entity]) -> None:
        """Add the run of the whole, which the runs of stages are parts of, and what held them together."""
        luigi = self._entity("#luigi", "SoftwareApplication", name="Luigi", url=LUIGI, version=version("luigi"))
        whole = self._entity(
            f"#{self.batch}",
            "CreateAction",
            name=f"All that was made of {self.batch}",
            description="Every stage's last run on every plate, and on the plates jointly.",
            instrument=self.workflow,
            agent=runs[-1]["agent"],
            startTime=runs[0]["startTime"],
            endTime=max(str(run["endTime"]) for run in runs),
            actionStatus="http://schema.org/CompletedActionStatus",
            result=[result for run in runs for result in run["result"]],
        )
        controls = [
            self._entity(f"{run.id}-control", "ControlAction", instrument=self._step(each.stage), object=run)
            for run, each in zip(runs, self.found, strict=True)
        ]
        self._entity(
            f"#{self.batch}-organization",
            "OrganizeAction",
            name=f"Run of {self.batch}",
            instrument=luigi,
            agent=whole["agent"],
            startTime=whole["startTime"],
            endTime=whole["endTime"],
            object=controls,
            result=whole,
        )
        self.crate.root_dataset["mentions"] = [whole, *runs]
