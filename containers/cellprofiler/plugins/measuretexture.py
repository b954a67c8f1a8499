"""MeasureTexture with sparse co-occurrence matrices, of objects and of whole images; the same settings and numbers."""

from __future__ import annotations

import numpy as np
import skimage.exposure
import skimage.util
from cellprofiler.modules import measuretexture as stock
from kernels import assumptions, texture
from kernels.assumptions import Unsuited


class MeasureTexture(stock.MeasureTexture):
    """Takes the place of CellProfiler's own module of this name."""

    def run(self, workspace):
        self._greys, self._objects = {}, {}  # of this image set
        super().run(workspace)

    def run_image(self, image_name, scale, workspace):
        try:
            features = texture.haralick_of_image(self._whole(image_name, workspace), scale)
        except Unsuited as reason:
            assumptions.say_stock(self.module_name, image_name, reason)
            return super().run_image(image_name, scale, workspace)
        for direction, of_direction in enumerate(features):
            for name, value in zip(stock.F_HARALICK, of_direction):
                measurement = self._measurement(name, image_name, scale, direction)
                workspace.measurements.add_image_measurement(measurement, value if np.isfinite(value) else 0)
        return []

    def run_one(self, image_name, object_name, scale, workspace):
        try:
            features = self._features(image_name, object_name, scale, workspace)
        except Unsuited as reason:
            assumptions.say_stock(self.module_name, f"{image_name} in {object_name}", reason)
            return super().run_one(image_name, object_name, scale, workspace)
        for direction, of_direction in enumerate(features):
            for name, values in zip(stock.F_HARALICK, of_direction):
                values[~np.isfinite(values)] = 0
                workspace.add_measurement(object_name, self._measurement(name, image_name, scale, direction), values)
        return []

    def _measurement(self, name, image_name, scale, direction):
        return f"{stock.TEXTURE}_{name}_{image_name}_{scale}_{direction:02d}_{int(self.gray_levels.value)}"

    def _whole(self, image_name, workspace):
        """Return an image's grey levels, found once for all scales and objects."""
        if self.show_window:
            raise Unsuited("its window wants stock's statistics")
        if image_name not in self._greys:
            self._greys[image_name] = self._grey(workspace.image_set.get_image(image_name, must_be_grayscale=True))
        return self._greys[image_name]

    def _features(self, image_name, object_name, scale, workspace):
        grey = self._whole(image_name, workspace)
        if object_name not in self._objects:
            labels = assumptions.labels_of(workspace.get_objects(object_name), grey)
            self._objects[object_name] = texture.Objects(labels)
        objects = self._objects[object_name]
        if objects.labels.shape != grey.shape:
            raise Unsuited(f"the objects' image is {objects.labels.shape}, the image {grey.shape}")
        return texture.haralick(grey, objects, scale)

    def _grey(self, image):
        grey = skimage.util.img_as_ubyte(assumptions.pixels_of(image))
        levels = int(self.gray_levels.value)
        if levels == 256:
            return grey
        return skimage.exposure.rescale_intensity(grey, in_range=(0, 255), out_range=(0, levels - 1)).astype(np.uint8)
