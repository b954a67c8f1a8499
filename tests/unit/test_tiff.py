"""The header of a TIFF, read with the standard library, says what tifffile says."""

from __future__ import annotations

import ast
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tasks.dataset import layout
from tasks.instruments import tiff
from tasks.instruments.tiff import BadTiffError

GREY = np.arange(48 * 64, dtype=np.uint16).reshape(48, 64)
RAMP = np.stack([np.zeros(256), np.arange(256) * 256, np.zeros(256)]).astype(np.uint16)
KINDS: dict[str, tuple[np.ndarray[Any, Any], dict[str, Any], str]] = {
    "plain": (GREY, {}, ""),
    "8 bits": (GREY.astype(np.uint8), {}, ""),
    "big-endian": (GREY, {"byteorder": ">"}, ""),
    "BigTIFF": (GREY, {"bigtiff": True}, ""),
    "BigTIFF, big-endian": (GREY, {"bigtiff": True, "byteorder": ">"}, ""),
    "tiles": (GREY, {"tile": (16, 16)}, ""),
    "LZW": (GREY, {"compression": "lzw"}, ""),
    "Deflate": (GREY, {"compression": "zlib"}, ""),
    "PackBits": (GREY.astype(np.uint8), {"compression": "packbits"}, ""),
    "many strips": (GREY, {"rowsperstrip": 1}, ""),
    "zstd": (GREY, {"compression": "zstd"}, ""),
    "LERC": (GREY, {"compression": "lerc"}, ""),
    "JPEG 2000": (GREY, {"compression": "jpeg2000"}, ""),
    "JPEG": (GREY.astype(np.uint8), {"compression": "jpeg"}, "compression"),
    "float": (GREY.astype(np.float32), {}, "float32"),
    "signed": (GREY.astype(np.int16), {}, "int16"),
    "32 bits": (GREY.astype(np.uint32), {}, "uint32"),
    "colour": (np.zeros((48, 64, 3), np.uint8), {"photometric": "rgb"}, "no grey image (red"),
    "white is zero": (GREY, {"photometric": "miniswhite"}, "no grey image (white"),
    "palette, a ramp": (GREY.astype(np.uint8), {"photometric": "palette", "colormap": RAMP}, ""),
    "palette, bright is black": (
        GREY.astype(np.uint8),
        {"photometric": "palette", "colormap": RAMP[:, ::-1]},
        "palette",
    ),
    "palette, all black": (GREY.astype(np.uint8), {"photometric": "palette", "colormap": RAMP * 0}, "palette"),
    "pages": (np.stack([GREY] * 3), {"photometric": "minisblack"}, ""),
    "hyperstack": (np.stack([GREY] * 4), {"imagej": True}, ""),
    "OME-TIFF": (np.stack([GREY] * 3), {"photometric": "minisblack", "ome": True}, ""),
}


@pytest.mark.parametrize(("image", "how", "unsuited"), KINDS.values(), ids=KINDS)
def test_it_says_what_tifffile_says(tmp_path: Path, image: np.ndarray[Any, Any], how: Any, unsuited: str) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, image, **how)
    header = tiff.read(path)
    with tifffile.TiffFile(path) as told:
        page = told.pages[0]

        assert (header.width, header.height) == (page.imagewidth, page.imagelength)
        assert header.pixels == str(page.dtype)
        assert (header.photometric, header.samples) == (page.photometric, page.samplesperpixel)
        assert header.compression == page.compression
        count = max(len(told.pages), image.shape[0] if how.get("imagej") else 1)
        assert header.pages == tuple(range(count))
    said = header.unsuited("")
    assert bool(said) == bool(unsuited)
    assert unsuited in said
    assert header.plain == (
        not unsuited and count == 1 and header.compression in tiff.COMPRESSIONS and "colormap" not in how
    )


@pytest.mark.parametrize("kind", [np.float32, np.int16, np.uint32])
def test_pixels_whose_black_and_white_somebody_says_can_be_imported(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY.astype(kind))
    header = tiff.read(path)

    assert not header.plain
    assert "[images] scale" in header.unsuited("")
    assert header.unsuited("0:4095") == ""


def test_every_page_is_judged(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(GREY)
        file.write(GREY.astype(np.float32))

    assert "page 1 is 64 x 48 float32, the first 64 x 48 uint16" in tiff.read(path).unsuited("")


def test_a_stack_whose_last_plane_is_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    for how in ({"imagej": True}, {"photometric": "minisblack"}, {"ome": True}):
        tifffile.imwrite(path, np.stack([GREY] * 3), **how)
        tiff.read(path)
        path.write_bytes(path.read_bytes()[: GREY.nbytes * 3])

        with pytest.raises(BadTiffError, match="cut off"):
            tiff.read(path)


@pytest.mark.parametrize("kept", [0, 3, 20, 200, -1], ids=lambda kept: f"{kept} bytes")
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, GREY)
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(BadTiffError):
        tiff.read(path)


def test_an_entry_that_claims_too_much_is_no_header(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    entry = struct.pack("<HHII", tiff.OFFSETS, 4, 1 << 31, 8)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 0))

    with pytest.raises(BadTiffError, match="claims"):
        tiff.read(path)


def test_pages_that_lead_back_to_the_first_are_not_read_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    entry = struct.pack("<HHII", tiff.WIDTH, 4, 1, 8)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 8))

    with pytest.raises(BadTiffError):
        tiff.read(path)


def test_it_knows_the_compressions_that_preflight_knows() -> None:
    program = (layout.CONTAINERS / "gallery/tiff_headers.py").read_text()
    found = re.search(r"^COMPRESSIONS = (\{.*\})$", program, re.MULTILINE)

    assert found
    assert ast.literal_eval(found[1]) == tiff.COMPRESSIONS


def test_a_description_of_a_whole_plate_is_read(tmp_path: Path) -> None:
    text = "<OME>" + "x" * (5 << 20)
    tifffile.imwrite(tmp_path / "a.tif", GREY, description=text, metadata=None)

    assert tiff.read(tmp_path / "a.tif").description == text


def test_an_image_behind_its_own_thumbnail_is_not_measured_as_it_lies(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(GREY[::4, ::4], subfiletype=1)
        file.write(GREY)
    header = tiff.read(tmp_path / "a.tif")

    assert (header.width, header.height, header.pages, header.plain) == (64, 48, (1,), False)
