"""Stands in for any stage's program: takes its time, writes in pieces, and what it writes depends on its inputs only.

    python stub.py '{"columns": {...}, "fault": {...}}' --plate P ... --write_<output> <path> ... --output /out

The first word holds the columns of the outputs that have a contract, and what the program is to suffer from.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import signal
import sys
import time
from pathlib import Path

from stagekit import program

PAUSE_SECONDS = 0.12
WELLS = ("A01", "A02", "B02", "C04")
NUMBERS = ("Cells_", "Cytoplasm_", "Nuclei_", "efficientnet_", "Images_per_site", "Sites_per_well")
CHANNELS = ("DNA", "ER", "RNA")


def main() -> None:
    told, flags = json.loads(sys.argv[1]), _flags(sys.argv[2:])
    columns, fault = told["columns"], told["fault"]
    output = Path(flags["output"][0])
    units = flags.get("shard", ["1/1"])[0].split(",")
    with program.Report(output) as report:
        if fault and fault.get("unit", units[0]) in units:
            _suffer(fault["act"], Path(fault.get("gate", "/")))
        seed = _digest(flags)
        for name, paths in flags.items():
            if name.startswith("write_"):
                for path in map(Path, paths):
                    _write(path, columns.get(name.removeprefix("write_")), units, f"{seed} {name} {path.name}")
        if "shard" in flags:
            for unit in units:
                report.unit(unit, "ok", PAUSE_SECONDS)
        else:
            report.fact("site", [f"{well}-1" for well in WELLS])
            report.fact("channel", list(CHANNELS))
        time.sleep(PAUSE_SECONDS)


def _suffer(act: str, gate: Path) -> None:
    print(f"suffers from {act}", file=sys.stderr, flush=True)
    while act == "wait" and not gate.exists():
        time.sleep(PAUSE_SECONDS)
    if act == "hog":
        held = bytearray(300 << 20)
        time.sleep(4)
        del held
    if act == "hang":
        time.sleep(3600)
    if act == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if act == "memory":
        raise MemoryError("no room for 8 GiB")


def _flags(words: list[str]) -> dict[str, list[str]]:
    flags: dict[str, list[str]] = {}
    name = ""
    for word in words:
        if word.startswith("--"):
            name = word[2:]
            flags[name] = []
        else:
            flags[name].append(word)
    return flags


def _digest(flags: dict[str, list[str]]) -> str:
    """Hash what a result depends on: parameters, and the content of the inputs; not where they lie."""
    content = hashlib.sha256()
    for name, values in sorted(flags.items()):
        if name in ("output", "shard") or name.startswith("write_"):
            continue
        for value in values:
            path = Path(value)
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            texts = [file.read_bytes() for file in files if file.is_file()] or [value.encode()]
            content.update(name.encode() + b"".join(hashlib.sha256(text).digest() for text in texts))
    return content.hexdigest()


def _write(path: Path, columns: list[str] | None, units: list[str], seed: str) -> None:
    """Write a file in two halves with a pause between them, or a folder with a file a unit."""
    files = [path] if path.suffix else [path / f"{unit.replace('/', '_')}.txt" for unit in units]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        line = hashlib.sha256(f"{seed} {file.name}".encode()).hexdigest()
        text = line * 200
        if columns:
            between = "\t" if file.suffix == ".tsv" else ","
            text = f"{between.join(columns)}\n{between.join(_cell(column, line) for column in columns)}\n"
        content = gzip.compress(text.encode(), mtime=0) if file.suffix == ".gz" else text.encode()
        with open(file, "wb") as handle:
            handle.write(content[: len(content) // 2])
            handle.flush()
            time.sleep(PAUSE_SECONDS)
            handle.write(content[len(content) // 2 :])


def _cell(column: str, line: str) -> str:
    """Return a value that the contracts let pass, and that depends on the line where they leave a choice."""
    fixed = {"Metadata_Plate": "P1", "Metadata_Well": WELLS[0], "Metadata_retrieved": "true", "sha256": line}
    is_number = column.startswith(NUMBERS) or column.endswith("_Count") or column in ("Metadata_Site", "bytes")
    return fixed.get(column) or (str(1 + int(line[:4], 16)) if is_number else line[:12])


if __name__ == "__main__":
    program.run(main)
