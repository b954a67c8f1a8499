"""moto's S3 on loopback, whose conditional writes are atomic, whose clock may be wrong, and which errs when told to.

moto looks at the condition and writes in two steps, between which another request can come: here one runs at a time.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate, parsedate_to_datetime
from time import time as real_time  # by name: a test that sets its own clock wrong leaves this one
from typing import Any

import boto3
from botocore.config import Config
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

Environ = dict[str, Any]
Start = Callable[..., Any]
BUCKET = "data-root"


@dataclass
class S3Server:
    """The server; `fault` may answer a request in its place: (status, code), "drop" or None."""

    port: int = 0
    clock_shift_seconds: float = 0.0
    fault: Callable[[Environ], tuple[int, str] | str | None] = lambda _: None
    seen: list[tuple[str, str]] = field(default_factory=list)
    """The method and path of each request."""

    def __post_init__(self) -> None:
        self.moto = DomainDispatcherApplication(create_backend_app)
        self.lock = threading.Lock()

    def __call__(self, environ: Environ, start: Start) -> Iterable[bytes]:
        self.seen.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        told = self.fault(environ)
        if isinstance(told, tuple):
            status, code = told
            start(f"{status} {code}", [("Content-Type", "application/xml")])
            return [f"<Error><Code>{code}</Code><Message>as told</Message></Error>".encode()]

        def shifted(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start(status, self._shifted(headers), *more)

        with self.lock:
            answer = self.moto(environ, shifted)
        if told == "drop":  # done, and nobody hears of it
            environ["werkzeug.socket"].close()
            raise ConnectionAbortedError
        return answer

    def _shifted(self, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the headers as a server would send whose clock is wrong."""
        return [(name, self._later(value) if name.lower() == "last-modified" else value) for name, value in headers]

    def _later(self, written: str) -> str:
        return formatdate(parsedate_to_datetime(written).timestamp() + self.clock_shift_seconds, usegmt=True)


class Handler(WSGIRequestHandler):
    """Says in each answer what the server's clock says."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        return formatdate(real_time() + self.server.app.clock_shift_seconds, usegmt=True)


@contextlib.contextmanager
def serving() -> Iterator[S3Server]:
    """Start a server with an empty bucket."""
    server = S3Server()
    http = make_server("127.0.0.1", 0, server, threaded=True, request_handler=Handler)
    server.port = http.port
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    client(server.port).create_bucket(Bucket=BUCKET)
    yield server
    http.shutdown()
    thread.join()
    http.server_close()


def client(port: int, config: Config | None = None) -> Any:
    """Return a client of the server at a port."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=config,
    )
