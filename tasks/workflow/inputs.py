"""Where a run begins: what a person laid, and the tasks that fetch it from the gallery where nothing lies."""

from __future__ import annotations

import glob
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import luigi

from tasks.dataset import layout, lookup, own_tables, planes, plate_tables
from tasks.errors import SettingsError
from tasks.runtime.arrays.places import AWS_BATCH
from tasks.settings import settings
from tasks.settings.settings import setting
from tasks.stage_tasks.fetch import FetchTask
from tasks.stage_tasks.link import LinkTask
from tasks.stage_tasks.plate import OWN_TABLES, ProvidedTask
from tasks.stage_tasks.stage import StageTask
from tasks.workflow import plate_layouts
from tasks.workflow.import_tables import FEATURE_PREFIXES

# What is fetched.


class FetchMetadata(FetchTask):
    """A batch's platemaps, and the external metadata of all batches: fetched once for all plates."""

    stage = "fetch_metadata"
    scope = ("batch_id",)
    batch_id = luigi.Parameter(description="the batch's name, as in the gallery")

    @property
    def subject(self) -> str:
        return str(self.batch_id)


class FetchImages(LinkTask, StageTask):
    """A plate's images. Where the data root is on S3 they stay in the gallery, and are read there."""

    stage = "fetch_images"

    def provided(self) -> ProvidedTask:
        return Images(batch_id=self.batch_id, plate=self.plate)


class FetchIllumination(FetchTask, StageTask):
    stage = "fetch_illumination"


class FetchLoadData(FetchTask, StageTask):
    stage = "fetch_load_data"


class FetchBackend(FetchTask, StageTask):
    stage = "fetch_backend"

    def provided(self) -> ProvidedTask:
        return Backend(batch_id=self.batch_id, plate=self.plate)


class FetchProfiles(FetchTask, StageTask):
    stage = "fetch_profiles"


class FetchFile(FetchTask):
    """A single file; its place among the manifests is named after it."""

    stage = "fetch_file"
    scope = ("key",)
    folders = False
    batch_id = "files"
    key = luigi.Parameter(description="the file's path below <project>/<source>: workspace/metadata/...")

    @property
    def subject(self) -> str:
        name = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePosixPath(self.key).name).strip("-_")[:80]
        return f"file-{name}-{hashlib.sha256(self.key.encode()).hexdigest()[:8]}"

    def places(self) -> tuple[str, ...]:
        return (layout.checked_key(self.key),)


# What lies there.


class Images(ProvidedTask):
    name = "images"
    remembered = True
    fetched_by = FetchImages
    not_from = ("profiles", *OWN_TABLES)

    def folders(self) -> Iterator[Path]:
        laid = settings.load().layout
        folder = laid.image_folders(self.batch_id)
        yield folder
        yield from folder.glob(f"{glob.escape(self.plate)}*")
        yield laid.planes(self.batch_id, self.plate).parent

    def path(self) -> Path:
        return images_of(self.batch_id, self.plate)


class Platemap(ProvidedTask):
    name = "platemap"
    fetched_by = FetchMetadata

    def path(self) -> Path:
        """Return the platemap, once it and the external metadata are known to be good: all stages wait for it."""
        found = plate_layouts.tables(self.batch_id, self.plate)
        plate_tables.check_both(found.platemap, found.external_metadata)
        return found.platemap


class ExternalMetadata(ProvidedTask):
    name = "external_metadata"
    fetched_by = FetchMetadata

    def path(self) -> Path:
        return plate_layouts.external_metadata(self.batch_id, self.plate)


class PublishedLoadData(ProvidedTask):
    name = "published_load_data"
    fetched_by = FetchLoadData
    not_from = ("profiles", *OWN_TABLES)

    def folders(self) -> Iterator[Path]:
        yield settings.load().layout.published("load_data_csv", self.batch_id, self.plate)

    def path(self) -> Path:
        return lookup.published_load_data(settings.load().layout, self.batch_id, self.plate)


class Backend(ProvidedTask):
    name = "backend"
    remembered = True
    fetched_by = FetchBackend
    not_from = ("profiles", *OWN_TABLES)

    def folders(self) -> Iterator[Path]:
        yield settings.load().layout.published("backend", self.batch_id, self.plate)

    def path(self) -> Path:
        return lookup.backend(settings.load().layout, self.batch_id, self.plate)


class Profiles(ProvidedTask):
    """A plate's profiles, as the gallery has them: the files of all steps."""

    name = "profiles"
    fetched_by = FetchProfiles

    def folders(self) -> Iterator[Path]:
        yield settings.load().layout.published("profiles", self.batch_id, self.plate)

    def path(self) -> Path:
        return lookup.profiles(settings.load().layout, self.batch_id, self.plate)


class WellAverages(ProvidedTask):
    """A plate's well averages that a person provides, or the gallery's: where a run starts from profiles."""

    name = "profiles"
    feature_prefixes = setting("import_wells", "features", **FEATURE_PREFIXES)
    fetched_by = FetchProfiles

    def folders(self) -> Iterator[Path]:
        yield settings.load().layout.published("profiles", self.batch_id, self.plate)

    def path(self) -> Path:
        """Return the table, once its columns are known to be metadata or features."""
        found = lookup.well_averages(settings.load().layout, self.batch_id, self.plate)
        own_tables.check_features(found, str(self.feature_prefixes))
        return found


def images_of(batch: str, plate: str) -> Path:
    """Return the folder of a plate's TIFFs: of several measurements the one that luigi.cfg chooses.

    The folder is not there if it was fetched, used and deleted to save room.
    """
    given = settings.load()
    freed = Images(batch_id=batch, plate=plate).freed()
    if freed:
        return freed.path
    found = lookup.images(given.layout, batch, plate, given.gallery.measurement)
    if planes.index_of(given.layout, batch, plate):
        refuse_unseen(found, f"plate {plate} was added by add-plate")
    return found


def refuse_unseen(images: Path, plate: str) -> None:
    """Raise SettingsError if jobs on AWS Batch would not see an added plate's images, which links lead to."""
    given = settings.load()
    if given.place != AWS_BATCH:
        return
    remedy = "docs/add_a_plate.md says how such a plate gets to AWS (On AWS)"
    if given.store.url:
        raise SettingsError(
            f"{plate}: jobs that read a bucket, {given.store.url}, find images by their names; {remedy}"
        )
    if not images.resolve().is_relative_to(given.layout.root.resolve()):
        where = f"jobs on AWS Batch see {given.layout.root} only, and {images.resolve()} is beyond it"
        raise SettingsError(f"{plate}: {where}; copy the export below it; {remedy}")
