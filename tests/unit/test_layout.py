"""Names from outside never leave the data root, nor reach a shell; every path has its place in the gallery's layout."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tasks.dataset.layout import FOLDERS, Layout, checked_name
from tasks.errors import BadNameError

BAD = {
    "parent": "../x",
    "parent within": "a..b",
    "slash": "a/b",
    "root": "/etc",
    "blank": "a b",
    "blank around": " a",
    "newline": "a\n",
    "semicolon": "a;b",
    "substitution": "a$(b)",
    "backtick": "a`b`",
    "quote": "a'b",
    "ampersand": "a&b",
    "star": "a*",
    "tilde": "~a",
    "percent": "a%s",
    "brace": "{plate}",
    "empty": "",
    "leading dash": "-a",
    "leading dot": ".work",
    "unicode": "plätte",
    "unicode digit": "٣",
    "null": "a\0",
}

TAKES_A_NAME: dict[str, Callable[[Layout, str], Path]] = {
    "project": lambda layout, name: Layout(layout.root, name, "s").dataset,
    "source": lambda layout, name: Layout(layout.root, "p", name).dataset,
    "image_folders": lambda layout, name: layout.image_folders(name),
    "barcode_platemap": lambda layout, name: layout.barcode_platemap(name),
    "platemap of batch": lambda layout, name: layout.platemap(name, "p"),
    "platemap": lambda layout, name: layout.platemap("b", name),
    "external_metadata": lambda layout, name: layout.external_metadata(name),
    "published of batch": lambda layout, name: layout.published("profiles", name, "p"),
    "published of plate": lambda layout, name: layout.published("profiles", "b", name),
    "run of batch": lambda layout, name: layout.run("measure", name, "p", "1"),
    "run of plate": lambda layout, name: layout.run("measure", "b", name, "1"),
    "benchmark of batch": lambda layout, name: layout.benchmark(name, "final"),
    "benchmark of definition": lambda layout, name: layout.benchmark("b", name),
    "record": lambda layout, name: layout.record(name),
    "published of deep batch": lambda layout, name: layout.published("profiles", layout.deep_batch(name), "p"),
    "manifest of batch": lambda layout, name: layout.manifest("measure", name, "p"),
    "manifest of plate": lambda layout, name: layout.manifest("measure", "b", name),
    "adopted of batch": lambda layout, name: layout.adopted(name, "p"),
    "adopted": lambda layout, name: layout.adopted("b", name),
}
HERE = Layout(Path("/data/lab"), "project", "source")


@pytest.mark.parametrize("name", BAD.values(), ids=BAD)
def test_a_bad_name_enters_no_path(name: str) -> None:
    for path in TAKES_A_NAME.values():
        with pytest.raises(BadNameError, match="is no valid name: it must start with a letter or a digit") as failure:
            path(HERE, name)

        assert repr(name) in str(failure.value)


@given(some.text(max_size=12) | some.text(alphabet="aZ09._-/ ~", max_size=8))
def test_no_accepted_name_leaves_the_root_or_means_something_to_a_shell(name: str) -> None:
    for path in TAKES_A_NAME.values():
        try:
            found = path(HERE, name)
        except BadNameError:
            continue

        assert Path(str(found)).resolve().is_relative_to(HERE.root)
        assert len(found.parts) == len(path(HERE, "B1").parts)
        assert shlex.quote(str(found)) == str(found)


@given(some.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_-]|\.(?!\.))*", fullmatch=True))
def test_a_barcode_is_a_good_name(name: str) -> None:
    assert checked_name("plate", name) == name


def test_results_lie_where_the_gallery_has_them() -> None:
    below = {
        folder: HERE.published(folder, "B", "P").relative_to("/data/lab/project/source").as_posix()
        for folder in FOLDERS
    }

    assert below == {
        "anndata": "workspace/anndata/B/P",
        "explorer": "workspace/explorer/B",
        "explorer_sets": "workspace/explorer/B/sets/P",
        "explorer_plates": "workspace/explorer/B/plates/P",
        "own_tables": "workspace/imported/B/P",
        "load_data_csv": "workspace/load_data_csv/B/P",
        "load_data_localised": "workspace/load_data_csv/B/P/localised",
        "illum": "images/B/illum/P",
        "masks": "images/B/masks/P",
        "imported": "images/B/imported/P",
        "analysis": "workspace/analysis/B/P",
        "backend": "workspace/backend/B/P",
        "profiles": "workspace/profiles/B/P",
        "sample": "workspace/quality_control/B/P/sample",
        "sample_illum": "workspace/quality_control/B/P/sample/illum",
        "quality_control": "workspace/quality_control/B/P",
        "fetched": "workspace/fetched/B",
        "benchmark": "workspace/benchmark/B",
        "provenance": "workspace/provenance/B",
        "deep_profiles": "workspace/profiles/B_DL/P",
        "locations": "workspace_dl/locations/B/P",
        "embeddings": "workspace_dl/embeddings",
        "embeddings_torch": "workspace_dl/embeddings_torch",
        "deep_cells": "workspace_dl/single_cells/B/P",
        "checkpoints": "workspace_dl/checkpoints",
        "fetched_checkpoints": "workspace_dl/checkpoints/fetched",
        "report": "workspace/report/B",
    }


def test_our_own_files_lie_on_the_results_file_system_and_apart_for_every_source() -> None:
    other = Layout(HERE.root, "project", "source_13")
    own = {
        HERE.run("measure", "B", "P", "1"),
        HERE.manifest("measure", "B", "P"),
        HERE.adopted("B", "P"),
        other.run("measure", "B", "P", "1"),
        other.manifest("measure", "B", "P"),
        other.adopted("B", "P"),
    }

    assert len(own) == 6
    assert all(path.is_relative_to("/data/lab/.work") for path in own)
