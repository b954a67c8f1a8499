"""An element speaks to S3 with its role's credentials, and what S3 refuses is told with the right that is missing.

The server here checks every request's signature and policies, as AWS does.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.stages.gallery.service import S3
from tests.unit.element_machine import RUN, Machine

GOOD = "(files / 'a.txt').write_text('made'); (out / 'result.json').write_text('{}')"
LIST = {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::guarded"}
GET = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::guarded/*"}
PUT = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::guarded/*"}


@dataclass
class Guard:
    """A server that asks who one is, and the administrator's way past it."""

    port: int

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="us-east-1",
            aws_access_key_id="admin",
            aws_secret_access_key="admin",
        )

    def check(self, on: bool) -> None:
        body = b"0" if on else b"1000000"
        url = f"http://127.0.0.1:{self.port}/moto-api/reset-auth"
        urllib.request.urlopen(urllib.request.Request(url, body, {"Content-Type": "text/plain"})).read()

    def user(self, name: str, *rights: dict[str, str]) -> dict[str, str]:
        """Make somebody who may do this; return the credentials as a machine's role has them."""
        iam = self.client("iam")
        iam.create_user(UserName=name)
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(rights)})
        if rights:
            iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


@pytest.fixture(scope="module")
def guard() -> Iterator[Guard]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    variables = os.environ | {"INITIAL_NO_AUTH_ACTION_COUNT": "1000000"}
    process = subprocess.Popen(words, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while socket.socket().connect_ex(("127.0.0.1", port)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    own = Guard(port)
    own.client("s3").create_bucket(Bucket="guarded")
    yield own
    process.terminate()
    process.wait(10)


@pytest.fixture
def machine(guard: Guard, tmp_path: Path) -> Iterator[Machine]:
    """A machine whose array lies in the guarded bucket."""
    guard.check(False)
    own = Machine(tmp_path, S3(guard.port, "guarded"))
    for key in own.keys(""):
        own.s3.client.delete_object(Bucket="guarded", Key=key)
    own.lay({"j1": own.job(GOOD, [own.input(own.put("data/x", b"x"), "x")])})
    yield own
    guard.check(False)


def run(guard: Guard, machine: Machine, credentials: dict[str, str]) -> subprocess.CompletedProcess[str]:
    machine.variables |= credentials
    guard.check(True)
    done = machine.run()
    guard.check(False)
    return done


def test_reading_listing_and_writing_are_all_that_a_role_needs(guard: Guard, machine: Machine) -> None:
    done = run(guard, machine, guard.user("worker", LIST, GET, PUT))

    assert done.returncode == 0, done.stderr
    assert machine.made() == {"a.txt": b"made"}


def test_who_may_not_write_is_told_which_right_is_missing(guard: Guard, machine: Machine) -> None:
    done = run(guard, machine, guard.user("reader", LIST, GET))

    assert done.returncode == 69
    assert "could not be put: AccessDenied" in done.stderr
    assert "the job's role ([aws_batch] job_role, or that of the machine) needs s3:PutObject on it" in done.stderr
    assert machine.ended() == []


def test_who_may_not_list_is_told_which_right_is_missing(guard: Guard, machine: Machine) -> None:
    done = run(guard, machine, guard.user("blind", GET, PUT))

    assert done.returncode == 69
    assert "could not be listed: AccessDenied" in done.stderr
    assert "needs s3:ListBucket on it" in done.stderr


def test_an_input_that_may_not_be_read_fails_the_job(guard: Guard, machine: Machine) -> None:
    own = GET | {"Resource": "arn:aws:s3:::guarded/root/*"}
    done = run(guard, machine, guard.user("neighbour", LIST, own, PUT))

    assert done.returncode == 0
    assert machine.end()["exit_code"] == 69
    assert machine.log().startswith("error: s3://guarded/data/x could not be fetched: AccessDenied")
    assert machine.log().endswith("needs s3:GetObject on it\n")


def test_outputs_that_may_not_be_written_leave_their_reason_in_the_log(guard: Guard, machine: Machine) -> None:
    logs = PUT | {"Resource": f"arn:aws:s3:::guarded/{RUN}/shards/j1/std*"}
    done = run(guard, machine, guard.user("narrow", LIST, GET, logs))

    assert done.returncode == 69
    assert machine.ended() == []
    assert "/out/files/a.txt could not be put: AccessDenied" in machine.log()


def test_wrong_credentials_are_named(guard: Guard, machine: Machine) -> None:
    done = run(guard, machine, {"AWS_ACCESS_KEY_ID": "AKIAWRONG", "AWS_SECRET_ACCESS_KEY": "wrong"})

    assert done.returncode == 69
    assert "there are no valid credentials: give the job a role by [aws_batch] job_role of luigi.cfg" in done.stderr


@contextmanager
def container_credentials(keys: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Serve a role's credentials as the machine's agent does; give the URL, and the tokens that it was asked with."""
    asked: list[str] = []

    class Agent(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers.get("Authorization", ""))
            told = {
                "AccessKeyId": keys["AWS_ACCESS_KEY_ID"],
                "SecretAccessKey": keys["AWS_SECRET_ACCESS_KEY"],
                "Token": "",
                "Expiration": "2099-01-01T00:00:00Z",
            }
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(told).encode())

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Agent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/role", asked
    server.shutdown()
    server.server_close()


def test_a_role_of_the_container_is_taken_and_the_program_does_not_see_it(guard: Guard, machine: Machine) -> None:
    program = f"import json; json.dump(dict(os.environ), open(files / 'seen.json', 'w')); {GOOD}"
    machine.lay({"j1": machine.job(program)})
    with container_credentials(guard.user("role", LIST, GET, PUT)) as (url, asked):
        none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "HOME": str(machine.folder)}
        role = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": url, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "a-token"}
        done = run(guard, machine, none | role)

    assert done.returncode == 0, done.stderr
    assert set(asked) == {"a-token"}
    assert [name for name in json.loads(machine.made()["seen.json"]) if name.startswith("AWS_")] == []
