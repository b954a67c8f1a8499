"""A well's name says its row and column, up to plates of 1536 wells, and back."""

from __future__ import annotations

import pytest
from stagekit import contracts, wells

PLATE = [(row, column) for row in range(32) for column in range(48)]


def name(row: int, column: int) -> str:
    return f"{wells.row_letters(row)}{column + 1:02d}"


def test_the_1536_wells_of_a_plate_have_names_of_their_own_that_say_their_place() -> None:
    names = [name(*place) for place in PLATE]

    assert [wells.place(each) for each in names] == PLATE
    assert [wells.normal(each) for each in names] == names
    assert len(set(names)) == 1536
    assert (names[0], names[26 * 48], names[-1]) == ("A01", "AA01", "AF48")
    assert all(contracts.PLACE.pattern.fullmatch(each) for each in names)


@pytest.mark.parametrize(("text", "well"), [("A1", "A01"), ("a01", "A01"), ("A001", "A01"), ("af48", "AF48")])
def test_other_spellings_of_a_well_are_read(text: str, well: str) -> None:
    assert wells.normal(text) == well


@pytest.mark.parametrize("text", ["", "A", "1", "A0", "A00", "1A", "ABC1", "A100", "A-1", "\u00c41"])
def test_what_is_no_well_is_none(text: str) -> None:
    assert wells.normal(text) is None
    with pytest.raises(ValueError, match="is no well"):
        wells.place(text)


@pytest.mark.parametrize("row", [-1, 702])
def test_a_row_without_letters_is_refused(row: int) -> None:
    with pytest.raises(ValueError, match="is none of 1 to 702"):
        wells.row_letters(row)


def test_rows_go_on_after_z() -> None:
    assert [wells.row_letters(row) for row in (0, 25, 26, 31, 51, 52, 701)] == ["A", "Z", "AA", "AF", "AZ", "BA", "ZZ"]
