"""Describe the demo batch: plates, wells, compounds and the phenotypes planted in them."""

from dataclasses import dataclass

BATCH = "2026_01_01_Demo"
PLATES = ("DEMO000001", "DEMO000002")
PLATEMAP = "Demo_compound_platemap"
METADATA = "Demo_compound_metadata"
ACQUIRED = "2026-01-01T00_00_00-Measurement1"
SEED = 20260101
FIELD = 1  # the one site of a well, f01

CHANNELS = ("Mito", "AGP", "RNA", "ER", "DNA")  # ch1 to ch5, cpjump1.md section 1

# One letter or digit a well, rows A to D, columns 1 to 8: N is a negative control, a digit the compound's number.
# The same on both plates, as in CPJUMP1; no compound's two wells share a row or a column. Of four replicates each is
# asked for three: among 16 negative controls chance finds all three first once in 969, among 8 once in 165, and that
# is too often for six compounds of eight to stand out.
LAYOUT = (
    "N12N3N4N",
    "5NN7N6N8",
    "3N41N2NN",
    "N86N7N5N",
)
FOUR_WELLS = ("A01", "A02", "B02", "C04")  # the smallest useful cut: two negative controls, compound 1 twice


@dataclass(frozen=True)
class Look:
    """What the cells of a well look like; lengths in pixels, intensities in counts above the background."""

    cells: float = 29.0  # nuclei whose centre lies in the site
    mitotic: float = 0.04  # fraction of cells in metaphase
    cell_radius: float = 39.0
    elongation: float = 1.65  # length / width of a cell
    nucleus_radius: float = 13.0
    lobing: float = 0.022  # depth of a nucleus's notches, in radii
    dna: float = 7500.0
    chromatin: float = 0.14  # contrast of the chromatin's texture
    nucleoli: float = 9000.0
    rna: float = 9000.0
    er: float = 5600.0
    perinuclear: float = 1.0  # how tightly ER and RNA lie around the nucleus
    actin: float = 1500.0
    fibres: float = 600.0
    golgi: float = 9000.0
    golgi_spread: float = 0.55  # standard deviation of the Golgi's angle around the nucleus, radians
    mito: float = 2300.0
    fragmentation: float = 0.1  # share of mitochondria that are dots, not filaments


@dataclass(frozen=True)
class Phenotype:
    """The look of a well at strength 1, by the fields of Look that differ from a control's."""

    name: str
    full: dict[str, float]


UNCHANGED = Phenotype("none", {})
ARREST = Phenotype(
    "mitotic_arrest",
    {"cells": 21.5, "mitotic": 0.25, "nucleus_radius": 16.5, "lobing": 0.10, "cell_radius": 46.0, "chromatin": 0.26},
)
FRAGMENTED = Phenotype(
    "mitochondrial_fragmentation",
    {"mito": 4000.0, "fragmentation": 0.9, "er": 4300.0, "perinuclear": 1.5},
)
RELAXED = Phenotype(
    "actin_relaxation",
    {"actin": 1050.0, "fibres": 150.0, "golgi": 14000.0, "golgi_spread": 2.6, "elongation": 2.3},
)


@dataclass(frozen=True)
class Compound:
    """An invented compound; `strength` scales its phenotype (0 is a control's look, 1 the full one)."""

    number: int
    target_list: str  # separated by |, the first one is `gene`
    phenotype: Phenotype
    strength: float

    @property
    def broad_sample(self) -> str:
        """Name the reagent as platemaps do."""
        return f"DEMO-C{self.number:05d}"

    @property
    def active(self) -> bool:
        """Say whether anything is planted in the compound's wells."""
        return self.strength > 0


COMPOUNDS = (
    Compound(1, "AURKB|AURKA", ARREST, 0.48),
    Compound(2, "AURKB", ARREST, 0.57),
    Compound(3, "NDUFS1|NDUFV1", FRAGMENTED, 0.55),
    Compound(4, "NDUFS1", FRAGMENTED, 0.48),
    Compound(5, "ROCK1|ROCK2", RELAXED, 0.92),
    Compound(6, "ROCK1|ROCK2", RELAXED, 0.84),
    Compound(7, "OPRM1", UNCHANGED, 0.0),
    Compound(8, "OPRM1|OPRD1", UNCHANGED, 0.0),
)
CONTROL = Compound(0, "", UNCHANGED, 0.0)  # DMSO: no broad_sample in the platemap


def wells() -> dict[str, Compound]:
    """Say what every well of a plate holds, in the plate's order."""
    known = {str(compound.number): compound for compound in COMPOUNDS} | {"N": CONTROL}
    return {
        f"{chr(ord('A') + row)}{column:02d}": known[mark]
        for row, marks in enumerate(LAYOUT)
        for column, mark in enumerate(marks, start=1)
    }


def image_name(well: str, channel: int) -> str:
    """Name a TIFF as the microscope does: A02, 5 -> r01c02f01p01-ch5sk1fk1fl1.tiff."""
    row = ord(well[0]) - ord("A") + 1
    return f"r{row:02d}c{well[1:]}f{FIELD:02d}p01-ch{channel}sk1fk1fl1.tiff"
