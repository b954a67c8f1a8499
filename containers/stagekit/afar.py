"""A folder on S3 that is not fetched: a file in its place says what it holds, for a program that reads little of it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Mapping

from stagekit.transfer import Object


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
