"""Of a folder on S3 a program sees the names, and fetches what it reads."""

from __future__ import annotations

import json

import pytest
from stagekit import afar, program
from stagekit.afar import Afar
from stagekit.transfer import Object

from tests.unit.element_machine import Machine

FILES = {"a site/Cells.csv": b"cells", "a site/outlines/1.png": b"lines", "b/Cells.csv": b"", "odd *?'.csv": b"odd"}
READS = """
import json
from stagekit import afar
wanted = ["b/Cells.csv", "odd *?'.csv", "no such file"]
near = afar.near(inputs / "analysis", wanted, out.parent / "tmp/scratch")
brought = {p.relative_to(near).as_posix(): p.read_text() for p in near.rglob("*") if p.is_file()}
(files / "told.json").write_text(json.dumps([afar.names(inputs / "analysis"), brought]))
"""
CREDENTIALS = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PYTHONPATH", "PATH"]


@pytest.fixture
def laid(machine: Machine) -> Machine:
    """A machine, and a bucket that has the files."""
    for name, body in FILES.items():
        machine.put(f"root/analysis/{name}", body)
    return machine


def test_a_program_fetches_what_it_wants_of_a_folder_on_s3_and_nothing_else(laid: Machine) -> None:
    folder = laid.input(laid.url("root/analysis/"), "analysis", afar=True)
    laid.lay({"j1": laid.job(READS, [folder], passed=CREDENTIALS)})
    laid.run()

    assert laid.end()["exit_code"] == 0, laid.log()
    assert json.loads(laid.made()["told.json"]) == [sorted(FILES), {"b/Cells.csv": "", "odd *?'.csv": "odd"}]
    assert not (laid.folder / "tmp/scratch").exists()


def test_a_folder_of_this_machine_is_read_where_it_is(tmp_path) -> None:
    for name, body in FILES.items():
        (tmp_path / "here" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "here" / name).write_bytes(body)

    assert afar.names(tmp_path / "here") == sorted(FILES)
    assert afar.near(tmp_path / "here", ["b/Cells.csv"], tmp_path / "scratch") == tmp_path / "here"
    assert not (tmp_path / "scratch").exists()


GONE = {
    "it is gone": (None, "could not be fetched: NoSuchKey|could not be fetched: .*404"),
    "it has another size": (b"more than it was", "could not be fetched: 16 bytes came of 5"),
}


@pytest.mark.parametrize(("body", "said"), GONE.values(), ids=GONE)
def test_a_file_that_changed_since_it_was_listed_is_named(
    body: bytes | None, said: str, laid: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in laid.environment().items():
        monkeypatch.setenv(name, value)
    key = "root/analysis/a site/Cells.csv"
    laid.put(key, body) if body else laid.s3.client.delete_object(Bucket=laid.s3.bucket, Key=key)
    place = laid.folder / "analysis"
    listed = {"a site/Cells.csv": Object(5, "")}
    Afar(laid.url("root/analysis/"), laid.environment()["S3_ENDPOINT_URL"], "us-east-1", False, listed).write(place)

    with pytest.raises(program.ServiceError, match=said) as caught:
        afar.near(place, FILES, laid.folder / "scratch")
    assert "a site/Cells.csv" in str(caught.value)
