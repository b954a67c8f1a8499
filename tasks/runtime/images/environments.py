"""The process engine's environments: one an image, made once by uv from the image's own hashed locks."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from tasks.dataset import layout
from tasks.definitions import recipes, stages
from tasks.errors import EngineError
from tasks.runtime.core import events, locks
from tasks.runtime.core.events import EnvironmentMade, EnvironmentStarted
from tasks.runtime.images import wheels

logger = logging.getLogger(__name__)

FOLDER = layout.TOOLKIT.environments
JDK_RELEASE = re.compile(r'JAVA_VERSION="17[."]')


def folder(image: str) -> Path:
    """Return the environment's folder; its name changes with the recipe, so an old one is never used."""
    return FOLDER / f"{image}-{recipes.environment_hash(image)[:12]}"


def python(image: str) -> Path:
    return folder(image) / "bin" / "python"


def variables(image: str) -> dict[str, str]:
    """Return the variables that a program of this image needs to find its own libraries."""
    path = os.pathsep.join([str(folder(image) / "bin"), "/usr/local/bin", "/usr/bin", "/bin"])
    java = java_home() if "javac" in stages.images()[image].host_commands else None
    return {"PATH": path} | ({"JAVA_HOME": str(java)} if java else {})


def unmakeable(image: str) -> str | None:
    """Return why the environment is not there and cannot be made, with the remedy; None if all is well."""
    if _complete(image).exists():
        return None
    missing = missing_host_packages(image)
    if missing:
        return f"the machine lacks what it is compiled with; type: {install_line(missing)}"
    return None


def missing_host_packages(image: str) -> list[str]:
    """Return the Debian packages whose commands an image's environment needs and this machine lacks."""
    commands = stages.images()[image].host_commands
    lacking = [packages for command, packages in commands.items() if not _has(command)]
    return [package for packages in lacking for package in packages.split()]


def install_line(packages: list[str]) -> str:
    """Return the one line to type on Debian or Ubuntu."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {' '.join(packages)}"


def java_home() -> Path | None:
    """Return a JDK 17: JAVA_HOME, the one of `javac`, or one where Debian puts it."""
    compiler = shutil.which("javac")
    candidates = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    candidates += [Path(compiler).resolve().parent.parent] if compiler else []
    candidates += sorted(Path("/usr/lib/jvm").glob("*"))
    return next((home for home in candidates if _is_jdk_17(home)), None)


def make(image: str) -> None:
    """Make an image's environment unless it is there; only one process makes it, others wait for it."""
    if _complete(image).exists():
        return
    with locks.alone(FOLDER / f"{image}.lock", f"the environment of the image {image}"):
        if _complete(image).exists():
            return
        started = time.monotonic()
        logger.info(
            "making the environment of the image %s (once)", image, extra=events.extra(EnvironmentStarted(image))
        )
        shutil.rmtree(folder(image), ignore_errors=True)
        _uv("venv", "--python", stages.images()[image].python, str(folder(image)), image=image)
        for lock in stages.images()[image].locks:
            compiled = lock.name != "requirements.lock"
            how = ["--no-build-isolation"] if compiled else ["--only-binary", ":all:"]
            # Compiled once here: where Python may not write, each start of CellProfiler would take 3 CPU seconds more.
            options = ["--python", str(python(image)), "--no-deps", "--require-hashes", "--compile-bytecode", *how]
            options += wheels.lay(image, lock.name)
            _uv("pip", "install", *options, "-r", str(lock), image=image)
        if stages.images()[image].compile:
            _compile(image)
        _complete(image).touch()
        seconds = time.monotonic() - started
        made = events.extra(EnvironmentMade(image, seconds))
        logger.info("made the environment of the image %s in %.0f s", image, seconds, extra=made)


def _uv(*words: str, image: str) -> None:
    uv = wheels.uv()
    java = java_home()
    environment = os.environ | {"UV_NO_CONFIG": "1"} | ({"JAVA_HOME": str(java)} if java else {})
    versions = _pyenv_versions()
    if versions:  # uv stops at pyenv's shims unless it is told which versions are there
        environment["PYENV_VERSION"] = versions
    done = subprocess.run([str(uv), *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n    ".join(done.stderr.strip().splitlines()[-12:])
        message = f"the environment of the image {image!r} could not be made: uv {words[0]} said\n    {tail}"
        if words[0] == "venv":
            version = stages.images()[image].python
            message += f"\n  hint   install CPython {version}, for example with: {uv} python install {version}"
        raise EngineError(message)


def _compile(image: str) -> None:
    """Compile the image's own sources into its environment, by the script that its Dockerfile runs too."""
    script = stages.images()[image].folder / stages.images()[image].compile
    done = subprocess.run(["sh", str(script), str(folder(image))], capture_output=True, text=True, check=False)
    if done.returncode:
        tail = "\n    ".join(done.stderr.strip().splitlines()[-12:])
        raise EngineError(f"the environment of the image {image!r} could not be made: {script} said\n    {tail}")


def _pyenv_versions() -> str:
    if not shutil.which("pyenv"):
        return ""
    done = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False)
    return ":".join(done.stdout.split())


def _has(command: str) -> bool:
    return java_home() is not None if command == "javac" else shutil.which(command) is not None


def _is_jdk_17(home: Path) -> bool:
    release = home / "release"
    return (home / "bin/javac").exists() and release.exists() and bool(JDK_RELEASE.search(release.read_text()))


def _complete(image: str) -> Path:
    return folder(image) / ".complete"
