"""The central scheduler, luigid: a run reports to it, and its page's data shows the progress."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tests.integration.toolkit import REPOSITORY, TWO_CHANNELS, Toolkit

pytestmark = pytest.mark.engine("process")


@pytest.fixture
def luigid(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [str(Path(sys.executable).with_name("luigid")), "--address", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([*words, "--state-path", str(tmp_path / "state")], stderr=subprocess.DEVNULL)
    for _ in range(100):
        time.sleep(0.1)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
    yield port
    server.terminate()
    server.wait(10)


def tasks_of(port: int, status: str) -> dict[str, dict]:
    data = urllib.parse.quote(json.dumps({"status": status, "upstream_status": "", "search": ""}))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/task_list?data={data}", timeout=10) as answer:
        found = json.loads(answer.read())["response"]
    return found if isinstance(found, dict) else {}


def test_a_run_on_the_central_scheduler_shows_its_progress_there(tmp_path, luigid):
    toolkit = Toolkit(tmp_path, "process", {"load_data": TWO_CHANNELS})
    toolkit.draw(PLATES[0], ",".join(FOUR_WELLS))
    environment = toolkit.configure()
    config = toolkit.folder / "luigi.cfg"
    text = config.read_text().replace("local_scheduler = true", f"local_scheduler = false\nscheduler_port = {luigid}")
    config.write_text(text)
    words = [str(Path(sys.executable).with_name("luigi")), "--module", "tasks", "Illumination"]
    words += ["--batch-id", BATCH, "--plate", PLATES[0]]
    run = subprocess.Popen(words, cwd=REPOSITORY, env=environment, stderr=subprocess.PIPE, text=True)
    said: set[str] = set()
    while run.poll() is None:
        said |= {task["status_message"] for task in tasks_of(luigid, "RUNNING").values() if task.get("status_message")}
        time.sleep(0.3)
    done = tasks_of(luigid, "DONE")

    assert run.returncode == 0, run.stderr.read()
    assert any("of 2 channels" in message for message in said)
    assert {task["name"] for task in done.values()} >= {"LoadData", "Illumination"}
