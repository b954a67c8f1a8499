"""A folder that an instrument exported becomes a plate: what add-plate says, writes and refuses, and what is read."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from tasks import __main__ as command
from tasks.dataset import planes
from tasks.dataset.layout import Layout
from tasks.errors import MissingInputError, SettingsError
from tasks.planning import plate_sizes
from tasks.runtime.arrays.places import AWS_BATCH
from tasks.settings import checks
from tasks.workflow import inputs, pipeline
from tasks.workflow.inputs import images_of
from tests.unit.conftest import LoadSettings
from tests.unit.gallery import Gallery, name

BATCH = "screen_1"
WELLS, SITES, CHANNELS = ("A01", "B12"), (1, 2), {"1": "DNA", "2": "RNA"}
PLANES = [(well, site, channel) for well in WELLS for site in SITES for channel in CHANNELS]
MIXED = "3F2504E0-4F89-11D3-9A0C-0305E82C33{:02d}"
AddPlate = Callable[..., tuple[int, str, str]]
Plane = tuple[str, int, str]


def pixels(plane: Plane, z: int = 1, time: int = 1) -> np.ndarray[Any, Any]:
    """Return an image that no other plane has."""
    well, site, channel = plane
    seed = WELLS.index(well) * 1000 + site * 100 + int(channel) * 10 + z + 5000 * time
    return np.random.default_rng(seed).integers(0, 60_000, (16, 24)).astype(np.uint16)


def write(path: Path, image: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, image, compression="lzw")


def harmony(folder: Path) -> None:
    for well, site, channel in PLANES:
        row, column = ord(well[0]) - 64, int(well[1:])
        write(folder / name(row, column, int(channel), field=site), pixels((well, site, channel)))


def imagexpress(folder: Path) -> None:
    """Write a plate with blanks in its name, a GUID each, thumbnails and a .HTD file."""
    for number, plane in enumerate(PLANES):
        well, site, channel = plane
        stem = folder / "TimePoint_1" / f"val screen_{well}_s{site}_w{channel}"
        write(Path(f"{stem}{MIXED.format(number)}.tif"), pixels(plane))
        write(Path(f"{stem}_thumb{MIXED.format(number + 50)}.tif"), pixels(plane)[::4, ::4])
    lines = ['"HTSInfoFile", Version 1.0', '"TimePoints", 1', '"XWells", 12', '"YWells", 8', '"Sites", TRUE']
    lines += ['"SiteSelection1", TRUE, TRUE', '"WellsSelection1", TRUE, FALSE', '"WellsSelection2", FALSE, TRUE']
    lines += ['"Waves", TRUE', '"NWavelengths", 2', '"WaveName1", "Hoechst"', '"WaveName2", "SYTO 14"', '"EndFile"']
    (folder / "val screen.HTD").write_text("\r\n".join(lines))


def yokogawa(folder: Path) -> None:
    records = ""
    for well, site, channel in PLANES:
        file = f"Assay_7_{well}_T0001F{site:03d}L01A0{channel}Z01C0{channel}.tif"
        write(folder / file, pixels((well, site, channel)))
        place = f'bts:Row="{ord(well[0]) - 64}" bts:Column="{int(well[1:])}" bts:FieldIndex="{site}" bts:ZIndex="1"'
        records += (
            f'<bts:MeasurementRecord bts:Type="IMG" {place} bts:TimePoint="1" bts:X="{site * 100}.5" bts:Y="-20"'
            f' bts:Ch="{channel}">{file}</bts:MeasurementRecord>\n'
        )
    write(folder / "SC_BP445-45_M01_CH01.tif", pixels(PLANES[0]))
    write(folder / "DC_CAM1.tif", pixels(PLANES[0]))
    head = 'bts:Version="1.0" xmlns:bts="http://www.yokogawa.co.jp/BTS/BTSSchema/1.0"'
    (folder / "MeasurementData.mlf").write_text(f"<bts:MeasurementData {head}>{records}</bts:MeasurementData>")
    (folder / "MeasurementDetail.mrf").write_text(
        f'<bts:MeasurementDetail {head} bts:RowCount="8" bts:ColumnCount="12" bts:FieldCount="2">'
        '<bts:MeasurementChannel bts:Ch="1" bts:HorizontalPixelDimension="0.325" /></bts:MeasurementDetail>'
    )


def incell(folder: Path) -> None:
    waves = {"1": "DAPI - DAPI", "2": "FITC - FITC"}
    images = ""
    for well, site, channel in PLANES:
        file = f"{well[0]} - {int(well[1:])}(fld {site} wv {waves[channel]}).tif"
        write(folder / file, pixels((well, site, channel)))
        first, second = waves[channel].split(" - ")
        images += (
            f'<Image filename="{file}"><Well label="{well[0]} - {int(well[1:])}"><Row number="{ord(well[0]) - 64}"/>'
            f'<Column number="{int(well[1:])}"/></Well><Identifier field_index="{site - 1}" time_index="0"'
            f' wave_index="{int(channel) - 1}" z_index="0"/><ExcitationFilter name="{first}"/>'
            f'<EmissionFilter name="{second}"/></Image>'
        )
    (folder / "plate.xdce").write_text(f'<ImageStack PlateID="Plate 3">{images}</ImageStack>')


def leica(folder: Path) -> None:
    for well, site, channel in PLANES:
        places = f"U{int(well[1:]) - 1:02d}--V{ord(well[0]) - 65:02d}"
        at = folder / "experiment--1/slide--S00" / f"chamber--{places}/field--X0{site - 1}--Y00"
        tail = f"image--L00--S00--{places}--J10--E00--O00--X0{site - 1}--Y00--T00--Z00--C0{int(channel) - 1}.ome.tif"
        write(at / tail.replace("--U", "--U", 1), pixels((well, site, channel)))


FORMS: Mapping[str, tuple[Callable[[Path], None], str, str]] = {
    "harmony": (harmony, "export", "1=DNA,2=RNA"),
    "imagexpress": (imagexpress, "val_screen", ""),
    "yokogawa": (yokogawa, "Assay_7", "1=DNA,2=RNA"),
    "incell": (incell, "Plate_3", "DAPI - DAPI=DNA,FITC - FITC=RNA"),
    "leica": (leica, "experiment--1", "0=DNA,1=RNA"),
}
"""Form -> what writes the plate so, the name that the plate has then, and the flag --channels."""


@pytest.fixture
def layout(luigi_cfg: LoadSettings) -> Layout:
    return luigi_cfg("")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "export"


@pytest.fixture
def add_plate(
    layout: Layout, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AddPlate:
    def act(*flags: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tasks", "add-plate", str(folder), "--batch-id", BATCH, *flags])
        capsys.readouterr()
        return command.main(), *capsys.readouterr()

    return act


@pytest.fixture
def load_data(layout: Layout, tmp_path: Path, monkeypatch: Any, capsys: Any) -> Callable[..., Any]:
    """Run the program load_data on an added plate, as a run would."""

    def act(plate: str, **how: str) -> Any:
        gallery = Gallery(tmp_path / "program", monkeypatch, capsys)
        gallery.folder.mkdir(exist_ok=True)
        gallery.map(*WELLS)
        gallery.planes, gallery.z, gallery.time = [layout.planes(BATCH, plate)], how.get("z", ""), how.get("time", "")
        return gallery.run(images=str(images_of(BATCH, plate)), plate=plate, pattern="x(?P<well>)(?P<channel>)")

    return act


def content(images: Path, rows: Iterable[Mapping[str, str]]) -> dict[Plane, str]:
    """Return well, site and channel -> a hash of the pixels that a table of images names."""
    return {
        (row["Metadata_Well"], int(row["Metadata_Site"]), channel): hashlib.sha256(
            tifffile.imread(images / row[f"FileName_Orig{channel}"]).tobytes()
        ).hexdigest()
        for row in rows
        for channel in CHANNELS.values()
    }


def drawn() -> dict[Plane, str]:
    return {
        (well, site, CHANNELS[channel]): hashlib.sha256(pixels((well, site, channel)).tobytes()).hexdigest()
        for well, site, channel in PLANES
    }


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if ".work" not in path.parts and not path.is_dir())


@pytest.mark.parametrize("form", FORMS)
def test_a_plate_in_the_names_of_an_instrument_gives_what_the_plain_one_gives(
    form: str, layout: Layout, folder: Path, add_plate: AddPlate, load_data: Callable[..., Any]
) -> None:
    lay, plate, channels = FORMS[form]
    lay(folder)
    before = {path: path.stat().st_mtime_ns for path in files_below(folder)}
    code, printed, said = add_plate("--yes", *(["--channels", channels] if channels else []))

    assert code == 0, said
    assert f"plate {plate} is added" in printed

    done = load_data(plate)

    assert done.code == 0, done.said
    assert done.faults == []
    assert content(images_of(BATCH, plate), done.table("load_data.csv")) == drawn()
    assert done.result["facts"]["channel"] == ["DNA", "RNA"]
    assert {path: path.stat().st_mtime_ns for path in files_below(folder)} == before


def test_the_plain_plate_gives_it_without_an_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery = Gallery(tmp_path, monkeypatch, capsys)
    harmony(gallery.images)
    gallery.map(*WELLS)
    done = gallery.run(channels="1=DNA,2=RNA")

    assert done.code == 0, done.said
    assert content(gallery.images, done.table("load_data.csv")) == drawn()


def test_nothing_is_written_without_yes(layout: Layout, folder: Path, add_plate: AddPlate) -> None:
    imagexpress(folder)
    code, printed, _ = add_plate()

    assert code == 0
    assert "nothing was written" in printed
    assert files_below(layout.root) == []
    for told in ("ImageXpress", "8 images: a thumbnail", "A01 B12", "2 of 96", "1 (Hoechst) = DNA, 2 (SYTO 14) = RNA"):
        assert told in printed


def test_a_program_reads_what_was_found_as_json(folder: Path, add_plate: AddPlate) -> None:
    yokogawa(folder)
    (told,) = json.loads(add_plate("--json")[1])

    assert told["instrument"] == "yokogawa"
    assert (told["wells"], told["sites"], told["pixel_um"]) == (list(WELLS), [1, 2], 0.325)
    assert told["ignored"] == {"an image that corrects shading": 1, "an image of the dark camera": 1}


def test_the_stages_positions_come_from_the_instruments_list(
    folder: Path, add_plate: AddPlate, load_data: Callable[..., Any]
) -> None:
    yokogawa(folder)
    add_plate("--yes", "--channels", "1=DNA,2=RNA")
    rows = load_data("Assay_7").table("load_data.csv")

    assert {(row["Metadata_Site"], row["Metadata_PositionX"], row["Metadata_PositionY"]) for row in rows} == {
        ("1", "0.0001005", "-2e-05"), ("2", "0.0002005", "-2e-05"),
    }  # fmt: skip


def test_a_pattern_reads_names_that_no_instrument_gives_and_a_channel_may_be_left_out(
    layout: Layout, folder: Path, add_plate: AddPlate
) -> None:
    for well, site, channel in PLANES:
        write(folder / f"day 1/{well}/{channel}-{site}.tif", pixels((well, site, channel)))
    pattern = r"day 1/(?P<well>[A-Z]\d\d)/(?P<channel>\d)-(?P<site>\d)\.tif"

    assert add_plate()[0] == 1
    assert add_plate("--pattern", r"(?P<well>\d")[0] == 1
    assert add_plate("--pattern", pattern, "--plate", "P1", "--channels", "1=DNA,2=-", "--yes")[0] == 0
    with open(layout.planes(BATCH, "P1"), newline="") as table:
        rows = list(csv.DictReader(table))
    assert {(row["well"], row["channel"]) for row in rows} == {("A01", "DNA"), ("B12", "DNA")}


def test_skeletons_are_laid_and_what_a_person_wrote_stays(layout: Layout, folder: Path, add_plate: AddPlate) -> None:
    yokogawa(folder)
    add_plate("--yes", "--plate", "P1")
    platemap = layout.platemap(BATCH, "P1").with_suffix(".csv")

    assert platemap.read_text() == "Well,Compound,Concentration (uM)\nA01,unknown,\nB12,unknown,\n"
    assert layout.barcode_platemap(BATCH).read_text() == "Assay_Plate_Barcode,Plate_Map_Name\nP1,P1\n"

    platemap.write_text("mine")
    layout.barcode_platemap(BATCH).write_text("Assay_Plate_Barcode,Plate_Map_Name,Note\nP1,P1,good")

    assert add_plate("--yes", "--plate", "P2")[0] == 0
    assert platemap.read_text() == "mine"
    assert layout.barcode_platemap(BATCH).read_text().splitlines()[1:] == ["P1,P1,good", "P2,P2,"]


def test_a_plates_own_layout_is_shown_and_laid(
    layout: Layout, folder: Path, add_plate: AddPlate, tmp_path: Path
) -> None:
    yokogawa(folder)
    table = tmp_path / "my plate.csv"
    table.write_text("Well;Compound;Dose (nM)\nA1;DMSO;\nB12;BRD-1;1,5\nB13;BRD-1;3\n")

    code, said, _ = add_plate("--plate", "P1", "--platemap", str(table))
    assert code == 0
    assert "my plate.csv has well = Well, perturbation = Compound, dose = Dose (nM), unit = nM" in said
    assert "negative controls: 1 (DMSO)" in said
    assert "wells of the layout without images: 1" in said
    assert not layout.barcode_platemap(BATCH).exists()

    assert add_plate("--yes", "--plate", "P1", "--platemap", str(table))[0] == 0
    assert layout.platemap(BATCH, "P1").with_suffix(".csv").read_bytes() == table.read_bytes()
    assert not layout.platemap(BATCH, "P1").exists()
    assert layout.barcode_platemap(BATCH).read_text() == "Assay_Plate_Barcode,Plate_Map_Name\nP1,P1\n"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("Well,Compound\nA1,DMSO\n", "it lacks 1 wells that have images: B12"),
        ("Well,Compound\nA1,DMSO\nB012x,a\n", "line 3, field 1: 'B012x' is no well"),
        ("Well,Cells\nA1,U2OS\nB12,U2OS\n", "[platemap] perturbation = one of Cells"),
    ],
)
def test_a_layout_that_cannot_be_used_keeps_a_plate_from_being_added(
    table: str, words: str, layout: Layout, folder: Path, add_plate: AddPlate, tmp_path: Path
) -> None:
    yokogawa(folder)
    (tmp_path / "a.csv").write_text(table)

    code, said, _ = add_plate("--yes", "--plate", "P1", "--platemap", str(tmp_path / "a.csv"))

    assert code == 1
    assert words in said
    assert not layout.barcode_platemap(BATCH).exists()


def test_a_plate_is_added_anew_only_if_the_user_says_so(layout: Layout, folder: Path, add_plate: AddPlate) -> None:
    yokogawa(folder)
    add_plate("--yes")
    before = layout.planes(BATCH, "Assay_7").read_text()
    code, _, said = add_plate("--yes", "--channels", "1=DNA,2=ER")

    assert code == 1
    assert "--replace" in said
    assert layout.planes(BATCH, "Assay_7").read_text() == before
    assert add_plate("--yes", "--replace", "--channels", "1=DNA,2=ER")[0] == 0
    assert ",ER," in layout.planes(BATCH, "Assay_7").read_text()
    assert [path.name for path in layout.image_folders(BATCH).iterdir()] == ["Assay_7"]


def test_images_that_a_person_laid_are_never_replaced(layout: Layout, folder: Path, add_plate: AddPlate) -> None:
    yokogawa(folder)
    laid = layout.image_folders(BATCH) / "Assay_7__2024-Measurement1"
    laid.mkdir(parents=True)

    assert add_plate("--yes", "--replace")[0] == 1
    assert files_below(layout.root) == []
    assert laid.is_dir()


ON_A_VOLUME = "[runtime]\nplace = aws_batch\n[aws_batch]\nvolume = host:/data\n"


def test_an_export_beyond_what_jobs_on_aws_see_is_refused_before_and_after_it_was_added(
    luigi_cfg: LoadSettings, folder: Path, add_plate: AddPlate
) -> None:
    yokogawa(folder)
    layout = luigi_cfg(ON_A_VOLUME)
    code, _, said = add_plate("--yes")

    assert (code, f"{folder} is beyond it; copy the export below it" in said) == (1, True)
    assert files_below(layout.root) == []

    luigi_cfg("")
    assert add_plate("--yes")[0] == 0
    luigi_cfg(ON_A_VOLUME)
    with pytest.raises(SettingsError, match="is beyond it"):
        images_of(BATCH, "Assay_7")


def test_a_plate_that_came_into_a_bucket_with_its_index_is_refused_by_name(
    layout: Layout, folder: Path, add_plate: AddPlate, monkeypatch: pytest.MonkeyPatch
) -> None:
    yokogawa(folder)
    add_plate("--yes")
    in_a_bucket = SimpleNamespace(url="s3://bucket", place=AWS_BATCH, layout=layout)
    in_a_bucket.store = in_a_bucket
    images = layout.images_of(BATCH, "Assay_7")
    with monkeypatch.context() as patch:
        patch.setattr(inputs.settings, "load", lambda: in_a_bucket)
        looked_at = list(inputs.Images(batch_id=BATCH, plate="Assay_7").folders())
        with pytest.raises(SettingsError, match=r"plate Assay_7 was added.* s3://bucket, .*On AWS"):
            inputs.refuse_unseen(images, "plate Assay_7 was added by add-plate")

    assert layout.planes(BATCH, "Assay_7").parent in looked_at


def test_an_export_on_the_volume_of_the_data_root_is_seen_by_jobs_on_aws(
    luigi_cfg: LoadSettings, folder: Path, add_plate: AddPlate
) -> None:
    layout = luigi_cfg(ON_A_VOLUME)
    yokogawa(layout.root / "exports")
    folder.symlink_to(layout.root / "exports", target_is_directory=True)
    code, _, said = add_plate("--yes")

    assert code == 0, said
    assert images_of(BATCH, "Assay_7").resolve() == (layout.root / "exports").resolve()


def test_what_breaks_off_leaves_no_plate(
    layout: Layout, folder: Path, add_plate: AddPlate, monkeypatch: pytest.MonkeyPatch
) -> None:
    leica(folder)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "symlink_to", full)
    code, _, said = add_plate("--yes")

    assert code == 1
    assert "No space left" in said
    assert list(layout.image_folders(BATCH).iterdir()) == []
    assert planes.index_of(layout, BATCH, "experiment--1") is None


def break_channel(folder: Path) -> None:
    next(iter(sorted(folder.glob("*F002*C02.tif")))).unlink()


def cut(folder: Path) -> None:
    path = next(iter(sorted(folder.glob("*C01.tif"))))
    path.write_bytes(path.read_bytes()[:-40])


def float_pixels(folder: Path) -> None:
    for path in folder.glob("*C01.tif"):
        tifffile.imwrite(path, np.zeros((16, 24), np.float32))


def several_pages(folder: Path) -> None:
    for path in folder.glob("*C02.tif"):
        tifffile.imwrite(path, np.zeros((3, 16, 24), np.uint16), imagej=True)


def other_size(folder: Path) -> None:
    tifffile.imwrite(next(iter(sorted(folder.glob("*C01.tif")))), np.zeros((8, 8), np.uint16))


def other_well(folder: Path) -> None:
    path = next(iter(sorted(folder.glob("*_A01_*C01.tif"))))
    listing = folder / "MeasurementData.mlf"
    listing.write_text(
        listing.read_text().replace('bts:Column="1" bts:FieldIndex="1"', 'bts:Column="2" bts:FieldIndex="1"')
    )
    assert path.exists()


FAULTS = {
    "half copied": (cut, "cut off"),
    "float": (float_pixels, "its pixels are float32"),
    "hyperstack": (several_pages, "its name says channel 2, it has 3: give --pattern without channel"),
    "two sizes": (other_size, "images differ in size or kind"),
    "name and list differ": (other_well, "the instrument's list of images well A02"),
}


@pytest.mark.parametrize(("spoil", "said"), FAULTS.values(), ids=FAULTS)
def test_what_cannot_be_measured_is_named_and_nothing_is_written(
    spoil: Callable[[Path], None], said: str, layout: Layout, folder: Path, add_plate: AddPlate
) -> None:
    yokogawa(folder)
    spoil(folder)
    code, printed, error = add_plate("--yes")

    assert code == 1
    assert said in error, error
    assert "fault" in printed
    assert files_below(layout.root) == []


def test_a_channel_that_cannot_be_measured_may_be_left_out(folder: Path, add_plate: AddPlate) -> None:
    yokogawa(folder)
    several_pages(folder)

    assert add_plate("--yes", "--channels", "1=DNA,2=-")[0] == 0


def test_a_channel_with_fewer_sites_is_named_and_the_site_stops_the_plate(
    folder: Path, add_plate: AddPlate, load_data: Callable[..., Any]
) -> None:
    yokogawa(folder)
    break_channel(folder)
    code, printed, _ = add_plate("--yes", "--channels", "1=DNA,2=RNA")
    done = load_data("Assay_7")

    assert code == 0
    assert "channel 2 has 3 sites, others have 4" in printed
    assert "1 of 8 images that the instrument lists are not here" in printed
    assert done.code == 65
    assert done.faults == [("error", "channel_missing", "A01-2", "")]


def test_an_image_that_is_gone_since_stops_the_plate(
    folder: Path, add_plate: AddPlate, load_data: Callable[..., Any]
) -> None:
    yokogawa(folder)
    add_plate("--yes", "--channels", "1=DNA,2=RNA")
    for path in folder.glob("*_A01_T0001F001*"):
        path.unlink()
    done = load_data("Assay_7")

    assert done.code == 65
    assert {fault[:3] for fault in done.faults} >= {("error", "file_missing", "A01-1")}


def test_two_measurements_of_a_plate_are_named_and_one_may_be_given(
    layout: Layout, folder: Path, add_plate: AddPlate
) -> None:
    yokogawa(folder / "Measurement 1")
    yokogawa(folder / "Measurement 2")
    code, _, said = add_plate("--yes")

    assert code == 1
    assert "plate Assay_7 has several measurements" in said
    assert files_below(layout.root) == []


def test_several_plates_of_a_folder_are_added_together_or_one_by_its_name(
    layout: Layout, folder: Path, add_plate: AddPlate
) -> None:
    imagexpress(folder / "one")
    yokogawa(folder / "two")
    for path in sorted((folder / "two").glob("Assay_7_*")):
        path.rename(path.with_name(path.name.replace("Assay_7", "Assay 8")))
    (folder / "two/MeasurementData.mlf").unlink()
    for path in sorted((folder / "two").glob("Assay 8_*")):
        (folder / "two" / path.name.replace("Assay 8", "Assay 9")).write_bytes(path.read_bytes())

    assert add_plate("--instrument", "yokogawa", "--yes", "--plate", "Assay_10")[0] == 1
    assert add_plate("--instrument", "yokogawa", "--yes", "--plate", "Assay_8")[0] == 0
    assert planes.index_of(layout, BATCH, "Assay_9") is None
    assert add_plate("--instrument", "yokogawa", "--yes", "--plate", "Assay 9")[0] == 0
    assert planes.index_of(layout, BATCH, "Assay_9")


def test_a_name_in_another_alphabet_needs_one_that_a_path_can_have(
    layout: Layout, folder: Path, add_plate: AddPlate, load_data: Callable[..., Any]
) -> None:
    for well, site, channel in PLANES:
        write(folder / f"プレート7_{well}_T0001F{site:03d}L01A01Z01C0{channel}.tif", pixels((well, site, channel)))
    code, _, said = add_plate("--yes")

    assert code == 1
    assert "--plate" in said
    assert add_plate("--yes", "--plate", "P7", "--channels", "1=DNA,2=RNA")[0] == 0
    assert content(images_of(BATCH, "P7"), load_data("P7").table("load_data.csv")) == drawn()


@pytest.mark.parametrize(
    "flags",
    [
        *(
            ("--channels", text)
            for text in ("1=D N A", "7=DNA", "1=DNA,2=DNA", "1=DNA,1=ER", "1=-,2=-", "DNA", "=", ",")
        ),
        ("--instrument", "x"),
    ],
)
def test_flags_that_cannot_be_meant_are_refused(folder: Path, add_plate: AddPlate, flags: tuple[str, str]) -> None:
    yokogawa(folder)

    assert add_plate(*flags)[0] == 1


def test_a_channel_may_have_a_comma_in_its_name(layout: Layout, folder: Path, add_plate: AddPlate) -> None:
    for well, site, channel in PLANES:
        dye = {"1": "DAPI 377,447", "2": "RFP 531,593"}[channel]
        write(folder / f"{well}_01_{channel}_{site}_{dye}_001.tif", pixels((well, site, channel)))

    assert add_plate("--yes", "--plate", "P1", "--channels", "DAPI 377,447=DNA,RFP 531,593=RNA")[0] == 0
    assert {row["channel"] for row in planes.rows(layout.planes(BATCH, "P1"), "", "")} == {"DNA", "RNA"}


def test_plates_that_would_have_one_name_are_not_added(layout: Layout, folder: Path, add_plate: AddPlate) -> None:
    for name_of in ("a b", "a_b"):
        for well, site, channel in PLANES:
            write(folder / f"{name_of}_{well}_s{site}_w{channel}.tif", pixels((well, site, channel)))
    code, _, said = add_plate("--yes")

    assert code == 1
    assert "several plates would be called a_b" in said
    assert files_below(layout.root) == []


def test_images_of_two_magnifications_are_not_one_plate(layout: Layout, folder: Path, add_plate: AddPlate) -> None:
    for well, site, channel in PLANES:
        described = f'<MetaData><prop id="_MagSetting_" type="string" value="{20 * site}X Plan Apo"/></MetaData>'
        path = folder / f"P_{well}_s{site}_w{channel}.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, pixels((well, site, channel)), description=described)
    code, _, said = add_plate("--yes")

    assert code == 1
    assert "images differ in magnification: 4 by 20x, 4 by 40x" in said
    assert files_below(layout.root) == []


def test_a_folder_that_is_not_there_is_refused(add_plate: AddPlate) -> None:
    code, _, said = add_plate()

    assert code == 1
    assert "there is no such folder" in said


# Planes and time points.


@pytest.fixture
def stacks(folder: Path, add_plate: AddPlate) -> None:
    """Add a plate of 2 time points, of 3 planes in channel 1 and one in channel 2."""
    for plane in PLANES:
        well, site, channel = plane
        for time in (1, 2):
            for z in (1, 2, 3) if channel == "1" else (1,):
                at = folder / f"TimePoint_{time}" / (f"ZStep_{z}" if channel == "1" else "")
                write(at / f"P_{well}_s{site}_w{channel}.tif", pixels(plane, z, time))
    assert add_plate("--yes", "--channels", "1=DNA,2=RNA")[0] == 0


def test_add_plate_proposes_the_middle_plane_and_the_first_time(stacks: None, add_plate: AddPlate) -> None:
    printed = add_plate("--replace")[1]

    assert "[images] z = 2" in printed
    assert "[images] time = 1" in printed


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({}, "it has 2 time points; one is measured. Choose it: [images] time = <one of 1, 2>"),
        ({"time": "2"}, "channel DNA: it has 3 planes; one is measured. Choose it: [images] z = <one of 1, 2, 3>"),
        ({"time": "9", "z": "2"}, "9 is none of its time points"),
        ({"time": "1", "z": "7"}, "7 is none of its planes"),
    ],
)
def test_what_needs_a_choice_is_refused_with_the_settings_name(
    stacks: None, load_data: Callable[..., Any], chosen: dict[str, str], said: str
) -> None:
    done = load_data("P", **chosen)

    assert done.code == 65
    assert said in done.said


def test_the_chosen_plane_and_time_are_measured(stacks: None, load_data: Callable[..., Any]) -> None:
    done = load_data("P", z="3", time="2")
    wanted = {
        (well, site, CHANNELS[channel]): hashlib.sha256(
            pixels((well, site, channel), 3 if channel == "1" else 1, 2).tobytes()
        ).hexdigest()
        for well, site, channel in PLANES
    }

    assert done.code == 0, done.said
    assert content(images_of(BATCH, "P"), done.table("load_data.csv")) == wanted


def test_a_site_that_lacks_the_chosen_plane_is_named(
    folder: Path, stacks: None, add_plate: AddPlate, load_data: Callable[..., Any]
) -> None:
    (folder / "TimePoint_1/ZStep_2/P_A01_s2_w1.tif").unlink()
    add_plate("--yes", "--replace", "--channels", "1=DNA,2=RNA")

    assert load_data("P", z="2", time="1").faults == [("error", "channel_missing", "A01-2", "")]


# What a run makes of it.


def task(**given: str) -> Any:
    kind: Any = pipeline.LoadData
    return kind(batch_id=BATCH, plate=given.pop("plate"), **given)


def test_a_choice_of_planes_is_in_the_fingerprint_of_an_added_plate_only(layout: Layout, stacks: None) -> None:
    added, plain = task(plate="P", z="2").spec(), task(plate="P2", z="2")
    laid = layout.image_folders(BATCH) / "P2"
    laid.mkdir()

    assert added.fingerprinted()["z"] == "2"
    assert not {"pattern", "channels", "ignore", "time"} & added.fingerprinted().keys()
    assert added.files == {"planes": layout.planes(BATCH, "P")}
    assert not {"z", "time"} & plain.spec().fingerprinted().keys()
    assert {"pattern", "channels", "ignore"} <= plain.spec().fingerprinted().keys()
    assert plain.spec().files == {}


def test_a_published_table_needs_no_choice_of_planes(layout: Layout, stacks: None) -> None:
    kind: Any = pipeline.LocaliseLoadData
    spec = kind(batch_id=BATCH, plate="P").spec()

    assert not {"z", "time"} & spec.parameters.keys()
    assert "pattern" in spec.fingerprinted()


def test_a_container_sees_where_the_links_lead(layout: Layout, stacks: None) -> None:
    found = task(plate="P")
    (job,) = found.describe(found.fingerprint()).jobs()
    mounts = {mount.target: mount.source for mount in job.inputs}
    images = mounts["/in/images"]

    assert mounts["/in/P.export"] == images.parent / "P.export"
    assert "/in/P.export" not in job.flags
    for link in images.iterdir():
        assert link.readlink().as_posix().startswith("../P.export/")


def test_an_export_that_is_gone_is_named(layout: Layout, folder: Path, add_plate: AddPlate) -> None:
    yokogawa(folder)
    add_plate("--yes")
    folder.rename(folder.with_name("moved"))

    with pytest.raises(MissingInputError, match="it leads to .*export, which is not there"):
        images_of(BATCH, "Assay_7")


def test_a_plan_counts_what_is_measured(layout: Layout, folder: Path, add_plate: AddPlate) -> None:
    imagexpress(folder)
    add_plate("--yes")
    size = plate_sizes.size(layout, BATCH, "val_screen", None)

    assert (size.images, size.sites, size.wells, size.channels) == (8, 4, 2, 2)
    assert (size.height_pixels, size.width_pixels) == (16, 24)


def test_a_pipeline_of_the_users_may_take_the_channels_of_an_added_plate(
    luigi_cfg: LoadSettings, tmp_path: Path, folder: Path, add_plate: AddPlate
) -> None:
    (tmp_path / "mine.cppipe").write_text(
        "CellProfiler Pipeline: http://www.cellprofiler.org\nVersion:5\nLoadData:[module_num:1|enabled:True]\n"
        "MeasureTexture:[module_num:2|enabled:True]\n    Select images to measure:OrigTubulin\n"
    )
    own = "[measure]\npipeline = mine.cppipe\n"
    luigi_cfg(own)
    with pytest.raises(SettingsError, match="OrigTubulin"):
        checks.check(pipeline.stage_settings())

    yokogawa(folder)
    luigi_cfg("")
    assert add_plate("--yes", "--channels", "1=DNA,2=Tubulin")[0] == 0
    luigi_cfg(own)

    checks.check(pipeline.stage_settings())
