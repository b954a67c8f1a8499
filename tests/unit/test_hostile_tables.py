"""A table from outside that is no table, or a bomb, is refused with its name and the next step."""

from __future__ import annotations

import csv
import gzip
import io
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some
from stagekit import tables
from stagekit.program import DataError

from tasks.dataset import lookup
from tasks.errors import MissingInputError
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, lay_plate

BOMB = b"Metadata_Well,Metadata_Site\n" + b"A01,1\n" * (40 << 20)


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A csv.gz of half a megabyte that unpacks to 250 MB."""
    path = tmp_path_factory.mktemp("bomb") / "load_data.csv.gz"
    path.write_bytes(gzip.compress(BOMB))
    assert path.stat().st_size < 1 << 20
    return path


def test_a_table_that_unpacks_to_more_than_any_plate_has_is_refused(bomb: Path) -> None:
    with pytest.raises(DataError, match=r"load_data.csv.gz: it unpacks to more than 128 MB.*is it the right file\?"):
        tables.lines(bomb)


def test_a_bomb_is_refused_in_little_memory(bomb: Path) -> None:
    read = f"from pathlib import Path; from stagekit import tables; tables.lines(Path({str(bomb)!r}))"
    limited = ["-c", f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({600 << 20},) * 2); {read}"]
    done = subprocess.run([sys.executable, *limited], cwd="containers", capture_output=True, text=True)

    assert "DataError" in done.stderr
    assert "MemoryError" not in done.stderr


NO_TABLES = {
    "a field without end": ("t.csv", b'a,b\n"' + b"x" * 200_000 + b"\n", "field larger than field limit"),
    "no text": ("t.csv", b"a,b\n\xff\xfe,1\n", "save it as UTF-8"),
    "no gzip": ("t.csv.gz", b"a,b\n1,2\n", "not a whole gzip file"),
    "half a gzip": ("t.csv.gz", gzip.compress(BOMB[:9999])[:-20], "not a whole gzip file"),
    "another file's bytes": ("t.csv.gz", gzip.compress(b"a,b\n1,2\n")[:12] + b"\x99" * 40, "not a whole gzip file"),
}


@pytest.mark.parametrize(("name", "content", "says"), NO_TABLES.values(), ids=NO_TABLES)
def test_what_is_no_table_is_named(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=rf"{name}: .*{says}"):
        tables.lines(tmp_path / name)


@given(some.lists(some.lists(some.text(some.characters(exclude_categories=["Cs", "Cc"]), min_size=1), min_size=2)))
def test_cells_are_text_whatever_they_hold(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "t.csv")
        path.write_bytes(text.getvalue().encode())

        assert tables.lines(path) == [[cell.removeprefix("\ufeff") if (r, c) == (0, 0) else cell
                                       for c, cell in enumerate(row)] for r, row in enumerate(rows)]  # fmt: skip


def test_a_malicious_list_of_plates_ends_in_words_that_name_it(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    lay_plate(layout)
    path = layout.barcode_platemap(BATCH)
    path.write_bytes(b"Assay_Plate_Barcode,Plate_Map_Name\n" + b'"' + b"x" * 200_000)

    with pytest.raises(MissingInputError, match="barcode_platemap.csv: not a table of text"):
        lookup.plates(layout, BATCH)
