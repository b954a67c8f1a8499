"""A poisoned image set: CellProfiler dies of it, in whatever shard and as often as it is measured."""

from __future__ import annotations

import csv
import os
import re
import signal
import threading
from pathlib import Path
from types import TracebackType


class Poison:
    """While this is entered, every CellProfiler below `root` that is at work on `site` gets a signal."""

    def __init__(self, root: Path, site: str, number: int = signal.SIGSEGV) -> None:
        self.root, self.site, self.number = root, site, number
        self.victims: list[int] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Poison:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.02):
            for pid, table in cellprofilers(self.root):
                if pid not in self.victims and self._is_at_work(table):
                    os.kill(pid, self.number)
                    self.victims.append(pid)

    def _is_at_work(self, table: Path) -> bool:
        """Say whether the log of the shard that a table belongs to has come to the poisoned site."""
        try:
            rows = list(csv.DictReader(table.read_text().splitlines()))
            log = (table.parents[2] / "stderr.log").read_text()
        except OSError:
            return False  # it ended meanwhile
        sites = [f"{row['Metadata_Well']}-{row['Metadata_Site']}" for row in rows]
        return self.site in sites and f"Image # {sites.index(self.site) + 1}, module" in log


def cellprofilers(root: Path) -> list[tuple[int, Path]]:
    """Return the CellProfiler processes below `root`, each with the table of its sites."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "--data-file" in words:
            table = Path(words[words.index("--data-file") + 1])
            if root in table.parents and re.match("measure-", table.parent.name):
                found.append((int(path.parent.name), table))
    return found
