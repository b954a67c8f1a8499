"""What instruments export is recognised: real exports, what they announce, and names of every form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tasks.commands.plate_listing import announced
from tasks.errors import ExportError, StageError, TableError
from tasks.instruments import export, paths, plate, readers, stains
from tasks.instruments.plate import FoundPlate
from tests import real_files

CV8000 = "CV8000-Minimal-DataSet-2C-3W-4S-FP2-stack"
ALEXA = {
    "1": "Digital Phase Contrast", "2": "Brightfield high", "3": "488 650", "4": "Alexa 488", "5": "Alexa 568",
    "6": "Alexa 647",
}  # fmt: skip
WAVES = {"1": "DAPI", "2": "FITC", "3": "Texas Red", "4": "Cy5"}


def found(*folders: str) -> list[FoundPlate]:
    return plate.plates(export.look(real_files.vendors().joinpath(*folders)))


WITH_IMAGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "a htd file, 2 time points": ("imagexpress_metaxpress_htd", "imagexpress", {
        "name": "9987", "wells": ["B02", "B03"], "sites": [1, 2], "channels": ["1", "2"], "planes": [1],
        "times": [1, 2], "images": 16, "told": WAVES, "pixel": 1.3672, "zoom": 40,
    }),
    "guids, no htd file": ("imagexpress_micro_guid_timepoint", "imagexpress", {
        "name": "1well-3C-2S-Zmix-T", "wells": ["C07"], "sites": [1, 2], "channels": ["1", "2", "3"], "planes": [1],
        "times": [1, 2], "images": 12, "told": {"1": "FITC", "2": "Cy3", "3": "Texas Red"}, "pixel": 13.5504, "zoom": 4,
    }),
    "a guid in brackets, no site": ("imagexpress_metaxpress_guid_nosite/ExampleStraightenWorms", "imagexpress", {
        "name": "101210OranePlt1", "wells": ["C16"], "sites": [1], "channels": ["1", "3"], "planes": [1], "times": [1],
        "images": 2, "told": {}, "pixel": None, "zoom": None,
    }),
    "a bare guid after a blank name": ("imagexpress_metaxpress_guid_nosite/ExampleUntangleWorms", "imagexpress", {
        "name": "1649_1109_0003_Amp5-1_B_20070424", "wells": ["C01"], "sites": [1], "channels": ["1", "2"],
        "planes": [1], "times": [1], "images": 2, "told": {}, "pixel": None, "zoom": None,
    }),
    "Phenix": ("perkinelmer_phenix_harmony_v5", "harmony", {
        "name": "BR00122249", "wells": ["A01"], "sites": [1], "channels": list("123456"), "planes": [1], "times": [1],
        "images": 6, "told": ALEXA, "pixel": 0.598, "zoom": 20,
    }),
    "Operetta": ("perkinelmer_operetta_sonata_harmony_v5", "harmony", {
        "name": "Test_Sample_BALL", "wells": ["C03"], "sites": [1, 2], "channels": ["1"], "planes": [1], "times": [1],
        "images": 2, "told": {"1": "Fluorescein (FITC)"}, "pixel": 1.196, "zoom": 10,
    }),
    "CV8000": ("yokogawa_cv8000", "yokogawa", {
        "name": CV8000, "wells": ["D08"], "sites": [1, 2], "channels": ["1", "2"], "planes": [1, 2, 3, 4], "times": [1],
        "images": 16, "pixel": 0.325, "zoom": 20,
        "told": {"1": "405 BP445/45", "2": "488 BP525/50", "3": "561 BP600/37", "4": "640 BP676/29"},
    }),
    "scanR": ("olympus_scanr/ExampleIlluminationCorrection", "scanr", {
        "name": "ExampleIlluminationCorrection", "wells": ["A01"], "sites": [1], "channels": ["cherry"], "planes": [0],
        "times": [0], "images": 1, "told": {}, "pixel": None, "zoom": None,
    }),
    "Leica": ("leica_matrix_screener", "leica", {
        "name": "experiment--test", "wells": ["A01"], "sites": [1, 2], "channels": ["0", "1"], "planes": [0],
        "times": [0], "images": 4, "told": {}, "pixel": 0.2405, "zoom": 2,
    }),
    "Cellomics": ("cellomics_tif/ExampleHuman", "cellomics", {
        "name": "AS_09125_050116030001", "wells": ["D03"], "sites": [0], "channels": ["0", "1", "2"], "planes": [1],
        "times": [1], "images": 3, "told": {}, "pixel": None, "zoom": None,
    }),
    "IN Cell 3000": ("incell3000_channel_well_tif", "incell_3000", {
        "name": "ExampleSBSImages", "wells": ["A01", "B01"], "sites": [1], "channels": ["1", "2"], "planes": [1],
        "times": [1], "images": 4, "told": {}, "pixel": None, "zoom": None,
    }),
}  # fmt: skip


@pytest.mark.parametrize(("folder", "instrument", "holds"), WITH_IMAGES.values(), ids=WITH_IMAGES)
def test_a_real_export_is_recognised_and_its_planes_are_found(
    folder: str, instrument: str, holds: dict[str, Any]
) -> None:
    seen = export.look(real_files.vendors() / folder)
    (one,) = plate.plates(seen)

    assert seen.reader.name == instrument
    assert {
        "name": one.name, "wells": one.wells, "sites": one.numbers("site"), "channels": one.channels,
        "planes": one.numbers("z"), "times": one.numbers("time"), "images": len(one.planes),
        "told": dict(one.told.channels),
        "pixel": one.told.pixel_um and pytest.approx(one.told.pixel_um, rel=1e-3), "zoom": one.told.magnification,
    } == holds  # fmt: skip


ANNOUNCED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "IN Cell 6000": ("incell6000_xdce_sidecar_only", "incell", {
        "plate": "test_plate", "wells": 2, "sites": 2, "planes": 1, "times": 1, "images": 16, "pixel_um": 0.1625,
        "magnification": 40, "channels": ["UV - DAPI", "Blue - FITC", "Green - dsRed", "Red - Cy5"],
    }),
    "CV7000, projections": ("yokogawa_cellvoyager_sidecars_only/CV7000_z_processed", "yokogawa", {
        "plate": "AssayPlate_Cellvis_#384-1.5H-N", "wells": 5, "sites": 9, "planes": 1, "times": 1, "images": 135,
        "pixel_um": 0.108, "magnification": 60,
        "channels": ["405 BP445/45", "488 BP525/50", "561 BP600/37", "640 BP676/29", "Brightfield BP525/50"],
    }),
    "CV7000": ("yokogawa_cellvoyager_sidecars_only/CV7000_2x2_well", "yokogawa", {
        "plate": "20200812-CardiomyocyteDifferentiation14-Cycle1", "wells": 1, "sites": 72, "planes": 42, "times": 5,
        "images": 120, "pixel_um": 0.1625, "magnification": None, "channels": ["1", "2", "3"],
    }),
    "HCS.ai": ("imagexpress_hcsai_sidecar_only", "imagexpress_hcs_ai", {
        "plate": "1w1s1t1c1z_binning4x4 2026-03-02, 13:57:52", "wells": 1, "sites": 1, "planes": 1, "times": 1,
        "images": 1, "pixel_um": 1.294, "magnification": 20, "channels": ["DAPI"],
    }),
    "a htd file": ("imagexpress_metaxpress_htd_only", "imagexpress", {
        "plate": "", "wells": 2, "sites": 6, "planes": 26, "times": 1, "images": 0, "pixel_um": None,
        "magnification": None, "channels": ["DAPI", "FITC", "Texas Red", "Cy5"],
    }),
    "Phenix": ("perkinelmer_phenix_index_only", "harmony", {
        "plate": "BR00121482", "wells": 1, "sites": 1, "planes": 1, "times": 1, "images": 6, "pixel_um": 0.598,
        "magnification": 20,
        "channels": ["Alexa 647", "Alexa 568", "488 long", "Alexa 488", "HOECHST 33342", "Brightfield"],
    }),
    "scanR": ("olympus_scanr/scanr", "scanr", {
        "plate": "", "wells": 1, "sites": 1, "planes": 1, "times": 1, "images": 1, "pixel_um": 0.325,
        "magnification": 20, "channels": ["405 nm #1"],
    }),
}  # fmt: skip


@pytest.mark.parametrize(("folder", "instrument", "holds"), ANNOUNCED.values(), ids=ANNOUNCED)
def test_what_an_instruments_own_files_announce_is_listed_without_images(
    folder: str, instrument: str, holds: dict[str, Any]
) -> None:
    seen = export.look(real_files.vendors() / folder)
    (one,) = plate.plates(seen)
    told = announced(one.told)

    assert seen.reader.name == instrument
    assert one.planes == ()
    assert {
        "plate": told.plate, "wells": told.wells, "sites": told.sites, "planes": told.planes, "times": told.times,
        "images": len(told.images), "pixel_um": told.pixel_um and pytest.approx(told.pixel_um, rel=5e-3),
        "magnification": told.magnification, "channels": list(told.channels.values()),
    } == holds  # fmt: skip


def test_all_names_of_a_listing_of_a_screen_are_read_but_thumbnails() -> None:
    names = (real_files.vendors() / "imagexpress_file_listing_only/images.txt").read_text().splitlines()
    paths_of = [name for name in names if name.endswith(".tif")]
    thumbs = [name for name in paths_of if export._passed_over(name, readers.READERS["imagexpress"])]
    named = [paths.parse(name, readers.READERS["imagexpress"]) for name in paths_of if name not in thumbs]

    assert len(paths_of) == 3600
    assert len(thumbs) == 1800
    assert {each.plate for each in named if each} == {"val screen"}
    assert len({(each.well, each.site, each.channel) for each in named if each}) == 60 * 6 * 5


CONTRADICTIONS = {
    "6 time points announced": ("imagexpress_metaxpress_htd", "announces 6 time points, 2 are here"),
    "channels announced": ("imagexpress_metaxpress_htd", "channels 3 (Texas Red), 4 (Cy5), which have no image here"),
    "images listed": ("yokogawa_cv8000", "80 of 96 images that the instrument lists are not here"),
    "a list of its own": ("yokogawa_cellvoyager_sidecars_only/CV7000_2x2_well", "announces 5 time points, 1 is in its"),
    "another plate's name": (
        "perkinelmer_operetta_sonata_harmony_v5",
        '"Test_Sample_BALL", the folder has operetta_pl',
    ),
    "projections": ("yokogawa_cellvoyager_sidecars_only/CV7000_z_processed", "135 of 135 images are projections"),
    "chosen sites": ("imagexpress_metaxpress_htd_only", "6 of a grid of 9 sites were chosen"),
    "counted wells": ("olympus_scanr/ExampleIlluminationCorrection", "a plate of 96 wells, counted along its rows"),
}


@pytest.mark.parametrize(("folder", "said"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_what_was_assumed_or_contradicts_is_named(folder: str, said: str) -> None:
    (one,) = found(folder)

    assert any(said in note for note in one.notes), one.notes


PALETTES = ("leica_matrix_screener", "incell3000_channel_well_tif", "cellomics_tif/ExampleIlluminationCorrection")


@pytest.mark.parametrize("folder", PALETTES)
def test_images_of_a_palette_that_only_grows_brighter_are_imported(folder: str) -> None:
    (one,) = found(*folder.split("/"))

    assert one.unmeasurable(one.channels, "") == []
    assert {plane.at for plane in one.planes} == {"0"}


def test_what_is_known_and_not_read_yet_is_refused_by_name() -> None:
    with pytest.raises(ExportError, match="nothing here can be read: .* is a .*.C01"):
        export.look(real_files.vendors() / "cellomics_c01")


@pytest.mark.parametrize("folder", ["incarta_feature_csv", "platemaps", "load_data_csv_other_channels"])
def test_a_folder_without_images_is_refused_with_what_may_be_given(folder: str) -> None:
    with pytest.raises(ExportError, match="no TIFF; give the form of the names: --pattern"):
        export.look(real_files.vendors() / folder)


NAMES = {
    "harmony": ("Images/r02c11f03p04-ch05sk2fk1fl1.tiff", ("B11", 3, "5", 4, 2)),
    "imagexpress": ("TimePoint_2/ZStep_3/a b_c_AA02_s10_w2.tif", ("AA02", 10, "2", 3, 2)),
    "yokogawa": ("p_1_D08_T0001F002L01A02Z04C02.tif", ("D08", 2, "2", 4, 1)),
    "incell": ("A - 1(fld 02 wv Cy3 - Cy3 z 3 time 2 - 0 ms).tif", ("A01", 2, "Cy3 - Cy3", 3, 2)),
    "incell_3000": ("Channel2-13-B-01.tif", ("B01", 1, "2", 1, 1)),
    "scanr": ("B2--W00014--P00003--Z00001--T00002--405 nm #1.tif", ("B02", 3, "405 nm #1", 1, 2)),
    "cellomics": ("AS_09_A03f02d1.TIF", ("A03", 2, "1", 1, 1)),
    "gen5": ("B3_02_1_5_DAPI 377,447_001.tif", ("B03", 5, "DAPI 377,447", 1, 1)),
    "imagexpress_hcs_ai": ("timepoint0/x_t0_C05_s0_w0_z0.tif", ("C05", 0, "0", 0, 0)),
}


@pytest.mark.parametrize(("instrument", "name"), [(key, name) for key, (name, _) in NAMES.items()], ids=NAMES)
def test_a_name_says_well_site_channel_plane_and_time(instrument: str, name: str) -> None:
    named = paths.parse(name, readers.READERS[instrument])

    assert named is not None
    assert (named.well, named.site, named.channel, named.z, named.time) == NAMES[instrument][1]


@pytest.mark.parametrize(("instrument", "name"), [(key, name) for key, (name, _) in NAMES.items()], ids=NAMES)
def test_a_name_is_of_one_instrument_only(instrument: str, name: str) -> None:
    assert [reader.name for reader in readers.READERS.values() if export._matches(name, reader)] == [instrument]


def test_wells_that_are_counted_are_placed_on_the_smallest_plate() -> None:
    small, note = paths.counted_wells([1, 14, 96], None)
    large, _ = paths.counted_wells([1, 25, 384], None)

    assert (small[14], small[96]) == ("B02", "H12")
    assert "96 wells" in note
    assert (large[25], large[384]) == ("B01", "P24")
    assert paths.counted_wells([14], 24) == ({14: "A14"}, "")
    with pytest.raises(paths.BadPathError, match="1 to 1536"):
        paths.counted_wells([1537], None)


def test_a_dye_proposes_a_channel_and_a_wavelength_does_not() -> None:
    told = {"1": "HOECHST 33342", "2": "Alexa 488", "3": "MitoTracker Deep Red", "4": "405", "5": ""}

    assert stains.proposed(["1", "2", "3", "4", "5", "6"], told) == {
        "1": "DNA", "2": "Alexa488", "3": "Mito", "4": "channel405", "5": "channel5", "6": "channel6",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("perkinelmer_phenix_index_only/Version1/images", "Index.idx.xml"),
        ("imagexpress_metaxpress_htd_only/zmb_test_data", "40x-1time-26z-2well-6site-4channel.HTD"),
        ("imagexpress_hcsai_sidecar_only/hcs_1w1s1t1c1z_binning4x4/experiment", "1w1s1t1c1z_binning4x4.jdce"),
        ("incell6000_xdce_sidecar_only/IC6000_data/cycle_0", "test_data.xdce"),
    ],
)
def test_an_instruments_file_that_was_cut_short_is_named(tmp_path: Path, folder: str, name: str) -> None:
    content = (real_files.vendors() / folder / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) * 2 // 3])

    with pytest.raises(TableError, match=f"{name}: .*copy") as failure:
        plate.plates(export.look(tmp_path))

    assert isinstance(failure.value, StageError)


VERSION_7 = """<?xml version="1.0" encoding="utf-8"?>
<EvaluationInputData Version="2" xmlns="http://www.perkinelmer.com/43B2A954-0000/HarmonyV7">
  <InstrumentType>Phenix</InstrumentType>
  <Plates><Plate><PlateID>P 7</PlateID><Name>P 7</Name><PlateRows>16</PlateRows><PlateColumns>24</PlateColumns>
  </Plate></Plates>
  <Maps><Map><Entry ChannelID="1"><ChannelName>405ex, 570-630-em)</ChannelName>
    <ImageResolutionX Unit="m">2.967E-07</ImageResolutionX><ObjectiveMagnification>40</ObjectiveMagnification>
  </Entry></Map></Maps>
  <Images><Image><URL>r02c03f04p01-ch1sk1fk1fl1.tiff</URL><Row>2</Row><Col>3</Col><FieldID>4</FieldID>
    <PlaneID>1</PlaneID><TimepointID>0</TimepointID><ChannelID>1</ChannelID>
    <PositionX Unit="m">0.0001</PositionX><PositionY Unit="m">-0.0002</PositionY></Image></Images>
</EvaluationInputData>"""


def test_an_index_of_harmony_7_says_of_channels_what_earlier_ones_say_of_images(tmp_path: Path) -> None:
    (tmp_path / "Index.xml").write_text(VERSION_7)
    (one,) = plate.plates(export.look(tmp_path))
    (image,) = one.told.images.values()

    assert (one.name, one.told.rows, one.told.columns, one.told.magnification) == ("P 7", 16, 24, 40)
    assert one.told.pixel_um == pytest.approx(0.2967)
    assert one.told.channels == {"1": "405ex, 570-630-em)"}
    assert (image.well, image.site, image.channel, image.z, image.time, image.x_m, image.y_m) == (
        "B03", 4, "1", 1, 1, "0.0001", "-0.0002",
    )  # fmt: skip
