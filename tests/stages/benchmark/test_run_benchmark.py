"""RunBenchmark on the real plates, in place: one command from the profiles to the published table beside ours."""

from __future__ import annotations

import csv
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages.benchmark.conftest import ROOT
from tests.stages.benchmark.drawn_batch import BATCH as DRAWN
from tests.stages.benchmark.drawn_batch import Drawing

WORDS = ("RunBenchmark", "--batch-id", "2020_11_04_CPJUMP1", "--definition", "2022", "--behaviour", "as_published")


@pytest.fixture
def luigi(benchmark_python, real_data, configured, tmp_path):
    """Return a function that runs luigi on a data root whose profiles and metadata are the real ones."""
    workspace = tmp_path / "root/cpg0000-jump-pilot/source_4/workspace"
    workspace.mkdir(parents=True)
    for name in ("profiles", "metadata"):
        (workspace / name).symlink_to(real_data / name)
    return configured


@pytest.fixture
def configured(tmp_path):
    """Return a function that runs luigi on the data root of this test."""
    config = (ROOT / "luigi.cfg").read_text().replace("root = data_root", "root = root")
    (tmp_path / "luigi.cfg").write_text(config.replace("engine = auto", "engine = process"))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "LUIGI_CONFIG_PATH": str(tmp_path / "luigi.cfg")}
        command = [str(Path(sys.executable).parent / "luigi"), "--module", "tasks", *words]
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    return run


def test_the_real_plates_agree_with_the_published_table_and_the_others_are_listed(luigi, tmp_path):
    first = luigi(*WORDS, "--where", "Perturbation=compound,Cell_type=U2OS")
    again = luigi(*WORDS, "--where", "Perturbation=compound,Cell_type=U2OS")
    folder = tmp_path / "root/cpg0000-jump-pilot/source_4/workspace/benchmark/2020_11_04_CPJUMP1/2022_as_published"
    compared = [line.split(",") for line in (folder / "cellprofiler_comparison.csv").read_text().splitlines()]

    assert first.returncode == 0, first.stderr[-3000:]
    assert [row[compared[0].index("agrees")] for row in compared[1:]] == ["yes", "yes"]
    assert "compound_U2OS_long" in first.stdout
    assert "left out: BR00116995, BR00117024, BR00117025, BR00117026" in first.stdout
    assert again.returncode == 0
    assert "replicability/" not in again.stderr
    assert "compound_U2OS_long" in again.stdout


def test_two_feature_sets_are_ranked_compared_and_shown_in_one_report(benchmark_python, configured, tmp_path):
    dataset = tmp_path / "root/cpg0000-jump-pilot/source_4"
    (drawing := Drawing(features=30, groups=1, strength=2.0)).write(dataset)
    drawing.write_deep(dataset, noise=1.5)
    both = "cellprofiler,deepprofiler"
    done = configured("RunBenchmark", "--batch-id", DRAWN, "--definition", "final", "--features", both)
    folder = dataset / "workspace/benchmark" / DRAWN / "final"
    report = (dataset / f"workspace/report/{DRAWN}/{DRAWN}_report.html").read_text()

    assert done.returncode == 0, done.stderr[-3000:]
    with open(folder / "cellprofiler-deepprofiler_compared/feature_sets.csv", newline="") as table:
        rows = {(row["task"], row["features"]): row for row in csv.DictReader(table)}
    for name in ("cellprofiler", "deepprofiler"):
        with open(folder / f"{name}_replicability_ap.csv", newline="") as table:
            values = [float(row["average_precision"]) for row in csv.DictReader(table)]
        assert float(rows["replicability", name]["mean"]) == pytest.approx(statistics.fmean(values))
        assert f"{name}, definition final" in report
    assert float(rows["replicability", "deepprofiler"]["mean"]) < float(rows["replicability", "cellprofiler"]["mean"])
    assert "cellprofiler and deepprofiler, definition final" in report


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--where", "Perturbation=compounds"), "no plate meets it; there are Perturbation: compound,"),
        (("--where", "Perturbation=orf"), "none of the 9 plates of batch 2020_11_04_CPJUMP1 has cellprofiler profiles"),
    ],
)
def test_what_cannot_be_run_ends_in_one_line_and_an_exit_code(luigi, words, said):
    done = luigi(*WORDS, *words)

    assert done.returncode != 0
    assert said in done.stderr
    assert "Traceback" not in done.stderr
