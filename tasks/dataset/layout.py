"""The only module that spells a path: the Cell Painting Gallery layout, and the toolkit's own folder beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tasks.dataset import toolkit
from tasks.errors import BadNameError

TOOLKIT = toolkit.found(Path(__file__).resolve().parents[2])
REPOSITORY = TOOLKIT.files
CONTAINERS = REPOSITORY / "containers"
BASES = CONTAINERS / "bases.toml"
IMAGES_LOCK = TOOLKIT.images_lock

# Letters, digits, dot, dash and underscore: what barcodes are made of, and nothing that a shell, a path or SQL reads.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# Where a stage publishes, below <root>/<project>/<source>/: the keys are the `folder` of stages.toml.
FOLDERS = {
    "load_data_csv": "workspace/load_data_csv/{batch}/{plate}",
    "load_data_localised": "workspace/load_data_csv/{batch}/{plate}/localised",
    "imported": "images/{batch}/imported/{plate}",
    "masks": "images/{batch}/masks/{plate}",
    "own_tables": "workspace/imported/{batch}/{plate}",
    "illum": "images/{batch}/illum/{plate}",
    "analysis": "workspace/analysis/{batch}/{plate}",
    "backend": "workspace/backend/{batch}/{plate}",
    "profiles": "workspace/profiles/{batch}/{plate}",
    "sample": "workspace/quality_control/{batch}/{plate}/sample",
    "sample_illum": "workspace/quality_control/{batch}/{plate}/sample/illum",
    "quality_control": "workspace/quality_control/{batch}/{plate}",
    "fetched": "workspace/fetched/{batch}",
    "benchmark": "workspace/benchmark/{batch}",
    "deep_profiles": "workspace/profiles/{batch}_DL/{plate}",
    "locations": "workspace_dl/locations/{batch}/{plate}",
    "embeddings": "workspace_dl/embeddings",
    "embeddings_torch": "workspace_dl/embeddings_torch",
    "deep_cells": "workspace_dl/single_cells/{batch}/{plate}",
    "checkpoints": "workspace_dl/checkpoints",
    "fetched_checkpoints": "workspace_dl/checkpoints/fetched",
    "anndata": "workspace/anndata/{batch}/{plate}",
    "provenance": "workspace/provenance/{batch}",
    "report": "workspace/report/{batch}",
    "explorer": "workspace/explorer/{batch}",
    "explorer_sets": "workspace/explorer/{batch}/sets/{plate}",
    "explorer_plates": "workspace/explorer/{batch}/plates/{plate}",
}

BOTH_ENGINES = "both-engines"
"""The name, in the place of a run's, of the folder where both engines' measurements of a plate lie."""

LOOKED_UP = "__*"
"""The end of a place whose whole name is looked up: the folder of a plate's images bears the time of imaging."""

# What a fetch stage brings, below <project>/<source>/.
GALLERY = {
    "fetch_metadata": ("workspace/metadata/platemaps/{batch}", "workspace/metadata/external_metadata"),
    "fetch_images": ("images/{batch}/images/{plate}" + LOOKED_UP,),
    "fetch_illumination": (FOLDERS["illum"],),
    "fetch_load_data": (FOLDERS["load_data_csv"],),
    "fetch_backend": (FOLDERS["backend"],),
    "fetch_profiles": (FOLDERS["profiles"],),
}


def checked_name(kind: str, name: str) -> str:
    """Return `name` if it is safe as one part of a path; raise BadNameError otherwise."""
    if not NAME.fullmatch(name) or ".." in name:
        message = (
            f"{kind} {name!r} is no valid name: it must start with a letter or a digit and hold only letters, digits, "
            "'.', '-' and '_' (and no '..')"
        )
        raise BadNameError(message)
    return name


def checked_key(key: str) -> str:
    """Return a file's path below <project>/<source> if it stays there; raise BadNameError otherwise."""
    if any(part in ("", ".", "..") or "\0" in part for part in key.split("/")):
        message = f"key {key!r} is no valid path of a file below <project>/<source>, such as workspace/metadata/a.csv"
        raise BadNameError(message)
    return key


def subject(name: str) -> str:
    """Return what a folder is of, whose name may bear more (LOOKED_UP)."""
    return name.partition("__")[0]


def of_run(folder: Path) -> tuple[str, str, str]:
    """Return the stage, batch and plate that a run folder is of."""
    return folder.parent.parent.parent.name, folder.parent.parent.name, folder.parent.name


@dataclass(frozen=True)
class Layout:
    """Paths of one dataset below the data root; names are checked as they enter a path."""

    root: Path
    project: str
    source: str

    @property
    def dataset(self) -> Path:
        return self.root / checked_name("project", self.project) / checked_name("source", self.source)

    def image_folders(self, batch: str) -> Path:
        """Return the folder that holds a folder of images per plate, named <plate>__<time>-Measurement<n>."""
        return self.dataset / "images" / checked_name("batch", batch) / "images"

    @property
    def platemaps(self) -> Path:
        return self.dataset / "workspace/metadata/platemaps"

    def batches(self) -> list[str]:
        """Return the batches whose list of plates lies here."""
        return sorted(path.parent.name for path in self.platemaps.glob("*/barcode_platemap.csv"))

    def images_of(self, batch: str, plate: str) -> Path:
        """Return the folder that holds an added plate's images, or the link to them."""
        return self.image_folders(batch) / checked_name("plate", plate) / "Images"

    def planes(self, batch: str, plate: str) -> Path:
        """Return the index of the planes of a plate that was added where its instrument exported it."""
        return self.all_planes / checked_name("batch", batch) / f"{checked_name('plate', plate)}.csv"

    @property
    def all_planes(self) -> Path:
        """Return the folder of the indexes of all added plates: <batch>/<plate>.csv."""
        return self.dataset / "workspace/planes"

    def barcode_platemap(self, batch: str) -> Path:
        return self.platemaps / checked_name("batch", batch) / "barcode_platemap.csv"

    def platemap(self, batch: str, platemap: str) -> Path:
        return self.barcode_platemap(batch).parent / "platemap" / f"{checked_name('platemap', platemap)}.txt"

    def converted_platemap(self, batch: str, plate: str, content: str) -> Path:
        """Return the platemap made of a laboratory's layout, by what it says; its perturbations lie beside it."""
        folder = self.dataset / "workspace/platemaps" / checked_name("batch", batch) / content
        return folder / f"{checked_name('plate', plate)}.txt"

    def own_tables(self, kind: str, batch: str) -> Path:
        """Return the folder of the tables of wells or cells that another laboratory or program made."""
        return self.dataset / "workspace" / kind / checked_name("batch", batch)

    def experiment_metadata(self, batch: str) -> Path:
        """Return the table that says of a batch's plates cell type, time, ...; it may list other batches too."""
        return self.barcode_platemap(batch).parent / "experiment-metadata.tsv"

    def external_metadata(self, file_name: str) -> Path:
        return self.dataset / "workspace/metadata/external_metadata" / checked_name("external metadata", file_name)

    def deep_batch(self, batch: str) -> str:
        """Return the batch that holds the deep profiles of this one's plates, as the gallery names it."""
        return f"{checked_name('batch', batch)}_DL"

    @property
    def quality_summary(self) -> Path:
        """Return the table of all plates of all batches."""
        return self.dataset / "workspace/quality_control/summary/summary.tsv"

    def benchmark(self, batch: str, definition: str) -> Path:
        return self.published("benchmark", batch, "all") / checked_name("definition", definition)

    @property
    def checkpoints(self) -> Path:
        """Return the folder of the networks' weights."""
        return self.dataset / FOLDERS["checkpoints"]

    def embeddings(self, folder: str, network: str, batch: str, plate: str) -> Path:
        """Return where a network's features of a plate's cells lie, as in the gallery below the network's name."""
        names = (checked_name("network", network), checked_name("batch", batch), checked_name("plate", plate))
        return self.dataset.joinpath(FOLDERS[folder], *names)

    def provenance(self, batch: str) -> Path:
        """Return the folder of a batch's RO-Crate."""
        return self.published("provenance", batch, "all")

    def provenances(self) -> list[Path]:
        """Return the RO-Crates of all batches."""
        return sorted(self.provenance("any").parent.glob("*/ro-crate-metadata.json"))

    def published(self, folder: str, batch: str, plate: str) -> Path:
        """Return where a stage with this `folder` key publishes the results of a plate."""
        names = {"batch": checked_name("batch", batch), "plate": checked_name("plate", plate)}
        return self.dataset / FOLDERS[folder].format(**names)

    def published_of_set(self, folder: str, batch: str) -> Path:
        """Return where a stage publishes what is of a set of plates: the folder of the plates' folders."""
        return self.published(folder, batch, "plate").parent

    def gallery(self, stage: str, batch: str, plate: str) -> tuple[str, ...]:
        """Return the places below <project>/<source> that a fetch stage brings."""
        names = {"batch": checked_name("batch", batch), "plate": checked_name("plate", plate)}
        return tuple(place.format(**names) for place in GALLERY[stage])

    # The toolkit's own files lie on the same file system as the results, because a rename needs that.

    @property
    def work(self) -> Path:
        return self.root / ".work"

    @property
    def logs(self) -> Path:
        """Return the folder of what commands write down in full and show in short."""
        return self.work / "logs"

    @property
    def trash(self) -> Path:
        """Return the folder of what is being deleted."""
        return self.work / "trash"

    def run(self, stage: str, batch: str, plate: str, run_id: str) -> Path:
        """Return the run folder: inputs' description, command, logs, and the files until they are published."""
        return self.runs / stage / checked_name("batch", batch) / checked_name("plate", plate) / run_id

    @property
    def runs(self) -> Path:
        """Return the folder of all run folders: <stage>/<batch>/<plate>/<run>/."""
        return self._own("runs")

    def manifest(self, stage: str, batch: str, plate: str) -> Path:
        names = checked_name("batch", batch), checked_name("plate", plate)
        return self.manifests / stage / names[0] / f"{names[1]}.json"

    @property
    def manifests(self) -> Path:
        """Return the folder of all manifests: <stage>/<batch>/<plate>.json."""
        return self._own("manifests")

    def lock(self, stage: str, batch: str, subject: str) -> Path:
        """Return the file that a run of a stage on a plate, or a set of plates, holds locked."""
        return self._own("locks") / stage / checked_name("batch", batch) / checked_name("plate", subject)

    def lock_of_sets(self, stage: str, batch: str) -> Path:
        """Return the file that a stage's result on any set of plates holds locked while it is published."""
        return self._own("locks") / stage / checked_name("batch", batch) / ".sets"

    def slots(self, machine: str) -> Path:
        """Return the folder of a machine's slots: several may share the data root, and each has its own cores."""
        return self.work / "slots" / machine

    def ledger(self, stage: str, batch: str, subject: str) -> Path:
        """Return the folder of the records of how every unit of a stage ended: a file a run."""
        return self.ledgers / stage / checked_name("batch", batch) / checked_name("plate", subject)

    @property
    def ledgers(self) -> Path:
        """Return the folder of all ledgers: <stage>/<batch>/<plate>/."""
        return self._own("ledger")

    def adopted(self, batch: str, name: str) -> Path:
        """Return where the hashes of files that a person laid are remembered."""
        return self._own("adopted") / checked_name("batch", batch) / f"{checked_name('plate', name)}.json"

    @property
    def links(self) -> Path:
        """Return the folder of the files that say which folders of the dataset lie elsewhere, and are read there."""
        return self._own("links")

    def link(self, folder: Path) -> Path:
        """Return the file that says where a folder of the dataset lies."""
        return self.links / f"{folder.relative_to(self.dataset).as_posix()}.json"

    def record(self, batch: str) -> Path:
        """Return where the facts of a batch's results are written for its report."""
        return self._own("records") / f"{checked_name('batch', batch)}.json"

    def queue(self, user: int) -> Path:
        """Return where the last answer of a cluster's scheduler about a user's jobs is kept."""
        return self.work / "queue" / f"{user}.json"

    @property
    def given(self) -> Path:
        """Return the folder of copies of files that lie elsewhere and that jobs in the cloud read, by their content."""
        return self.work / "given"

    def watched_jobs(self, user: int) -> Path:
        """Return the folder of a user's jobs that AWS Batch is asked about: a file each."""
        return self.work / "queue" / f"{user}-aws-batch"

    def _own(self, kind: str) -> Path:
        return self.work / kind / self.project / self.source
