"""Show what an export holds of a plate: what is here, what is announced, what is passed over, and what to set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from tasks.commands import open_settings, platemap_skeletons
from tasks.commands.added import Added
from tasks.dataset.layout import Layout
from tasks.instruments.export import Export
from tasks.instruments.reader import Told
from tasks.settings import forms

SHOWN = 8


def announced(told: Told) -> Told:
    """Return what an instrument announces, with what its list of images says where it says no number itself."""
    images = told.images.values()
    if not images:
        return told
    sites = Counter(well for well, _ in {(image.well, image.site) for image in images})
    return replace(
        told,
        wells=told.wells or len(sites),
        sites=told.sites or max(sites.values()),
        planes=told.planes or len({image.z for image in images}),
        times=told.times or len({image.time for image in images}),
        channels=told.channels or {image.channel: image.channel for image in images},
    )


def facts(seen: Export, each: Added) -> dict[str, object]:
    """Return all that is known of a plate, for programs."""
    found = each.found
    told = asdict(replace(announced(found.told), images={}))
    told["images"] = len(found.told.images)
    pixels = Counter(f"{header.width}x{header.height} {header.pixels}" for header in found.headers.values())
    return {
        "plate": each.name,
        "instrument": seen.reader.name,
        "folder": str(found.folder),
        "wells": found.wells,
        "sites": found.numbers("site"),
        "channels": {key: each.used.get(key, "") for key in found.channels},
        "planes": found.numbers("z"),
        "time_points": found.numbers("time"),
        "images": len(found.planes),
        "pixels": dict(pixels),
        "pixel_um": found.told.pixel_um,
        "magnification": found.told.magnification,
        "announced": told,
        "ignored": {why: len(paths) for why, paths in seen.ignored.items()},
        "notes": list(found.notes),
        "layout": list(each.layout),
        "faults": [*seen.faults, *each.faults],
        "settings": open_settings.of_images(found),
        "open_settings": [f"[{every.section}] {every.name} = {every.value}" for every in open_settings.of_plate(each)],
    }


def show(seen: Export, found: Sequence[Added], layout: Layout, batch: str) -> None:
    """Print what was found, plate by plate."""
    own = sum(len(part.sidecars) for part in seen.parts)
    print(f"{seen.folder}\n  {'instrument':<13}{seen.reader.title}; {own} files of its own are read")
    for why, paths in seen.ignored.items():
        print(f"  {'passed over':<13}{len(paths)} images: {why} ({paths[0]})")
    for each in found:
        print(f"\nplate {each.name or each.found.name}")
        for what, said in _lines(each):
            print(f"  {what:<13}{said}")
        for what, texts in (
            ("layout", each.layout),
            ("notice", each.found.notes),
            ("fault", (*seen.faults, *each.faults)),
        ):
            for text in texts:
                print(f"  {what:<13}{text}")
        for setting in open_settings.of_plate(each):
            print(f"  {'set':<13}{setting}")
        if each.name and not each.faults:
            would = [layout.images_of(batch, each.name), layout.planes(batch, each.name)]
            would += platemap_skeletons.missing(layout, batch, each.name)
            print(f"  {'would write':<13}" + f"\n{'':<15}".join(str(path) for path in would))


def _lines(each: Added) -> Iterator[tuple[str, str]]:
    found, told = each.found, announced(each.found.told)
    if each.name and each.name != found.name:
        yield "called", f"{found.name} by the instrument or its folder"
    if told.instrument:
        yield "made by", told.instrument
    if found.planes:
        yield from _here(each)
    else:
        yield from _told(told)
    if told.pixel_um or told.magnification:
        size = f"{told.pixel_um:.4g} um" if told.pixel_um else "of unknown size"
        yield "pixel", size + (f", {told.magnification:g}x" if told.magnification else "")


def _here(each: Added) -> Iterator[tuple[str, str]]:
    found = each.found
    wells = found.wells
    size = f" of {found.told.rows * found.told.columns}" if found.told.rows and found.told.columns else ""
    yield "wells", f"{len(wells)}{size}: {_few(wells)}"
    sites = Counter(well for well, _ in {(plane.well, plane.site) for plane in found.planes})
    yield "sites", f"{_range(sites.values())} a well"
    yield "channels", ", ".join(_channel(key, each) for key in found.channels)
    yield "planes", _few([str(number) for number in found.numbers("z")])
    yield "time points", _few([str(number) for number in found.numbers("time")])
    kinds = Counter((header.width, header.height, header.pixels) for header in found.headers.values())
    for (width, height, kind), count in kinds.most_common():
        yield "images", f"{count} of {width} x {height} pixels, {kind}"
    parts = sum(1 for plane in found.planes if plane.at)
    if parts:
        yield (
            "import",
            f"{parts} planes are parts of files, or of another kind: import_images makes plain images of them",
        )
    known = sum(1 for plane in found.planes if plane.x_m)
    yield "positions", f"of {known} images" if known else "not known"


def _told(told: Told) -> Iterator[tuple[str, str]]:
    """Yield what is announced of a plate whose images are not here."""
    plate = f" of {told.rows * told.columns}" if told.rows and told.columns else ""
    counts = {"wells": told.wells, "sites": told.sites, "planes": told.planes, "time points": told.times}
    for what, count in counts.items():
        if count:
            yield what, f"{count}{plate if what == 'wells' else ''} announced"
    if told.channels:
        yield "channels", ", ".join(f"{key} {name}" if name != key else key for key, name in told.channels.items())
    if told.images:
        yield "images", f"{len(told.images)} listed"


def _channel(key: str, each: Added) -> str:
    name, told = each.used.get(key, ""), each.found.told.channels.get(key, "")
    shown = f"{key} ({told})" if told and told != key else key
    return f"{shown}: left out" if name == forms.LEFT_OUT else f"{shown} = {name}"


def _few(names: Sequence[str]) -> str:
    return " ".join(names) if len(names) <= SHOWN else f"{' '.join(names[:SHOWN])} ... {names[-1]}"


def _range(counts: object) -> str:
    numbers = sorted(counts)  # type: ignore[call-overload]
    return str(numbers[0]) if numbers[0] == numbers[-1] else f"{numbers[0]} to {numbers[-1]}"
