"""RunBenchmark: which plates, in which groups, by which definition; and what a person is shown in the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import luigi

from tasks.dataset import catalogue, lookup, plate_groups
from tasks.dataset.plate_groups import Group
from tasks.errors import MissingInputError, SettingsError, unknown
from tasks.results import provenance
from tasks.settings import forms, settings
from tasks.settings.parameters import AUTO, Choice, Names, Text, Typed
from tasks.settings.settings import setting
from tasks.stage_tasks.plate import LAID, START_FROM, fetches
from tasks.workflow import benchmark_table, doses, queries
from tasks.workflow.benchmark import (
    FEATURES,
    CompareFeatures,
    DoseResponse,
    Figures,
    GroupTask,
    RankedProfiles,
    Replicability,
    Tabulate,
)
from tasks.workflow.report import BatchReported, Report
from tasks.workflow.run_plate_and_batch import RunBatch, feature_sets


class RunBenchmark(BatchReported):
    """The benchmark of a batch: all groups, their tables and figures.

    It takes the profiles that are there and makes none, unless it is told from where to start.
    """

    plates = Names(default=(), description="P1,P2; all plates of the batch if empty")
    where = Typed(default="", form="conditions", description="Cell_type=U2OS,Time=24|48: only the plates that meet it")
    features = Typed(
        default="cellprofiler", form="feature sets by commas", description=f"by commas: {', '.join(FEATURES)}"
    )
    definition = setting("benchmark", "definition", Choice, choices=["final", "2022", "copairs"], default="copairs")
    behaviour = setting("benchmark", "behaviour", Choice, choices=["corrected", "as_published"], default="corrected")
    group_by = setting(
        "benchmark", "group_by", Text, default="auto", form="auto, or columns by commas", check=forms.columns
    )
    start_from = Choice(
        choices=START_FROM,
        default=LAID,
        significant=False,
        description="images, backend, profiles, cells or wells: first all that comes before; laid: the profiles that "
        "are there",
    )
    told = False

    def requires(self) -> list[luigi.Task]:
        self._check()
        if self.start_from == LAID:
            return self.parts()
        named = ("batch_id", "plates", "where", "start_from", "features")
        return [RunBatch(**{name: getattr(self, name) for name in named}, report=False)]

    def _check(self) -> None:
        """Raise SettingsError for what would come out only once all plates are measured."""
        feature_sets(self.features)
        if self.definition == "copairs" and self.behaviour == "as_published":
            raise SettingsError(
                "behaviour = as_published repeats the defects of the definitions final and 2022: name one of them"
            )
        given = settings.load().layout
        known, fetched_first = catalogue.of_batch(given, self.batch_id), self._metadata_are_fetched()
        if known:
            plate_groups.columns(self.group_by, known)
        elif self.group_by != "auto" and not fetched_first:
            said = f"nothing is known of the plates of batch {self.batch_id}"
            lay = f"lay {given.experiment_metadata(self.batch_id)}"
            raise SettingsError(f"luigi.cfg [benchmark] group_by = {self.group_by}: {said}; {lay}")
        if self.start_from not in (LAID, "profiles") and not fetched_first:  # profiles have columns of their own
            self._check_columns()

    def _metadata_are_fetched(self) -> bool:
        there = settings.load().layout.barcode_platemap(self.batch_id).is_file()
        return fetches(str(self.start_from)) and not there

    def _check_columns(self) -> None:
        """Raise SettingsError if [replicability] names a column that a plate will not have."""
        keys = ("same_by", "different_by", "negatives", "negatives_same_by")
        named = {("replicability", key): settings.default_of(Replicability, key) for key in keys}
        given = settings.load().layout
        listed = self.plates or lookup.plates(given, self.batch_id)
        for plate in catalogue.plates(given, self.batch_id, listed, self.where):
            queries.check(str(self.batch_id), plate, named)

    def parts(self) -> list[luigi.Task]:
        """Return the tables and figures of each feature set."""
        each = {features: self._of(features) for features in feature_sets(self.features)}
        dosed = [task for tasks in each.values() for task in self._dosed(tasks[0])]
        return [*(task for tasks in each.values() for task in tasks), *dosed, *self._compared(each)]

    def _dosed(self, joined: GroupTask) -> list[GroupTask]:
        """Return the dose responses of the groups in which a perturbation has several doses."""
        return joined.of_each(DoseResponse, [group for group in joined.chosen if self._has_doses(group)])

    def _has_doses(self, group: Group) -> bool:
        """Say whether a group has several doses, or the column that luigi.cfg says they are in."""
        column = settings.default_of(DoseResponse, "dose")
        if column == AUTO:
            return bool(doses.column(str(self.batch_id), group.plates))
        return all(column in queries.columns(str(self.batch_id), plate) for plate in group.plates)

    def _compared(self, each: dict[str, list[GroupTask]]) -> list[luigi.Task]:
        """Return the comparison of several feature sets, of the groups that all of them have."""
        names = [{group.name for group in tasks[0].chosen} for tasks in each.values()]
        both = set.intersection(*names) if len(names) > 1 else set()
        if not both:
            return []
        sets = {
            name: [group.value() for group in tasks[0].chosen if group.name in both] for name, tasks in each.items()
        }
        given: dict[str, Any] = {"batch_id": self.batch_id, "plate": "-".join(each), "sets": sets}
        given |= {"definition_name": self.definition, "behaviour": self.behaviour}
        return [CompareFeatures(**given)]

    def complete(self) -> bool:
        """Say whether this run has shown the results: it does so each time, also when nothing had to be done."""
        return self.told

    def run(self) -> Iterator[list[luigi.Task]]:
        """Go on with the profiles that are there by now, and show the results."""
        yield self.parts()
        yield [self.report()]
        provenance.write(settings.load().layout, self.batch_id, settings.load().store)
        self.show()
        self.told = True

    def is_made(self) -> bool:
        """Say whether all that is shown lies there; raise MissingInputError if the profiles do not."""
        return all(part.complete() for part in [*self.parts(), self.report()])

    def results(self) -> dict[str, Path]:
        """Return the folder of each feature set's tables."""
        return {features: self._of(features)[0].output_folder("comparison") for features in feature_sets(self.features)}

    def show(self) -> None:
        """Print the comparison of every feature set, and where the results lie."""
        for features in feature_sets(self.features):
            tabulate = self._of(features)[0]
            absent = [plate for group in self._groups() for plate in _there(self.batch_id, group, features).missing]
            benchmark_table.show(tabulate.output_folder("comparison"), features, tabulate.results, absent)
        path = self.report().output_folder("report") / f"{self.batch_id}_report.html"
        print(f"report: {settings.load().store.ensure_local(path)}")

    def report(self) -> Report:
        """Return the page about the batch."""
        return Report(batch_id=self.batch_id)

    def _of(self, features: str) -> list[GroupTask]:
        groups = [_there(self.batch_id, group, features) for group in self._groups()]
        there = [group for group in groups if group.plates]
        if not there:
            wanted = RankedProfiles(batch_id=self.batch_id, plate=groups[0].missing[0], features=features).path()
            absent = sum(len(group.missing) for group in groups)
            message = (
                f"none of the {absent} plates of batch {self.batch_id} has {features} profiles: lay or make {wanted}"
            )
            raise MissingInputError(f"{message}, ... or name others in [benchmark] {features}_profiles")
        given: dict[str, Any] = {"definition_name": self.definition, "behaviour": self.behaviour, "features": features}
        given |= {"batch_id": self.batch_id, "plate": features, "groups": [group.value() for group in there]}
        return [Tabulate(**given), Figures(**given)]

    def _groups(self) -> list[Group]:
        given = settings.load().layout
        batch = catalogue.of_batch(given, self.batch_id)
        known = {each.plate: each for each in batch}
        settings.load().store.refresh()
        listed = list(self.plates) or list(known) or lookup.plates(given, self.batch_id)
        plates = catalogue.plates(given, self.batch_id, listed, self.where)
        if not known:
            return [Group("all", tuple(plates), {"Description": "all"})]
        for plate in plates:
            if plate not in known:
                raise MissingInputError(unknown("plate", plate, known, f"what is known of batch {self.batch_id}"))
        chosen = [known[plate] for plate in known if plate in plates]
        return plate_groups.groups(chosen, batch, plate_groups.columns(self.group_by, batch))


def _there(batch: str, group: Group, features: str) -> Group:
    """Return the group with the plates that have profiles, and those that have none."""
    has = {plate: RankedProfiles(batch_id=batch, plate=plate, features=features).complete() for plate in group.plates}
    plates, missing = (tuple(plate for plate in group.plates if has[plate] is found) for found in (True, False))
    return replace(group, plates=plates, missing=missing)
