"""A plain grey TIFF is read without Java and to the same bits; what else there is goes to CellProfiler's own reader."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from tests.stages.cellprofiler.plates import Programs, make_plate

READ = Path(__file__).with_name("read_both_ways.py")
GREY = {"photometric": "minisblack", "metadata": None}

PLAIN: dict[str, tuple[type, dict[str, Any]]] = {
    "00_first.tiff": (np.uint16, GREY),
    "8_bits.tif": (np.uint8, GREY),
    "lzw.tiff": (np.uint16, {**GREY, "compression": "lzw"}),
    "lzw_predictor.tiff": (np.uint16, {**GREY, "compression": "lzw", "predictor": True}),
    "deflate.tiff": (np.uint16, {**GREY, "compression": "zlib"}),
    "packbits.tif": (np.uint8, {**GREY, "compression": "packbits"}),
    "big_endian.tiff": (np.uint16, {**GREY, "byteorder": ">"}),
    "strips.tiff": (np.uint16, {**GREY, "rowsperstrip": 7}),
    "tiles.tiff": (np.uint16, {**GREY, "tile": (16, 32)}),
    "UPPER.TIFF": (np.uint16, GREY),
    "described_by_tifffile.tiff": (np.uint16, {"photometric": "minisblack"}),
    "described_by_imagej.tiff": (np.uint16, {"imagej": True}),
    "largest_value_there.tiff": (np.uint16, {**GREY, "extratags": [(341, "H", 1, 4095, True)]}),
}
# The words that a fall back to stock gives as its reason.
OTHERS: dict[str, tuple[type, dict[str, Any], str]] = {
    "white_is_0.tiff": (np.uint8, {"photometric": "miniswhite", "metadata": None}, "PhotometricInterpretation"),
    "largest_value_said.tiff": (np.uint16, {**GREY, "extratags": [(281, "H", 1, 4095, True)]}, "MaxSampleValue"),
    "turned.tiff": (np.uint16, {**GREY, "extratags": [(274, "H", 1, 3, True)]}, "Orientation"),
    "float.tiff": (np.float32, GREY, "BitsPerSample"),
    "signed.tiff": (np.int16, GREY, "SampleFormat"),
    "32_bits.tiff": (np.uint32, GREY, "BitsPerSample"),
    "big.tiff": (np.uint16, {**GREY, "bigtiff": True}, "BigTIFF"),
    "described.tiff": (np.uint16, {**GREY, "description": "a scale of 2"}, "description"),
    "of_a_maker.tiff": (np.uint16, {**GREY, "extratags": [(60000, "I", 1, 7, True)]}, "the tag 60000"),
    "one.ome.tiff": (np.uint16, {"photometric": "minisblack", "metadata": {"axes": "YX"}, "ome": True}, "description"),
}
# Compressions that preflight refuses, for CellProfiler cannot read them.
UNREAD = ("zstd", "lerc", "jpegxl")


@pytest.fixture(scope="module")
def read(cellprofiler_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Return, by file, whether both readers agree, and what the replacement said."""
    folder = tmp_path_factory.mktemp("images")
    random = np.random.default_rng(3)

    def picture(kind: type, *shape: int) -> np.ndarray:
        return random.integers(0, 200 if kind in (np.uint8, np.float32) else 60_000, shape).astype(kind)

    for name, (kind, options) in PLAIN.items():
        tifffile.imwrite(folder / name, picture(kind, 45, 67), **options)
    for name, (kind, options, _) in OTHERS.items():
        tifffile.imwrite(folder / name, picture(kind, 45, 67), **options)
    tifffile.imwrite(folder / "zz_pages.tiff", picture(np.uint16, 3, 45, 67), **GREY)
    tifffile.imwrite(folder / "zz_colour.tiff", picture(np.uint8, 45, 67, 3), photometric="rgb", metadata=None)
    for name in UNREAD:
        tifffile.imwrite(folder / f"zz_{name}.tiff", picture(np.uint16, 45, 67), **GREY, compression=name)
    whole = (folder / "lzw.tiff").read_bytes()
    (folder / "zz_cut.tiff").write_bytes(whole[: len(whole) // 2])
    np.save(folder / "zz_function.npy", random.uniform(1, 2, (45, 67)))
    ran = subprocess.run(
        [cellprofiler_python, "-W", "ignore", READ, folder],
        cwd=tmp_path_factory.mktemp("read"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])


def test_every_image_is_read_as_stock_reads_it(read):
    assert {name: found["said"] for name, found in read.items() if not found["equal"]} == {}
    unread = {"zz_cut.tiff", *(f"zz_{name}.tiff" for name in UNREAD)}
    assert all(found["values"] >= 45 * 67 for name, found in read.items() if name not in unread)


@pytest.mark.parametrize("name", UNREAD)
def test_a_compression_that_preflight_refuses_is_not_read(read, name: str):
    assert read[f"zz_{name}.tiff"]["values"] == 0


def test_a_plain_grey_tiff_is_not_left_to_the_stock_reader(read):
    assert {name: read[name]["said"] for name in [*PLAIN, "zz_function.npy"] if read[name]["said"]} == {}


def test_java_is_not_started_for_a_plain_grey_tiff(read):
    assert not read["00_first.tiff"]["java"]
    assert read["8_bits.tif"]["java"]  # by the stock reader, that has read the first file since


@pytest.mark.parametrize("name", OTHERS)
def test_any_other_tiff_is_read_by_stock_and_the_log_says_why(read, name: str):
    assert read[name]["said"], read[name]
    assert all(words.startswith("LoadData measures DNA with its stock code: ") for words in read[name]["said"])
    assert all(OTHERS[name][2] in words for words in read[name]["said"])


@pytest.mark.parametrize("name, why", [("zz_pages.tiff", "several pages"), ("zz_cut.tiff", "tifffile cannot read it")])
def test_a_stack_and_a_file_cut_short_are_left_to_stock(read, name: str, why: str):
    assert all(why in words for words in read[name]["said"])
    assert read[name]["said"]


def test_illumination_functions_are_the_same_with_both_engines(programs: Programs, tmp_path: Path):
    plate = make_plate(tmp_path / "plate", sites=(("A01", "1"), ("A02", "1"), ("B03", "2")), size=150)
    outcomes = {name: programs.illumination(plate, tmp_path / name, "2/2", engine=name) for name in ("fast", "stock")}
    written = {name: list(outcome.files.glob("*.npy")) for name, outcome in outcomes.items()}
    fast, stock = (np.load(written[name][0]) for name in ("fast", "stock"))

    assert [outcome.code for outcome in outcomes.values()] == [0, 0], outcomes["fast"].stderr[-2000:]
    assert {name: outcome.facts()["engine"] for name, outcome in outcomes.items()} == {"fast": "fast", "stock": "stock"}
    assert outcomes["fast"].facts()["ran_stock"] == {}
    assert np.ptp(stock) > 0.01
    assert np.array_equal(fast, stock)
