"""MeasureObjectSizeShape with Zernike moments on the objects' pixels only; the same settings and numbers."""

from __future__ import annotations

from unittest import mock

from cellprofiler.modules import measureobjectsizeshape as stock
from kernels import zernike


class MeasureObjectSizeShape(stock.MeasureObjectSizeShape):
    """Takes the place of CellProfiler's own module of this name."""

    def run(self, workspace):
        with mock.patch.object(stock.centrosome.zernike, "zernike", zernike.zernike):
            super().run(workspace)
