"""The data root that luigi.cfg names: a folder, or s3://bucket/prefix with a folder here that mirrors what is small."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.dataset.layout import Layout
from tasks.errors import SettingsError
from tasks.results.store.store import LocalStore, Store
from tasks.runtime.arrays import places
from tasks.settings import sections

SCHEME = "s3://"
BUCKET = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(/(?P<prefix>[A-Za-z0-9._/-]*?))?/*")
"""What Amazon lets a bucket be called, and of keys what no program has to quote."""


def folder(base: Path) -> Path:
    """Return the data root's folder here; of one on S3 that of its mirror. Relative ones start from `base`."""
    given = sections.paths()
    if not given.root.startswith(SCHEME):
        return base / str(given.root)
    return base / (given.mirror or f".mirror/{given.root.removeprefix(SCHEME).strip('/')}")


def store(layout: Layout) -> Store:
    """Return how the data root is asked; raise SettingsError if it and the place of jobs do not fit each other."""
    root, place, volume = str(sections.paths().root), sections.runtime().place, sections.aws_batch().volume
    if root.startswith(SCHEME):
        return _on_s3(layout, root, place)
    if place == places.AWS_BATCH and not volume:
        raise SettingsError(
            f"luigi.cfg [paths] root = {root}: jobs of [runtime] place = {place} see no folder of this machine; lay "
            "the data in a bucket (aws s3 sync) and write root = s3://bucket/prefix; or let root be on a shared file "
            "system (EFS, FSx) and name that as [aws_batch] volume (docs/aws.md)"
        )
    return LocalStore(layout.trash)


def _on_s3(layout: Layout, root: str, place: str) -> Store:
    named, how = BUCKET.fullmatch(root), sections.aws_batch()
    if not named:
        raise SettingsError(f"luigi.cfg [paths] root = {root}: it has not the form s3://bucket or s3://bucket/prefix")
    if place != places.AWS_BATCH:
        raise SettingsError(
            f"luigi.cfg [paths] root = {root} is seen by jobs of [runtime] place = {places.AWS_BATCH} only (it is "
            f"{place}); for another place bring the data into a folder (aws s3 sync) and name that"
        )
    if how.volume:
        raise SettingsError(
            f"luigi.cfg [aws_batch] volume = {how.volume}: [paths] root = {root} is in a bucket, and jobs mount "
            "nothing; let volume be empty, or let root be the folder where that file system is mounted here"
        )
    from tasks.results.store.s3 import bucket, open_store  # with boto3: a third of a second

    there = bucket.Bucket(named["bucket"], how.region or "", how.endpoint_url or "")
    return open_store.open_store(layout, there, (named["prefix"] or "").strip("/"))
