"""Which file of a folder holds the label image of a site's nuclei or cells, and what is in it.

A label image has 0 outside of objects, and inside of each the object's own whole number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Optional

import imagecodecs
import numpy as np
import tifffile
from scipy import ndimage

import load_data

KINDS = ("nuclei", "cells")
SUFFIXES = (".tif", ".tiff", ".png")
SAYS_KIND = {
    "nuclei": re.compile(r"(?<![a-z])nucle(i|us)(?![a-z])", re.IGNORECASE),
    "cells": re.compile(r"(?<![a-z])cells?(?![a-z])", re.IGNORECASE),  # not cellpose
}
OTHER = re.compile(r"cytoplasm|outline|flows?|probabilit", re.IGNORECASE)
"""What else segmenters write beside label images."""
MOST_OBJECTS = 65535
"""So many numbers has an image of 16 bits, in which objects are measured."""
Names = Mapping[str, list[str]]


def assign(
    files: Sequence[str], row: load_data.Row, channels: Sequence[str], nuclei_channel: str
) -> dict[str, list[str]]:
    """Return the files (paths below the folder) of a site's nuclei and cells.

    A file is of a site if its name begins with `<Well>_s<Site>` or with the name of one of the site's images. It is of
    nuclei or cells as its folder or the rest of its name says; else nuclei lie in their channel, cells in any other.
    """
    stems = {Path(row[load_data.ORIGINAL + channel]).stem: channel for channel in channels}
    stems[f"{row['Metadata_Well']}_s{row['Metadata_Site']}"] = ""
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for file in files:
        path = PurePosixPath(file)
        stem = next((stem for stem in stems if _begins(path.name, stem)), None)
        if stem is None:
            continue
        kind = _kind(path, path.name[len(stem) :], stems[stem], nuclei_channel)
        found.get(kind, []).append(file)
    return found


def _begins(name: str, stem: str) -> bool:
    """Say whether a name begins with a stem and does not go on with its last number: A01_s1, not A01_s12."""
    return name.startswith(stem) and not (stem[-1:].isdigit() and name[len(stem) : len(stem) + 1].isdigit())


def _kind(path: PurePosixPath, rest: str, channel: str, nuclei_channel: str) -> str:
    if OTHER.search(rest):
        return ""
    for text in (rest, *reversed(path.parts[:-1])):
        kinds = [kind for kind, words in SAYS_KIND.items() if words.search(text)]
        if len(kinds) == 1:
            return kinds[0]
    if not channel:
        return ""
    return "nuclei" if channel == nuclei_channel else "cells"


def usable(files: Sequence[str]) -> list[str]:
    """Return the files that may hold a label image, by their suffix."""
    return [file for file in files if Path(file).suffix.lower() in SUFFIXES]


def read(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Return a label image, of int64; ValueError says why it is none, or not of this shape (height, width)."""
    try:
        labels = _decoded(path)
    except Exception as error:  # the codecs raise many kinds
        raise ValueError(f"{path.name} does not decode ({type(error).__name__}: {error})") from error
    for fault in _faults(labels, shape):
        raise ValueError(f"{path.name} {fault}")
    return labels.astype(np.int64)


def _decoded(path: Path) -> np.ndarray:
    if path.suffix.lower() == ".png":
        return np.squeeze(imagecodecs.png_decode(path.read_bytes()))
    return np.squeeze(tifffile.imread(path))


def _faults(labels: np.ndarray, shape: tuple[int, ...]) -> Iterator[str]:
    """Yield what is wrong with a label image, the gravest first."""
    if labels.dtype.kind not in "uib":
        yield f"holds {labels.dtype}; save it as whole numbers, one an object (uint16 or int32)"
    if labels.ndim != 2:
        yield f"has the shape {labels.shape}; a label image is one grey plane"
    if labels.shape != shape:
        yield f"is {_size(labels.shape)}, the site's images are {_size(shape)}"
    if labels.size and labels.min() < 0:
        yield f"holds the number {labels.min()}; objects are numbered from 1, and 0 is outside"
    numbers = np.unique(labels)
    if len(numbers) - 1 > MOST_OBJECTS:
        yield f"has {len(numbers) - 1} objects; a site may have {MOST_OBJECTS:,}"
    pieces = int(ndimage.label(labels)[1]) if len(numbers) == 2 else 1
    if pieces > 1:
        yield f"holds the number {numbers[-1]} alone, in {pieces} pieces: give each object a number of its own"


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def pair(nuclei: np.ndarray, cells: Optional[np.ndarray]) -> tuple[np.ndarray, Optional[np.ndarray], dict[str, int]]:
    """Return nuclei and cells with numbers from 1 on, a cell's that of its nucleus, and how many have no partner.

    A nucleus and a cell are partners if each covers more of the other than any other does. Nuclei keep their order.
    """
    if cells is None:
        return _renumbered(nuclei, np.unique(nuclei[nuclei > 0])), None, {}
    own, of_cells, shared = _overlaps(nuclei, cells)
    partners = [
        (own[row], of_cells[column])
        for row, column in enumerate(shared.argmax(axis=1) if shared.size else ())
        if shared[row, column] and shared[:, column].argmax() == row
    ]
    lone = {"nuclei": len(own) - len(partners), "cells": len(of_cells) - len(partners)}
    kept_nuclei = np.array([nucleus for nucleus, _ in partners], np.int64)
    kept_cells = np.array([cell for _, cell in partners], np.int64)
    return _renumbered(nuclei, kept_nuclei), _renumbered(cells, kept_cells), lone


def _overlaps(nuclei: np.ndarray, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of nuclei and of cells, sorted, and how many pixels each pair shares."""
    own, of_cells = np.unique(nuclei[nuclei > 0]), np.unique(cells[cells > 0])
    shared = np.zeros((len(own), len(of_cells)), np.int64)
    both = (nuclei > 0) & (cells > 0)
    np.add.at(shared, (np.searchsorted(own, nuclei[both]), np.searchsorted(of_cells, cells[both])), 1)
    return own, of_cells, shared


def _renumbered(labels: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return labels, of uint16, with 1 for the first number that is kept, 2 for the second, 0 for all others."""
    order = np.argsort(kept)
    places = np.searchsorted(kept[order], labels)
    known = (labels > 0) & np.isin(labels, kept)
    found = np.zeros(labels.shape, np.uint16)
    found[known] = order[places[known]] + 1
    return found
