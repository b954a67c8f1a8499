"""MeasureObjectIntensity with pixels grouped by object once an object set; the same settings and numbers."""

from __future__ import annotations

from cellprofiler.modules import measureobjectintensity as stock
from kernels import assumptions, intensity
from kernels.assumptions import Unsuited

# In stock's order, which is that of the columns.
INTENSITIES = stock.ALL_MEASUREMENTS
LOCATIONS = stock.ALL_LOCATION_MEASUREMENTS


class MeasureObjectIntensity(stock.MeasureObjectIntensity):
    """Takes the place of CellProfiler's own module of this name."""

    def run(self, workspace):
        try:
            found = list(self._measure(workspace))
        except Unsuited as reason:
            assumptions.say_stock(self.module_name, "its images", reason)
            super().run(workspace)
            return
        for object_name, feature, values in found:
            workspace.measurements.add_measurement(object_name, feature, values)

    def _measure(self, workspace):
        """Yield every feature of every object set on every image; raise Unsuited before any is recorded."""
        if self.show_window:
            raise Unsuited("its window wants stock's statistics")
        if not self.images_list.value or not self.objects_list.value:
            raise Unsuited("it has no images or no objects")
        edged = {}
        for image_name in self.images_list.value:
            pixels = assumptions.pixels_of(workspace.image_set.get_image(image_name, must_be_grayscale=True))
            for object_name in self.objects_list.value:
                if object_name not in workspace.object_set.object_names:
                    raise Unsuited(f"there are no {object_name}")
                objects = workspace.object_set.get_objects(object_name)
                if len(objects.get_labels()) != 1:
                    raise Unsuited(f"the {object_name} overlap")
                labels = assumptions.labels_of(objects, pixels)
                if object_name not in edged:
                    edged[object_name] = intensity.EdgedObjects(labels)
                found = intensity.measure(pixels, edged[object_name])
                for category, names in ((stock.INTENSITY, INTENSITIES), (stock.C_LOCATION, LOCATIONS)):
                    yield from ((object_name, f"{category}_{name}_{image_name}", found[name]) for name in names)
