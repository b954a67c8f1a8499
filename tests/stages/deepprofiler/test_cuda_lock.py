"""The locks of the variants for a GPU resolve, with their hashes, to the CUDA libraries that the builds want."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tasks.runtime import environments
from tests.stages.deepprofiler.plate import CONTAINERS

WANTED = {
    "deepprofiler": ({"tensorflow"}, {"nvidia-cudnn-cu12", "nvidia-cublas-cu12", "nvidia-cuda-runtime-cu12"}),
    "deep_torch": ({"torch", "triton"}, {"nvidia-cudnn-cu13", "nvidia-cublas", "nvidia-cuda-runtime"}),
}


@pytest.mark.parametrize(("name", "builds", "libraries"), [(name, *both) for name, both in WANTED.items()], ids=WANTED)
def test_the_lock_for_a_gpu_can_be_installed_beside_what_the_cpu_has(name, builds, libraries):
    environments.make(name)
    words = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run", "--require-hashes"]
    words += ["--only-binary", ":all:", "--python", str(environments.python(name)), "-r"]
    done = subprocess.run([*words, str(CONTAINERS / name / "requirements.cuda.lock")], capture_output=True, text=True)
    wanted = {line.removeprefix(" + ").split("==")[0] for line in done.stderr.splitlines() if line.startswith(" + ")}

    assert done.returncode == 0, done.stderr
    assert {each for each in wanted if not each.startswith(("nvidia-", "cuda-"))} == builds
    assert libraries <= wanted
