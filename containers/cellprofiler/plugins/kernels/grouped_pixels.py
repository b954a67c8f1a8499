"""The pixels of objects, object by object: what the kernels that add up pixels are given."""

from __future__ import annotations

import numpy as np


class Objects:
    """The pixels of a set of objects, object by object, in the order of the rows within each."""

    def __init__(self, labels: np.ndarray) -> None:
        flat = labels.ravel()
        self.shape = labels.shape
        self.inside = np.flatnonzero(flat)
        numbers = flat[self.inside]
        self.count = int(labels.max()) if labels.size else 0
        self.pixels = self.inside[np.argsort(numbers, kind="stable")]
        sizes = np.bincount(numbers, minlength=self.count + 1)[1:]
        self.starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self.empty = sizes == 0
