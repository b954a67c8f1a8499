"""A release, rehearsed against a real registry: pushed, described, carried by a wheel, and pulled by its digest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cyclonedx.model.bom import Bom

from tasks.dataset.layout import CONTAINERS, REPOSITORY
from tasks.definitions import recipes
from tasks.runtime.images import images, registry, released
from tests.integration.conftest import serving_registry

pytestmark = [pytest.mark.engine("docker"), pytest.mark.usefixtures("docker_shared")]

IMAGE = "luigid"
"""The smallest."""
RANGE = {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "99"}]}
FLAW = {"id": "PYSEC-2026-7", "affected": [{"package": {"name": "tornado", "ecosystem": "PyPI"}, "ranges": [RANGE]}]}


class Answers(BaseHTTPRequestHandler):
    """An advisory source that knows one flaw, of the package tornado."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        known = [FLAW] if asked["package"]["name"] == "tornado" else []
        text = json.dumps({"vulns": known} if known else {}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def advisories() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1/query"
    server.shutdown()


@dataclass(frozen=True)
class Made:
    folder: Path
    said: str
    place: str


@pytest.fixture(scope="module")
def made(advisories: str, docker_shared: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """Rehearse a release of one image; return what it left."""
    folder = tmp_path_factory.mktemp("release")
    with serving_registry(folder) as address:
        words = ["images", "release", IMAGE, f"--registry={address}/lab", f"--to={folder}/out", "--rehearsal"]
        command = [sys.executable, "-m", "tasks", *words, f"--advisories={advisories}"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        yield Made(folder / "out", done.stdout, f"{address}/lab/{IMAGE}")


@pytest.fixture(scope="module")
def lock(made: Made) -> dict[str, dict[str, str]]:
    told = json.loads((made.folder / released.NAME).read_text())
    assert not released.path().exists(), "the clone was left with the lock of a release"
    return told["images"]


def test_what_is_known_of_a_package_is_named_and_the_others_were_checked(made: Made) -> None:
    locks = json.loads((made.folder / "advisories.json").read_text())["locks"]
    tornado = locks[f"containers/{IMAGE}/requirements.lock"]

    assert {name.partition(" ")[0]: mended for name, mended in tornado["found"].items()} == {"tornado": "99"}
    assert all(each["not_checked"] == {} for each in locks.values())
    assert f"containers/{IMAGE}/requirements.lock: 1 known vulnerabilities: tornado" in made.said


def test_the_lock_names_the_image_by_the_digest_that_the_registry_has(
    made: Made, lock: dict[str, dict[str, str]]
) -> None:
    held = registry.find(made.place, images.remote_tag(IMAGE))

    assert lock[IMAGE]["reference"] == f"{made.place}@{held.manifest}"
    assert (lock[IMAGE]["digest"], lock[IMAGE]["recipe"]) == (held.digest, recipes.recipe_hash(IMAGE))


def test_the_bill_of_materials_has_what_the_image_really_holds(made: Made, lock: dict[str, dict[str, str]]) -> None:
    bill = Bom.from_json(json.loads((made.folder / f"{IMAGE}.cdx.json").read_text()))
    held = {str(each.purl) for each in bill.components}
    asked = "import importlib.metadata as m; [print(d.name, d.version) for d in m.distributions()]"
    words = ["docker", "run", "--rm", "--entrypoint=python", lock[IMAGE]["digest"], "-c", asked]
    inside = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]

    assert inside
    assert {f"pkg:pypi/{line.split()[0].lower()}@{line.split()[1]}".replace("_", "-") for line in inside} <= {
        name.replace("_", "-") for name in held
    }
    assert any(name.startswith("pkg:deb/debian/libc6@") for name in held)


def test_provenance_names_image_commit_and_locks(made: Made, lock: dict[str, dict[str, str]]) -> None:
    told = json.loads((made.folder / f"{IMAGE}.intoto.json").read_text())
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    used = {each["uri"]: each["digest"] for each in told["predicate"]["buildDefinition"]["resolvedDependencies"]}

    assert f"sha256:{told['subject'][0]['digest']['sha256']}" == lock[IMAGE]["reference"].partition("@")[2]
    assert used["git+platewright"] == {"gitCommit": commit.stdout.strip()}
    assert f"containers/{IMAGE}/requirements.lock" in used


@pytest.mark.parametrize(("kind", "ending"), [("sbom", "cdx.json"), ("provenance", "intoto.json")])
def test_both_lie_beside_the_image_and_name_it(
    kind: str, ending: str, made: Made, lock: dict[str, dict[str, str]]
) -> None:
    host, _, path = made.place.partition("/")
    tag = f"{images.remote_tag(IMAGE)}.{kind}"
    manifest = json.loads(registry._get(f"http://{host}/v2/{path}/manifests/{tag}", host, registry.MANIFESTS[1]))
    blob = registry._get(f"http://{host}/v2/{path}/blobs/{manifest['layers'][0]['digest']}", host, "*/*")

    assert manifest["subject"]["digest"] == lock[IMAGE]["reference"].partition("@")[2]
    assert blob == (made.folder / f"{IMAGE}.{ending}").read_bytes()


def test_the_wheel_pulls_its_own_image_without_being_told_of_a_registry(made: Made, tmp_path: Path) -> None:
    (wheel,) = made.folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    own = {"PYTHONPATH": str(tmp_path / "site"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    words = [sys.executable, "-m", "platewright", "images", "pull", IMAGE]
    done = subprocess.run(words, cwd=tmp_path, env=os.environ | own, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    (written,) = (tmp_path / "cache").rglob("images.lock")
    assert json.loads(written.read_text())[IMAGE]["pushed"].startswith(f"{made.place}@sha256:")


def test_the_clones_lock_lists_every_package_of_the_image() -> None:
    assert len(recipes.pins(CONTAINERS / IMAGE / "requirements.lock")) > 5
