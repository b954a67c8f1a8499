"""Measure every real export that has images to well averages, as a user would: add-plate, settings, RunBatch.

A row a folder: what was set beside add-plate's proposals, cells, features, whether profiles could be normalized, and
the seconds of each step. A folder that cannot be measured says why, in the words that a user reads.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.toolkit import Toolkit, features

BATCH = "vendors"
PIXELS = {"nucleus_diameter": "8-80 px"}
"""Of images of which nobody says how long a pixel is."""


@dataclass(frozen=True)
class Case:
    """What a person who looked at the images tells: channels' names, settings, and which wells are controls."""

    channels: str = ""
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    layout: str = ""


CASES: Mapping[str, Case] = {
    "cellomics_tif/ExampleHuman": Case("0=DNA,1=PH3,2=RNA", {"cells": PIXELS}),
    "cellomics_tif/ExampleIlluminationCorrection": Case("2=DNA", {"cells": {**PIXELS, "cells_channel": "none"}}),
    "imagexpress_metaxpress_guid_nosite/ExampleStraightenWorms": Case(
        "1=Brightfield,3=DNA", {"cells": {**PIXELS, "cells_channel": "none"}}
    ),
    "imagexpress_metaxpress_guid_nosite/ExampleUntangleWorms": Case(
        "1=Brightfield,2=DNA", {"cells": {**PIXELS, "cells_channel": "none"}}
    ),
    "imagexpress_metaxpress_htd": Case(
        "", {"images": {"time": "1"}, "cells": {"cells_channel": "FITC"}}, "Well,Compound\nB02,DMSO\nB03,DMSO\n"
    ),
    "imagexpress_micro_guid_timepoint": Case(
        "", {"images": {"time": "1"}, "cells": {"nuclei_channel": "Cy3", "cells_channel": "none", "pixel_um": "2"}}
    ),
    "incell3000_channel_well_tif": Case(
        "1=GFP,2=DNA", {"cells": {**PIXELS, "cells_channel": "GFP"}}, "Well,Compound\nA01,DMSO\nB01,DMSO\n"
    ),
    "leica_matrix_screener": Case("0=DNA,1=RNA", {"cells": PIXELS}),
    "olympus_scanr/ExampleIlluminationCorrection": Case(
        "", {"cells": {**PIXELS, "nuclei_channel": "cherry", "cells_channel": "none"}}
    ),
    "ome_zarr_hcs_v04": Case(
        "1=FITC,2=BestFocus,3=-",
        {"cells": {"nuclei_channel": "FITC", "cells_channel": "none", "pixel_um": "1"}},
        "Well,Compound\nE07,DMSO\nE08,DMSO\n",
    ),
    "perkinelmer_operetta_sonata_harmony_v5/operetta_plate": Case(
        "", {"cells": {"nuclei_channel": "FluoresceinFITC", "cells_channel": "none"}}
    ),
    "perkinelmer_phenix_harmony_v5": Case(
        "1=-", {"cells": {"nuclei_channel": "Alexa568", "cells_channel": "Alexa488"}}
    ),
    "yokogawa_cv8000": Case("1=DNA,2=RNA", {"images": {"z": "max"}}),
}
"""Folder -> what is set. None of these real exports shows a Cell Painting plate: the channels' names are stand-ins."""


def table(vendors: Path, only: str = "") -> Iterator[str]:
    """Yield the lines of the table; `only` is a part of the names of the folders that are wanted."""
    yield "| folder | set | cells | features | normalized | steps, s | all, s |\n|---|---|---|---|---|---|---|"
    for name, case in CASES.items():
        if only in name:
            with tempfile.TemporaryDirectory(prefix="vendor-") as scratch:
                yield f"| `{name}` | {_set(case)} | {_measured(vendors / name, case, Path(scratch))} |"


def _set(case: Case) -> str:
    said = [f"--channels {case.channels}"] if case.channels else []
    return "; ".join(
        said + [f"[{section}] {key} = {value}" for section, own in case.settings.items() for key, value in own.items()]
    )


def _measured(folder: Path, case: Case, scratch: Path) -> str:
    """Return the cells of a row: add the plate and run the batch."""
    toolkit = Toolkit(scratch / "run", "process", {section: dict(own) for section, own in case.settings.items()})
    words = ["add-plate", str(folder), "--batch-id", BATCH, "--yes"]
    words += ["--channels", case.channels] if case.channels else []
    if case.layout:
        (scratch / "layout.csv").write_text(case.layout)
        words += ["--platemap", str(scratch / "layout.csv")]
    started = time.monotonic()
    added = toolkit.tasks(*words)
    steps = {"add-plate": time.monotonic() - started}
    if added.returncode:
        return f"refused: {_first(added.stderr)} | | | |"
    done = toolkit.luigi("RunBatch", "--batch-id", BATCH)
    seconds = time.monotonic() - started
    (plate,) = (path.stem for path in (toolkit.dataset / "workspace/planes" / BATCH).glob("*.csv"))
    steps |= {name: _manifest(path)["seconds"] for name, path in _manifests(toolkit, plate).items()}
    timed = ", ".join(f"{name} {each:.0f}" for name, each in steps.items())
    if "aggregate" not in steps:
        return f"{_first(done.stderr)} | | | {timed} | {seconds:.0f}"
    profiles = toolkit.profiles(plate, "", BATCH)
    normalized = features(toolkit.profiles(plate, "_normalized_negcon", BATCH)).shape[1]
    cells = sum(toolkit.cells(BATCH, plate).values())
    width = features(profiles).shape[1]
    return f"{cells} in {len(profiles)} wells | {width} | {normalized or 'no control'} | {timed} | {seconds:.0f}"


def _manifests(toolkit: Toolkit, plate: str) -> dict[str, Path]:
    """Return the manifests of a plate by their stages, in the order in which they ended."""
    found = (toolkit.root / ".work/manifests").glob(f"*/*/*/{BATCH}/{plate}.json")
    return {path.parts[-3]: path for path in sorted(found, key=lambda path: path.stat().st_mtime_ns)}


def _manifest(path: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads(path.read_text())
    return found


def _first(said: str) -> str:
    """Return the first error of a run and the program's own words for it, on one line."""
    lines = said.splitlines()
    found = next((line for line in lines if line.startswith("ERROR")), said[-300:])
    own = next((f": {line.strip()}" for line in lines if line.strip().startswith("error: ")), "")
    return f"{found.removeprefix('ERROR: ')}{own}".replace("|", "/")[:500]
