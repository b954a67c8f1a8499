"""`init` makes a folder for a screen: settings and tables that are good as they are, and never over what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stagekit import outside

from tasks import commands
from tasks.commands import verbs
from tasks.dataset import lookup
from tasks.dataset.layout import REPOSITORY, Layout
from tasks.errors import BadNameError, SettingsError
from tasks.settings import luigi_file


def init(*words: str) -> int:
    args = verbs.parser().parse_args(["init", *words])
    code: int = verbs.VERBS["init"].act(args)
    return code


def test_settings_are_the_manual_with_the_dataset_of_the_screen(tmp_path: Path) -> None:
    init(str(tmp_path / "my_screen"))
    own = (tmp_path / "my_screen/luigi.cfg").read_text().splitlines()
    manual = (REPOSITORY / "luigi.cfg").read_text().splitlines()
    luigi_file.check_file(tmp_path / "my_screen/luigi.cfg")

    assert [pair for pair in zip(manual, own, strict=True) if pair[0] != pair[1]] == [
        ("project = cpg0000-jump-pilot", "project = my_screen"),
        ("source = source_4", "source = source_1"),
    ]


@pytest.mark.parametrize("line", ["root = data_root", "project = cpg0000-jump-pilot"])
def test_settings_of_a_clone_that_were_edited_are_not_taken_for_the_manual(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manual = (REPOSITORY / "luigi.cfg").read_text()
    (tmp_path / "luigi.cfg").write_text(manual.replace(f"{line}\n", "", 1))
    monkeypatch.setattr(commands.init, "REPOSITORY", tmp_path)

    with pytest.raises(SettingsError, match="LUIGI_CONFIG_PATH"):
        init(str(tmp_path / "screen"))
    assert not (tmp_path / "screen").exists()


def test_tables_of_named_plates_can_be_read_and_wait_to_be_filled_in(tmp_path: Path) -> None:
    words = ("--plates", "P1,P2", "--wells", "96", "--batch-id", "first", "--project", "lab", "--source", "us")
    init(str(tmp_path / "screen"), *words)
    layout = Layout(tmp_path / "screen/data_root", "lab", "us")
    platemap = lookup.platemap(layout, "first", "P2").read_text().splitlines()[1:]
    kinds = outside.read(outside.EXTERNAL_METADATA, layout.external_metadata("compounds.tsv"), "\t")

    assert lookup.plates(layout, "first") == ["P1", "P2"]
    assert platemap[:: len(platemap) - 1] == ["A01,unknown,", "H12,unknown,"]
    assert len(platemap) == 96
    assert [(row["broad_sample"], row["control_type"]) for row in kinds] == [("", "negcon")]


def test_results_stay_out_of_git_and_what_to_do_next_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    init(str(tmp_path / "screen"), "--batch-id", "first")
    steps = [line for line in (tmp_path / "screen/README.md").read_text().splitlines() if line[:1].isdigit()]
    printed = capsys.readouterr().out

    assert "/data_root/" in (tmp_path / "screen/.gitignore").read_text().splitlines()
    assert len(steps) == 9
    assert all(step in printed for step in steps)
    assert "RunBatch --batch-id first" in printed


def test_a_folder_that_is_not_empty_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SettingsError, match=str(tmp_path)):
        init(str(tmp_path))

    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "screen").mkdir()
    init(str(tmp_path / "screen"), "--json")
    written = json.loads(capsys.readouterr().out)["written"]

    assert sorted(written) == sorted(str(path) for path in (tmp_path / "screen").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "words",
    [("my screen",), ("screen", "--plates", "a/b"), ("screen", "--source", "..")],
    ids=["folder", "plate", "source"],
)
def test_a_name_that_is_no_folders_is_refused_before_anything_is_written(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadNameError):
        init(*words)

    assert list(tmp_path.iterdir()) == []
