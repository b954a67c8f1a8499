"""Lay cells and nuclei over the site as maps: whose pixel it is, and how far inside."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.demo.cells import MARGIN, SIZE, Cells
from data.demo.fields import Map, texture

REACH = 86  # pixels around a nucleus within which its cell ends
NUCLEUS_REACH = 66  # and within which organelles crowd around it
CANVAS = SIZE + 2 * (MARGIN + REACH)
FAR = 9.0  # a distance, in radii, beyond every cell
MITOTIC_RADIUS = 0.55  # a dividing cell is round and small
MITOTIC_WARP = 0.3  # and smooth: so much less wrinkled than a flat one
MITOTIC_PLATE = (0.92, 0.40)  # half length and half width of a metaphase plate, in radii of a nucleus
NUCLEUS_ELONGATION = 1.32  # length / width, as measured on CPJUMP1 U2OS cells


@dataclass(frozen=True)
class Scene:
    """Maps over the site; distances are in radii, 0 at a centre and 1 at the outline."""

    owner: NDArray[np.int64]  # the cell of each pixel, -1 where there is none
    nearest: NDArray[np.int64]  # the cell whose nucleus is nearest, for pixels in no cell too
    cell: Map  # distance from the owner's centre
    gap: Map  # how much nearer the owner is than its neighbour
    nucleus: Map  # distance from the nearest nucleus's centre
    edge: Map  # pixels from the nucleus's outline, negative inside
    across: Map  # pixels across the owner's long axis


def _radial(along: Map, over: Map, ratio: float, waves: NDArray[np.complex128]) -> Map:
    """Measure the distance from the centre in radii of a wavy ellipse of area pi, `ratio` times longer than wide."""
    stretch = np.sqrt(ratio)
    plane = along / stretch + 1j * (over * stretch)
    length = np.abs(plane)
    unit = plane / np.maximum(length, 1e-9)
    outline = np.ones_like(length)
    power = unit
    for wave in waves:
        power = power * unit
        outline += (wave * power).real
    distance: Map = length / np.maximum(outline, 0.55)
    return distance


class _Canvas:
    """Collect the nearest cell and nucleus of every pixel, cell by cell."""

    def __init__(self, rng: np.random.Generator) -> None:
        shape = (CANVAS, CANVAS)
        self.owner = np.full(shape, -1)
        self.nearest = np.full(shape, -1)
        self.cell = np.full(shape, FAR)
        self.second = np.full(shape, FAR)
        self.nucleus = np.full(shape, FAR)
        self.edge = np.full(shape, 99.0)
        self.across = np.zeros(shape)
        self.warp = 2.6 * np.stack([texture(rng, CANVAS, 5.0, 14.0), texture(rng, CANVAS, 5.0, 14.0)])

    def add(self, cells: Cells, i: int) -> None:
        """Lay one cell over those that are there."""
        window, along, over = self._window(cells, i, NUCLEUS_REACH, 0.0)
        self._claim_nucleus(window, along, over, cells, i)
        window, along, over = self._window(cells, i, REACH, MITOTIC_WARP if cells.mitotic[i] else 1.0)
        self._claim_cell(window, along, over, cells, i)

    def _window(self, cells: Cells, i: int, reach: int, warped: float) -> tuple[tuple[slice, slice], Map, Map]:
        """Cut out a cell's surroundings, with coordinates along and across its long axis."""
        left, top = (round(middle) + MARGIN + REACH - reach for middle in (cells.x[i], cells.y[i]))
        window = np.s_[top : top + 2 * reach, left : left + 2 * reach]
        y, x = np.mgrid[-reach:reach, -reach:reach].astype(float)
        if warped:
            x, y = x + warped * self.warp[0][window], y + warped * self.warp[1][window]
        cosine, sine = np.cos(cells.angle[i]), np.sin(cells.angle[i])
        return window, x * cosine + y * sine, y * cosine - x * sine

    def _claim_cell(self, window: tuple[slice, slice], along: Map, over: Map, cells: Cells, i: int) -> None:
        small, ratio = (MITOTIC_RADIUS, 1.0) if cells.mitotic[i] else (1.0, cells.looks["elongation"][i])
        radius = cells.looks["cell_radius"][i] * small
        distance = _radial(along / radius, over / radius, ratio, cells.outline[i] * small**2)
        best = self.cell[window]
        closer = distance < best
        self.second[window] = np.where(closer, best, np.minimum(self.second[window], distance))
        self.across[window] = np.where(closer, over, self.across[window])
        self.owner[window] = np.where(closer, i, self.owner[window])
        self.cell[window] = np.where(closer, distance, best)

    def _claim_nucleus(self, window: tuple[slice, slice], along: Map, over: Map, cells: Cells, i: int) -> None:
        radius, ratio = cells.looks["nucleus_radius"][i], NUCLEUS_ELONGATION
        if cells.mitotic[i]:
            length, width = MITOTIC_PLATE
            radius, ratio = radius * np.sqrt(length * width), length / width
        distance = _radial(along / radius, over / radius, ratio, cells.notches[i])
        edge = (distance - 1) * radius
        closer = edge < self.edge[window]
        self.nucleus[window] = np.where(closer, distance, self.nucleus[window])
        self.nearest[window] = np.where(closer, i, self.nearest[window])
        self.edge[window] = np.where(closer, edge, self.edge[window])


def lay(cells: Cells, rng: np.random.Generator) -> Scene:
    """Lay all cells over the site."""
    canvas = _Canvas(rng)
    for i in range(len(cells)):
        canvas.add(cells, i)
    site = np.s_[MARGIN + REACH : MARGIN + REACH + SIZE, MARGIN + REACH : MARGIN + REACH + SIZE]
    cell = canvas.cell[site]
    return Scene(
        owner=np.where(cell < 1, canvas.owner[site], -1),
        nearest=canvas.nearest[site],
        cell=cell,
        gap=canvas.second[site] - cell,
        nucleus=canvas.nucleus[site],
        edge=canvas.edge[site],
        across=canvas.across[site],
    )
