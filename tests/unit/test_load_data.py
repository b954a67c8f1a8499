"""The gallery's load_data: what file names and headers say, and every fault found before anything is computed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.unit.fakes import PLATE
from tests.unit.gallery import Gallery, claim_many_pixels, name

CHANNELS = ["Mito", "AGP", "RNA", "ER", "DNA", "HighZBF", "LowZBF", "Brightfield"]
A01, N09 = (1, 1), (14, 9)


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Gallery:
    """Lay two wells of two channels, A01 and N09, and their platemap."""
    made = Gallery(tmp_path, monkeypatch, capsys)
    made.lay(*(name(*well, channel) for well in (A01, N09) for channel in (5, 1)))
    made.map("A01", "N09")
    return made


def test_the_tables_name_every_image_and_illumination_function(gallery: Gallery) -> None:
    done = gallery.run()
    first = {
        "FileName_OrigMito": name(1, 1, 1), "FileName_OrigDNA": name(1, 1, 5),
        "PathName_OrigMito": "p/images", "PathName_OrigDNA": "p/images",
        "Metadata_Plate": PLATE, "Metadata_Well": "A01", "Metadata_Site": "1",
    }  # fmt: skip
    illumination = {
        "FileName_IllumMito": f"{PLATE}_IllumMito.npy", "FileName_IllumDNA": f"{PLATE}_IllumDNA.npy",
        "PathName_IllumMito": "p/illum", "PathName_IllumDNA": "p/illum",
    }  # fmt: skip

    assert done.code == 0, done.said
    assert done.table("load_data.csv")[0] == first
    assert done.table("load_data_with_illum.csv")[0] == first | illumination
    assert [row["Metadata_Well"] for row in done.table("load_data.csv")] == ["A01", "N09"]
    assert done.faults == []


def test_what_later_stages_count_is_recorded(gallery: Gallery) -> None:
    gallery.lay(*(name(*N09, channel, field=2) for channel in (1, 5)))
    gallery.lay(*(name(*A01, channel, field=10) for channel in (1, 5)))

    assert gallery.run().result == {
        "warnings": [],
        "facts": {
            "site": ["A01-1", "A01-10", "N09-1", "N09-2"],
            "channel": ["Mito", "DNA"],
            "wells": 2,
            "wells_without_images": [],
            "excluded_sites": {},
        },
    }


@pytest.mark.parametrize(
    ("row", "column", "well"),
    [(1, 1, "A01"), (14, 9, "N09"), (16, 24, "P24"), (2, 10, "B10"), (27, 48, "AA48"), (32, 48, "AF48")],
)
def test_a_row_number_is_a_letter(gallery: Gallery, row: int, column: int, well: str) -> None:
    gallery.lay(name(row, column, 1), name(row, column, 5))
    gallery.map(*dict.fromkeys(("A01", "N09", well)))

    assert well in {entry["Metadata_Well"] for entry in gallery.run().table("load_data.csv")}


def test_the_channels_have_cpjump1s_numbers(gallery: Gallery) -> None:
    gallery.lay(*(name(*well, channel) for well in (A01, N09) for channel in range(1, 9)))
    row = gallery.run().table("load_data.csv")[0]

    assert [row[f"FileName_Orig{each}"] for each in CHANNELS] == [name(1, 1, number) for number in range(1, 9)]


def test_names_of_another_form_are_read_by_their_pattern(gallery: Gallery) -> None:
    for path in list(gallery.images.iterdir()):
        path.unlink()
    gallery.lay(
        *(f"plate_{well}_s{site}_w{dye}.tif" for well in ("a1", "B12") for site in (1, 2) for dye in ("405", "488"))
    )
    gallery.map("A01", "B12")
    done = gallery.run(
        pattern=r"plate_(?P<well>[A-Za-z]\d+)_s(?P<site>\d+)_w(?P<channel>\d+)\.tif", channels="488=ER,405=DNA"
    )

    assert done.code == 0, done.said
    assert [(row["Metadata_Well"], row["Metadata_Site"]) for row in done.table("load_data.csv")] == [
        ("A01", "1"), ("A01", "2"), ("B12", "1"), ("B12", "2"),
    ]  # fmt: skip
    assert list(done.table("load_data.csv")[0])[:2] == ["FileName_OrigER", "FileName_OrigDNA"]


def test_a_channel_that_is_named_with_a_dash_is_left_out(gallery: Gallery) -> None:
    done = gallery.run(channels="1=-,5=DNA", expected_images="4")
    row = done.table("load_data.csv")[0]

    assert (done.code, done.faults) == (0, [])
    assert [column for column in row if column.startswith("FileName_")] == ["FileName_OrigDNA"]
    assert done.result["facts"]["channel"] == ["DNA"]


def test_a_site_that_has_only_channels_that_are_left_out_is_no_site(gallery: Gallery) -> None:
    gallery.lay(name(*A01, 1, field=2))

    assert gallery.run(channels="1=-,5=DNA").result["facts"]["site"] == ["A01-1", "N09-1"]


@pytest.mark.parametrize("channels", ["1=-,5=-", "1=,5=DNA", "5=-,7=DNA"])
def test_channels_of_which_none_is_left_are_refused(gallery: Gallery, channels: str) -> None:
    assert gallery.run(channels=channels).code == 65


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pattern": "("}, "[load_data] pattern = (: missing )"),
        ({"pattern": "(?P<well>.+)"}, "it needs the groups channel, and well or row and column"),
        (
            {"pattern": r"(?P<well>.+)(?P<site>\d)x(?P<channel>.)"},
            "no other image's name can be used either; see [load_data]",
        ),
        ({"channels": "DNA,ER"}, "[load_data] channels = DNA,ER: it must read 1=DNA,2=ER"),
        ({"channels": "1=../x"}, "names of letters and digits"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(gallery: Gallery, settings: dict[str, str], said: str) -> None:
    done = gallery.run(**settings)

    assert done.code == 65
    assert said in done.said


def test_harmonys_positions_are_taken_where_every_site_has_one(gallery: Gallery) -> None:
    places = {name(*A01, 1): ("-0.0003", "1.5E-4"), name(*N09, 5): ("0", "7")}
    entries = "".join(
        f'<Image><URL>{url}</URL><PositionX Unit="m">{x}</PositionX><PositionY Unit="m">{y}</PositionY></Image>'
        for url, (x, y) in places.items()
    )
    index = gallery.images / "Index.idx.xml"
    index.write_text(f'<EvaluationInputData xmlns="h"><Images>{entries}</Images></EvaluationInputData>')
    rows = gallery.run().table("load_data.csv")
    index.write_text(index.read_text().replace(name(*N09, 5), "other.tiff"))

    assert [(row["Metadata_PositionX"], row["Metadata_PositionY"]) for row in rows] == list(places.values())
    assert "Metadata_PositionX" not in gallery.run().table("load_data.csv")[0]


def test_an_index_of_harmony_that_is_cut_short_is_refused(gallery: Gallery) -> None:
    (gallery.images / "Index.idx.xml").write_text("<Images><Image>")
    done = gallery.run()

    assert (done.code, "error: Index.idx.xml: it is no whole XML" in done.said) == (65, True)


def test_a_folder_without_a_tiff_is_refused(gallery: Gallery) -> None:
    for path in list(gallery.images.iterdir()):
        path.unlink()
    done = gallery.run()

    assert (done.code, "Images: there is no TIFF" in done.said) == (65, True)


def random_image(*shape: int, kind: type = np.uint16) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, np.random.default_rng(0).integers(0, 99, shape).astype(kind))


WITH_ALPHA = {"photometric": "minisblack", "planarconfig": "contig", "extrasamples": ["unassalpha"]}


def written(picture: np.ndarray, **how: object) -> Callable[[Path], None]:
    return lambda path: tifffile.imwrite(path, picture, **how)


def two_pages(*kinds: type) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with tifffile.TiffWriter(path) as file:
            for kind in kinds:
                file.write(np.ones((8, 8), kind), contiguous=False)

    return write


def cut(keep: float) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        random_image(64, 64)(path)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])

    return spoil


FAULTS: dict[str, tuple[str, Callable[[Path], object], tuple[str, str, str]]] = {
    "odd name": ("thumbnail.tiff", Path.touch, ("file_name", "", "thumbnail.tiff")),
    "capitals": ("R01C01F01P01-CH1SK1FK1FL1.TIFF", Path.touch, ("file_name", "", "R01C01F01P01-CH1SK1FK1FL1.TIFF")),
    "row 0": (name(0, 1, 1), Path.touch, ("file_name", "", name(0, 1, 1))),
    "unknown channel": (name(1, 1, 9), Path.touch, ("channel_unknown", "", name(1, 1, 9))),
    "missing channel": (name(1, 1, 5), Path.unlink, ("channel_missing", "A01-1", "")),
    "two planes": (name(1, 1, 1, plane=2), random_image(8, 8), ("channel_twice", "A01-1", name(1, 1, 1, plane=2))),
    "empty": (name(1, 1, 5), lambda path: path.write_bytes(b""), ("unreadable", "A01-1", name(1, 1, 5))),
    "no TIFF": (name(1, 1, 5), lambda path: path.write_bytes(b"<html>" * 9), ("unreadable", "A01-1", name(1, 1, 5))),
    **{
        each: (name(1, 1, 5), write, (rule, "A01-1", name(1, 1, 5)))
        for each, (rule, write) in {
            "colour": ("pixel_type", random_image(8, 8, 3)),
            "grey with alpha": ("pixel_type", written(np.ones((8, 8, 2), np.uint16), **WITH_ALPHA)),
            "0 is white": ("pixel_type", written(np.ones((8, 8), np.uint16), photometric="miniswhite")),
            "palette": ("pixel_type", written(np.ones((8, 8), np.uint8), colormap=np.zeros((3, 256), np.uint16))),
            "12 bits packed": ("pixel_type", written(np.ones((8, 8), np.uint16), bitspersample=12)),
            "several planes": ("planes", written(np.ones((3, 8, 8), np.uint16), photometric="minisblack")),
            "another type on the second page": ("pixel_type", two_pages(np.uint16, np.float32)),
            **{
                kind: ("compression", written(np.ones((8, 8), np.uint16), compression=kind))
                for kind in ("zstd", "lerc", "jpegxl")
            },
            "jpeg": ("compression", written(np.ones((8, 8), np.uint8), compression="jpeg")),
        }.items()
    },
    **{
        kind.__name__: (name(1, 1, 5), random_image(8, 8, kind=kind), ("pixel_type", "A01-1", name(1, 1, 5)))
        for kind in (np.float16, np.float32, np.float64, np.int8, np.int16, np.int32, np.uint32, np.uint64, np.bool_)
    },
    "bomb": (name(1, 1, 5), claim_many_pixels, ("unreadable", "A01-1", name(1, 1, 5))),
    "cut at 20 %": (name(1, 1, 5), cut(0.2), ("unreadable", "A01-1", name(1, 1, 5))),
    "cut at 60 %": (name(1, 1, 5), cut(0.6), ("unreadable", "A01-1", name(1, 1, 5))),
    "cut at 99 %": (name(1, 1, 5), cut(0.99), ("unreadable", "A01-1", name(1, 1, 5))),
    "other size": (name(1, 1, 5), random_image(8, 9), ("image_size", "A01-1", name(1, 1, 5))),
    "other depth": (name(1, 1, 5), random_image(8, 8, kind=np.uint8), ("bit_depth", "A01-1", name(1, 1, 5))),
    "well in no platemap": ("../map.txt", lambda path: path.write_text("well_position\tbroad_sample\nN09\t\n"),
                            ("well_not_in_platemap", "A01", "map.txt")),
    "wells written A1": ("../map.txt", lambda path: path.write_text("well_position\tbroad_sample\nA1\t\nN09\t\n"),
                         ("well_form", "", "map.txt")),
    "a well twice": ("../map.txt",
                     lambda path: path.write_text("well_position\tbroad_sample\nA01\t1\nN09\t\n\nA01\t2\n"),
                     ("platemap_row", "", "map.txt")),
    "a compound with a blank": ("../map.txt",
                                lambda path: path.write_text("well_position\tbroad_sample\nA01\tB1 \nN09\t\n"),
                                ("platemap_row", "", "map.txt")),
    "a column of the profiles": ("../map.txt",
                                 lambda path: path.write_text("well_position\tbroad_sample\tPlate\nA01\t\t\nN09\t\t\n"),
                                 ("platemap_column", "", "map.txt")),
}  # fmt: skip


@pytest.mark.parametrize(("file", "spoil", "fault"), FAULTS.values(), ids=FAULTS)
def test_every_fault_is_found_named_and_stops_the_plate(
    gallery: Gallery, file: str, spoil: Callable[[Path], object], fault: tuple[str, str, str]
) -> None:
    spoil(gallery.images / file)
    done = gallery.run()

    assert ("error", *fault) in done.faults
    assert done.code == 65
    assert "the plate before it costs anything" in done.said
    assert not (done.files.parent / "result.json").exists()
    assert not (done.files / "load_data.csv").exists()


@pytest.mark.parametrize(("file", "spoil", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_of_a_site_or_well_can_be_excluded_and_the_exclusion_is_recorded(
    gallery: Gallery, file: str, spoil: Callable[[Path], object], fault: tuple[str, str, str]
) -> None:
    spoil(gallery.images / file)
    done = gallery.run(faulty_sites="exclude")
    rule, unit, _ = fault

    assert done.code == (0 if unit else 65)
    if unit:
        assert ("excluded", *fault) in done.faults
        assert done.result["facts"]["excluded_sites"] == {"A01-1": rule}
        assert done.result["facts"]["site"] == ["N09-1"]
        assert "1 of the plate's 2 sites are excluded: see preflight.tsv" in done.result["warnings"]


GOOD: dict[str, Callable[[Path], None]] = {
    "8 bits": written(np.ones((8, 8), np.uint8)),
    "16 bits": written(np.ones((8, 8), np.uint16)),
    "big endian": written(np.ones((8, 8), np.uint16), byteorder=">"),
    "BigTIFF": written(np.ones((8, 8), np.uint16), bigtiff=True),
    "tiled": written(np.ones((32, 32), np.uint16), tile=(16, 16)),
    "LZW with predictor": written(np.ones((8, 8), np.uint16), compression="lzw", predictor=True),
    "Deflate": written(np.ones((8, 8), np.uint16), compression="zlib"),
    "PackBits": written(np.ones((8, 8), np.uint16), compression="packbits"),
    "ImageJ": written(np.ones((8, 8), np.uint16), imagej=True),
    "OME": written(np.ones((8, 8), np.uint16), ome=True),
}


@pytest.mark.parametrize("write", GOOD.values(), ids=GOOD)
def test_every_kind_that_is_measured_rightly_passes(gallery: Gallery, write: Callable[[Path], None]) -> None:
    for path in gallery.images.iterdir():
        write(path)
    done = gallery.run()

    assert (done.code, done.faults) == (0, []), done.said


def test_a_smaller_copy_in_the_file_is_no_second_plane(gallery: Gallery) -> None:
    path = gallery.images / name(*A01, 5)
    with tifffile.TiffWriter(path) as file:
        file.write(np.ones((8, 8), np.uint16))
        file.write(np.ones((4, 4), np.uint16), subfiletype=1)

    assert gallery.run().code == 0


def test_a_channel_that_few_sites_have_is_named_there(gallery: Gallery) -> None:
    gallery.lay(*(name(2, column, channel) for column in (1, 2) for channel in (1, 5)), name(*A01, 3))
    gallery.map("A01", "N09", "B01", "B02")

    assert gallery.run().faults == [("error", "channel_rare", "A01-1", name(*A01, 3))]


def test_named_sites_and_wells_are_left_out(gallery: Gallery) -> None:
    gallery.lay(*(name(*A01, channel, field=2) for channel in (1, 5)))
    done = gallery.run(exclude="A01-2,N09")

    assert done.result["facts"]["site"] == ["A01-1"]
    assert done.result["facts"]["excluded_sites"] == dict.fromkeys(("A01-2", "N09-1"), "[preflight] exclude")


def test_a_fault_of_a_well_stays_while_one_of_its_sites_is_kept(gallery: Gallery) -> None:
    gallery.lay(*(name(*A01, channel, field=2) for channel in (1, 5)))
    gallery.map("N09")

    assert gallery.run(exclude="A01-2").code == 65
    assert gallery.run(exclude="A01-2,A01-1").code == 0


@pytest.mark.parametrize(
    ("exclude", "said"),
    [("B07", "exclude names B07, but the plate has no such site or well"), ("A01,N09", "all 2 sites of the plate")],
)
def test_an_exclusion_that_cannot_be_meant_is_refused(gallery: Gallery, exclude: str, said: str) -> None:
    done = gallery.run(exclude=exclude)

    assert (done.code, said in done.said) == (65, True)


def test_what_may_be_right_is_warned_of_and_recorded(gallery: Gallery) -> None:
    gallery.lay(*(name(2, 1, channel, field=field) for channel in (1, 5) for field in (1, 2)))
    gallery.map("A01", "N09", "B01", "P24", "P23")
    done = gallery.run(expected_images="9")

    assert done.result["facts"]["wells_without_images"] == ["P23", "P24"]
    assert done.result["warnings"] == [
        "B01: it has 2 sites, other wells have 1",
        "8 images are here, the plate has 9",
        "2 x well_without_images, the first: P23: the platemap has it",
    ]


def test_all_faults_stand_in_the_table_and_the_first_are_printed(gallery: Gallery) -> None:
    gallery.map(*(f"{row}{column:02d}" for row in "ABN" for column in range(1, 25)))
    gallery.lay(*(name(2, column, 1) for column in range(1, 15)), *(name(1, column, 5) for column in range(2, 20)))
    gallery.lay(*(name(1, column, 1) for column in range(2, 20)))
    done = gallery.run()
    missing = [fault for fault in done.faults if fault[1] == "channel_missing"]

    assert [unit for _, _, unit, _ in missing] == [f"B{column:02d}-1" for column in range(1, 15)]
    assert done.said.count("it has no DNA") == 6
    assert "14 faults stop the plate before it costs anything (14 channel_missing)" in done.said
    assert "[preflight] exclude = <plate>:B01-1" in done.said
