"""How many requests to S3 a job and a file take: data/costs.toml [requests], counted at a real server."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tasks.dataset.layout import Layout
from tasks.planning import cost_model
from tasks.results.store.links import Links
from tasks.results.store.s3.claim import Claims
from tasks.results.store.s3.elements import Elements
from tasks.results.store.s3.s3_store import S3Store
from tasks.runtime.arrays import array_folder, places
from tasks.runtime.core.job import Job, Outcome
from tests.integration import s3_server
from tests.integration.s3_server import BUCKET, S3Server
from tests.stages.gallery.service import S3
from tests.unit.element_machine import Machine
from tests.unit.fakes import BATCH, PLATE, SMALL
from tests.unit.test_mirror import lay, mirror

PROGRAM = """
(files / 'analysis').mkdir()
for number in range({files}):
    (files / f'analysis/{{number}}.csv').write_text(str(number))
(out / 'result.json').write_text('{{}}')
(out / 'units.jsonl').write_text('')
"""


def kind(environ: Mapping[str, Any]) -> str:
    """Return what a request is billed as: a listing as a PUT."""
    if environ["REQUEST_METHOD"] == "DELETE" or "delete" in environ["QUERY_STRING"].split("&"):
        return "free"
    is_listing = environ["REQUEST_METHOD"] == "GET" and "list-type" in environ["QUERY_STRING"]
    return "put" if is_listing or environ["REQUEST_METHOD"] in ("PUT", "POST") else "get"


def requests(server: S3Server, folder: Path, reads: int, files: int) -> Counter[str]:
    """Return the requests of a job that reads and makes so many files: of the host, the element and the publication."""
    folder.mkdir()
    layout = Layout(folder / "mirror", "project", "source")
    store = S3Store(
        mirror(server, layout.root), lambda: Claims(s3_server.client(server.port), BUCKET), (), Links(layout)
    )
    elements, machine = Elements(store, layout.given), Machine(folder, S3(server.port, BUCKET))
    job = Job("j", "image", "p.py", (), (), layout.run("measure", BATCH, PLATE, folder.name) / "shards/1of1", SMALL)
    (job.folder / "out").mkdir(parents=True)
    for number in range(reads):
        lay(server, f"{folder.name}/images/{number}.tiff", "image")
    given = [machine.input(f"s3://{BUCKET}/lab/{folder.name}/images/", "images")] if reads else []
    told = machine.job(PROGRAM.format(files=files), given)
    for name, text in (("job.json", "{}"), ("command", ""), ("element.json", json.dumps(told))):
        (job.folder / name).write_text(text)
    array = array_folder.write("a1", [[job]])

    count: Counter[str] = Counter()
    server.fault = lambda environ: count.update([kind(environ)])
    done = machine.run(elements.hand_over(array))
    elements.bring(array)
    assert (done.returncode, array.end("1of1").exit_code) == (0, 0), done.stderr
    places.record(job, Outcome(0, 1.0))
    array.settle(["1of1"])
    elements.tell(array, ["1of1"])
    elements.lay([job])
    (job.folder / "out/files").rename(run_files := job.folder.parent.parent / "files")
    store.move(run_files / "analysis", layout.published("analysis", BATCH, PLATE))
    server.fault = lambda environ: None
    return count


def test_a_job_and_its_files_take_as_many_requests_as_the_plan_says(server: S3Server, tmp_path: Path) -> None:
    bare, with_reads, with_files = (
        requests(server, tmp_path / f"r{number}", reads, files)
        for number, (reads, files) in enumerate([(0, 1), (20, 1), (0, 21)])
    )
    each = tomllib.loads(cost_model.COSTS.read_text())["requests"]

    assert (with_files["put"] - bare["put"]) / 20 == pytest.approx(each["puts_a_file"], abs=0.1)
    assert (with_reads["get"] - bare["get"]) / 20 == pytest.approx(each["gets_a_read"], abs=0.1)
    assert (with_files["get"] - bare["get"]) / 20 == pytest.approx(0, abs=0.1)
    assert bare["put"] - each["puts_a_file"] == pytest.approx(each["puts_a_job"], abs=2)
    assert bare["get"] == pytest.approx(each["gets_a_job"], abs=2)
