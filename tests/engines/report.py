"""Say which engines the tests will find on this machine: python -m tests.engines.report."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys

from tasks.definitions import stages
from tasks.runtime.engines.engines import engine
from tasks.runtime.images import environments

ENGINES = ("process", "docker", "compose", "apptainer", "site", "fleet", "chromium", "npm")
NODE_IMAGE = "platewright-test/hpc:local"
"""What a cluster's node is for the tests: Apptainer and Slurm run in it."""
JOB_IMAGE = "platewright-test/python:3.11"
"""What jobs of AWS Batch run in, where a test is about the jobs and not about the stages."""
NODE_CONVERTS = "pycytominer"
"""The image that becomes a SIF file there, and so must be built here."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@functools.cache
def absent(name: str) -> str | None:
    """Return why an engine cannot be tested here; None if it can."""
    if name == "compose":
        return absent("docker") or _compose()
    if name == "apptainer":
        return engine("docker").unusable(NODE_CONVERTS) or _node()
    if name == "site":
        return absent("compose") or _node()
    if name == "fleet":
        return _no_image(JOB_IMAGE, "bash tests/engines/make_bases.sh")
    if name == "chromium":
        return None if browser() else f"none of {', '.join(BROWSERS)} is there; on Debian: apt-get install chromium"
    if name == "npm":
        lacking = [each for each in ("node", "npm") if not shutil.which(each)]
        return f"there is no {' and no '.join(lacking)}; on Debian: apt-get install nodejs npm" if lacking else None
    if name == "process":
        missing = {package for image in stages.stage_images() for package in environments.missing_host_packages(image)}
        return f"type: {environments.install_line(sorted(missing))}" if missing else None
    reasons = [engine(name).unusable(image) for image in stages.stage_images()]
    return next((reason for reason in reasons if reason), None)


def browser() -> str | None:
    """Return the browser in which the report is opened and clicked."""
    return next((path for path in map(shutil.which, BROWSERS) if path), None)


def _compose() -> str | None:
    if not shutil.which("docker"):
        return "there is no docker command"
    done = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, check=False)
    return done.stderr.strip().splitlines()[0] if done.returncode else None


def _node() -> str | None:
    """Return why no container of a cluster's node can be had, with this interpreter in it."""
    missing = _no_image(NODE_IMAGE, "bash tests/engines/make_hpc_image.sh")
    if missing:
        return missing
    if sys.base_prefix == "/usr":
        return "its tests take this Python to the node, and this one is the system's: use one of pyenv or uv"
    return None


def _no_image(image: str, remedy: str) -> str | None:
    if not shutil.which("docker"):
        return "there is no docker command"
    done = subprocess.run(["docker", "image", "inspect", image], capture_output=True, text=True, check=False)
    if "No such image" in done.stderr:
        return f"there is no image {image}; type: {remedy}"
    return done.stderr.strip() or None if done.returncode else None


def main() -> int:
    """Print a line an engine; with ENGINES=all an absent one is a failure."""
    missing = 0
    for name in ENGINES:
        reason = absent(name)
        missing += reason is not None
        print(f"{name:<10} {'absent: ' + reason if reason else 'present'}")
    return int(os.environ.get("ENGINES") == "all" and missing > 0)


if __name__ == "__main__":
    sys.exit(main())
