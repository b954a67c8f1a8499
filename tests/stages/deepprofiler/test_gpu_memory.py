"""A GPU that cannot hold a batch ends the run with the remedy: no site is blamed for it, and none is tried alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stages.deepprofiler.plate import CONTAINERS, Plate, profile

# What each engine computes with fails here as it does on a full GPU; all else is the program's.
FAULTS = {
    ("deep_torch", "cell_painting_cnn"): """
import crops, torch
def fail(*given):
    raise torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\\nMore words.")
crops.shown = fail
""",
    ("deepprofiler", "imagenet_efficientnet_b0"): """
import channel_run
def fail(*given):
    import tensorflow
    raise tensorflow.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\\nMore words.")
channel_run.features = fail
""",
    ("deepprofiler", "cell_painting_cnn"): """
import driver
driver.__file__ = __file__.replace("deep_profile.py", "driver.py")
""",
}
DRIVER = """
import deepprofiler.__main__
def fail(*given, **named):
    import tensorflow
    raise tensorflow.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\\nMore words.")
deepprofiler.__main__.cli = fail
"""


def lay(folder: Path, image: str, program: str, fault: str) -> None:
    """Write a program that is the image's own, but for the fault."""
    head = f"import runpy, sys\nsys.path.insert(0, {str(CONTAINERS / image)!r})\n"
    tail = f"runpy.run_path({str(CONTAINERS / image / program)!r}, run_name='__main__')\n"
    (folder / program).write_text(head + fault + tail)


@pytest.mark.parametrize(("image", "network"), FAULTS)
def test_the_setting_that_helps_is_named(
    image: str, network: str, seeded: Callable[[str], Path], plate: Plate, tmp_path: Path
) -> None:
    lay(tmp_path, image, "deep_profile.py", FAULTS[image, network])
    lay(tmp_path, "deepprofiler", "driver.py", DRIVER)
    done = profile(image, plate, seeded(network), tmp_path / "out", programs=tmp_path, features=network, batch_size=20)

    assert done.code == 76
    assert "there is too little free memory for 20 crops at once (" in done.stderr
    assert "; set [deep_profile] batch_size to 10, or let nothing else compute beside it" in done.stderr
    assert "More words" not in done.stderr
    assert not [name for name, (state, _) in done.units.items() if state == "failed"]
    assert not list((tmp_path / "out").rglob("*.npz"))
