"""What the unit tests put in the place of an engine, a plate and a tree of containers: small, and seen through."""

from __future__ import annotations

import csv
import json
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import luigi

from tasks.dataset.layout import Layout
from tasks.definitions.stages import Resources, Stage
from tasks.execution.stage_run import Run
from tasks.results.fingerprint import Artifact
from tasks.results.manifest import Manifest
from tasks.runtime.core.job import Job, Mount, Outcome
from tasks.stage_tasks.plate_set import BatchTask

BATCH, PLATE = "2020_11_04_CPJUMP1", "BR00117013"
SMALL = Resources(cpus=1, memory_gb=1, minutes=1, gpus=0)

Act = Callable[[Job, threading.Event], Outcome]


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Return whether something comes to hold within some seconds."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)
    return holds()


def write_outputs(job: Job, content: str = "made") -> None:
    """Write each of a job's promised outputs with this content, and result.json, as a good program does."""
    for flag, word in zip(job.flags, job.flags[1:], strict=False):
        if flag.startswith("--write_"):
            path = job.folder / word.replace("/out", "out", 1)
            if path.suffix:
                path.write_text(content)
            else:
                path.mkdir(exist_ok=True)
                (path / f"{job.folder.name}.txt").write_text(content)
    write_result(job)


def write_result(job: Job, warnings: Iterable[str] = (), **facts: object) -> None:
    text = json.dumps({"warnings": list(warnings), "facts": facts})
    (job.folder / "out" / "result.json").write_text(text)


def write_units(job: Job, *names: str, state: str = "ok", reason: str = "") -> None:
    records = [{"unit": name, "state": state, "seconds": 1.0, "reason": reason} for name in names]
    (job.folder / "out" / "units.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


class FakeEngine:
    """Calls a function for every job, and keeps the names of those that it ran."""

    name = "fake"

    def __init__(self, act: Act) -> None:
        self.act = act
        self.ran: list[str] = []

    def unusable(self, image: str) -> str | None:
        return None

    def prepare(self, image: str) -> None:
        return None

    def environment(self, image: str) -> dict[str, str]:
        return {"engine": self.name}

    def command(self, job: Job) -> list[str]:
        return ["fake", job.name, "two words"]

    def run(self, job: Job, cancelled: threading.Event) -> Outcome:
        self.ran.append(job.folder.name)
        return self.act(job, cancelled)


def good(job: Job, cancelled: threading.Event) -> Outcome:
    write_outputs(job)
    return Outcome(0, 0.0)


def any_stage(job: Job, cancelled: threading.Event) -> Outcome:
    """Make every promised output, of a set of plates too; load_data lists two sites."""
    for word in (word for word in job.flags if word.startswith("/out/files")):
        path = job.folder / word.removeprefix("/")
        path.mkdir(parents=True, exist_ok=True) if not path.suffix else None
        (path if path.suffix else path / f"{job.folder.name}.txt").write_text("made")
    write_result(job)
    if job.program == "load_data.py":
        write_result(job, site=["A01-1", "A01-2"], channel=["DNA"])
    return Outcome(0, 0.0)


def build(task: luigi.Task) -> bool:
    """Run a task as Luigi does; return whether all went well."""
    return bool(luigi.build([task], local_scheduler=True, log_level="ERROR"))


def make_stage(unit: str = "plate", **changes: object) -> Stage:
    """Return a stage that promises a file and a folder."""
    values: dict[str, object] = {
        "name": "paint",
        "image": "easel",
        "summary": "Paint a plate.",
        "program": "paint.py",
        "inputs": ("images",),
        "folder": "profiles",
        "outputs": {"picture": "{plate}.csv", "tiles": "tiles"},
        "unit": unit,
        "resources": SMALL,
        "network": False,
        "contract": {},
    }
    return Stage(**{**values, **changes})  # type: ignore[arg-type]


def make_run(folder: Path, stage: Stage, shards: int = 1, units: tuple[str, ...] = (), **inputs: list[Artifact]) -> Run:
    return Run(stage, PLATE, folder / "abc123", ("--method", "mean"), inputs, shards, units, stage.resources)


def make_job(folder: Path, *flags: str, minutes: float = 1, image: str = "easel", program: str = "paint.py") -> Job:
    """Return a job with an input folder /in/images that lies beside its own folder."""
    resources = Resources(cpus=1, memory_gb=1, minutes=minutes, gpus=0)
    mounts = (Mount(folder.parent / "images", "/in/images"),)
    return Job(f"job-{folder.name}", image, program, flags, mounts, folder, resources)


def make_manifest(outputs: dict[str, Path], root: Path, stage: str = "collate", **changes: object) -> Manifest:
    entries = {
        name: {"path": path.relative_to(root).as_posix(), "digest": f"digest of {stage} {name}", "files": 1, "bytes": 1}
        for name, path in outputs.items()
    }
    values: dict[str, object] = {
        "stage": stage,
        "batch": BATCH,
        "plate": PLATE,
        "fingerprint": {"stage": stage},
        "outputs": entries,
        "environment": {"engine": "fake"},
        "run": ".work/runs/x",
        "started": "2020-11-04T00:00:00+00:00",
        "seconds": 1.0,
    }
    return Manifest(**{**values, **changes})  # type: ignore[arg-type]


def make_task(kind: type[luigi.Task]) -> luigi.Task:
    """Return the task of a stage on the plate, on the set of that one plate, on its batch, or on a file."""
    if issubclass(kind, BatchTask):
        return kind(batch_id=BATCH, plates=[PLATE], plate_set=BATCH)
    offered = {"batch_id": BATCH, "plate": PLATE, "key": "workspace/metadata/a.csv"}
    return kind(**{name: offered[name] for name in kind.get_param_names() if name in offered})


def lay_plate(layout: Layout, plate: str = PLATE, platemap: str = "JUMP_platemap") -> Path:
    """Lay a plate's image, platemap and metadata below the data root, as a person would; return the TIFFs' folder."""
    images = layout.image_folders(BATCH) / f"{plate}__2020-11-08T18_18_00-Measurement1" / "Images"
    images.mkdir(parents=True)
    (images / "r01c01f01p01-ch5sk1fk1fl1.tiff").write_bytes(b"pixels")
    lay_table(layout.barcode_platemap(BATCH), ",", ["Assay_Plate_Barcode", "Plate_Map_Name"], [[plate, platemap]])
    lay_table(layout.platemap(BATCH, platemap), "\t", ["well_position", "broad_sample"], [["A01", "BRD-1"]])
    columns = ["broad_sample", "pert_type", "control_type"]
    lay_table(layout.external_metadata("JUMP_metadata.tsv"), "\t", columns, [["BRD-1", "trt", ""]])
    published = layout.published("load_data_csv", BATCH, plate) / "load_data.csv.gz"
    lay_table(published, ",", ["Metadata_Plate", "Metadata_Well", "Metadata_Site"], [[plate, "A01", "1"]])
    layout.checkpoints.mkdir(parents=True, exist_ok=True)
    (layout.checkpoints / "cell_painting_cnn.hdf5").write_bytes(b"weights")
    return images


CONDITIONS = ("Perturbation", "Cell_type", "Time", "Density")
EXPERIMENT = (
    ("C1", "compound", "A549", "24", "100"),
    ("C2", "compound", "A549", "24", "100"),
    ("C3", "compound", "A549", "48", "100"),
    ("C4", "compound", "A549", "48", "80"),
    ("G1", "crispr", "A549", "96", "100"),
    ("G2", "crispr", "U2OS", "96", "100"),
)


def lay_experiment(layout: Layout, without: tuple[str, ...] = ()) -> None:
    """Lay an experiment's metadata: six plates in five groups, and profiles of all plates but some."""
    columns = ["Batch", "Assay_Plate_Barcode", *CONDITIONS]
    lay_table(layout.experiment_metadata(BATCH), "\t", columns, [[BATCH, *row] for row in EXPERIMENT])
    for plate in (row[0] for row in EXPERIMENT if row[0] not in without):
        lay_profiles(layout, plate)


def lay_profiles(layout: Layout, plate: str, batch: str = BATCH) -> None:
    path = layout.published("profiles", batch, plate) / f"{plate}_normalized_feature_select_negcon_batch.csv.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"profiles")


def lay_own_tables(layout: Layout, plate: str, batch: str = BATCH) -> None:
    """Lay tables of wells and of cells, as another laboratory made them."""
    for kind in ("wells", "cells"):
        lay_table(layout.own_tables(kind, batch) / f"{plate}.csv", ",", ["Metadata_Well", "X_1"], [["A01", "1"]])


def lay_table(path: Path, separator: str, columns: list[str], rows: list[list[str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as handle:
        csv.writer(handle, delimiter=separator).writerows([columns, *rows])
