"""Read planes out of files of many forms: a page of a TIFF, a part of a Zarr array, a plane of a CZI's directory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
import zarr

Pixels = np.ndarray[Any, Any]
ZSTD, ZSTD_WITH_HEADER = 5, 6
"""Compressions of CZI that czifile does not undo."""
GREY, PALETTE = 1, 3
"""TIFF's PhotometricInterpretation for 0 is black, and for the number of a colour."""


def read(path: Path, parts: Sequence[str]) -> Iterator[Pixels]:
    """Yield the planes of a file at some parts, in their order: (height, width), of the file's type, in native order.

    Raises ValueError, naming the file, if there is no such plane, or it cannot be decoded.
    """
    if not path.exists():
        raise ValueError(f"{path.name} is missing")
    of_file = _of_czi if path.suffix.lower() == ".czi" else _of_tiff
    planes = _of_array(path, parts) if path.is_dir() else of_file(path, parts)
    try:
        for part, plane in zip(parts, planes):
            if plane.ndim != 2 or plane.size == 0:
                raise ValueError(f"part {part or 0} is no single grey plane: its shape is {plane.shape}")
            yield plane.astype(plane.dtype.newbyteorder("="), copy=False)
    except Exception as error:  # tifffile, zarr and their codecs raise many kinds
        raise ValueError(f"{path.name} does not decode ({type(error).__name__}: {error})") from error


def absent(path: Path) -> int:
    """Return how many chunks of an array are not there; of a file none."""
    if not path.is_dir():
        return 0
    array = zarr.open_array(path, mode="r")
    return array.nchunks - array.nchunks_initialized


def _of_array(path: Path, parts: Sequence[str]) -> Iterator[Pixels]:
    array = zarr.open_array(path, mode="r")
    for part in parts:
        index = tuple(int(number) for number in part.split(","))
        yield np.asarray(array[index if array.ndim > len("yx") else ...])


def _of_czi(path: Path, parts: Sequence[str]) -> Iterator[Pixels]:
    import czifile  # here, because few plates have such files

    with czifile.CziFile(str(path)) as file:
        for part in parts:
            entry = file.subblock_directory[int(part)]
            block = entry.data_segment()
            if entry.compression in (ZSTD, ZSTD_WITH_HEADER):
                yield _of_zstd(block.data(raw=True), entry)
            else:
                yield np.asarray(block.data(resize=False)).reshape(_plane_shape(entry))


def _of_zstd(packed: bytes, entry: Any) -> Pixels:
    """Return a plane that is compressed by zstd: perhaps behind a header, which may say that bytes are sorted.

    Sorted, the lower bytes of all pixels come first, then the higher ones (Zeiss' specification, Zstd1).
    """
    length = packed[0] if entry.compression == ZSTD_WITH_HEADER else 0
    is_sorted = length >= 3 and packed[1] == 1 and bool(packed[2] & 1)
    pixels = np.frombuffer(imagecodecs.zstd_decode(packed[length:]), np.uint8)
    if is_sorted:
        pixels = np.ascontiguousarray(pixels.reshape(2, -1).T)
    return pixels.view(np.dtype(entry.dtype)).reshape(_plane_shape(entry))


def _plane_shape(entry: Any) -> tuple[int, ...]:
    """Return height and width: the last but the values of a pixel, of which a grey one has one."""
    return tuple(entry.stored_shape[-3:-1])


def _of_tiff(path: Path, parts: Sequence[str]) -> Iterator[Pixels]:
    with tifffile.TiffFile(path) as tiff:
        for part in parts:
            yield _page(tiff, int(part or 0))


def _page(tiff: tifffile.TiffFile, number: int) -> Pixels:
    """Return a page; of a file that describes one page of a whole stack, as ImageJ writes it, a plane of the stack."""
    if number >= len(tiff.pages):
        stack = tiff.series[0].asarray(out="memmap")  # nothing is compressed there: of the file one plane is read
        return np.array(stack.reshape(-1, *stack.shape[-2:])[number])
    page = tiff.pages[number]
    kind = page.keyframe
    if kind is None or kind.samplesperpixel != 1 or not _is_grey(kind):
        raise ValueError(f"page {number} is no grey image")
    return np.asarray(page.asarray())


def _is_grey(page: tifffile.TiffPage) -> bool:
    """Say whether pixels are brightnesses: of a palette, whether no colour falls with its number, and one rises."""
    if page.photometric != PALETTE or page.colormap is None:
        return page.photometric == GREY
    steps = np.diff(page.colormap.astype(np.int64))
    return bool((steps >= 0).all() and (steps > 0).any())
