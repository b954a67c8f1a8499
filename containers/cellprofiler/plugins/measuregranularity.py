"""MeasureGranularity with a max-tree in place of a reconstruction for each step; the same settings and numbers."""

from __future__ import annotations

import numpy as np
from cellprofiler.modules import measuregranularity as stock
from kernels import assumptions, granularity
from kernels.assumptions import Unsuited


class MeasureGranularity(stock.MeasureGranularity):
    """Takes the place of CellProfiler's own module of this name."""

    def run(self, workspace):
        self._objects = None  # the runs of this image set's objects, found once for all images
        super().run(workspace)

    def run_on_image_setting(self, workspace, image_name):
        try:
            return self._measure(workspace, image_name)
        except Unsuited as reason:
            assumptions.say_stock(self.module_name, image_name, reason)
            return super().run_on_image_setting(workspace, image_name)

    def _measure(self, workspace, image_name):
        image = assumptions.pixels_of(workspace.image_set.get_image(image_name, must_be_grayscale=True))
        names = self.objects_list.value
        sets = [assumptions.labels_of(workspace.object_set.get_objects(name), image) for name in names]
        if min(image.shape) < 2:
            raise Unsuited("it is one pixel wide")
        prepared = granularity.prepare(image, self._settings())
        objects = self._objects = self._objects or granularity.Objects(sets)
        means = objects.means(image, granularity.grid([np.arange(side) for side in image.shape], image.shape))
        starts = [np.maximum(mean, np.finfo(float).eps) for mean in means]

        mean = prepared.pixels.ravel().mean()
        start = max(mean, np.finfo(float).eps)
        statistics = [image_name]
        for step, opened in enumerate(granularity.openings(prepared.pixels, self._settings().steps), start=1):
            feature = self.granularity_feature(step, image_name)
            previous, mean = mean, opened.ravel().mean()
            lost = (previous - mean) * 100 / start
            statistics += [f"{lost:.2f}"]
            workspace.measurements.add_image_measurement(feature, lost)
            now = objects.means(opened, prepared.back)
            for name, before, after, scale in zip(names, means, now, starts):
                workspace.measurements.add_measurement(name, feature, (before - after) * 100 / scale)
            means = now
        return statistics

    def _settings(self):
        return granularity.Settings(
            self.subsample_size.value,
            self.image_sample_size.value,
            self.element_size.value,
            self.granular_spectrum_length.value,
        )
