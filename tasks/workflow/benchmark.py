"""The benchmark's graph: a task a group of plates, and the tables and figures of all groups."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import luigi
from stagekit import outside

from tasks.dataset import layout, lookup, plate_groups, plate_tables
from tasks.dataset.plate_groups import Group
from tasks.errors import MissingInputError
from tasks.execution.specs import StageSpec
from tasks.settings import forms, settings, well_queries
from tasks.settings.parameters import AUTO, Choice, JsonList, JsonTable, Number, Text, Whole, fraction
from tasks.settings.settings import NEGCON, setting
from tasks.stage_tasks.plate import ProvidedTask
from tasks.stage_tasks.stage import StageTask

PUBLISHED = layout.REPOSITORY / "data" / "cpjump1" / "published_benchmark.toml"
FEATURES = ("cellprofiler", "deepprofiler")


PROFILES: Mapping[str, Any] = {
    "form": "the name of a file, with {plate}",
    "check": forms.template("plate"),
    "description": "The profiles that are ranked.",
}
NEGATIVES: Mapping[str, Any] = {
    "kind": Text,
    "default": NEGCON,
    "form": "a pandas query of metadata columns",
    "check": well_queries.query,
}
COLUMNS: Mapping[str, Any] = {"form": "columns of metadata by commas", "check": forms.metadata_columns}


class RankedProfiles(ProvidedTask):
    """A plate's profiles, as they lie there: no stage is started to make them."""

    name = "profiles"
    features = Choice(choices=FEATURES, default="cellprofiler")
    cellprofiler_profiles = setting(
        "benchmark",
        "cellprofiler_profiles",
        Text,
        default="{plate}_normalized_feature_select_negcon_batch.csv.gz",
        **PROFILES,
    )
    deepprofiler_profiles = setting(
        "benchmark", "deepprofiler_profiles", Text, default="{plate}_spherized.csv.gz", **PROFILES
    )

    def folders(self) -> Iterator[Path]:
        yield self.path().parent

    def path(self) -> Path:
        pattern: str = getattr(self, f"{self.features}_profiles")
        name = pattern.format(plate=self.plate)
        layout = settings.load().layout
        batch = layout.deep_batch(self.batch_id) if self.features == "deepprofiler" else self.batch_id
        return layout.published("profiles", batch, self.plate) / name


class LabelTable(ProvidedTask):
    """The table of a plate's targets or genes: the first of those that luigi.cfg names."""

    name = "annotations"
    tables = setting(
        "matching",
        "annotations",
        Text,
        form="names of files by commas, with {platemap} or {stem}",
        check=forms.template("platemap", "stem"),
        default="{stem}_metadata_additional_annotations.tsv,{stem}_metadata_targets.tsv,{stem}_metadata.tsv",
    )

    def found(self) -> Path | None:
        patterns = [pattern.strip() for pattern in self.tables.split(",")]
        return lookup.label_table(settings.load().layout, self.batch_id, self.plate, patterns)

    def path(self) -> Path:
        found = self.found()
        if found is None:
            raise MissingInputError(f"plate {self.plate} has none of the tables that [matching] annotations names")
        plate_tables.good_columns(outside.LABELS, found, "," if found.suffix == ".csv" else "\t")
        return found


class GroupTask(StageTask):
    """Runs a stage on groups of plates. `plate` is the group's name, or the features' where all groups are joined."""

    groups = JsonList(default=(), description="the groups; empty: the plate of that name by itself")
    features = Choice(choices=FEATURES, default="cellprofiler")
    definition_name = setting(
        "benchmark", "definition", Choice, choices=["final", "2022", "copairs"], default="copairs"
    )
    behaviour = setting("benchmark", "behaviour", Choice, choices=["corrected", "as_published"], default="corrected")
    program_flags: Sequence[str] = ()
    """The parameters that go to the program."""

    @property
    def chosen(self) -> list[Group]:
        """Return the groups."""
        given: Sequence[Mapping[str, Any]] = self.groups
        return [Group(**group) for group in given] or [Group(self.plate, (self.plate,))]

    @property
    def results(self) -> str:
        """Return the folder's name of a definition: what is as published never replaces what is corrected."""
        name: str = self.definition_name
        return name + ("_as_published" if self.behaviour == "as_published" else "")

    @property
    def manifest_key(self) -> str:
        return f"{self.results}.{self.subject}"

    def make(self, task: type[GroupTask], plate: str, groups: Sequence[Group]) -> GroupTask:
        """Return another task of the same definition and features."""
        alone = len(groups) == 1 and groups[0] == Group(plate, (plate,))
        given: dict[str, Any] = {
            "batch_id": self.batch_id,
            "plate": plate,
            "groups": () if alone else [group.value() for group in groups],
            "features": self.features,
            "definition_name": self.definition_name,
            "behaviour": self.behaviour,
        }
        return task(**given)

    def of_each(self, task: type[GroupTask], groups: Sequence[Group]) -> list[GroupTask]:
        names = [f"{self.features}_{group.name}" if self.groups else self.plate for group in groups]
        return [self.make(task, name, [group]) for name, group in zip(names, groups, strict=True)]

    def ranked(self) -> list[luigi.Task]:
        """Return the profiles of the plates of its one group."""
        (group,) = self.chosen
        return [RankedProfiles(batch_id=self.batch_id, plate=plate, features=self.features) for plate in group.plates]

    def spec(self) -> StageSpec:
        folder = settings.load().layout.benchmark(self.batch_id, self.results)
        return StageSpec(self.parameters(), folders=dict.fromkeys(self.definition.outputs, folder))

    def parameters(self) -> dict[str, str]:
        """Return the parameters that go to the program."""
        named = {"definition": self.definition_name, "behaviour": self.behaviour, **self.described()}
        own = {name: getattr(self, name) for name in self.program_flags}
        return {**named, **{name: "" if value is None else str(value) for name, value in own.items()}}

    def described(self) -> dict[str, str]:
        """Return what is said of the group in every row of its results."""
        described = _described(self.chosen).items()
        missing = [plate for group in self.chosen for plate in group.missing]
        return {"describe": ",".join(f"{name}={value}" for name, value in described), "missing": ",".join(missing)}


class RankTask(GroupTask):
    """A stage that ranks profiles by a definition."""

    permutations = setting("benchmark", "permutations", Whole, default=100_000, least=1, unit="rankings")
    seed = setting("benchmark", "seed", Whole, default=0, least=0, most=2**32 - 1)
    threshold = setting("benchmark", "threshold", Number, **fraction(0.05))
    program_flags: Sequence[str] = ("permutations", "seed", "threshold")


class Replicability(RankTask):
    stage = "replicability"
    same_by = setting(
        "replicability",
        "same_by",
        Text,
        default=AUTO,
        form="auto, or columns of metadata by commas",
        check=forms.replicates,
    )
    different_by = setting("replicability", "different_by", Text, default="", **COLUMNS)
    negatives = setting("replicability", "negatives", **NEGATIVES)
    negatives_same_by = setting(
        "replicability", "negatives_same_by", Text, default="Metadata_Plate", empty=True, **COLUMNS
    )
    program_flags = (*RankTask.program_flags, "same_by", "different_by", "negatives", "negatives_same_by")

    def requires(self) -> list[luigi.Task]:
        return self.ranked()


class DoseResponse(GroupTask):
    """Of a group whose perturbations have several doses."""

    stage = "dose_response"
    negatives = setting("dose_response", "negatives", **NEGATIVES)
    dose = setting(
        "dose_response", "dose", Text, default=AUTO, form="auto, or a column of metadata", check=forms.replicates
    )
    least_doses = setting("dose_response", "least_doses", Whole, default=5, least=4, unit="doses")
    program_flags = ("negatives", "dose", "least_doses")

    def requires(self) -> list[luigi.Task]:
        return self.ranked()

    def parameters(self) -> dict[str, str]:
        given = super().parameters()
        return {name: text for name, text in given.items() if name not in ("definition", "behaviour")}


class Matching(RankTask):
    stage = "matching"
    labels = setting(
        "matching", "labels", Text, default="target_list,gene", form="columns by commas", check=forms.columns
    )
    separator = setting("matching", "separator", Text, default="|", form="some characters")
    similarity = setting("matching", "similarity", Choice, choices=["auto", "cosine", "abs_cosine"], default="auto")
    program_flags = (*RankTask.program_flags, "labels", "separator", "similarity")

    def requires(self) -> list[luigi.Task]:
        return [*self.of_each(Replicability, self.chosen), *self.annotations()]

    def annotations(self) -> list[luigi.Task]:
        """Return the tables of targets and genes that are there, each once; without any the profiles' own are used."""
        plates = [plate for group in self.chosen for plate in group.plates]
        tasks = {task.found(): task for task in (LabelTable(batch_id=self.batch_id, plate=plate) for plate in plates)}
        return [task for path, task in tasks.items() if path]


class GeneCompoundMatching(Matching):
    """Of two groups: the compounds, then the genes."""

    stage = "gene_compound_matching"


class JoinTask(GroupTask):
    """A stage that joins the results of all groups."""

    def ranked(self) -> list[luigi.Task]:
        """Return the tasks of every group and of every pair."""
        paired = [
            self.make(GeneCompoundMatching, f"{self.features}_{one.name}-{other.name}", [one, other])
            for one, other in plate_groups.pairs(self.chosen)
        ]
        return [*self.of_each(Replicability, self.chosen), *self.of_each(Matching, self.chosen), *paired]


class Tabulate(JoinTask):
    stage = "tabulate"

    def requires(self) -> list[luigi.Task]:
        return self.ranked()

    def spec(self) -> StageSpec:
        return super().spec().adding(files={"published": PUBLISHED})

    def parameters(self) -> dict[str, str]:
        partial = ",".join(group.name for group in self.chosen if group.partial)
        return {"definition": self.definition_name, "batch_id": self.batch_id, "incomplete": partial}


class Figures(JoinTask):
    stage = "figures"
    seed = setting("benchmark", "seed", Whole, default=0, least=0, most=2**32 - 1)
    threshold = setting("benchmark", "threshold", Number, **fraction(0.05))

    def requires(self) -> list[luigi.Task]:
        return self.ranked()

    def parameters(self) -> dict[str, str]:
        return {"definition": self.definition_name, "seed": str(self.seed), "threshold": str(self.threshold)}


class CompareFeatures(JoinTask):
    """Of the groups of several feature sets. `plate` names the sets."""

    stage = "compare_features"
    sets: Any = JsonTable(default={}, description="the groups of each feature set; empty: of its own")

    def requires(self) -> list[luigi.Task]:
        joined = self._joined().values()
        return [task for one in joined for kind in (Replicability, Matching) for task in one.of_each(kind, one.chosen)]

    def parameters(self) -> dict[str, str]:
        names = [features for features, one in self._joined().items() for _ in one.chosen]
        return {"definition": self.definition_name, "features": ",".join(names)}

    def _joined(self) -> dict[str, JoinTask]:
        """Return what joins the groups of each feature set."""
        given: dict[str, Any] = {"batch_id": self.batch_id, "behaviour": self.behaviour}
        given |= {"definition_name": self.definition_name}
        sets: Mapping[str, Any] = self.sets or {self.features: self.groups}
        found: dict[str, JoinTask] = {}
        for name, groups in sets.items():
            own: dict[str, Any] = {"plate": name if self.sets else self.plate, "features": name, "groups": groups}
            found[name] = Tabulate(**given, **own)
        return found


def _described(groups: Sequence[Group]) -> Mapping[str, str]:
    if len(groups) == 2:
        return plate_groups.described_pair(groups[0].describe, groups[1].describe)
    return groups[0].describe or {"Description": groups[0].name}
