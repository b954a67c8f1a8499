"""The process engine's environments: what of the host they need is named first, with one line to type."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tasks.errors import EngineError
from tasks.runtime.images import environments
from tests.unit.conftest import forget

HOST = '\n[host]\ncommands = { javac = "openjdk-17-jdk-headless", gcc = "gcc libc6-dev", sh = "dash" }\n'


@pytest.fixture
def easel(containers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the image host commands, on a machine that has none but a shell."""
    with open(containers / "easel/image.toml", "a") as table:
        table.write(HOST)
    forget()
    monkeypatch.setattr(environments, "FOLDER", tmp_path / "environments")
    monkeypatch.setattr(environments, "java_home", lambda: None)
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/sh" if name == "sh" else None)
    return containers / "easel"


def test_only_the_packages_that_are_missing_are_named(easel: Path) -> None:
    assert environments.missing_host_packages("easel") == ["openjdk-17-jdk-headless", "gcc", "libc6-dev"]


@pytest.mark.parametrize(("user", "sudo"), [(0, ""), (1000, "sudo ")], ids=["root", "user"])
def test_an_environment_that_cannot_be_made_says_the_line_to_type(
    easel: Path, user: int, sudo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    packages = "openjdk-17-jdk-headless gcc libc6-dev"
    line = f"{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {packages}"

    assert environments.unmakeable("easel").endswith(f"type: {line}")


def test_an_environment_that_is_there_needs_nothing_of_the_host(easel: Path) -> None:
    environments.folder("easel").mkdir(parents=True)
    (environments.folder("easel") / ".complete").touch()

    assert environments.unmakeable("easel") is None


def test_another_recipe_has_another_environment(easel: Path) -> None:
    before = environments.folder("easel")
    with open(easel / "requirements.lock", "a") as lock:
        lock.write("pandas==2 --hash=sha256:1\n")
    forget()

    assert environments.folder("easel") != before


def test_an_environment_is_made_from_the_locks_with_hashes_and_once(
    easel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (easel / "requirements.build.lock").write_text("javabridge==1 --hash=sha256:2\n")
    said: list[tuple[str, ...]] = []
    monkeypatch.setattr(environments, "_uv", lambda *words, image: said.append(words) or _venv(words))
    environments.make("easel")
    environments.make("easel")
    wheels, compiled = said[1], said[2]

    assert [words[:2] for words in said] == [("venv", "--python"), ("pip", "install"), ("pip", "install")]
    assert {"--require-hashes", "--no-deps", "--only-binary", str(easel / "requirements.lock")} <= {*wheels}
    assert {"--require-hashes", "--no-deps", "--no-build-isolation", str(easel / "requirements.build.lock")} <= {
        *compiled
    }


def test_an_images_own_sources_are_compiled_into_its_environment(easel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _give_script(easel, 'touch "$1/compiled"')
    monkeypatch.setattr(environments, "_uv", lambda *words, image: _venv(words))
    environments.make("easel")

    assert (environments.folder("easel") / "compiled").exists()


def test_sources_that_do_not_compile_leave_no_environment(easel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _give_script(easel, "echo brush.c:3: expected a hair >&2; exit 1")
    monkeypatch.setattr(environments, "_uv", lambda *words, image: _venv(words))
    with pytest.raises(EngineError, match="expected a hair"):
        environments.make("easel")

    assert not (environments.folder("easel") / ".complete").exists()


def _give_script(easel: Path, text: str) -> None:
    (easel / "native/compile.sh").write_text(f"{text}\n")
    table = easel / "image.toml"
    table.write_text('compile = "native/compile.sh"\n' + table.read_text())
    forget()


def _venv(words: tuple[str, ...]) -> None:
    if words[0] == "venv":
        Path(words[-1]).mkdir(parents=True)


def test_a_half_made_environment_is_made_anew(easel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leftover = environments.folder("easel") / "leftover"
    leftover.parent.mkdir(parents=True)
    leftover.touch()
    monkeypatch.setattr(environments, "_uv", lambda *words, image: _venv(words))
    environments.make("easel")

    assert not leftover.exists()


def test_what_uv_says_is_shown_and_an_interpreter_that_is_missing_has_a_remedy(
    easel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = tmp_path / "bin/uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\necho no interpreter found for Python 3.11 >&2\nexit 2\n")
    uv.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(uv.with_name("python")))
    with pytest.raises(EngineError) as failure:
        environments.make("easel")

    assert str(failure.value).splitlines() == [
        "the environment of the image 'easel' could not be made: uv venv said",
        "    no interpreter found for Python 3.11",
        f"  hint   install CPython 3.11, for example with: {uv} python install 3.11",
    ]


def test_only_a_jdk_17_will_do(tmp_path: Path) -> None:
    homes = {}
    for version in ("11.0.1", "17.0.2", "21"):
        homes[version] = tmp_path / version
        (homes[version] / "bin").mkdir(parents=True)
        (homes[version] / "bin/javac").touch()
        (homes[version] / "release").write_text(f'JAVA_VERSION="{version}"\n')
    (tmp_path / "jre/bin").mkdir(parents=True)
    (tmp_path / "jre/release").write_text('JAVA_VERSION="17.0.2"\n')

    assert [version for version, home in homes.items() if environments._is_jdk_17(home)] == ["17.0.2"]
    assert not environments._is_jdk_17(tmp_path / "jre")
