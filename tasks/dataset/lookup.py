"""Find what a person laid under the data root: a plate's images, platemap and external metadata."""

from __future__ import annotations

from pathlib import Path

from stagekit import outside
from stagekit.program import DataError

from tasks import errors
from tasks.dataset.layout import Layout, checked_name
from tasks.dataset.plate_layouts.sheets import SUFFIXES
from tasks.errors import MissingInputError, SettingsError, TableError

IMAGES = "Images"


def images(layout: Layout, batch: str, plate: str, measurement: str = "") -> Path:
    """Return the folder of a plate's TIFFs; its full name holds the time of imaging and is looked up.

    Raises MissingInputError if the plate has no folder, or several measurements of which none is chosen.
    """
    folder = layout.image_folders(batch)
    names = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    if not names:
        raise MissingInputError(
            f"{folder}: no plate's images lie here; lay them as <plate>__<time>-Measurement1/Images/"
        )
    found = [name for name in names if name == plate or name.startswith(f"{plate}__")]
    if not found:
        plates = {name.split("__")[0] for name in names}
        raise MissingInputError(errors.unknown("plate", plate, plates, str(folder)))
    if len(found) > 1:
        chosen = [name for name in found if name == measurement or name.endswith(f"-{measurement}")]
        if len(chosen) != 1:
            message = f"{folder}: plate {plate} has several measurements: {', '.join(found)}"
            raise MissingInputError(f"{message}; keep one, or choose with [gallery] measurement, such as Measurement2")
        found = chosen
    inner = folder / found[0] / IMAGES
    if inner.is_symlink() and not inner.exists():
        message = f"{inner}: it leads to {inner.readlink()}, which is not there"
        raise MissingInputError(f"{message}; mount that folder, or add the plate again: python -m tasks add-plate")
    return inner if inner.is_dir() else folder / found[0]


def plates(layout: Layout, batch: str) -> list[str]:
    """Return the plates that barcode_platemap.csv lists for a batch, in its order."""
    return list(platemap_names(layout, batch))


def platemap(layout: Layout, batch: str, plate: str) -> Path:
    """Return the plate's platemap file; raise MissingInputError if the plate or the file is not there."""
    checked_name("plate", plate)
    found = laid_platemaps(layout, batch, _platemap_name(layout, batch, plate))
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise TableError(f"{found[0].parent}: plate {plate} has several platemaps: {names}; keep one")
    expected = found[0] if found else layout.platemap(batch, _platemap_name(layout, batch, plate))
    return existing_file(expected, f"the platemap of plate {plate}")


def laid_platemaps(layout: Layout, batch: str, name: str) -> list[Path]:
    """Return the files of a platemap's name, whatever a laboratory wrote them with."""
    folder = layout.platemap(batch, name).parent
    return [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]


def _platemap_name(layout: Layout, batch: str, plate: str) -> str:
    names = platemap_names(layout, batch)
    if plate not in names:
        raise MissingInputError(errors.unknown("plate", plate, names, str(layout.barcode_platemap(batch))))
    return names[plate]


def external_metadata(layout: Layout, batch: str, plate: str, pattern: str) -> Path:
    """Return the table that says what each perturbation of a plate is.

    `pattern` names it after the platemap: {platemap} is its name, {stem} its name without `_platemap`.
    """
    name = _platemap_name(layout, batch, plate)
    file_name = pattern.format(platemap=name, stem=name.removesuffix("_platemap"))
    path = layout.external_metadata(file_name)
    try:
        return existing_file(path, f"the external metadata of plate {plate} ([dataset] external_metadata = {pattern})")
    except MissingInputError as error:
        remedy = "lay it there, or describe the plate by one table that needs no other (docs/plate_layouts.md)"
        raise MissingInputError(f"{error}; {remedy}") from None


def backend(layout: Layout, batch: str, plate: str) -> Path:
    """Return the plate's sqlite of single cells."""
    path = layout.published("backend", batch, plate) / f"{plate}.sqlite"
    return existing_file(path, f"the backend of plate {plate} (--start-from backend)")


def profiles(layout: Layout, batch: str, plate: str) -> Path:
    """Return the folder of a plate's profiles."""
    folder = layout.published("profiles", batch, plate)
    if not any(folder.glob(f"{plate}*.csv.gz")):
        raise MissingInputError(f"{folder}: no profiles of plate {plate} lie here (--start-from profiles)")
    return folder


def well_averages(layout: Layout, batch: str, plate: str) -> Path:
    """Return the table of a plate's well averages."""
    path = layout.published("profiles", batch, plate) / f"{plate}.csv.gz"
    return existing_file(path, f"the well averages of plate {plate} (--start-from profiles)")


def excluded(text: str, plate: str) -> list[str]:
    """Return the sites and wells of this plate that "[preflight] exclude" names as <plate>:A01-1 or <plate>:A01."""
    pairs = [entry.partition(":") for entry in text.replace(",", " ").split()]
    for barcode, _, unit in pairs:
        if not barcode or not unit:
            raise SettingsError(f"luigi.cfg [preflight] exclude: {barcode}{unit!r} has not the form <plate>:A01-1")
    return sorted({unit for barcode, _, unit in pairs if barcode == plate})


def published_load_data(layout: Layout, batch: str, plate: str) -> Path:
    """Return the published table of a plate's images: load_data, else load_data_with_illum; csv.gz or csv."""
    folder = layout.published("load_data_csv", batch, plate)
    names = [f"{stem}.csv{suffix}" for stem in ("load_data", "load_data_with_illum") for suffix in (".gz", "")]
    found = next((folder / name for name in names if (folder / name).is_file()), folder / names[0])
    return existing_file(found, f"the published load_data of plate {plate} ([load_data] source = published)")


def label_table(layout: Layout, batch: str, plate: str, patterns: list[str]) -> Path | None:
    """Return the first table of targets or genes that `patterns` name and that is there; see external_metadata."""
    names = platemap_names(layout, batch) if layout.barcode_platemap(batch).is_file() else {}
    if plate not in names:
        return None
    stem = names[plate].removesuffix("_platemap")
    tables = [layout.external_metadata(pattern.format(platemap=names[plate], stem=stem)) for pattern in patterns]
    return next((table for table in tables if table.is_file()), None)


def platemap_names(layout: Layout, batch: str) -> dict[str, str]:
    """Return the platemap's name of every plate that a batch lists; raise TableError if the list is not good."""
    path = existing_file(layout.barcode_platemap(batch), f"the list of plates of batch {batch}")
    try:
        rows = outside.read(outside.BARCODE_PLATEMAP, path)
    except DataError as error:
        raise TableError(f"{path.parent}/{error}") from error
    return {row["Assay_Plate_Barcode"]: row["Plate_Map_Name"] for row in rows}


def existing_file(path: Path, what: str) -> Path:
    if not path.is_file():
        beside = sorted(entry.name for entry in path.parent.iterdir())[:8] if path.parent.is_dir() else []
        lies = f"; there lie: {', '.join(beside)}" if beside else "; nor is its folder"
        raise MissingInputError(f"{path}: {what} is not there{lies}")
    return path
