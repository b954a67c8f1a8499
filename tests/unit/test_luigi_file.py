"""A luigi.cfg that cannot be read ends a command in one line, which names the file, the line and what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.errors import SettingsError
from tasks.settings import luigi_file

FILES = {
    "a byte order mark": (b"\xef\xbb\xbf[core]\n", 1, "UTF-8 without BOM"),
    "Latin-1": ("[core]\n\n; Größe\n".encode("latin-1"), 3, "save the file as UTF-8"),
    "UTF-16": ("[core]\n".encode("utf-16"), 1, "save the file as UTF-8"),
    "a key twice": (b"[core]\nworkers = 1\nlog_level = INFO\nworkers = 2\n", 4, "[core] workers is there twice"),
    "a section twice": (b"[core]\nworkers = 1\n[core]\n", 3, "[core] is there twice"),
    "no section": (b"; mine\nworkers = 1\n", 2, "write [<section>] above it"),
    "no setting": (b"[core]\nworkers\n", 2, "write <name> = <value>"),
}


@pytest.mark.parametrize(("content", "line", "remedy"), FILES.values(), ids=FILES)
def test_a_file_that_cannot_be_read_is_refused_with_its_line(
    content: bytes, line: int, remedy: str, tmp_path: Path
) -> None:
    path = tmp_path / "luigi.cfg"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as failure:
        luigi_file.check_file(path)

    assert str(failure.value).startswith(f"{path}, line {line}: ")
    assert remedy in str(failure.value)
    assert "\n" not in str(failure.value)


def test_a_key_in_both_spellings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "luigi.cfg"
    path.write_text("[measure]\nsites-per-shard = 3\nsites_per_shard = 4\n")

    with pytest.raises(SettingsError, match="sites-per-shard is there twice, also as sites_per_shard"):
        luigi_file.check_file(path)


def test_a_good_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "luigi.cfg"
    path.write_bytes("; Größe\r\n[core]\r\nworkers = 1\r\n".encode())

    luigi_file.check_file(path)


@pytest.mark.parametrize(
    "command", [["luigi", "--module", "tasks", "RunBatch", "--batch-id", "B"], ["python", "-m", "tasks", "doctor"]]
)
@pytest.mark.parametrize("named", [True, False])
def test_every_command_ends_with_one_line_and_no_traceback(command: list[str], named: bool, tmp_path: Path) -> None:
    path = tmp_path / ("mine.cfg" if named else "luigi.cfg")
    path.write_bytes(b"[core]\nworkers = 1\nworkers = 2\n")
    environment = {name: value for name, value in os.environ.items() if name != "LUIGI_CONFIG_PATH"}
    environment |= {"LUIGI_CONFIG_PATH": str(path)} if named else {}
    words = [str(Path(sys.executable).with_name(command[0])), *command[1:]]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    shown = path if named else path.name

    assert done.returncode == 2
    assert done.stderr == f"ERROR: {shown}, line 3: [core] workers is there twice; keep one\n"
