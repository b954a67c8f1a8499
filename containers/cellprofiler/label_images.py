"""The modules that write images of objects, in which each pixel holds the number of its object.

Objects that were discarded, as nuclei at the border, are in no table, and so in no image.
"""

from __future__ import annotations

import re

FILES = {"Nuclei": "nuclei", "Cells": "cell", "Cytoplasm": "cytoplasm"}
"""The objects, and what their files are called."""
LAST = re.compile(r"^ExportToSpreadsheet:\[", re.MULTILINE)
COUNT = re.compile(r"^ModuleCount:(\d+)$", re.MULTILINE)
"""CellProfiler reads as many modules as this says, and no more."""
HEAD = (
    "{module}:[module_num:1|svn_version:'Unknown'|variable_revision_number:{revision}|show_window:False|notes:[]"
    "|batch_state:array([], dtype=uint8)|enabled:True|wants_pause:False]"
)
CONVERT = """
    Select the input objects:$objects
    Name the output image:$objectsLabels
    Select the color format:uint16
    Select the colormap:Default
"""
SAVE = r"""
    Select the type of image to save:Image
    Select the image to save:$objectsLabels
    Select method for constructing file names:Single name
    Select image name for file prefix:None
    Enter single file name:\g<Well>_s\g<Site>--$file_labels
    Number of digits:4
    Append a suffix to the image file name?:No
    Text to append to the image name:
    Saved file format:tiff
    Output file location:Default Output Folder sub-folder|\g<Plate>-\g<Well>-\g<Site>/labels
    Image bit depth:16-bit integer
    Overwrite existing files without warning?:Yes
    When to save:Every cycle
    Record the file and path information to the saved image?:No
    Create subfolders in the output folder?:No
    Base image folder:Elsewhere...|
    How to save the series:T (Time)
    Save with lossless compression?:Yes
"""


def add(pipeline: str) -> str:
    """Return a pipeline with these modules before its export, and their count; rendering a template numbers them."""
    added, exports = LAST.subn(lambda last: "".join(map(_modules, FILES)) + last[0], pipeline, count=1)
    return COUNT.sub(lambda count: f"ModuleCount:{int(count[1]) + 2 * len(FILES) * exports}", added)


def _modules(objects: str) -> str:
    convert = HEAD.format(module="ConvertObjectsToImage", revision=1) + CONVERT
    save = HEAD.format(module="SaveImages", revision=16) + SAVE
    return f"{convert}\n{save}\n".replace("$objects", objects).replace("$file", FILES[objects])
