"""Poisoned, corrupt and cut-off data on real programs: named, isolated, and the same bytes once it is mended."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from stagekit import equality

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tasks.dataset.layout import Layout
from tasks.results import ledger, manifest
from tests.campaign import invariants
from tests.integration.saboteur import Poison
from tests.integration.toolkit import Toolkit, left_running, wait_for

pytestmark = pytest.mark.engine("process")

PLATE, SITE = PLATES[0], "A02-1"
MEASURE = ("Measure", "--batch-id", BATCH, "--plate", PLATE)


def layout_of(toolkit: Toolkit) -> Layout:
    return Layout(toolkit.root, "cpg0000-jump-pilot", "source_4")


def analysis(toolkit: Toolkit) -> dict[str, bytes]:
    folder = toolkit.dataset / "workspace/analysis" / BATCH / PLATE
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_image_set_that_cellprofiler_dies_of_is_isolated_and_made_once_the_poison_is_gone(tmp_path, cut):
    toolkit = Toolkit(tmp_path, "process")
    toolkit.draw(PLATE, ",".join(FOUR_WELLS))
    toolkit.lay_results(cut[0], "load_data", "illumination")
    with Poison(tmp_path, SITE) as poison:
        poisoned = toolkit.luigi(*MEASURE)
    layout = layout_of(toolkit)
    told = ledger.history(layout.ledger("measure", BATCH, PLATE))
    quiet = wait_for(lambda: not left_running(tmp_path))
    half_done = analysis(toolkit)
    mended = toolkit.luigi(*MEASURE)

    assert len(poison.victims) == 2  # in its shard, and alone
    assert poisoned.returncode == 30
    assert "1 of 4 sites failed" in poisoned.stderr
    assert f"{SITE}: program_error: analysis.cppipe: CellProfiler left with exit code -11" in poisoned.stderr
    assert {name: unit.state for name, unit in told.units.items()} == {
        **{f"{well}-1": "ok" for well in FOUR_WELLS},
        SITE: "quarantined",
    }
    assert quiet
    assert half_done == {}
    assert mended.returncode == 0, mended.stderr
    assert analysis(toolkit) == analysis(cut[0])


@pytest.fixture
def measured(tmp_path: Path, cut) -> Toolkit:
    """A copy of the run of four wells, which may be spoilt."""
    shutil.copytree(cut[0].root, tmp_path / "root", symlinks=True)
    return Toolkit(tmp_path, "process")


def forget(toolkit: Toolkit, stage: str) -> None:
    """Let a stage's result be gone, as if it had not been made."""
    path = layout_of(toolkit).manifest(stage, BATCH, PLATE)
    found = manifest.read(path)
    for made in found.artifacts(toolkit.root).values():
        shutil.rmtree(made.path) if made.path.is_dir() else made.path.unlink()
    path.unlink()


def stage_of(toolkit: Toolkit, name: str) -> subprocess.CompletedProcess[str]:
    return toolkit.luigi(name, "--batch-id", BATCH, "--plate", PLATE)


def test_a_csv_that_is_cut_off_is_named_and_the_whole_one_gives_the_same_bytes(measured, cut):
    path = measured.dataset / "workspace/analysis" / BATCH / PLATE / "analysis" / f"{PLATE}-{SITE}" / "Cells.csv"
    whole = path.read_bytes()
    forget(measured, "collate")
    path.write_bytes(whole[: len(whole) * 2 // 3])
    broken = stage_of(measured, "Collate")
    laid = frozenset(invariants.published(layout_of(measured)))
    path.write_bytes(whole)
    mended = stage_of(measured, "Collate")
    backend = Path("workspace/backend") / BATCH / PLATE / f"{PLATE}.sqlite"

    assert broken.returncode == 30
    assert f"{PLATE}-{SITE}" in broken.stderr
    assert "Cells.csv" in broken.stderr
    assert "Traceback" not in broken.stderr
    assert not [name for name in laid if name.endswith(".sqlite")]
    assert mended.returncode == 0, mended.stderr
    assert (measured.dataset / backend).read_bytes() == (cut[0].dataset / backend).read_bytes()


def test_a_sqlite_that_is_spoilt_is_named_and_made_again(measured, cut):
    backend = Path("workspace/backend") / BATCH / PLATE / f"{PLATE}.sqlite"
    content = bytearray((measured.dataset / backend).read_bytes())
    content[4096 : len(content) // 2] = bytes(len(content) // 2 - 4096)
    (measured.dataset / backend).write_bytes(content)
    measured.extra = {"aggregate": {"source": "backend"}}
    broken = stage_of(measured, "Aggregate")
    verified = measured.tasks("verify", "--deep", "--json")
    (measured.dataset / backend).unlink()
    mended = stage_of(measured, "Aggregate")

    assert broken.returncode == 30
    assert f"{PLATE}.sqlite" in broken.stderr
    assert "Traceback" not in broken.stderr
    assert verified.returncode == 1
    assert any(f"{PLATE}.sqlite" in fault for fault in json.loads(verified.stdout)["faults"])
    assert mended.returncode == 0, mended.stderr
    assert (measured.dataset / backend).read_bytes() == (cut[0].dataset / backend).read_bytes()


def illumination(toolkit: Toolkit) -> dict[str, bytes]:
    folder = toolkit.dataset / "images" / BATCH / "illum" / PLATE
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_tiff_with_spoilt_pixels_among_good_ones_is_named_and_the_mended_one_gives_the_same_bytes(tmp_path, cut):
    toolkit = Toolkit(tmp_path, "process")
    toolkit.draw(PLATE, ",".join(FOUR_WELLS))
    path = toolkit.images(BATCH, PLATE) / "r01c02f01p01-ch5sk1fk1fl1.tiff"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    broken = toolkit.luigi(*MEASURE)
    path.write_bytes(whole)
    mended = stage_of(toolkit, "Illumination")

    assert broken.returncode == 30
    assert path.name in broken.stderr
    assert "Traceback" not in broken.stderr
    assert mended.returncode == 0, mended.stderr
    assert len(illumination(toolkit)) == 5
    assert illumination(toolkit) == illumination(cut[0])


def test_a_site_with_a_spoilt_tiff_is_left_out_from_illumination_to_profiles_where_that_is_allowed(tmp_path, cut):
    (chosen,) = equality.choose(PLATE, [f"{well}-1" for well in FOUR_WELLS], 1)
    toolkit = Toolkit(tmp_path, "process", {"runtime": {"max_failed_fraction": "0.25"}}, audited=True)
    toolkit.draw(PLATE, ",".join(FOUR_WELLS))
    (path,) = toolkit.images(BATCH, PLATE).glob(f"r{ord(chosen[0]) - 64:02d}c{chosen[1:3]}f01p01-ch5*.tiff")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    done = toolkit.luigi("RunBatch", "--batch-id", BATCH, "--plates", f'["{PLATE}"]')
    shading, measured = (
        manifest.read(layout_of(toolkit).manifest(stage, BATCH, PLATE)) for stage in ("illumination", "measure")
    )
    wells = toolkit.profiles(PLATE, "")
    page = layout_of(toolkit).published("report", BATCH, BATCH) / f"{BATCH}_report.html"
    toolkit.extra = {}
    strict = toolkit.tasks("explain", "illumination", PLATE, "--batch-id", BATCH)
    path.write_bytes(whole)
    toolkit.audited = False
    mended = toolkit.luigi(*MEASURE)

    assert done.returncode == 0, done.stderr
    assert shading.facts["estimated_from"]["DNA"] == 3
    assert {channel: list(sites) for channel, sites in shading.facts["left_out"].items()} == {"DNA": [chosen]}
    assert path.name in shading.facts["left_out"]["DNA"][chosen]
    assert list(measured.facts["quarantined"]) == [chosen]
    assert path.name in measured.facts["quarantined"][chosen]
    assert any(f"site {chosen} was to be measured by both engines" in warning for warning in measured.warnings)
    assert dict(zip(wells.Metadata_Well, wells.Metadata_Site_Count.astype(int), strict=True)) == {
        well: int(f"{well}-1" != chosen) for well in wells.Metadata_Well
    }
    assert f'<th scope="row">{chosen}</th><td>quarantined</td>' in page.read_text()
    assert "1 of its sites were left out, more than [runtime] max_failed_fraction" in strict.stdout
    assert mended.returncode == 0, mended.stderr
    assert analysis(toolkit) == analysis(cut[0])
