"""The kernels read and write nothing beyond their buffers: AddressSanitizer and UBSan watch them on random input."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.stages.cellprofiler.plates import FOLDER

FUZZ = Path(__file__).with_name("fuzz_kernels.c")
SANITIZED = ["-g", "-O1", "-std=c11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-ffp-contract=off"]
ROUNDS = 3000


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory: pytest.TempPathFactory):
    """Return a function that compiles the driver with these kernels, and runs it."""
    if not shutil.which("gcc"):
        pytest.skip("there is no gcc")

    def run(kernels: list[Path], rounds: int) -> subprocess.CompletedProcess[str]:
        program = tmp_path_factory.mktemp("fuzz") / "fuzz"
        words = ["gcc", *SANITIZED, "-I", str(FOLDER / "native"), *map(str, [FUZZ, *kernels]), "-lm", "-o", program]
        subprocess.run(words, check=True)
        return subprocess.run([program, str(rounds)], capture_output=True, text=True, check=False)

    return run


def test_no_kernel_leaves_its_buffers_or_does_undefined_arithmetic(fuzz):
    ran = fuzz(sorted((FOLDER / "native").glob("*.c")), ROUNDS)

    assert (ran.returncode, ran.stdout) == (0, f"{ROUNDS} rounds\n"), ran.stderr[-3000:]


def test_the_sanitizers_see_one_pixel_too_many(fuzz, tmp_path: Path):
    wrong = tmp_path / "granularity.c"
    text = (FOLDER / "native/granularity.c").read_text()
    wrong.write_text(text.replace("if (x < width - 1)", "if (x < width)"))
    others = [path for path in (FOLDER / "native").glob("*.c") if path.name != wrong.name]
    ran = fuzz([wrong, *others], 50)

    assert wrong.read_text() != text
    assert ran.returncode != 0
    assert "AddressSanitizer" in ran.stderr or "runtime error" in ran.stderr
