"""A link of a given speed: forwards TCP connections to a port on loopback, answers at most so many bytes a second.

    python tests/bench/capped_link.py <port> <bytes a second>

It prints the port that it listens on.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
import time

CHUNK_BYTES = 2**17
BURST_SECONDS = 0.02


class Link:
    """All connections together get `rate` bytes a second."""

    def __init__(self, rate: float) -> None:
        self.rate, self.free_at, self.lock = rate, time.monotonic(), threading.Lock()

    def pass_on(self, count: int) -> None:
        """Wait until the link has carried so many bytes."""
        with self.lock:
            self.free_at = max(self.free_at, time.monotonic() - BURST_SECONDS) + count / self.rate
            wait = self.free_at - time.monotonic()
        if wait > 0:
            time.sleep(wait)


def copy(source: socket.socket, target: socket.socket, link: Link | None) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK_BYTES):
            if link:
                link.pass_on(len(chunk))
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def serve(port: int, rate: float) -> None:
    link = Link(rate)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(("127.0.0.1", port))
        for words in ((client, server, None), (server, client, link)):
            threading.Thread(target=copy, args=words, daemon=True).start()


if __name__ == "__main__":
    if len(sys.argv) == 3:
        serve(int(sys.argv[1]), float(sys.argv[2]))
    else:
        print(__doc__)
