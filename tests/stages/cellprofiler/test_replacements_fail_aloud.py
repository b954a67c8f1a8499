"""A replacement that cannot do its work ends the run or says so: CellProfiler alone would go on and exit 0."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.stages.cellprofiler.plates import PLATE, REPOSITORY, Plate, Programs, make_plate, rendered, without_modules

SLOW = (
    "MeasureGranularity",
    "MeasureObjectIntensity",
    "MeasureObjectNeighbors",
    "MeasureObjectIntensityDistribution",
    "MeasureObjectSizeShape",
    "MeasureTexture",
)
LIBRARY = ("kernels/library.py", "libmeasure_kernels.so", "not_there.so")
RUN = "    def run(self, workspace):\n"
CONSTRUCTOR = ("measuretexture.py", RUN, f"    def create_settings(self):\n        1 / 0\n\n{RUN}")


@pytest.fixture
def plate(tmp_path: Path) -> Plate:
    return make_plate(tmp_path / "plate", sites=(("A01", "1"),))


@pytest.fixture
def copy(programs: Programs, tmp_path: Path) -> Programs:
    """Return the programs in a copy of their folder, to be broken."""
    containers = tmp_path / "containers"
    for name in ("cellprofiler", "stagekit"):
        shutil.copytree(REPOSITORY / "containers" / name, containers / name)
    return Programs(programs.python, tmp_path, containers)


def edit(copy: Programs, name: str, before: str, after: str) -> None:
    path = copy.containers / "cellprofiler/plugins" / name
    text = path.read_text()
    path.write_text(text.replace(before, after))

    assert path.read_text() != text


@pytest.mark.parametrize(
    "change, words",
    [
        (LIBRARY, ["Could not load measure", "not_there.so"]),
        (CONSTRUCTOR, ["MeasureTexture", "ZeroDivisionError"]),
    ],
    ids=["library missing", "constructor raises"],
)
def test_a_replacement_that_cannot_be_loaded_ends_the_run_before_its_first_site(
    copy: Programs, plate: Plate, tmp_path: Path, change: tuple[str, str, str], words: list[str]
):
    edit(copy, *change)
    outcome = copy.measure(plate, tmp_path / "out")

    assert outcome.code == 65
    assert all(word in outcome.stderr for word in words), outcome.stderr[-2000:]
    assert "Image # 1" not in outcome.stderr
    assert outcome.units() == {"A01-1": "skipped"}


WITHOUT_REPLACEMENT = {
    "Select where to measure correlation:": ("Within objects", "Both"),
    "Calculate intensity Zernikes?:": ("None", "Magnitudes only"),
}


def test_every_measurement_that_has_no_replacement_is_told(programs: Programs, plate: Plate, tmp_path: Path):
    text = rendered(programs, plate.channels)
    for setting, (before, after) in WITHOUT_REPLACEMENT.items():
        assert setting + before in text
        text = text.replace(setting + before, setting + after)
    pipeline = tmp_path / "both.cppipe"
    pipeline.write_text(text)
    outcome = programs.measure(plate, tmp_path / "out", pipeline=pipeline)

    assert outcome.code == 0, outcome.stderr[-2000:]
    assert outcome.facts()["ran_stock"] == {
        "MeasureColocalization ran its stock code: whole images have no replacement": "DNA and RNA",
        "MeasureObjectIntensityDistribution ran its stock code: those of intensities have no replacement": (
            "Zernike moments"
        ),
    }
    header = next(outcome.analysis.glob(f"{PLATE}-*/Image.csv")).read_text().splitlines()[0]
    assert "Correlation_RWC_DNA_RNA" in header
    assert "Texture_Entropy_DNA_10_03_256" in header


def test_a_setting_that_is_not_covered_runs_stock_and_the_manifest_says_why(
    programs: Programs, plate: Plate, tmp_path: Path
):
    text = without_modules(rendered(programs, plate.channels), *SLOW)
    costes = "Calculate the Manders coefficients using Costes auto threshold?:"
    pipeline = tmp_path / "costes.cppipe"
    pipeline.write_text(text.replace(f"{costes}No", f"{costes}Yes"))
    outcome = programs.measure(plate, tmp_path / "out", pipeline=pipeline)
    why = "MeasureColocalization ran its stock code: Costes' threshold is asked for"

    assert outcome.code == 0, outcome.stderr[-2000:]
    assert f"{costes}Yes" in pipeline.read_text()
    assert outcome.facts()["ran_stock"] == {why: "DNA and RNA in Nuclei"}
    assert f"warning: {why} (first for DNA and RNA in Nuclei)" in outcome.stderr
