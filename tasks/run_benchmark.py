"""RunBenchmark: which plates, in which groups, by which definition; and what a person is shown in the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import luigi

from tasks import catalogue, comparison, inputs, provenance, selection, settings
from tasks.benchmark import FEATURES, CompareFeatures, Figures, GroupTask, RankedProfiles, Tabulate
from tasks.errors import MissingInputError, SettingsError, unknown
from tasks.plate_task import LAID, START_FROM
from tasks.report import Report, Reported
from tasks.runs import RunBatch
from tasks.selection import Group
from tasks.settings import setting


class RunBenchmark(Reported):
    """The benchmark of a batch: all groups, their tables and figures.

    It takes the profiles that are there and makes none, unless it is told from where to start.
    """

    plates = luigi.ListParameter(default=(), description='["BR00117013", ...]; all plates of the batch if empty')
    where = luigi.Parameter(default="", description="Cell_type=U2OS,Time=24|48: only the plates that meet it")
    features = luigi.Parameter(default="cellprofiler", description=f"by commas: {', '.join(FEATURES)}")
    definition = setting(
        "benchmark", "definition", luigi.ChoiceParameter, choices=["final", "2022", "copairs"], default="copairs"
    )
    behaviour = setting(
        "benchmark", "behaviour", luigi.ChoiceParameter, choices=["corrected", "as_published"], default="corrected"
    )
    group_by = setting("benchmark", "group_by", luigi.Parameter, default="auto")
    start_from = luigi.ChoiceParameter(
        choices=START_FROM,
        default=LAID,
        significant=False,
        description="images, backend or profiles: first all that comes before; laid: the profiles that are there",
    )
    told = False

    def requires(self) -> list[luigi.Task]:
        if self.start_from != LAID:
            named = ("batch_id", "plates", "where", "start_from", "features")
            return [RunBatch(**{name: getattr(self, name) for name in named}, report=False)]
        return self.parts()

    def parts(self) -> list[luigi.Task]:
        """Return the tables and figures of each feature set."""
        if self.definition == "copairs" and self.behaviour == "as_published":
            raise SettingsError(
                "behaviour = as_published repeats the defects of the definitions final and 2022: name one of them"
            )
        each = {features: self._of(features) for features in self._features()}
        return [*(task for tasks in each.values() for task in tasks), *self._compared(each)]

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

    def show(self) -> None:
        """Print the comparison of every feature set, and where the results lie."""
        for features in self._features():
            tabulate = self._of(features)[0]
            absent = [plate for group in self._groups() for plate in _there(self.batch_id, group, features).missing]
            comparison.show(tabulate.place("comparison"), features, tabulate.results, absent)
        path = self.report().place("report") / f"{self.batch_id}_report.html"
        print(f"report: {settings.load().store.here(path)}")

    def report(self) -> Report:
        """Return the page about the batch."""
        return Report(batch_id=self.batch_id)

    def _features(self) -> list[str]:
        named = [name.strip() for name in self.features.split(",") if name.strip()]
        for name in named:
            if name not in FEATURES:
                raise SettingsError(unknown("feature set", name, FEATURES, f"--features {self.features}"))
        return named

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
        listed = list(self.plates) or list(known) or inputs.plates(given, self.batch_id)
        plates = catalogue.plates(given, self.batch_id, listed, self.where)
        if not known:
            return [Group("all", tuple(plates), {"Description": "all"})]
        for plate in plates:
            if plate not in known:
                raise MissingInputError(unknown("plate", plate, known, f"what is known of batch {self.batch_id}"))
        chosen = [known[plate] for plate in known if plate in plates]
        return selection.groups(chosen, batch, selection.columns(self.group_by, batch))


def _there(batch: str, group: Group, features: str) -> Group:
    """Return the group with the plates that have profiles, and those that have none."""
    has = {plate: RankedProfiles(batch_id=batch, plate=plate, features=features).complete() for plate in group.plates}
    plates, missing = (tuple(plate for plate in group.plates if has[plate] is found) for found in (True, False))
    return Group(group.name, plates, group.describe, missing, group.standard)
