"""Run in the image's environment: read images with the stock LoadData and with its replacement, and compare.

python read_both_ways.py FOLDER      prints a JSON object: file -> are they equal, and what the replacement said
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[3] / "containers/cellprofiler/plugins"), str(Path(__file__).parent)]

from cellprofiler_core.preferences import set_awt_headless, set_headless  # noqa: E402

set_headless()  # before the modules, whose settings ask for it

import _java  # noqa: E402
import cellprofiler_core.modules.loaddata  # noqa: E402
import loaddata  # noqa: E402
from cellprofiler_core.measurement import Measurements  # noqa: E402
from cellprofiler_core.utilities import java  # noqa: E402
from javabridge import _javabridge  # noqa: E402
from measure_both_ways import Ear  # noqa: E402


def read(module, path: Path, rescale: bool) -> tuple:
    """Return what LoadData records of an image, and its pixels, or the error that it raises."""
    measurements = Measurements()
    measurements.add_image_measurement("URL_DNA", path.as_uri())
    module.rescale.value = rescale
    try:
        provider = module.fetch_provider("DNA", measurements)
        image = provider.provide_image(None)
        digest = provider.get_md5_hash(measurements)
        provider.release_memory()
        again = provider.provide_image(None).pixel_data
    except Exception as error:
        return type(error).__name__, None
    assert np.array_equal(again, image.pixel_data)
    return (digest, image.scale, image.file_name, image.path_name), image.pixel_data


def equal(own: tuple, other: tuple) -> bool:
    """Say whether two readings are the same to the last bit."""
    if own[1] is None or other[1] is None:
        return own[1] is other[1] is None
    return own[0] == other[0] and own[1].dtype == other[1].dtype and np.array_equal(own[1], other[1])


def main() -> None:
    set_awt_headless(True)
    _java.install()
    java.start_java()
    ear = Ear()
    logging.getLogger("kernels").addHandler(ear)
    fast, stock = loaddata.LoadData(), cellprofiler_core.modules.loaddata.LoadData()
    report = {}
    for path in sorted(Path(sys.argv[1]).iterdir()):
        ear.heard.clear()
        own = {rescale: read(fast, path, rescale) for rescale in (True, False)}
        heard, java_runs = list(ear.heard), _javabridge.get_vm().is_active()
        same = all(equal(one, read(stock, path, rescale)) for rescale, one in own.items())
        size = own[True][1].size if own[True][1] is not None else 0
        report[path.name] = {"equal": same, "said": heard, "values": size, "java": java_runs}
    print(json.dumps(report))
    java.stop_java()


if __name__ == "__main__":
    main()
