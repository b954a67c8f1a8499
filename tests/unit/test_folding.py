"""Warnings of one kind become one line, and nothing of another kind gets lost."""

from __future__ import annotations

import pytest

from tasks.commands import folding

DROPPED = "{} features do not vary in the wells to scale against and are dropped: Cells_A_{}, Cells_B, ..."
UNPAIRED = "2 labels have no pair: AURKA, NDUFV1"


def test_equal_warnings_of_several_plates_and_stages_are_one_line_that_counts_them_and_names_the_stages() -> None:
    lines = folding.folded([(stage, UNPAIRED) for stage in ("normalize", "matching", "normalize", "matching")])

    assert lines == [f"{UNPAIRED} (4 times: normalize, matching)"]


def test_a_warning_that_is_alone_is_shown_whole_if_it_is_short() -> None:
    assert folding.folded([("matching", UNPAIRED)]) == [f"{UNPAIRED} (matching)"]


def test_warnings_that_differ_in_numbers_are_one_line_with_the_range() -> None:
    lines = folding.folded([("normalize", DROPPED.format(number, "x")) for number in (60, 7, 58)])

    assert lines == ["7 to 60 features do not vary in the wells to scale against and are dropped (3 times: normalize)"]


def test_warnings_that_differ_in_what_they_list_are_one_line_without_the_list() -> None:
    lines = folding.folded([("normalize", DROPPED.format(60, name)) for name in ("x", "y")])

    assert lines == ["60 features do not vary in the wells to scale against and are dropped (2 times: normalize)"]


def test_every_kind_of_warning_has_a_line_of_its_own() -> None:
    lines = folding.folded([("normalize", DROPPED.format(60, "x")), ("matching", UNPAIRED), ("measure", "no cells")])

    assert [line.split()[0] for line in lines] == ["60", "2", "no"]


def test_where_there_are_too_many_kinds_the_rest_are_counted() -> None:
    lines = folding.folded([("measure", f"a {name} fault") for name in "abcdefgh"])

    assert len(lines) == folding.MOST_KINDS + 1
    assert lines[-1].startswith("3 ")


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        ("no daemon answers (Connection refused)", "no daemon answers"),
        ("the image is not in images.lock; type: python -m tasks images build x", "the image is not in images.lock"),
        ("there is no command apptainer or singularity", "there is no command apptainer or singularity"),
    ],
)
def test_a_reason_is_shown_without_its_details_and_its_remedy(reason: str, short: str) -> None:
    assert folding.in_short(reason) == short


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.4, "< 1 s"), (1.2, "1 s"), (99.4, "99 s"), (100, "1 min 40 s"), (276.9, "4 min 37 s")]
)
def test_a_duration_is_said_in_seconds_or_in_minutes_and_seconds(seconds: float, said: str) -> None:
    assert folding.duration(seconds) == said
