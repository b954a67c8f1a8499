"""Open a data root on S3: the bucket, the folder here that mirrors it, and the claims of those that work in it."""

from __future__ import annotations

from tasks.dataset.layout import Layout
from tasks.results.store.links import Links
from tasks.results.store.s3 import claim, mirror_mark
from tasks.results.store.s3.bucket import Bucket
from tasks.results.store.s3.claim import Claims
from tasks.results.store.s3.index import Index
from tasks.results.store.s3.mirror import Mirror
from tasks.results.store.s3.s3_store import S3Store


def open_store(layout: Layout, bucket: Bucket, folder: str) -> S3Store:
    """Return the data root below a folder of a bucket; SettingsError if what mirrors it here is something else."""
    prefix = f"{folder}/" if folder else ""
    mirror_mark.claim(layout.root, f"s3://{bucket.name}/{prefix}".rstrip("/"))
    mirror = Mirror(bucket, prefix, layout.root, Index(layout.work / "mirror.sqlite"))
    mirrored = (layout.manifests, layout.ledgers, layout.links, layout.dataset / "workspace/metadata")
    return S3Store(mirror, lambda: Claims(bucket.made(claim.config()), bucket.name), mirrored, Links(layout))
