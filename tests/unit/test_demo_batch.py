"""The demo batch: the same seed gives the same bytes, and its tables agree with each other."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from data.demo import plan, tables
from data.demo.batch import WellOfPlate, draw, encode, write_batch
from data.demo.cells import SIZE

CUT = ("A01", "A02")
PLATE = plan.PLATES[0]


def write(home: Path, *only_wells: str, **options: object) -> int:
    return list(write_batch(home, only_wells=only_wells, **options))[0][1]


def images(home: Path) -> dict[str, bytes]:
    return {path.relative_to(home).as_posix(): path.read_bytes() for path in home.rglob("*.tiff")}


def rows(name: str, separator: str) -> list[dict[str, str]]:
    content = next(content for place, content in tables.tables().items() if place.name == name)
    return list(csv.DictReader(io.StringIO(content.decode()), delimiter=separator))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    write(folder, *CUT, plates=[PLATE])
    return folder


def test_the_same_seed_draws_the_same_bytes(home: Path) -> None:
    again = WellOfPlate(home, PLATE, "A02")

    assert {str(place): encode(image) for place, image in zip(again.images(), draw(again), strict=True)}.items() <= (
        images(home).items()
    )


def test_a_cut_writes_the_bytes_of_the_whole(home: Path, tmp_path: Path) -> None:
    write(tmp_path, "A02", plates=[PLATE])

    assert images(tmp_path).items() <= images(home).items()
    assert len(images(tmp_path)) == len(plan.CHANNELS)


def test_another_seed_draws_another_picture() -> None:
    first, second = (draw(WellOfPlate(Path(), PLATE, "A01", seed))[0] for seed in (1, 2))

    assert not np.array_equal(first, second)


def test_the_second_call_draws_nothing(home: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()}

    assert write(home, *CUT, plates=[PLATE]) == 0
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*") if path.is_file()} == before


def test_a_lost_image_is_written_again_and_its_neighbours_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path, "A01", plates=[PLATE])
    lost, *kept = sorted(tmp_path.rglob("*.tiff"))
    content, before = lost.read_bytes(), [path.stat().st_mtime_ns for path in kept]
    lost.write_bytes(content[:100])

    assert write(tmp_path, "A01", plates=[PLATE]) == 1
    assert lost.read_bytes() == content
    assert [path.stat().st_mtime_ns for path in kept] == before


def test_every_image_is_a_16_bit_lzw_tiff_of_the_stated_size(home: Path) -> None:
    for path in home.rglob("*.tiff"):
        with tifffile.TiffFile(path) as tiff:
            image = tiff.asarray()

            assert (image.shape, image.dtype, len(tiff.pages)) == ((SIZE, SIZE), np.uint16, 1)
            assert tiff.pages[0].compression == tifffile.COMPRESSION.LZW
            assert 0 < np.median(image) < np.percentile(image, 99.9) <= np.iinfo(np.uint16).max


def test_image_names_name_their_well_and_channel(home: Path) -> None:
    pattern = re.compile(r"r(\d\d)c(\d\d)f01p01-ch([1-5])sk1fk1fl1\.tiff")
    parsed = [pattern.fullmatch(Path(name).name) for name in images(home)]

    assert all(parsed)
    assert {f"{chr(64 + int(found[1]))}{found[2]}" for found in parsed if found} == set(CUT)
    assert len(parsed) == len(CUT) * len(plan.CHANNELS)


def test_every_well_of_the_platemap_is_known_to_the_metadata() -> None:
    platemap = rows(f"{plan.PLATEMAP}.txt", "\t")
    metadata = {row["broad_sample"]: row for row in rows(f"{plan.METADATA}.tsv", "\t")}

    assert [row["well_position"] for row in platemap] == [f"{r}{c:02d}" for r in "ABCD" for c in range(1, 9)]
    assert {row["broad_sample"] for row in platemap} == set(metadata)
    assert metadata[""]["control_type"] == "negcon"
    assert {row["control_type"] for name, row in metadata.items() if name} == {""}


def test_sixteen_wells_are_negcon_and_every_compound_has_two() -> None:
    held = [row["broad_sample"] for row in rows(f"{plan.PLATEMAP}.txt", "\t")]

    assert {name: held.count(name) for name in held} == {"": 16} | {each.broad_sample: 2 for each in plan.COMPOUNDS}


def test_no_compounds_wells_share_a_row_or_a_column() -> None:
    for compound in plan.COMPOUNDS:
        one, other = [well for well, held in plan.wells().items() if held == compound]

        assert one[0] != other[0]
        assert one[1:] != other[1:]


def test_the_barcode_platemap_names_the_written_platemap() -> None:
    assert [(row["Assay_Plate_Barcode"], row["Plate_Map_Name"]) for row in rows("barcode_platemap.csv", ",")] == [
        (plate, plan.PLATEMAP) for plate in plan.PLATES
    ]


def test_the_truth_agrees_with_the_metadata() -> None:
    truth = {row["broad_sample"]: row for row in rows(tables.TRUTH.name, "\t")}
    metadata = {row["broad_sample"]: row for row in rows(f"{plan.METADATA}.tsv", "\t") if row["broad_sample"]}

    assert {name: row["target_list"] for name, row in truth.items()} == {
        name: row["target_list"] for name, row in metadata.items()
    }
    for row in truth.values():
        assert (row["active"] == "yes") == (float(row["strength"]) > 0) == (row["phenotype"] != "none")


def test_compounds_that_share_a_target_share_their_phenotype() -> None:
    by_target: dict[str, set[str]] = {}
    for compound in plan.COMPOUNDS:
        for target in compound.target_list.split("|"):
            by_target.setdefault(target, set()).add(compound.phenotype.name)

    assert all(len(phenotypes) == 1 for phenotypes in by_target.values())


def test_the_four_well_cut_holds_two_negcon_wells_and_a_compound_twice() -> None:
    held = [plan.wells()[well].number for well in plan.FOUR_WELLS]

    assert sorted(held) == [0, 0, 1, 1]


def test_a_phenotype_changes_only_fields_of_a_look() -> None:
    for compound in plan.COMPOUNDS:
        assert all(getattr(plan.Look, name) > 0 < value for name, value in compound.phenotype.full.items())
