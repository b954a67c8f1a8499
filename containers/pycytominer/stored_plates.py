"""The features of many plates in one file on disk: read back some features of all wells, or some wells of all features.

Memory holds what is read back, never all plates: 200 of them with 5,800 features are 3.6 GB.
"""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import pandas as pd
from stagekit import program

VALUES_AT_ONCE = 2048 * 5800
"""How many values are in memory together: 95 MB; four arrays of that size are in use at most."""
WELLS_AT_ONCE = 2048
"""How many wells are multiplied together: plates are joined up to that."""
VALUE_BYTES = 8


class _Place(NamedTuple):
    """Where in the file a plate lies (its first byte), its wells, and its features in their order there."""

    start: int
    wells: int
    features: List[str]


class StoredPlates:
    """The values of plates in a file that bears no name, so that nothing of it stays when the program is killed."""

    def __init__(self, folder: Path) -> None:
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  open as long as the program runs
        self.places: List[_Place] = []

    def add(self, features: pd.DataFrame) -> None:
        """Append a plate (a well a row); it is laid feature by feature."""
        values = np.ascontiguousarray(features.to_numpy(dtype="float64").T)
        start = self.file.seek(0, 2)
        try:
            self.file.write(values.data)
            self.file.flush()
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            message = f"the disk of the run's folder has no room for the values of plate {len(self.places) + 1}"
            raise program.ServiceError(f"{message} ({values.nbytes / 1e6:.0f} MB each); free some") from error
        self.places.append(_Place(start, len(features), list(features.columns)))

    def features(self) -> List[str]:
        """Return the features that any plate has, in the order in which they come."""
        return list(dict.fromkeys(name for place in self.places for name in place.features))

    def whole(self, at: int) -> List[str]:
        """Return the features of a plate of which every well has a value."""
        names = self.places[at].features
        lacking = np.isnan(self.read(at, names)).any(axis=1)
        return [name for name, lacks in zip(names, lacking, strict=True) if not lacks]

    def plate(self, at: int, names: Optional[Sequence[str]] = None) -> pd.DataFrame:
        """Return some features of a plate (all, if none are named), a well a row."""
        wanted = self.places[at].features if names is None else list(names)
        return pd.DataFrame(self.read(at, wanted).T, columns=wanted)

    def table(self, names: Sequence[str]) -> Features:
        """Return some features of all plates; each must have them."""
        return Features(self, names, range(len(self.places)))

    def judged(self, names: Sequence[str]) -> Features:
        """Return some features of all plates that have any; each such plate must have these."""
        return Features(self, names, [at for at, place in enumerate(self.places) if place.features])

    def read(self, at: int, names: Sequence[str]) -> np.ndarray:
        """Return features of a plate, one a row: of the file is read what lies between the first and the last."""
        place = self.places[at]
        order = {name: number for number, name in enumerate(place.features)}
        wanted = np.array([order[name] for name in names], dtype="int64")
        if not len(wanted):
            return np.empty((0, place.wells))
        first, last = int(wanted.min()), int(wanted.max())
        self.file.seek(place.start + first * place.wells * VALUE_BYTES)
        values = np.frombuffer(self.file.read((last - first + 1) * place.wells * VALUE_BYTES), dtype="float64")
        return values.reshape(-1, place.wells)[wanted - first]


class Features:
    """Some features of some stored plates, as one table: the wells of all plates, in the order of the plates."""

    def __init__(self, stored: StoredPlates, names: Sequence[str], plates: Sequence[int]) -> None:
        self.stored, self.names, self.plates = stored, list(names), list(plates)
        self.wells = sum(stored.places[at].wells for at in plates)

    def columns(self, names: Optional[Sequence[str]] = None) -> np.ndarray:
        """Return some features (all, if none are named) of all wells, a well a row."""
        wanted = self.names if names is None else names
        parts = [self.stored.read(at, wanted) for at in self.plates]
        return np.concatenate(parts, axis=1).T if parts else np.empty((0, len(wanted)))

    def blocks(self) -> Iterator[Tuple[List[str], np.ndarray]]:
        """Yield (names, values of all wells), block by block of the features."""
        width = self.features_at_once()
        for start in range(0, len(self.names), width):
            names = self.names[start : start + width]
            yield names, self.columns(names)

    def rows(self) -> Iterator[np.ndarray]:
        """Yield the values of all features, a well a row, plates together up to WELLS_AT_ONCE."""
        together: List[int] = []
        for at in self.plates:
            if together and self._wells(together) + self._wells([at]) > WELLS_AT_ONCE:
                yield self._of(together)
                together = []
            together.append(at)
        if together:
            yield self._of(together)

    def of(self, names: Sequence[str]) -> Features:
        """Return some of these features."""
        return Features(self.stored, names, self.plates)

    def features_at_once(self) -> int:
        """Return how many features of all wells fit into VALUES_AT_ONCE."""
        return max(VALUES_AT_ONCE // max(self.wells, 1), 1)

    def _wells(self, plates: Sequence[int]) -> int:
        return sum(self.stored.places[at].wells for at in plates)

    def _of(self, plates: Sequence[int]) -> np.ndarray:
        return np.ascontiguousarray(Features(self.stored, self.names, plates).columns())
