"""Fetch one part of an object into its file, again after a pause if the service or the way to it fails."""

from __future__ import annotations

import random
import threading
import time
from typing import Any, Callable, Iterator

from botocore.exceptions import BotoCoreError, ClientError, IncompleteReadError, NoCredentialsError
from bucket import Bucket, said, status
from etags import Sums
from partial import CHUNK_BYTES, Partial
from urllib3.exceptions import HTTPError

TRIES = 6
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 20.0
SLOWEST = 20  # a part that takes more than this many stalls is given up and asked for again
FAULTS = (BotoCoreError, ClientError, HTTPError, ConnectionError, TimeoutError)


class Changed(Exception):
    """The object is no longer the one that was listed, or is gone."""


class PartStream:
    """Writes parts; `came` is told of every chunk, and with a negative number of those that are asked for again."""

    def __init__(
        self, bucket: Bucket, stall_seconds: float, came: Callable[[int], None], stop: threading.Event
    ) -> None:
        self.bucket, self.stall_seconds, self.came, self.stop = bucket, stall_seconds, came, stop

    def fetch(self, partial: Partial, first: int, length: int) -> str:
        """Write a part; return why it could not be had, or nothing."""
        reason = "stopped"
        for number in range(1, TRIES + 1):
            if self.stop.is_set():
                break
            came = 0
            try:
                for chunk in self._chunks(partial, first, length):
                    partial.write(chunk, first + came)
                    came += len(chunk)
                    self.came(len(chunk))
                partial.part_is_done(first)
                return ""
            except FAULTS as error:
                self.came(-came)
                partial.again += 1
                reason = f"{said(error)} ({number} {'try' if number == 1 else 'tries'})"
                if _is_final(error) or number == TRIES:
                    break
                self.stop.wait(_pause_seconds(number))
        return reason

    def _chunks(self, partial: Partial, first: int, length: int) -> Iterator[bytes]:
        """Yield the bytes of a part; raise if they are too few, too many or too slow."""
        remote = partial.remote
        whole = length == remote.bytes
        response = self._get(partial, {} if whole else {"Range": f"bytes={first}-{first + length - 1}"})
        if response["ContentLength"] != length:
            raise IncompleteReadError(actual_bytes=response["ContentLength"], expected_bytes=length)
        sums = Sums(remote.etag, remote.bytes) if whole else None
        began, came = time.monotonic(), 0
        while chunk := response["Body"].read(CHUNK_BYTES):
            came += len(chunk)
            if sums:
                sums.update(chunk)
            yield chunk
            if time.monotonic() - began > SLOWEST * self.stall_seconds:
                raise TimeoutError(f"{came} of {length} bytes came in {time.monotonic() - began:.0f} s")
        if came != length:
            raise IncompleteReadError(actual_bytes=came, expected_bytes=length)
        partial.sums = sums

    def _get(self, partial: Partial, ranged: Any) -> Any:
        remote = partial.remote
        try:
            response = self.bucket.client.get_object(
                Bucket=self.bucket.name, Key=remote.key, IfMatch=f'"{remote.etag}"', **ranged
            )
        except ClientError as error:
            if status(error) in (404, 412, 416):
                raise Changed(f"it changed in the gallery since it was listed ({said(error)})") from error
            raise
        encryption = response.get("ServerSideEncryption", "")
        partial.encrypted = encryption.startswith("aws:kms") or "SSECustomerAlgorithm" in response
        return response


def _is_final(error: BaseException) -> bool:
    """Say whether asking again cannot help: the request itself is refused."""
    if isinstance(error, ClientError):
        return 400 <= status(error) < 500 and status(error) not in (408, 429)
    return isinstance(error, NoCredentialsError)


def _pause_seconds(number: int) -> float:
    """Return a random pause, longer from try to try: many that failed at once must not come back at once."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2**number)
    return random.uniform(longest / 4, longest)
