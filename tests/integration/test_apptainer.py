"""The Apptainer engine on a cluster's node: the same bytes as other engines, and nothing of the host but its mounts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.demo.plan import BATCH, PLATES
from tasks.dataset import layout
from tasks.definitions.stages import Resources
from tasks.runtime.arrays import places
from tasks.runtime.core.job import Job, Mount
from tasks.runtime.engines.docker_engine import DockerEngine
from tasks.runtime.engines.process_engine import ProcessEngine
from tasks.runtime.images import images
from tests.engines.report import NODE_CONVERTS
from tests.integration import node as nodes
from tests.integration.node import SIF_FILES, Node
from tests.integration.toolkit import wait_for

pytestmark = [pytest.mark.engine("apptainer"), pytest.mark.usefixtures("docker_shared")]

IMAGE, PLATE = NODE_CONVERTS, PLATES[0]
LASTS = (
    "import pathlib, subprocess, sys, time; from stagekit import program\n"
    "def main():\n"
    "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(98765)'])\n"
    "    pathlib.Path('/out/started').touch(); time.sleep(98765)\n"
    "program.run(main)"
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, docker_shared: None) -> Iterator[Node]:
    with nodes.started(tmp_path_factory.mktemp("node")) as started:
        started.convert(IMAGE)
        yield started


def make_job(folder: Path, *flags: str, **fields: object) -> Job:
    """Return a job of the image pycytominer; by default it may take a minute."""
    values = {"program": "normalize.py", "inputs": (), "resources": Resources(1, 1, 1, 0), **fields}
    return Job(f"test-{time.time_ns()}", IMAGE, flags=flags, folder=folder, **values)


def new(node: Node) -> Path:
    return node.folder / f"job-{time.time_ns()}"


def running(node: Node) -> list[str]:
    """Return the containers and programs that run on a node."""
    listed = node.command("ps", "-eo", "args").stdout.splitlines()
    return [line for line in listed if any(word in line for word in ("98765", "apptainer", "squashfuse", "starter"))]


def code(text: str) -> Sequence[str]:
    return ("python", "-c", text)


def normalize(folder: Path, profiles: Path) -> Job:
    """Return the job that scales a plate's profiles, as the pipeline does."""
    flags = ["--plate", PLATE, "--method", "mad_robustize", "--samples", "all", "--least_spread", "0"]
    flags += ["--min_negcon_wells", "2"]
    flags += ["--on_few_negcon", "warn", "--profiles", "/in/profiles.csv.gz", "--parquet", "false"]
    flags += ["--write_parquet", "/out/files/x.parquet", "--write_profiles", "/out/files/x.csv.gz"]
    return make_job(folder, *flags, inputs=(Mount(profiles, "/in/profiles.csv.gz"),))


def test_the_same_job_gives_the_bytes_of_docker_and_the_values_of_the_process_engine(node, cut):
    source = cut[0].dataset / "workspace/profiles" / BATCH / PLATE / f"{PLATE}_augmented.csv.gz"
    profiles = node.folder / "profiles.csv.gz"
    profiles.write_bytes(source.read_bytes())
    profiles.chmod(0o644)
    made = {}
    for engine in (DockerEngine(), ProcessEngine()):
        job = normalize(new(node), profiles)
        places.prepare_folder(job, engine)
        assert engine.run(job, threading.Event()).ok, (job.folder / "stderr.log").read_text()
        made[engine.name] = job.folder / "out/files/x.csv.gz"
    job = normalize(new(node), profiles)
    assert node.run(job).ok, (job.folder / "stderr.log").read_text()
    ours = job.folder / "out/files/x.csv.gz"
    values, others = (pd.read_csv(path).select_dtypes("number").to_numpy() for path in (ours, made["process"]))

    assert ours.read_bytes() == made["docker"].read_bytes()
    np.testing.assert_allclose(values, others, rtol=1e-3, atol=1e-3)
    assert (job.folder / "command").read_text().startswith("env -i PATH=")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("open('/opt/stages/x', 'w')", "Read-only file system"),
        ("open('/x', 'w')", "Read-only file system"),
        ("open('/in/notes', 'w')", "Read-only file system"),
        ("import urllib.request as r; r.urlopen('http://192.0.2.1', timeout=3)", "unreachable"),
        ("import os; os.setuid(0)", "Invalid argument"),  # there is no such user in its namespace
        (f"import os; os.listdir('/home/{nodes.USER}')", "No such file"),
        (f"import os; os.listdir({str(layout.REPOSITORY)!r})", "No such file"),
    ],
    ids=["image", "root folder", "input", "network", "user", "home", "host"],
)
def test_a_program_may_not_write_or_see_what_is_not_its_own(text, says, node):
    notes = node.folder / "notes"
    notes.write_text("theirs")
    job = make_job(new(node), inputs=(Mount(notes, "/in/notes"),))
    outcome = node.run(job, code(text))

    assert outcome.exit_code == 1
    assert says in (job.folder / "stderr.log").read_text()
    assert notes.read_text() == "theirs"


def test_a_program_writes_to_its_run_folder_and_leaves_no_temporary_file(node):
    job = make_job(new(node))
    before = {path for path in node.folder.rglob("*") if job.folder not in path.parents}
    text = "import tempfile, pathlib; tempfile.mkstemp(); pathlib.Path.home().joinpath('x').touch()"
    outcome = node.run(job, code(f"{text}; pathlib.Path('/out/made').write_text('x'); print(pathlib.Path.cwd())"))
    after = {path for path in node.folder.rglob("*") if job.folder not in path.parents}

    assert outcome.ok, (job.folder / "stderr.log").read_text()
    assert (job.folder / "out/made").stat().st_uid == nodes.USER_ID
    assert (job.folder / "stdout.log").read_text() == "/tmp\n"
    assert list(job.temporary.iterdir()) == []
    assert after - before <= {job.folder}


def test_a_program_sees_no_variable_of_its_caller_and_no_folder_that_a_user_binds(node):
    job = make_job(new(node))
    own = ("SECRET=1", "PYTHONPATH=/x", "APPTAINERENV_LEAK=1", f"APPTAINER_BIND={node.folder}:/leak")
    node.run(job, code("import json, os; print(json.dumps([dict(os.environ), os.listdir('/')]))"), own)
    variables, root = json.loads((job.folder / "stdout.log").read_text())

    assert not {"SECRET", "LEAK", "LUIGI_CONFIG_PATH"} & variables.keys()
    assert "leak" not in root
    assert variables["PYTHONPATH"] == "/opt/stages"
    assert {name: variables[name] for name in job.variables("/tmp")} == job.variables("/tmp")


def test_a_variable_that_is_passed_reaches_a_program_with_a_network(node):
    job = make_job(new(node), network=True, passed=("NO_PROXY", "HTTPS_PROXY"))
    text = (
        "import os, socket; e = os.environ; print(e['NO_PROXY'], 'HTTPS_PROXY' in e, socket.gethostbyname('localhost'))"
    )
    outcome = node.run(job, code(text), ("NO_PROXY=it's, a list", "APPTAINERENV_LEAK=1"))

    assert outcome.ok, (job.folder / "stderr.log").read_text()
    assert (job.folder / "stdout.log").read_text() == "it's, a list False 127.0.0.1\n"
    assert "a list" not in (job.folder / "command").read_text()


def test_the_exit_code_the_logs_and_the_memory_are_the_programs(node):
    job = make_job(new(node))
    text = "import sys; held = b'1' * (400 << 20); print('out'); print('err', file=sys.stderr); sys.exit(65)"
    outcome = node.run(job, code(text))

    assert outcome.exit_code == 65
    assert (job.folder / "stdout.log").read_text() == "out\n"
    assert (job.folder / "stderr.log").read_text() == "err\n"
    assert 0.39 <= outcome.peak_memory_gb < 0.6


def test_the_command_repeats_the_job(node):
    job = make_job(new(node))
    node.run(job, code("import pathlib; pathlib.Path('/out/made').write_text('it is')"))
    (job.folder / "out/made").unlink()
    done = node.command("sh", str(job.folder / "command"), cwd=Path("/"))

    assert done.returncode == 0, done.stderr
    assert (job.folder / "out/made").read_text() == "it is"


def test_a_program_that_takes_too_long_is_stopped_with_its_children(node):
    outcome = node.run(make_job(new(node), resources=Resources(1, 1, 0.06, 0)), code(LASTS))

    assert outcome.timed_out
    assert wait_for(lambda: not running(node), 20), running(node)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["cancelled", "killed"])
def test_a_run_that_is_stopped_leaves_no_process(number, node):
    job = make_job(new(node))
    words = node.words(*node.lay(job, code(LASTS)))
    run = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    seen = wait_for((job.folder / "out/started").exists, 30)
    node.command("pkill", f"-{number:d}", "-f", f"on_node {job.folder}")
    printed, _ = run.communicate(timeout=60)

    assert seen
    assert wait_for(lambda: not running(node), 20), running(node)
    assert number == signal.SIGKILL or json.loads(printed)["cancelled"]


def test_the_doctor_says_what_is_there_and_what_is_missing(node):
    found = {each["subject"]: each for each in json.loads(node.tasks("doctor", "--json").stdout)}

    assert found["apptainer"]["state"] == found[f"SIF {IMAGE}"]["state"] == "good"
    assert found["SIF benchmark"]["state"] == "bad"
    assert "images convert --to sif benchmark" in found["SIF benchmark"]["remedy"]
    assert "user namespaces" not in found


def test_a_stale_sif_file_is_refused_with_the_way_out(node):
    clone = node.clone("stale")
    lock = {IMAGE: images.read_lock()[IMAGE]}
    (clone / "containers/images.lock").write_text(json.dumps(lock))
    program = clone / f"containers/{IMAGE}/normalize.py"
    program.write_text(program.read_text() + "# changed\n")
    node.own(clone)
    look = ("from tasks.settings import settings; settings.load(); from tasks.runtime.engines import engines; "
            f"print(engines.engine('apptainer').unusable({IMAGE!r}))")  # fmt: skip
    before = node.command(sys.executable, "-c", look.replace("unusable", "environment"))
    refused = node.command(sys.executable, "-c", look, cwd=clone)

    assert lock[IMAGE]["digest"] in before.stdout, before.stderr
    assert "built from another recipe than the one here" in refused.stdout, refused.stderr
    assert f"python -m tasks images convert --to sif {IMAGE}" in refused.stdout


def test_the_files_of_the_tests_are_the_users(node):
    assert {path.stat().st_uid for path in SIF_FILES.glob(f"{IMAGE}-*.sif")} == {nodes.USER_ID}
    assert os.getuid() != nodes.USER_ID
