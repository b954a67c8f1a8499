"""Of a plate's images a job is given those that load_data names for its sites or channels, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.element_machine import RUN, SEEN, Machine

LOAD_DATA = """Metadata_Well,Metadata_Site,FileName_OrigDNA,PathName_OrigDNA,FileName_OrigRNA,FileName_IllumDNA
A01,1,a1 dna.tiff,x,a1 rna.tiff,P_IllumDNA.npy
A01,2,a2 dna.tiff,x,,P_IllumDNA.npy
A02,1,a3 dna.tiff,x,a3 rna.tiff,P_IllumDNA.npy
"""
NEEDED = {
    "two sites": ("site", ["A01-1", "A01-2"], {"a1 dna.tiff", "a1 rna.tiff", "a2 dna.tiff"}),
    "one site": ("site", ["A02-1"], {"a3 dna.tiff", "a3 rna.tiff"}),
    "a channel": ("channel", ["DNA"], {"a1 dna.tiff", "a2 dna.tiff", "a3 dna.tiff"}),
}


def listed(machine: Machine, kind: str, units: list[str], text: str = LOAD_DATA) -> list[dict[str, Any]]:
    """Return the inputs of a job that needs some images of a plate."""
    table = machine.input(machine.put("load_data.csv", text.encode()), "load_data/load_data.csv")
    few = {"table": table["target"], "kind": kind, "units": units}
    # The order of the inputs is the host's: the table may come last.
    return [machine.input(machine.url("Images/"), "images", listed=few), table]


def lay_images(machine: Machine, *names: str) -> None:
    for name in names or ("a1 dna.tiff", "a1 rna.tiff", "a2 dna.tiff", "a3 dna.tiff", "a3 rna.tiff", "other.tiff"):
        machine.put(f"Images/{name}", name.encode())


@pytest.mark.parametrize(("kind", "units", "files"), NEEDED.values(), ids=NEEDED)
def test_only_the_images_that_a_job_needs_are_fetched(
    machine: Machine, kind: str, units: list[str], files: set[str]
) -> None:
    lay_images(machine)
    machine.lay({"j1": machine.job(SEEN, listed(machine, kind, units))})
    machine.run()

    assert machine.end()["exit_code"] == 0, machine.log()
    assert machine.seen().keys() - {"load_data/load_data.csv"} == {f"images/{name}" for name in files}


def test_the_images_of_the_next_job_take_the_place_of_those_of_the_last(machine: Machine) -> None:
    lay_images(machine)
    jobs = {
        name: machine.job(SEEN, listed(machine, "site", [site])) for name, site in (("j1", "A01-2"), ("j2", "A02-1"))
    }
    machine.lay(jobs)
    machine.run()

    assert [key for key in machine.seen("j2") if key.startswith("images/")] == [
        "images/a3 dna.tiff",
        "images/a3 rna.tiff",
    ]


def test_sites_whose_images_are_not_in_the_bucket_are_told_as_failed(machine: Machine) -> None:
    lay_images(machine, "a1 dna.tiff", "a1 rna.tiff", "a3 dna.tiff")
    machine.lay({"j1": machine.job(SEEN, listed(machine, "site", ["A01-1", "A01-2", "A02-1"]))})
    machine.run()
    told = [json.loads(line) for line in machine.get(f"{RUN}/shards/j1/out/units.jsonl").splitlines()]

    assert "load_data.csv names a2 dna.tiff, a3 rna.tiff, not to be found in" in machine.failed(65)
    assert {each["unit"]: (each["state"], each["reason"]) for each in told} == {
        "A01-2": ("failed", f"a2 dna.tiff is not in {machine.url('Images/')}"),
        "A02-1": ("failed", f"a3 rna.tiff is not in {machine.url('Images/')}"),
    }


WRONG_TABLES = {
    "an unknown site": (LOAD_DATA, ["B01-1"], "load_data.csv: it names no site B01-1"),
    "no well": (LOAD_DATA.replace("Metadata_Well", "Well"), ["A01-1"], "load_data.csv: it has no column Metadata_Well"),
    "a path": (LOAD_DATA.replace("a1 rna", "../a1"), ["A01-1"], "load_data.csv: line 2 names '../a1.tiff'"),
}


@pytest.mark.parametrize(("text", "units", "words"), WRONG_TABLES.values(), ids=WRONG_TABLES)
def test_a_table_that_says_no_images_is_refused(machine: Machine, text: str, units: list[str], words: str) -> None:
    lay_images(machine)
    machine.lay({"j1": machine.job(SEEN, listed(machine, "site", units, text))})
    machine.run()

    assert words in machine.failed(65)
