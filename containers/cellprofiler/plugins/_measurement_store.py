"""Hold measurements in memory: CellProfiler's own store makes some 26,000 small writes to HDF5 a site.

What is read back is what HDF5 would have given, types included. Whatever this does not cover (text, other shapes, a
look at the file itself) is first written through to HDF5, by CellProfiler's own code, and stays there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

import numpy as np
from cellprofiler_core.measurement import _measurements
from cellprofiler_core.utilities.hdf5_dict import HDF5Dict

IMAGE = "Image"
ELSEWHERE = ("Experiment", "Relationship")  # few values, of all kinds
NUMBERS = "iuf"  # numpy's kinds: integers and floats

Key = tuple[str, str]


@dataclass
class Feature:
    """One measurement of one kind of object: an array for each image number, all of one type, as in an HDF5 dataset."""

    type: Optional[np.dtype] = None  # that of the first array that is not empty
    arrays: dict[int, np.ndarray] = field(default_factory=dict)

    def put(self, number: int, array: np.ndarray) -> None:
        """Keep an array as HDF5Dict does: floats turn integers into floats, all else is cast to what was there."""
        if array.size and self.type is None:
            self.type = array.dtype
        elif array.size and self.type.kind in "iu" and array.dtype.kind == "f":
            self.type = array.dtype
            self.arrays = {image: held.astype(self.type) for image, held in self.arrays.items()}
        self.arrays[number] = array.astype(self.type if self.type is not None else np.int64)  # a copy

    def get(self, number: int) -> Optional[np.ndarray]:
        """Return a copy of an image's array: None if it is empty, unless all are."""
        if self.type is None:
            return np.array([])
        array = self.arrays.get(number)
        return array.copy() if array is not None and array.size else None


class MeasurementStore(HDF5Dict):
    """CellProfiler's store of measurements, with those of objects, and the numbers of images, in memory."""

    def __init__(self, *words: Any, **named: Any) -> None:
        self.held: dict[Key, Feature] = {}
        super().__init__(*words, **named)

    def __setitem__(self, idxs: tuple, vals: Any) -> None:
        key, array = (idxs[0], idxs[1]), self._numbers(idxs, vals)
        if array is not None and (key in self.held or not super().has_feature(*key)):
            if key not in self.held:
                super().add_object(key[0])
            self.held.setdefault(key, Feature()).put(int(np.ravel(idxs[2])[0]), array)
            return
        self._write_through(key)
        super().__setitem__(idxs, vals)

    @staticmethod
    def _numbers(idxs: tuple, vals: Any) -> Optional[np.ndarray]:
        """Return the values as an array if they are numbers of one image's objects, or one of an image, else None."""
        typed = len(idxs) > 3 and idxs[3] is not None
        if typed or idxs[0] in ELSEWHERE or vals is None or np.isscalar(vals):
            return None
        if (idxs[0] == IMAGE) == np.isscalar(idxs[2]):  # an image's measurement comes with a list of images
            return None
        if idxs[0] == IMAGE and not (len(idxs[2]) == len(vals) == 1 and np.isscalar(vals[0])):
            return None
        array = np.asarray(vals)
        return array if array.ndim == 1 and (array.dtype.kind in NUMBERS or array.size == 0) else None

    def __getitem__(self, idxs: tuple) -> Any:
        feature = self.held.get((idxs[0], idxs[1]))
        if feature is None:
            return super().__getitem__(idxs)
        return feature.get(idxs[2]) if np.isscalar(idxs[2]) else [feature.get(number) for number in idxs[2]]

    def __delitem__(self, idxs: tuple) -> None:
        self._write_through((idxs[0], idxs[1]))
        super().__delitem__(idxs)

    def has_data(self, object_name: str, feature_name: str, num_idx: int) -> bool:
        feature = self.held.get((object_name, feature_name))
        return num_idx in feature.arrays if feature else super().has_data(object_name, feature_name, num_idx)

    def has_feature(self, object_name: str, feature_name: str) -> bool:
        return (object_name, feature_name) in self.held or super().has_feature(object_name, feature_name)

    def get_feature_dtype(self, object_name: str, feature_name: str) -> np.dtype:
        feature = self.held.get((object_name, feature_name))
        if feature is None:
            return super().get_feature_dtype(object_name, feature_name)
        return feature.type if feature.type is not None else np.dtype(int)

    def second_level_names(self, object_name: str) -> list[str]:
        held = {feature for name, feature in self.held if name == object_name}
        return sorted(held | {*super().second_level_names(object_name)})

    def get_dataset(self, object_name: str, feature_name: str) -> Any:
        self._write_through((object_name, feature_name))
        return super().get_dataset(object_name, feature_name)

    def get_indices(self, object_name: str, feature_name: str) -> Any:
        self._write_through((object_name, feature_name))
        return super().get_indices(object_name, feature_name)

    def add_feature(self, object_name: str, feature_name: str) -> None:
        self._write_through((object_name, feature_name))
        super().add_feature(object_name, feature_name)

    def add_all(self, object_name: str, feature_name: str, *words: Any, **named: Any) -> None:
        self.held.pop((object_name, feature_name), None)  # all of it is replaced
        super().add_all(object_name, feature_name, *words, **named)

    def reorder(self, object_name: str, feature_name: str, image_numbers: Any) -> None:
        self._write_through((object_name, feature_name))
        super().reorder(object_name, feature_name, image_numbers)

    def clear(self) -> None:
        self.held.clear()
        super().clear()

    def flush(self) -> None:
        if not self.is_temporary:
            self.write_all()
        super().flush()

    def file_contents(self) -> Any:
        self.write_all()
        return super().file_contents()

    def close(self) -> None:
        if hasattr(self, "hdf5_file") and not self.is_temporary and self.filename is not None:
            self.write_all()
        super().close()

    def write_all(self) -> None:
        """Write to HDF5 all that is held."""
        for key in list(self.held):
            self._write_through(key)

    def _write_through(self, key: Key) -> None:
        feature = self.held.pop(key, None)
        if feature is None:
            return
        if feature.type is not None and not any(array.size for array in feature.arrays.values()):
            super().__setitem__((*key, min(feature.arrays)), np.zeros(1, feature.type))  # its type outlives its values
        for number, array in feature.arrays.items():
            super().__setitem__((*key, number), array)


def install() -> None:
    """Let CellProfiler make its measurements with this store; a copy of them is made of what the file holds."""
    _measurements.HDF5Dict = MeasurementStore
    stock_init = _measurements.Measurements.__init__

    def init(self: Any, *words: Any, **named: Any) -> None:
        for value in (*words, *named.values()):
            store = getattr(value, "hdf5_dict", None)
            if isinstance(store, MeasurementStore):
                store.write_all()
        stock_init(self, *words, **named)

    _measurements.Measurements.__init__ = init
