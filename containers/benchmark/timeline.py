"""When each stage was at work: bars on one axis, from which the hours in which nothing was done are cut out."""

from __future__ import annotations

import datetime
from typing import Any, Dict, List, Mapping, Sequence, Tuple

WIDTH, LEFT, ROW, TOP = 1000, 218, 22, 26  # pixels of the drawing
SHORTEST_CUT = 60.0  # seconds; a shorter pause is drawn as it was
LONGEST_PAUSE = 0.04  # of the time at work; a longer pause is cut
CUT = 14.0  # pixels that a cut takes
LEAST = 2.0  # pixels; a shorter bar would not be seen
STEPS = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 604800)

Span = Tuple[float, float]


def spans_at_work(spans: Sequence[Span]) -> List[Span]:
    """Return the time in which something was at work as few spans, joined over short pauses."""
    busy = _joined(spans, 0.0)
    pause = max(SHORTEST_CUT, LONGEST_PAUSE * sum(end - start for start, end in busy))
    return _joined(spans, pause)


def _joined(spans: Sequence[Span], pause: float) -> List[Span]:
    joined: List[Span] = []
    for start, end in sorted(spans):
        if joined and start - joined[-1][1] <= pause:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


class Axis:
    """Where a time lies on the drawing."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self.pieces = spans_at_work(spans)
        busy = sum(end - start for start, end in self.pieces) or 1.0
        self.scale = (WIDTH - LEFT - CUT * (len(self.pieces) - 1) - 10) / busy

    def starts(self) -> List[float]:
        """Return where every piece begins."""
        found, x = [], float(LEFT)
        for start, end in self.pieces:
            found.append(x)
            x += (end - start) * self.scale + CUT
        return found

    def at(self, time: float) -> float:
        """Return the place of a time that lies in one of the pieces."""
        for x, (start, end) in zip(self.starts(), self.pieces):
            if time <= end:
                return x + max(0.0, time - start) * self.scale
        return self.starts()[-1] + (self.pieces[-1][1] - self.pieces[-1][0]) * self.scale

    def ticks(self) -> List[Dict[str, Any]]:
        """Return marks in whole minutes, hours or days after a piece's beginning, some 100 pixels apart."""
        step = next((step for step in STEPS if step * self.scale >= 90), STEPS[-1])
        found = []
        for x, (start, end) in zip(self.starts(), self.pieces):
            for number in range(int((end - start) / step) + 1):
                found.append({"x": x + number * step * self.scale, "text": words(number * step) if number else "0"})
        return [tick for at, tick in enumerate(found) if not at or tick["x"] - found[at - 1]["x"] > 24]


def draw(runs: Sequence[Mapping[str, Any]], order: Sequence[str], stages: Mapping[str, Any]) -> Dict[str, Any]:
    """Return the drawing: a row a stage, a bar a run; nothing if nothing was run."""
    spans = {id(run): (begin := seconds_of(run["started"]), begin + max(run["seconds"], 0.0)) for run in runs}
    axis = Axis(list(spans.values()))
    rows = [{"stage": stage, "y": TOP + at * ROW, "image": stages[stage]["image"]} for at, stage in enumerate(order)]
    height_of = {row["stage"]: row["y"] for row in rows}
    bars = []
    for run in runs:
        x, end = (axis.at(time) for time in spans[id(run)])
        told = f"{run['stage']} {run['subject']}: {words(run['seconds'])}, from {clock(run['started'])}"
        image = stages[run["stage"]]["image"]
        bars.append({"x": x, "y": height_of[run["stage"]], "w": max(end - x, LEAST), "text": told, "image": image})
    cuts = [
        {"x": x - CUT, "text": f"{words(piece[0] - before[1])} without work"}
        for x, before, piece in zip(axis.starts()[1:], axis.pieces, axis.pieces[1:])
    ]
    first = clock(min(run["started"] for run in runs))
    return {
        "width": WIDTH, "height": TOP + len(rows) * ROW + 8, "left": LEFT, "row": ROW, "cut": CUT, "rows": rows,
        "bars": bars, "cuts": cuts, "ticks": axis.ticks(), "first": first, "busy": sum(b - a for a, b in axis.pieces),
    }  # fmt: skip


def seconds_of(started: str) -> float:
    """Return a time as seconds."""
    return datetime.datetime.fromisoformat(started).timestamp()


def clock(started: str) -> str:
    """Return a time as people write it, in UTC."""
    return datetime.datetime.fromisoformat(started).astimezone(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def words(seconds: float) -> str:
    """Return a length of time: 4.2 s, 3 min 5 s, 2 h 10 min, 3 d 4 h."""
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    for size, unit, smaller, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"
