"""Every fault of the service or the way to it ends in correct files or in an error that names what is wrong."""

from __future__ import annotations

import hashlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stages.gallery.fault_proxy import FaultProxy
from tests.stages.gallery.service import S3, Fetch

FOLDER = "images/B/images/P__t-Measurement1/Images"
PART_BYTES = 2**20
SMALL = {f"{FOLDER}/{number}.tiff": random.Random(number).randbytes(50_000) for number in range(6)}
BIG_PATH, BIG = "workspace/backend/B/P/P.sqlite", random.Random(99).randbytes(3 * PART_BYTES + 12_345)


@pytest.fixture
def small(s3: S3) -> dict[str, bytes]:
    for path, body in SMALL.items():
        s3.put(path, body)
    return SMALL


@pytest.fixture
def big(s3: S3) -> dict[str, bytes]:
    s3.put(BIG_PATH, BIG)
    return {BIG_PATH: BIG}


def wait_for(condition: Callable[[], object], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(condition())


@pytest.mark.parametrize("kind", ["slow_down", "internal_error", "reset", "truncate", "stall", "corrupt"])
def test_a_passing_fault_ends_in_correct_files(
    kind: str, small: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    proxy.inject(kind, key="3.tiff")
    proxy.inject(kind, key="5.tiff")
    done = fetch.run(f"{FOLDER}/")

    assert proxy.fired[kind] == 2, "the fault did not fire"
    assert len(proxy.gets("3.tiff")) == 2
    assert len(proxy.gets("1.tiff")) == 1
    assert done.returncode == 0, done.stderr
    assert fetch.came() == small


@pytest.mark.parametrize("kind", ["slow_down", "reset", "truncate", "stall"])
def test_a_fault_in_a_part_of_a_large_file_costs_that_part_only(
    kind: str, big: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    proxy.inject(kind, key="P.sqlite")
    done = fetch.run("workspace/backend/B/P/")
    ranges = [asked.range for asked in proxy.gets("P.sqlite")]

    assert proxy.fired[kind] == 1, "the fault did not fire"
    assert done.returncode == 0, done.stderr
    assert len(ranges) == 4 + 1
    assert len(set(ranges)) == 4
    told = "" if kind == "slow_down" else "1 part had to be asked for again"  # what the client itself asked again
    assert fetch.units() == {"P.sqlite": ("ok", told)}
    assert fetch.came() == big


def test_wrong_bytes_in_a_large_file_are_found_and_fetched_again(
    big: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    proxy.inject("corrupt", key="P.sqlite")
    done = fetch.run("workspace/backend/B/P/")

    assert proxy.fired["corrupt"] == 1, "the fault did not fire"
    assert done.returncode == 0, done.stderr
    assert fetch.came() == big


def test_a_file_that_is_wrong_each_time_is_quarantined_and_named(
    small: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    proxy.inject("corrupt", key="3.tiff", times=float("inf"))
    done = fetch.run(f"{FOLDER}/")
    quarantined = fetch.folder / "quarantine" / FOLDER / "3.tiff"

    assert proxy.fired["corrupt"] == 3, "the fault did not fire in every round"
    assert done.returncode == 65
    assert "1 files could not be fetched; 1 came wrong each time" in done.stderr
    assert f"{FOLDER}/3.tiff: its 50000 bytes do not give the gallery's ETag" in done.stderr
    assert fetch.came() == {path: body for path, body in small.items() if "3.tiff" not in path}
    assert {name: state for name, (state, _) in fetch.units().items()} == {
        f"{number}.tiff": "failed" if number == 3 else "ok" for number in range(6)
    }
    assert fetch.units()["3.tiff"][1].startswith("its 50000 bytes do not give the gallery's ETag")
    assert quarantined.read_bytes() != small[f"{FOLDER}/3.tiff"]
    assert not (fetch.folder / "result.json").exists()


def test_after_a_failure_a_rerun_fetches_only_what_is_missing(
    small: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    proxy.inject("corrupt", key="3.tiff", times=float("inf"))
    failed = fetch.run(f"{FOLDER}/")
    proxy.heal()
    proxy.asked.clear()
    done = fetch.run(f"{FOLDER}/")

    assert failed.returncode == 65
    assert done.returncode == 0, done.stderr
    assert [asked.key.split("/")[-1] for asked in proxy.gets()] == ["3.tiff"]
    assert fetch.came() == small
    assert fetch.units() == {f"{number}.tiff": ("ok", "") for number in range(6)}
    assert not list((fetch.folder / "quarantine").rglob("*.tiff"))


def test_a_service_that_fails_for_good_ends_the_run_with_its_words(
    small: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    fetch.connections = 1
    fetch.patch += "; import part_stream; part_stream.LONGEST_PAUSE_SECONDS = 0.05"
    proxy.inject("reset", times=float("inf"))
    done = fetch.run(f"{FOLDER}/")

    assert proxy.fired["reset"] > 6, "the fault did not fire"
    assert done.returncode == 69
    assert "run again when the service answers" in done.stderr
    assert fetch.came() == {}


def test_killed_in_mid_download_a_rerun_fetches_only_what_is_missing(
    small: dict[str, bytes], big: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    fetch.stall_seconds = 30
    proxy.inject("hold", key="5.tiff")
    proxy.inject("hold", key="P.sqlite")  # the first part that is asked for
    wanted = (f"{FOLDER}/", "workspace/backend/B/P/")
    running = fetch.start(*wanted)
    journal = fetch.folder / "finished.jsonl"
    ready = wait_for(
        lambda: (
            journal.exists()
            and journal.read_text().count('"path"') == 5
            and sum(path.read_text().count("\n") - 1 for path in (fetch.folder / "partial").glob("*.parts")) == 3
        )
    )
    running.send_signal(signal.SIGKILL)
    running.communicate()
    partway = fetch.came()
    held = proxy.fired["hold"]
    proxy.heal()
    proxy.asked.clear()
    done = fetch.run(*wanted)

    assert ready, "the run did not come to where it was to be killed"
    assert held == 2, "nothing was held back"
    assert running.returncode == -signal.SIGKILL
    assert partway == {path: body for path, body in small.items() if "5.tiff" not in path}
    assert done.returncode == 0, done.stderr
    assert len(proxy.gets()) == 2, "more was fetched than was missing"
    assert len(proxy.gets("5.tiff")) == 1
    assert len(proxy.gets("P.sqlite")) == 1
    assert fetch.came() == {**small, **big}


def test_an_object_that_changes_after_it_was_listed_comes_as_it_is_now(
    s3: S3, big: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    now = random.Random(7).randbytes(2 * PART_BYTES + 5)
    seen = []

    def change(asked: object) -> None:
        if proxy.gets("P.sqlite") and not seen:
            seen.append(asked)
            s3.put(BIG_PATH, now)

    proxy.before = change
    done = fetch.run("workspace/backend/B/P/")

    assert seen, "the object did not change"
    assert done.returncode == 0, done.stderr
    assert fetch.came() == {BIG_PATH: now}
    assert fetch.table()[0]["etag"] == s3.etag(BIG_PATH)


def test_an_object_that_vanishes_after_it_was_listed_is_named(
    s3: S3, small: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    def remove(asked: object) -> None:
        if getattr(asked, "key", "").endswith("2.tiff"):
            s3.client.delete_object(Bucket=s3.bucket, Key=asked.key)

    proxy.before = remove
    done = fetch.run(f"{FOLDER}/")

    assert proxy.gets("2.tiff"), "the object was not asked for"
    assert done.returncode == 65
    assert f"{FOLDER}/2.tiff: it changed in the gallery since it was listed" in done.stderr


def test_a_journal_of_another_version_of_an_object_is_not_gone_on_from(
    s3: S3, big: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    hold = proxy.inject("hold", key="P.sqlite")
    fetch.stall_seconds = 30
    running = fetch.start("workspace/backend/B/P/")
    parts = fetch.folder / "partial"
    ready = wait_for(lambda: [p for p in parts.glob("*.parts") if p.read_text().count("\n") == 4])
    running.kill()
    running.communicate()
    hold.release.set()
    now = random.Random(8).randbytes(len(BIG))
    s3.put(BIG_PATH, now)
    proxy.asked.clear()
    done = fetch.run("workspace/backend/B/P/")

    assert ready
    assert done.returncode == 0, done.stderr
    assert len(proxy.gets()) == 4
    assert fetch.came() == {BIG_PATH: now}


def test_nothing_partial_has_a_final_name_while_a_file_comes(
    big: dict[str, bytes], fetch: Fetch, proxy: FaultProxy
) -> None:
    fetch.stall_seconds = 30
    hold = proxy.inject("hold", key="P.sqlite")
    running = fetch.start("workspace/backend/B/P/")
    held = wait_for(lambda: proxy.fired["hold"] and len(proxy.gets("P.sqlite")) == 4)
    early = fetch.came()
    hold.release.set()
    running.communicate()

    assert held
    assert early == {}
    assert running.returncode == 0
    assert fetch.came() == big
    assert list((fetch.folder / "partial").iterdir()) == []


def test_a_checksum_list_is_held_against_what_comes(small: dict[str, bytes], fetch: Fetch, tmp_path: Path) -> None:
    sums = {path: hashlib.sha256(body).hexdigest() for path, body in small.items()}
    short = [f"{path.split('/', 2)[2]},{sums[path]},50000" for path in small]  # below another folder than ours
    fetch.checksums = tmp_path / "sums.csv"
    fetch.checksums.write_text("\n".join(["path,sha256,size_bytes", *short]))
    good = fetch.run(f"{FOLDER}/")
    checked = {row["checked"] for row in fetch.table()}
    fetch.folder = tmp_path / "second"
    fetch.checksums.write_text(
        "\n".join(["path,sha256,size_bytes", *short[:-1], f"{short[-1].split(',')[0]},{'0' * 64},1"])
    )
    bad = fetch.run(f"{FOLDER}/")

    assert good.returncode == 0, good.stderr
    assert checked == {"sha256"}
    assert bad.returncode == 65
    assert "5.tiff: its SHA-256 is" in bad.stderr
    assert "the checksum list says" in bad.stderr
