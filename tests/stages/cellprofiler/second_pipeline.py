"""Run in the image's environment: write a pipeline of other modules and settings than ours, for the same plates.

    python second_pipeline.py OURS TARGET

OURS is our own pipeline, rendered for all eight channels; how it loads and exports is kept.

Other than ours: nuclei by an adaptive threshold, those at the edge kept, filtered by what was measured; cells in AGP by
watershed; cytoplasm of grown nuclei; a masked, an enhanced and a stretched image; whole images; other scales, grey
levels, rings, spectra and thresholds; advanced shapes; measurements that are made of measurements.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from typing import Any

import cellprofiler_core.pipeline
from cellprofiler_core.preferences import set_headless

FIRST = 10  # modules, of ours: LoadData, CorrectIlluminationApply and an ImageMath for each of eight channels
LAST = "ExportToSpreadsheet"
OBJECTS = "Nuclei, Cells, Cytoplasm"
MADE = "MitoInCells, AGPStretched, Specks"
PLAIN = "AGP, Brightfield"
IMAGES = f"{PLAIN}, {MADE}"


def given(what: Any, **settings: str) -> Any:
    """Return a module, by its name, or a group of a module's settings, with these values."""
    if isinstance(what, str):
        what = getattr(importlib.import_module(f"cellprofiler.modules.{what.lower()}"), what)()
    for name, value in settings.items():
        getattr(what, name).value = value
    return what


def found() -> Iterator[Any]:
    """Yield the modules that find objects."""
    nuclei = given(
        "IdentifyPrimaryObjects", x_name="DNA", y_name="AllNuclei", size_range="8,90",
        exclude_border_objects="No", use_advanced="Yes", unclump_method="Intensity", watershed_method="Intensity",
        fill_holes="After both thresholding and declumping",
    )  # fmt: skip
    given(nuclei.threshold, threshold_scope="Adaptive", local_operation="Otsu", threshold_smoothing_scale="2")
    yield nuclei
    yield given("MeasureObjectIntensity", images_list="DNA", objects_list="AllNuclei")
    bright = given("FilterObjects", x_name="AllNuclei", y_name="Nuclei", filter_choice="Limits")
    given(
        bright.measurements[0], measurement="Intensity_MeanIntensity_DNA",
        wants_minimum="Yes", min_limit="0.01", wants_maximum="No",
    )  # fmt: skip
    yield bright
    cells = given("IdentifySecondaryObjects", x_name="Nuclei", y_name="Cells", method="Watershed - Image")
    yield given(cells, image_name="AGP")
    yield given("ExpandOrShrinkObjects", object_name="Nuclei", output_object_name="GrownNuclei",
        operation="Expand objects by a specified number of pixels", iterations="3",
    )  # fmt: skip
    yield given("IdentifyTertiaryObjects", secondary_objects_name="Cells", primary_objects_name="GrownNuclei",
        subregion_objects_name="Cytoplasm", shrink_primary="No",
    )  # fmt: skip


def made() -> Iterator[Any]:
    """Yield the modules that make images."""
    yield given(
        "MaskImage", image_name="Mito", masked_image_name="MitoInCells", source_choice="Objects", object_name="Cells"
    )
    yield given("RescaleIntensity", x_name="AGP", y_name="AGPStretched")
    yield given("EnhanceOrSuppressFeatures", x_name="DNA", y_name="Specks", method="Enhance",
        enhance_method="Speckles", object_size="6",
    )  # fmt: skip


def measured() -> Iterator[Any]:
    """Yield the modules that measure."""
    yield given("MeasureGranularity", images_list=IMAGES, wants_objects="Yes", objects_list="Nuclei, Cells",
        subsample_size="0.4", image_sample_size="0.5", element_size="6", granular_spectrum_length="7",
    )  # fmt: skip
    texture = given(
        "MeasureTexture",
        images_list=IMAGES,
        objects_list="Cells, Cytoplasm",
        images_or_objects="Both",
        gray_levels="32",
    )
    texture.add_scale()
    for group, scale in zip(texture.scale_groups, ("2", "7")):  # noqa: B905  (Python 3.9)
        given(group, scale=scale)
    yield texture
    yield given("MeasureColocalization", images_list=f"{IMAGES}, ER", objects_list=OBJECTS, images_or_objects="Both",
        do_all="No", do_costes="No", thr="30",
    )  # fmt: skip
    yield given("MeasureObjectIntensity", images_list=MADE, objects_list=OBJECTS)
    yield given("MeasureObjectIntensity", images_list=f"{PLAIN}, RNA", objects_list=OBJECTS)
    yield rings()
    yield given("MeasureObjectSizeShape", objects_list=OBJECTS, calculate_zernikes="Yes", calculate_advanced="Yes")
    yield given(
        "MeasureObjectNeighbors", object_name="Nuclei", neighbors_name="Nuclei", distance_method="Expand until adjacent"
    )
    yield given("MeasureImageIntensity", images_list=IMAGES, wants_objects="Yes", objects_list="Cells")


def rings() -> Any:
    """Return rings of a fixed width around the nuclei's centres, in two counts."""
    module = given("MeasureObjectIntensityDistribution", images_list=IMAGES, wants_zernikes="Magnitudes only")
    module.zernike_degree.value = 4
    module.add_object()
    given(module.objects[0], object_name="Cells", center_choice="Centers of other objects", center_object_name="Nuclei")
    given(module.objects[1], object_name="Nuclei", center_choice="These objects")
    module.add_bin_count()
    given(module.bin_counts[0], bin_count="6", wants_scaled="No", maximum_radius="40")
    given(module.bin_counts[1], bin_count="3", wants_scaled="Yes")
    return module


def made_of_measurements() -> Iterator[Any]:
    """Yield the modules that measure what was measured."""
    yield given("RelateObjects", x_name="Cells", y_name="GrownNuclei", wants_per_parent_means="Yes",
        find_parent_child_distances="Both",
    )  # fmt: skip
    ratio = given("CalculateMath", operation="Divide", output_feature_name="Ratio")
    for operand, channel in zip(ratio.operands, ("AGP", "RNA")):  # noqa: B905
        given(
            operand, operand_choice="Object", operand_objects="Cells",
            operand_measurement=f"Intensity_MeanIntensity_{channel}",
        )  # fmt: skip
    yield ratio


def main() -> None:
    ours, target = sys.argv[1:]
    set_headless()
    pipeline = cellprofiler_core.pipeline.Pipeline()
    pipeline.load(ours)
    for module in reversed(pipeline.modules(False)):
        if module.module_num > FIRST and module.module_name != LAST:
            pipeline.remove_module(module.module_num)
    for module in [*found(), *made(), *measured(), *made_of_measurements()]:
        module.set_module_num(len(pipeline.modules(False)))  # before the export
        module.show_window = False
        pipeline.add_module(module)
    with open(target, "w", encoding="utf-8") as out:
        pipeline.dump(out, save_image_plane_details=False)


if __name__ == "__main__":
    main()
