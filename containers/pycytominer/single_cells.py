"""The single cells of a plate, a well at a time, whichever form they lie in."""

from __future__ import annotations

import warnings
from typing import Callable, Dict, Iterator, List, NamedTuple, Protocol

import numpy as np

LINKS = ("Cytoplasm_Parent_Cells", "Cytoplasm_Parent_Nuclei")  # pycytominer calls these metadata, not features


class Well(NamedTuple):
    """The cells of one well: a table of features a compartment, a row an object."""

    name: str
    sites: int
    cells: Dict[str, np.ndarray]

    def objects(self, table: str) -> int:
        """Return how many objects it has in a compartment."""
        return len(self.cells[table])

    def reduced(self, table: str, method: Callable[..., np.ndarray]) -> np.ndarray:
        """Return what its objects in a compartment come to."""
        return reduced(self.cells[table], method)


def reduced(cells: np.ndarray, method: Callable[..., np.ndarray]) -> np.ndarray:
    """Return what cells (a row each) come to; NaN where no cell has the feature."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all NaN
        return method(cells, axis=0)


class AnyWell(Protocol):
    """A well whose cells are there, or whose sums are."""

    name: str
    sites: int

    def objects(self, table: str) -> int:
        """Return how many objects it has in a compartment."""
        ...

    def reduced(self, table: str, method: Callable[..., np.ndarray]) -> np.ndarray:
        """Return what its objects in a compartment come to."""
        ...


class Plate(Protocol):
    """Where the cells of a plate come from: what was measured (csv or Parquet), Parquet files or a sqlite."""

    features: Dict[str, List[str]]
    """The names of every compartment's features, without LINKS."""
    sites: List[str]
    """The names of all sites, where the cells come from what was measured; else none."""
    quarantined: Dict[str, str]
    """Why a site could not be used, by its name; complete once the wells are."""

    def wells(self) -> Iterator[AnyWell]:
        """Yield every well."""
        ...
