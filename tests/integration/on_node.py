"""Run a job on a node: python -m tests.integration.on_node <folder>, which holds job.json, and words.json if others."""

from __future__ import annotations

import json
import signal
import sys
import threading
from dataclasses import asdict, fields
from pathlib import Path

from tasks.definitions.stages import Resources
from tasks.runtime.arrays import places
from tasks.runtime.core.job import Job, Mount
from tasks.runtime.engines import engines
from tasks.settings import settings


class OwnWords(Job):
    """A job whose command is another than its program's: a few lines that look around."""

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(json.loads((self.folder / "words.json").read_text()))


def read(folder: Path) -> Job:
    """Return the job that was written there."""
    values = json.loads((folder / "job.json").read_text())
    values["inputs"] = tuple(Mount(Path(each.pop("source")), **each) for each in values["inputs"])
    values["resources"] = Resources(**values["resources"])
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    kind = OwnWords if (folder / "words.json").exists() else Job
    return kind(**{each.name: values[each.name] for each in fields(Job)} | {"folder": folder})


def main() -> None:
    """Run the job with the engine of luigi.cfg, until it ends or SIGTERM comes."""
    cancelled = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: cancelled.set())
    job = read(Path(sys.argv[1]))
    engine = engines.choose(settings.load().engine, job.image)
    places.prepare_folder(job, engine)
    print(json.dumps(asdict(engine.run(job, cancelled))))


if __name__ == "__main__":
    main()
