"""Say things in short: warnings of one kind in one line, a reason without its remedy, a duration."""

from __future__ import annotations

import re
from collections.abc import Iterable

NUMBER = re.compile(r"\d+(?:\.\d+)?")
MOST_KINDS = 5
LONG = 100
"""Characters of a warning that is shown without what it lists."""


def folded(warnings: Iterable[tuple[str, str]]) -> list[str]:
    """Return a line a kind of warning, of pairs of stage and text.

    Two are of one kind if they differ in numbers, or in what is listed after a colon, at most.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for stage, text in warnings:
        kinds.setdefault(NUMBER.sub("0", _head(text)), []).append((stage, text))
    lines = [_kind(found) for found in kinds.values()]
    more = len(lines) - MOST_KINDS
    return lines if more <= 0 else [*lines[:MOST_KINDS], f"{more} more kinds of warnings are in the log"]


def _kind(found: list[tuple[str, str]]) -> str:
    """Return one line for warnings of a kind: whole if there is one short text, else what all of them say."""
    stages, texts = dict.fromkeys(stage for stage, _ in found), {text for _, text in found}
    whole = len(texts) == 1 and len(found[0][1]) <= LONG
    text = found[0][1] if whole else _joined([_head(text) for _, text in found])
    times = f"{len(found)} times: " if len(found) > 1 else ""
    return f"{text} ({times}{', '.join(stages)})"


def _joined(heads: list[str]) -> str:
    """Return a text whose numbers are ranges where they differ."""
    columns = zip(*(NUMBER.findall(head) for head in heads), strict=True)
    ranges = iter([_range(column) for column in columns])
    return NUMBER.sub(lambda _: next(ranges), heads[0])


def _range(numbers: tuple[str, ...]) -> str:
    least, most = min(numbers, key=float), max(numbers, key=float)
    return least if least == most else f"{least} to {most}"


def _head(text: str) -> str:
    return text.partition(": ")[0]


def in_short(reason: str) -> str:
    """Return a reason up to its details and remedy, which the log holds."""
    return re.split(r"; | \(", reason, maxsplit=1)[0]


def duration(seconds: float) -> str:
    """Return '12 s' or '4 min 37 s'."""
    if seconds < 1:
        return "< 1 s"
    whole = round(seconds)
    return f"{whole} s" if whole < 100 else f"{whole // 60} min {whole % 60} s"
