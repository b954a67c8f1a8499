"""Names in a stranger's csv files stay names: they are no SQL, and no path."""

from __future__ import annotations

import csv
import sqlite3
from pathlib import Path

HOSTILE = 'Intensity_A"); DROP TABLE Image; --'


def rename_a_feature(analysis: Path) -> None:
    for path in analysis.glob("*/Cells.csv"):
        rows = list(csv.reader(path.open()))
        rows[0][rows[0].index("AreaShape_Area")] = HOSTILE
        with open(path, "w", newline="") as out:
            csv.writer(out).writerows(rows)


def test_a_feature_named_like_sql_is_a_column_of_that_name(stage, analysis, tmp_path):
    rename_a_feature(analysis)
    written = {"write_backend": tmp_path / "plate.sqlite", "write_cells": tmp_path / "cells"}
    outcome = stage("collate", analysis=analysis, sqlite="true", parquet="true", max_failed_fraction=0, **written)
    database = sqlite3.connect(tmp_path / "plate.sqlite")
    names = [row[1] for row in database.execute("PRAGMA table_info(Cells)")]

    assert outcome.code == 0, outcome.stderr
    assert f"Cells_{HOSTILE}" in names
    assert database.execute("SELECT count(*) FROM Image").fetchone() == (6,)


def test_a_feature_named_like_sql_is_averaged_from_the_backend_too(stage, analysis, tmp_path):
    rename_a_feature(analysis)
    written = {"write_backend": tmp_path / "plate.sqlite", "write_cells": tmp_path / "cells"}
    stage("collate", analysis=analysis, sqlite="true", parquet="false", max_failed_fraction=0, **written)
    made = {}
    for source, path in (("analysis", analysis), ("backend", tmp_path / "plate.sqlite")):
        made[source] = tmp_path / f"{source}.csv.gz"
        how = {"source": source, "method": "mean", "behaviour": "corrected", "compartment_counts": "false"}
        read = {"analysis": [], "backend": [], "cells": [], source: path}
        outcome = stage("aggregate", **read, write_profiles=made[source], max_failed_fraction=0, **how)
        assert outcome.code == 0, outcome.stderr

    assert made["analysis"].read_bytes() == made["backend"].read_bytes()
