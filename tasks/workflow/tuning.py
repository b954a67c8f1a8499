"""Settings of [cells] that are proposed for a plate by a look at some of its sites: `python -m tasks tune`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import luigi

from tasks.errors import SettingsError
from tasks.execution.collect import RunSummary
from tasks.execution.specs import StageSpec
from tasks.execution.stage_run import Run
from tasks.results import manifest
from tasks.settings import forms
from tasks.settings.parameters import AUTO
from tasks.workflow import expectation, proposals, segmentation
from tasks.workflow.image_analysis import LoadData, SampleSites, SampleTask, images_for, pipeline_file
from tasks.workflow.proposals import Seen
from tasks.workflow.segmentation import Segmented

SITES_SHOWN = 4
"""So many of the sampled sites are measured by each candidate, and drawn."""
PROPOSAL = 5
BY_NEARNESS = (5, 4, 6, 2, 8, 1, 3, 7, 9)
"""The candidates, those first that differ least from the proposal."""
NOTHING = {"width_px": 40.0, "nuclei_threshold": 1.0, "nuclei_noise": 0.0}
"""An estimate by which CPJUMP1's settings are proposed: until there is one."""


class CellChannels(SampleTask):
    """Knows the channels for nuclei and cells: as they are set, or as the names of the plate's channels say."""

    nuclei_channel = Segmented.nuclei_channel
    cells_channel = Segmented.cells_channel

    def roles(self) -> tuple[str, str]:
        """Return both; raise SettingsError if neither a setting nor a name says which channel shows nuclei."""
        listing: Any = self.clone(LoadData)
        added = segmentation.added_channels(self.batch_id, self.plate)
        known = added or (forms.channel_names(listing.channels) if listing.source == "images" else [])
        known = [name for name in known if name != forms.LEFT_OUT]
        given = str(self.nuclei_channel), str(self.cells_channel)
        if not known:
            return given
        found = proposals.roles(known, *given)
        if found[0] not in known:
            where = "add-plate --channels" if added else "[load_data] channels"
            raise SettingsError(segmentation.no_channel("nuclei", found[0], known, where))
        return found


class EstimateCells(CellChannels):
    stage = "estimate_cells"

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), images_for(self)]

    def spec(self) -> StageSpec:
        nuclei, cells = self.roles()
        own = {"nuclei_channel": nuclei, "cells_channel": cells}
        return StageSpec(own, folders=super().spec().folders)


class TuneCells(CellChannels, Segmented):
    stage = "tune_cells"

    def requires(self) -> list[luigi.Task]:
        return [self.sampled(SampleSites), images_for(self), self.estimating()]

    def estimating(self) -> EstimateCells:
        found: EstimateCells = self.sampled(EstimateCells)  # type: ignore[assignment]
        return found

    def seen(self) -> Seen:
        """Return what is known of the cells: of an estimate that is not made yet, what leads to the defaults."""
        found = manifest.read(self.estimating().manifest_path())
        facts: Mapping[str, Any] = found.facts if found else {}
        greatest = facts.get("greatest", {})
        auto = self.camera_bits == AUTO or segmentation.fill_their_files(greatest)
        bits = segmentation.camera_bits(greatest) if auto else int(self.camera_bits)
        return Seen(facts.get("estimate", NOTHING), self.known_pixel_um, bits)

    def candidates(self) -> list[dict[str, str]]:
        """Return the settings of each candidate, as luigi.cfg's [cells] takes them."""
        nuclei, cells = self.roles()
        own = {"nuclei_channel": nuclei, "cells_channel": cells}
        return [{**own, **each} for each in proposals.candidates(self.seen())]

    def numbers(self) -> list[dict[str, str]]:
        """Return what the program is told of each candidate."""
        seen = self.seen()
        given = {name: getattr(self, name) for name in segmentation.names(Segmented)} | {"label_images": False}
        found = []
        for each in self.candidates():
            pixel_um = float(each.get("pixel_um", seen.pixel_um or segmentation.CPJUMP1_PIXEL_UM))
            found.append(segmentation.numbers({**given, **each}, pixel_um, seen.bits))
        return found

    def spec(self) -> StageSpec:
        told = self.numbers()
        base = told[PROPOSAL - 1]
        differs = [{name: value for name, value in each.items() if value != base[name]} for each in told]
        listed = [{"title": title, "differs": own} for title, own in zip(proposals.titles(), differs, strict=True)]
        own = {
            **base,
            "candidates": json.dumps(listed, sort_keys=True),
            "shown": str(SITES_SHOWN),
        }
        files = {"pipeline": pipeline_file(None, "analysis.cppipe")}
        return StageSpec(own, files=files, folders=super().spec().folders)

    def judge(self, run: Run, findings: RunSummary) -> RunSummary:
        """Keep of each candidate what it sets, what it finds, and what is suspicious of that."""
        found: Mapping[str, Any] = dict(findings.facts["candidates"])  # type: ignore[call-overload]
        seen, told = self.seen(), self.numbers()
        listed = []
        for number, (cells, each) in enumerate(zip(self.candidates(), told, strict=True), start=1):
            sites = list(found[str(number)].values())
            doubts = expectation.doubts(sites, expectation.Expected(each, seen.pixel_um))
            summary = {**expectation.summary(sites), "found": sum(site["nuclei"] for site in sites)}
            listed.append({"cells": cells, "found": summary, "suspicious": doubts})
        proposed = min(BY_NEARNESS, key=lambda number: len(listed[number - 1]["suspicious"]))
        facts = {"proposed": proposed, "candidates": listed}
        return replace(findings, facts=facts)
