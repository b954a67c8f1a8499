"""Where the stages' boxes and arrows are drawn: in layers, and no arrow runs through a box."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any, Dict, List, Mapping, Sequence, Tuple

import stage_graph
from stage_graph import Arrow, Run

WIDTH, HEIGHT, ACROSS, DOWN, MARGIN = 212, 50, 18, 46, 6  # pixels of a box, and between and around boxes
LANE = 14  # pixels that an arrow takes as it passes a layer
SWEEPS = 12

Way = Tuple[str, ...]


def draw(runs: Sequence[Run], stages: Mapping[str, Mapping[str, str]]) -> Dict[str, Any]:
    """Return the drawing: its size, a box for each stage, a path for each arrow, the stages from top to bottom."""
    depth = stage_graph.levels(sorted({run["stage"] for run in runs}), drawn := stage_graph.arrows(runs))
    ways = {arrow: _way(arrow, depth) for arrow in sorted(drawn)}
    rows = untangled(_rows(depth, ways), list(ways.values()))
    x, width = _across(rows)
    y = {name: MARGIN + level * (HEIGHT + DOWN) for level, row in enumerate(rows) for name in row}
    outside = stage_graph.laid(runs)
    count = Counter(run["stage"] for run in runs)
    boxes = [
        {
            "stage": stage, "x": x[stage] - WIDTH / 2, "y": y[stage], "image": stages[stage]["image"],
            "runs": count[stage], "laid": sorted({each["name"] for each in outside if stage in each["stages"]}),
        }
        for row in rows for stage in row if stage in depth
    ]  # fmt: skip
    paths = [{"from": arrow[0], "to": arrow[1], "path": _path(way, x, y)} for arrow, way in ways.items()]
    height = 2 * MARGIN + len(rows) * (HEIGHT + DOWN) - DOWN
    return {
        "width": width, "height": height, "boxes": boxes, "paths": paths, "order": [box["stage"] for box in boxes],
        "box_width": WIDTH, "box_height": HEIGHT,
    }  # fmt: skip


def _way(arrow: Arrow, depth: Mapping[str, int]) -> Way:
    """Return an arrow's stations: its stages, and a lane in every layer between them."""
    one, other = arrow
    lanes = [f"{one}>{other}@{level}" for level in range(depth[one] + 1, depth[other])]
    return (one, *lanes, other)


def _rows(depth: Mapping[str, int], ways: Mapping[Arrow, Way]) -> List[List[str]]:
    rows: Dict[int, List[str]] = defaultdict(list)
    for stage, level in depth.items():
        rows[level].append(stage)
    for (one, _), way in ways.items():
        for step, lane in enumerate(way[1:-1], start=1):
            rows[depth[one] + step].append(lane)
    return [sorted(rows[level]) for level in sorted(rows)]


def untangled(rows: List[List[str]], ways: Sequence[Way]) -> List[List[str]]:
    """Order every layer by where its neighbours stand, up and down several times: fewer arrows cross."""
    beside: Dict[str, List[str]] = defaultdict(list)
    for way in ways:
        for one, other in zip(way, way[1:]):
            beside[one].append(other)
            beside[other].append(one)
    for sweep in range(SWEEPS):
        for row in rows if sweep % 2 else rows[::-1]:
            place, _ = _across(rows)
            mean = {name: sum(place[each] for each in beside[name]) / max(1, len(beside[name])) for name in row}
            row.sort(key=lambda name: (mean[name], name))
    return rows


def _across(rows: Sequence[Sequence[str]]) -> Tuple[Dict[str, float], float]:
    """Return the middle of every box and lane, each layer in the middle of the drawing, and the drawing's width."""
    sizes = [[LANE if "@" in name else WIDTH for name in row] for row in rows]
    wide = [sum(row) + ACROSS * (len(row) - 1) for row in sizes]
    width = 2 * MARGIN + max(wide, default=0)
    places = {}
    for row, size, own in zip(rows, sizes, wide):
        x = (width - own) / 2
        for name, each in zip(row, size):
            places[name] = x + each / 2
            x += each + ACROSS
    return places, width


def _path(way: Way, x: Mapping[str, float], y: Mapping[str, float]) -> str:
    """Return the path from the foot of the first box, along the lanes, to the head of the last."""
    at, foot = x[way[0]], y[way[0]] + HEIGHT
    path = f"M{at:.0f} {foot:.0f}"
    for name in way[1:]:
        head = y[name] - (3 if name == way[-1] else 0)
        bend = (head - foot) / 2
        path += f"C{at:.0f} {foot + bend:.0f} {x[name]:.0f} {head - bend:.0f} {x[name]:.0f} {head:.0f}"
        at, foot = x[name], y[name] + HEIGHT
        path += f"V{foot:.0f}" if name != way[-1] else ""
    return path
