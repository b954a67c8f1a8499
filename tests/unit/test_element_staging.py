"""Inputs come whole from S3 to where a program sees them, or the job ends with an error that names the object."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from batch_agent.staging import Input
from stagekit import transfer
from stagekit.program import DataError
from stagekit.transfer import Service, Transfer

from tests.stages.gallery.fault_proxy import FaultProxy
from tests.stages.gallery.service import BELOW
from tests.unit.element_machine import RUN, SEEN, Machine, wait_for

HOSTILE = ["a b.txt", "st*r", "wh?t", "#hash", "ümläut", "q\"uo'te", "x+y%20z", "[x]", "back\\slash", " lead", "trail "]
HOSTILE += ["$dollar`tick", "&amp;", "deep/er/file", "~", "-flag", "a\u2028b\x85c", "zero"]


@pytest.mark.parametrize("folder", ["images", "in f*ld?r's #1"])
def test_names_of_any_form_go_in_and_out(machine: Machine, folder: str) -> None:
    bodies = {name: "" if name == "zero" else f"body of {name}" for name in HOSTILE}
    for name, body in bodies.items():
        machine.put(f"data/{folder}/{name}", body.encode())
    machine.put("data/images2/other", b"no")
    machine.put("data/in field-rs #1/other", b"no")
    machine.put(f"data/{folder}/marker/")  # what consoles leave for an empty folder
    program = SEEN + "import shutil; shutil.copytree(inputs / 'the images', files / 'copy of*?')"
    machine.lay({"j1": machine.job(program, [machine.input(machine.url(f"data/{folder}/"), "the images")])})
    machine.run()

    assert machine.end()["exit_code"] == 0, machine.log()
    assert machine.seen() == {f"the images/{name}": body for name, body in bodies.items()}
    assert {name: body for name, body in machine.made().items() if name != "seen.json"} == {
        f"copy of*?/{name}": body.encode() for name, body in bodies.items()
    }


def test_files_and_folders_come_together_and_cannot_be_written_to(machine: Machine) -> None:
    inputs = [
        machine.input(machine.put("a/p q.csv", b"profiles"), "profiles/p q.csv"),
        machine.input(machine.put("b/illum/x.npy", b"x").rpartition("/")[0] + "/", "illumination"),
    ]
    program = SEEN + "import json; (out / 'result.json').write_text(json.dumps("
    program += "[oct(p.stat().st_mode & 0o222) for p in sorted(inputs.rglob('*')) if p.name != 'profiles']))"
    machine.lay({"j1": machine.job(program, inputs)})
    machine.run()

    assert machine.seen() == {"profiles/p q.csv": "profiles", "illumination/x.npy": "x"}
    assert set(json.loads(machine.get(f"{RUN}/shards/j1/out/result.json"))) == {"0o0"}


def test_more_files_than_s3_lists_at_once_go_in_and_out(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "100")  # this server's limit, which is 1,000 on S3
    names = [f"images/{number:04d}.tiff" for number in range(110)]
    machine.s3.put_many({name: name.encode() for name in names})
    program = "import shutil; shutil.copytree(inputs / 'images', files / 'images')"
    machine.lay({"j1": machine.job(program, [machine.input(machine.url(f"{BELOW}/images/"), "images")])})
    machine.run()

    assert machine.end()["exit_code"] == 0, machine.log()
    assert sorted(machine.digests()) == names
    assert machine.keys(f"{RUN}/shards/j1/out/files/") == names


def test_what_the_next_job_needs_too_is_not_fetched_again(machine: Machine) -> None:
    with proxied(machine) as proxy:
        same = machine.input(machine.put("images/same", b"same"), "same")
        folder = machine.input(machine.put("folder/f", b"f")[:-1], "folder")
        others = [machine.input(machine.put(f"images/{name}", name.encode()), "other") for name in ("one", "two")]
        extra = machine.input(machine.put("images/extra", b"extra"), "extra/file")
        jobs = {"j1": [same, folder, others[0], extra], "j2": [others[1], same, folder], "j3": [same]}
        machine.lay({name: machine.job(SEEN, inputs) for name, inputs in jobs.items()})
        machine.run()
        asked = [each.key for each in proxy.asked if each.method == "GET"]

    assert machine.seen("j1") == {"same": "same", "folder/f": "f", "other": "one", "extra/file": "extra"}
    assert machine.seen("j2") == {"same": "same", "folder/f": "f", "other": "two"}
    assert machine.seen("j3") == {"same": "same"}
    assert [sum(key.endswith(name) for key in asked) for name in ("/same", "/f", "/one", "/two")] == [1, 1, 1, 1]


def test_a_missing_object_is_named_with_what_to_do(machine: Machine) -> None:
    machine.lay({"j1": machine.job(SEEN, [machine.input(machine.url("not there?"), "x")])})
    machine.run()

    assert machine.failed().startswith(f"error: {machine.url('not there?')} could not be fetched: NoSuchKey")
    assert machine.failed().endswith("it is not there: run again what makes it, or lay it there")


def test_several_missing_objects_are_counted(machine: Machine) -> None:
    inputs = [machine.input(machine.url(f"no{number}"), f"x{number}") for number in range(3)]
    machine.lay({"j1": machine.job(SEEN, inputs)})
    machine.run()

    assert "(2 more files likewise)" in machine.failed()


def test_an_empty_folder_is_an_error(machine: Machine) -> None:
    machine.put("empty/")
    machine.lay({"j1": machine.job(SEEN, [machine.input(machine.url("empty/"), "x")])})
    machine.run()

    assert f"{machine.url('empty/')} could not be fetched: there is nothing below it" in machine.failed()


@pytest.mark.parametrize("source", ["s3://there-is-no-such-bucket/file", "s3://there-is-no-such-bucket/folder/"])
def test_a_missing_bucket_is_named(machine: Machine, source: str) -> None:
    machine.lay({"j1": machine.job(SEEN, [machine.input(source, "x")])})
    machine.run()

    assert source.rstrip("/") in machine.failed()
    assert "NoSuchBucket" in machine.failed()
    assert "correct its name in luigi.cfg ([paths] root, [gallery] bucket)" in machine.failed()


BAD = {
    "above": (["../../../etc/passwd"], "cannot be a file below a folder by its name"),
    "no name": (["a//b"], "cannot be a file below a folder by its name"),
    "file and folder": (["a", "a/b"], "folder/a is an object, and s3://"),
}


@pytest.mark.parametrize(("names", "words"), BAD.values(), ids=BAD)
def test_an_object_that_cannot_be_a_file_is_refused(machine: Machine, names: list[str], words: str) -> None:
    for name in names:
        machine.put(f"folder/{name}", b"x")
    machine.lay({"j1": machine.job(SEEN, [machine.input(machine.url("folder/"), "x")])})
    machine.run()

    assert words in machine.failed(65)


@contextmanager
def proxied(machine: Machine) -> Iterator[FaultProxy]:
    """Let the machine speak to S3 through a proxy that injects faults."""
    proxy = FaultProxy(machine.s3.port)
    machine.variables["S3_ENDPOINT_URL"] = proxy.url
    yield proxy
    proxy.close()


@pytest.mark.parametrize("kind", ["slow_down", "internal_error", "reset", "truncate"])
def test_what_passes_is_tried_again(machine: Machine, kind: str) -> None:
    machine.lay({"j1": machine.job(SEEN, [machine.input(machine.put("images/i.tiff", b"image" * 1000), "i.tiff")])})
    with proxied(machine) as proxy:
        proxy.inject(kind, "i.tiff")
        machine.run()

    assert proxy.fired[kind] == 1
    assert machine.seen() == {"i.tiff": "image" * 1000}


def test_a_file_that_always_comes_short_is_an_error(machine: Machine) -> None:
    machine.lay({"j1": machine.job(SEEN, [machine.input(machine.put("images/i.tiff", b"image" * 1000), "i.tiff")])})
    with proxied(machine) as proxy:
        proxy.inject("truncate", "i.tiff", times=1000)
        machine.run()

    assert "i.tiff could not be fetched" in machine.failed()
    assert machine.made() == {}


def test_a_name_with_a_line_break_is_refused() -> None:
    with pytest.raises(DataError, match="has a line break in its name"):
        transfer.copy(Service(), [Transfer("s3://bucket/a\nb", "/in/a")])


SERVICES = {
    "as the environment says": ({}, {"S3_ENDPOINT_URL": "http://own", "AWS_REGION": "here"}),
    "AWS itself": ({"endpoint_url": "", "region": "us-east-1"}, {"AWS_REGION": "us-east-1"}),
    "another": ({"endpoint_url": "http://other"}, {"S3_ENDPOINT_URL": "http://other", "AWS_REGION": "here"}),
}


@pytest.mark.parametrize(("told", "variables"), SERVICES.values(), ids=SERVICES)
def test_an_input_says_which_service_it_comes_from(told: dict[str, str], variables: dict[str, str]) -> None:
    service = Input.of({"target": "/in/x", "source": "s3://b/x", **told}).service

    assert service.environment({"S3_ENDPOINT_URL": "http://own", "AWS_REGION": "here"}) == variables


def test_a_public_bucket_is_read_without_any_credentials(machine: Machine) -> None:
    for name, access in (("open", "public-read"), ("closed", "private")):
        machine.s3.client.put_object(Bucket=machine.s3.bucket, Key=f"public/{name}", Body=b"x", ACL=access)
    names = {"j1": "open", "j2": "closed"}
    inputs = {job: machine.input(machine.url(f"public/{name}"), "x", unsigned=True) for job, name in names.items()}
    machine.lay({job: machine.job(SEEN, [own]) for job, own in inputs.items()})
    with proxied(machine) as proxy:
        machine.run()

    assert {bool(each.authorization) for each in proxy.asked if each.key == "public/open"} == {False}
    assert all(each.authorization for each in proxy.asked if not each.key.startswith("public/"))
    assert machine.seen() == {"x": "x"}
    assert machine.end("j2")["exit_code"] == 69
    assert "it was asked for unsigned, and is not public: correct [gallery] unsigned" in machine.log("j2")


def test_an_end_that_cannot_be_put_is_none(machine: Machine) -> None:
    machine.lay({"j1": machine.job(SEEN), "j2": machine.job(SEEN)})
    with proxied(machine) as proxy:
        proxy.inject("internal_error", "ended/j1", times=1000, method="PUT")
        done = machine.run()

    assert done.returncode == 69
    assert "ended/j1 could not be put: " in done.stderr
    assert machine.ended() == []
    assert machine.keys(f"{RUN}/shards/j2/out/") == []


def test_an_end_is_put_after_all_else(machine: Machine) -> None:
    machine.lay({"j1": machine.job(f"{SEEN}(out / 'result.json').write_text('{{}}')")})
    with proxied(machine) as proxy:
        machine.run()
    put = [each.key.rpartition("/")[2] for each in proxy.asked if each.method == "PUT"]

    assert put[0] == "seen.json"
    assert set(put[1:-1]) == {"result.json", "files.json", "stdout.log", "stderr.log"}
    assert put[-1] == "j1"


def test_sigterm_while_inputs_come_leaves_no_end(machine: Machine) -> None:
    machine.lay({"j1": machine.job(SEEN, [machine.input(machine.put("images/i.tiff", b"image" * 1000), "i.tiff")])})
    with proxied(machine) as proxy:
        proxy.inject("stall", "i.tiff")
        process = machine.start()
        wait_for(lambda: proxy.fired["stall"])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)

    assert process.returncode == 143
    assert machine.ended() == []


def test_what_a_failed_fetch_left_is_not_seen_by_the_next_job(machine: Machine) -> None:
    good, bad = machine.input(machine.put("good", b"good"), "good"), machine.input(machine.url("bad"), "bad")
    machine.lay({"j1": machine.job(SEEN, [good, bad]), "j2": machine.job(SEEN), "j3": machine.job(SEEN, [good])})
    machine.run()

    assert [machine.end(name)["exit_code"] for name in ("j1", "j2", "j3")] == [69, 0, 0]
    assert (machine.seen("j2"), machine.seen("j3")) == ({}, {"good": "good"})


def test_a_service_that_does_not_answer_is_told(machine: Machine) -> None:
    machine.variables["S3_ENDPOINT_URL"] = "http://127.0.0.1:1"
    done = machine.run()

    assert done.returncode == 69
    assert f"{machine.array}/elements could not be listed: " in done.stderr
    assert "see whether the service is reachable from the machine, and run again" in done.stderr
