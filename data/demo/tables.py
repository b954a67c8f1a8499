"""Write the demo batch's tables: what lies in which well, what is known of it, and the truth."""

from collections.abc import Iterable
from pathlib import Path

from data.demo.plan import ACQUIRED, BATCH, CHANNELS, COMPOUNDS, METADATA, PLATEMAP, PLATES, wells

Row = Iterable[object]

# The columns of JUMP-Target-1_compound_metadata_targets.tsv. The compounds are invented: they have no structure, and
# their nine-digit pubchem_cid lies beyond those in use (it shows whether a stage writes metadata exactly).
METADATA_COLUMNS = (
    *("broad_sample", "InChIKey", "pert_iname", "pubchem_cid", "gene", "target_list", "pert_type"),
    *("control_type", "smiles"),
)
DMSO = ("", "IAZDPXIOMUYVGZ-UHFFFAOYSA-N", "DMSO", 679, "", "", "control", "negcon", "CS(=O)C")
FIRST_CID = 999_000_000
# The columns of the resource's experiment table that say something here.
EXPERIMENT_COLUMNS = (
    *("Batch", "Plate_Map_Name", "Assay_Plate_Barcode", "Perturbation", "Cell_type", "Time", "Number_of_images"),
    "Cells_per_site",
)
CELLS_PER_SITE = 24  # as CellProfiler finds them, on the average of both plates
TRUTH_COLUMNS = ("broad_sample", "active", "phenotype", "target_list", "strength")


def images_folder(plate: str) -> Path:
    """Place a plate's images, below <root>/<project>/<source>."""
    return Path("images", BATCH, "images", f"{plate}__{ACQUIRED}", "Images")


# The truth lies outside platemaps/ and external_metadata/, the only folders of workspace/metadata that stages read.
TRUTH = Path("workspace", "metadata", "demo", f"{BATCH}_truth.tsv")


def table(columns: Row, rows: Iterable[Row], separator: str) -> bytes:
    """Write a table as text, its header first."""
    return "".join(separator.join(str(cell) for cell in row) + "\n" for row in [columns, *rows]).encode()


def tables() -> dict[Path, bytes]:
    """Give every table's content by its place below <root>/<project>/<source>."""
    metadata = Path("workspace", "metadata")
    platemaps = metadata / "platemaps" / BATCH
    known = [
        (each.broad_sample, "", f"demo-{each.number}", FIRST_CID + each.number, each.target_list.split("|")[0])
        + (each.target_list, "trt", "", "")
        for each in COMPOUNDS
    ]
    held = [(well, each.broad_sample if each.number else "", "DMSO") for well, each in wells().items()]
    truth = [
        (each.broad_sample, "yes" if each.active else "no", each.phenotype.name, each.target_list, each.strength)
        for each in COMPOUNDS
    ]
    barcodes = [(plate, PLATEMAP) for plate in PLATES]
    images = len(wells()) * len(CHANNELS)
    experiment = [(BATCH, PLATEMAP, plate, "compound", "demo", 48, images, CELLS_PER_SITE) for plate in PLATES]
    return {
        platemaps / "barcode_platemap.csv": table(("Assay_Plate_Barcode", "Plate_Map_Name"), barcodes, ","),
        platemaps / "experiment-metadata.tsv": table(EXPERIMENT_COLUMNS, experiment, "\t"),
        platemaps / "platemap" / f"{PLATEMAP}.txt": table(("well_position", "broad_sample", "solvent"), held, "\t"),
        metadata / "external_metadata" / f"{METADATA}.tsv": table(METADATA_COLUMNS, [*known, DMSO], "\t"),
        TRUTH: table(TRUTH_COLUMNS, truth, "\t"),
    }
