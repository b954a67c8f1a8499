"""Images of forms that CellProfiler cannot read become plain grey TIFFs with the same pixels."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from tasks import __main__ as command
from tasks.dataset import planes
from tasks.dataset.layout import Layout
from tasks.instruments import export, plate
from tests import real_files
from tests.unit.conftest import AddPlate, Import, LoadSettings
from tests.unit.drawn_exports import (
    BATCH,
    CHANNELS,
    FOLDER,
    FORMS,
    PLATE,
    SHAPE,
    SITES,
    WELLS,
    image,
    ome_set,
    ome_tiff,
    projected,
    same,
    write_zarr,
)
from tests.unit.gallery import Gallery

ZARR = "single-plane-hcs.zarr"


@pytest.mark.parametrize(
    ("depth", "z"), [(1, ""), (3, "max"), (3, "mean"), (3, "2")], ids=["one plane", "max", "mean", "2"]
)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_plate_gives_the_same_plain_images(
    form: str, depth: int, z: str, exported: Path, add_plate: AddPlate, imported: Import
) -> None:
    write, flags = FORMS[form]
    write(exported, depth)
    code, _, said = add_plate("--yes", *flags)

    assert code == 0, said

    done = imported(z)

    assert done.code == 0, done.said
    assert same(done.pixels, projected(z, depth))
    assert done.units == dict.fromkeys(("A01-1", "A01-2", "B12-1", "B12-2"), "ok")


@pytest.mark.parametrize("form", FORMS)
def test_what_is_made_is_listed_like_any_plate(
    form: str,
    exported: Path,
    add_plate: AddPlate,
    imported: Import,
    added_to: Layout,
    tmp_path: Path,
    monkeypatch: Any,
    capsys: Any,
) -> None:
    write, flags = FORMS[form]
    write(exported, 3)
    add_plate("--yes", *flags)
    done = imported("max")
    gallery = Gallery(tmp_path / "program", monkeypatch, capsys, planes=[added_to.planes(BATCH, PLATE)], z="max")
    gallery.folder.mkdir()
    gallery.map(*WELLS)
    gallery.imported = "true"
    listed = gallery.run(images=str(done.images), plate=PLATE)

    assert listed.code == 0, listed.said
    assert listed.faults == []
    assert [
        (row["Metadata_Well"], row["Metadata_Site"], row["FileName_OrigRNA"]) for row in listed.table("load_data.csv")
    ] == [(well, str(site), f"{well}_s{site}_RNA.tiff") for well in WELLS for site in SITES]


@pytest.mark.parametrize(
    ("kind", "scale", "expected"),
    [
        (np.float32, "0:1", lambda values: np.rint(values * 65535)),
        (np.int16, "-100:100", lambda values: np.rint((values + 100.0) * 65535 / 200)),
        (np.uint32, "0:4000000", lambda values: np.rint(values * 65535 / 4_000_000.0)),
        (np.uint16, "0:4095", lambda values: np.rint(values * 65535 / 4095.0)),
    ],
    ids=["float32", "int16", "uint32", "12 bits"],
)
def test_a_scale_says_which_values_are_black_and_white(
    kind: type,
    scale: str,
    expected: Any,
    luigi_cfg: LoadSettings,
    exported: Path,
    add_plate: AddPlate,
    imported: Import,
) -> None:
    low, high = (float(each) for each in scale.split(":"))
    values = np.linspace(low, high, 16 * 24).reshape(SHAPE).astype(kind)
    tifffile.imwrite(exported / "P1_A01_w1.tif", values)
    added_to = luigi_cfg("")
    refused, _, said = add_plate("--yes", "--channels", "1=DNA")

    assert (refused, "[images] scale" in said) == ((0, False) if kind is np.uint16 else (1, True))

    luigi_cfg(f"[images]\nscale = {scale}\n")

    assert add_plate("--yes", "--replace", "--channels", "1=DNA")[0] == 0
    assert (
        imported("", scale.replace(":", " to ")).pixels["A01", 1, "DNA"].tolist()
        == expected(values.astype(float)).tolist()
    )
    assert planes.need_import(added_to.planes(BATCH, PLATE), "") == (kind is not np.uint16)


def test_what_is_beyond_black_and_white_is_clipped_and_told(
    exported: Path, add_plate: AddPlate, imported: Import, luigi_cfg: Any
) -> None:
    luigi_cfg("[images]\nscale = 0:1\n")
    tifffile.imwrite(exported / "P1_A01_w1.tif", np.array([[-1.0, 0.5, 2.0, 1.0]] * 4, np.float32))
    add_plate("--yes", "--channels", "1=DNA")
    done = imported("", "0 to 1")

    assert done.pixels["A01", 1, "DNA"][0].tolist() == [0, 32768, 65535, 65535]
    assert "8 pixels of 1 sites, first A01-1, are beyond" in done.said


def test_the_sharpest_plane_has_the_most_detail_however_bright_the_others_are(
    exported: Path, add_plate: AddPlate, imported: Import
) -> None:
    sharp = np.where(np.indices(SHAPE).sum(axis=0) % 2, 1000, 3000).astype(np.uint16)
    blurred = [np.full(SHAPE, 60_000, np.uint16) + (sharp // 100), np.full(SHAPE, 2000, np.uint16)]
    for z, plane in enumerate((blurred[0], sharp, blurred[1]), start=1):
        (exported / f"ZStep_{z}").mkdir()
        tifffile.imwrite(exported / f"ZStep_{z}/P1_A01_s1_w1.tif", plane)
    add_plate("--yes", "--channels", "1=DNA")

    assert imported("sharpest").pixels["A01", 1, "DNA"].tolist() == sharp.tolist()


@pytest.mark.parametrize("compression", ["zstd", "lerc", "jpeg2000", "lzma"])
def test_compressions_that_cellprofiler_does_not_read_are_imported(
    compression: str, exported: Path, add_plate: AddPlate, imported: Import
) -> None:
    how = {"level": 0} if compression in ("lerc", "jpeg2000") else {}
    tifffile.imwrite(exported / "P1_A01_w1.tif", image("A01", 1, 0), compression=compression, compressionargs=how)

    assert add_plate("--yes", "--channels", "1=DNA")[0] == 0
    assert imported().pixels["A01", 1, "DNA"].tolist() == image("A01", 1, 0).tolist()


def test_the_same_pixels_become_the_same_bytes_in_shards_of_any_size(
    exported: Path, add_plate: AddPlate, imported: Import
) -> None:
    ome_tiff(exported, 2)
    add_plate("--yes")
    whole = imported("max")
    parts = [imported("max", shard=unit) for unit in whole.units]

    assert {path.name: path.read_bytes() for each in parts for path in each.images.iterdir()} == {
        path.name: path.read_bytes() for path in whole.images.iterdir()
    }


def test_a_set_of_files_is_read_by_its_companion_file(exported: Path, add_plate: AddPlate, imported: Import) -> None:
    ome_set(exported)
    code, printed, said = add_plate("--yes")

    assert code == 0, said
    assert "1 (DAPI) = DNA, 2 (SYTO) = RNA" in printed
    assert "pixel        0.5 um" in printed
    assert same(imported().pixels, projected("", 1))


def test_a_real_ome_zarr_plate_is_recognised_and_imported(
    added_to: Layout, add_plate: AddPlate, imported: Import, capsys: Any, monkeypatch: Any
) -> None:
    root = real_files.vendors() / "ome_zarr_hcs_v04"
    (one,) = plate.plates(export.look(root))
    words = [
        "tasks",
        "add-plate",
        str(root),
        "--batch-id",
        BATCH,
        "--plate",
        PLATE,
        "--yes",
        "--channels",
        "1=DNA,2=RNA,3=-",
    ]
    monkeypatch.setattr(sys, "argv", words)

    assert command.main() == 0
    assert (one.wells, one.numbers("site"), one.channels, one.numbers("z")) == (
        ["E07", "E08"],
        [0],
        ["1", "2", "3"],
        [1],
    )
    assert one.told.pixel_um == pytest.approx(2.7336)

    wanted = {
        (f"E{column}", 0, name): np.asarray(zarr.open_array(root / ZARR / f"E/{column}/0/0", mode="r")[number])
        for column in ("07", "08") for number, name in enumerate(CHANNELS)
    }  # fmt: skip

    assert same(imported().pixels, wanted)


def test_a_palette_that_only_grows_brighter_is_imported_by_its_numbers(
    exported: Path, add_plate: AddPlate, imported: Import
) -> None:
    values = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)
    green = np.stack([np.zeros(256), np.arange(256) * 257, np.zeros(256)]).astype(np.uint16)
    tifffile.imwrite(exported / "P1_A01_w1.tif", values, photometric="palette", colormap=green)

    assert add_plate("--yes", "--channels", "1=DNA")[0] == 0
    assert same(imported().pixels, {("A01", 1, "DNA"): values})


def test_an_array_in_the_other_order_of_bytes_is_projected(
    exported: Path, add_plate: AddPlate, imported: Import
) -> None:
    write_zarr(exported / "P1.zarr", 3, 2, ">u2")

    assert add_plate("--yes")[0] == 0
    assert same(imported("max").pixels, projected("max", 3))


def test_an_array_of_nothing_but_height_and_width_is_imported(
    exported: Path, add_plate: AddPlate, imported: Import
) -> None:
    root, axes = exported / "P1.zarr", [{"name": name} for name in "yx"]
    write_zarr(root, 1, 2)
    for well in WELLS:
        for site in SITES:
            at = root / well[0] / well[1:] / str(site)
            plain = {"multiscales": [{"axes": axes, "datasets": [{"path": "0"}]}]}
            zarr.open_group(at, mode="w", zarr_format=2, attributes=plain)  # type: ignore[arg-type]
            zarr.create_array(at / "0", data=image(well, site, 0), zarr_format=2)

    assert add_plate("--yes", "--channels", "1=DNA")[0] == 0
    assert same(imported().pixels, {(well, site, "DNA"): image(well, site, 0) for well in WELLS for site in SITES})


def test_the_usual_number_of_planes_is_counted_once_a_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    program = importlib.import_module("import_images")
    place = {"file": "x.tif", "source": "x.tif", "z": "1", "time": "1", "x_m": "", "y_m": ""}
    rows = [{**place, "well": "A01", "site": str(site), "channel": name} for site in range(9) for name in CHANNELS]
    counted = []
    usual = program._usual
    monkeypatch.setattr(program, "_usual", lambda chosen, channel: counted.append(channel) or usual(chosen, channel))
    given = type("Given", (), {"exclude": "", "z": "", "time": "", "planes": [Path("P1.csv")]})
    sites = program._sites(rows, given)

    assert sorted(counted) == ["DNA", "RNA"]
    assert [len(images) for images in sites.values()] == [2] * 9
