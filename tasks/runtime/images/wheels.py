"""Wheels that the package index does not have: laid beside a recipe before the image or its environment is made."""

from __future__ import annotations

import importlib.util
import logging
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uv import find_uv_bin

from tasks.dataset import layout
from tasks.definitions import stages
from tasks.errors import EngineError

logger = logging.getLogger(__name__)

# A build for one kind of machine has a local version (torch 2.13.0+cpu), and the index takes none.
ELSEWHERE = re.compile(r"^([\w.-]+)==(\S+\+\S+)", re.MULTILINE)


def folder(image: str) -> Path:
    """Return where an image's wheels lie: beside its recipe, but never where a wheel of this toolkit is installed."""
    fetched = layout.TOOLKIT.fetched_wheels
    return fetched / image if fetched else stages.images()[image].folder / "wheels"


@contextmanager
def context(image: str) -> Iterator[Path]:
    """Lend the folder that an image is built from; its wheels lie in it, beside the recipe."""
    if not layout.TOOLKIT.is_installed or not folder(image).is_dir():
        yield layout.CONTAINERS
        return
    with tempfile.TemporaryDirectory(prefix="platewright-build-") as copy:
        lent = Path(copy) / "containers"
        shutil.copytree(layout.CONTAINERS, lent, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(folder(image), lent / image / "wheels")
        yield lent


def lay(image: str, lock: str) -> list[str]:
    """Lay the wheels of a lock that the index does not have, once; return the option by which pip and uv find them.

    pip looks on the page that image.toml names, and where the user's own configuration of pip says (PIP_FIND_LINKS).
    The lock's hashes are checked when they are installed.
    """
    wanted = ELSEWHERE.findall((stages.images()[image].folder / lock).read_text(encoding="utf-8"))
    absent = [f"{name}=={version}" for name, version in wanted if not list(folder(image).glob(f"{name}-{version}-*"))]
    if absent:
        logger.info("fetching %s for the image %s (once)", ", ".join(absent), image)
        done = subprocess.run(_words(image, absent), capture_output=True, text=True, check=False)
        if done.returncode:
            tail = "\n    ".join(done.stderr.strip().splitlines()[-4:])
            message = f"{', '.join(absent)} of the image {image!r} could not be fetched: pip said\n    {tail}"
            raise EngineError(f"{message}\n  hint   lay the wheel in {folder(image)}")
    return ["--find-links", str(folder(image))] if wanted else []


def uv() -> Path:
    """Return the command uv: beside this Python, else where the package uv lies (pip install --user)."""
    beside = Path(sys.executable).with_name("uv")
    return beside if beside.is_file() else Path(find_uv_bin())


def _pip() -> list[str]:
    """Return this environment's pip; where uv made it without one, uv brings pip for the moment."""
    has_pip = importlib.util.find_spec("pip") is not None
    return [sys.executable, "-m", "pip"] if has_pip else [str(uv()), "tool", "run", "pip"]


def _words(image: str, wanted: list[str]) -> list[str]:
    definition = stages.images()[image]
    version = definition.python.replace(".", "")
    words = [*_pip(), "download", "--quiet", "--disable-pip-version-check", "--retries", "1"]
    words += ["--no-deps", "--only-binary", ":all:", "--implementation", "cp", "--abi", f"cp{version}"]
    words += ["--python-version", definition.python, "--platform", f"manylinux_2_28_{platform.machine()}"]
    return [*words, "--find-links", definition.wheels, "--dest", str(folder(image)), *wanted]
