"""Paint the five stains over the maps of a site, in counts above the background."""

from dataclasses import dataclass

import numpy as np

from data.demo.cells import SIZE, Cells, Vector
from data.demo.fields import Map, smooth_step, spots, texture
from data.demo.geometry import Scene

ROUNDED = 1.8  # a dividing cell is this much thicker
CONDENSED = 1.9  # and its chromatin this much brighter
CROWD = 42.0  # organelles that crowd around a nucleus end so many pixels from it
DEAD = 0.7  # mean number of dead, round, bright cells a site
DUST = 5.0  # mean number of bright specks a site


@dataclass(frozen=True)
class Anatomy:
    """What the stains share: masks from 0 to 1 and a cell's thickness."""

    body: Map  # inside a cell
    nuclear: Map  # inside a nucleus
    lamella: Map  # thickness of a cell without its nucleus: thin at the rim
    around: Map  # nearness to the nucleus, for the organelles that crowd there
    rim: Map  # the cell's outline
    grain: Map  # fine texture, common to RNA and ER as both show ribosomes
    dividing: Map  # 1 in dividing cells


class Painter:
    """Hold the maps of a site, and look the cells' own values up for every pixel."""

    def __init__(self, cells: Cells, scene: Scene, rng: np.random.Generator) -> None:
        self.cells, self.scene, self.rng = cells, scene, rng
        self.anatomy = self._anatomy()

    def of_cell(self, values: Vector) -> Map:
        """Spread one value a cell over its pixels; 0 outside."""
        return np.append(values, 0.0)[self.scene.owner]

    def of_nucleus(self, values: Vector) -> Map:
        """Spread one value a cell over the pixels around its nucleus."""
        return np.append(values, 0.0)[self.scene.nearest]

    def look(self, name: str, power: float = 1.0) -> Map:
        """Give a look of every pixel's cell, as strong as the cell takes up dye."""
        return self.of_cell(self.cells.looks[name] * self.cells.stained**power)

    def texture(self, fine: float, coarse: float) -> Map:
        """Draw a texture of the site's size."""
        return texture(self.rng, SIZE, fine, coarse)

    def _anatomy(self) -> Anatomy:
        scene = self.scene
        inside = (scene.owner >= 0).astype(float)
        middle = np.minimum(scene.gap, 1.3 * (1 - scene.cell))
        apart = smooth_step(middle, 0.0, 0.11)
        body = inside * (0.6 + 0.4 * apart) * smooth_step(1 - scene.cell, 0.0, 0.08)
        dividing = self.of_cell(self.cells.mitotic.astype(float))
        thick = 1 + dividing * (ROUNDED - 1)
        reach = 13.0 / np.maximum(self.of_cell(self.cells.looks["perinuclear"]), 0.2)
        around = np.exp(-np.maximum(scene.edge, 0) / np.maximum(reach, 1.0)) * smooth_step(
            -scene.edge, -CROWD, -CROWD / 2
        )
        return Anatomy(
            body=body,
            nuclear=1 / (1 + np.exp(np.clip(scene.edge / 0.7, -30, 30))),
            lamella=body * thick * (0.3 + 0.7 * np.clip(1 - scene.cell, 0, 1)),
            around=around * body * thick,
            rim=inside * np.exp(-(((middle - 0.07) / 0.06) ** 2)),
            grain=self.texture(0.9, 2.6) * 0.75 + self.texture(2.5, 7.0) * 0.65,
            dividing=dividing,
        )

    def nucleoli(self) -> Map:
        """Place two to five nucleoli in every nucleus that is not dividing."""
        rng, cells = self.rng, self.cells
        each = np.repeat(np.arange(len(cells)), np.where(cells.mitotic, 0, rng.integers(2, 6, len(cells))))
        radius = cells.looks["nucleus_radius"][each]
        turn, far = rng.uniform(0, 2 * np.pi, len(each)), 0.62 * radius * np.sqrt(rng.random(len(each)))
        x, y = cells.x[each] + far * np.cos(turn), cells.y[each] + far * np.sin(turn)
        size = radius * rng.uniform(0.08, 0.15, len(each))
        height = (cells.looks["nucleoli"] * cells.stained)[each] * rng.uniform(0.5, 1.0, len(each))
        return spots(SIZE, x, y, size, height) * self.anatomy.nuclear

    def golgi(self) -> Map:
        """Pile up the Golgi's stacks on one side of every nucleus."""
        rng, cells = self.rng, self.cells
        each = np.repeat(np.arange(len(cells)), np.where(cells.mitotic, 2, rng.integers(14, 34, len(cells))))
        side = rng.uniform(0, 2 * np.pi, len(cells))[each]
        turn = side + cells.looks["golgi_spread"][each] * rng.standard_normal(len(each))
        far = cells.looks["nucleus_radius"][each] * rng.normal(1.22, 0.13, len(each))
        x, y = cells.x[each] + far * np.cos(turn), cells.y[each] + far * np.sin(turn)
        height = (cells.looks["golgi"] * cells.stained)[each] * rng.uniform(0.15, 0.75, len(each))
        return spots(SIZE, x, y, rng.uniform(0.7, 1.5, len(each)), height) * self.anatomy.body

    def dna(self) -> Map:
        """Paint the nuclei, their chromatin, and the faint dye in the cytoplasm."""
        bright = 1 + (CONDENSED - 1) * self.of_nucleus(self.cells.mitotic.astype(float))
        contrast = self.of_nucleus(self.cells.looks["chromatin"])
        chromatin = np.clip(1 + contrast * (0.8 * self.texture(0.8, 2.2) + 0.6 * self.texture(2.0, 5.0)), 0.3, 2.2)
        level = self.of_nucleus(self.cells.looks["dna"] * self.cells.stained)
        return self.anatomy.nuclear * chromatin * bright * level + 130 * self.anatomy.lamella

    def rna(self) -> Map:
        """Paint ribosomes in the cytoplasm, and nucleoli."""
        it = self.anatomy
        cytoplasm = (0.4 * it.lamella + 0.75 * it.around) * (1 + 0.13 * it.grain)
        inside = 0.5 * it.nuclear * (1 - it.dividing)
        return self.look("rna") * cytoplasm * (1 - inside) + self.nucleoli()

    def er(self) -> Map:
        """Paint the reticulum: dense around the nucleus, a net towards the rim."""
        it = self.anatomy
        net = 1 + 0.16 * it.grain + 0.12 * self.texture(0.9, 2.2)
        cytoplasm = 0.25 * it.lamella + 1.0 * it.around**1.25
        inside = 0.62 * it.nuclear * (1 - it.dividing)
        return self.look("er") * cytoplasm * np.maximum(net, 0.2) * (1 - inside)

    def agp(self) -> Map:
        """Paint actin (a sheet, the rim, fibres along the cell), the plasma membrane and the Golgi."""
        it, wander = self.anatomy, self.texture(8.0, 30.0)
        stripes = np.clip(np.cos(2 * np.pi * self.scene.across / 5.5 + 1.6 * wander), 0, 1) ** 3
        fibres = stripes * smooth_step(self.texture(6.0, 18.0), -0.3, 1.2) * it.body * (1 - it.dividing)
        sheet = self.look("actin") * (it.lamella * (1 + 0.1 * self.texture(0.9, 3.0)) + 0.45 * it.rim)
        membrane = 0.75 * self.look("actin") * it.nuclear * (1 + 0.1 * self.texture(0.9, 3.0))
        return sheet + membrane + 0.5 * self.look("actin") * it.around + self.look("fibres") * fibres + self.golgi()

    def mito(self) -> Map:
        """Paint mitochondria: filaments where a random map crosses zero, dots where it peaks."""
        it = self.anatomy
        filaments = np.exp(-((self.texture(1.3, 4.0) / 0.33) ** 2)) * smooth_step(self.texture(3.0, 8.0), -0.8, 0.6)
        dots = smooth_step(self.texture(1.1, 3.0), 0.9, 2.3) * 1.5
        broken = np.clip(self.of_cell(self.cells.looks["fragmentation"]), 0, 1)
        organelles = (1 - broken) * filaments + broken * dots
        patchy = 0.7 + 0.6 * smooth_step(self.texture(9.0, 25.0), -1.0, 1.0)
        crowd = (it.around**1.2 + 0.12 * it.lamella) * (1 - 0.85 * it.nuclear) * patchy
        return self.look("mito") * crowd * (organelles + 0.25) + 90 * it.body

    def debris(self) -> dict[str, Map]:
        """Paint dead cells, bright in every channel, and specks of dust, bright in some."""
        rng = self.rng
        dead, dust = rng.poisson(DEAD), rng.poisson(DUST)
        x, y = rng.uniform(0, SIZE, (2, dead + dust))
        size = np.concatenate([rng.uniform(5.0, 7.0, dead), rng.uniform(0.8, 1.4, dust)])
        painted = {}
        for channel, level in {"Mito": 3000.0, "AGP": 9000.0, "RNA": 16000.0, "ER": 9000.0, "DNA": 14000.0}.items():
            speck = rng.uniform(0.0, 0.35, dust) * (rng.random(dust) < 0.5) * (channel != "DNA")
            height = level * np.concatenate([rng.uniform(0.5, 1.2, dead), speck])
            painted[channel] = spots(SIZE, x, y, size, height)
        return painted

    def paint(self) -> dict[str, Map]:
        """Paint all channels."""
        stained = {"Mito": self.mito(), "AGP": self.agp(), "RNA": self.rna(), "ER": self.er(), "DNA": self.dna()}
        debris = self.debris()
        return {channel: painted + debris[channel] for channel, painted in stained.items()}
