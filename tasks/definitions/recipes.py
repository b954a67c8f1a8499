"""Hashes of what an image is made of, and of the code that a stage runs in it."""

from __future__ import annotations

import ast
import functools
import hashlib
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path

from tasks.dataset import layout
from tasks.definitions import stages
from tasks.definitions.stages import Stage

ENVIRONMENT_FILES = ("image.toml", "Dockerfile", "*.lock", "native/*")
PROGRAM_FILES = ("*.py", "pipelines/*", "plugins/**/*.py", "templates/*")
FRAME_FILES = ("*.py", "*.lock")
LOADED_FILES = ("**/*.py", "*.html", "*.css", "*.js")
PIN = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
AGENT = "batch_agent"
AGENT_LINE = re.compile(rf"^COPY {AGENT}/.*\n".encode(), re.MULTILINE)
"""What brings the agent into an image: no program imports it, so no result depends on it, nor does its environment."""


@functools.cache
def environment_hash(image: str) -> str:
    """Hash what the environment is made from: the base's digest, the Dockerfile, the locks and sources compiled in.

    The Dockerfile's line that brings the agent of AWS Batch does not count.
    """
    definition = stages.images()[image]
    base = bases().get(definition.base, "")
    return _sha256(f"{base} {_hash_files(_matching(definition.folder, ENVIRONMENT_FILES))}")


@functools.cache
def recipe_hash(image: str) -> str:
    """Hash everything that an image holds: the environment, stagekit, the agent, all programs and what they share.

    Stagekit's lock counts here alone: it brings what moves files to and from an image, and no result depends on it.
    """
    folder = stages.images()[image].folder
    programs = [*_matching(folder, PROGRAM_FILES), *_matching(layout.CONTAINERS / "stagekit", FRAME_FILES)]
    programs += _matching(layout.CONTAINERS / AGENT, ("*.py",)) if _holds_agent(folder) else ()
    shared = {module for program in folder.glob("*.py") for module in _imported(program, {program})}
    return _sha256(f"{environment_hash(image)} {_hash_files([*programs, *sorted(shared - {*programs})])}")


@functools.cache
def bases() -> dict[str, str]:
    """Return the bases' public digests."""
    return tomllib.loads(layout.BASES.read_text(encoding="utf-8"))


def pins(lock: Path) -> list[tuple[str, str]]:
    """Return the name and version of every package of a lock, in its order."""
    return PIN.findall(lock.read_text(encoding="utf-8"))


@functools.cache
def program_hash(stage: Stage) -> str:
    """Hash a stage's program, the modules that it imports, directly or through others, and those that it loads."""
    return _hash_files(program_files(stage))


def program_files(stage: Stage) -> list[Path]:
    """Return the files that a stage's program is known by."""
    patterns = [f"{folder}/{pattern}" for folder in stage.loads for pattern in LOADED_FILES]
    loaded = _matching(stage.program_path.parent, patterns)
    return sorted(_imported(stage.program_path, {stage.program_path}) | {*loaded})


@functools.cache
def imported_modules(stage: Stage) -> set[str]:
    """Return the top-level names of all that a stage's program imports, directly or through modules of ours."""
    programs = [path for path in program_files(stage) if path.suffix == ".py"]
    names = {name for path in programs for name in _import_names(path.read_text(encoding="utf-8"))}
    return {name.partition(".")[0] for name in names}


def _imported(path: Path, found: set[Path]) -> set[Path]:
    for name in _import_names(path.read_text(encoding="utf-8")):
        parts = name.split(".")
        for base in (path.parent, layout.CONTAINERS):
            module = base.joinpath(*parts).with_suffix(".py")
            if module.is_file() and module not in found:
                found.add(module)
                _imported(module, found)
    return found


@functools.cache  # by the text: what many programs import is read once
def _import_names(text: str) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))
    return tuple(names)


def _holds_agent(folder: Path) -> bool:
    return bool(AGENT_LINE.search((folder / "Dockerfile").read_bytes()))


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def _counted(path: Path) -> bytes:
    content = path.read_bytes()
    return AGENT_LINE.sub(b"", content) if path.name == "Dockerfile" else content


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _hash_files(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in paths:
        content = hashlib.sha256(_counted(path)).hexdigest()
        digest.update(f"{path.relative_to(layout.CONTAINERS).as_posix()} {content}\n".encode())
    return digest.hexdigest()
