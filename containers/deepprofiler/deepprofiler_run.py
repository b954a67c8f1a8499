"""Profile fields with the real DeepProfiler: make its project folder, run it, check all that it should have made."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Sequence, Tuple

import driver
import numpy as np
from deepkit import embeddings
from deepkit.fields import CENTRE, Field, Unusable, load
from deepkit.profiling import Made, Work
from stagekit import program

PLATE = "plate"  # an alias: pandas would read the barcode 00117013 as a number, and DeepProfiler then finds no cells
DONE = re.compile(rf"{PLATE}/(\S+) \(\d+ cells\)")  # what DeepProfiler prints of a site that has ended
LAST_LINES = 12


class Crash(Exception):
    """DeepProfiler ended badly, and no input is seen to be to blame."""

    exit_code = program.EXIT_CRASH


def run(work: Work) -> Tuple[Made, Mapping[str, Any]]:
    """Return the features of every field that has cells, and facts of the run."""
    project = work.scratch / "project"
    names = {f"{field.well}-{number}": field for number, field in enumerate(work.fields, start=1)}
    lay(project, names, work.size, work.checkpoint, work.batch_size)
    _call(project, work.device, names, work.ended)
    facts: Dict[str, Any] = json.loads((project / driver.FACTS).read_text(encoding="utf-8"))
    return ((field, _features(project, name, field)) for name, field in names.items()), facts


def lay(project: Path, names: Mapping[str, Field], size: Tuple[int, int], checkpoint: Path, batch_size: int) -> None:
    """Make a project folder as DeepProfiler wants it: config, index, locations, and links to images and checkpoint."""
    images = {path.parent for field in names.values() for path in field.images}
    (folder,) = images  # a plate's images lie in one
    for path in (project / "inputs" / part for part in ("config", "metadata", f"locations/{PLATE}")):
        path.mkdir(parents=True)
    (project / "inputs/images").symlink_to(folder.resolve())
    driver.checkpoint(project).parent.mkdir(parents=True)
    driver.checkpoint(project).symlink_to(checkpoint.resolve())
    (project / "inputs/config" / driver.CONFIG).write_text(json.dumps(config(size, batch_size)), encoding="utf-8")
    channels = driver.NETWORK.channels
    rows = [
        [PLATE, field.well, name.rpartition("-")[2], *(path.name for path in field.images), "all"]
        for name, field in names.items()
    ]
    header = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", *channels, "Treatment"]
    _write_csv(project / "inputs/metadata/index.csv", [header, *rows])
    for name, field in names.items():
        cells = [[repr(x), repr(y)] for x, y in field.cells.tolist()]
        _write_csv(project / f"inputs/locations/{PLATE}/{name}-Nuclei.csv", [list(CENTRE), *cells])


def config(size: Tuple[int, int], batch_size: int) -> Dict[str, Any]:
    """Return DeepProfiler's configuration; it asks for every one of these keys."""
    network = driver.NETWORK
    images = {
        "channels": list(network.channels),
        "file_format": "tiff",
        "bits": 16,
        "width": size[1],
        "height": size[0],
    }
    box = network.box_pixels
    return {
        "dataset": {
            "metadata": {"label_field": "Treatment", "control_value": "all"},
            "images": images,
            "locations": {"mode": "single_cells", "box_size": box, "view_size": box, "mask_objects": False},
        },
        "prepare": {
            "illumination_correction": {"down_scale_factor": 4, "median_filter_size": 24},
            "compression": {"implement": False, "scaling_factor": 1.0},
        },
        "train": {
            "partition": {"targets": ["Treatment"]},
            "model": {"params": {"conv_blocks": 0}},
            "validation": {"batch_size": batch_size},
        },
        "profile": {
            "feature_layer": network.layer,
            "checkpoint": driver.checkpoint(Path()).name,
            "batch_size": batch_size,
        },
    }


def _call(project: Path, device: str, names: Mapping[str, Field], ended: Callable[[str, float], None]) -> None:
    words = [sys.executable, driver.__file__, str(project), device]
    last: List[str] = []
    done: List[str] = []
    started = time.monotonic()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = [*last, line.rstrip()][-LAST_LINES:]
            if match := DONE.match(line):
                now = time.monotonic()
                done.append(match[1])
                ended(names[match[1]].name, now - started)
                started = now
    if process.returncode:
        raise _failure(process.returncode, last, [field for name, field in names.items() if name not in done])


def _failure(code: int, last: Sequence[str], undone: Sequence[Field]) -> Exception:
    """Return the error for a run that ended badly: which image is to blame, if it is one."""
    told = [line for line in last if line.startswith("error: ")]
    if code == program.EXIT_CHECK and told:
        return program.CheckError(told[-1][len("error: ") :])
    for field in undone:
        try:
            load(field)
        except Unusable as error:
            return Unusable(f"{error}; mend it, or leave the site out ([preflight] exclude)")
    words = "\n  ".join(last)
    return Crash(f"DeepProfiler ended with exit code {code}; its last words:\n  {words}")


def _features(project: Path, name: str, field: Field) -> np.ndarray:
    well, _, site = name.rpartition("-")
    path = driver.features(project) / PLATE / well / f"{site}.npz"
    if not path.exists():
        raise Unusable(f"{field.name}: DeepProfiler wrote no features for it")
    try:
        return embeddings.read_features(path)
    except Unusable as error:
        raise Unusable(f"{field.name}: {error}") from error


def _write_csv(path: Path, rows: Sequence[Sequence[str]]) -> None:
    with open(path, "w", encoding="utf-8", newline="") as out:
        csv.writer(out, lineterminator="\n").writerows(rows)
