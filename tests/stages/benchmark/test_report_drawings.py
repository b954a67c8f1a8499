"""The report's graph, timeline and pictures: every arrow is a content that was read, every bar lies at its time."""

from __future__ import annotations

import graph_drawing
import pytest
import stage_graph
import timeline  # found on the path that conftest.py has laid


def run(stage: str, started: str = "2026-01-01T00:00:00+00:00", seconds: float = 10, reads=(), writes=()) -> dict:
    return {
        "stage": stage, "subject": "P", "started": started, "seconds": seconds,
        "inputs": {name: list(digests) for name, *digests in reads},
        "outputs": {name: {"digest": digest} for name, digest in writes},
    }  # fmt: skip


CHAIN = [
    run("list", reads=[("images", "i")], writes=[("table", "t")]),
    run("measure", reads=[("table", "t"), ("images", "i")], writes=[("cells/P", "c")]),
    run("draw", reads=[("table", "t"), ("cells", "c")], writes=[("picture", "p")]),
]


def test_an_arrow_is_a_content_that_one_stage_wrote_and_another_read_under_its_name():
    other_name = run("other", reads=[("tables", "t")])

    assert stage_graph.arrows([*CHAIN, other_name]) == {("list", "measure"), ("list", "draw"), ("measure", "draw")}


def test_what_two_stages_wrote_alike_is_of_the_first():
    late = run("joined", started="2026-01-02T00:00:00+00:00", writes=[("table", "t")])

    assert ("joined", "measure") not in stage_graph.arrows([late, *CHAIN])
    assert ("list", "measure") in stage_graph.arrows([late, *CHAIN])


def test_what_no_stage_wrote_came_from_outside():
    assert stage_graph.laid(CHAIN) == [
        {"name": "images", "digest": "i", "stages": ["list", "measure"], "subjects": ["P"], "path": ""},
    ]


def test_every_stage_lies_below_what_it_reads_from():
    depth = stage_graph.levels(["list", "measure", "draw"], stage_graph.arrows(CHAIN))

    assert depth == {"list": 0, "measure": 1, "draw": 2}


def test_a_circle_of_stages_is_drawn_all_the_same():
    circle = [run("a", reads=[("y", "2")], writes=[("x", "1")]), run("b", reads=[("x", "1")], writes=[("y", "2")])]

    assert set(stage_graph.levels(["a", "b"], stage_graph.arrows(circle))) == {"a", "b"}


def test_no_arrow_runs_through_a_box_and_no_boxes_overlap():
    ways = [("list", "measure"), ("list", "draw"), ("measure", "draw"), ("draw", "last"), ("list", "last")]
    runs = [run("list", writes=[(f"to-{other}", f"list-{other}") for one, other in ways if one == "list"])]
    for stage in ("measure", "draw", "last"):
        reads = [(f"to-{stage}", f"{one}-{stage}") for one, other in ways if other == stage]
        runs.append(run(stage, reads=[("".join(name), digest) for name, digest in reads]))
        runs[-1]["inputs"] = {f"to-{stage}": [digest for _, digest in reads]}
        runs[-1]["outputs"] = {
            f"to-{other}": {"digest": f"{one}-{other}"} for one, other in ways if one == stage
        }  # fmt: skip
    drawn = graph_drawing.draw(runs, {each["stage"]: {"image": "x"} for each in runs})
    corners = {box["stage"]: (box["x"], box["y"]) for box in drawn["boxes"]}
    straight = next(path["path"] for path in drawn["paths"] if (path["from"], path["to"]) == ("list", "last"))
    lanes = [float(part.split()[0]) for part in straight.replace("C", " ").split("V")[0].split()[-2:-1]]

    assert len(set(corners.values())) == 4
    assert len(drawn["paths"]) == len(ways)
    assert straight.count("V") == 2  # past the two layers between them
    for x in lanes:
        assert not any(left < x < left + graph_drawing.WIDTH for left, top in corners.values() if top > 10)


def test_the_graph_of_nothing_is_empty():
    assert graph_drawing.draw([], {})["boxes"] == []


def test_a_long_pause_is_cut_out_and_a_short_one_is_not():
    spans = [(0.0, 100.0), (110.0, 200.0), (90_000.0, 90_100.0)]
    axis = timeline.Axis(spans)

    assert axis.pieces == [(0.0, 200.0), (90_000.0, 90_100.0)]
    assert axis.at(0.0) == timeline.LEFT
    assert axis.at(90_000.0) == pytest.approx(axis.at(200.0) + timeline.CUT)
    assert axis.at(90_100.0) - axis.at(90_000.0) == pytest.approx(axis.at(100.0) - axis.at(0.0))
    assert axis.at(90_100.0) <= timeline.WIDTH


@pytest.mark.parametrize("length", [0.0, 0.5, 59, 3600, 86_400 * 40])
def test_marks_of_time_do_not_crowd_whatever_the_length(length):
    marks = [mark["x"] for mark in timeline.Axis([(0.0, length)]).ticks()]

    assert marks
    assert all(after - before > 24 for before, after in zip(marks, marks[1:], strict=False))
    assert marks[-1] <= timeline.WIDTH


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (4.25, "4.2 s"), (59.6, "1 min"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (273_600, "3 d 4 h")],
)
def test_a_length_of_time_is_said_as_people_do(seconds, said):
    assert timeline.words(seconds) == said


def test_a_bar_lies_at_its_time_in_its_stages_row():
    runs = [run("a", "2026-01-01T00:00:00+00:00", 100), run("b", "2026-01-01T00:00:50+00:00", 50)]
    drawn = timeline.draw(runs, ["a", "b"], {"a": {"image": "x"}, "b": {"image": "y"}})
    first, second = drawn["bars"]

    assert second["x"] == pytest.approx(first["x"] + first["w"] / 2)
    assert first["x"] + first["w"] == pytest.approx(second["x"] + second["w"])
    assert second["y"] == drawn["rows"][1]["y"]
    assert "b P: 50 s, from 2026-01-01 00:00:50 UTC" in second["text"]
