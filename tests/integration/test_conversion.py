"""SIF files, made for real by a user without root: from an archive and a registry, once, whole or not at all."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.definitions import recipes
from tasks.runtime.images import images, sif
from tests.integration import node as nodes
from tests.integration.node import Node
from tests.integration.toolkit import wait_for

pytestmark = [pytest.mark.engine("apptainer"), pytest.mark.usefixtures("docker_shared")]

IMAGE = "gallery"
TITLE = "org.opencontainers.image.title"
FILES = 200
CONVERT = ("images", "convert", "--to", "sif", IMAGE)


def save(archive: Path, recipe: str) -> str:
    """Write an archive of a small image that bears a recipe's label, as `docker save` does; return the image's id."""
    name = f"platewright-test/small:{recipe[:12]}"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as files:
        for number in range(FILES):
            entry = tarfile.TarInfo(f"opt/file{number}")
            entry.size = 2**15
            files.addfile(entry, io.BytesIO(os.urandom(entry.size)))
    changes = [f"--change=LABEL {images.RECIPE_LABEL}={recipe}", f"--change=LABEL {TITLE}=small"]
    subprocess.run(["docker", "import", *changes, "-", name], input=packed.getvalue(), capture_output=True, check=True)
    subprocess.run(["docker", "save", "--output", str(archive), name], check=True)
    archive.chmod(0o644)
    told = ["docker", "image", "inspect", "--format", "{{.Id}}", name]
    digest = subprocess.run(told, capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run(["docker", "rmi", name], capture_output=True, check=True)
    return digest


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, docker_shared: None) -> Iterator[Node]:
    """A node with folders that are soon full: of 2 MB, of 4 MB, and of a few files."""
    small = ("/small:mode=1777,size=2m", "/nearly:mode=1777,size=4m", "/few:mode=1777,exec,size=1g,nr_inodes=60")
    with nodes.started(tmp_path_factory.mktemp("conversion"), *(f"--tmpfs={each}" for each in small)) as started:
        yield started


@pytest.fixture(scope="module")
def archive(node: Node) -> tuple[Path, str]:
    """The archive of an image of the present recipe, and the image's id."""
    path = node.folder / f"{IMAGE}.tar"
    return path, save(path, recipes.recipe_hash(IMAGE))


@pytest.fixture
def clone(node: Node, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A user's clone on a machine without docker, with a luigi.cfg and SIF files of its own."""
    clone = node.clone(f"clone-{hashlib.sha256(request.node.name.encode()).hexdigest()[:8]}")
    node.configure(images=clone / "sif")
    yield clone
    shutil.rmtree(clone)


def convert(node: Node, clone: Path, origin: str) -> subprocess.CompletedProcess[str]:
    return node.tasks(*CONVERT, "--from", origin, cwd=clone)


def made(clone: Path) -> list[str]:
    """Return the names of what lies where SIF files do, the lock beside them left out."""
    return sorted(path.name for path in (clone / "sif").glob("*") if path.suffix != ".lock")


def name_of(digest: str) -> str:
    return f"{IMAGE}-{digest.removeprefix('sha256:')[: sif.DIGEST_DIGITS]}.sif"


def labels(node: Node, file: Path) -> dict[str, str]:
    said = node.command("apptainer", "inspect", "--json", "--labels", str(file)).stdout
    return json.loads(said)["data"]["attributes"]["labels"]


def test_an_archive_becomes_a_sif_file_that_keeps_labels_and_digest_and_is_locked(node, clone, archive):
    path, digest = archive
    done = convert(node, clone, f"docker-archive:{path.parent}")
    file = clone / "sif" / name_of(digest)
    said = labels(node, file)
    lock = json.loads((clone / "containers/images.lock").read_text())
    before = file.stat()
    again = convert(node, clone, f"docker-archive:{path}")

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{IMAGE} {file}\n"
    assert made(clone) == [file.name]
    assert (said[sif.DIGEST_LABEL], said[images.RECIPE_LABEL], said[TITLE]) == (
        digest,
        recipes.recipe_hash(IMAGE),
        "small",
    )
    assert lock == {IMAGE: {"digest": digest, "recipe": recipes.recipe_hash(IMAGE)}}
    assert file.stat().st_uid == nodes.USER_ID
    assert again.returncode == 0, again.stderr
    assert file.stat() == before


def test_two_who_convert_at_once_make_one_file(node, clone, archive):
    with ThreadPoolExecutor() as pool:
        both = list(pool.map(lambda _: convert(node, clone, f"docker-archive:{archive[0]}"), range(2)))

    assert [done.returncode for done in both] == [0, 0], [done.stderr for done in both]
    assert sum("converting the image" in done.stderr for done in both) == 1
    assert any("another run is at it" in done.stderr for done in both)
    assert made(clone) == [name_of(archive[1])]


@pytest.fixture
def pushed(registry: str, archive: tuple[Path, str]) -> str:
    """Push the image, which docker then forgets; return where it is converted from."""
    path, digest = archive
    name = f"{registry}/lab/{IMAGE}:{images.remote_tag(IMAGE)}"
    for words in (["load", "--input", str(path)], ["tag", digest, name], ["push", "--quiet", name]):
        subprocess.run(["docker", *words], capture_output=True, check=True)
    subprocess.run(["docker", "rmi", "--force", digest], capture_output=True, check=True)
    return f"docker://{registry}/lab"


def test_a_registrys_image_is_fetched_by_digest_and_named_as_everywhere(node, clone, archive, pushed):
    digest = archive[1]
    done = convert(node, clone, pushed)
    cached = list((clone / "sif/cache").rglob("*"))

    assert done.returncode == 0, done.stderr
    assert labels(node, clone / "sif" / name_of(digest))[sif.DIGEST_LABEL] == digest
    assert "@sha256:" in node.command("apptainer", "inspect", str(clone / "sif" / name_of(digest))).stdout
    assert cached


def test_what_a_registry_does_not_have_is_named(node, clone, registry):
    done = convert(node, clone, f"docker://{registry}/lab")

    assert done.returncode != 0
    assert f"does not give lab/{IMAGE}:" in done.stderr
    assert "may never have been pushed" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_image_of_another_recipe_is_refused(node, clone):
    save(node.folder / "other.tar", "0" * 64)
    done = convert(node, clone, f"docker-archive:{node.folder}/other.tar")

    assert done.returncode != 0
    assert "is not of the recipe that is here (it says 000000000000" in done.stderr
    assert made(clone) == []


def test_the_docker_engines_image_becomes_a_sif_file(node, clone, archive):
    path, digest = archive
    subprocess.run(["docker", "load", "--input", str(path)], capture_output=True, check=True)
    lock = {IMAGE: {"digest": digest, "recipe": recipes.recipe_hash(IMAGE)}}
    (clone / "containers/images.lock").write_text(json.dumps(lock))
    # A machine with both: as root, who may speak to the daemon.
    seen = [f"--volume={path}:{path}" for path in ("/var/run/docker.sock", shutil.which("docker"))]
    with nodes.started(node.folder / clone.name, *seen) as both:
        both.configure(images=clone / "sif")
        done = both.command(sys.executable, "-m", "tasks", *CONVERT, cwd=clone, user="root")
    subprocess.run(["docker", "rmi", "--force", digest], capture_output=True, check=True)

    assert done.returncode == 0, done.stderr
    assert made(clone) == [name_of(digest)]
    assert labels(node, clone / "sif" / name_of(digest))[sif.DIGEST_LABEL] == digest


@pytest.mark.parametrize("text", [b"no archive", b""], ids=["another file", "an empty file"])
def test_a_file_that_is_no_archive_is_refused(text, node, clone):
    (node.folder / "bad.tar").write_bytes(text)
    done = convert(node, clone, f"docker-archive:{node.folder}/bad.tar")

    assert done.returncode != 0
    assert "bad.tar is no whole archive of an image" in done.stderr
    assert "docker save --output" in done.stderr


@pytest.mark.parametrize("setting", ["tmp", "images"])
def test_too_little_room_is_said_before_anything_is_made(setting, node, clone, archive):
    node.configure(**{"images": clone / "sif", setting: "/small"})
    done = convert(node, clone, f"docker-archive:{archive[0]}")

    assert done.returncode != 0
    assert "/small has" in done.stderr
    assert f"[apptainer] {setting}" in done.stderr
    assert made(clone) == []
    assert "sif" not in node.command("sh", "-c", "find /small -name '*.sif*' -o -name 'to_sif*'").stdout


@pytest.mark.parametrize(
    ("setting", "folder", "fills"),
    [
        ("images", "/nearly", ""),
        ("tmp", "/few/own", ""),
        ("cache", "/few/own", "for n in $(seq 56); do : >/few/$n; done"),
    ],
)
def test_a_quota_that_is_full_in_mid_build_is_named_and_nothing_is_published(
    setting, folder, fills, node, clone, archive, pushed
):
    origin = pushed if setting == "cache" else f"docker-archive:{archive[0]}"
    node.configure(**{"images": clone / "sif", "cache": clone / "cache", setting: folder})
    node.command("sh", "-c", f"mkdir -p {folder}; {fills}")
    done = convert(node, clone, origin)
    left = node.command("find", str(clone), folder, "-name", "*.sif*").stdout
    node.configure(images=clone / "sif")
    node.command("sh", "-c", "rm -rf /few/* /nearly/*")
    again = convert(node, clone, origin)

    assert done.returncode != 0
    assert "a disk or quota is full" in done.stderr, done.stderr
    assert folder in done.stderr
    assert "[apptainer] tmp, images, cache" in done.stderr
    assert "Traceback" not in done.stderr
    assert left == ""
    assert again.returncode == 0, again.stderr


def test_without_docker_the_other_ways_are_named(node, clone):
    (clone / "containers/images.lock").write_text(
        json.dumps({IMAGE: {"digest": "sha256:" + "0" * 64, "recipe": recipes.recipe_hash(IMAGE)}})
    )
    done = node.tasks(*CONVERT, cwd=clone)

    assert done.returncode != 0
    assert "there is no command docker" in done.stderr
    assert "--from docker-archive:PATH or docker://HOST/PATH" in done.stderr


def test_the_script_needs_no_python(node, clone, archive):
    path, digest = archive
    target = clone / "sif" / name_of(digest)
    script = clone / "containers/to_sif.sh"
    words = ("env", "-i", "PATH=/usr/bin:/bin", "HOME=/tmp", "sh", str(script), f"docker-archive:{path}")
    done = node.command(*words, digest, str(target))
    other = node.command(*words, "sha256:" + "f" * 64, str(clone / "sif/other.sif"))
    locked = convert(node, clone, f"docker-archive:{path}")

    assert done.returncode == 0, done.stderr
    assert "does not hold the image" in other.stderr
    assert made(clone) == [target.name]
    assert locked.returncode == 0, locked.stderr
    assert "converting" not in locked.stderr


def test_a_conversion_that_is_stopped_leaves_nothing_and_is_made_again(node, clone, archive):
    slow = clone / "slow"
    slow.write_text('#!/bin/sh\ncase $1 in build) sleep 98766; exit 1 ;; esac\nexec apptainer "$@"\n')
    slow.chmod(0o755)
    node.own(slow)
    node.configure(images=clone / "sif", binary=slow)
    origin = f"docker-archive:{archive[0]}"
    run = subprocess.Popen(node.words(sys.executable, "-m", "tasks", *CONVERT, "--from", origin, cwd=clone))
    seen = wait_for(lambda: "98766" in node.command("ps", "-eo", "args").stdout, 30)
    node.command("pkill", "-KILL", "-f", "tasks images convert")
    run.wait(30)
    node.command("pkill", "-f", "sleep 98766")
    node.configure(images=clone / "sif")
    again = convert(node, clone, origin)

    assert seen
    assert again.returncode == 0, again.stderr
    assert made(clone) == [name_of(archive[1])]
