"""Programs that were shown to make the same bytes: a result of the old one counts as made by the new one.

The entries of containers/equivalent_programs.toml are written by `python -m tasks equivalent`.
"""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagekit import whole

from tasks.dataset import layout
from tasks.errors import DefinitionError
from tasks.results.fingerprint import digest

NAME = "equivalent_programs.toml"
HASH = re.compile(r"[0-9a-f]{64}")
CODE = ("program", "environment")
"""The parts of a fingerprint that say by what a result is made; all others say from what."""
TEXTS = ("stage", "compared", "date", "command")


@dataclass(frozen=True)
class Code:
    """By what a result is made: the hashes of the program and of the environment that it runs in."""

    program: str
    environment: str

    def __str__(self) -> str:
        return f"program {self.program[:12]} in environment {self.environment[:12]}"


@dataclass(frozen=True)
class Entry:
    """The old and the new code of a stage, and how they were shown to make the same bytes."""

    stage: str
    old: Code
    new: Code
    compared: str
    """The results that were made again."""
    date: str
    command: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.old} -> {self.new}, {self.date}, compared: {self.compared}"


def table() -> Path:
    """Return where the entries are kept."""
    return layout.CONTAINERS / NAME


def code(fingerprint: Mapping[str, Any]) -> Code:
    """Return by what a result with this fingerprint is made."""
    return Code(*(str(fingerprint.get(part, "")) for part in CODE))


def between(was: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[Entry, ...] | None:
    """Return the entries that make two fingerprints mean the same result: none if they are equal.

    Returns None if the result is another one: its settings or inputs differ, or no entry links its code to the new one.
    """
    if digest({**was, **{part: now[part] for part in CODE if part in now}}) != digest(now):
        return None
    return linked(str(now.get("stage", "")), code(was), code(now))


def linked(stage: str, old: Code, new: Code) -> tuple[Entry, ...] | None:
    """Return the entries that lead from one code of a stage to another, the fewest there are; None if none do."""
    found: dict[Code, tuple[Entry, ...]] = {old: ()}
    todo = [old]
    for at in todo:
        if at == new:
            return found[at]
        for entry in entries():
            if entry.stage == stage and entry.old == at and entry.new not in found:
                found[entry.new] = (*found[at], entry)
                todo.append(entry.new)
    return None


def entries() -> tuple[Entry, ...]:
    """Return all entries; raise DefinitionError if one breaks the table's form."""
    try:
        status = table().stat()
    except FileNotFoundError:
        return ()
    return _read(table(), status.st_mtime_ns, status.st_size)


def add(more: Iterable[Entry]) -> list[Entry]:
    """Append those entries that the table lacks; return them."""
    known = {(each.stage, each.old, each.new) for each in entries()}
    new = [each for each in more if (each.stage, each.old, each.new) not in known]
    if new:
        text = table().read_text(encoding="utf-8") if table().exists() else ""
        whole.write(table(), text + "".join(_written(each) for each in new))
    return new


@functools.lru_cache(maxsize=4)
def _read(path: Path, *_: int) -> tuple[Entry, ...]:
    try:
        listed = tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", [])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{path}: it is no TOML file: {error}") from error
    return tuple(_entry(path, number, found) for number, found in enumerate(listed, start=1))


def _entry(path: Path, number: int, found: Mapping[str, Any]) -> Entry:
    texts = [found.get(name) for name in TEXTS]
    hashes = [found.get(side, {}).get(part, "") for side in ("from", "to") for part in CODE]
    good = all(isinstance(text, str) and text for text in texts) and all(HASH.fullmatch(each) for each in hashes)
    if not good or set(found) != {*TEXTS, "from", "to"}:
        message = (
            f"{path}: entry {number} must have stage, compared, date and command as texts, and from and to, each with "
            "the program's and the environment's SHA-256; remove it, and have it written by python -m tasks equivalent"
        )
        raise DefinitionError(message)
    stage, compared, date, command = (str(text) for text in texts)
    return Entry(stage, Code(*hashes[:2]), Code(*hashes[2:]), compared, date, command)


def _written(entry: Entry) -> str:
    # A JSON string is a TOML string too.
    lines = [f"{name} = {json.dumps(getattr(entry, name), ensure_ascii=False)}\n" for name in TEXTS]
    sides = [
        f'{side} = {{ program = "{own.program}", environment = "{own.environment}" }}\n'
        for side, own in (("from", entry.old), ("to", entry.new))
    ]
    return "".join(["\n[[equivalent]]\n", lines[0], *sides, *lines[1:]])
