"""Build, push, pull or convert the stages' images, make the process engine's environments, and show what is here."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tasks.commands import release
from tasks.definitions import recipes, stages
from tasks.errors import EngineError, unknown
from tasks.runtime.images import conversion, environments, images, sif
from tasks.settings import forms, settings


def _registry(text: str) -> str:
    try:
        forms.registry(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text}: {error}") from error
    return text


logger = logging.getLogger(__name__)

REGISTRY: dict[str, Any] = {"required": True, "type": _registry, "metavar": "HOST/PATH"}


def add(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(
        dest="action", required=True, metavar="build|push|pull|convert|prepare|release|list"
    )
    build = actions.add_parser("build", help="build images with docker, and lock their digests")
    build.add_argument("images", nargs="*", help="all images if none is named")
    build.add_argument(
        "--base", action="append", default=[], metavar="NAME=IMAGE", help="another base than bases.toml's public one"
    )
    build.add_argument(
        "--variant", default="", help="another lock of the images named: cuda, of those of deep features"
    )
    build.add_argument("--jobs", type=_positive, default=1, metavar="N", help="build N images side by side (1)")
    push = actions.add_parser(
        "push", help="push the images that were built here to a registry, by their recipes' hashes"
    )
    push.add_argument("images", nargs="*", help="all images that stages run in if none is named")
    push.add_argument(
        "--registry", required=True, type=_registry, metavar="HOST/PATH", help="where to put <image>:<recipe>"
    )
    push.add_argument("--variant", default="", help="as of build")
    pull = actions.add_parser("pull", help="pull the images of these recipes from a registry, and lock their digests")
    pull.add_argument("images", nargs="*", help="all images if none is named")
    pull.add_argument(
        "--registry",
        type=_registry,
        metavar="HOST/PATH",
        help="where <image>:<recipe> lies; without it a released version pulls its own images, by digest",
    )
    pull.add_argument("--variant", default="", help="as of build")
    convert = actions.add_parser("convert", help="make SIF files of the images, for Apptainer and Singularity")
    convert.add_argument("images", nargs="*", help="all images that stages run in if none is named")
    convert.add_argument("--to", required=True, choices=["sif"], help="the form of the file")
    convert.add_argument(
        "--from",
        dest="origin",
        default="docker",
        metavar="docker|docker-archive:PATH|docker://HOST/PATH",
        help="the Docker Engine here; a file of `docker save`, or a folder of <image>.tar; a registry",
    )
    convert.add_argument("--variant", default="", help="as of build")
    prepare = actions.add_parser("prepare", help="make the environments of the process engine")
    prepare.add_argument("images", nargs="*", help="all images that stages run in if none is named")
    _add_release(actions)
    listing = actions.add_parser(
        "list", help="show every image: its digest, where it was pushed, its SIF file, its environment"
    )
    listing.add_argument("--json", action="store_true", help="print a list for programs")


def _add_release(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = actions.add_parser(
        "release", help="push images, and make what a release carries: lock, bills of materials, provenance, wheel"
    )
    parser.add_argument("images", nargs="*", help="all images that stages run in if none is named")
    parser.add_argument("--registry", required=True, type=_registry, metavar="HOST/PATH", help="where to put them")
    parser.add_argument("--to", required=True, type=Path, metavar="DIR", help="a new folder for what is made")
    parser.add_argument(
        "--rehearsal", action="store_true", help="of any commit, upon any base, with whatever advisories there are"
    )
    parser.add_argument("--advisories", default="", metavar="URL", help="an OSV service to ask in place of PyPI's")


def act(args: argparse.Namespace) -> int:
    if args.action == "build":
        images.build_all(_named(args.images), _bases(args.base), args.variant, args.jobs)
    elif args.action == "push":
        for image in _named(args.images) if args.images else stages.stage_images():
            print(f"{image} {images.push(image, args.registry, args.variant)}", flush=True)
    elif args.action == "pull":
        for image in _named(args.images):
            digest = images.pull(image, args.registry or "", args.variant)
            print(f"{image} {digest}")
    elif args.action == "convert":
        settings.load()
        for image in _named(args.images) if args.images else stages.stage_images():
            print(f"{image} {conversion.convert(image, args.origin, args.variant)}", flush=True)
    elif args.action == "release":
        names = _named(args.images) if args.images else stages.stage_images()
        source = ["--vulnerability-service=osv", f"--osv-url={args.advisories}"] if args.advisories else []
        release.make(names, args.registry, args.to, args.rehearsal, source)
    elif args.action == "prepare":
        prepare(_named(args.images) if args.images else stages.stage_images())
    elif args.json:
        print(json.dumps(_rows(), indent=1))
    else:
        Console().print(_table())
    return 0


def prepare(names: list[str]) -> None:
    """Make environments; as root on Debian what they are compiled with is installed, else the line to type is shown."""
    packages = sorted({package for name in names for package in environments.missing_host_packages(name)})
    if packages and os.geteuid() == 0 and shutil.which("apt-get"):
        _install(environments.install_line(packages))
    for name in names:
        reason = environments.unmakeable(name)
        if reason:
            raise EngineError(f"the environment of the image {name!r} cannot be made: {reason}")
        environments.make(name)


def _install(line: str) -> None:
    """Let apt-get work, and log what it says; if it fails, what is missing is named by `environments.unmakeable`."""
    logger.info("installing what environments are compiled with: %s", line)
    pipe, both = subprocess.PIPE, subprocess.STDOUT
    with subprocess.Popen(["sh", "-c", line], stdout=pipe, stderr=both, text=True, errors="replace") as working:
        for said in working.stdout or ():
            logger.info("    %s", said.rstrip())


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _named(names: list[str]) -> list[str]:
    for name in names:
        if name not in stages.images():
            raise EngineError(unknown("image", name, stages.images(), "containers/"))
    return names or list(stages.images())


def _bases(given: list[str]) -> dict[str, str]:
    bases = dict(pair.split("=", 1) for pair in given if "=" in pair)
    for name in [pair.split("=", 1)[0] for pair in given]:
        if name not in recipes.bases() or name not in bases:
            raise EngineError(unknown("base", name, recipes.bases(), "--base NAME=IMAGE, containers/bases.toml"))
    return bases


def _rows() -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    settings.load()
    for name, image in stages.images().items():
        locked = images.read_lock().get(name) or {}
        current = locked.get("recipe") == recipes.recipe_hash(name)
        made = environments.unmakeable(name) is None and environments.python(name).exists()
        built: dict[str, object] = {key: locked.get(key, "") for key in ("digest", "variant", "pushed")}
        built["current"] = current
        built["sif"] = "digest" in locked and sif.path(name, locked["digest"]).exists()
        rows.append({"image": name, "holds": image.summary, **built, "environment": made})
    return rows


def _table() -> Table:
    table = Table("image", "what it holds", "built", "pushed to", "SIF file", "environment")
    for row in _rows():
        state = str(row["digest"])[7:19] or "no"
        state += " (of an older recipe)" if row["digest"] and not row["current"] else ""
        state += f" ({row['variant']})" if row["variant"] else ""
        made = ["made" if row[kind] else "no" for kind in ("sif", "environment")]
        registry = str(row["pushed"]).rpartition("/")[0] or "no"
        table.add_row(str(row["image"]), str(row["holds"]), state, registry, *made)
    return table
