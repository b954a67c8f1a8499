"""The locks of the variants for a GPU resolve, with their hashes, to the CUDA libraries that the builds want."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.stages.deepprofiler.plate import CONTAINERS

UV = Path(sys.executable).with_name("uv")
WANTED = {
    "deepprofiler": ({"tensorflow"}, {"nvidia-cudnn-cu12", "nvidia-cublas-cu12", "nvidia-cuda-runtime-cu12"}),
    "deep_torch": ({"triton"}, {"torch", "nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-cuda-runtime"}),
}


@pytest.mark.parametrize(("image", "own", "libraries"), [(name, *both) for name, both in WANTED.items()], ids=WANTED)
def test_the_lock_for_a_gpu_can_be_installed(image, own, libraries, tmp_path):
    subprocess.run([UV, "venv", "--python", "3.11", tmp_path / "venv"], check=True, capture_output=True)
    words = [UV, "pip", "install", "--dry-run", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    words += ["--python", tmp_path / "venv/bin/python", "-r", CONTAINERS / image / "requirements.cuda.lock"]
    done = subprocess.run(words, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    wanted = {line.removeprefix(" + ").split("==")[0] for line in lines if line.startswith(" + ")}
    cpu = {line.split("==")[0] for line in (CONTAINERS / image / "requirements.lock").read_text().splitlines()}

    assert done.returncode == 0, done.stderr
    assert {name for name in wanted - cpu if not name.startswith(("nvidia-", "cuda-"))} == own
    assert libraries <= wanted
