"""One at a time, over all machines of a data root on S3, as tasks.runtime.core.locks is over a file system.

A claim is a small object that says who holds it. Every write of it is conditional (If-None-Match, If-Match), so of
several that try, S3 lets one. A thread renews it; one that was not renewed for `seconds`, by S3's clock, is anybody's.
Whoever slept that long finds it out by `assert_held`, or at the end of the block: then nothing of it is published.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from botocore.config import Config

from tasks.errors import LostClaimError, StoreError
from tasks.results.store.s3 import claim_object, refusals
from tasks.results.store.s3.claim_object import Found, Mine
from tasks.runtime.aws import answers
from tasks.runtime.aws.answers import ERRORS, Kind

logger = logging.getLogger(__name__)

Given = TypeVar("Given")
SECONDS = 60.0
"""How long a claim holds without being renewed."""
RENEWALS = 3
"""How often a claim is renewed in the time that it holds."""
FIRST_WAIT_SECONDS = 0.5
LOST_RACE = (Kind.CONFLICT, Kind.GONE)
"""The condition does not hold, or the object that it is about is gone, or another write came in."""


def config(seconds: float = SECONDS) -> Config:
    """Return how a client of claims is to be made: no request of it may outlast a claim that it renews."""
    patience = seconds / RENEWALS / 4
    return Config(
        connect_timeout=patience, read_timeout=patience, retries={"total_max_attempts": 2, "mode": "standard"}
    )


class _Held:
    """A claim that this process holds, its lock, and whether it is over or lost."""

    def __init__(self, own: Mine) -> None:
        self.own = own
        self.lock = threading.Lock()
        self.over = threading.Event()
        self.lost = ""


class Claims:
    """The claims of a bucket; the client is one made with `config`."""

    def __init__(self, client: Any, bucket: str, seconds: float = SECONDS, longest_wait_seconds: float = 10.0) -> None:
        self.client, self.bucket, self.seconds = client, bucket, seconds
        self.longest_wait_seconds = longest_wait_seconds
        self._held: dict[str, _Held] = {}
        self._conditions_hold = False

    @contextmanager
    def alone(self, key: str, what: str) -> Iterator[bool]:
        """Hold the claim at `key`; gives whether another held it first, and was waited for."""
        own = Mine(key, what, self.seconds)
        waited, told = False, ""
        for pause in self._pauses():
            other = self._patiently(key, lambda: self._take(own))
            if other is None:
                break
            if told != other.said.get("token", "?"):
                logger.info("%s: %s is at it; waiting for its end", what, other.holder)
            waited, told = True, other.said.get("token", "?")
            time.sleep(pause)
        with self._keeping(own):
            yield waited

    @contextmanager
    def at_once(self, key: str) -> Iterator[bool]:
        """Hold the claim at `key` if nobody else does; gives whether it is held."""
        own = Mine(key, key, self.seconds)
        if self._patiently(key, lambda: self._take(own)) is not None:
            yield False
            return
        with self._keeping(own):
            yield True

    def is_held(self, key: str) -> bool:
        """Say whether somebody holds the claim at `key` now, on whatever machine."""
        found = self._patiently(key, lambda: claim_object.read(self.client, self.bucket, key))
        return found is not None and not found.is_free(self.seconds)

    def assert_held(self, key: str) -> None:
        """Renew the claim that this process holds at `key`; raise LostClaimError if another took it.

        From here on it holds for `seconds` again: to be called right before anything is published.
        """
        held = self._held[key]
        with held.lock:
            self._write_or_lose(held, free=False, patience_seconds=self.seconds)

    @contextmanager
    def _keeping(self, own: Mine) -> Iterator[None]:
        held = self._held[own.key] = _Held(own)
        renewing = threading.Thread(target=self._renew, args=(held,), name=f"renews {own.key}", daemon=True)
        renewing.start()
        try:
            yield
        except BaseException:
            self._give_back_quietly(held)
            raise
        else:
            self._give_back(held, self.seconds)
        finally:
            held.over.set()
            del self._held[own.key]

    def _give_back(self, held: _Held, patience_seconds: float) -> None:
        held.over.set()
        with held.lock:
            self._write_or_lose(held, free=True, patience_seconds=patience_seconds)

    def _give_back_quietly(self, held: _Held) -> None:
        """Give a claim back from a block that failed: its own error is the one to see."""
        try:
            self._give_back(held, 0.0)
        except (LostClaimError, StoreError) as error:
            logger.warning("%s", error)

    def _renew(self, held: _Held) -> None:
        """Renew a claim until it is over or lost; on an error of S3 try on, sooner: it holds until another takes it."""
        usual = self.seconds / RENEWALS
        pause = usual
        while not held.over.wait(pause):
            with held.lock:
                if held.over.is_set() or held.lost:
                    return
                try:
                    self._write_or_lose(held, free=False)
                    pause = usual
                except LostClaimError as error:
                    logger.warning("%s", error)
                except ERRORS as error:
                    logger.warning("%s: the claim on it could not be renewed; trying again: %s", held.own.what, error)
                    pause = usual / 4

    def _write_or_lose(self, held: _Held, free: bool, patience_seconds: float | None = None) -> None:
        """Write a claim that is ours, or notice that it is not any more; without patience, errors of S3 as they are."""

        def put() -> bool:
            return self._put(held.own, {"IfMatch": held.own.etag}, free)

        if not held.lost:
            ours = put() if patience_seconds is None else self._patiently(held.own.key, put, patience_seconds)
            held.lost = "" if ours else self._loss(held.own)
        if held.lost:
            raise LostClaimError(held.lost)

    def _take(self, own: Mine) -> Found | None:
        """Take the claim if it is free; gives who holds it if it is not."""
        while True:
            found = claim_object.read(self.client, self.bucket, own.key)
            if found and found.said.get("token") == own.token:
                own.etag = found.etag  # of an earlier try, whose answer was lost
            elif found and not found.is_free(self.seconds):
                return found
            elif not self._put(own, {"IfMatch": found.etag} if found else {"IfNoneMatch": "*"}):
                continue  # another was quicker: who is it?
            self._refuse_if_conditions_are_ignored(own)
            return None

    def _put(self, own: Mine, condition: Mapping[str, str], free: bool = False) -> bool:
        """Write the claim if S3 has what the condition says; gives whether it is ours then."""
        own.writes += 1
        while True:
            try:
                own.etag = self._put_raw(own, condition, free)
                return True
            except ERRORS as error:
                if answers.of(error).kind not in LOST_RACE:
                    raise
            # A request whose answer was lost is sent again, and then meets its own first copy.
            found = claim_object.read(self.client, self.bucket, own.key)
            if found is None or found.said.get("token") != own.token:
                return False
            own.etag, condition = found.etag, {"IfMatch": found.etag}
            if found.said.get("writes") == own.writes:
                return True
            time.sleep(random.uniform(0, FIRST_WAIT_SECONDS))

    def _put_raw(self, own: Mine, condition: Mapping[str, str], free: bool = False) -> str:
        answer = self.client.put_object(
            Bucket=self.bucket, Key=own.key, Body=own.text(free), ContentType="application/json", **condition
        )
        return str(answer["ETag"])

    def _refuse_if_conditions_are_ignored(self, own: Mine) -> None:
        """Try once what S3 must refuse: a service that takes every write would let two hold a claim."""
        for condition in ({"IfNoneMatch": "*"}, {"IfMatch": f'"{"0" * 32}"'}):
            if self._conditions_hold:
                return
            try:
                self._put_raw(own, condition)
            except ERRORS as error:
                if answers.of(error).kind not in LOST_RACE:
                    raise
                continue
            name = "If-None-Match" if "IfNoneMatch" in condition else "If-Match"
            raise StoreError(
                f"s3://{self.bucket}: this service ignores {name} on PUT, so two runs could make the same thing at "
                "once; choose a data root on a service with conditional writes (Amazon S3 has them)"
            )
        self._conditions_hold = True

    def _patiently(self, key: str, act: Callable[[], Given], patience_seconds: float | None = None) -> Given:
        """Return what `act` gives, tried again while S3 is only busy or away; raise StoreError for everything else."""
        end = time.monotonic() + (self.seconds if patience_seconds is None else patience_seconds)
        for pause in self._pauses():
            try:
                return act()
            except ERRORS as error:
                answer = answers.of(error)
                if answer.kind is not Kind.BUSY or time.monotonic() >= end:
                    raise StoreError(refusals.told(self.bucket, key, "claim", answer)) from error
                logger.info("s3://%s/%s: %s; trying again", self.bucket, key, error)
            time.sleep(pause)
        raise AssertionError("pauses have no end")

    def _pauses(self) -> Iterator[float]:
        """Yield how long to wait between tries: ever longer, and not in step with others."""
        longest = min(FIRST_WAIT_SECONDS, self.longest_wait_seconds)
        while True:
            yield random.uniform(longest / 2, longest)
            longest = min(2 * longest, self.longest_wait_seconds)

    def _loss(self, own: Mine) -> str:
        try:
            found = claim_object.read(self.client, self.bucket, own.key)
            holder = found.holder if found else "nobody: it was deleted"
        except ERRORS as error:
            holder = f"unknown ({error})"
        return (
            f"{own.what}: its claim s3://{self.bucket}/{own.key} was lost: it was not renewed for {own.seconds:g} "
            f"seconds (this process slept, or S3 was out of reach), and another took it; its holder now: {holder}. "
            "What was made here since then is not published; run again"
        )
