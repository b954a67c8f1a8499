"""The default pipeline is CPJUMP1's: its modules, its settings, and the columns that it measures.

What is expected here is written down from the resource's own file (version 4.0.6), not from ours.
"""

from __future__ import annotations

import csv
import gzip
import re
from pathlib import Path

import pytest

from tasks.dataset.layout import REPOSITORY
from tests.stages.cellprofiler.plates import NUMBERS, Outcome, Programs, crop_plate, rendered

CHANNELS = ("AGP", "Brightfield", "DNA", "ER", "HighZBF", "LowZBF", "Mito", "RNA")
LISTED = ", ".join(CHANNELS)
OBJECTS = "Nuclei, Cytoplasm, Cells"
ENABLED = (
    *("LoadData", "CorrectIlluminationApply", *["ImageMath"] * 8),
    *("CorrectIlluminationCalculate", "CorrectIlluminationApply"),
    *("IdentifyPrimaryObjects", "IdentifySecondaryObjects", "IdentifyTertiaryObjects"),
    *("MeasureColocalization", "MeasureGranularity", "MeasureObjectIntensity", *["MeasureObjectNeighbors"] * 3),
    *("MeasureObjectIntensityDistribution", "MeasureObjectSizeShape", "MeasureTexture"),
    *("OverlayOutlines", "OverlayOutlines", "SaveImages", "SaveImages", "ExportToSpreadsheet"),
)
DISABLED = ("MeasureImageQuality", "MeasureImageQuality", "FlagImage")
COLUMNS = {"Image": 1501, "Cells": 1941, "Cytoplasm": 1926, "Nuclei": 1934}

Settings = list[tuple[str, str]]

# Of the illumination of one channel over a plate; $channel stands for its name.
ILLUMINATION: list[tuple[str, Settings]] = [
    ("LoadData", [("Select metadata tags for grouping", "Plate"), ("Rescale intensities?", "Yes")]),
    (
        "Resize",
        [
            ("Select the input image", "Orig$channel"),
            ("Resizing method", "Resize by a fraction or multiple of the original size"),
            ("X Resizing factor", "0.2"),
            ("Y Resizing factor", "0.2"),
            ("Interpolation method", "Bilinear"),
        ],
    ),
    (
        "CorrectIlluminationCalculate",
        [
            ("Select the input image", "Small$channel"),
            ("Select how the illumination function is calculated", "Regular"),
            ("Dilate objects in the final averaged image?", "No"),
            ("Rescale the illumination function?", "Yes"),
            ("Calculate function for each image individually, or based on all images?", "All: Across cycles"),
            ("Smoothing method", "Median Filter"),
            ("Method to calculate smoothing filter size", "Manually"),
            ("Smoothing filter size", "20"),
        ],
    ),
    # Back to the image's own size: five times, for CPJUMP1's images of 1080 pixels.
    (
        "Resize",
        [
            ("Resizing method", "Resize by specifying desired final dimensions"),
            ("Interpolation method", "Bilinear"),
            ("Method to specify the dimensions", "Image"),
            ("Select the image with the desired dimensions", "Orig$channel"),
        ],
    ),
    (
        "SaveImages",
        [
            ("Enter single file name", r"\g<Plate>_Illum$channel"),
            ("Saved file format", "npy"),
            ("Image bit depth", "32-bit floating point"),
            ("When to save", "Last cycle"),
        ],
    ),
]

# Module and which one of its name -> settings that it must have, in this order; others may stand between them.
SETTINGS: dict[tuple[str, int], Settings] = {
    ("CorrectIlluminationApply", 1): [
        ("Select how the illumination function is applied", "Divide"),
        ("Set output image values less than 0 equal to 0?", "Yes"),
        ("Set output image values greater than 1 equal to 1?", "Yes"),
    ],
    **{
        ("ImageMath", number): [
            ("Operation", "None"),
            ("Raise the power of the result by", "1"),
            ("Multiply the result by", "1"),
            ("Add to result", "0"),
            ("Name the output image", channel),
            ("Select the first image", f"Pre{channel}"),
        ]
        for number, channel in enumerate(CHANNELS, start=1)
    },
    ("CorrectIlluminationCalculate", 1): [
        ("Select the input image", "DNA"),
        ("Select how the illumination function is calculated", "Background"),
        ("Dilate objects in the final averaged image?", "No"),
        ("Block size", "30"),
        ("Rescale the illumination function?", "No"),
        ("Calculate function for each image individually, or based on all images?", "Each"),
        ("Smoothing method", "Gaussian Filter"),
        ("Method to calculate smoothing filter size", "Manually"),
        ("Smoothing filter size", "50"),
    ],
    ("CorrectIlluminationApply", 2): [
        ("Select the input image", "DNA"),
        ("Select how the illumination function is applied", "Subtract"),
        ("Set output image values less than 0 equal to 0?", "Yes"),
        ("Set output image values greater than 1 equal to 1?", "Yes"),
    ],
    ("IdentifyPrimaryObjects", 1): [
        ("Name the primary objects to be identified", "Nuclei"),
        ("Typical diameter of objects, in pixel units (Min,Max)", "10,75"),
        ("Discard objects outside the diameter range?", "Yes"),
        ("Discard objects touching the border of the image?", "Yes"),
        ("Method to distinguish clumped objects", "Shape"),
        ("Method to draw dividing lines between clumped objects", "Shape"),
        ("Size of smoothing filter", "7"),
        ("Suppress local maxima that are closer than this minimum allowed distance", "8"),
        ("Speed up by using lower-resolution image to find local maxima?", "Yes"),
        ("Fill holes in identified objects?", "Never"),
        ("Automatically calculate size of smoothing filter for declumping?", "No"),
        ("Automatically calculate minimum allowed distance between local maxima?", "No"),
        ("Handling of objects if excessive number of objects identified", "Continue"),
        ("Use advanced settings?", "Yes"),
        ("Threshold strategy", "Global"),
        ("Thresholding method", "Minimum Cross-Entropy"),
        ("Threshold smoothing scale", "3"),
        ("Threshold correction factor", "1.25"),
        ("Lower and upper bounds on threshold", "0.014,1"),
        ("Log transform before thresholding?", "No"),
    ],
    ("IdentifySecondaryObjects", 1): [
        ("Select the input objects", "Nuclei"),
        ("Name the objects to be identified", "Cells"),
        ("Select the method to identify the secondary objects", "Watershed - Image"),
        ("Select the input image", "RNA"),
        ("Regularization factor", "0.05"),
        ("Discard secondary objects touching the border of the image?", "No"),
        ("Fill holes in identified objects?", "Yes"),
        ("Threshold strategy", "Global"),
        ("Thresholding method", "Minimum Cross-Entropy"),
        ("Threshold smoothing scale", "0"),
        ("Threshold correction factor", "1"),
        ("Lower and upper bounds on threshold", "0.005,0.014"),
        ("Log transform before thresholding?", "No"),
    ],
    ("IdentifyTertiaryObjects", 1): [
        ("Select the larger identified objects", "Cells"),
        ("Select the smaller identified objects", "Nuclei"),
        ("Name the tertiary objects to be identified", "Cytoplasm"),
        ("Shrink smaller object prior to subtraction?", "Yes"),
    ],
    ("MeasureColocalization", 1): [
        ("Select images to measure", LISTED),
        ("Set threshold as percentage of maximum intensity for the images", "15"),
        ("Select where to measure correlation", "Within objects"),
        ("Select objects to measure", OBJECTS),
        ("Run all metrics?", "No"),
        ("Calculate correlation and slope metrics?", "Yes"),
        ("Calculate the Manders coefficients?", "Yes"),
        ("Calculate the Rank Weighted Colocalization coefficients?", "Yes"),
        ("Calculate the Overlap coefficients?", "Yes"),
        ("Calculate the Manders coefficients using Costes auto threshold?", "No"),
    ],
    ("MeasureGranularity", 1): [
        ("Select images to measure", LISTED),
        ("Measure within objects?", "Yes"),
        ("Select objects to measure", OBJECTS),
        ("Subsampling factor for granularity measurements", "0.5"),
        ("Subsampling factor for background reduction", "0.5"),
        ("Radius of structuring element", "10"),
        ("Range of the granular spectrum", "16"),
    ],
    ("MeasureObjectIntensity", 1): [
        ("Select images to measure", LISTED),
        ("Select objects to measure", OBJECTS),
    ],
    **{
        ("MeasureObjectNeighbors", number): [
            ("Select objects to measure", objects),
            ("Select neighboring objects to measure", objects),
            ("Method to determine neighbors", method),
            ("Neighbor distance", distance),
            ("Consider objects discarded for touching image border?", "Yes"),
        ]
        for number, (objects, method, distance) in enumerate(
            [
                ("Cells", "Within a specified distance", "5"),
                ("Nuclei", "Within a specified distance", "1"),
                ("Cells", "Adjacent", "5"),
            ],
            start=1,
        )
    },
    ("MeasureObjectIntensityDistribution", 1): [
        ("Select images to measure", LISTED),
        ("Calculate intensity Zernikes?", "None"),
        ("Select objects to measure", "Nuclei"),
        ("Object to use as center?", "These objects"),
        ("Select objects to measure", "Cytoplasm"),
        ("Object to use as center?", "These objects"),
        ("Select objects to measure", "Cells"),
        ("Object to use as center?", "These objects"),
        ("Scale the bins?", "Yes"),
        ("Number of bins", "4"),
    ],
    ("MeasureObjectSizeShape", 1): [
        ("Select object sets to measure", "Cells, Nuclei, Cytoplasm"),
        ("Calculate the Zernike features?", "Yes"),
        ("Calculate the advanced features?", "No"),
    ],
    ("MeasureTexture", 1): [
        ("Select images to measure", LISTED),
        ("Select objects to measure", OBJECTS),
        ("Enter how many gray levels to measure the texture at", "256"),
        ("Measure whole images or objects?", "Both"),
        ("Texture scale to measure", "3"),
        ("Texture scale to measure", "5"),
        ("Texture scale to measure", "10"),
    ],
    **{
        ("SaveImages", number): [
            ("Select the image to save", image),
            ("Enter single file name", rf"\g<Well>_s\g<Site>--{name}_outlines"),
            ("Saved file format", "png"),
            ("Image bit depth", "8-bit integer"),
            ("Record the file and path information to the saved image?", "Yes"),
        ]
        for number, (image, name) in enumerate([("NucleiOutlines", "nuclei"), ("CellOutlines", "cell")], start=1)
    },
}


def parsed(text: str) -> list[tuple[str, bool, Settings]]:
    """Return the name of each module of a pipeline, whether it is enabled, and its settings."""
    found = []
    for block in re.split(r"\n(?=\w+:\[module_num)", text)[1:]:
        header, *lines = block.rstrip().split("\n")
        settings = [(name, plain(value)) for name, _, value in (line.strip().partition(":") for line in lines)]
        found.append((header.partition(":")[0], "enabled:True" in header, settings))
    return found


def plain(value: str) -> str:
    """Return numbers in one way: 1.0 as 1."""
    return re.sub(r"(?<=\d)\.0(?=,|$)", "", value)


@pytest.fixture
def modules(programs: Programs) -> list[tuple[str, bool, Settings]]:
    return parsed(rendered(programs, tuple(NUMBERS)))


def test_the_modules_are_cpjump1s_in_its_order(modules):
    assert tuple(name for name, enabled, _ in modules if enabled) == ENABLED
    assert tuple(name for name, enabled, _ in modules if not enabled) == DISABLED


@pytest.mark.parametrize("key", SETTINGS, ids=lambda key: f"{key[0]}-{key[1]}")
def test_what_finds_and_measures_has_cpjump1s_settings(modules, key: tuple[str, int]):
    name, number = key
    settings = [settings for other, enabled, settings in modules if enabled and other == name][number - 1]
    stated = {setting for setting, _ in SETTINGS[key]}
    texts = [pair for pair in settings if pair[0] in stated]
    # A module's last "Thresholding method" is one that only adaptive strategies read.
    texts = texts[:-1] if texts[-1][0] == "Thresholding method" else texts

    if name == "CorrectIlluminationApply" and number == 1:
        assert texts[:8] == [SETTINGS[key][0]] * 8
        texts = texts[7:]
    assert texts == SETTINGS[key]


def test_illumination_has_cpjump1s_settings():
    modules = parsed((REPOSITORY / "containers/cellprofiler/pipelines/illumination.cppipe").read_text())
    chosen = [
        (name, [pair for pair in settings if pair[0] in dict(expected)])
        for (name, _, settings), (_, expected) in zip(modules, ILLUMINATION, strict=True)
    ]

    assert all(enabled for _, enabled, _ in modules)
    assert chosen == ILLUMINATION


@pytest.fixture(scope="module")
def measured(cellprofiler_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Return what the default pipeline makes of a crop of a real well with all eight channels."""
    scratch = tmp_path_factory.mktemp("default")
    plate = crop_plate(scratch / "plate", tuple(NUMBERS), wells=1, size=256)
    return Programs(cellprofiler_python, scratch).measure(plate, scratch / "out")


def columns(outcome: Outcome, table: str) -> list[str]:
    with open(next(outcome.analysis.glob(f"*/{table}.csv")), newline="") as source:
        return next(csv.reader(source))


def test_each_table_has_as_many_columns_as_cpjump1s(measured: Outcome):
    assert measured.code == 0, measured.stderr[-2000:]
    assert {table: len(columns(measured, table)) for table in COLUMNS} == COLUMNS


def test_whole_images_are_measured_for_texture_and_granularity_and_the_outlines_are_named(measured: Outcome):
    names = columns(measured, "Image")

    assert sum(name.startswith("Texture_") for name in names) == 1248
    assert sum(name.startswith("Granularity_") for name in names) == 128
    assert {"FileName_NucleiOutlines", "FileName_CellOutlines"} <= set(names)
    assert measured.facts()["ran_stock"] == {}


def test_all_features_of_the_released_profiles_are_measured(measured: Outcome, real_data: Path):
    released = next(real_data.glob("profiles/2020_11_04_CPJUMP1/*/*_negcon_batch.csv.gz"))
    with gzip.open(released, "rt") as source:
        features = {name for name in next(csv.reader(source)) if not name.startswith("Metadata_")}
    ours = {f"{table}_{name}" for table in COLUMNS if table != "Image" for name in columns(measured, table)}

    assert len(features) == 904
    assert features - ours == set()
