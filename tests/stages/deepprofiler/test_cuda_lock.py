"""The lock of the variant for a GPU resolves, with its hashes, to TensorFlow and the CUDA libraries that it wants."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.stages.deepprofiler.plate import PROGRAMS


def test_the_lock_for_a_gpu_can_be_installed_beside_what_the_cpu_has(deepprofiler_python: Path):
    words = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--dry-run", "--require-hashes"]
    words += ["--only-binary", ":all:", "--python", str(deepprofiler_python), "-r"]
    done = subprocess.run([*words, str(PROGRAMS / "requirements.cuda.lock")], capture_output=True, text=True)
    wanted = {line.removeprefix(" + ").split("==")[0] for line in done.stderr.splitlines() if line.startswith(" + ")}

    assert done.returncode == 0, done.stderr
    assert {name for name in wanted if not name.startswith("nvidia-")} == {"tensorflow"}
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12", "nvidia-cuda-runtime-cu12"} <= wanted
