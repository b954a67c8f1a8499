"""The weights of the networks that compute deep features: a file that somebody laid, or one that is fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import luigi

from tasks import settings
from tasks.errors import MissingInputError
from tasks.plate_task import LaidTask
from tasks.runtime import passing
from tasks.settings import setting
from tasks.stage_task import Staged

NETWORKS = ("cell_painting_cnn", "imagenet_efficientnet_b0")


class Network:
    """Which network computes features, and where its weights are."""

    features = setting("deep_profile", "features", luigi.ChoiceParameter, choices=NETWORKS, default=NETWORKS[0])
    checkpoint = setting("deep_profile", "checkpoint", luigi.OptionalParameter, default="", significant=False)
    checkpoint_sha256 = setting(
        "deep_profile", "checkpoint_sha256", luigi.OptionalParameter, default="", significant=False
    )


class LaidCheckpoint(LaidTask):
    """The weights of a network: the file that luigi.cfg names, or the one that lies where all look."""

    name = "checkpoint"
    file = luigi.Parameter(default="")
    features = luigi.ChoiceParameter(choices=NETWORKS, default=NETWORKS[0])

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


class FetchCheckpoint(Network, Staged):
    """Fetches a network's weights by their URL, once for all plates."""

    stage = "fetch_checkpoint"
    scope = ("batch_id", "features")
    batch_id = "checkpoints"

    @property
    def subject(self) -> str:
        return str(self.features)

    def flags(self) -> dict[str, str]:
        return {"url": str(self.checkpoint or ""), "sha256": str(self.checkpoint_sha256 or "")}

    def passed(self) -> tuple[str, ...]:
        return passing.PROXIES

    def place(self, output: str) -> Path:
        return settings.load().layout.checkpoints / "fetched"
