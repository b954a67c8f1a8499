"""All readers, and the forms of images that are known and cannot be read yet. A new reader is one entry here."""

from __future__ import annotations

from collections.abc import Mapping

from tasks.instruments.czi import CZI
from tasks.instruments.harmony import HARMONY
from tasks.instruments.imagexpress import IMAGEXPRESS, IMAGEXPRESS_HCS_AI
from tasks.instruments.incell import INCELL, INCELL_3000
from tasks.instruments.ome import LEICA, SCANR
from tasks.instruments.ome_tiff import OME_TIFF
from tasks.instruments.ome_zarr import OME_ZARR
from tasks.instruments.paths import compiled
from tasks.instruments.reader import Reader, pattern
from tasks.instruments.yokogawa import YOKOGAWA

CELLOMICS = Reader(
    name="cellomics",
    title="ArrayScan (Cellomics)",
    patterns=(pattern(r"(?P<plate>[^/]+)_(?P<well>(?-i:[A-Z]{1,2})\d\d)f(?P<site>\d+)d(?P<channel>\d+)\.tiff?"),),
)
GEN5 = Reader(
    name="gen5",
    title="Cytation or Lionheart (BioTek Gen5)",
    patterns=(
        pattern(
            r"(?P<well>[A-Z]{1,2}\d{1,2})_\d+_\d+_(?P<site>\d+)(?:Z(?P<z>\d+))?_(?P<channel>[^/]+)_(?P<time>\d{3})\.tiff?"
        ),
    ),
    ignored={"*_stitched*": "a stitched picture of a well", "*_zproj*": "a projection beside its planes"},
)

READERS: Mapping[str, Reader] = {
    reader.name: reader
    for reader in (
        HARMONY, IMAGEXPRESS, IMAGEXPRESS_HCS_AI, YOKOGAWA, INCELL, INCELL_3000, SCANR, LEICA, CELLOMICS, GEN5,
        OME_TIFF, OME_ZARR, CZI,
    )
}  # fmt: skip

REFUSED: Mapping[str, str] = {
    "*.c01": "a Cellomics .C01 image: export TIFF files with the instrument's software",
    "*.zarr": "no OME-Zarr plate: it needs the key plate in .zattrs or zarr.json; write an HCS plate, or grey TIFFs",
    "*.flex": "an Opera .flex image: export TIFF files with Columbus or Harmony",
    "*.nd2": (
        "a Nikon .nd2 file: export a TIFF a channel and plane with NIS-Elements, or make OME-TIFF of it, a file a "
        "well, with the well in its name (pip install nd2; nd2.ND2File(path).write_tiff('P1_A01.ome.tif'))"
    ),
    "*.lif": "a Leica .lif file: export a TIFF a channel and plane with LAS X",
}
"""Forms of names, in small letters, of images that are recognised and not read."""


def of_pattern(text: str) -> Reader:
    """Return the reader of a user's own pattern of file names."""
    return Reader(name="pattern", title="the pattern given", patterns=(compiled(text),))
