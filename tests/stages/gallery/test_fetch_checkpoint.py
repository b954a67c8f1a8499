"""A network's weights come by URL, whole and as their sum says, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

CONTAINERS = Path(__file__).parents[3] / "containers"
BODY = bytes(range(256)) * 20_000
SUM = hashlib.sha256(BODY).hexdigest()


class Web(BaseHTTPRequestHandler):
    """/good gives the body; /cut half of it, /flaky at the first try only; others are not there."""

    asked: list[str] = []

    def do_GET(self) -> None:  # noqa: N802  (the name that http.server asks for)
        Web.asked.append(self.path)
        if self.path not in ("/good", "/cut", "/flaky"):
            self.send_error(404)
            return
        cut = self.path == "/cut" or self.path == "/flaky" and self.asked.count("/flaky") == 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2] if cut else BODY)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Web.asked.clear()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(gallery_python, tmp_path):
    def run(url: str, sha256: str = ""):
        words = [str(gallery_python), str(CONTAINERS / "gallery/fetch_checkpoint.py"), "--plate", "cell_painting_cnn"]
        words += ["--output", str(tmp_path / "out"), "--url", url, "--sha256", sha256]
        words += ["--write_checkpoint", str(tmp_path / "out/files/cell_painting_cnn.hdf5")]
        environment = {**os.environ, "PYTHONPATH": str(CONTAINERS), "no_proxy": "127.0.0.1"}
        return subprocess.run(words, capture_output=True, text=True, env=environment)

    return run


def came(tmp_path: Path) -> Path:
    return tmp_path / "out/files/cell_painting_cnn.hdf5"


def test_what_comes_is_checked_against_its_sum(fetch, web, tmp_path):
    done = fetch(f"{web}/good", SUM.upper())
    told = json.loads((tmp_path / "out/result.json").read_text())

    assert done.returncode == 0, done.stderr
    assert came(tmp_path).read_bytes() == BODY
    assert told == {"warnings": [], "facts": {"sha256": SUM, "bytes": len(BODY)}}


def test_without_a_sum_the_one_that_came_is_told(fetch, web, tmp_path):
    fetch(f"{web}/good")

    assert f"checkpoint_sha256 = {SUM}" in json.loads((tmp_path / "out/result.json").read_text())["warnings"][0]


def test_another_sum_is_an_error_and_nothing_is_kept(fetch, web, tmp_path):
    done = fetch(f"{web}/good", "0" * 64)

    assert done.returncode == 65
    assert f"what came has SHA-256 {SUM}, [deep_profile] checkpoint_sha256 says {'0' * 64}" in done.stderr
    assert not came(tmp_path).exists()


def test_what_came_cut_short_is_asked_for_again(fetch, web, tmp_path):
    done = fetch(f"{web}/flaky", SUM)

    assert done.returncode == 0, done.stderr
    assert Web.asked == ["/flaky", "/flaky"]
    assert came(tmp_path).read_bytes() == BODY


@pytest.mark.parametrize(("path", "said"), [("cut", f"{len(BODY) // 2} of {len(BODY)} bytes came"), ("x", "HTTP 404")])
def test_what_cannot_be_had_is_a_service_that_fails(path, said, fetch, web, tmp_path):
    done = fetch(f"{web}/{path}")

    assert done.returncode == 69
    assert said in done.stderr
    assert len(Web.asked) == (3 if path == "cut" else 1)
    assert not came(tmp_path).exists()


def test_a_path_is_no_url(fetch, tmp_path):
    done = fetch(f"file://{tmp_path}")

    assert done.returncode == 65
    assert "not a URL of http, https or ftp; a file is named by its path" in done.stderr
