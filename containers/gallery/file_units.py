"""The files of a fetch as units: how each ended, in how many seconds, and why it did not come."""

from __future__ import annotations

from os.path import commonprefix
from typing import Iterable, List, Mapping

from bucket import Remote
from download import Fetched
from stagekit import program


class FileUnits:
    """Tells of every file, by its path below the folder that holds all of them: a plate has 27,648."""

    def __init__(self, report: program.Report, remotes: List[Remote]) -> None:
        self.report = report
        folders = [remote.path.split("/")[:-1] for remote in remotes]
        self._common = len(commonprefix(folders))  # which compares lists as well as texts

    def name(self, path: str) -> str:
        return "/".join(path.split("/")[self._common :])

    def there(self, remotes: Iterable[Remote]) -> None:
        """Tell of files that an earlier try has fetched."""
        for remote in remotes:
            self.report.unit(self.name(remote.path), "ok")

    def came(self, fetched: Fetched) -> None:
        """Tell of a file that came, and whether it took more than one request a part."""
        parts = f"{fetched.again} part{'s' if fetched.again != 1 else ''}"
        said = f"{parts} had to be asked for again" if fetched.again else ""
        self.report.unit(self.name(fetched.remote.path), "ok", fetched.seconds, said)

    def failed(self, reasons: Mapping[str, str]) -> None:
        for path, reason in sorted(reasons.items()):
            self.report.unit(self.name(path), "failed", reason=reason)
