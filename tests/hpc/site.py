"""A Slurm site in a box, for the tests: the toolkit is called on its login node, and its nodes can be stopped."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml

from tests.integration.node import SIF_FILES, USER, USER_ID, Node
from tests.integration.toolkit import REPOSITORY, Toolkit

COMPOSE = Path(__file__).with_name("compose.yaml")
SERVICES = ("control", "login", "node1", "node2")


@dataclass(frozen=True)
class Site:
    """The site's shared folder; beside it every node sees this clone and this machine's Python, to read."""

    folder: Path

    def up(self) -> None:
        for folder in (self.folder, SIF_FILES):
            folder.mkdir(parents=True, exist_ok=True)
        SIF_FILES.chmod(0o1777)
        os.chown(self.folder, USER_ID, USER_ID)
        seen = {REPOSITORY: True, Path(sys.base_prefix): True, SIF_FILES: False}
        mounts = [
            {"type": "bind", "source": str(path), "target": str(path), "read_only": only} for path, only in seen.items()
        ]
        self._override.write_text(yaml.safe_dump({"services": {name: {"volumes": mounts} for name in SERVICES}}))
        self.compose("up", "--detach", "--wait")
        homes = [str(path) for path in Path(sys.base_prefix).parents if path != Path("/")]
        for name in SERVICES:  # this Python may lie below a root's home
            self.on(name, "chmod", "a+x", *homes, user="root")

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "1")

    def compose(self, *words: str) -> str:
        files = ["--project-name", self._project, "--file", str(COMPOSE), "--file", str(self._override)]
        environment = {**os.environ, "SITE_FOLDER": str(self.folder)}
        done = subprocess.run(["docker", "compose", *files, *words], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"docker compose {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def _override(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-site.yaml")

    @property
    def _project(self) -> str:
        return f"platewright-site-{os.getpid()}"

    def node(self, name: str = "login") -> Node:
        return Node(f"{self._project}-{name}-1", self.folder)

    def on(self, name: str, *words: str, user: str = USER) -> str:
        """Run a command on a node; return what it printed."""
        done = self.node(name).command(*words, cwd=Path("/"), user=user)
        if done.returncode:
            raise AssertionError(f"{name}: {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(
        self, toolkit: Toolkit, *words: str, stubs: bool = True, path: str = "", **fault: str
    ) -> subprocess.Popen[str]:
        """Start a run on the login node: with stubs for all programs, of which one may suffer from a fault."""
        configured = toolkit.configure()["LUIGI_CONFIG_PATH"]
        luigi = [str(Path(sys.executable).parent / "luigi"), "--module", "tasks"]
        program = [sys.executable, "-m", "tests.campaign.host"] if stubs else luigi
        given = [
            f"LUIGI_CONFIG_PATH={configured}",
            f"STUB_FAULT={json.dumps(fault)}",
            f"PYTHONPATH={REPOSITORY}:{REPOSITORY / 'containers'}",
            "PYTHONDONTWRITEBYTECODE=1",
        ]
        given += [f"PATH={path}:/usr/local/bin:/usr/bin:/bin"] if path else []
        command = self.node().words(*program, *words, variables=given)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, toolkit: Toolkit, *words: str, stubs: bool = True, path: str = "", **fault: str) -> tuple[int, str]:
        """Run to the end; return the exit code and what was printed."""
        process = self.start(toolkit, *words, stubs=stubs, path=path, **fault)
        printed, _ = process.communicate(timeout=1800)
        return process.returncode, printed

    def signal(self, name: str) -> None:
        """Send a signal to the toolkit's processes on the login node."""
        self.on("login", "pkill", f"-{name}", "--full", "tests.campaign.host")

    def queue(self) -> dict[str, str]:
        """Return the elements that wait or run, each with its state."""
        lines = self.on("login", "squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)


def nodes(root: Path, stage: str = "*") -> Counter[str]:
    """Return how many jobs ended on each node, as the elements below a data root tell."""
    ends = root.glob(f".work/runs/*/*/{stage}/*/*/*/arrays/*/ended/*")
    return Counter(json.loads(path.read_text())["where"] for path in ends)


def arrays(root: Path, stage: str) -> list[Path]:
    """Return what was submitted of a stage."""
    return sorted(root.glob(f".work/runs/*/*/{stage}/*/*/*/arrays/*"))
