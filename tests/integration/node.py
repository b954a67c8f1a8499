"""A node of a cluster: a container with Apptainer that sees this clone, this Python and a shared folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasks.runtime.core.job import Job, Outcome
from tasks.runtime.images import images, sif
from tests.engines.report import NODE_IMAGE
from tests.integration.toolkit import REPOSITORY

SIF_FILES = Path(os.environ.get("ENGINE_ROOT", "/var/tmp/platewright-engine")) / "sif"
"""Where SIF files outlive the tests, as layers of images do: a digest is converted once."""
USER, USER_ID = "scientist", 1000
"""Who has neither root nor subordinate ids there."""
FAST = ("APPTAINER_MKSQUASHFS_ARGS=-comp zstd -Xcompression-level 1",)
"""Packs an image in a third of the time; a site would rather have the default, which every Apptainer reads."""
RIGHTS = ("--cap-add=SYS_ADMIN", "--cap-add=SYS_PTRACE", "--device=/dev/fuse")
OPEN = ("seccomp=unconfined", "apparmor=unconfined", "systempaths=unconfined")


@dataclass(frozen=True)
class Node:
    """A running container, and the folder that it shares with this machine under the same path."""

    name: str
    folder: Path

    def command(
        self, *words: str, cwd: Path = REPOSITORY, variables: Sequence[str] = (), user: str = USER
    ) -> subprocess.CompletedProcess[str]:
        """Run a command there as a user without rights."""
        return subprocess.run(
            self.words(*words, cwd=cwd, variables=variables, user=user), capture_output=True, text=True, check=False
        )

    def words(self, *words: str, cwd: Path = REPOSITORY, variables: Sequence[str] = (), user: str = USER) -> list[str]:
        options = [f"--env={each}" for each in (f"LUIGI_CONFIG_PATH={self.folder}/luigi.cfg", *variables)]
        return ["docker", "exec", f"--user={user}", f"--workdir={cwd}", *options, self.name, *words]

    def tasks(
        self, *words: str, cwd: Path = REPOSITORY, variables: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        return self.command(sys.executable, "-m", "tasks", *words, cwd=cwd, variables=variables)

    def lay(self, job: Job, words: Sequence[str] = ()) -> list[str]:
        """Write a job, or other words in its place, into its folder; return what runs it there."""
        (job.folder / "out").mkdir(parents=True)
        (job.folder / "job.json").write_text(job.as_json())
        if words:
            (job.folder / "words.json").write_text(json.dumps(list(words)))
        self.own(job.folder)
        return [sys.executable, "-m", "tests.integration.on_node", str(job.folder)]

    def run(self, job: Job, words: Sequence[str] = (), variables: Sequence[str] = ()) -> Outcome:
        """Run a job there by the engine of luigi.cfg."""
        done = self.command(*self.lay(job, words), variables=variables)
        assert done.returncode == 0, done.stderr
        return Outcome(**json.loads(done.stdout))

    def own(self, folder: Path) -> None:
        """Give a folder to the user of the node."""
        for path in (folder, *folder.rglob("*")):
            os.chown(path, USER_ID, USER_ID, follow_symlinks=False)

    def clone(self, name: str) -> Path:
        """Lay the toolkit as a user's own clone, where no image was ever built; return its folder."""
        clone = self.folder / name
        left_out = shutil.ignore_patterns("__pycache__", "images.lock")
        for part in ("tasks", "containers", "data"):
            shutil.copytree(REPOSITORY / part, clone / part, ignore=left_out)
        shutil.copy(REPOSITORY / "luigi.cfg", clone)
        self.own(clone)
        return clone

    def convert(self, image: str) -> None:
        """Make an image's SIF file there, from an archive, unless it was made for earlier tests."""
        digest = images.reference(image)
        current = f"{image}-{digest.removeprefix('sha256:')[: sif.DIGEST_DIGITS]}.sif"
        for old in set(SIF_FILES.glob(f"{image}-*.sif")) - {SIF_FILES / current}:
            old.unlink()
        archive = self.folder / f"{image}.tar"
        subprocess.run(["docker", "save", "--output", str(archive), digest], check=True)
        archive.chmod(0o644)
        words = ("images", "convert", "--to", "sif", image, "--from", f"docker-archive:{archive}")
        done = self.tasks(*words, variables=FAST)
        archive.unlink()
        assert done.returncode == 0, done.stderr

    def configure(self, **apptainer: object) -> None:
        """Write the node's luigi.cfg."""
        lines = "".join(f"{key} = {value}\n" for key, value in apptainer.items())
        text = f"[paths]\nroot = root\n[runtime]\nengine = apptainer\n[apptainer]\n{lines}"
        (self.folder / "luigi.cfg").write_text(text)


@contextmanager
def started(folder: Path, *options: str) -> Iterator[Node]:
    """Start a node that shares a folder, and remove it in the end."""
    SIF_FILES.mkdir(parents=True, exist_ok=True)
    SIF_FILES.chmod(0o1777)
    seen = [f"--volume={path}:{path}:ro" for path in (REPOSITORY, sys.base_prefix)]
    seen += [f"--volume={path}:{path}" for path in (SIF_FILES, folder)]
    words = ["docker", "run", "--detach", "--rm", "--init", "--network=host", *RIGHTS, *options]
    words += [f"--security-opt={each}" for each in OPEN]
    words += [*seen, NODE_IMAGE, "sleep", "infinity"]
    name = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    node = Node(name, folder)
    try:
        # Everybody may open /dev/fuse on a real machine; and this Python may lie below a root's home.
        homes = [str(path) for path in Path(sys.base_prefix).parents]
        subprocess.run(["docker", "exec", name, "chmod", "a+rw", "/dev/fuse"], check=True)
        subprocess.run(["docker", "exec", name, "chmod", "a+x", *homes], check=True)
        node.own(folder)
        node.configure(images=SIF_FILES)
        yield node
    finally:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
