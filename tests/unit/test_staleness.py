"""Change one thing, and exactly what depends on it is another result; touch it, and nothing is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.dataset import layout as layouts
from tasks.dataset.layout import Layout
from tasks.definitions import stages
from tasks.stage_tasks.stage import Staged
from tasks.workflow import image_analysis, pipeline
from tests.unit.conftest import LoadSettings, forget
from tests.unit.fakes import BATCH, lay_own_tables, lay_plate, lay_profiles
from tests.unit.test_graph import PLATE, changed, fingerprints, publish_all


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a copy of the real tree of containers, in the place of ours."""
    folder = tmp_path / "containers"
    shutil.copytree(layouts.CONTAINERS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(layouts, "CONTAINERS", folder)
    monkeypatch.setattr(layouts, "BASES", folder / "bases.toml")
    monkeypatch.setattr(image_analysis, "PIPELINES", folder / "cellprofiler/pipelines")
    forget()
    yield folder
    forget()


@pytest.fixture
def plate(tree: Path, luigi_cfg: LoadSettings) -> Layout:
    layout = luigi_cfg("")
    lay_plate(layout)
    lay_profiles(layout, PLATE)
    lay_own_tables(layout, PLATE)
    publish_all(layout)
    return layout


def stages_where(image: str = "", reads: str = "") -> list[str]:
    """Return the stages of an image, or that read an input, by their tables."""
    each = stages.load().items()
    return sorted(name for name, stage in each if image in ("", stage.image) and reads in ("", *stage.inputs))


def add_a_line(path: Path) -> None:
    with open(path, "a", encoding="utf-8") as handle:
        handle.write("\n# another line\n")


CELLPROFILER = ["illumination", "measure", "sample_illumination", "sample_measure", "tune_cells"]
PROGRAMS = {
    "cellprofiler/montage.py": ["montage", "sample_montage"],
    "pycytominer/normalize.py": ["normalize", "normalize_negcon"],
    "pycytominer/annotate.py": ["annotate", "annotate_deep"],
    "pycytominer/consensus.py": ["consensus"],
    "cellprofiler/plugins/loaddata.py": CELLPROFILER,
    "cellprofiler/run_cellprofiler.py": CELLPROFILER,
    "cellprofiler/pipelines/analysis.cppipe": ["measure", "sample_measure", "tune_cells"],
    "cellprofiler/pipelines/illumination.cppipe": ["illumination", "sample_illumination"],
    "gallery/preflight.py": ["load_data", "localise_load_data"],
}


@pytest.mark.parametrize(("file", "expected"), PROGRAMS.items(), ids=PROGRAMS)
def test_a_changed_program_module_or_pipeline_makes_stale_what_runs_it(
    file: str, expected: list[str], plate: Layout, tree: Path
) -> None:
    before = fingerprints()
    add_a_line(tree / file)
    forget()

    assert changed(before) == expected


def test_a_change_of_the_frame_that_all_programs_stand_in_makes_all_stale(plate: Layout, tree: Path) -> None:
    before = fingerprints()
    add_a_line(tree / "stagekit/program.py")
    forget()

    assert changed(before) == sorted(before)


@pytest.mark.parametrize("image", ["gallery", "cellprofiler", "pycytominer", "benchmark"])
@pytest.mark.parametrize("file", ["Dockerfile", "requirements.lock"])
def test_another_recipe_makes_stale_what_runs_in_its_image(image: str, file: str, plate: Layout, tree: Path) -> None:
    before = fingerprints()
    add_a_line(tree / image / file)
    forget()

    # The report tells of every recipe, and so depends on all.
    assert sorted({*changed(before)} - {"report"}) == sorted({*stages_where(image=image)} - {"report"})


def image_of(plate: Layout) -> Path:
    return next(plate.image_folders(BATCH).rglob("*.tiff"))


def platemap_of(plate: Layout) -> Path:
    return next(plate.platemaps.rglob("platemap/*.txt"))


def test_a_changed_image_makes_stale_what_reads_images(plate: Layout) -> None:
    before = fingerprints()
    image_of(plate).write_bytes(b"other pixels")

    assert changed(before) == stages_where(reads="images")
    assert {"load_data", "illumination", "measure", "montage"} <= set(changed(before))


def test_a_changed_platemap_makes_stale_what_reads_it(plate: Layout) -> None:
    before = fingerprints()
    with open(platemap_of(plate), "a", encoding="utf-8") as handle:
        handle.write("P24\tanother\n")

    assert changed(before) == stages_where(reads="platemap")
    assert {"load_data", "annotate"} <= set(changed(before))


def test_what_is_touched_and_not_changed_makes_nothing_stale(plate: Layout, tree: Path) -> None:
    before = fingerprints()
    touched = [image_of(plate), platemap_of(plate), *(path for path in tree.rglob("*") if path.is_file())]
    for path in touched:
        os.utime(path, (1, 1))
    forget()

    assert len(touched) > 50
    assert changed(before) == []


@pytest.mark.parametrize(
    ("section", "before", "after", "stage"),
    [
        ("normalize", "least_spread = 0", "least_spread = 0.1", pipeline.Normalize),
        (
            "select_features",
            "outlier_cutoff = 100",
            "outlier_cutoff = 100\noperations = variance_threshold,drop_outliers",
            pipeline.SelectFeatures,
        ),
    ],
)
def test_a_setting_that_came_later_counts_only_where_it_changes_something(
    section: str, before: str, after: str, stage: type[Staged], luigi_cfg: LoadSettings
) -> None:
    name = before.partition(" ")[0]
    luigi_cfg(f"[{section}]\n{before}\n")
    without = stage(batch_id=BATCH, plate=PLATE)
    luigi_cfg(f"[{section}]\n{after}\n")
    with_it = stage(batch_id=BATCH, plate=PLATE)

    assert name in without.spec().parameters  # the program is given it all the same
    assert name not in without.spec().fingerprinted()
    assert name in with_it.spec().fingerprinted()
