"""Draw the cells of a site: where they lie and what each of them looks like."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from data.demo.fields import texture
from data.demo.plan import Compound, Look

SIZE = 360  # pixels, a site is square
MARGIN = 64  # pixels around the site where cells lie too, so that some are cut by its border
CROWDING = 0.9  # least distance of two nuclei, in mean cell radii
COLONIES = 0.75  # how unevenly cells lie: 0 evenly, 1 in dense colonies
CELL_SPREAD = 0.45  # deviation of a compound's effect between cells, in strengths
WELL_SPREAD = 0.16  # and between wells
HARMONICS = 5  # an outline is a circle with waves of order 2 to 5

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """One entry a cell; positions in pixels from the site's corner, angles in radians."""

    x: Vector
    y: Vector
    angle: Vector
    mitotic: NDArray[np.bool_]
    looks: dict[str, Vector]  # the fields of plan.Look, cell by cell
    outline: NDArray[np.complex128]  # waves of the cell's outline, one column an order
    notches: NDArray[np.complex128]  # waves of the nucleus's outline
    stained: Vector  # how strongly a cell takes up dye, around 1

    def __len__(self) -> int:
        return len(self.x)


def blend(name: str, compound: Compound, strength: Vector) -> Vector:
    """Move a control's value towards the full phenotype's, geometrically."""
    plain = float(getattr(Look, name))
    full = compound.phenotype.full.get(name, plain)
    return plain * (full / plain) ** strength


def scatter(count: int, radius: float, rng: np.random.Generator) -> tuple[Vector, Vector]:
    """Place nuclei in colonies, none nearer to another than cells allow."""
    whole = SIZE + 2 * MARGIN
    crowd = texture(rng, whole, 45.0, 200.0)
    wanted = round(count * (whole / SIZE) ** 2)
    placed = np.empty((0, 2))
    for spacing in (1.0, 0.85, 0.7):  # crowded sites give way
        for spot in rng.uniform(0, whole, (40 * wanted, 2)):
            if len(placed) == wanted:
                break
            welcome = 1 / (1 + np.exp(-2.5 * COLONIES * crowd[int(spot[0]), int(spot[1])] - 0.3))
            near = np.hypot(*(placed - spot).T).min(initial=np.inf) < spacing * CROWDING * radius
            if not near and rng.random() < welcome:
                placed = np.vstack([placed, spot])
    return placed[:, 1] - MARGIN, placed[:, 0] - MARGIN


def waves(count: int, depth: Vector, rng: np.random.Generator) -> NDArray[np.complex128]:
    """Draw the random waves of outlines, weaker with their order."""
    order = np.arange(2, HARMONICS + 1)
    drawn = rng.standard_normal((count, len(order))) + 1j * rng.standard_normal((count, len(order)))
    drawn *= depth[:, None] / order * 2
    return drawn


def individual(name: str, compound: Compound, strength: Vector, rng: np.random.Generator) -> Vector:
    """Give every cell its own value of a look."""
    spread = 0.10 if name in ("nucleus_radius", "cell_radius") else 0.2
    return blend(name, compound, strength) * np.exp(spread * rng.standard_normal(len(strength)))


def draw(compound: Compound, rng: np.random.Generator) -> Cells:
    """Draw the cells of a well that holds a compound."""
    well = np.array([compound.strength * np.exp(WELL_SPREAD * rng.standard_normal())])
    expected = blend("cells", compound, well)[0] * np.exp(0.10 * rng.standard_normal())
    x, y = scatter(expected, float(Look.cell_radius), rng)
    strength = well * np.clip(1 + CELL_SPREAD * rng.standard_normal(len(x)), 0, 2)
    looks = {each.name: individual(each.name, compound, strength, rng) for each in fields(Look)}
    mitotic = rng.random(len(x)) < blend("mitotic", compound, well)[0]
    return Cells(
        x=x,
        y=y,
        angle=rng.uniform(0, np.pi, len(x)),
        mitotic=mitotic,
        looks=looks,
        outline=waves(len(x), np.full(len(x), 0.11), rng),
        notches=waves(len(x), looks["lobing"], rng),
        stained=np.exp(0.18 * rng.standard_normal(len(x))),
    )
