"""The units of a run (sites, channels, files): how each ended, in which try, why, and where its log lies.

Two sources: what the programs say while they run (`units.jsonl` in a job's folder), and the ledger, to which a run
appends a line for every job that ended. A run writes a file of its own below `<root>/.work/ledger/`: with one writer a
file and lines that are only appended, no crash can spoil what was told before, on any file system (SQLite's WAL does
not work over NFS), and whoever likes may read meanwhile.
"""

from __future__ import annotations

import datetime
import json
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

OK, FAILED, QUARANTINED = "ok", "failed", "quarantined"
BEGIN, ATTEMPT, QUARANTINE, END = "begin", "attempt", "quarantine", "end"
MADE, GIVEN_UP, STOPPED = "made", "failed", "stopped"
"""How a run of a stage ended, as its last line says; without one it was killed, or goes on."""

LAST_BYTES = 4096
"""Room for the last line of a run that ended well, which says little."""


@dataclass(frozen=True)
class Unit:
    """One unit's end, as its program told it."""

    name: str
    state: str
    seconds: float
    reason: str


@dataclass(frozen=True)
class Account:
    """What is known of one unit after all tries of a run."""

    name: str
    state: str
    attempt: int
    reason: str
    """One of tasks/execution/reasons.py; empty if it ended well."""
    said: str
    log: str
    """The program's own log, relative to the data root."""
    seconds: float
    peak_memory_gb: float | None


@dataclass(frozen=True)
class History:
    """The last run of a stage on a plate or a set of plates, over all times that it was taken up again."""

    run: str
    began: str
    host: str
    pid: int
    unit: str
    total: int
    ended: str
    """One of MADE, GIVEN_UP, STOPPED; empty if no line says so."""
    said: str
    task: Mapping[str, Any] = field(default_factory=dict)
    """The Luigi task: `family` and `params`, as text."""
    units: Mapping[str, Account] = field(default_factory=dict)
    attempts: tuple[Mapping[str, Any], ...] = ()
    """Every job that ended, as it was written."""
    done_before: int = 0
    """How many units had ended well when it was taken up again."""


class Ledger:
    """The file of one run of a stage; its folder is held by the stage's lock, so that the number is its own."""

    def __init__(self, folder: Path, run: str, written: Callable[[Path], None] = lambda path: None) -> None:
        """`run` is the run's folder, relative to the data root: a run that is taken up again keeps it.

        `written` is called with the file after every line.
        """
        folder.mkdir(parents=True, exist_ok=True)
        number = 1 + max((_number(path) for path in folder.glob("*.jsonl")), default=0)  # no clock: it may jump
        self.run, self.written = run, written
        self.path = folder / f"{number:06d}-{socket.gethostname()}-{os.getpid()}.jsonl"

    def append(self, event: str, **facts: object) -> None:
        """Add a line; it is on the disk when this returns."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = json.dumps({"event": event, "at": now, **facts}) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        try:
            os.write(handle, line.encode())
            os.fsync(handle)
        finally:
            os.close(handle)
        self.written(self.path)

    def begin(self, unit: str, total: int, task: Mapping[str, object] | None = None) -> None:
        """Say which run this is of, in what it counts, of how many, and which task (family, parameters) it serves."""
        host, pid = socket.gethostname(), os.getpid()
        self.append(BEGIN, run=self.run, unit=unit, total=total, host=host, pid=pid, task=task or {})


def newest(folder: Path) -> Path | None:
    """Return the file of a stage's last run; None if it never ran."""
    return max(folder.glob("*.jsonl"), key=_number, default=None)


def note_failure(
    folder: Path,
    before: Path | None,
    unit: str,
    task: Mapping[str, object],
    said: str,
    written: Callable[[Path], None] = lambda path: None,
) -> None:
    """Let the ledger say that a run failed, where its own lines do not: before its first job, or after the last.

    `before` was the newest file when it began. The stage's lock is held.
    """
    own = newest(folder)
    told = history(folder) if own != before else None
    if told and told.ended == GIVEN_UP:
        return
    book = Ledger(folder, told.run if told else "", written)
    book.begin(unit, told.total if told else 0, task)
    book.append(END, state=GIVEN_UP, said=said)


def history(folder: Path, *, whole: bool = True) -> History | None:
    """Return what the ledger holds of a stage's last run; None if it never ran.

    If it is not to be `whole`, jobs and units are passed over: they may be many.
    """
    files = sorted(folder.glob("*.jsonl"), key=_number) if folder.is_dir() else []
    but = "" if whole else f'{{"event": "{ATTEMPT}"'  # as Ledger.append writes it
    read = [lines for path in files if (lines := list(_lines(path, but))) and lines[0]["event"] == BEGIN]
    if not read:
        return None
    first = read[-1][0]
    same_run = [lines for lines in read if lines[0]["run"] == first["run"]]
    same = [line for lines in same_run for line in lines]
    earlier = _accounts(line for lines in same_run[:-1] for line in lines)
    end = read[-1][-1] if read[-1][-1]["event"] == END else {}
    return History(
        run=first["run"],
        began=first["at"],
        host=first["host"],
        pid=first["pid"],
        unit=first["unit"],
        total=first["total"],
        ended=str(end.get("state", "")),
        said=str(end.get("said", "")),
        task=first.get("task", {}),
        units=_accounts(same),
        attempts=tuple(line for line in same if line["event"] == ATTEMPT),
        done_before=sum(each.state == OK for each in earlier.values()),
    )


def end(folder: Path) -> str:
    """Return how a stage's last run ended, as History.ended, from its last line alone: a ledger may be long."""
    path = newest(folder)
    if path is None:
        return ""
    with open(path, "rb") as handle:
        handle.seek(max(0, handle.seek(0, os.SEEK_END) - LAST_BYTES))
        lines = handle.read().splitlines()
    try:
        last = json.loads(lines[-1])
    except (IndexError, ValueError):
        return ""
    return str(last["state"]) if isinstance(last, dict) and last.get("event") == END else ""


def _accounts(lines: Iterable[Mapping[str, Any]]) -> dict[str, Account]:
    """Return the last word on every unit: what ended well stays so, whatever another sharding says of it."""
    found: dict[str, Account] = {}
    for line in lines:
        for name in line.get("quarantined", {}):
            if name in found:
                found[name] = replace(found[name], state=QUARANTINED)
        for name, (state, seconds, said) in line.get("units", {}).items():
            if name in found and found[name].state == OK and state != OK:
                continue
            found[name] = Account(
                name,
                state,
                line["attempt"],
                line["reason"] if state != OK else "",
                said,
                line["log"],
                seconds,
                line["peak_memory_gb"],
            )
    return found


def units(folders: Iterable[Path]) -> list[Unit]:
    """Return the units that the jobs with these folders have reported so far, the last word on each."""
    latest = {unit.name: unit for folder in folders for unit in _read(folder / "out" / "units.jsonl")}
    return list(latest.values())


def counts(found: Iterable[Unit]) -> dict[str, int]:
    """Return how many units ended in each state."""
    return dict(Counter(unit.state for unit in found))


def said(folders: Iterable[Path]) -> str:
    """Return what a program said last of how far it is, where units say too little; empty if it said nothing."""
    texts = [path.read_text(encoding="utf-8") for folder in folders if (path := folder / "out" / "said").exists()]
    return ", ".join(texts)


def _read(path: Path) -> Iterator[Unit]:
    for record in _lines(path):
        yield Unit(record["unit"], record["state"], record["seconds"], record["reason"])


def _lines(path: Path, but: str = "") -> Iterator[dict[str, Any]]:
    """Yield the records of a file of lines, but for one that is cut off: it is being written, or its writer died.

    Lines that begin with `but` are passed over.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        if but and line.startswith(but):
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(record, dict):
            yield record


def _number(path: Path) -> int:
    digits = path.name.partition("-")[0]
    return int(digits) if digits.isdigit() else 0
