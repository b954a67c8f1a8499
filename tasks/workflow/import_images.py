"""Images that CellProfiler cannot read as they lie there become plain grey TIFFs; all other plates do without."""

from __future__ import annotations

from pathlib import Path

import luigi

from tasks.dataset import lookup, planes
from tasks.execution.specs import JobSpec, StageSpec
from tasks.results import manifest
from tasks.settings import forms, settings
from tasks.settings.parameters import Text
from tasks.settings.settings import setting
from tasks.stage_tasks.stage import StageTask
from tasks.workflow.inputs import Images

SITES_PER_JOB = 24


class ImportImages(StageTask):
    """Of a plate that was added by an index which lists parts of files, or planes that are to be projected."""

    stage = "import_images"
    z = setting("images", "z", Text, default="", form="a plane's number | max | mean | sharpest", check=forms.plane)
    time = setting("images", "time", Text, default="", form="the number of a time point", check=forms.time_point)
    scale = setting("images", "scale", Text, default="", form="black:white, such as 0:4095", check=forms.scale)
    exclude = setting("preflight", "exclude", Text, default="", form="<plate>:A01-1 <plate>:B02", check=forms.exclude)

    @property
    def needed(self) -> bool:
        """Say whether the plate has images that cannot be measured as they are."""
        index = self.index()
        return index is not None and (bool(self.scale) or planes.need_import(index, str(self.z)))

    def index(self) -> Path | None:
        given = settings.load()
        return None if given.store.url else planes.index_of(given.layout, self.batch_id, self.plate)

    def folder(self) -> Path:
        """Return where the images are published."""
        return settings.load().layout.published(self.definition.folder, self.batch_id, self.plate)

    def left_out_sites(self) -> list[str]:
        """Return the sites that could not be imported, as far as they may fail."""
        found = manifest.read(self.manifest_path())
        return sorted(found.facts.get("quarantined", ())) if found else []

    def requires(self) -> list[luigi.Task]:
        return [self.clone(Images)]

    def spec(self) -> StageSpec:
        """Add the index; and say black and white in a form that no flag has: the first may be below 0."""
        index, scale = self.index(), " to ".join(str(self.scale).split(":"))
        known = {"scale": scale, "exclude": ",".join(self._excluded())}
        return super().spec().adding(files={"planes": index} if index else {}, parameters=known)

    def _excluded(self) -> list[str]:
        return lookup.excluded(self.exclude, self.plate)

    def job_spec(self) -> JobSpec:
        return super().job_spec().adding(units_per_job=SITES_PER_JOB)

    def _units(self) -> tuple[str, ...]:
        """Return the sites of the index: they lie together by wells there."""
        index = self.index()
        listed = planes.rows(index, str(self.z), str(self.time)) if index else ()
        sites = {f"{row['well']}-{int(row['site'])}": row["well"] for row in listed}
        return tuple(site for site, well in sites.items() if not {site, well} & {*self._excluded()})
