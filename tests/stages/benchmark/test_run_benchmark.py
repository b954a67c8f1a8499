"""RunBenchmark on the real plates, in place: one command from the profiles to the published table beside ours."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages.benchmark.conftest import ROOT

WORDS = ("RunBenchmark", "--batch-id", "2020_11_04_CPJUMP1", "--definition", "2022", "--behaviour", "as_published")


@pytest.fixture
def luigi(benchmark_python, real_data, tmp_path):
    """Return a function that runs luigi on a data root whose profiles and metadata are the real ones."""
    workspace = tmp_path / "root/cpg0000-jump-pilot/source_4/workspace"
    workspace.mkdir(parents=True)
    for name in ("profiles", "metadata"):
        (workspace / name).symlink_to(real_data / name)
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
