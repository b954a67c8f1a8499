"""What the elements of an array read and write of a data root on S3 (batch_agent/element.py is their side)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from tasks.results.store.links import Linked
from tasks.results.store.s3.mirror import Mirror
from tasks.runtime.arrays.array_folder import Array
from tasks.runtime.aws.element_files import DESCRIPTION, describe, seen_below
from tasks.runtime.core.job import OUTPUT, Job, Mount
from tasks.runtime.engines import passing

OF_A_JOB = ("stdout.log", "stderr.log", "out/result.json", "out/units.jsonl", "out/said", "out/files.json")
"""What an element puts of a job, beside the outputs."""
OF_AN_ARRAY = ("array.json", "elements", "id", "settled", "cancelled")


class Holder(Protocol):
    """What is asked of the data root: S3Store, as far as its elements need it."""

    @property
    def mirror(self) -> Mirror:
        """Return the folder here that mirrors the bucket."""

    def push(self, *paths: Path) -> None:
        """As Store.push."""

    def lay(self, job: Path) -> None:
        """Let what a job made stand in its folder as holes."""

    def linked(self, path: Path) -> Linked | None:
        """As Store.linked."""


@dataclass(frozen=True)
class Elements:
    """The folders of arrays and jobs, here and in the bucket."""

    store: Holder
    given: Path
    """The folder of files that lie outside of the data root and that jobs read, by their content."""

    def prepare(self, job: Job) -> None:
        """Write down how an element runs a job, and put what it reads and the bucket does not have."""
        inputs = [each for mount in job.inputs for each in self._inputs(job, mount)]
        contracts = dict(job.contracts)
        describe(job, words=job.words, output=OUTPUT, passed=_passed(job), inputs=inputs, contracts=contracts)

    def address(self, folder: Path) -> str:
        return self.store.mirror.url(folder)

    def hand_over(self, array: Array) -> str:
        """Put all that an array's elements read; return the array's URL."""
        jobs = [array.job_folder(name) for names in array.elements for name in names]
        names = ("job.json", "command", DESCRIPTION)
        self.store.push(*(folder / name for folder in jobs for name in names))
        self.tell(array)
        return self.address(array.folder)

    def tell(self, array: Array, jobs: Iterable[str] = ()) -> None:
        """Put what was written of an array, and of jobs that ended."""
        files = [array.folder / name for name in OF_AN_ARRAY]
        files += [path for job in jobs for path in array.job_folder(job).glob("outcome.json")]
        files += [path for job in jobs for path in array.job_folder(job).glob("failed-*.log")]
        self.store.push(*(file for file in files if file.exists()))

    def bring(self, array: Array) -> None:
        """Fetch what elements wrote of the jobs that ended since the last time: their ends last."""
        mirror, known = self.store.mirror, array.ended()
        ends = mirror.bucket.below(mirror.key(array.folder / "ended") + "/")
        for end in [end for end in ends if mirror.path(end.key).name not in known]:
            folder = array.job_folder(mirror.path(end.key).name)
            for name in OF_A_JOB:
                self._fetch_if_there(folder / name)
            mirror.bucket.fetch(end.key, mirror.path(end.key))

    def lay(self, jobs: Sequence[Job]) -> bool:
        """Let what jobs made stand in their folders as holes."""
        for job in jobs:
            self.store.lay(job.folder)
        return False

    def _fetch_if_there(self, path: Path) -> None:
        path.unlink(missing_ok=True)  # of an earlier try
        with suppress(FileNotFoundError):
            self.store.mirror.bucket.fetch(self.store.mirror.key(path), path)

    def _inputs(self, job: Job, mount: Mount) -> Iterator[Mapping[str, Any]]:
        """Yield an input, and before one that lies elsewhere the table by which it is told whether it has changed."""
        linked = self.store.linked(mount.source)
        told: dict[str, Any] = {"target": mount.target, "afar": mount.afar}
        if mount.listed and job.units:
            told["listed"] = {"table": mount.listed, "kind": job.unit, "units": job.units}
        if linked is None:
            yield told | {"source": self._source(mount.source)}
            return
        link, mirror = linked.link, self.store.mirror
        table = f"{mount.target}.known.csv"
        yield {"target": table, "source": mirror.url(mirror.root / link.table)}
        how = {"unsigned": link.unsigned, "endpoint_url": link.endpoint_url, "region": link.region}
        yield told | how | {"source": linked.url, "known": {"table": table, "link": mirror.url(linked.file)}}

    def _source(self, path: Path) -> str:
        """Return the URL of a file or folder that a job reads."""
        mirror = self.store.mirror
        path = seen_below(mirror.root, path, self.given)
        if path.is_dir():
            return mirror.url(path) + "/"
        if path.is_file() and not mirror.is_hole(path):
            self.store.push(path)
        return mirror.url(path)


def _passed(job: Job) -> list[str]:
    """Return the names of the element's variables that a program sees: who reads from afar needs credentials."""
    from_afar = passing.CREDENTIALS + passing.PROXIES if any(mount.afar for mount in job.inputs) else ()
    return list(dict.fromkeys((*job.passed, *from_afar)))
