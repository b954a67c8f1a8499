"""A wheel that the package index does not have is laid beside the recipe once, and found there by pip and uv."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import EngineError
from tasks.runtime.images import images, wheels
from tests.unit.conftest import forget

LOCK = "numpy==2 --hash=sha256:0\nturpentine==1.2+cpu \\\n    --hash=sha256:1\n    # via easel==3+not-a-pin\n"
PAGE = "https://example.org/wheels/"


class Pip:
    """Stands in for pip: lays what it is asked for, or fails."""

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.calls: list[list[str]] = []

    def __call__(self, words: list[str], **how: object) -> subprocess.CompletedProcess[str]:
        self.calls.append(words)
        if not self.error:
            folder = Path(words[words.index("--dest") + 1])
            folder.mkdir(exist_ok=True)
            (folder / "turpentine-1.2+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
        return subprocess.CompletedProcess(words, 1 if self.error else 0, "", self.error)


@pytest.fixture
def easel(containers: Path) -> Path:
    folder = containers / "easel"
    (folder / "requirements.lock").write_text(LOCK)
    with open(folder / "image.toml", "a") as table:
        table.write(f'wheels = "{PAGE}"\n')
    forget()
    return folder


def test_a_wheel_is_fetched_once_for_the_images_own_python(easel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = Pip()
    monkeypatch.setattr(subprocess, "run", pip)
    options = [wheels.lay("easel", "requirements.lock") for _ in range(2)]

    assert options == [["--find-links", str(easel / "wheels")]] * 2
    assert len(pip.calls) == 1
    assert pip.calls[0][-1] == "turpentine==1.2+cpu"
    assert pip.calls[0][pip.calls[0].index("--python-version") + 1] == "3.11"
    assert pip.calls[0][pip.calls[0].index("--find-links") + 1] == PAGE


def test_a_wheel_that_cannot_be_fetched_can_be_laid_by_hand(easel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Pip("ERROR: No matching distribution"))

    with pytest.raises(
        EngineError, match=r"turpentine==1.2\+cpu of the image 'easel'[^$]*No matching[^$]*lay the wheel in"
    ):
        wheels.lay("easel", "requirements.lock")
    (easel / "wheels").mkdir()
    (easel / "wheels/turpentine-1.2+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()

    assert wheels.lay("easel", "requirements.lock") == ["--find-links", str(easel / "wheels")]


@pytest.mark.parametrize("has_pip", [True, False], ids=["pip", "no_pip"])
def test_an_environment_without_pip_takes_the_pip_that_uv_brings(
    has_pip: bool, easel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip()
    monkeypatch.setattr(subprocess, "run", pip)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if has_pip else None)
    wheels.lay("easel", "requirements.lock")
    words = pip.calls[0][: pip.calls[0].index("download")]

    assert words == ([sys.executable, "-m", "pip"] if has_pip else [str(wheels.uv()), "tool", "run", "pip"])


def test_uv_is_found_where_its_package_put_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = wheels.uv()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))

    assert wheels.uv().samefile(beside)


def test_an_image_whose_wheels_the_index_has_fetches_nothing_itself(
    containers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pip = Pip()
    monkeypatch.setattr(subprocess, "run", pip)

    assert wheels.lay("easel", "requirements.lock") == []
    assert pip.calls == []


def test_a_variant_needs_the_wheels_of_its_own_lock() -> None:
    names = {
        lock: wheels.ELSEWHERE.findall((wheels.folder("deep_torch").parent / lock).read_text())
        for lock in ("requirements.lock", images.lock_of("deep_torch", "cuda"))
    }

    assert names == {"requirements.lock": [("torch", "2.13.0+cpu")], "requirements.cuda.lock": []}
