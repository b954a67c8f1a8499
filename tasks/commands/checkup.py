"""What of this machine and these settings is usable, what is not, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from tasks.commands import checkup_aws, checkup_slurm
from tasks.commands.finding import BAD, GOOD, NOTE, Finding
from tasks.dataset import layout
from tasks.definitions import recipes, stages
from tasks.errors import EngineError
from tasks.runtime.arrays import places
from tasks.runtime.engines import apptainer_engine, engines, gpus
from tasks.runtime.images import images, sif
from tasks.settings import luigi_file, settings
from tasks.workflow import pipeline

LEAST_FREE_GB = 5


def examine() -> Iterator[Finding]:
    """Look at data root, machine, cluster or account, engines, images and GPU; nothing is changed."""
    yield _toolkit()
    yield _settings()
    yield _data_root()
    yield from _machine()
    yield from checkup_slurm.examine()
    if settings.load().place == places.AWS_BATCH:  # nothing runs here
        yield from checkup_aws.examine()
        return
    yield from _engines()
    yield from _images()
    yield from _apptainer()
    yield _gpu()


def _toolkit() -> Finding:
    toolkit, python = layout.TOOLKIT, platform.python_version()
    kind = "installed from a wheel" if toolkit.is_installed else "a clone"
    said = f"platewright {metadata.version('platewright')}, {kind}, in {toolkit.files}; Python {python}"
    return Finding("toolkit", GOOD, f"{said}, {platform.system()} {platform.machine()}")


def _settings() -> Finding:
    path = os.environ.get("LUIGI_CONFIG_PATH") or str(Path("luigi.cfg").resolve())
    if Path(path).is_file():
        return Finding("settings", GOOD, path)
    return Finding("settings", NOTE, f"{path} is not there: every setting has its default", luigi_file.REMEDY)


def _data_root() -> Finding:
    root = settings.load().layout.root
    there = next(path for path in (root, *root.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(
            "data root", BAD, f"{there} cannot be written", "give [paths] root another folder, or its rights"
        )
    free_gb = shutil.disk_usage(there).free / 1e9
    said = f"{root}: {free_gb:,.1f} GB are free"
    if free_gb < LEAST_FREE_GB:
        return Finding("data root", BAD, said, "free space, or give [paths] root a larger disk")
    return Finding("data root", GOOD, said)


def _machine() -> Iterator[Finding]:
    slots = settings.load().slots
    yield Finding("machine", GOOD, f"{slots.cores} cores and {slots.memory_gb:.1f} GB for jobs ([runtime])")
    for stage in stages.load().values():
        if stage in checkup_slurm.submitted():
            continue
        try:
            slots.needed(settings.resources(stage))
        except EngineError as error:
            yield Finding(f"stage {stage.name}", BAD, str(error), f"[{stage.name}] cpus and memory_gb, or [runtime]")


def _engines() -> Iterator[Finding]:
    wanted = settings.load().engine
    usable: dict[str, list[str]] = {name: [] for name in stages.stage_images()}
    for name in engines.NAMES:
        reasons = {image: engines.engine(name).unusable(image) for image in usable}
        for image, reason in reasons.items():
            if reason is None and wanted in ("auto", name):
                usable[image].append(name)
        wrong = {reason: image for image, reason in reasons.items() if reason}
        if wrong:
            said = "; ".join(f"{image}: {reason}" for reason, image in wrong.items())
            yield Finding(f"engine {name}", BAD if wanted == name else NOTE, said)
        else:
            yield Finding(f"engine {name}", GOOD, "runs every image")
    without = [image for image, found in usable.items() if not found]
    if without:
        said = f"[runtime] engine = {wanted}: none for {', '.join(without)}"
        yield Finding("engine", BAD, said, "see the engines above; or python -m tasks images build | prepare")


def _images() -> Iterator[Finding]:
    locked = images.read_lock()
    for name in stages.stage_images():
        if name not in locked:
            yield Finding(f"image {name}", NOTE, "not built here", "python -m tasks images build | pull")
        elif locked[name]["recipe"] != recipes.recipe_hash(name):
            yield Finding(f"image {name}", NOTE, "built from an older recipe", "python -m tasks images build")
        else:
            yield Finding(f"image {name}", GOOD, locked[name]["digest"][:19])


def _apptainer() -> Iterator[Finding]:
    """Look at Apptainer and its SIF files where there is a command for them, or one was asked for."""
    try:
        command = sif.binary()
    except EngineError as error:
        if settings.load().engine == "apptainer":
            yield Finding("apptainer", BAD, str(error))
        return
    yield Finding("apptainer", GOOD, f"{command}; SIF files in {sif.site().images}")
    if not apptainer_engine.user_namespaces():
        said = "user namespaces are switched off here, so only a setuid installation runs containers"
        yield Finding("user namespaces", NOTE, said, "ask the site for user.max_user_namespaces above 0")
    current = set()
    for name in stages.stage_images():
        try:
            file, _ = sif.checked(name)
        except EngineError as error:
            said, _, remedy = str(error).partition("; ")
            yield Finding(f"SIF {name}", BAD if settings.load().engine == "apptainer" else NOTE, said, remedy)
        else:
            current.add(file)
            yield Finding(f"SIF {name}", GOOD, f"{file.name}, {file.stat().st_size / 1e6:,.0f} MB")
            yield from _network(name)
    old = sorted(path.name for path in set(sif.site().images.glob("*.sif")) - current)
    if old:
        yield Finding(
            "SIF files", NOTE, f"of no image that is locked here: {', '.join(old)}", "delete what nobody uses"
        )


def _network(image: str) -> Iterator[Finding]:
    try:
        if not apptainer_engine.takes_network(image):
            yield Finding(f"SIF {image}", NOTE, "its programs keep the network: this site does not let us take it")
    except EngineError as error:
        yield Finding(f"SIF {image}", BAD if settings.load().engine == "apptainer" else NOTE, str(error))


def _gpu() -> Finding:
    names, reason = gpus.found()
    if reason:
        return Finding("GPU", NOTE, reason, "only deep features gain by one; without they are made on the CPU")
    said = "; ".join(names)
    try:
        plate: Any = pipeline.RunPlate
        deep = pipeline.deep_profile_of(plate(batch_id="any", plate="any"))
        unusable = gpus.unusable(settings.load().engine, deep.definition.image)
    except EngineError as error:
        unusable = str(error)
    return Finding("GPU", NOTE, f"{said}; not used", unusable) if unusable else Finding("GPU", GOOD, said)
