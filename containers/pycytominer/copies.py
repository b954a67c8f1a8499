"""Whether a profile is written as Parquet too, and where."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Optional


def add_flags(flags: argparse.ArgumentParser, several: bool) -> None:
    """Add the flags of a program that writes one profile, or `several`."""
    each = {"nargs": "+"} if several else {}
    flags.add_argument("--parquet", required=True, choices=("true", "false"), help="write the same as Parquet, too")
    flags.add_argument("--write_parquet", required=True, type=Path, help="like --write_profiles", **each)


def wanted(path: Path, args: argparse.Namespace) -> Optional[Path]:
    """Return where a copy is written, of which `path` was given; None if none is asked for."""
    return path if args.parquet == "true" else None
