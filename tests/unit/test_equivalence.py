"""What an earlier program made stays complete where the table links that program to the present one, and only there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tasks import __main__ as command
from tasks.commands.staleness import COMPLETE, STALE, Explanation, explain
from tasks.dataset.layout import Layout
from tasks.definitions import recipes, stages
from tasks.errors import DefinitionError
from tasks.results import equivalence, manifest
from tasks.results.equivalence import Code, Entry
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE
from tests.unit.measuring_bench import make

A, B, C = "a" * 64, "b" * 64, "c" * 64


def entry(old: Code, new: Code, stage: str = "load_data") -> Entry:
    return Entry(stage, old, new, "a plate: 3 files, 12 bytes", "2026-11-30", 'tasks equivalent "all"')


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / equivalence.NAME
    monkeypatch.setattr(equivalence, "table", lambda: path)
    return path


@pytest.fixture
def old(load_data_made: Layout, table: Path, monkeypatch: pytest.MonkeyPatch) -> Code:
    """Publish load_data, then change its program to B; return by what the result was made."""
    monkeypatch.setattr(recipes, "program_hash", lambda stage: B)
    found = manifest.read(load_data_made.manifest("load_data", BATCH, PLATE))
    assert found is not None
    return equivalence.code(found.fingerprint)


def explained() -> Explanation:
    return explain(make("load_data"))


def test_without_an_entry_a_result_of_another_program_is_stale(old: Code) -> None:
    assert not make("load_data").complete()
    assert explained().state == STALE
    assert explained().reasons == ("the program load_data.py, or a module that it uses, has changed",)
    assert explained().equivalent == ()


def test_with_an_entry_it_is_complete_and_explain_names_the_entry(old: Code) -> None:
    used = entry(old, replace(old, program=B))
    equivalence.add([used])

    assert make("load_data").complete()
    assert (explained().state, explained().reasons) == (COMPLETE, ())
    assert explained().equivalent == (str(used),)
    assert old.program[:12] in str(used)


def test_the_command_prints_the_entry_that_was_used(
    old: Code, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    used = entry(old, replace(old, program=B))
    equivalence.add([used])
    monkeypatch.setattr("sys.argv", ["tasks", "explain", "load_data", PLATE])
    assert command.main() == 0
    printed = capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["tasks", "explain", "load_data", PLATE, "--json"])
    assert command.main() == 0

    assert str(used) in printed
    assert json.loads(capsys.readouterr().out)["equivalent"] == [str(used)]


def test_entries_that_follow_one_another_are_joined_and_all_are_named(old: Code) -> None:
    between = replace(old, program=C)
    both = [entry(between, replace(old, program=B)), entry(old, between)]
    equivalence.add(both)

    assert explained().state == COMPLETE
    assert explained().equivalent == (str(both[1]), str(both[0]))


@pytest.mark.parametrize(
    "given",
    [
        lambda old: entry(replace(old, program=B), old),
        lambda old: entry(old, replace(old, program=B), stage="measure"),
        lambda old: entry(old, replace(old, program=C)),
        lambda old: entry(replace(old, environment=A), Code(B, A)),
        lambda old: entry(old, Code(B, A)),
    ],
    ids=["the other way", "another stage", "another program", "in another environment", "to another environment"],
)
def test_an_entry_holds_for_nothing_but_what_it_says(given, old: Code) -> None:
    equivalence.add([given(old)])

    assert explained().state == STALE
    assert explained().reasons == ("the program load_data.py, or a module that it uses, has changed",)


def test_an_entry_may_link_environments_too(old: Code, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "environment_hash", lambda image: C)
    before = explained().reasons
    equivalence.add([entry(old, Code(B, C))])

    assert len(before) == 2
    assert explained().state == COMPLETE


def test_a_linked_program_is_no_reason_where_something_else_makes_a_result_stale(
    old: Code, luigi_cfg: LoadSettings
) -> None:
    equivalence.add([entry(old, replace(old, program=B))])
    luigi_cfg("[preflight]\nfaulty_sites = exclude\n")

    assert explained().state == STALE
    assert explained().reasons == ("the setting faulty_sites was 'stop' and is 'exclude'",)


def test_what_was_written_is_read_back_and_nothing_is_written_twice(table: Path) -> None:
    one, other = entry(Code(A, C), Code(B, C)), entry(Code(B, C), Code(A, A), "measure")

    assert equivalence.add([one]) == [one]
    assert equivalence.add([one, other]) == [other]
    assert equivalence.entries() == (one, other)


def test_a_circle_of_entries_ends(table: Path) -> None:
    equivalence.add([entry(Code(A, C), Code(B, C)), entry(Code(B, C), Code(A, C))])

    assert equivalence.linked("load_data", Code(A, C), Code(C, C)) is None


BROKEN = {
    "no TOML": "[[equivalent]",
    "a key missing": '[[equivalent]]\nstage = "measure"\n',
    "a hash cut": f'from = {{ program = "{A[1:]}", environment = "{A}" }}\n',
    "a key unknown": f'from = {{ program = "{A}", environment = "{A}" }}\nreverse = true\n',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_table_that_breaks_its_form_stops_with_its_name(text: str, table: Path) -> None:
    if text.startswith("from"):
        to = f'to = {{ program = "{B}", environment = "{A}" }}\n'
        text = f'[[equivalent]]\nstage = "measure"\ncompared = "x"\ndate = "x"\ncommand = "x"\n{to}{text}'
    table.write_text(text)

    with pytest.raises(DefinitionError, match=equivalence.NAME):
        equivalence.entries()


def test_the_table_of_this_version_is_well_formed_and_of_known_stages() -> None:
    assert equivalence.table().is_file()
    assert {each.stage for each in equivalence.entries()} <= set(stages.load())
