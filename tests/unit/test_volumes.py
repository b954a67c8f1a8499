"""A data root on a file system that AWS Batch mounts: what luigi.cfg says of it, and what jobs are told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tasks.dataset.layout import Layout
from tasks.definitions.stages import Resources
from tasks.errors import SettingsError
from tasks.execution import backends
from tasks.runtime.arrays import array_folder
from tasks.runtime.aws import job_definitions
from tasks.runtime.aws.element_files import MountedFolder, seen_below
from tasks.runtime.aws.fleet_engine import FleetEngine
from tasks.runtime.aws.job_definitions import Definition, says
from tasks.runtime.aws.volumes import Mounted, parsed
from tasks.runtime.core.job import Job, Mount
from tasks.runtime.images import images
from tasks.settings import checks, settings
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.element_machine import CONTAINERS
from tests.unit.fake_batch import HOME, forget, use
from tests.unit.fakes import make_stage

EFS, POINT, ROLE = "fs-0123456789abcdef0", "fsap-0123456789abcdef0", "arn:aws:iam::123456789012:role/job"
SMALL = Resources(1, 1, 1, 0)
ON_A_FOLDER = "[runtime]\nplace = aws_batch\n[aws_batch]\n"


def properties(text: str, role: str = "") -> dict[str, Any]:
    volume = parsed(text, "here")
    assert volume
    return Mounted(volume, Path("/mnt/lab"), "1000:100").properties(role)


def efs(text: str, role: str = "") -> dict[str, Any]:
    (volume,) = properties(text, role)["volumes"]
    told: dict[str, Any] = volume["efsVolumeConfiguration"]
    return told


def test_a_folder_of_efs_is_mounted_encrypted_and_as_the_role_of_jobs_if_there_is_one() -> None:
    told = efs(f"efs:{EFS}:/lab/data", ROLE)

    assert told == {
        "fileSystemId": EFS,
        "rootDirectory": "/lab/data",
        "transitEncryption": "ENABLED",
        "authorizationConfig": {"iam": "ENABLED"},
    }
    assert efs(f"efs:{EFS}:/lab/data")["authorizationConfig"] == {"iam": "DISABLED"}
    assert efs(f"efs:{EFS}")["rootDirectory"] == "/"


def test_an_access_point_has_a_root_of_its_own_so_none_is_given() -> None:
    told = efs(f"efs:{EFS}:{POINT}", ROLE)

    assert told["authorizationConfig"] == {"iam": "ENABLED", "accessPointId": POINT}
    assert "rootDirectory" not in told


def test_it_is_mounted_where_the_data_root_is_here_for_the_user_who_runs_it() -> None:
    told = properties("host:/mnt/fsx")

    assert told["volumes"] == [{"name": "data_root", "host": {"sourcePath": "/mnt/fsx"}}]
    assert told["mountPoints"] == [{"sourceVolume": "data_root", "containerPath": "/mnt/lab", "readOnly": False}]
    assert told["user"] == "1000:100"


def test_another_volume_user_or_root_is_another_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch)

    def mounted(text: str, root: str = "/mnt/lab", user: str = "1:1") -> Mounted:
        volume = parsed(text, "here")
        assert volume
        return Mounted(volume, Path(root), user)

    plain = Definition("paint", "image", SMALL)
    changes = [
        plain,
        *(replace(plain, mounted=mounted(text)) for text in (f"efs:{EFS}", f"efs:{EFS}:{POINT}", "host:/fsx")),
        replace(plain, mounted=mounted("host:/fsx", "/mnt/other")),
        replace(plain, mounted=mounted("host:/fsx", user="2:2")),
        replace(plain, mounted=mounted(f"efs:{EFS}")),
        plain,
    ]
    found = []
    for each in changes:
        forget()  # as another process
        found.append(job_definitions.registered(HOME, each).rpartition(":")[2])

    assert found == ["1", "2", "3", "4", "5", "6", "2", "1"]


def test_what_aws_adds_to_a_volume_is_no_change_but_an_access_point_is_one() -> None:
    mounted = Mounted(parsed(f"efs:{EFS}", "here"), Path("/mnt/lab"), "1:1")  # type: ignore[arg-type]
    wanted = Definition("paint", "image", SMALL, mounted=mounted).request()
    found = json.loads(json.dumps(wanted))
    (volume,) = found["containerProperties"]["volumes"]
    volume["host"] = {}
    volume["efsVolumeConfiguration"]["authorizationConfig"]["accessPointId"] = ""

    assert says(found, wanted)
    volume["efsVolumeConfiguration"]["authorizationConfig"]["accessPointId"] = POINT
    assert not says(found, wanted)


@pytest.mark.parametrize(
    "text",
    ["fs-01234567", "efs:01234567", f"efs:{EFS}:lab", f"efs:{EFS}:{POINT}:/lab", "host:mnt", "host:", "nfs:/x", "efs:"],
)
def test_a_volume_of_another_form_is_named(luigi_cfg: LoadSettings, text: str) -> None:
    luigi_cfg(f"[aws_batch]\nvolume = {text}\n")
    with pytest.raises(SettingsError) as caught:
        checks.check(pipeline.stage_settings())

    assert f"luigi.cfg [aws_batch] volume: {text!r} is no volume: efs:fs-<id>" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (ON_A_FOLDER, "or let root be on a shared file system (EFS, FSx) and name that as [aws_batch] volume"),
        (f"[paths]\nroot = s3://bucket/lab\n{ON_A_FOLDER}volume = host:/mnt/fsx\n", "let volume be empty, or let root"),
    ],
)
def test_root_and_volume_must_fit_each_other(luigi_cfg: LoadSettings, text: str, says: str) -> None:
    luigi_cfg(text)
    with pytest.raises(SettingsError) as caught:
        settings.load()

    assert says in str(caught.value)


def test_jobs_of_such_a_data_root_are_arrays_whose_folders_their_elements_see(
    luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = luigi_cfg(f"{ON_A_FOLDER}volume = host:/mnt/fsx\nregion = us-east-1\n")
    monkeypatch.setattr(images, "pushed", lambda image: f"registry/{image}@sha256:0")
    stage = make_stage()
    place: Any = backends.of(stage, backends.engine(stage))
    mounted = Mounted(parsed("host:/mnt/fsx", ""), layout.root, f"{os.getuid()}:{os.getgid()}")  # type: ignore[arg-type]

    assert place.scheduler.definition.mounted == place.engine.mounted == mounted
    assert place.shared == MountedFolder(layout.root, layout.given)
    assert place.grace_seconds == 60.0


def make_job(layout: Layout, program: str, *inputs: Mount, flags: tuple[str, ...] = ()) -> Job:
    folder = layout.run("paint", "B1", "P1", "r1") / "shards" / "1of1"
    (folder / "out" / "files").mkdir(parents=True)
    given = layout.root.parent / "paint.py"
    given.write_text(program)
    script = Mount(given, "/in/paint.py")
    return Job("j", "image", "p.py", ("/in/paint.py", *flags), (script, *inputs), folder, SMALL, passed=("PROXY",))


PROGRAM = """
import os, sys
print("painted")
told = open(sys.argv[1]).read() + os.environ["PROXY"] + os.environ["HOME"]
open(sys.argv[-1] + "/files/picture", "w").write(told)
"""


@pytest.fixture
def painted(layout: Layout) -> Job:
    """Write down a job for its element: it runs the script that is its first flag."""
    plate = layout.root / "plate"
    plate.mkdir(parents=True)
    (plate / "red").write_text("red ")
    job = make_job(layout, PROGRAM, Mount(plate, "/in/plate"), flags=("/in/plate/red",))
    MountedFolder(layout.root, layout.given).prepare(job)
    return job


def element(job: Job, *words: str, index: int = 0) -> subprocess.CompletedProcess[str]:
    """Run an element whose image's `python p.py` is this python."""
    path = job.folder / "element.json"
    told = json.loads(path.read_text())
    if told["words"][0] == "python":
        path.write_text(json.dumps({**told, "words": [sys.executable, *told["words"][2:]]}))
    variables = {"PYTHONPATH": str(CONTAINERS), "PROXY": "proxy ", "AWS_BATCH_JOB_ID": f"6c7f:{index}", "OTHER": "no"}
    command = [sys.executable, "-m", "batch_agent.element", *words]
    return subprocess.run(command, env=variables, capture_output=True, text=True, check=False)


def test_words_are_paths_of_the_data_root_and_what_lies_elsewhere_is_copied_there(layout: Layout, painted: Job) -> None:
    told = json.loads((painted.folder / "element.json").read_text())
    _, _, script, red, flag, output = told["words"]

    assert told["words"][:2] == ["python", "/opt/stages/image/p.py"]
    assert Path(script).is_relative_to(layout.given) and Path(script).read_text() == PROGRAM
    assert (red, flag, output) == (str(layout.root / "plate/red"), "--output", str(painted.folder / "out"))
    assert (told["inputs"], told["output"]) == ([], output)


def test_an_element_lets_a_job_write_to_its_folder_and_tells_its_end_once(painted: Job) -> None:
    array = array_folder.write("a1", [[painted]])
    done = element(painted, str(array.folder))
    log = painted.folder / "stdout.log"
    log.write_text("once")
    again = element(painted, str(array.folder))

    assert (done.returncode, again.returncode) == (0, 0), done.stderr
    assert (painted.folder / "out/files/picture").read_text() == "red proxy /tmp"
    assert (array.end("1of1").exit_code, array.end("1of1").id) == (0, "6c7f:0")
    assert [path.name for path in (array.folder / "ended").iterdir()] == ["1of1"]
    assert log.read_text() == "once"


def test_a_program_that_fails_is_told_with_its_words(layout: Layout, painted: Job) -> None:
    bad = replace(painted, flags=("/in/paint.py", "/in/nothing"))
    MountedFolder(layout.root, layout.given).prepare(bad)
    array = array_folder.write("a1", [[bad]])
    element(bad, str(array.folder))

    assert array.end("1of1").exit_code == 1
    assert "No such file or directory: '/in/nothing'" in (bad.folder / "stderr.log").read_text()


def test_nothing_begins_of_an_array_that_is_cancelled_or_not_there_or_is_another_elements(painted: Job) -> None:
    array = array_folder.write("a1", [[painted]])
    other = element(painted, str(array.folder), index=1)
    array.cancel()
    cancelled, absent = element(painted, str(array.folder)), element(painted, f"{array.folder}x")

    assert (other.returncode, cancelled.returncode, absent.returncode) == (0, 66, 66)
    assert "was cancelled" in cancelled.stderr and "is not there" in absent.stderr
    assert array.ended() == set()


def test_a_job_that_is_repeated_by_hand_leaves_its_folder_as_it_is(painted: Job) -> None:
    before = {path: path.lstat().st_mtime_ns for path in painted.folder.rglob("*") if path.name != "element.json"}
    done = element(painted, "--again", str(painted.folder))
    after = {path: path.lstat().st_mtime_ns for path in painted.folder.rglob("*") if path.name != "element.json"}

    assert done.stdout == "painted\n"
    assert "exit code 0; it made 1 files, and none of them was kept" in done.stderr
    assert after == before


def test_it_is_repeated_by_docker_as_the_same_user_with_the_data_root_to_be_read_only(
    painted: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "pushed", lambda image: f"registry/{image}@sha256:0")
    mounted = Mounted(parsed("host:/fsx", ""), Path("/mnt/lab"), "1000:100")  # type: ignore[arg-type]
    words = FleetEngine(lambda job: str(job.folder), mounted=mounted).command(painted)

    assert {"--user=1000:100", "--mount=type=bind,source=/mnt/lab,target=/mnt/lab,readonly"} < set(words)
    assert words[-2:] == ["--again", str(painted.folder)]


def test_a_file_that_lies_elsewhere_is_copied_once_by_its_content(tmp_path: Path) -> None:
    root, given = tmp_path / "root", tmp_path / "root/.work/given"
    root.mkdir()
    for text in ("one", "two", "one"):
        (tmp_path / "sums.csv").write_text(text)
        assert seen_below(root, tmp_path / "sums.csv", given).read_text() == text

    assert len(list(given.rglob("*.csv"))) == len([path for path in given.rglob("*") if path.is_file()]) == 2
    assert seen_below(root, root / "plate", given) == root / "plate"
