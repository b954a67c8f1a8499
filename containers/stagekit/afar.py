"""A folder on S3 that is not fetched: a file in its place says what it holds, for a program that reads little of it.

Such a program asks `names` and `near`, which take a folder of this machine too.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Iterable, List, Mapping

from stagekit import transfer
from stagekit.transfer import Object, Service, Transfer


@dataclass(frozen=True)
class Afar:
    """A folder on S3, how it is asked, and the files below it as they were listed."""

    url: str
    """It ends with `/`."""
    endpoint_url: str
    """Empty: that of AWS."""
    region: str
    unsigned: bool
    files: Mapping[str, Object]

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> Afar:
        told = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**told, "files": {name: Object(**each) for name, each in told["files"].items()}})

    def fetch(self, wanted: Iterable[str], folder: Path) -> None:
        """Fetch some of the files below a folder of this machine; raise ServiceError if one does not come."""
        service = Service(self.unsigned, self.endpoint_url, self.region)
        sizes = {name: self.files[name].bytes for name in wanted}
        transfer.copy(service, [Transfer(self.url + name, str(folder / name), size) for name, size in sizes.items()])


def names(place: Path) -> List[str]:
    """Return the paths of all files below a folder, be it of this machine or afar."""
    if place.is_dir():
        return sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file())
    return sorted(Afar.read(place).files)


def near(place: Path, wanted: Iterable[str], scratch: Path) -> Path:
    """Return a folder of this machine with the wanted files of a place, as far as that has them.

    It is the place itself, or `scratch` if that is afar.
    """
    if place.is_dir():
        return place
    afar = Afar.read(place)
    scratch.mkdir(parents=True, exist_ok=True)
    afar.fetch(sorted({*wanted} & {*afar.files}), scratch)
    return scratch
