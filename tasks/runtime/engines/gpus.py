"""Whether a job can have a GPU on this machine, and why not."""

from __future__ import annotations

import functools
import shutil
import subprocess

from tasks.runtime.engines import engines
from tasks.runtime.engines.docker_engine import gpu_runtime
from tasks.runtime.images import images

VARIANT = "cuda"


@functools.cache
def found() -> tuple[tuple[str, ...], str]:
    """Return the GPUs that the driver names, and why there is none."""
    if not shutil.which("nvidia-smi"):
        return (), "there is no nvidia-smi, so no NVIDIA driver is installed"
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False, timeout=30)
    except subprocess.TimeoutExpired:
        return (), "nvidia-smi does not answer: look at the driver"
    words = (done.stdout or done.stderr).strip().splitlines()
    if done.returncode or not words:
        return (), f"nvidia-smi says: {words[0] if words else 'nothing'}; look at the driver"
    return tuple(line.split(" (UUID")[0] for line in words), ""


def unusable(wanted: str, image: str) -> str | None:
    """Return why a job of this image has no GPU with the engine that is wanted, with the remedy; None if it can."""
    _, reason = found()
    if reason:
        return reason
    name = engines.choose(wanted, image).name
    if name not in engines.CONTAINERS:
        remedy = f"build the image: {images.BUILD} {image} --variant {VARIANT}"
        return f"the {name} engine computes networks on the CPU; {remedy}"
    if images.read_lock().get(image, {}).get("variant") != VARIANT:
        return f"the image is built for the CPU; type: {images.BUILD} {image} --variant {VARIANT}"
    if name == "docker" and not gpu_runtime():
        return "docker has no nvidia runtime and no CDI device; install the NVIDIA Container Toolkit"
    return None
