"""Zeiss CZI files, written by Zeiss' own library (tests/czi_files/draw.py): what is found in them, and what is refused.

Their pixels are read in the environment of the image, by tests/stages/instruments/test_import_forms.py.
"""

from __future__ import annotations

import csv
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.dataset.layout import Layout
from tasks.instruments import czi
from tasks.instruments.tiff import BadTiffError
from tests.unit.conftest import AddPlate
from tests.unit.drawn_exports import BATCH, PLATE, SITES, WELLS

FILES = Path(__file__).parents[1] / "czi_files"
DIRECTORY_AT, METADATA_AT, FILE_PART_AT = 32 + 52, 32 + 60, 32 + 48
SCENES = """<ImageDocument><Metadata><Information><Image><Dimensions>
<Channels><Channel Name="Hoechst"/><Channel Name="SYTO 14"/></Channels>
<S><Scenes><Scene Index="0" Name="P1"><ArrayName>C3</ArrayName></Scene><Scene Index="1" Name="D4-P1"/></Scenes></S>
</Dimensions></Image><Instrument><Objectives><Objective><NominalMagnification>20</NominalMagnification></Objective>
</Objectives></Instrument></Information></Metadata></ImageDocument>"""


def put(path: Path, at: int, form: str, value: int) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(struct.pack(form, value))


def describe(path: Path, text: str) -> None:
    """Give a file another XML, behind all that is there."""
    end = path.stat().st_size
    with open(path, "ab") as file:
        file.write(struct.pack("<16sqq", b"ZISRAWMETADATA", 256 + len(text), 256 + len(text)))
        file.write(struct.pack("<ii248x", len(text), 0) + text.encode())
    put(path, METADATA_AT, "<q", end)


@pytest.fixture
def files(exported: Path) -> list[Path]:
    return [Path(shutil.copy(path, exported)) for path in sorted(FILES.glob("*.czi"))]


def test_a_plate_of_a_file_a_well_is_recognised(files: list[Path], added_to: Layout, add_plate: AddPlate) -> None:
    code, printed, said = add_plate("--yes", "--plate", PLATE)
    with open(added_to.planes(BATCH, PLATE), newline="") as table:
        rows = list(csv.DictReader(table))

    assert code == 0, said
    assert {(row["well"], int(row["site"]), row["channel"], row["z"]) for row in rows} == {
        (well, site, channel, str(z))
        for well in WELLS
        for site in SITES
        for channel in ("DNA", "RNA")
        for z in (1, 2, 3)
    }
    assert "1 (Hoechst) = DNA, 2 (SYTO 14) = RNA" in printed
    assert "0.65 um" in printed
    assert "2 of 24 x 16 pixels, uint16" in printed
    assert "no contact sheet" in printed


def test_scenes_say_their_wells_whatever_the_file_is_called(files: list[Path], exported: Path) -> None:
    describe(files[0], SCENES)
    found = list(czi.named(exported, [files[0].name]))

    assert {(each.well, each.site) for each in found} == {("C03", 1), ("D04", 1)}
    assert czi.read({files[0].name: files[0]}).magnification == 20
    assert sorted(int(each.at) for each in found) == list(range(12))


@pytest.mark.parametrize(
    ("text", "well"),
    [
        ("P1_A01", "A01"),
        ("2024-05-03 B4", "B04"),
        ("A1-P1", "A01"),
        ("plate_P05", "P05"),
        ("HCS2_AF48_20x", "AF48"),
        ("Experiment-12", ""),
    ],
)
def test_the_well_in_a_name_is_found(text: str, well: str) -> None:
    assert czi._well(text) == well


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2000])


def not_closed(path: Path) -> None:
    put(path, DIRECTORY_AT, "<q", 0)


def one_of_several(path: Path) -> None:
    put(path, FILE_PART_AT, "<i", 1)


def no_czi(path: Path) -> None:
    path.write_bytes(b"II*\0" + bytes(2000))


def huge(path: Path) -> None:
    (at,) = struct.unpack_from("<q", path.read_bytes(), DIRECTORY_AT)
    put(path, at + 32, "<i", 2_000_000_000)


BAD = {
    "cut": (cut, "cut off|no CZI|no whole"), "not closed": (not_closed, "not closed"),
    "several files": (one_of_several, "one of several files"), "no czi": (no_czi, "is no CZI"),
    "claims": (huge, "claims 2000000000 planes"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "said"), BAD.values(), ids=BAD)
def test_what_is_not_whole_is_refused_by_its_name(
    spoil: Callable[[Path], None], said: str, files: list[Path], added_to: Layout, add_plate: AddPlate
) -> None:
    spoil(files[1])
    code, _, told = add_plate("--yes", "--plate", PLATE)

    assert code == 1
    assert str(files[1]) in told
    assert "Traceback" not in told
    assert not added_to.planes(BATCH, PLATE).exists()
    with pytest.raises(BadTiffError, match=said):
        czi.header(files[1])


def test_a_file_that_says_no_well_is_refused_with_the_remedy(files: list[Path], add_plate: AddPlate) -> None:
    files[0].rename(files[0].with_name("Experiment-1.czi"))
    code, _, said = add_plate()

    assert code == 1
    assert "of which well scene 0 is" in said
    assert "B04.czi" in said


def test_any_cut_of_a_file_is_an_error_with_words(files: list[Path]) -> None:
    content = files[0].read_bytes()
    for length in range(0, len(content), 97):
        files[0].write_bytes(content[:length])
        with pytest.raises(BadTiffError):
            czi.header(files[0])
