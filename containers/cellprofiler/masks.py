"""Measure objects that are given as label images: what replaces the modules that find nuclei and cells."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import load_data
from stagekit import program

FILES = {"Nuclei": "nuclei", "Cells": "cells"}
"""The objects, and what their files are called: `<Well>-<Site>_nuclei.tiff`."""
FINDS = {
    "Nuclei": ("IdentifyPrimaryObjects", "Name the primary objects to be identified"),
    "Cells": ("IdentifySecondaryObjects", "Name the objects to be identified"),
}
COUNT = re.compile(r"^ModuleCount:(\d+)$", re.MULTILINE)
HEAD = (
    "{module}:[module_num:1|svn_version:'Unknown'|variable_revision_number:{revision}|show_window:False|notes:[]"
    "|batch_state:array([], dtype=uint8)|enabled:True|wants_pause:False]"
)
CONVERT = """
    Select the input image:Mask$objects
    Name the output object:$objects
    Convert to boolean image:No
    Preserve original labels:Yes
    Background label:0
    Connectivity:0

"""
RELATE = """
    Parent objects:Nuclei
    Child objects:Cells
    Calculate child-parent distances?:None
    Calculate per-parent means for all child measurements?:No
    Calculate distances to other parents?:No
    Do you want to save the children with parents as a new object set?:No
    Name the output object:RelateObjects

"""


def given(folder: Path) -> list[str]:
    """Return the objects that a folder has label images of."""
    return [name for name, file in FILES.items() if any(folder.glob(f"*_{file}.tiff"))]


def take(name: str, pipeline: str, folder: Path) -> str:
    """Return a pipeline that takes nuclei and cells from images; DataError if it does not find them by our names."""
    for objects in given(folder):
        pipeline = _replaced(name, pipeline, objects)
    return pipeline


def listed(table: load_data.LoadData, folder: Path) -> load_data.LoadData:
    """Return the table with the label images of each site, as CellProfiler loads them."""
    columns = {f"FileName_Mask{objects}": FILES[objects] for objects in given(folder)}
    folders = {f"PathName_Mask{objects}": str(folder.resolve()) for objects in given(folder)}
    rows = tuple(
        {**row, **{column: f"{load_data.site_name(row)}_{kind}.tiff" for column, kind in columns.items()}, **folders}
        for row in table.rows
    )
    return replace(table, columns=(*table.columns, *columns, *folders), rows=rows)


def _replaced(name: str, pipeline: str, objects: str) -> str:
    module, key = FINDS[objects]
    # Up to the next module, or the line of a template that repeats one.
    found = re.compile(rf"^{module}:\[(?:(?!^\w+:\[|^\$).)*?^    {key}:{objects}$(?:(?!^\w+:\[|^\$).)*", re.M | re.S)
    relate = HEAD.format(module="RelateObjects", revision=5) + RELATE if objects == "Cells" else ""
    text = HEAD.format(module="ConvertImageToObjects", revision=1) + CONVERT.replace("$objects", objects) + relate
    taken, count = found.subn(lambda _: text, pipeline)
    if count != 1:
        raise program.DataError(
            f"{name}: it must have one {module} that names its objects {objects}, whose place label images take; "
            f"it has {count}. Take [measure] labels away, or give the module's objects that name"
        )
    return COUNT.sub(lambda number: f"ModuleCount:{int(number[1]) + bool(relate)}", taken)
