"""MeasureColocalization with ranks and thresholds found once a channel; the same settings and numbers.

Colocalization of whole images and Costes' thresholds are measured by CellProfiler's own code, and it is said.
"""

from __future__ import annotations

from cellprofiler.modules import measurecolocalization as stock
from kernels import assumptions, colocalization
from kernels.assumptions import Unsuited


class MeasureColocalization(stock.MeasureColocalization):
    """Takes the place of CellProfiler's own module of this name."""

    def run(self, workspace):
        self._images, self._objects, self._channels = {}, {}, {}  # of this image set
        super().run(workspace)
        del self._images, self._objects, self._channels

    def run_image_pair_images(self, workspace, first_image_name, second_image_name):
        assumptions.say_stock(self.module_name, f"{first_image_name} and {second_image_name}", assumptions.WHOLE_IMAGES)
        return super().run_image_pair_images(workspace, first_image_name, second_image_name)

    def run_image_pair_objects(self, workspace, first_image_name, second_image_name, object_name):
        try:
            found = self._agreement(workspace, first_image_name, second_image_name, object_name)
        except Unsuited as reason:
            pair = f"{first_image_name} and {second_image_name} in {object_name}"
            assumptions.say_stock(self.module_name, pair, reason)
            return super().run_image_pair_objects(workspace, first_image_name, second_image_name, object_name)
        for name, values in self._named(found, first_image_name, second_image_name):
            workspace.measurements.add_measurement(object_name, name, values)
        return []

    def _named(self, found, first, second):
        """Yield each measurement that is wanted, in stock's order."""
        pairs = ((first, second), (second, first))
        if self.do_corr_and_slope:
            yield stock.F_CORRELATION_FORMAT % pairs[0], found.correlation
        wanted = ((self.do_manders, stock.F_MANDERS_FORMAT, found.manders),)
        wanted += ((self.do_rwc, stock.F_RWC_FORMAT, found.rank_weighted),)
        if self.do_overlap:
            wanted += ((True, stock.F_OVERLAP_FORMAT, (found.overlap,)), (True, stock.F_K_FORMAT, found.k))
        for is_wanted, name, values in wanted:
            if is_wanted:
                yield from ((name % pair, of_pair) for pair, of_pair in zip(pairs, values))

    def _agreement(self, workspace, first, second, object_name):
        if self.do_costes:
            raise Unsuited("Costes' threshold is asked for")
        if self.show_window:
            raise Unsuited("its window wants stock's statistics")
        channels = [self._channel(workspace, name, object_name) for name in (first, second)]
        return colocalization.agreement(*channels, self._objects[object_name])

    def _channel(self, workspace, image_name, object_name):
        """Return an image under a set of objects, described once for all of its pairs."""
        if image_name not in self._images:
            pixels = assumptions.pixels_of(workspace.image_set.get_image(image_name, must_be_grayscale=True))
            self._images[image_name] = pixels, colocalization.RankedImage(pixels)
        pixels, ranked = self._images[image_name]
        labels = assumptions.labels_of(workspace.object_set.get_objects(object_name), pixels)
        if object_name not in self._objects:
            self._objects[object_name] = colocalization.Objects(labels)
        if (image_name, object_name) not in self._channels:
            described = colocalization.channel(ranked, self._objects[object_name], self.thr.value)
            self._channels[image_name, object_name] = described
        return self._channels[image_name, object_name]
