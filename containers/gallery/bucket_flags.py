"""The flags that say which bucket the gallery lies in, and how it is asked."""

from __future__ import annotations

import argparse

import bucket
from bucket import Bucket


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add the flags that say which bucket, and how it is asked."""
    flags.add_argument("--bucket", required=True)
    flags.add_argument("--endpoint_url", required=True, help="of another S3 service than Amazon's; may be empty")
    flags.add_argument("--region", required=True)
    flags.add_argument("--unsigned", required=True, choices=["true", "false"], help="whether the bucket is public")
    flags.add_argument("--below", required=True, help="<project>/<source>")
    flags.add_argument("--connections", required=True, type=int)
    flags.add_argument("--stall_seconds", required=True, type=float, help="without a byte, a request is made again")


def of(args: argparse.Namespace) -> Bucket:
    """Return the bucket that the flags name."""
    signed = args.unsigned != "true"
    prefix = args.below.strip("/") + "/" if args.below.strip("/") else ""
    return bucket.connect(
        args.bucket, prefix, args.endpoint_url, args.region, not signed, args.connections, args.stall_seconds
    )
