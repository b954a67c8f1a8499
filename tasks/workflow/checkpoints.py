"""The weights of the networks that compute deep features: a file that somebody laid, or one that is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import luigi

from tasks.errors import MissingInputError
from tasks.execution.specs import JobSpec, StageSpec
from tasks.runtime.engines import passing
from tasks.settings import forms, settings
from tasks.settings.parameters import Choice, Text
from tasks.settings.settings import setting
from tasks.stage_tasks.plate import ProvidedTask
from tasks.stage_tasks.stage import Staged

NETWORKS = ("cell_painting_cnn", "imagenet_efficientnet_b0")


class NetworkParameters:
    """Which network computes features, and where its weights are."""

    features = setting("deep_profile", "features", Choice, choices=NETWORKS, default=NETWORKS[0])
    checkpoint = setting(
        "deep_profile",
        "checkpoint",
        Text,
        default="",
        form="a file or a URL",
        check=forms.checkpoint,
        significant=False,
    )
    checkpoint_sha256 = setting(
        "deep_profile",
        "checkpoint_sha256",
        Text,
        default="",
        form="64 hexadecimal digits",
        check=forms.sha256,
        significant=False,
    )


class ProvidedCheckpoint(ProvidedTask):
    """The weights of a network: the file that luigi.cfg names, or the one that lies where all look."""

    name = "checkpoint"
    file = luigi.Parameter(default="")
    features = Choice(choices=NETWORKS, default=NETWORKS[0])

    def folders(self) -> Iterator[Path]:
        yield settings.load().layout.checkpoints

    def path(self) -> Path:
        default = settings.load().layout.checkpoints / f"{self.features}.hdf5"
        path = settings.resolved(self.file) if self.file else default
        if not path.is_file():
            message = (
                f"{path}: the weights of {self.features} are not there; lay them, or give [deep_profile] checkpoint"
            )
            raise MissingInputError(f"{message} a file or a URL (docs/deep_profiles.md says where they are published)")
        return path


class FetchCheckpoint(NetworkParameters, Staged):
    """Fetches a network's weights by their URL, once for all plates."""

    stage = "fetch_checkpoint"
    scope = ("batch_id", "features")
    batch_id = "checkpoints"

    @property
    def subject(self) -> str:
        return str(self.features)

    def spec(self) -> StageSpec:
        asked = {"url": str(self.checkpoint), "sha256": str(self.checkpoint_sha256)}
        folder = settings.load().layout.checkpoints / "fetched"
        return StageSpec(asked, folders=dict.fromkeys(self.definition.outputs, folder))

    def job_spec(self) -> JobSpec:
        return super().job_spec().adding(environment=passing.PROXIES)
