"""What came and was checked: remembered while a fetch runs, and the table that it leaves."""

from __future__ import annotations

import csv
import json
import os
import threading
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional

from bucket import Remote
from stagekit import contracts


class Finished:
    """The files that came and were checked, a line each: a run that was cut short does not fetch them again."""

    def __init__(self, journal: Path, target: Path, source: str, listed: Mapping[str, str]) -> None:
        self.journal, self.target, self.source, self.listed = journal, target, source, listed
        self._lock = threading.Lock()
        self._known: Dict[str, Dict[str, Any]] = {}
        for line in journal.read_text(encoding="utf-8").split("\n") if journal.exists() else ():
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue  # cut short by a crash: that file is fetched again
            self._known[row["path"]] = row

    def has(self, remote: Remote) -> bool:
        """Say whether this very object came, and its file is as long as it should be."""
        row, file = self._known.get(remote.path), self.target / remote.path
        same = row is not None and row["etag"] == remote.etag
        return same and file.is_file() and file.stat().st_size == remote.bytes

    def add(self, remote: Remote, sha256: str) -> None:
        checked = contracts.SHA256_CHECKED if checksum(self.listed, remote.path) else contracts.ETAG_CHECKED
        row = _row(remote, self.source, sha256, checked)
        with self._lock, open(self.journal, "a", encoding="utf-8") as journal:
            self._known[remote.path] = row
            journal.write("\n" + json.dumps(row))  # the break first: it ends what a crash cut short

    def rows(self, remotes: List[Remote]) -> List[Dict[str, Any]]:
        """Return a row a file, in the order of their paths."""
        return [self._known[path] for path in sorted(remote.path for remote in remotes)]


def left(remotes: List[Remote], source: str) -> List[Dict[str, Any]]:
    """Return a row a file that stays where it is."""
    return [_row(remote, source, "", contracts.LISTED) for remote in sorted(remotes, key=lambda each: each.path)]


def _row(remote: Remote, source: str, sha256: str, checked: str) -> Dict[str, Any]:
    return {
        "path": remote.path,
        "bytes": remote.bytes,
        "etag": remote.etag,
        "sha256": sha256,
        "checked": checked,
        "changed": remote.changed,
        "source": source + remote.path,
    }


def read_checksums(path: Path) -> Dict[str, str]:
    """Return path -> SHA-256 of a checksum list."""
    with open(path, newline="", encoding="utf-8-sig") as table:
        columns, *rows = list(csv.reader(table)) or [[]]
    contracts.CHECKSUMS.check(columns, path.name)
    contracts.CHECKSUMS.check_rows(columns, rows, path.name)
    at, sha256 = columns.index("path"), columns.index("sha256")
    return {row[at].strip("/"): row[sha256].lower() for row in rows}


def checksum(listed: Mapping[str, str], path: str) -> Optional[str]:
    """Return the sum that a list gives for a path; its paths may start at any folder of ours."""
    parts = path.split("/")
    ends = ("/".join(parts[start:]) for start in range(len(parts) - 1))  # a bare file name says too little
    return next((listed[end] for end in ends if end in listed), None)


def write(path: Path, rows: List[Dict[str, Any]]) -> None:
    partial = path.with_name(path.name + ".partial")
    with open(partial, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=contracts.FETCHED.required, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)
