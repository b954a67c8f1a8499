"""An array of jobs on S3 as the host lays it, and a machine whose elements run it as AWS Batch would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.stages.gallery.service import S3

CONTAINERS = Path(__file__).parents[2] / "containers"
RUN = "root/.work/runs/project/source/paint/batch/plate/r1"
QUICK = """
from batch_agent import element, element_job
from stagekit import child, transfer
element_job.TELL_SECONDS, child.GRACE_SECONDS = 0.2, 1.0
object.__setattr__(transfer.PATIENT, "retries", 2)
element.main()
"""
"""The element with less patience than it has."""
SEEN = """
import json
found = {str(p.relative_to(inputs)): p.read_bytes().decode() for p in sorted(inputs.rglob('*')) if p.is_file()}
(files / 'seen.json').write_text(json.dumps(found))
"""
"""A program that tells which inputs it sees."""


@dataclass
class Machine:
    """A bucket with one array, and a machine with the folders of one element."""

    folder: Path
    s3: S3
    variables: dict[str, str] = field(default_factory=dict)
    """What the element's environment holds beside the usual."""

    @property
    def array(self) -> str:
        return f"s3://{self.s3.bucket}/{RUN}/arrays/a1"

    @property
    def inputs(self) -> Path:
        return self.folder / "in"

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def url(self, key: str) -> str:
        return f"s3://{self.s3.bucket}/{key}"

    def put(self, key: str, body: bytes = b"") -> str:
        """Lay an object; return its URL."""
        self.s3.client.put_object(Bucket=self.s3.bucket, Key=key, Body=body)
        return self.url(key)

    def keys(self, prefix: str) -> list[str]:
        """Return what is below a prefix."""
        pages = self.s3.client.get_paginator("list_objects_v2").paginate(Bucket=self.s3.bucket, Prefix=prefix)
        return [each["Key"][len(prefix) :] for page in pages for each in page.get("Contents", [])]

    def get(self, key: str) -> bytes:
        body: bytes = self.s3.client.get_object(Bucket=self.s3.bucket, Key=key)["Body"].read()
        return body

    def lay(self, jobs: Mapping[str, Mapping[str, Any]], elements: str = "") -> None:
        """Write down an array of jobs, and which element runs them: by default the first runs all."""
        for name, told in jobs.items():
            self.put(f"{RUN}/shards/{name}/element.json", json.dumps(told).encode())
        lines = elements or "".join(f"0\t60\t/somewhere/shards/{name}\n" for name in jobs)
        self.put(f"{RUN}/arrays/a1/elements", lines.encode())

    def job(self, program: str, inputs: Sequence[Mapping[str, Any]] = (), **more: Any) -> dict[str, Any]:
        """Return the element.json of a job whose program is a text; it finds `out`, `files` and `inputs` in itself."""
        head = f"import os, sys, time, pathlib\nout = pathlib.Path({str(self.output)!r}); files = out / 'files'\n"
        head += f"inputs = pathlib.Path({str(self.inputs)!r})\n"
        return {
            "words": ["python", "-c", head + program],
            "variables": {"HOME": str(self.folder / "tmp"), "PAINT": "red"},
            "output": str(self.output),
            "temporary": str(self.folder / "tmp"),
            "inputs": list(inputs),
            "contracts": {},
            **more,
        }

    def input(self, source: str, target: str, **more: Any) -> dict[str, Any]:
        return {"source": source, "target": str(self.inputs / target), **more}

    def start(self, *words: str, index: int = 0, code: str = QUICK, **popen: Any) -> subprocess.Popen[str]:
        """Start an element; by default the one of the array."""
        command = [sys.executable, "-c", code, *(words or (self.array,))]
        variables = self.environment() | {"AWS_BATCH_JOB_ID": f"6c7f:{index}"}
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
        return subprocess.Popen(command, env=variables, text=True, start_new_session=True, **given)

    def run(self, *words: str, index: int = 0, code: str = QUICK) -> subprocess.CompletedProcess[str]:
        process = self.start(*words, index=index, code=code)
        stdout, stderr = process.communicate(timeout=120)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def environment(self) -> dict[str, str]:
        own = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(CONTAINERS),
            "S3_ENDPOINT_URL": f"http://127.0.0.1:{self.s3.port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        return {name: value for name, value in (own | self.variables).items() if value}

    def end(self, job: str = "j1") -> dict[str, Any]:
        """Return how a job ended, as the element put it."""
        told: dict[str, Any] = json.loads(self.get(f"{RUN}/arrays/a1/ended/{job}"))
        return told

    def ended(self) -> list[str]:
        return self.keys(f"{RUN}/arrays/a1/ended/")

    def log(self, job: str = "j1", name: str = "stderr.log") -> str:
        return self.get(f"{RUN}/shards/{job}/{name}").decode()

    def made(self, job: str = "j1") -> dict[str, bytes]:
        """Return the outputs that were put."""
        prefix = f"{RUN}/shards/{job}/out/files/"
        return {name: self.get(prefix + name) for name in self.keys(prefix)}

    def digests(self, job: str = "j1") -> dict[str, list[Any]]:
        told: dict[str, list[Any]] = json.loads(self.get(f"{RUN}/shards/{job}/out/files.json"))
        return told

    def seen(self, job: str = "j1") -> dict[str, str]:
        """Return the inputs that the program SEEN saw."""
        found: dict[str, str] = json.loads(self.made(job)["seen.json"])
        return found

    def failed(self, exit_code: int = 69) -> str:
        """Return the last words of the log of a job that must have failed so."""
        assert self.end()["exit_code"] == exit_code, self.log()
        last = self.log().splitlines()[-1]
        assert last.startswith("error: ")
        return last


def wait_for(true: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
