"""Draw what the report is made of: a record of runs, pictures, tables and figures of a batch of any size."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHAIN = (
    # stage, image, input -> name of the stage it comes from ("" from outside), output, seconds
    ("load_data", "gallery", {"images": "", "platemap": ""}, "load_data", 2.0),
    ("illumination", "cellprofiler", {"load_data": "load_data", "images": ""}, "illumination", 60.0),
    ("measure", "cellprofiler", {"load_data": "load_data", "illumination": "illumination"}, "analysis", 600.0),
    ("aggregate", "pycytominer", {"analysis": "measure"}, "profiles", 5.0),
    ("annotate", "pycytominer", {"profiles": "aggregate", "platemap": ""}, "profiles", 3.0),
    ("normalize", "pycytominer", {"profiles": "annotate"}, "profiles", 4.0),
    ("montage", "cellprofiler", {"load_data": "load_data", "analysis": "measure"}, "montage", 30.0),
)
GROUPS = (("compound", "U2OS"), ("compound", "A549"), ("crispr", "U2OS"), ("orf", "A549"))
FIGURE = (40, 30)  # pixels
DISTINCT = 3  # pictures; those of further plates repeat them
SIZE = {"files": 1, "bytes": 1000}
EVIL = "<script>window.broken = 1</script>\"'&"
"""A text that would run, or break the page, were it not escaped."""


@dataclass(frozen=True)
class DrawnRecord:
    """A batch to report: its plates, labels a group, and what its words hold."""

    plates: tuple[str, ...] = ("P1", "P2")
    labels: int = 8
    word: str = "plain"
    picture: tuple[int, int] = (600, 300)
    seed: int = 0

    def write(self, folder: Path) -> dict[str, list[Path]]:
        """Write all files; return the flags of the program."""
        files = {"pictures": self._pictures(folder / "quality"), "montage": self._pictures(folder / "montage")}
        files["summary"] = [self._summary(folder / "summary.tsv")]
        files |= {name: [path] for name, path in self._benchmark(folder).items()}
        (folder / "figures").mkdir()
        for name in ("fraction_retrieved", "umap"):
            Image.new("RGB", FIGURE, "white").save(folder / "figures" / f"{name}.png")
            (folder / "figures" / f"{name}.svg").write_text(
                '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 3"/>'
            )
        files["figures"] = [folder / "figures"]
        files["feature_sets"] = [self._compared(folder / "compared")]
        files |= {name: [path] for name, path in self._doses(folder / "dosed").items()}
        (folder / "record.json").write_text(json.dumps(self.record(files)))
        return {"record": folder / "record.json", **files}

    def record(self, files: dict[str, list[Path]]) -> dict[str, Any]:
        shown = {name: [{"subject": "copairs.cellprofiler", "plate": ""}] for name in files}
        for name in ("pictures", "montage"):
            shown[name] = [{"subject": plate, "plate": plate} for plate in self.plates]
        stages = {stage: {"summary": f"Do {stage}.", "image": image, "unit": "site"} for stage, image, *_ in CHAIN}
        packages = {"environment": "e", "python": "3.11", "versions": {"numpy": "2.0"}}
        return {
            "batch": "B", "project": "project", "source": "source", "version": "1.2.3",
            "plates": [{"plate": plate, "conditions": {"Cell_type": self.word}} for plate in self.plates],
            "rate": {"dollars_per_core_hour": 2.0, "said": f"the price of {self.word}"},
            "stages": stages, "packages": {image: packages for _, image, *_ in CHAIN},
            "runs": [run for at, plate in enumerate(self.plates) for run in self._runs(plate, at)],
            "unfinished": [self._unfinished()], "shown": shown,
        }  # fmt: skip

    def _runs(self, plate: str, at: int) -> list[dict[str, Any]]:
        clock, runs = 800 * at + (86_400 if at else 0), []  # the second plate a day later
        for stage, _, reads, output, seconds in CHAIN:
            minutes, rest = divmod(clock, 60)
            hours, minutes = divmod(minutes, 60)
            started = f"2026-01-{1 + hours // 24:02d}T{hours % 24:02d}:{minutes:02d}:{rest:02d}+00:00"
            lost = {f"{self.word} A01-1": f"no cells {self.word}"} if stage == "measure" else {}
            inputs = {name: [f"{source}-{plate}" if source else f"{name}-{plate}"] for name, source in reads.items()}
            runs.append(
                {
                    "stage": stage, "batch": "B", "subject": plate, "is_plate": True, "members": [], "started": started,
                    "seconds": seconds, "units": {"ok": 9, "quarantined": len(lost)} if stage == "measure" else {},
                    "warnings": [f"beware {self.word}"] if stage == "normalize" else [], "recipe": "e", "program": "p",
                    "facts": {"quarantined": lost} if lost else {}, "environment": {"engine": "process"},
                    "used": {"jobs": 2, "seconds": 2 * seconds, "core_seconds": 8 * seconds, "peak_memory_gb": 1.5},
                    "inputs": inputs,
                    "parameters": {"method": self.word, "plate": plate},
                    "outputs": {output: {"path": f"project/source/{plate}.csv", "digest": f"{stage}-{plate}", **SIZE}},
                }
            )  # fmt: skip
            clock += round(seconds)
        return runs

    def _unfinished(self) -> dict[str, Any]:
        failed = [{"unit": "B02-1", "state": "failed", "reason": f"cut image {self.word}"}]
        return {
            "stage": "measure", "batch": "B", "subject": self.plates[0], "failed": failed, "state": "failed",
            "said": f"measure failed: {self.word}", "unit": "site", "units": {"ok": 8, "failed": 1},
            "words": [f"error: {self.word}"],
        }  # fmt: skip

    def _pictures(self, folder: Path) -> list[Path]:
        folder.mkdir(parents=True)
        rng = np.random.default_rng(self.seed)
        width, height = self.picture
        for at, plate in enumerate(self.plates):
            path = folder / f"{plate}.png"
            if at >= DISTINCT:
                shutil.copy(folder / f"{self.plates[at % DISTINCT]}.png", path)
                continue
            coarse = rng.integers(0, 236, (height // 6 + 1, width // 6 + 1, 3), dtype=np.uint8)
            pixels = np.kron(coarse, np.ones((6, 6, 1), np.uint8))[:height, :width]
            Image.fromarray(pixels + rng.integers(0, 20, pixels.shape, dtype=np.uint8)).save(path, compress_level=1)
        return [folder / f"{plate}.png" for plate in self.plates]

    def _compared(self, folder: Path) -> Path:
        folder.mkdir()
        Image.new("RGB", FIGURE, "white").save(folder / "average_precision.png")
        columns = ["task", "Description", "features", "queries", "q1", "median", "q3", "mean"]
        rows = [["replicability", self.word, name, 9, 0.1, 0.2, 0.3, 0.25] for name in ("cellprofiler", "deepprofiler")]
        _table(folder / "feature_sets.csv", ",", [columns, *rows])
        return folder

    def _doses(self, folder: Path) -> dict[str, Path]:
        folder.mkdir()
        Image.new("RGB", FIGURE, "white").save(folder / "dose_response_01.png")
        columns = ["perturbation", "wells", "doses", "unit", "activity_at_highest", "spearman", "q_value", "curve"]
        columns += ["ec50", "ec50_low", "ec50_high"]
        rows = [[self.word, 16, 8, "uM", 7.5, 0.9, 0.001, "fitted", 0.3125, 0.25, 0.5]]
        rows.append(["idle", 16, 8, "uM", 0.1, 0.05, 0.8, "not fitted: flat", "", "", ""])
        return {"dose_response": _table(folder / "d.csv", ",", [columns, *rows]), "dose_figures": folder}

    def _summary(self, path: Path) -> Path:
        columns = ["Plate_Name", "Well_Count", "Profile_Count", "Cells_per_well_Median"]
        columns += ["Replicate_correlation_Median", "Neighbour_correlation_Median", "Faults"]
        rows = [[plate, 24, 24, 100 + at, "0.4", "0.1", "" if at else f"dead column {self.word}"]
                for at, plate in enumerate(self.plates)]  # fmt: skip
        return _table(path, "\t", [columns, *rows])

    def _benchmark(self, folder: Path) -> dict[str, Path]:
        rng = np.random.default_rng(self.seed)
        about = ["Description", "Modality", "Cell", "time", "timepoint"]
        rows, groups = [], []
        for modality, cell in GROUPS:
            means = rng.uniform(0.1, 1, self.labels)
            said = [f"{modality}_{cell}_long", modality, cell, "long", 48]
            for at, mean in enumerate(means):
                q = 10 ** -(3 * mean**2)
                rows.append(
                    [f"{self.word} {modality[0]}{at}", mean, -np.log10(q), q, -np.log10(q), q < 0.05, q < 0.05, *said]
                )
            retrieved = sum(row[6] for row in rows[-self.labels :])
            groups.append(
                ["replicability", said[0], self.labels, retrieved, retrieved / self.labels, means.mean(), self.word]
            )
        tested = [
            "mean_average_precision",
            "nlog10pvalue",
            "q_value",
            "nlog10qvalue",
            "above_p_threshold",
            "above_q_threshold",
        ]
        compared = ["task", "Description", "labels", "retrieved", "fr", "mean_average_precision", "note"]
        empty = [[*row, "", "", ""] for row in groups]
        return {
            "replicability_map": _table(folder / "r.csv", ",", [["Metadata_broad_sample", *tested, *about], *rows]),
            "matching_map": _table(folder / "m.csv", ",", [["Metadata_target", *tested, *about], *rows]),
            "gene_compound_matching_map": _table(folder / "g.csv", ",", [["Description", "label"]]),
            "comparison": _table(
                folder / "c.csv", ",", [[*compared, "fr_published", "map_published", "agrees"], *empty]
            ),
        }  # fmt: skip


def _table(path: Path, separator: str, rows: list[list[Any]]) -> Path:
    with open(path, "w", newline="", encoding="utf-8") as lines:
        csv.writer(lines, delimiter=separator).writerows(rows)
    return path
