"""docs/add_a_stage.md: a stage is added by touching what it says, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tests.integration.toolkit import REPOSITORY, Toolkit

pytestmark = pytest.mark.engine("process")

PROGRAM = '''"""Count the wells of a plate."""

import csv
from pathlib import Path

from stagekit import program


def main() -> None:
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--write_wells", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output), open(args.load_data, newline="") as table:
        wells = {row["Metadata_Well"] for row in csv.DictReader(table)}
        args.write_wells.write_text(f"{len(wells)}\\n")


if __name__ == "__main__":
    program.run(main)
'''
TABLE = """
[count_wells]
summary = "Count the wells of a plate."
program = "count_wells.py"
inputs = ["load_data"]
folder = "quality_control"
outputs = { wells = "{plate}_wells.txt" }
unit = "plate"
resources = { cpus = 1, memory_gb = 1, minutes = 5, gpus = 0 }
network = false
"""
CLASS = """
class CountWells(StageTask):
    stage = "count_wells"

    def requires(self) -> luigi.Task:
        return load_data_of(self)


def load_data_of("""
COST = """
[count_wells]
core_seconds = { well = 0.001 }
"""
SERVICE = """
  count-wells:
    <<: *stage
    image: platewright/gallery:local
    entrypoint: [python, /opt/stages/gallery/count_wells.py]
    mem_limit: 1g
    memswap_limit: 1g
    cpus: 1
"""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the project's files, whose environments are those that are made already."""
    names = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    for name in names.splitlines():
        if (REPOSITORY / name).is_file():
            (tmp_path / "copy" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, tmp_path / "copy" / name)
    (REPOSITORY / ".environments").mkdir(exist_ok=True)
    (tmp_path / "copy/.environments").symlink_to(REPOSITORY / ".environments")
    return tmp_path / "copy"


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_stage_added_as_the_page_says_runs_and_agrees_with_all_else(copy, tmp_path):
    image = copy / "containers/gallery"
    (image / "count_wells.py").write_text(PROGRAM)
    (image / "stages.toml").write_text((image / "stages.toml").read_text() + TABLE)
    edit(copy / "tasks/workflow/image_analysis.py", "\ndef load_data_of(", CLASS)
    edit(
        copy / "tasks/workflow/run_plate_and_batch.py",
        "self.clone(Montage)]",
        "self.clone(Montage), self.clone(image_analysis.CountWells)]",
    )
    edit(
        copy / "tasks/workflow/run_plate_and_batch.py",
        "from tasks.stage_tasks.plate_set",
        "from tasks.workflow import image_analysis\nfrom tasks.stage_tasks.plate_set",
    )
    (copy / "data/costs.toml").write_text((copy / "data/costs.toml").read_text() + COST)
    (copy / "compose.yaml").write_text((copy / "compose.yaml").read_text() + SERVICE)
    toolkit = Toolkit(tmp_path / "data", "process")
    toolkit.draw(PLATES[0], ",".join(FOUR_WELLS))
    environment = {**toolkit.configure(), "PYTHONPATH": f"{copy}{os.pathsep}{copy / 'containers'}"}

    words = [str(Path(sys.executable).with_name("luigi")), "--module", "tasks", "CountWells"]
    words += ["--batch-id", BATCH, "--plate", PLATES[0]]
    done = subprocess.run(words, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    checks = [sys.executable, "-m", "pytest", "-q", "tests/unit/test_graph.py", "tests/unit/test_stages.py"]
    checks += ["tests/unit/test_planning.py"]
    agreed = subprocess.run(checks, cwd=copy, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    made = toolkit.dataset / "workspace/quality_control" / BATCH / PLATES[0] / f"{PLATES[0]}_wells.txt"
    assert made.read_text() == f"{len(FOUR_WELLS)}\n"
    assert agreed.returncode == 0, agreed.stdout[-3000:]
