"""What was done to a file is told by its batch's RO-Crate, and by nothing else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from tasks import __main__ as command
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError
from tasks.results import manifest, provenance
from tasks.runtime.core import identity
from tasks.settings import settings
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE


@pytest.fixture
def made(load_data_made: Layout) -> Layout:
    """Write the crate of a plate whose load_data is published."""
    provenance.write(load_data_made, BATCH, settings.load().store)
    return load_data_made


def table(layout: Layout) -> Path:
    return layout.published("load_data_csv", BATCH, PLATE) / "load_data.csv"


def entities(layout: Layout) -> dict[str, dict]:
    return {entity.id: entity.properties() for entity in ROCrate(layout.provenance(BATCH)).get_entities()}


def test_the_crate_tells_of_every_run_what_its_manifest_says(made: Layout) -> None:
    told = manifest.read(made.manifest("load_data", BATCH, PLATE))
    known = entities(made)
    action = known[f"#load_data/{PLATE}"]
    objects = [known[each["@id"]] for each in action["object"]]

    assert told
    assert action["startTime"] == told.started
    assert known[action["agent"]["@id"]]["name"] == told.by == identity.user()
    assert known[action["instrument"]["@id"]]["softwareVersion"] == told.fingerprint["program"]
    assert {each["name"]: each["value"] for each in objects if each["@type"] == "PropertyValue"} == dict(
        told.fingerprint["parameters"]
    )
    assert {each["sha256"] for each in objects if "sha256" in each} == {
        each for found in told.fingerprint["inputs"].values() for each in found
    }
    assert {known[each["@id"]]["sha256"] for each in action["result"]} == {
        each["digest"] for each in told.outputs.values()
    }


def test_a_file_in_the_crate_has_its_own_sha256_and_lies_where_it_says(made: Layout) -> None:
    folder = made.provenance(BATCH)
    named = {(folder / name).resolve(): known for name, known in entities(made).items() if name.startswith("..")}

    assert named[table(made)]["sha256"] == hashlib.sha256(table(made).read_bytes()).hexdigest()


def test_a_file_s_history_begins_with_what_was_laid(made: Layout) -> None:
    found = provenance.history(made, table(made))
    (step,) = found.steps

    assert found.unchanged
    assert step.run == f"load_data/{PLATE}"
    assert step.parameters["faulty_sites"] == "stop"
    assert [place for place, _ in step.read][-1].endswith("JUMP_platemap.txt")


def test_a_changed_file_is_told_with_exit_code_1(made: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    with open(table(made), "a") as lines:
        lines.write("x")
    code = provenance_of(table(made))

    assert code == 1
    assert "HAS CHANGED since" in capsys.readouterr().out


def test_a_file_below_a_published_folder_has_the_folder_s_history(made: Layout) -> None:
    (folder,) = made.image_folders(BATCH).iterdir()
    found = provenance.history(made, next(folder.rglob("*.tiff")))

    assert (found.unchanged, found.steps) == (True, [])


def test_a_file_that_no_crate_knows_is_named(made: Layout, tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match=r"no crate .* tells of .*stranger.csv"):
        provenance.history(made, tmp_path / "stranger.csv")


def test_a_batch_without_results_has_no_crate(luigi_cfg: LoadSettings) -> None:
    with pytest.raises(MissingInputError, match="no stage has made anything of it"):
        provenance.write(luigi_cfg(""), BATCH, settings.load().store)


def test_a_crate_is_not_current_once_a_manifest_has_changed(made: Layout) -> None:
    before = provenance.is_current(made, BATCH, settings.load().store)
    path = made.manifest("load_data", BATCH, PLATE)
    path.write_text(path.read_text().replace('"seconds"', '"seconds" '))

    assert (before, provenance.is_current(made, BATCH, settings.load().store)) == (True, False)


def test_a_name_with_markup_stays_text(made: Layout) -> None:
    path = made.manifest("load_data", BATCH, PLATE)
    path.write_text(path.read_text().replace('"by": "', '"by": "<script> &\\"'))
    provenance.write(made, BATCH, settings.load().store)

    assert any(str(each.get("name", "")).startswith('<script> &"') for each in entities(made).values())


def provenance_of(file: Path) -> int:
    return command.VERBS["provenance"].act(
        type("", (), {"batch_id": None, "file": file, "json": False, "cite": False})()
    )


def test_the_verb_writes_the_crate_for_programs_too(made: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    command.VERBS["provenance"].act(type("", (), {"batch_id": BATCH, "file": None, "json": True, "cite": False})())

    assert Path(json.loads(capsys.readouterr().out)["crate"]).exists()
