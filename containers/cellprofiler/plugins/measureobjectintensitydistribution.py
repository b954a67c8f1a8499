"""MeasureObjectIntensityDistribution with rings and wedges laid once an object set; the same settings and numbers.

CellProfiler's own code lays them, for the first image; what other images hold is then added up on the objects' pixels.
"""

from __future__ import annotations

from unittest import mock

from cellprofiler.modules import measureobjectintensitydistribution as stock
from kernels import assumptions, rings
from kernels.assumptions import Unsuited

IN_RINGS = (stock.MF_FRAC_AT_D, stock.MF_MEAN_FRAC, stock.MF_RADIAL_CV)
BEYOND = (stock.OF_FRAC_AT_D, stock.OF_MEAN_FRAC, stock.OF_RADIAL_CV)


class MeasureObjectIntensityDistribution(stock.MeasureObjectIntensityDistribution):
    """Takes the place of CellProfiler's own module of this name."""

    def run(self, workspace):
        with mock.patch.object(stock.centrosome.cpmorphology, "distance_to_edge", rings.distance_to_edge):
            super().run(workspace)

    def calculate_zernikes(self, workspace):
        assumptions.say_stock(self.module_name, "Zernike moments", "those of intensities have no replacement")
        super().calculate_zernikes(workspace)

    def do_measurements(self, workspace, image_name, object_name, center_name, center_choice, bin_settings, dd):
        words = (workspace, image_name, object_name, center_name, center_choice, bin_settings, dd)
        try:
            pixels = self._pixels(workspace, image_name, object_name)
        except Unsuited as reason:
            assumptions.say_stock(self.module_name, f"{image_name} in {object_name}", reason)
            return super().do_measurements(*words)
        name = object_name if center_name is None else f"{object_name}_{center_name}"
        if name not in dd:  # so that stock lays the rings, and measures this first image
            return self._lay(words) if center_name is None else super().do_measurements(*words)
        count = bin_settings.bin_count.value
        laid = (name, count)
        if laid not in dd:
            labels = workspace.object_set.get_objects(object_name).segmented
            dd[laid] = rings.Rings(labels, dd[name], count)
        self._record(workspace.measurements, object_name, image_name, dd[laid], pixels, bin_settings.wants_scaled.value)
        return []

    def _lay(self, words):
        """Measure an image with stock's code, and keep where the rings around the objects' own centres are."""
        with mock.patch.object(stock.centrosome.propagate, "propagate", rings.spread):
            return super().do_measurements(*words)

    def _pixels(self, workspace, image_name, object_name):
        if self.show_window or self.heatmaps:
            raise Unsuited("its window or a heat map wants stock's pictures")
        pixels = assumptions.pixels_of(workspace.image_set.get_image(image_name, must_be_grayscale=True))
        assumptions.labels_of(workspace.object_set.get_objects(object_name), pixels)
        return pixels

    @staticmethod
    def _record(measurements, object_name, image_name, laid, pixels, is_scaled):
        found = laid.of(pixels)
        for ring in range(laid.rings + (not is_scaled)):
            values = (found.fraction[:, ring], found.mean_fraction[:, ring], laid.variation(found, ring))
            for inner, beyond, array in zip(IN_RINGS, BEYOND, values):
                beyond_last = ring == laid.rings
                feature = beyond % image_name if beyond_last else inner % (image_name, ring + 1, laid.rings)
                measurements.add_measurement(object_name, feature, array)
