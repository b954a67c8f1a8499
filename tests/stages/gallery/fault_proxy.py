"""A proxy between a program and an S3 server: it counts what is asked for, and injects faults into the answers."""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
HOP_HEADERS = {"connection", "transfer-encoding", "keep-alive", "server", "date"}
KINDS = ("slow_down", "internal_error", "reset", "truncate", "corrupt", "stall", "hold")


@dataclass(frozen=True)
class Asked:
    """A request as the proxy saw it."""

    method: str
    key: str
    range: str | None
    authorization: str = field(default="", compare=False)


@dataclass
class Fault:
    """What is done to the answers to requests of `method` whose path holds `key`, this many times."""

    kind: str
    key: str
    times: float
    method: str = "GET"
    release: threading.Event = field(default_factory=threading.Event)


class FaultProxy:
    """Forwards to a server on loopback; `asked` lists the requests, `fired` counts the faults by kind."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.asked: list[Asked] = []
        self.fired: Counter[str] = Counter()
        self.before: Callable[[Asked], None] = lambda asked: None
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def inject(self, kind: str, key: str = "", times: float = 1, method: str = "GET") -> Fault:
        """Spoil the next answers to requests for objects (not listings) whose path holds `key`."""
        assert kind in KINDS
        fault = Fault(kind, key, times, method)
        self._faults.append(fault)
        return fault

    def heal(self) -> None:
        for fault in self._faults:
            fault.release.set()
        self._faults.clear()

    def gets(self, key: str = "") -> list[Asked]:
        """Return the GETs of objects whose path holds `key`."""
        return [asked for asked in self.asked if asked.method == "GET" and asked.key and key in asked.key]

    def close(self) -> None:
        self.heal()
        self._server.shutdown()
        self._server.server_close()

    def take(self, asked: Asked) -> Fault | None:
        """Note a request; return the fault that meets it."""
        self.before(asked)
        with self._lock:
            self.asked.append(asked)
            for fault in self._faults:
                if asked.method == fault.method and asked.key and fault.key in asked.key and fault.times > 0:
                    fault.times -= 1
                    self.fired[fault.kind] += 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultProxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        key = unquote(urlsplit(self.path).path).lstrip("/").partition("/")[2]
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        said = self.headers.get("Authorization", "")
        fault = self.proxy.take(Asked(self.command, key, self.headers.get("Range"), said))
        if fault and fault.kind in ("slow_down", "internal_error"):
            self._answer(503 if fault.kind == "slow_down" else 500, {"Content-Type": "application/xml"}, SLOW_DOWN)
            return
        status, headers, body = self._forward(sent)
        with contextlib.suppress(ConnectionError):
            self._answer(status, headers, body, fault)

    do_HEAD = do_PUT = do_POST = do_GET

    def _forward(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=60)
        upstream.request(self.command, self.path, sent or None, dict(self.headers))
        answer = upstream.getresponse()
        body = answer.read()
        upstream.close()
        return answer.status, {k: v for k, v in answer.getheaders() if k.lower() not in HOP_HEADERS}, body

    def _answer(self, status: int, headers: dict[str, str], body: bytes, fault: Fault | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(body) // 2
        if fault is None:
            self.wfile.write(body)
        elif fault.kind == "corrupt":
            self.wfile.write(body[:half] + bytes([body[half] ^ 1]) + body[half + 1 :])
        elif fault.kind == "hold":
            self.wfile.write(body[:half])
            fault.release.wait(60)
            self.wfile.write(body[half:])
        else:
            self.wfile.write(body[:half])
            self.wfile.flush()
            self._break_off(fault)

    def _break_off(self, fault: Fault) -> None:
        self.close_connection = True
        if fault.kind == "stall":
            deadline = time.monotonic() + 60
            while not fault.release.is_set() and time.monotonic() < deadline:
                time.sleep(0.05)
        elif fault.kind == "reset":  # closed with bytes unsent: the other side sees a reset
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *words: object) -> None:
        """Say nothing."""
