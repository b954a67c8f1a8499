"""LoadData that reads plain grey TIFFs itself, each once, where CellProfiler's asks Java; the same values.

What is no such TIFF is read by CellProfiler's own code, which starts Java.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cellprofiler_core.image import FileImage, Image
from cellprofiler_core.modules import loaddata as stock
from kernels import assumptions, plain_tiff
from kernels.assumptions import Unsuited

WITHOUT_JAVA = (".npy", ".mat")  # CellProfiler reads these with Python


class LoadData(stock.LoadData):
    """Takes the place of CellProfiler's own module of this name."""

    def fetch_provider(self, name, measurements, is_image_name=True):
        provider = super().fetch_provider(name, measurements, is_image_name)
        if Path(provider.get_filename()).suffix.lower() in WITHOUT_JAVA:
            return provider
        try:
            if not is_image_name:
                raise Unsuited("it is an image of objects")
            if provider.series is not None or provider.index is not None:
                raise Unsuited("the table names a series or a frame")
            return PlainImage(provider)
        except Unsuited as reason:
            assumptions.say_stock(self.module_name, name, reason)
            return provider


class PlainImage(FileImage):
    """Provides the image of a plain grey TIFF, which is in memory as it is stored until it is let go."""

    def __init__(self, stock_provider: FileImage) -> None:
        folder, file = stock_provider.get_pathname(), stock_provider.get_filename()
        super().__init__(stock_provider.get_name(), folder, file, rescale=stock_provider.rescale)
        self._path = Path(folder) / file
        self._plane = plain_tiff.read(self._path)

    def provide_image(self, image_set):
        if self._plane is None:
            self._plane = plain_tiff.read(self._path)
        pixels, self.scale = self._plane.pixels, self._plane.scale
        if self.rescale:
            pixels = pixels.astype(np.float32) / float(self.scale)
        return Image(pixels, path_name=self.get_pathname(), file_name=self.get_filename(), scale=self.scale)

    def get_md5_hash(self, measurements):
        return (self._plane or plain_tiff.read(self._path)).md5

    def release_memory(self):
        super().release_memory()
        self._plane = None
