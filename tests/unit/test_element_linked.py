"""A folder that lies elsewhere is fetched as it was when it was linked, or the job says which file is another."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import Any

import pytest
from batch_agent.known import Known, changes
from stagekit import contracts
from stagekit.transfer import Object

from tests.unit.element_machine import RUN, SEEN, Machine
from tests.unit.test_element_listed import LOAD_DATA

NAMES = ["a1 dna.tiff", "a1 rna.tiff", "a2 dna.tiff", "a3 dna.tiff", "a3 rna.tiff", "other.tiff"]
LINK = "s3://lab/.work/links/P__t.json"


def lay(machine: Machine) -> None:
    """Lay a plate's images in a public bucket's folder, and the table of what they were when they were linked."""
    for name in NAMES:
        machine.s3.client.put_object(
            Bucket=machine.s3.bucket, Key=f"gallery/Images/{name}", Body=name.encode(), ACL="public-read"
        )
    table = io.StringIO()
    writer = csv.DictWriter(table, contracts.FETCHED.required, restval="")
    writer.writeheader()
    for name in NAMES:
        told = {"path": f"Images/{name}", "bytes": len(name), "etag": hashlib.md5(name.encode()).hexdigest()}
        writer.writerow(told | {"checked": "listed", "source": machine.url(f"gallery/Images/{name}")})
    machine.put("fetched.csv", table.getvalue().encode())


def inputs(machine: Machine, sites: list[str], **more: Any) -> list[dict[str, Any]]:
    load_data = machine.input(machine.put("load_data.csv", LOAD_DATA.encode()), "load_data/load_data.csv")
    table = machine.input(machine.url("fetched.csv"), "images.known.csv")
    few = {"listed": {"table": load_data["target"], "kind": "site", "units": sites}} if sites else {}
    how = {"unsigned": True, "endpoint_url": machine.environment()["S3_ENDPOINT_URL"], "region": "us-east-1"}
    known = {"known": {"table": table["target"], "link": LINK}}
    images = machine.input(machine.url("gallery/Images/"), "images", **few, **how, **known, **more)
    return [images, load_data, table]


def run(machine: Machine, sites: list[str], **more: Any) -> None:
    machine.lay({"j1": machine.job(SEEN, inputs(machine, sites, **more))})
    machine.run()


def units(machine: Machine) -> dict[str, str]:
    told = [json.loads(line) for line in machine.get(f"{RUN}/shards/j1/out/units.jsonl").splitlines()]
    return {each["unit"]: each["reason"] for each in told if each["state"] == "failed"}


@pytest.mark.parametrize("sites", [["A01-1", "A01-2"], []])
def test_what_is_as_it_was_is_fetched(sites: list[str], machine: Machine) -> None:
    lay(machine)
    run(machine, sites)
    wanted = NAMES[:3] if sites else NAMES

    assert machine.end()["exit_code"] == 0, machine.log()
    assert sorted(key for key in machine.seen() if key.startswith("images/")) == [f"images/{name}" for name in wanted]


CHANGES = {
    "another size": (b"longer than it was", "a2 dna.tiff: it has 18 bytes and ETag "),
    "another content": (b"a2 DNA.tiff", "a2 dna.tiff: it has 11 bytes and ETag "),
    "gone": (None, "a2 dna.tiff: it is gone"),
}


@pytest.mark.parametrize(("body", "words"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("sites", [["A01-1", "A01-2"], []])
def test_a_file_that_is_not_what_it_was_is_named(
    sites: list[str], body: bytes | None, words: str, machine: Machine
) -> None:
    lay(machine)
    if body is None:
        machine.s3.client.delete_object(Bucket=machine.s3.bucket, Key="gallery/Images/a2 dna.tiff")
    else:
        machine.put("gallery/Images/a2 dna.tiff", body)
    run(machine, sites)

    head, change, step = machine.log().splitlines()
    assert machine.end()["exit_code"] == 65
    assert head == f"error: {machine.url('gallery/Images/')} is not what it was when it was linked"
    assert change.startswith(f"  {words}")
    assert step == f"to take it as it is now run again without {LINK}"
    assert machine.made() == {}
    if sites:
        assert list(units(machine)) == ["A01-2"]
        assert units(machine)["A01-2"].startswith("a2 dna.tiff: it ")


def test_a_change_that_a_job_does_not_need_does_not_stop_it(machine: Machine) -> None:
    lay(machine)
    machine.put("gallery/Images/other.tiff", b"changed")
    run(machine, ["A01-1"])

    assert machine.end()["exit_code"] == 0, machine.log()


def test_a_file_that_came_to_a_folder_is_named(machine: Machine) -> None:
    lay(machine)
    machine.put("gallery/Images/new.tiff", b"new")
    run(machine, [])

    assert (machine.end()["exit_code"], "  new.tiff: it is new\n" in machine.log()) == (65, True)


DESCRIBED = """
import json
told = json.loads((inputs / 'images').read_text())
(files / 'told.json').write_text(json.dumps([told, sorted(p.name for p in inputs.iterdir()), os.environ.get('TOKEN')]))
"""


def test_a_folder_that_is_read_from_afar_is_only_described(machine: Machine) -> None:
    lay(machine)
    machine.variables["TOKEN"] = "secret"
    job = machine.job(DESCRIBED, inputs(machine, [], afar=True), passed=["TOKEN"])
    machine.lay({"j1": job})
    machine.run()
    told, beside, token = json.loads(machine.made()["told.json"])

    assert {name: each["bytes"] for name, each in told.pop("files").items()} == {name: len(name) for name in NAMES}
    assert told == {
        "url": machine.url("gallery/Images/"),
        "endpoint_url": machine.environment()["S3_ENDPOINT_URL"],
        "region": "us-east-1",
        "unsigned": True,
    }
    assert beside == ["images", "images.known.csv", "load_data"]
    assert token == "secret"


def test_a_folder_that_is_read_from_afar_must_be_what_it_was_too(machine: Machine) -> None:
    lay(machine)
    machine.put("gallery/Images/a1 dna.tiff", b"changed")
    run(machine, [], afar=True)

    assert (machine.end()["exit_code"], "  a1 dna.tiff: it has 7 bytes" in machine.log()) == (65, True)


def test_only_the_first_changes_are_named_and_the_others_counted(machine: Machine) -> None:
    was = {f"{number:02d}": Object(1, "e") for number in range(12)}
    found = changes(was, {}, was)
    told = Known(machine.folder, LINK).told("s3://g/Images/", found)

    assert len(found) == 12
    assert "  03: it is gone\n  ... and 8 more\nto take it" in told
