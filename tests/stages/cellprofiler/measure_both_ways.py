"""Run in the image's environment: measure scenes with a stock module and with its replacement, and compare.

python measure_both_ways.py MODULE SEED...      prints a JSON object: scene -> what came out
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[3] / "containers/cellprofiler/plugins"), str(Path(__file__).parent)]

import cellprofiler_core.pipeline  # noqa: E402
import cellprofiler_core.workspace  # noqa: E402
from cellprofiler_core.image import Image, ImageSetList  # noqa: E402
from cellprofiler_core.measurement import Measurements  # noqa: E402
from cellprofiler_core.object import Objects, ObjectSet  # noqa: E402
from cellprofiler_core.preferences import set_headless  # noqa: E402
from hostile_images import SCENES, UNCOVERED, Scene  # noqa: E402

SETTINGS = {
    "MeasureGranularity": [
        {"wants_objects": "Yes", "subsample_size": "0.5", "image_sample_size": "0.5", "granular_spectrum_length": "6"},
        {"wants_objects": "Yes", "subsample_size": "1", "image_sample_size": "0.25", "element_size": "4"},
        {"wants_objects": "Yes", "subsample_size": "0.35", "image_sample_size": "1", "granular_spectrum_length": "3"},
    ],
    "MeasureTexture": [
        {"images_or_objects": "Objects", "gray_levels": "256", "scale": "3"},
        {"images_or_objects": "Both", "gray_levels": "8", "scale": "1"},
        {"images_or_objects": "Both", "gray_levels": "256", "scale": "10"},
    ],
    "MeasureObjectIntensity": [{}],
    "MeasureObjectIntensityDistribution": [
        {"bin_count": "4"},
        {"bin_count": "3", "wants_scaled": "No", "maximum_radius": "6"},
        {"bin_count": "5", "center_choice": "Centers of other objects"},
        {"bin_count": "2", "center_choice": "Edges of other objects"},
    ],
    "MeasureObjectSizeShape": [{"calculate_zernikes": "Yes", "calculate_advanced": "Yes"}],
    "MeasureColocalization": [
        {"images_or_objects": "Within objects", "do_all": "No", "do_costes": "No"},
        {"images_or_objects": "Both", "do_all": "No", "do_costes": "No", "thr": "60", "do_overlap": "No"},
    ],
}


# The stock module ends the whole process (an abort in scikit-image's reconstruction, as it seems) on an image with NaN.
STOCK_CRASHES = {("MeasureGranularity", "not finite")}


class Ear(logging.Handler):
    """Keeps what a replacement says of falling back."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


def module_of(source: str, name: str):
    return getattr(__import__(source, fromlist=[name]), name)()


def configure(module, settings: dict[str, str], scene: Scene) -> None:
    if hasattr(module, "images_list"):
        module.images_list.value = ", ".join(scene.channels)
    if hasattr(module, "objects_list"):
        module.objects_list.value = ", ".join(scene.objects)
    else:
        name_objects(module, scene)
    for name, value in settings.items():
        for group in groups(module, name):
            getattr(group, name).value = value


def name_objects(module, scene: Scene) -> None:
    """Name the objects, one group of settings each; the first are those in whose centers others may be centered."""
    for _ in range(len(scene.objects) - 1):
        module.add_object()
    for number, name in enumerate(scene.objects):
        group = module.objects[number]
        group.object_name.value, group.center_object_name.value = name, next(iter(scene.objects))


def groups(module, name: str) -> list:
    """Return what holds a setting: the module, or each of its groups of settings that has one of this name."""
    if hasattr(module, name):
        return [module]
    lists = [found for found in vars(module).values() if isinstance(found, list)]
    return [group for found in lists for group in found if hasattr(group, name)]


def measure(module, scene: Scene) -> dict[tuple[str, str], np.ndarray] | str:
    """Return every measurement, or the error that the module raises."""
    images, objects = ImageSetList(), ObjectSet()
    image_set = images.get_image_set(0)
    for name, pixels in scene.channels.items():
        image_set.add(name, Image(pixels.copy(), mask=scene.masks.get(name)))
    for name, labels in scene.objects.items():
        found = Objects()
        found.segmented = labels.copy()
        objects.add_objects(found, name)
    measurements = Measurements()
    pipeline = cellprofiler_core.pipeline.Pipeline()
    workspace = cellprofiler_core.workspace.Workspace(pipeline, module, image_set, objects, measurements, images)
    try:
        module.run(workspace)
    except Exception as error:
        return type(error).__name__
    return {
        (name, feature): np.atleast_1d(measurements[name, feature, 1]).astype(float)
        for name in measurements.get_object_names()
        for feature in measurements.get_feature_names(name)
        if name != "Experiment"
    }


def compare(stock: object, fast: object) -> dict[str, object]:
    """Return how many values there are, which differ, and by how much at most."""
    if isinstance(stock, str) or isinstance(fast, str):
        return {"values": 1, "differ": [] if stock == fast else [f"{stock}, {fast}"], "worst": 0.0}
    differ = sorted(map(str, stock.keys() ^ fast.keys()))
    worst, values = 0.0, 0
    for key in stock.keys() & fast.keys():
        own, other = stock[key], fast[key]
        values += own.size
        same = own.shape == other.shape and np.array_equal(np.isnan(own), np.isnan(other))
        if not same or not np.allclose(own, other, rtol=1e-6, atol=1e-9, equal_nan=True):
            differ.append(str(key))
        elif own.size:
            worst = max(worst, float(np.nan_to_num(np.abs(own - other)).max()))
    return {"values": values, "differ": differ, "worst": worst}


def main() -> None:
    name, seeds = sys.argv[1], [int(word) for word in sys.argv[2:]]
    set_headless()
    warnings.simplefilter("ignore")
    ear = Ear()
    logging.getLogger("kernels").addHandler(ear)
    logging.getLogger("kernels").propagate = False
    report = {}
    for title, make in {**SCENES, **{title: make for title, (make, _) in UNCOVERED.items()}}.items():
        if (name, title) in STOCK_CRASHES:
            continue
        found = {"values": 0, "differ": [], "worst": 0.0, "said": []}
        for seed in seeds:
            scene = make(np.random.default_rng(seed))
            for settings in SETTINGS[name]:
                ear.heard.clear()
                both = []
                for source in (f"cellprofiler.modules.{name.lower()}", name.lower()):
                    module = module_of(source, name)
                    configure(module, settings, scene)
                    both.append(measure(module, scene))
                one = compare(*both)
                found["values"] += one["values"]
                found["differ"] += [f"seed {seed}, {settings}: {where}" for where in one["differ"]]
                found["worst"] = max(found["worst"], one["worst"])
                found["said"] += ear.heard
        report[title] = found
    print(json.dumps(report))


if __name__ == "__main__":
    main()
