"""ExportToSpreadsheet that hands on the values of objects as numbers where no csv of them is asked for.

Which values, and in which order, is as the stock module has it. What is of the image or the experiment stays csv.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from cellprofiler.modules import exporttospreadsheet as stock
from kernels import assumptions
from kernels.assumptions import Unsuited

ASKED = "PLATEWRIGHT_OBJECTS"
"""The variable that says `numbers` if nobody reads the csv files of objects."""
WRITTEN = ("Cells", "Cytoplasm", "Nuclei")
OTHERS = (stock.IMAGE, stock.EXPERIMENT)
SHORT = np.dtype("float32")


class ExportToSpreadsheet(stock.ExportToSpreadsheet):
    """Takes the place of CellProfiler's own module of this name."""

    def run_objects(self, object_names, workspace, settings_group=None):
        unread = len(object_names) == 1 and object_names[0] not in (*WRITTEN, *OTHERS)
        if os.environ.get(ASKED) != "numbers" or not unread:
            super().run_objects(object_names, workspace, settings_group)

    def make_object_file(self, object_names, image_set_numbers, workspace, settings_group=None):
        given = (object_names, image_set_numbers, workspace, settings_group)
        if os.environ.get(ASKED) != "numbers" or len(object_names) != 1:
            super().make_object_file(*given)
            return
        try:
            self._hand_on(*given)
        except Unsuited as reason:
            assumptions.say_stock(self.module_name, object_names[0], reason)
            super().make_object_file(*given)

    def _hand_on(self, object_names, image_set_numbers, workspace, settings_group):
        """Write <objects>.npy, a row a feature and a column an object, and the features' names, a line each."""
        (name,) = object_names
        features = self._features(name, workspace.pipeline)
        parts = [self._values(workspace.measurements, name, features, number) for number in image_set_numbers]
        path = Path(self.make_objects_file_name(name, workspace, image_set_numbers[0], settings_group))
        names = [stock.IMAGE_NUMBER, stock.OBJECT_NUMBER, *features]
        path.with_suffix(".names").write_text("\n".join(names), encoding="utf-8")
        np.save(path.with_suffix(".npy"), np.concatenate(parts, axis=1))

    def _features(self, name, pipeline):
        measured = [column[1] for column in pipeline.get_measurement_columns() if column[0] == name]
        return sorted(self.filter_columns(measured, name))

    def _values(self, measurements, name, features, number):
        """Return the values of an image's objects (2 + features, objects): image number, object number, features."""
        count = _count(measurements, name, number)
        values = np.full((2 + len(features), count), np.nan)
        values[0], values[1] = number, np.arange(1, count + 1)
        for place, feature in enumerate(features, start=2):
            held = measurements.has_feature(name, feature)
            found = measurements.get_measurement(name, feature, number) if held else None
            if found is not None and count:
                row = as_written(np.asarray(found), feature)[:count]
                values[place, : len(row)] = row
        if self.nan_representation == stock.NANS_AS_NULLS:
            values[~np.isfinite(values)] = np.nan
        return values


def as_written(column: np.ndarray, feature: str) -> np.ndarray:
    """Return numbers as those that a csv of them says: of a float32 it has the fewest digits that tell it."""
    if column.dtype.kind not in "iuf":
        raise Unsuited(f"{feature} is no number")
    return column.astype(str).astype(float) if column.dtype == SHORT else column


def _count(measurements, name, number):
    found = measurements.get_measurement(stock.IMAGE, f"Count_{name}", number)
    return int(found) if found and not np.isnan(found) else 0
