"""The gallery's load_data: what file names and headers say, and every reason to refuse a plate's images."""

from __future__ import annotations

import csv
import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile
from stagekit.program import DataError

from tasks import layout
from tests.unit.fakes import PLATE, lay_table

GALLERY = layout.CONTAINERS / "gallery"
NAMES = {1: "Mito", 2: "AGP", 3: "RNA", 4: "ER", 5: "DNA", 6: "HighZBF", 7: "LowZBF", 8: "Brightfield"}


@pytest.fixture(scope="module")
def image_index() -> ModuleType:
    """Import the image's module by its path: two images may have modules of one name."""
    spec = importlib.util.spec_from_file_location("gallery_image_index", GALLERY / "image_index.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def name(row: int, column: int, channel: int, field: int = 1, plane: int = 1) -> str:
    return f"r{row:02d}c{column:02d}f{field:02d}p{plane:02d}-ch{channel}sk1fk1fl1.tiff"


def lay(folder: Path, names: Iterable[str], shape: tuple[int, ...] = (8, 8)) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for each in names:
        tifffile.imwrite(folder / each, np.zeros(shape, np.uint16), compression="lzw")
    return folder


@pytest.fixture
def tiffs(tmp_path: Path) -> Path:
    """Lay two wells of two channels: A01 and N09."""
    return lay(tmp_path / "Images", [name(row, column, ch) for row, column in ((1, 1), (14, 9)) for ch in (5, 1)])


def test_names_say_well_site_and_channel(image_index: ModuleType, tiffs: Path) -> None:
    lay(tiffs, [name(14, 9, channel, field=2) for channel in (1, 5)])
    found = image_index.index(tiffs)

    assert [str(site) for site in found] == ["A01-1", "N09-1", "N09-2"]
    assert found[image_index.Site("N09", 2)] == {"Mito": name(14, 9, 1, field=2), "DNA": name(14, 9, 5, field=2)}


@pytest.mark.parametrize(("row", "column", "well"), [(1, 1, "A01"), (14, 9, "N09"), (16, 24, "P24"), (2, 10, "B10")])
def test_a_row_number_is_a_letter(image_index: ModuleType, tmp_path: Path, row: int, column: int, well: str) -> None:
    lay(tmp_path, [name(row, column, 1)])

    assert [site.well for site in image_index.index(tmp_path)] == [well]


def test_the_channels_have_cpjump1s_numbers(image_index: ModuleType, tmp_path: Path) -> None:
    lay(tmp_path, [name(1, 1, channel) for channel in range(1, 9)])

    assert image_index.index(tmp_path) == {
        image_index.Site("A01", 1): {NAMES[channel]: name(1, 1, channel) for channel in range(1, 9)}
    }


def test_what_is_no_tiff_is_left_alone(image_index: ModuleType, tiffs: Path) -> None:
    (tiffs / "Index.idx.xml").touch()

    assert len(image_index.index(tiffs)) == 2


BAD_NAMES: dict[str, tuple[list[str], str]] = {
    "odd name": (
        ["thumbnail.tiff"],
        "image names must look like r01c01f01p01-ch1sk1fk1fl1.tiff; 1 do not: thumbnail.tiff",
    ),
    "capitals": (["R01C01F01P01-CH1SK1FK1FL1.TIFF"], "1 do not: R01C01F01P01-CH1SK1FK1FL1.TIFF"),
    "channel missing": ([name(2, 1, 1)], "1 images are missing: B01-1 has no DNA (ch5); add them, or move the site's"),
    "new channel": ([name(1, 1, 3)], "1 images are missing: N09-1 has no RNA (ch3)"),
    "two planes": ([name(1, 1, 1, plane=2)], f"keep one: ['{name(1, 1, 1)}', '{name(1, 1, 1, plane=2)}']"),
    "unknown channel": ([name(1, 1, 9)], f"{name(1, 1, 9)}: rows go from 1 to 26 and channels from 1 to 8"),
    "row 0": ([name(0, 1, 1)], f"{name(0, 1, 1)}: rows go from 1 to 26"),
}


@pytest.mark.parametrize(("more", "said"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_names_that_cannot_be_used_are_named(image_index: ModuleType, tiffs: Path, more: list[str], said: str) -> None:
    for each in more:
        (tiffs / each).touch()
    with pytest.raises(DataError) as failure:
        image_index.index(tiffs)

    assert said in str(failure.value)


def test_a_folder_without_a_tiff_is_refused(image_index: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"{tmp_path.name}: there is no TIFF"):
        image_index.index(tmp_path)


def test_of_many_faults_ten_are_named_and_all_are_counted(image_index: ModuleType, tiffs: Path) -> None:
    for column in range(2, 16):
        (tiffs / name(2, column, 1)).touch()
    with pytest.raises(DataError) as failure:
        image_index.index(tiffs)

    assert str(failure.value).startswith("14 images are missing: B02-1 has no DNA (ch5); B03-1")
    assert "B11-1" in str(failure.value)
    assert "B12-1" not in str(failure.value)


def overwrite(shape: tuple[int, ...]) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, np.random.default_rng(0).integers(0, 99, shape).astype(np.uint16))


BAD_HEADERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda path: path.write_bytes(b""), "{name}: not a readable TIFF"),
    "no TIFF": (lambda path: path.write_bytes(b"<html>" * 9), "{name}: not a readable TIFF"),
    "colour": (overwrite((8, 8, 3)), "{name}: it is no grey image but has the shape (8, 8, 3)"),
    "other size": (overwrite((8, 9)), "A01-1: its images have different sizes [(8, 8), (8, 9)]"),
}


@pytest.mark.parametrize(("spoil", "said"), BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_images_that_cannot_be_used_are_named(
    image_index: ModuleType, tiffs: Path, spoil: Callable[[Path], object], said: str
) -> None:
    spoil(tiffs / name(1, 1, 5))
    with pytest.raises(DataError, match="^1 images cannot be used; replace them or move the site away: ") as failure:
        image_index.check_headers(tiffs, image_index.index(tiffs))

    assert said.format(name=name(1, 1, 5)) in str(failure.value)


@pytest.mark.parametrize("keep", [0.2, 0.6, 0.99])
def test_an_image_that_is_cut_off_is_named(image_index: ModuleType, tiffs: Path, keep: float) -> None:
    path = tiffs / name(1, 1, 5)
    overwrite((64, 64))(path)
    overwrite((64, 64))(tiffs / name(1, 1, 1))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(DataError, match="^1 images cannot be used.*") as failure:
        image_index.check_headers(tiffs, image_index.index(tiffs))

    assert f"{path.name}: " in str(failure.value)


def test_good_images_pass(image_index: ModuleType, tiffs: Path) -> None:
    assert image_index.check_headers(tiffs, image_index.index(tiffs)) is None


def run(folder: Path, tiffs: Path, wells: list[str]) -> subprocess.CompletedProcess[str]:
    lay_table(folder / "map.txt", "\t", ["well_position", "broad_sample"], [[well, ""] for well in wells])
    (folder / "out/files").mkdir(parents=True)
    words = [sys.executable, str(GALLERY / "load_data.py"), "--plate", PLATE, "--images", str(tiffs)]
    words += ["--platemap", str(folder / "map.txt"), "--image_folder", "p/images", "--illumination_folder", "p/illum"]
    for each in ("load_data", "load_data_with_illum"):
        words += [f"--write_{each}", str(folder / f"out/files/{each}.csv")]
    words += ["--output", str(folder / "out")]
    return subprocess.run(
        words, env={"PYTHONPATH": str(layout.CONTAINERS)}, capture_output=True, text=True, check=False
    )


def test_the_tables_name_every_image_and_illumination_function(tmp_path: Path, tiffs: Path) -> None:
    done = run(tmp_path, tiffs, ["A01", "N09", "P24"])
    tables = {}
    for each in ("load_data", "load_data_with_illum"):
        with open(tmp_path / f"out/files/{each}.csv") as table:
            tables[each] = list(csv.DictReader(table))
    first = {
        "FileName_OrigMito": name(1, 1, 1), "FileName_OrigDNA": name(1, 1, 5),
        "PathName_OrigMito": "p/images", "PathName_OrigDNA": "p/images",
        "Metadata_Plate": PLATE, "Metadata_Well": "A01", "Metadata_Site": "1",
    }  # fmt: skip
    illumination = {
        "FileName_IllumMito": f"{PLATE}_IllumMito.npy", "FileName_IllumDNA": f"{PLATE}_IllumDNA.npy",
        "PathName_IllumMito": "p/illum", "PathName_IllumDNA": "p/illum",
    }  # fmt: skip

    assert done.returncode == 0
    assert tables["load_data"][0] == first
    assert tables["load_data_with_illum"][0] == first | illumination
    assert [row["Metadata_Well"] for row in tables["load_data"]] == ["A01", "N09"]


def test_wells_without_images_are_warned_of_and_recorded(tmp_path: Path, tiffs: Path) -> None:
    run(tmp_path, tiffs, ["A01", "N09", "P24", "B01"])
    result = json.loads((tmp_path / "out/result.json").read_text())

    assert result["warnings"] == ["2 of the platemap's 4 wells have no images"]
    assert result["facts"] == {
        "site": ["A01-1", "N09-1"],
        "channel": ["Mito", "DNA"],
        "wells": 2,
        "wells_without_images": ["B01", "P24"],
    }


def test_a_well_that_is_not_in_the_platemap_is_refused(tmp_path: Path, tiffs: Path) -> None:
    done = run(tmp_path, tiffs, ["A01", "B01"])

    assert done.returncode == 65
    assert (
        "error: map.txt: wells with images are not in the platemap: N09 (1 in all); is it another plate's?"
        in done.stderr
    )
    assert not (tmp_path / "out/result.json").exists()
