"""Draw a batch of profiles in the shape of CPJUMP1's: 12 groups, 40 plates of 384 wells, planted phenotypes."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

BATCH = "2026_02_01_Drawn"
WELLS = [f"{row}{column:02d}" for row in "ABCDEFGHIJKLMNOP" for column in range(1, 25)]
# modality, reagents, replicates on a plate, negative controls, plates a group, hours, strength of the phenotypes
MODALITIES = (
    ("compound", 306, 1, 64, 4, (24, 48), 0.3),
    ("crispr", 305, 1, 75, 4, (96, 144), 0.25),
    ("orf", 160, 2, 60, 2, (48, 96), 0.2),
)
GENES, CELLS = 153, ("A549", "U2OS")


@dataclass(frozen=True)
class Drawing:
    """What is drawn: the number of features, how many of the groups, how strong the phenotypes are."""

    features: int = 904
    groups: int = 12
    seed: int = 1
    strength: float = 1.0

    def write(self, dataset: Path) -> int:
        """Write profiles and metadata below a dataset's folder, as in the gallery; return the number of plates."""
        rng = np.random.default_rng(self.seed)
        genes = rng.normal(size=(GENES, self.features))
        rows, names = [], []
        for modality, cell, hours, group in self._groups():
            for replicate in range(group[4]):
                plate = f"{modality[:2].upper()}{cell[0]}{hours:03d}{replicate}"
                self._plate(dataset, plate, group, genes, rng)
                rows.append([BATCH, plate, modality, cell, hours])
                names.append([plate, f"{modality}_platemap"])
        metadata = dataset / "workspace/metadata"
        header = ["Batch", "Assay_Plate_Barcode", "Perturbation", "Cell_type", "Time"]
        _table(metadata / "platemaps" / BATCH / "experiment-metadata.tsv", "\t", [header, *rows])
        header = ["Assay_Plate_Barcode", "Plate_Map_Name"]
        _table(metadata / "platemaps" / BATCH / "barcode_platemap.csv", ",", [header, *names])
        for modality, reagents, *_ in MODALITIES:
            self._annotations(metadata / "external_metadata" / f"{modality}_metadata.tsv", modality, reagents)
        return len(rows)

    def write_deep(self, dataset: Path, noise: float) -> None:
        """Write the same profiles with noise as another feature set's, in the batch where deep profiles lie."""
        rng = np.random.default_rng(self.seed)
        for path in sorted((dataset / "workspace/profiles" / BATCH).glob("*/*.csv.gz")):
            plate = path.parent.name
            table = pd.read_csv(path, keep_default_na=False)
            names = [name for name in table if not name.startswith("Metadata_")]
            table[names] += noise * rng.normal(size=table[names].shape)
            renamed = table.rename(columns={name: f"deep_{number}" for number, name in enumerate(names)})
            folder = dataset / "workspace/profiles" / f"{BATCH}_DL" / plate
            folder.mkdir(parents=True)
            renamed.to_csv(folder / f"{plate}_spherized.csv.gz", index=False, compression="gzip")

    def _groups(self) -> list[tuple[str, str, int, tuple]]:
        every = [(group[0], cell, hours, group) for group in MODALITIES for cell in CELLS for hours in group[5]]
        return every[: self.groups]

    def _plate(self, dataset: Path, plate: str, group: tuple, genes: np.ndarray, rng: np.random.Generator) -> None:
        modality, reagents, copies, negatives, _, _, strength = group
        which = np.concatenate([np.tile(np.arange(reagents), copies), np.full(negatives, -1)])[: len(WELLS)]
        values = rng.normal(size=(len(which), self.features))
        # Half of the genes do something; a reagent does a little of what its gene does, and more of its own.
        own = np.random.default_rng(self.seed + len(modality)).normal(size=(reagents, self.features))
        active = (which >= 0) & (which % GENES < GENES // 2)
        values[active] += self.strength * strength * (0.4 * genes[which[active] % GENES] + 0.9 * own[which[active]])
        table = pd.DataFrame(values, columns=[f"Cells_Texture_{number}" for number in range(self.features)])
        samples = [_name(modality, number) if number >= 0 else "" for number in which]
        table.insert(0, "Metadata_control_type", np.where(which < 0, "negcon", ""))
        table.insert(0, "Metadata_broad_sample", samples)
        table.insert(0, "Metadata_Well", WELLS[: len(which)])
        table.insert(0, "Metadata_Plate", plate)
        folder = dataset / "workspace/profiles" / BATCH / plate
        folder.mkdir(parents=True)
        path = folder / f"{plate}_normalized_feature_select_negcon_batch.csv.gz"
        table.to_csv(path, index=False, float_format="%.5g", compression={"method": "gzip", "compresslevel": 1})

    def _annotations(self, path: Path, modality: str, reagents: int) -> None:
        if modality != "compound":
            rows = [["broad_sample", "gene"]]
            rows += [[_name(modality, number), f"GENE{number % GENES}"] for number in range(reagents)]
        else:
            rng = np.random.default_rng(self.seed)
            rows = [["broad_sample", "target_list"]]
            for number in range(reagents):
                others = rng.integers(GENES, 600, size=int(rng.integers(0, 8)))  # most known targets have no reagent
                targets = dict.fromkeys([number % GENES, *others.tolist()])
                rows.append([_name(modality, number), "|".join(f"GENE{gene}" for gene in targets)])
        _table(path, "\t", rows)


def _name(modality: str, number: int) -> str:
    return f"{modality}-{number:03d}"


def _table(path: Path, separator: str, rows: list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as lines:
        csv.writer(lines, delimiter=separator).writerows(rows)
