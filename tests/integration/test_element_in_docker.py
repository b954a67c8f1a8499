"""The element in the real images, as AWS Batch starts it: as the image's own user, with nothing mounted."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from stagekit import contract_files, contracts

from tasks.definitions import stages
from tasks.runtime.images import images
from tests.stages.gallery.service import new_bucket, served
from tests.unit.element_machine import RUN, Machine, wait_for

pytestmark = [pytest.mark.engine("docker"), pytest.mark.usefixtures("docker_shared")]

PLATE, WELLS = "BR00000001", 24
ROWS = [
    ["Metadata_Plate", "Metadata_Well", "Metadata_broad_sample", "Metadata_control_type", "Cells_Area", "Nuclei_Size"],
    *([PLATE, f"A{well:02d}", "DMSO", "negcon", str(well), str(well**2)] for well in range(1, WELLS + 1)),
]
NORMALIZE = {
    "plate": PLATE,
    "method": "standardize",
    "samples": "all",
    "least_spread": "0",
    "min_negcon_wells": "2",
    "on_few_negcon": "warn",
    "profiles": "/in/profiles/augmented.csv.gz",
    "parquet": "false",
    "write_profiles": "/out/files/normalized.csv.gz",
    "write_parquet": "/out/files/normalized.parquet",
    "output": "/out",
}
CONTAINER = {"output": "/out", "temporary": "/tmp", "variables": {"HOME": "/tmp", "TMPDIR": "/tmp"}}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with served() as port:
        yield port


@pytest.fixture
def machine(port: int, tmp_path: Path) -> Machine:
    return Machine(tmp_path, new_bucket(port))


def docker(machine: Machine, image: str, *options: str) -> list[str]:
    """Return the command that starts an element as Batch does: the image's own user, nothing mounted."""
    names = ("S3_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    variables = {name: machine.environment()[name] for name in names} | {"AWS_BATCH_JOB_ID": "6c7f:0"}
    given = [word for name, value in variables.items() for word in ("--env", f"{name}={value}")]
    words = ["docker", "run", "--rm", "--network", "host", *options, *given, images.reference(image)]
    return [*words, "python", "-m", "batch_agent.element", machine.array]


def run(machine: Machine, image: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(docker(machine, image, *options), capture_output=True, text=True, timeout=300, check=False)


def job(words: list[str], inputs: list[dict[str, Any]] | None = None, **more: Any) -> Mapping[str, Any]:
    return {"words": words, "inputs": inputs or [], **CONTAINER, **more}


def test_a_real_stage_gives_its_result_with_the_digest_that_is_told(machine: Machine, tmp_path: Path) -> None:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(ROWS)
    source = machine.put("profiles/augmented.csv.gz", gzip.compress(table.getvalue().encode()))
    words = [word for name, value in NORMALIZE.items() for word in (f"--{name}", value)]
    program = ["python", "/opt/stages/pycytominer/normalize.py", *words]
    inputs = [{"source": source, "target": NORMALIZE["profiles"]}]
    machine.lay({"j1": job(program, inputs, contracts={"normalized.csv.gz": "scaled_profiles"})})
    done = run(machine, "pycytominer")
    assert machine.end()["exit_code"] == 0, done.stderr + machine.log()
    body = machine.made()["normalized.csv.gz"]
    (tmp_path / "normalized.csv.gz").write_bytes(body)
    areas = [float(row["Cells_Area"]) for row in csv.DictReader(io.StringIO(gzip.decompress(body).decode()))]
    mean = sum(range(1, WELLS + 1)) / WELLS
    width = (sum((well - mean) ** 2 for well in range(1, WELLS + 1)) / WELLS) ** 0.5

    contract_files.check(contracts.SCALED_PROFILES, tmp_path / "normalized.csv.gz")
    assert areas == pytest.approx([(well - mean) / width for well in range(1, WELLS + 1)], rel=1e-4)
    assert machine.digests() == {"normalized.csv.gz": [len(body), hashlib.sha256(body).hexdigest()]}
    assert "warnings" in json.loads(machine.get(f"{RUN}/shards/j1/out/result.json"))
    assert machine.end()["peak_memory_gb"] > 0.05


@pytest.mark.parametrize("image", stages.stage_images())
def test_every_image_can_be_an_elements(machine: Machine, image: str) -> None:
    script = 'import os; told = f\'{open("/in/x").read()} {os.getuid()} {os.access("/in/x", os.W_OK)}\'\n'
    script += "open('/out/files/seen', 'w').write(told)"
    machine.lay({"j1": job(["python", "-c", script], [{"source": machine.put("x", b"came"), "target": "/in/x"}])})
    done = run(machine, image)

    assert machine.end()["exit_code"] == 0, done.stderr
    word, user, writable = machine.made()["seen"].decode().split()
    assert (word, writable) == ("came", "False")
    assert user != "0"


def test_a_program_that_needs_more_memory_than_there_is_is_told_so(machine: Machine) -> None:
    hungry = job(["python", "-c", "print('began', flush=True); b = bytearray(2 * 10**9)"])
    machine.lay({"j1": hungry, "j2": job(["true"])})
    run(machine, "pycytominer", "--memory", "300m", "--memory-swap", "300m")

    assert machine.end() == {**machine.end(), "exit_code": 137, "out_of_memory": True, "timed_out": False}
    assert machine.log(name="stdout.log") == "began\n"
    assert machine.end("j2") == {**machine.end("j2"), "exit_code": 0, "out_of_memory": False}


def test_a_container_that_is_stopped_leaves_its_logs_and_no_end(machine: Machine) -> None:
    machine.lay(
        {"j1": job(["python", "-c", "import time; print('began', flush=True); open('/out/said', 'w'); time.sleep(99)"])}
    )
    name = f"element-{machine.s3.bucket}"
    process = subprocess.Popen(docker(machine, "pycytominer", "--name", name), stderr=subprocess.PIPE, text=True)
    wait_for(lambda: subprocess.run(["docker", "exec", name, "ls", "/out/said"], capture_output=True).returncode == 0)
    subprocess.run(["docker", "stop", "--time", "30", name], check=True, capture_output=True)
    said = process.communicate(timeout=60)[1]

    assert process.returncode == 143, said
    assert machine.ended() == []
    assert machine.log(name="stdout.log") == "began\n"
