"""Bad input, a bad machine and a bad moment: a named error, an exit code that is not 0, nothing lost or half done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tests.integration.toolkit import Toolkit, interrupt, left_running, wait_for

pytestmark = pytest.mark.engine("process")

PLATE = PLATES[0]
WELLS = ",".join(FOUR_WELLS)


@pytest.fixture
def toolkit(tmp_path: Path) -> Toolkit:
    """A data root with four wells of a demo plate, nothing run yet."""
    made = Toolkit(tmp_path, "process")
    made.draw(PLATE, WELLS)
    return made


def run(toolkit: Toolkit, task: str = "RunPlate", plate: str = PLATE, batch: str = BATCH):
    return toolkit.luigi(task, "--batch-id", batch, "--plate", plate)


def published_results(toolkit: Toolkit) -> list[str]:
    """Return what stages published: everything but what the generator laid."""
    laid = (".tiff", "barcode_platemap.csv", ".txt", ".tsv", "stamp.json")
    return [name for name in toolkit.published() if not name.endswith(laid)]


def test_a_missing_channel_file_is_named_with_its_site(toolkit):
    (toolkit.images(BATCH, PLATE) / "r01c02f01p01-ch3sk1fk1fl1.tiff").unlink()
    done = run(toolkit)

    assert done.returncode == 30
    assert "A02-1: it has no RNA" in done.stderr
    assert "exit code 65 (its input breaks the contract)" in done.stderr
    assert "Traceback" not in done.stderr
    assert published_results(toolkit) == []


@pytest.mark.parametrize("fraction", [0.0, 0.5, 0.98], ids=["empty", "half", "all but the end"])
def test_a_truncated_image_is_named(toolkit, fraction):
    path = toolkit.images(BATCH, PLATE) / "r03c04f01p01-ch5sk1fk1fl1.tiff"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    done = run(toolkit)

    assert done.returncode == 30
    assert path.name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_plate_in_no_platemap_is_named_before_anything_runs(toolkit):
    table = toolkit.dataset / "workspace/metadata/platemaps" / BATCH / "barcode_platemap.csv"
    table.write_text("Assay_Plate_Barcode,Plate_Map_Name\nOTHER,Demo_compound_platemap\n")
    done = run(toolkit)

    assert done.returncode not in (0, 30)
    assert f"there is no plate '{PLATE}'; known: OTHER" in done.stderr
    assert str(table) in done.stderr
    assert published_results(toolkit) == []


@pytest.mark.parametrize("name", ["BR00000000", "../BR", "a b", "x;rm -rf", "$(id)", "-rf", "", "a/../../b"])
def test_a_plate_that_is_unknown_or_no_name_ends_the_run_before_it_starts(toolkit, name):
    done = toolkit.luigi("RunPlate", "--batch-id", BATCH, f"--plate={name}")

    assert done.returncode not in (0, 30)
    assert any(words in done.stderr for words in ("there is no plate", "is no valid name", "requires the 'plate'"))
    assert "Traceback" not in done.stderr
    assert published_results(toolkit) == []


def test_an_engine_that_is_not_there_is_named_with_its_reason(toolkit):
    toolkit.engine = "docker"
    environment = {**toolkit.configure(), "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    command = [shutil.which("luigi", path=str(Path(sys.executable).parent)), "--module", "tasks", "LoadData"]
    command += ["--batch-id", BATCH, "--plate", PLATE]
    done = subprocess.run(command, env=environment, cwd=toolkit.folder, capture_output=True, text=True, check=False)

    assert done.returncode == 30
    assert "no engine can run the image 'gallery'" in done.stderr
    assert "docker     no daemon answers" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("runtime", "egnine", "docker", "did you mean 'engine'"),
        ("runtime", "cores", "many", "[runtime] cores = many"),
        ("measure", "sites_per_shard", "eight", "[measure] sites_per_shard = eight"),
        ("normalize", "method", "magic", "[normalize] method = magic"),
    ],
)
def test_a_wrong_setting_ends_the_run_before_it_starts(toolkit, section, key, value, says):
    toolkit.configure()
    path = toolkit.folder / "luigi.cfg"
    text = path.read_text().replace("cores = auto\n", "") if key == "cores" else path.read_text()
    path.write_text(text.replace(f"[{section}]\n", f"[{section}]\n{key} = {value}\n"))
    luigi = Path(sys.executable).with_name("luigi")
    done = subprocess.run(
        [str(luigi), "--module", "tasks", "LoadData", "--batch-id", BATCH, "--plate", PLATE],
        env={**os.environ, "LUIGI_CONFIG_PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert published_results(toolkit) == []


def test_a_file_that_is_not_ours_is_never_overwritten(toolkit):
    mine = toolkit.dataset / "workspace/load_data_csv" / BATCH / PLATE / "load_data.csv"
    mine.parent.mkdir(parents=True)
    mine.write_text("a week of my work")
    done = run(toolkit, "LoadData")

    assert done.returncode == 30
    assert "was not made by this toolkit" in done.stderr
    assert mine.read_text() == "a week of my work"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system to fill")
def test_a_full_disk_is_named_and_nothing_is_half_published(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=14m", "tmpfs", str(tmp_path)], check=True)
    try:
        toolkit = Toolkit(tmp_path, "process")
        toolkit.draw(PLATE, WELLS)
        filler = tmp_path / "filler"
        free = shutil.disk_usage(tmp_path).free
        filler.write_bytes(b"x" * max(0, free - 600_000))
        done = run(toolkit, "Measure")
        left = published_results(toolkit)
        filler.unlink()

        assert done.returncode == 30
        assert "No space left on device" in done.stderr
        assert "free space under the data root" in done.stderr
        assert not [name for name in left if "analysis" in name]
        assert run(toolkit, "LoadData").returncode == 0
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.parametrize("number", [2, 15, 9], ids=["Ctrl-C", "SIGTERM", "SIGKILL"])
def test_a_killed_run_leaves_nothing_running_and_the_next_one_goes_on_to_the_same_bytes(tmp_path, cut, number):
    toolkit = Toolkit(tmp_path, "process")
    toolkit.draw(PLATE, WELLS)
    toolkit.lay_results(cut[0], "load_data", "illumination")
    process = toolkit.start("Measure", "--batch-id", BATCH, "--plate", PLATE)
    inside = wait_for(
        lambda: any("pipeline.cppipe" in words and "/measure/" in words for words in left_running(tmp_path))
    )
    code, printed = interrupt(process, number)
    quiet = wait_for(lambda: not left_running(tmp_path))
    half_done = [name for name in published_results(toolkit) if "analysis" in name]
    done = run(toolkit, "Measure")

    assert inside, printed
    assert code != 0
    assert quiet, left_running(tmp_path)
    assert half_done == []
    assert done.returncode == 0, done.stderr
    assert analysis_bytes(toolkit) == analysis_bytes(cut[0])


def test_two_runs_at_once_make_each_stage_once(tmp_path, cut):
    toolkit = Toolkit(tmp_path, "process")
    toolkit.draw(PLATE, WELLS)
    runs = [toolkit.start("Measure", "--batch-id", BATCH, "--plate", PLATE) for _ in range(2)]
    printed = [run.communicate(timeout=300)[0] for run in runs]

    assert [run.returncode for run in runs] == [0, 0], printed
    for stage in ("load_data", "illumination", "measure"):
        assert sum(text.count(f"{stage}/{PLATE}: done in") for text in printed) == 1, printed
    assert any("another run is at it" in text for text in printed), printed
    assert analysis_bytes(toolkit) == analysis_bytes(cut[0])


def analysis_bytes(toolkit: Toolkit) -> dict[str, bytes]:
    folder = toolkit.dataset / "workspace/analysis" / BATCH / PLATE
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
