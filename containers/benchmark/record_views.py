"""What the report says of a batch's runs: numbers at a glance, stages, failures, and how everything was made."""

from __future__ import annotations

from collections import Counter
from typing import Any, Dict, List, Mapping, Sequence

import stage_graph
import timeline
import usage

FEW = 3  # subjects named of many
SHORT = 12  # characters of a hash

Record = Mapping[str, Any]


def few(names: Sequence[str]) -> str:
    """Return the first of many names."""
    more = len(names) - FEW
    return ", ".join(names[:FEW]) + (f" and {more} more" if more > 0 else "")


def size(number: float) -> str:
    """Return a number of bytes as people say it."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def stage_rows(record: Record, order: Sequence[str]) -> List[Dict[str, Any]]:
    """Return a row a stage, in the order of the graph: runs, units, time, memory, size."""
    rows = []
    for stage in order:
        runs = [run for run in record["runs"] if run["stage"] == stage]
        units = sum((Counter(run["units"]) for run in runs), Counter())
        rows.append(
            {
                "stage": stage, **record["stages"][stage], "runs": len(runs), "ok": units.get("ok", 0),
                "not_ok": units.total() - units.get("ok", 0), "seconds": sum(run["seconds"] for run in runs),
                "longest": max(run["seconds"] for run in runs), **usage.sums(runs, record),
                "work_seconds": sum(run["used"].get("seconds", run["seconds"]) for run in runs),
                "bytes": sum(made["bytes"] for run in runs for made in run["outputs"].values()),
                "warnings": sum(len(run["warnings"]) for run in runs),
            }
        )  # fmt: skip
    return rows


def failures(record: Record) -> List[Dict[str, str]]:
    """Return a row for each unit that was left out or that failed, and its reason."""
    rows = []
    for run in record["runs"]:
        quarantined = run["facts"].get("quarantined") or {}
        named = quarantined.items() if isinstance(quarantined, dict) else [(unit, "") for unit in quarantined]
        rows += [_failure(run, unit, "quarantined", reason) for unit, reason in named]
        told_by_name = {"ok", "quarantined", *(("failed", "skipped") if quarantined else ())}
        rest = {state: count for state, count in run["units"].items() if state not in told_by_name and count}
        told = "the names stand in the run's units.jsonl"
        rows += [_failure(run, f"{count} {_unit(record, run)}s", state, told) for state, count in rest.items()]
    for run in record["unfinished"]:
        rows += [_failure(run, unit["unit"], unit["state"], unit["reason"]) for unit in run["failed"]]
    return rows


def _failure(run: Record, unit: str, state: str, reason: object) -> Dict[str, str]:
    said = reason if isinstance(reason, str) else str(reason)
    return {"stage": run["stage"], "subject": run["subject"], "unit": str(unit), "state": state, "reason": said}


def _unit(record: Record, run: Record) -> str:
    return str(record["stages"][run["stage"]]["unit"])


def warnings(record: Record) -> List[Dict[str, Any]]:
    """Return what was warned of, each text once, with whom it is about."""
    found: Dict[tuple, List[str]] = {}
    for run in record["runs"]:
        for text in run["warnings"]:
            found.setdefault((run["stage"], text), []).append(run["subject"])
    return [{"stage": stage, "text": text, "subjects": few(names)} for (stage, text), names in found.items()]


def parameters(record: Record, order: Sequence[str]) -> List[Dict[str, Any]]:
    """Return each stage's parameters and their values, with the number of runs if they differed."""
    rows = []
    for stage in order:
        runs = [run for run in record["runs"] if run["stage"] == stage]
        for name in sorted({name for run in runs for name in run["parameters"]}):
            values = Counter(run["parameters"].get(name, "") for run in runs)
            shown = [
                f"{_value(value)} ({count} runs)" if len(values) > 1 else _value(value)
                for value, count in values.items()
            ]
            rows.append(
                {"stage": stage, "name": name, "values": shown[: 2 * FEW], "more": max(0, len(shown) - 2 * FEW)}
            )
    return rows


def _value(value: object) -> str:
    return str(value) if str(value) else "(empty)"


def software(record: Record) -> List[Dict[str, Any]]:
    """Return each image or environment in which something was made: its recipe, its digest, its packages."""
    found: Dict[tuple, Dict[str, Any]] = {}
    for run in record["runs"]:
        image, how = record["stages"][run["stage"]]["image"], run["environment"]
        key = (image, run["recipe"], how.get("engine", ""), how.get("image", ""))
        entry = found.setdefault(key, {"stages": {}, "runs": 0})
        entry["stages"][run["stage"]] = None
        entry["runs"] += 1
    rows = []
    for (image, recipe, engine, digest), entry in sorted(found.items()):
        now = record["packages"][image]
        versions = now["versions"] if now["environment"] == recipe else {}
        rows.append(
            {
                "image": image, "engine": engine, "recipe": recipe, "digest": digest, "runs": entry["runs"],
                "stages": ", ".join(entry["stages"]), "python": now["python"] if versions else "",
                "versions": [f"{name} {versions[name]}" for name in sorted(versions, key=lambda name: name != image)],
            }
        )  # fmt: skip
    return rows


def inputs(record: Record) -> List[Dict[str, Any]]:
    """Return what came from outside, each content once."""
    dataset = f"{record['project']}/{record['source']}/"
    return [
        {
            **row, "subjects": few(row["subjects"]), "stages": ", ".join(row["stages"]),
            "path": row["path"].removeprefix(dataset),
        }
        for row in stage_graph.laid(record["runs"])
    ]  # fmt: skip


def results(record: Record) -> List[Dict[str, Any]]:
    """Return every file and folder that was made."""
    dataset = f"{record['project']}/{record['source']}/"
    return [
        {
            "path": made["path"].removeprefix(dataset), "stage": run["stage"], "subject": run["subject"],
            "bytes": made["bytes"], "files": made["files"], "digest": made["digest"],
            "started": timeline.clock(run["started"]), "freed": "freed" in made,
        }
        for run in record["runs"] for made in run["outputs"].values()
    ]  # fmt: skip


def plate_rows(record: Record, summary: Sequence[Mapping[str, str]]) -> List[Dict[str, Any]]:
    """Return a row a plate: what is known of it, what quality control found, what was left out."""
    judged = {row["Plate_Name"]: row for row in summary}
    lost = Counter(row["subject"] for row in failures(record) if row["state"] != "skipped")
    stopped = {run["subject"]: f"{run['state']} at {run['stage']}" for run in reversed(record["unfinished"])}
    rows = []
    for number, each in enumerate(record["plates"], start=1):
        plate = each["plate"]
        runs = [run for run in record["runs"] if plate == run["subject"] or plate in run["members"]]
        sites = [run["units"].get("ok", 0) for run in runs if run["stage"] == "measure"]
        suspicious = [text for run in runs if run["stage"] == "measure" for text in run["facts"].get("suspicious", [])]
        rows.append(
            {
                "plate": plate, "id": f"plate-{number}", "conditions": each["conditions"],
                "quality": judged.get(plate, {}), "stages": len({run["stage"] for run in runs}),
                "sites": sites[0] if sites else None, "lost": lost[plate], "stopped": stopped.get(plate, ""),
                "suspicious": suspicious,
            }
        )  # fmt: skip
    return rows


def conditions(record: Record) -> List[str]:
    """Return the conditions in which the batch's plates differ, or else those that it names."""
    known = [each["conditions"] for each in record["plates"]]
    usual = ("Perturbation", "Cell_type", "Time")
    named = list(dict.fromkeys(name for each in known for name in each))
    skipped = {"Batch", "Assay_Plate_Barcode", "Plate_Map_Name", "Number_of_images", "Cells_per_site"}
    differ = [name for name in named if len({each.get(name, "") for each in known}) > 1]
    return [name for name in named if name not in skipped and (name in usual or name in differ)]
