"""Measure what an engine costs: the start of a job in each, and the conversion of images to SIF files.

    .venv/bin/python tests/bench/engine_cost.py [--jobs 20] [--convert gallery,pycytominer]

The job does nothing, in the image gallery. Apptainer runs on a node (tests/engines/make_hpc_image.sh), as a user who is
not root. A conversion is from an archive, packed as Apptainer does by default.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY))

from tasks.definitions.stages import Resources  # noqa: E402
from tasks.runtime.arrays import places  # noqa: E402
from tasks.runtime.core.job import Job  # noqa: E402
from tasks.runtime.engines.docker_engine import DockerEngine  # noqa: E402
from tasks.runtime.engines.engines import Engine  # noqa: E402
from tasks.runtime.engines.process_engine import ProcessEngine  # noqa: E402
from tasks.runtime.images import environments, images  # noqa: E402
from tests.integration import node as nodes  # noqa: E402
from tests.integration.node import Node  # noqa: E402
from tests.integration.on_node import OwnWords  # noqa: E402

IMAGE = "gallery"
WORDS = ("python", "-c", "")


class ByProcess(ProcessEngine):
    """The process engine with the words of a job that does nothing."""

    def _words(self, job: Job) -> list[str]:
        return [str(environments.python(job.image)), *WORDS[1:]]


def new_job(folder: Path) -> Job:
    return OwnWords(f"cost-{time.time_ns()}", IMAGE, "", (), (), folder / f"{time.time_ns()}", Resources(1, 1, 1, 0))


def on_this_machine(engine: Engine, node: Node) -> float:
    job = new_job(node.folder)
    node.lay(job, WORDS)
    places.prepare_folder(job, engine)
    started = time.monotonic()
    assert engine.run(job, threading.Event()).ok
    return time.monotonic() - started


def on_the_node(node: Node) -> float:
    outcome = node.run(new_job(node.folder), WORDS)
    assert outcome.ok
    return outcome.seconds


def show_starts(node: Node, jobs: int) -> None:
    node.convert(IMAGE)
    environments.make(IMAGE)
    print(f"seconds of a job that does nothing, of {jobs}: median (least to most)")
    measured = {
        "docker": lambda: on_this_machine(DockerEngine(), node),
        "apptainer": lambda: on_the_node(node),
        "process": lambda: on_this_machine(ByProcess(), node),
    }
    for name, measure in measured.items():
        seconds = sorted(measure() for _ in range(jobs))
        print(f"  {name:<10} {statistics.median(seconds):.2f} ({seconds[0]:.2f} to {seconds[-1]:.2f})", flush=True)


def show_conversions(node: Node, names: list[str]) -> None:
    print("conversion from an archive: image, archive (MB), SIF (MB), seconds")
    for name in names:
        archive, target = node.folder / f"{name}.tar", node.folder / f"{name}.sif"
        digest = images.reference(name)
        subprocess.run(["docker", "save", "--output", str(archive), digest], check=True)
        archive.chmod(0o644)
        script = str(REPOSITORY / "containers/to_sif.sh")
        started = time.monotonic()
        done = node.command("sh", script, f"docker-archive:{archive}", digest, str(target))
        seconds = time.monotonic() - started
        assert done.returncode == 0, done.stderr
        sizes = [path.stat().st_size / 1e6 for path in (archive, target)]
        print(f"  {name:<14} {sizes[0]:7.0f} {sizes[1]:7.0f} {seconds:7.0f}", flush=True)
        archive.unlink()
        target.unlink()


def main() -> None:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--jobs", type=int, default=20)
    flags.add_argument("--convert", default="gallery,pycytominer")
    args = flags.parse_args()
    with tempfile.TemporaryDirectory() as folder, nodes.started(Path(folder)) as node:
        show_starts(node, args.jobs)
        show_conversions(node, [name for name in args.convert.split(",") if name])


if __name__ == "__main__":
    main()
