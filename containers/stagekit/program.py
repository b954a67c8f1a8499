"""The frame of a stage program: flags, exit codes, units and result.json."""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Type, TypeVar

from stagekit import whole

EXIT_BUG = 1
EXIT_DATA = 65  # EX_DATAERR of sysexits.h: the input breaks its contract
EXIT_SERVICE = 69  # EX_UNAVAILABLE: the network, a service or the disk fails
EXIT_CRASH = 70  # EX_SOFTWARE: a program that this one runs crashed
EXIT_CHECK = 76  # EX_PROTOCOL: what was made does not stand a check of its own
UNIT_STATES = ("ok", "failed", "skipped", "quarantined")
SLICE = re.compile(r"[0-9]+/[0-9]+")
Item = TypeVar("Item")


class DataError(Exception):
    """The input breaks a rule; the text names the file, the rule, the value and the next step."""

    exit_code = EXIT_DATA


class ServiceError(Exception):
    """What a program needs from outside (a service, the way to it, room on the disk) is not to be had."""

    exit_code = EXIT_SERVICE


class CheckError(Exception):
    """What was made does not stand a check of its own, and no input is to blame; the text says what to do."""

    exit_code = EXIT_CHECK


@dataclass(frozen=True)
class Shard:
    """What one call works on: the units with these names, or part `index` (from 1) of `count` contiguous parts."""

    index: int = 1
    count: int = 1
    names: Tuple[str, ...] = ()

    def of(self, items: Sequence[Item], name: Callable[[Item], str] = str) -> List[Item]:
        """Return this shard's part of `items`, order kept; raise DataError for a name that no item has."""
        if self.names:
            unknown = sorted(set(self.names) - {name(item) for item in items})
            if unknown:
                raise DataError(f"--shard: there is no {', '.join(unknown[:10])} among {len(items)}")
            return [item for item in items if name(item) in self.names]
        start = (self.index - 1) * len(items) // self.count
        stop = self.index * len(items) // self.count
        return list(items[start:stop])


def shard(text: str) -> Shard:
    """Read the flag `--shard A01-1,A01-2` (units by name), or `--shard 3/20` (a slice of all)."""
    if not SLICE.fullmatch(text):
        names = tuple(text.split(","))
        if not all(names) or "/" in text:
            raise ValueError(text)
        return Shard(names=names)
    index, count = (int(part) for part in text.split("/"))
    if not 1 <= index <= count:
        raise ValueError(text)
    return Shard(index, count)


def parser(doc: Optional[str]) -> argparse.ArgumentParser:
    """Return a parser with the flags that every stage has: the plate (or batch) and the output folder."""
    flags = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--plate", required=True, help="the plate's barcode, or the name of a set or group of plates")
    flags.add_argument("--output", required=True, type=Path, help="the run's folder; nothing is written elsewhere")
    return flags


class Report:
    """What a program says of its run: units as they end, and result.json once all is well.

    `<output>/units.jsonl` grows by one line a unit while the program runs; `<output>/result.json`
    appears only when the `with` block ends without an exception, so its absence means failure.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.warnings: List[str] = []
        self.facts: Dict[str, Any] = {}

    def warn(self, message: str) -> None:
        """Print a warning and keep it for the manifest."""
        print(f"warning: {message}", file=sys.stderr, flush=True)
        self.warnings.append(message)

    def fact(self, name: str, value: Any) -> None:
        """Keep a JSON value for the manifest: a count, a hash, a version."""
        self.facts[name] = value

    def say(self, text: str) -> None:
        """Tell how far the work is, where units say too little: the host shows the last text."""
        print(text, file=sys.stderr, flush=True)
        whole.write(self.output / "said", text, sync=False)

    def unit(self, name: str, state: str, seconds: float = 0.0, reason: str = "") -> None:
        """Record that a unit (a site, a channel, a file) ended: as one of UNIT_STATES."""
        if state not in UNIT_STATES:
            raise ValueError(f"a unit's state is one of {UNIT_STATES}, not {state!r}")
        record = {"unit": name, "state": state, "seconds": round(seconds, 3), "reason": reason}
        with open(self.output / "units.jsonl", "a", encoding="utf-8") as units:
            units.write(json.dumps(record) + "\n")

    def __enter__(self) -> Report:
        self.output.mkdir(parents=True, exist_ok=True)
        for name in ("result.json", "units.jsonl", "said"):  # of an earlier try in the same folder
            (self.output / name).unlink() if (self.output / name).exists() else None
        return self

    def __exit__(
        self, kind: Optional[Type[BaseException]], error: Optional[BaseException], trace: Optional[TracebackType]
    ) -> None:
        if kind is not None:
            return
        told = {"warnings": self.warnings, "facts": self.facts}
        whole.write(self.output / "result.json", json.dumps(told, indent=1), sync=False)


def run(main: Callable[[], None]) -> None:
    """Call a program's `main` and leave with the exit code that its outcome deserves."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if os.environ.get("STAGE_GUARD") == "stdin":
        threading.Thread(target=_end_with_host, daemon=True).start()
    try:
        main()
    except (DataError, ServiceError, CheckError) as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        sys.exit(error.exit_code)
    except Exception:
        traceback.print_exc()
        sys.exit(EXIT_BUG)


def _end_with_host() -> None:
    """Wait until stdin closes, then end this program and its children.

    The host holds the other end and never writes: it closes when the host dies, even by SIGKILL.
    """
    while os.read(0, 1):  # not sys.stdin: its lock would hold up a normal exit
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)
