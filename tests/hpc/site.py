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

from tests.integration.toolkit import REPOSITORY, Toolkit

COMPOSE = Path(__file__).with_name("compose.yaml")
SERVICES = ("control", "login", "node1", "node2")
SCIENTIST = 1000


@dataclass(frozen=True)
class Site:
    """The site's shared folder; beside it every node sees this clone and this machine's Python, to read."""

    folder: Path

    def up(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        os.chown(self.folder, SCIENTIST, SCIENTIST)
        mounts = [{"type": "bind", "source": str(path), "target": str(path), "read_only": True} for path in software()]
        self._override.write_text(yaml.safe_dump({"services": {name: {"volumes": mounts} for name in SERVICES}}))
        self.compose("up", "--detach", "--wait")
        for name in SERVICES:  # where root's own Python is the clone's
            self.on(name, "chmod", "a+x", "/root", user="root")

    def down(self) -> None:
        self.compose("down", "--volumes", "--timeout", "1")

    @property
    def _override(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-site.yaml")

    def compose(self, *words: str) -> str:
        files = ["--project-name", self._project, "--file", str(COMPOSE), "--file", str(self._override)]
        environment = {**os.environ, "SITE_FOLDER": str(self.folder)}
        done = subprocess.run(["docker", "compose", *files, *words], env=environment, capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"docker compose {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def _project(self) -> str:
        return f"platewright-site-{os.getpid()}"

    def container(self, name: str) -> str:
        return f"{self._project}-{name}-1"

    def words(self, name: str, *words: str, user: str = "scientist", **variables: str) -> list[str]:
        """Return the command that runs another one on a node."""
        given = [word for key, value in variables.items() for word in ("--env", f"{key}={value}")]
        where = ["--user", user, "--workdir", str(REPOSITORY)]
        return ["docker", "exec", *given, *where, self.container(name), *words]

    def on(self, name: str, *words: str, user: str = "scientist", **variables: str) -> str:
        done = subprocess.run(self.words(name, *words, user=user, **variables), capture_output=True, text=True)
        if done.returncode:
            raise AssertionError(f"{name}: {' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(
        self, toolkit: Toolkit, *words: str, stubs: bool = True, path: str = "", **fault: str
    ) -> subprocess.Popen[str]:
        """Start a run on the login node: with stubs for all programs, of which one may suffer from a fault."""
        variables = toolkit.configure()
        luigi = [str(Path(sys.executable).parent / "luigi"), "--module", "tasks"]
        program = [sys.executable, "-m", "tests.campaign.host"] if stubs else luigi
        given = {
            "LUIGI_CONFIG_PATH": variables["LUIGI_CONFIG_PATH"],
            "STUB_FAULT": json.dumps(fault),
            "PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'containers'}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        if path:
            given["PATH"] = f"{path}:/usr/local/bin:/usr/bin:/bin"
        command = self.words("login", *program, *words, **given)
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, toolkit: Toolkit, *words: str, stubs: bool = True, path: str = "", **fault: str) -> tuple[int, str]:
        process = self.start(toolkit, *words, stubs=stubs, path=path, **fault)
        printed, _ = process.communicate(timeout=1800)
        return process.returncode, printed

    def signal(self, name: str) -> None:
        """Send a signal to the toolkit's processes on the login node."""
        self.on("login", "pkill", f"-{name}", "--full", "tests.campaign.host", user="root")

    def queue(self) -> dict[str, str]:
        """Return the elements that wait or run, each with its state."""
        lines = self.on("login", "squeue", "--noheader", "--array", "--format=%i %T").splitlines()
        return dict(line.split() for line in lines)


def give(folder: Path) -> None:
    """Let the site's scientist have a folder."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, SCIENTIST, SCIENTIST, follow_symlinks=False)


def software() -> list[Path]:
    """Return what the nodes see of this machine: the clone, and the Python of its environments."""
    prefix = Path(sys.base_prefix)
    python = [prefix.parents[1] if "pyenv" in prefix.parts[-3] else prefix]
    if prefix == Path("/usr"):  # the nodes' own Python is another version, so these do not meet
        name = f"python{sys.version_info.major}.{sys.version_info.minor}"
        python = [prefix / "bin" / name, prefix / "lib" / name]
    return [REPOSITORY, *python]


def nodes(root: Path, stage: str = "*") -> Counter[str]:
    """Return how many jobs ended on each node, as the elements below a data root tell."""
    ends = root.glob(f".work/runs/*/*/{stage}/*/*/*/arrays/*/ended/*")
    return Counter(json.loads(path.read_text())["where"] for path in ends)


def arrays(root: Path, stage: str) -> list[Path]:
    """Return what was submitted of a stage."""
    return sorted(root.glob(f".work/runs/*/*/{stage}/*/*/*/arrays/*"))
