"""OME-TIFF of any program: wells by names or by OME-XML, several channels and planes in a file, sets of files."""

from __future__ import annotations

from collections import Counter

from tasks.errors import TableError
from tasks.instruments import ome_xml
from tasks.instruments.ome_xml import BadOmeError
from tasks.instruments.reader import Reader, Sidecars, Told, pattern


def read(found: Sidecars) -> Told:
    """Return what a companion file says: which files there are to be, and what is in them.

    Raises TableError for one that is cut.
    """
    path = next(iter(sorted(found.values())))
    try:
        described = ome_xml.parse(path.read_text(encoding="utf-8-sig"))
    except BadOmeError as error:
        raise TableError(f"{path}: {error}; copy it again") from error
    files = described.files
    first = next((image for image in described.images if image.planes), None)
    channels = {str(number): name for number, name in enumerate(first.channels if first else (), start=1) if name}
    wells = Counter(image.well for image in described.images if image.well)
    return Told(
        plate=described.plate,
        channels=channels,
        pixel_um=first.pixel_um if first else None,
        magnification=described.magnification,
        wells=len(wells) or None,
        sites=max(wells.values(), default=0) or None,
        planes=first.sizes[1] if first else None,
        times=first.sizes[2] if first else None,
        notes=(f"{path.name} lists {len(files)} files, first {files[0]}",) if files else (),
    )


OME_TIFF = Reader(
    name="ome_tiff",
    title="OME-TIFF",
    patterns=(
        pattern(
            r"(?:(?P<plate>[^/]+?)[_-])?(?P<well>(?-i:[A-Z]{1,2})\d{1,2})"
            r"(?:[_/-](?:s|f|site|field|fov|_)*(?P<site>\d+))?\.ome\.tiff?"
        ),
        pattern(r"[^/]+\.ome\.tiff?"),
    ),
    sidecars=("*.companion.ome",),
    read=read,
    wells_inside=True,
)
