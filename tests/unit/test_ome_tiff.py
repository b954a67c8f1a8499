"""What OME-XML in a TIFF says counts, as far as the file's name does not say it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from tasks.instruments import export, ome_xml, plate
from tasks.instruments.ome_xml import BadOmeError
from tasks.instruments.plate import FoundPlate

OME = '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"{own}>{inside}</OME>'
IMAGE = (
    '<Image ID="Image:{id}"><Pixels ID="Pixels:{id}" DimensionOrder="XYZCT" Type="uint16" SizeX="6" SizeY="4" '
    'SizeC="{channels}" SizeZ="{depth}" SizeT="1" {size}>{inside}</Pixels></Image>'
)
PLATE = '<Plate ID="Plate:0"><Well ID="Well:0" Row="0" Column="0">{samples}</Well></Plate>'
SAMPLE = '<WellSample ID="Sample:{id}" Index="{id}"><ImageRef ID="Image:{id}"/></WellSample>'


def ome(image: str = "", own: str = "", samples: str = "") -> str:
    return OME.format(own=own, inside=(PLATE.format(samples=samples) if samples else "") + image)


def picture(name: str, depth: int = 1, size: str = "", number: int = 0) -> str:
    """Return an image of one channel in the file itself."""
    inside = f'<Channel ID="Channel:0" Name="{name}"/><TiffData IFD="0" PlaneCount="{depth}"/>'
    return IMAGE.format(id=number, channels=1, depth=depth, size=size, inside=inside)


def write(path: Path, text: str, depth: int = 1) -> None:
    pixels = np.arange(depth * 24, dtype=np.uint16).reshape(depth, 4, 6)
    tifffile.imwrite(path, pixels, photometric="minisblack", description=text.encode(), metadata=None)


def found(folder: Path, pattern: str = "") -> FoundPlate:
    (one,) = plate.plates(export.look(folder, pattern=pattern))
    return one


def test_a_channel_that_the_files_name_says_has_the_name_that_its_own_file_gives(exported: Path) -> None:
    for number, name in enumerate(("DAPI", "SYTO 14", "Phalloidin")):
        write(exported / f"A01_f1_C{number}.ome.tif", ome(picture(name, depth=2)), depth=2)
    one = found(exported, r"(?P<well>A\d\d)_f(?P<site>\d)_C(?P<channel>\d)\.ome\.tif")

    assert one.faults == ()
    assert dict(one.told.channels) == {"0": "DAPI", "1": "SYTO 14", "2": "Phalloidin"}
    assert [(plane.channel, plane.z) for plane in one.planes] == [(key, z) for key in "012" for z in (1, 2)]


@pytest.mark.parametrize("depth", [1, 2])
def test_the_site_is_that_of_the_name_where_a_file_describes_itself_alone(exported: Path, depth: int) -> None:
    for site in (1, 2, 3):
        text = ome(picture("DAPI", depth), samples=SAMPLE.format(id=0))
        write(exported / f"A01_s{site}.ome.tif", text, depth)
    one = found(exported)

    assert one.faults == ()
    assert [(plane.well, plane.site, plane.path, plane.z) for plane in one.planes] == [
        ("A01", site, f"A01_s{site}.ome.tif", z) for site in (1, 2, 3) for z in range(1, depth + 1)
    ]


def test_the_site_is_that_of_the_ome_xml_where_it_has_several(exported: Path) -> None:
    images = "".join(picture(name, number=number) for number, name in enumerate(("DAPI", "DAPI")))
    text = ome(
        images.replace('IFD="0"', 'IFD="1"').replace('IFD="1"', 'IFD="0"', 1),
        samples=SAMPLE.format(id=1) + SAMPLE.format(id=0),
    )
    write(exported / "A01.ome.tif", text, depth=2)

    assert [(plane.site, plane.at) for plane in found(exported).planes] == [(2, "0"), (1, "1")]


@pytest.mark.parametrize(
    "unit", ["", 'PhysicalSizeXUnit="\N{MICRO SIGN}m"', 'PhysicalSizeXUnit="\N{GREEK SMALL LETTER MU}m"']
)
@pytest.mark.parametrize("name", ["A01_s1.ome.tif", "P1_A01_s1_w1.tif"], ids=["no channel in the name", "plain"])
def test_a_file_of_one_plane_says_the_size_of_its_pixels(exported: Path, name: str, unit: str) -> None:
    write(exported / name, ome(picture("DAPI", size=f'PhysicalSizeX="0.325" {unit}')))

    assert found(exported).told.pixel_um == 0.325


def test_a_size_in_nanometres_is_told_in_micrometres() -> None:
    assert ome_xml.pixel_um(ome(picture("DAPI", size='PhysicalSizeX="325" PhysicalSizeXUnit="nm"'))) == 0.325
    assert ome_xml.pixel_um(ome(picture("DAPI", size='PhysicalSizeX="1" PhysicalSizeXUnit="pixel"'))) is None


def test_an_image_without_pixels_is_named() -> None:
    with pytest.raises(BadOmeError, match="image Image:0 has no Pixels"):
        ome_xml.parse(ome('<Image ID="Image:0"/>'))


def test_the_text_of_a_set_is_read_once_though_each_file_has_a_name_of_its_own(exported: Path) -> None:
    names = [f"site{number}.ome.tif" for number in range(4)]
    blocks = [f'<TiffData IFD="0"><UUID FileName="{name}">urn:uuid:{name}</UUID></TiffData>' for name in names]
    images = "".join(
        IMAGE.format(id=number, channels=1, depth=1, size="", inside=block) for number, block in enumerate(blocks)
    )
    for name in names:
        own = f' UUID="urn:uuid:{name}" Creator="a program"'
        write(exported / name, ome(images, own, "".join(SAMPLE.format(id=number) for number in range(4))))
    ome_xml.parse.cache_clear()
    one = found(exported)

    assert [(plane.well, plane.site) for plane in one.planes] == [("A01", site) for site in (1, 2, 3, 4)]
    assert ome_xml.parse.cache_info().misses == 1
    assert len({id(header.description) for header in one.headers.values()}) == 1


def test_files_of_a_set_that_are_not_there_are_counted_once(exported: Path) -> None:
    block = '<TiffData IFD="0"><UUID FileName="{}">urn:uuid:1</UUID></TiffData>'
    for name in ("a.ome.tif", "b.ome.tif"):
        inside = "".join(map(block.format, ("a.ome.tif", "b.ome.tif", "c.ome.tif")))
        image = IMAGE.format(id=0, channels=3, depth=1, size="", inside=inside)
        write(exported / name, ome(image, f' UUID="urn:uuid:{name}"', SAMPLE.format(id=0)))

    assert [fault for fault in found(exported).faults if "1 files that OME-XML lists are not here" in fault]


def test_a_block_without_a_count_runs_as_far_as_its_file_has_pages(exported: Path) -> None:
    names = {"0": "A01_DAPI.ome.tif", "1": "A01_SYTO.ome.tif"}
    inside = "".join(
        f'<TiffData FirstC="{channel}"><UUID FileName="{name}">urn:uuid:{channel}</UUID></TiffData>'
        for channel, name in names.items()
    )
    text = ome(IMAGE.format(id=0, channels=2, depth=2, size="", inside=inside), samples=SAMPLE.format(id=0))
    text = text.replace("XYZCT", "XYCZT")
    for name in names.values():
        write(exported / name, text)
    one = found(exported)

    assert one.faults == ()
    assert [(plane.path, plane.channel, plane.z, plane.at) for plane in one.planes] == [
        ("A01_DAPI.ome.tif", "1", 1, "0"),
        ("A01_SYTO.ome.tif", "2", 1, "0"),
    ]
