"""Render a pipeline template for a plate's channels, and know which modules a pipeline runs."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from stagekit import program

MODULE = re.compile(r"^(\w+):\[module_num:\d+\|.*enabled:(True|False)", re.MULTILINE)
NUMBER = re.compile(r"^(\w+:\[module_num:)\d+", re.MULTILINE)
COUNT = re.compile(r"^ModuleCount:\d+$", re.MULTILINE)
BLOCK = re.compile(r"^\$for channel\n(.*?)^\$end\n", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^#.*\n", re.MULTILINE)
# A setting may hold a dollar only where a template means one of these.
PLACEHOLDER = re.compile(r"\$(channels?\b|for channel$|end$)", re.MULTILINE)
# CellProfiler drops names in silence where a list is written in the other kind's way.
TIGHT_LIST = re.compile(r"^    (Select the objects|Select metadata tags for grouping):(.*, .*)$", re.MULTILINE)
LOOSE_LIST = re.compile(r"^    (Select (?:images|objects|object sets) to measure):(.*,\S.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline as CellProfiler will read it."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode("utf-8")).hexdigest()

    def modules(self) -> tuple[str, ...]:
        """Return the names of its enabled modules, in order."""
        return tuple(name for name, enabled in MODULE.findall(self.text) if enabled == "True")


def read(path: Path) -> str:
    """Return the text of a .cppipe file; DataError if it is none."""
    text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
    if "CellProfiler Pipeline:" not in text or not MODULE.search(text):
        raise program.DataError(f"{path.name}: this is no CellProfiler pipeline (.cppipe)")
    _check_lists(path.name, text)
    return text


def is_template(text: str) -> bool:
    """Say whether a pipeline has placeholders; one without any is used as it is."""
    return PLACEHOLDER.search(text) is not None


def render(name: str, text: str, channels: Sequence[str]) -> Pipeline:
    """Return the pipeline for these channels, in alphabetical order; a text without placeholders is not changed.

    The order is CPJUMP1's: what is measured of two channels bears the names of both, in the order of the list.
    """
    if not is_template(text):
        return Pipeline(name, text)
    body = COMMENT.sub("", text)
    channels = sorted(channels, key=lambda channel: (channel.casefold(), channel))
    body = BLOCK.sub(lambda block: "".join(_named(block.group(1), channel) for channel in channels), body)
    body = body.replace("$channels", ", ".join(channels))
    if PLACEHOLDER.search(body) and len(channels) == 1:
        body = _named(body, channels[0])
    if PLACEHOLDER.search(body):
        raise program.DataError(f"{name}: $channel stands outside of $for channel ... $end, with several channels")
    return Pipeline(name, _numbered(body))


def _numbered(text: str) -> str:
    """Return the text with its modules numbered and counted: a module may stand in a block, once a channel."""
    numbers = itertools.count(1)
    text = NUMBER.sub(lambda header: f"{header[1]}{next(numbers)}", text)
    return COUNT.sub(f"ModuleCount:{next(numbers) - 1}", text)


def _named(text: str, channel: str) -> str:
    return re.sub(r"\$channel\b", channel, text)


def _check_lists(name: str, text: str) -> None:
    for pattern, rule in ((TIGHT_LIST, "without blanks"), (LOOSE_LIST, "with a blank after each comma")):
        wrong = pattern.search(text)
        if wrong:
            message = f"{name}: '{wrong[1]}:{wrong[2]}' must be written {rule}, or CellProfiler drops names in silence"
            raise program.DataError(message)
