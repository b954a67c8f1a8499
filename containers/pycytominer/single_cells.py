"""The single cells of a plate, a well at a time, whichever form they lie in."""

from __future__ import annotations

from typing import Dict, Iterator, List, NamedTuple, Protocol

import numpy as np

LINKS = ("Cytoplasm_Parent_Cells", "Cytoplasm_Parent_Nuclei")  # pycytominer calls these metadata, not features


class Well(NamedTuple):
    """The cells of one well: a table of features a compartment, a row an object."""

    name: str
    sites: int
    cells: Dict[str, np.ndarray]


class Plate(Protocol):
    """Where the cells of a plate come from: site csv files, Parquet files or a sqlite."""

    features: Dict[str, List[str]]
    """The names of every compartment's features, without LINKS."""
    sites: List[str]
    """The names of all sites, where the cells come from site csv files; else none."""
    quarantined: Dict[str, str]
    """Why a site could not be used, by its name; complete once the wells are."""

    def wells(self) -> Iterator[Well]:
        """Yield every well."""
        ...
