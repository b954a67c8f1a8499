"""Read a TIFF of one grey plane of 8 or 16 bits, the one kind that Bio-Formats and tifffile cannot read differently."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile

from kernels.assumptions import Unsuited

SUFFIXES = (".tif", ".tiff")
# None, LZW, Deflate (two codes), PackBits.
COMPRESSIONS = (1, 5, 8, 32946, 32773)
# What a tag must say if it is there: which page it is, bits in order, black is 0, upright, one sample, whole numbers.
REQUIRED = {254: (0,), 262: (1,), 266: (1,), 274: (1,), 277: (1,), 339: (1,), 259: COMPRESSIONS, 258: (8, 16)}
# Size, strips and tiles, predictor; names, dates and resolution; the least and largest value that is there.
HARMLESS = {256, 257, 269, 271, 272, 273, 278, 279, 282, 283, 284, 285, 296, 305, 306, 315, 316, 317, 322, 323, 324}
HARMLESS |= {325, 340, 341}
# PerkinElmer's own (Opera Phenix, Operetta): what it knows of the image, in XML.
HARMLESS |= {65200, 65500}
DESCRIPTION = 270
# Bio-Formats looks for OME-XML, other planes and other scales in a description; these, of one plane, have none.
DESCRIPTIONS = ('{"shape":', "ImageJ=")


@dataclass(frozen=True)
class Plane:
    """The pixels of a file as they are stored, and the file's MD5 digest."""

    pixels: np.ndarray
    md5: str

    @property
    def scale(self) -> int:
        """Return the largest value of the type, which CellProfiler makes 1."""
        return int(np.iinfo(self.pixels.dtype).max)


def read(path: Path) -> Plane:
    """Return the plane of a file that is read once; raise Unsuited unless it is a plain grey TIFF."""
    if path.suffix.lower() not in SUFFIXES:
        raise Unsuited(f"its name does not end with {' or '.join(SUFFIXES)}")
    try:
        content = path.read_bytes()
        with tifffile.TiffFile(io.BytesIO(content)) as file:
            _check(file)
            pixels = file.pages[0].asarray()
    except Unsuited:
        raise
    except Exception as error:  # tifffile and its codecs raise many kinds; Bio-Formats may know better
        raise Unsuited(f"tifffile cannot read it ({type(error).__name__})") from error
    if pixels.ndim != 2 or pixels.dtype not in (np.uint8, np.uint16):
        raise Unsuited(f"it holds {pixels.dtype} of the shape {pixels.shape}")
    return Plane(pixels, hashlib.md5(content).hexdigest())


def _check(file: tifffile.TiffFile) -> None:
    if file.is_bigtiff or len(file.pages) != 1:
        raise Unsuited("it is a BigTIFF" if file.is_bigtiff else "it has several pages")
    for tag in file.pages[0].tags:
        if tag.code in REQUIRED and tag.value not in REQUIRED[tag.code]:
            raise Unsuited(f"its tag {tag.name} is {tag.value}")
        if tag.code == DESCRIPTION and tag.value and not str(tag.value).startswith(DESCRIPTIONS):
            raise Unsuited("its description may say how it is to be read")
        if tag.code not in REQUIRED and tag.code not in HARMLESS and tag.code != DESCRIPTION:
            raise Unsuited(f"it has the tag {tag.name}")
