"""The features of a site's cells in an npz file, as DeepProfiler lays it out."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Mapping

import numpy as np

from deepkit.fields import Unusable


def write(path: Path, features: np.ndarray, cells: np.ndarray, metadata: Mapping[str, str]) -> None:
    """Write float32 features (cells x features) and locations (cells x 2); the same always gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.ascontiguousarray(features, dtype="float32")
    np.savez_compressed(path, features=values, metadata=np.array(dict(metadata), dtype=object), locations=cells)


def read_features(path: Path) -> np.ndarray:
    """Return the features of a file; Unusable if it is not whole."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["features"]
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise Unusable(f"{path.name} is no whole npz ({error})") from error


def fault(features: np.ndarray, cells: int, width: int) -> str:
    """Return what is wrong with the features of a site, or nothing."""
    if features.shape != (cells, width):
        return f"features of shape {features.shape} came for {cells} cells and {width} features"
    if not np.isfinite(features).all():
        return f"{(~np.isfinite(features)).any(axis=1).sum()} cells have features that are not finite"
    return ""
