"""A site of a plate is measured by both engines in production: the same site however the plate is cut, and aloud."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

import pytest
from stagekit import equality

from tests.stages.cellprofiler.plates import PLATE, REPOSITORY, Outcome, Plate, Programs, make_plate

SITES = (("A01", "1"), ("A02", "1"), ("B02", "1"))
NAMES = [f"{well}-{site}" for well, site in SITES]


@pytest.fixture(scope="module")
def plate(tmp_path_factory: pytest.TempPathFactory) -> Plate:
    return make_plate(tmp_path_factory.mktemp("audited") / "plate", sites=SITES)


@pytest.fixture(scope="module")
def whole(plate: Plate, cellprofiler_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return the plate in one shard, two of its sites audited; it is started, and the runs that are compared forked."""
    scratch = tmp_path_factory.mktemp("whole")
    return Programs(cellprofiler_python, scratch, forked=False).measure(plate, scratch / "out", audit_sites=2)


def test_the_manifest_says_which_sites_were_audited_and_that_every_value_agrees(whole: Outcome):
    assert whole.code == 0, whole.stderr[-2000:]
    found = whole.facts()["audit"]

    assert list(found) == equality.choose(PLATE, NAMES, 2)
    for name, counts in found.items():
        compared = equality.compare(*2 * [whole.analysis / f"{PLATE}-{name}"]).all
        assert counts["values"] == compared.equal > 5000
        assert counts["differ"] == 0
        assert 0 <= counts["largest"] < 1e-9
        assert counts["equal"] > counts["values"] / 3


def test_another_sharding_audits_the_same_site_and_publishes_the_same_bytes(
    programs: Programs, plate: Plate, whole: Outcome, tmp_path: Path
):
    cut = [programs.measure(plate, tmp_path / f"{k}of2", f"{k}/2", audit_sites=1) for k in (1, 2)]
    audited = [name for outcome in cut for name in outcome.facts()["audit"]]

    assert audited == equality.choose(PLATE, NAMES, 1)
    for outcome in cut:
        for folder in outcome.analysis.iterdir():
            compared = filecmp.dircmp(whole.analysis / folder.name, folder)
            assert (compared.diff_files, compared.left_only, compared.right_only) == ([], [], [])
            assert len(compared.common_files) == 5


def test_stock_is_not_audited(programs: Programs, plate: Plate, tmp_path: Path):
    outcome = programs.measure(plate, tmp_path / "out", "1/3", engine="stock", audit_sites=3)

    assert outcome.code == 0, outcome.stderr[-2000:]
    assert "audit" not in outcome.facts()
    assert outcome.facts()["replaced_modules"] == []
    assert {"LoadData", "MeasureTexture", "IdentifyPrimaryObjects"} <= set(outcome.facts()["unreplaced_modules"])


def test_a_replacement_that_measures_otherwise_stops_the_plate(cellprofiler_python: Path, plate: Plate, tmp_path: Path):
    containers = tmp_path / "containers"
    for name in ("cellprofiler", "stagekit"):
        shutil.copytree(REPOSITORY / "containers" / name, containers / name)
    module = containers / "cellprofiler/plugins/measuretexture.py"
    measured = "values[~np.isfinite(values)] = 0\n"
    assert measured in module.read_text()
    module.write_text(module.read_text().replace(measured, f"{measured}                values *= 1.00001\n"))
    broken = Programs(cellprofiler_python, tmp_path, containers)
    audited, unaudited = (broken.measure(plate, tmp_path / str(count), audit_sites=count) for count in (1, 0))
    (site,) = equality.choose(PLATE, NAMES, 1)

    assert audited.code == 76
    assert not (audited.output / "result.json").exists()
    assert audited.units() == dict.fromkeys(NAMES, "ok") | {site: "failed"}
    assert f"error: the audit of site {site}: " in audited.stderr
    assert "Cells.csv row 1 Texture_AngularSecondMoment_" in audited.stderr
    assert "Measure with [measure] engine = stock" in audited.stderr
    assert unaudited.code == 0
    assert unaudited.facts()["audit"] == {}
