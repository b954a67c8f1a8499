"""Claims on a real S3 server: one holds, others wait, a dead holder's is free, and who lost one hears of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tasks.errors import LostClaimError, StoreError
from tasks.results.store.s3 import claim, claim_object
from tasks.results.store.s3.claim import Claims
from tests.integration.s3_server import BUCKET, S3Server, client, serving
from tests.unit.fakes import wait_until

KEY = ".work/claims/painting"
SECONDS = 1.0
REPOSITORY = Path(__file__).parents[2]

HOLD = """
import sys, time
from tests.integration.test_claims import claims_of
claims = claims_of(int(sys.argv[1]))
with claims.alone(sys.argv[2], "painting"):
    print("held", flush=True)
    sys.stdin.readline()
    claims.assert_held(sys.argv[2])
    print("published", flush=True)
"""
COUNT = """
import sys
from tests.integration.s3_server import BUCKET
from tests.integration.test_claims import KEY, claims_of
claims = claims_of(int(sys.argv[1]), seconds=60)
for _ in range(int(sys.argv[2])):
    with claims.alone(KEY, "counting"):
        count = int(claims.client.get_object(Bucket=BUCKET, Key="counter")["Body"].read())
        claims.client.put_object(Bucket=BUCKET, Key="counter", Body=str(count + 1).encode())
"""


def claims_of(port: int, seconds: float = SECONDS) -> Claims:
    return Claims(client(port, claim.config(seconds)), BUCKET, seconds, longest_wait_seconds=0.1)


@pytest.fixture
def server() -> Iterator[S3Server]:
    with serving() as own:
        yield own


@pytest.fixture
def claims(server: S3Server) -> Claims:
    return claims_of(server.port)


def said(claims: Claims) -> dict[str, Any]:
    """Return what lies at the key."""
    return json.loads(claims.client.get_object(Bucket=BUCKET, Key=KEY)["Body"].read())


def started(code: str, *words: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )


def holder(server: S3Server) -> subprocess.Popen[str]:
    """Start a process that holds the claim until it reads a line, and then asks whether it still does."""
    process = started(HOLD, server.port, KEY)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_free_claim_is_taken_at_once_and_given_back(claims: Claims) -> None:
    with claims.alone(KEY, "painting") as waited:
        assert (waited, claims.is_held(KEY)) == (False, True)
    assert not claims.is_held(KEY)
    with claims.alone(KEY, "painting") as waited:
        assert not waited


def test_the_claim_names_its_holder(claims: Claims) -> None:
    with claims.alone(KEY, "painting"):
        found = said(claims)

    assert (found["pid"], found["state"], found["seconds"]) == (os.getpid(), "held", SECONDS)
    assert found["host"] and found["user"] and found["since"] and found["token"]


def test_no_claim_is_held_where_none_lies(claims: Claims) -> None:
    assert not claims.is_held("nowhere")


def test_a_second_is_told_at_once_that_the_claim_is_held(server: S3Server, claims: Claims) -> None:
    with claims.at_once(KEY) as first, claims_of(server.port).at_once(KEY) as second:
        assert (first, second) == (True, False)
        assert claims.is_held(KEY)  # the second gave nothing back
    with claims_of(server.port).at_once(KEY) as third:
        assert third


def test_a_held_claim_outlasts_its_time_because_it_is_renewed(server: S3Server, claims: Claims) -> None:
    with claims.alone(KEY, "painting"):
        time.sleep(3 * SECONDS + claim_object.COARSE_SECONDS)
        with claims_of(server.port).at_once(KEY) as taken:
            assert not taken
        claims.assert_held(KEY)


def test_a_claim_is_given_back_from_a_block_that_fails(claims: Claims) -> None:
    with pytest.raises(ZeroDivisionError), claims.alone(KEY, "painting"):
        raise ZeroDivisionError

    assert not claims.is_held(KEY)


def test_a_claim_of_a_killed_process_is_waited_for_by_name_and_then_free(
    server: S3Server, claims: Claims, caplog: pytest.LogCaptureFixture
) -> None:
    process = holder(server)
    process.kill()
    process.wait()
    begun = time.monotonic()
    with caplog.at_level("INFO"), claims.alone(KEY, "painting") as waited:
        seconds = time.monotonic() - begun

    assert waited
    assert SECONDS / 2 < seconds < SECONDS + 4
    assert f"(process {process.pid}, since " in caplog.text
    assert caplog.text.count("painting: ") == 1


def test_waiting_asks_seldom(server: S3Server) -> None:
    waiting = Claims(client(server.port), BUCKET, 60, longest_wait_seconds=10)
    pauses = [pause for pause, _ in zip(waiting._pauses(), range(50), strict=False)]

    assert 0.25 <= pauses[0] <= 0.5
    assert max(pauses) <= 10
    assert min(pauses[6:]) >= 5


def test_a_process_that_slept_past_its_time_publishes_nothing(server: S3Server, claims: Claims) -> None:
    process = holder(server)
    os.kill(process.pid, signal.SIGSTOP)
    with claims.alone(KEY, "painting") as waited:
        os.kill(process.pid, signal.SIGCONT)
        out, errors = process.communicate("\n", timeout=30)
        assert waited
        claims.assert_held(KEY)  # who lost it took nothing from who has it

    assert out == ""
    assert process.returncode != 0
    assert "LostClaimError: painting: its claim" in errors
    assert f"(process {os.getpid()}, since " in errors


def test_a_process_that_slept_while_nobody_wanted_its_claim_goes_on(server: S3Server) -> None:
    process = holder(server)
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(2 * SECONDS + claim_object.COARSE_SECONDS)
    os.kill(process.pid, signal.SIGCONT)
    out, errors = process.communicate("\n", timeout=30)

    assert (out, process.returncode) == ("published\n", 0), errors


def test_a_loss_is_noticed_at_the_end_of_the_block(server: S3Server, claims: Claims) -> None:
    other = b'{"state": "held", "host": "else", "token": "another"}'
    with pytest.raises(LostClaimError, match="on else"), claims.alone(KEY, "painting"):
        claims.client.put_object(Bucket=BUCKET, Key=KEY, Body=other)

    assert claims.client.get_object(Bucket=BUCKET, Key=KEY)["Body"].read() == other


def test_a_claim_that_somebody_deleted_is_lost(claims: Claims) -> None:
    with pytest.raises(LostClaimError, match="deleted"), claims.alone(KEY, "painting"):
        claims.client.delete_object(Bucket=BUCKET, Key=KEY)
        claims.assert_held(KEY)


def test_the_error_of_a_block_is_not_hidden_by_a_loss(claims: Claims) -> None:
    with pytest.raises(ZeroDivisionError), claims.alone(KEY, "painting"):
        claims.client.delete_object(Bucket=BUCKET, Key=KEY)
        raise ZeroDivisionError


def test_eight_processes_lose_no_count(server: S3Server) -> None:
    """The counter is read and written without a condition: only the claim keeps them apart."""
    processes, rounds = 8, 20
    client(server.port).put_object(Bucket=BUCKET, Key="counter", Body=b"0")
    counting = [started(COUNT, server.port, rounds) for _ in range(processes)]
    errors = [process.communicate(timeout=300)[1] for process in counting]
    count = client(server.port).get_object(Bucket=BUCKET, Key="counter")["Body"].read()

    assert [process.returncode for process in counting] == [0] * processes, errors
    assert int(count) == processes * rounds


def test_many_that_race_for_a_claim_that_ran_out_are_one_that_gets_it(server: S3Server, claims: Claims) -> None:
    claims.client.put_object(Bucket=BUCKET, Key=KEY, Body=b'{"seconds": 0, "token": "dead"}')
    time.sleep(claim_object.COARSE_SECONDS + 1)
    got: list[bool] = []
    ready, over = threading.Barrier(8), threading.Barrier(8)

    def race() -> None:
        own = claims_of(server.port, seconds=30)
        ready.wait()
        with own.at_once(KEY) as taken:
            got.append(taken)
            over.wait()

    racing = [threading.Thread(target=race) for _ in range(8)]
    for each in racing:
        each.start()
    for each in racing:
        each.join(60)

    assert sorted(got) == [False] * 7 + [True]


@pytest.mark.parametrize("years", [-1, 1], ids=["behind", "ahead"])
def test_only_the_clock_of_s3_says_whether_a_claim_ran_out(
    server: S3Server, claims: Claims, years: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.clock_shift_seconds = years * 365 * 86400.0
    wrong = time.time() - server.clock_shift_seconds
    with claims.alone(KEY, "painting"):
        monkeypatch.setattr(time, "time", lambda: wrong)
        with claims_of(server.port).at_once(KEY) as taken:
            assert not taken
    claims.client.put_object(Bucket=BUCKET, Key=KEY, Body=b'{"host": "dead", "token": "dead"}')

    assert claims.is_held(KEY)
    assert wait_until(lambda: not claims.is_held(KEY), SECONDS + 4)


def test_a_renewal_outlives_throttling_and_lost_connections(server: S3Server, claims: Claims) -> None:
    with claims.alone(KEY, "painting"):
        before = said(claims)["writes"]
        for fault in ((503, "SlowDown"), "drop"):
            server.fault = lambda environ, told=fault: told if environ["REQUEST_METHOD"] == "PUT" else None
            time.sleep(SECONDS)
        server.fault = lambda environ: None
        claims.assert_held(KEY)
        assert said(claims)["writes"] > before


def test_a_write_whose_answer_was_lost_is_known_as_ones_own(server: S3Server, claims: Claims) -> None:
    """The first PUT is done and its connection cut: the second meets the first, which must not look like another's."""
    dropped: list[str] = []

    def once(environ: dict[str, Any]) -> str | None:
        if environ["REQUEST_METHOD"] != "PUT" or dropped:
            return None
        dropped.append("put")
        return "drop"

    server.fault = once
    with claims.alone(KEY, "painting") as waited:
        dropped.clear()
        claims.assert_held(KEY)
        dropped.clear()

    assert not waited
    assert not claims.is_held(KEY)


def test_a_conflict_is_a_lost_race_and_not_the_end(server: S3Server, claims: Claims) -> None:
    left = [(409, "ConditionalRequestConflict")] * 2
    server.fault = lambda environ: left.pop() if left and environ["REQUEST_METHOD"] == "PUT" else None
    with claims.alone(KEY, "painting") as waited:
        left.extend([(409, "ConditionalRequestConflict")] * 2)
        claims.assert_held(KEY)

    assert not waited
    assert left == []


def test_a_check_waits_for_s3_only_as_long_as_a_claim_holds(server: S3Server, claims: Claims) -> None:
    with pytest.raises(StoreError, match="SlowDown"), claims.alone(KEY, "painting"):
        server.fault = lambda environ: (503, "SlowDown")
        claims.assert_held(KEY)


@pytest.mark.parametrize(
    ("status", "code", "step"),
    [
        (501, "NotImplemented", "has no conditional writes"),
        (403, "AccessDenied", "controller's policy"),
        (404, "NoSuchBucket", r"\[paths\] root"),
    ],
)
def test_a_bucket_that_refuses_is_named_with_the_next_step(
    server: S3Server, claims: Claims, status: int, code: str, step: str
) -> None:
    server.fault = lambda environ: (status, code) if environ["REQUEST_METHOD"] == "PUT" else None
    with pytest.raises(StoreError, match=step) as refused, claims.alone(KEY, "painting"):
        raise AssertionError("nobody holds this")

    assert f"s3://{BUCKET}/{KEY}" in str(refused.value)


@pytest.mark.parametrize("header", ["HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"])
def test_a_service_that_ignores_a_condition_is_refused(server: S3Server, claims: Claims, header: str) -> None:
    def ignoring(environ: dict[str, Any]) -> None:
        environ.pop(header, None)

    server.fault = ignoring
    with pytest.raises(StoreError, match="this service ignores If-"), claims.alone(KEY, "painting"):
        raise AssertionError("nobody holds this")


def test_what_a_claim_takes_is_a_handful_of_requests(server: S3Server, claims: Claims) -> None:
    with claims.alone(KEY, "painting"):
        pass
    server.seen.clear()
    with claims.alone(KEY, "painting"):
        claims.assert_held(KEY)

    assert [method for method, _ in server.seen] == ["GET", "PUT", "PUT", "PUT"]


def test_no_two_writes_of_a_claim_are_alike(claims: Claims) -> None:
    """S3 makes the ETag of the content: alike, one that was renewed could be taken as the old one that ran out."""
    etags = set()
    for _ in range(2):
        with claims.alone(KEY, "painting"):
            for _ in range(3):
                claims.assert_held(KEY)
                etags.add(claims.client.head_object(Bucket=BUCKET, Key=KEY)["ETag"])
        etags.add(claims.client.head_object(Bucket=BUCKET, Key=KEY)["ETag"])

    assert len(etags) == 2 * 4
