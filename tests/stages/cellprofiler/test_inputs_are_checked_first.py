"""A bad unit is named before CellProfiler starts: much of it would pass in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.stages.cellprofiler.plates import PLATE, Plate, Programs, make_plate
from tests.unit.gallery import claim_many_pixels

Fault = tuple[str, str, str]


@pytest.fixture
def plate(tmp_path: Path) -> Plate:
    return make_plate(tmp_path / "plate", size=64)


def refused(programs: Programs, plate: Plate, tmp_path: Path) -> str:
    """Return the message with which measure refuses a plate before CellProfiler starts."""
    outcome = programs.measure(plate, tmp_path / "out")

    assert outcome.code == 65
    assert not outcome.cellprofiler_started()
    assert not (outcome.output / "result.json").exists()
    return outcome.stderr


@pytest.mark.parametrize("compression", ["lzw", None])
def test_a_truncated_tiff_is_named(programs: Programs, plate: Plate, tmp_path: Path, compression: str | None):
    image = plate.image("B02", "1", "RNA")
    tifffile.imwrite(image, tifffile.imread(image), compression=compression)
    image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    said = refused(programs, plate, tmp_path)

    assert f"B02-1: {image.name} does not decode" in said
    assert "A01-1:" not in said


def test_every_bad_site_is_named_and_reported(programs: Programs, tmp_path: Path):
    plate = make_plate(tmp_path / "plate", sites=(("A01", "1"), ("A01", "2"), ("B02", "1")), size=64)
    plate.image("A01", "2", "DNA").unlink()
    plate.image("B02", "1", "RNA").write_bytes(b"")
    outcome = programs.measure(plate, tmp_path / "out")

    assert "A01-2: r01c01f02p01-ch5sk1fk1fl1.tiff is missing" in outcome.stderr
    assert "B02-1: r02c02f01p01-ch3sk1fk1fl1.tiff does not decode" in outcome.stderr
    assert outcome.units() == {"A01-2": "failed", "B02-1": "failed"}


def test_channels_of_different_size_are_named(programs: Programs, plate: Plate, tmp_path: Path):
    tifffile.imwrite(plate.image("A01", "1", "RNA"), np.zeros((64, 60), np.uint16))

    assert "A01-1: r01c01f01p01-ch3sk1fk1fl1.tiff is 64 x 60" in refused(programs, plate, tmp_path)


def test_a_tiff_bomb_is_named_and_not_unpacked(programs: Programs, plate: Plate, tmp_path: Path):
    claim_many_pixels(plate.image("A01", "1", "RNA"))

    assert "ch3sk1fk1fl1.tiff does not decode (ValueError: it claims 60000 x 60000 pixels" in refused(
        programs, plate, tmp_path
    )


def test_a_colour_image_is_named(programs: Programs, plate: Plate, tmp_path: Path):
    tifffile.imwrite(plate.image("A01", "1", "RNA"), np.zeros((64, 64, 3), np.uint16), photometric="rgb")

    assert "is no single grey plane" in refused(programs, plate, tmp_path)


@pytest.mark.parametrize("kind", [np.bool_, np.int8, np.int16, np.uint32, np.float32], ids=lambda kind: kind.__name__)
def test_pixels_of_a_type_that_would_be_measured_wrongly_are_named(
    programs: Programs, plate: Plate, tmp_path: Path, kind: type
):
    tifffile.imwrite(plate.image("A01", "1", "RNA"), np.ones((64, 64), kind))

    assert f"A01-1: {plate.image('A01', '1', 'RNA').name} holds {kind.__name__.strip('_')}" in refused(
        programs, plate, tmp_path
    )


def test_pixels_in_either_order_of_bytes_are_good(programs: Programs, plate: Plate, tmp_path: Path):
    path = plate.image("A01", "1", "RNA")
    tifffile.imwrite(path, tifffile.imread(path), byteorder=">")
    plate.image("B02", "1", "RNA").unlink()  # so that nothing is measured

    assert path.name not in refused(programs, plate, tmp_path)


@pytest.mark.parametrize("level", [0, 300])
def test_a_channel_whose_every_pixel_is_the_same_is_named(programs: Programs, plate: Plate, tmp_path: Path, level: int):
    for well, site in plate.sites:
        tifffile.imwrite(plate.image(well, site, "RNA"), np.full((64, 64), level, np.uint16))
    outcome = programs.illumination(plate, tmp_path / "out", shard="RNA")

    assert (outcome.code, outcome.units()) == (65, {"RNA": "failed"})
    assert f"channel RNA: every pixel of every image is {level}: the channel is empty" in outcome.stderr
    assert not outcome.cellprofiler_started()


@pytest.mark.parametrize(("most", "told"), [(4095, True), (4096, False), (255, False)])
def test_images_of_a_12_bit_camera_are_told(programs: Programs, plate: Plate, tmp_path: Path, most: int, told: bool):
    for well, site in plate.sites:
        pixels = tifffile.imread(plate.image(well, site, "RNA")).clip(0, most)
        pixels[0, 0] = most
        tifffile.imwrite(plate.image(well, site, "RNA"), pixels)
    outcome = programs.illumination(plate, tmp_path / "out", shard="RNA")

    assert outcome.code == 0, outcome.stderr
    assert ("as of a 12-bit camera" in outcome.stderr) == told


def test_a_row_that_stands_there_twice_is_named(programs: Programs, plate: Plate, tmp_path: Path):
    lines = plate.table(True).read_text().splitlines()
    plate.table(True).write_text("\n".join([*lines, lines[-1]]) + "\n")

    assert "the site stands there twice: B02-1" in refused(programs, plate, tmp_path)


def test_two_channels_that_name_one_file_are_named(programs: Programs, plate: Plate, tmp_path: Path):
    dna, rna = plate.image("A01", "1", "DNA").name, plate.image("A01", "1", "RNA").name
    plate.table(True).write_text(plate.table(True).read_text().replace(rna, dna))

    assert f"the image stands there twice: {dna} (site A01-1)" in refused(programs, plate, tmp_path)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda text: text.splitlines()[0] + "\n", "it lists no site"),
        (lambda text: text[: text.rindex(",")], "was the file cut short?"),
        (lambda text: text.replace(f"{PLATE},B02", f"{PLATE},"), "line 3 has no Metadata_Well"),
        (lambda text: text.replace(f"{PLATE},B02", "117013,B02"), "but the plate is BR00117013"),
        (lambda text: text.replace("FileName_OrigDNA", "FileName_OrigRNA"), "stands there twice"),
        (lambda text: text.replace("Metadata_Well", "Well"), "needs the column Metadata_Well"),
        (lambda text: text.replace("r01c01f01p01-ch5", "../r01c01f01p01-ch5"), "a name without a folder"),
    ],
    ids=["empty", "cut", "blank-well", "another-plate", "column-twice", "no-well-column", "path"],
)
def test_a_broken_load_data_is_refused(programs: Programs, plate: Plate, tmp_path: Path, spoil, message: str):
    plate.table(True).write_text(spoil(plate.table(True).read_text()))

    assert message in refused(programs, plate, tmp_path)


@pytest.mark.parametrize(
    "function, message",
    [
        (None, f"{PLATE}_IllumRNA.npy is missing"),
        (np.zeros((64, 64)), "not finite and positive"),
        (np.full((64, 64), np.nan), "not finite and positive"),
        (np.ones((64, 60)), "its images (64, 64)"),
    ],
    ids=["missing", "zero", "nan", "size"],
)
def test_a_bad_illumination_function_is_named(programs: Programs, plate: Plate, tmp_path: Path, function, message):
    path = plate.illumination / f"{PLATE}_IllumRNA.npy"
    path.unlink() if function is None else np.save(path, function)

    assert message in refused(programs, plate, tmp_path)


def test_illumination_names_the_image_that_does_not_decode(programs: Programs, plate: Plate, tmp_path: Path):
    image = plate.image("B02", "1", "RNA")
    image.write_bytes(image.read_bytes()[:200])
    outcome = programs.illumination(plate, tmp_path / "out", shard="2/2")

    assert outcome.code == 65
    assert f"B02-1: {image.name} does not decode" in outcome.stderr
    assert outcome.units() == {"RNA": "failed"}


THREE = (("A01", "1"), ("A02", "1"), ("B02", "1"))


def spoil(plate: Plate, well: str, site: str, channel: str, how: str) -> None:
    image = plate.image(well, site, channel)
    if how == "cut":
        image.write_bytes(image.read_bytes()[: image.stat().st_size // 2])
    else:
        tifffile.imwrite(image, np.ones((48, 48), np.uint16))


@pytest.mark.parametrize("engine", ["fast", "stock"])
@pytest.mark.parametrize("how", ["cut", "another size"])
def test_a_channel_is_estimated_from_its_good_images_if_so_many_may_be_left_out(
    programs: Programs, tmp_path: Path, engine: str, how: str
):
    plate = make_plate(tmp_path / "plate", sites=THREE, size=64)
    spoil(plate, "A02", "1", "RNA", how)
    without = make_plate(tmp_path / "without", sites=THREE, size=64)
    without = Plate(without.folder, without.channels, (THREE[0], THREE[2]))
    without.write_tables()
    made = programs.illumination(plate, tmp_path / "made", engine=engine, max_failed_fraction=0.34)
    expected = programs.illumination(without, tmp_path / "expected", "2/2", engine=engine)
    (channel,) = expected.units()
    name = f"{PLATE}_Illum{channel}.npy"
    said = {"cut": "does not decode", "another size": "its size is (48, 48), elsewhere (64, 64)"}[how]

    assert (made.code, channel) == (0, "RNA"), made.stderr
    assert made.units() == {"DNA": "ok", "RNA": "ok"}
    assert made.facts()["estimated_from"] == {"DNA": 3, "RNA": 2}
    assert said in made.facts()["left_out"]["RNA"]["A02-1"]
    assert "channel RNA is estimated without its images: 1 of its units cannot be used" in made.stderr
    assert (made.files / name).read_bytes() == (expected.files / name).read_bytes()


@pytest.mark.parametrize(("fraction", "spoilt"), [(0.0, 1), (0.34, 2), (1.0, 3)], ids=["none may", "too many", "all"])
def test_a_channel_of_which_too_many_images_are_bad_is_refused_with_all_of_them(
    programs: Programs, tmp_path: Path, fraction: float, spoilt: int
):
    plate = make_plate(tmp_path / "plate", channels=("RNA",), sites=THREE, size=64)
    for well, site in THREE[:spoilt]:
        spoil(plate, well, site, "RNA", "cut")
    outcome = programs.illumination(plate, tmp_path / "out", max_failed_fraction=fraction)

    assert (outcome.code, outcome.units()) == (65, {"RNA": "failed"})
    assert outcome.stderr.count("does not decode") >= spoilt
    assert not outcome.cellprofiler_started()


def test_a_site_of_another_size_than_its_illumination_is_reported_as_a_unit(programs: Programs, tmp_path: Path):
    plate = make_plate(tmp_path / "plate", sites=THREE, size=64)
    for channel in plate.channels:
        spoil(plate, "A02", "1", channel, "another size")
    outcome = programs.measure(plate, tmp_path / "out")

    assert outcome.units() == {"A02-1": "failed"}
