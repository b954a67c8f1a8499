"""How AWS is asked, and what its refusals mean: that it does not answer now, or why it never will."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tasks.errors import EngineError
from tasks.runtime.arrays.queue import NoAnswerError

if TYPE_CHECKING:
    from tasks.runtime.aws.answers import Answer

ANSWER_SECONDS = 60
TRIES = 5
"""How often boto3 itself asks, with a growing pause, before it is up to us to wait."""
WHO = "`aws sts get-caller-identity` says as whom AWS is asked"
CREDENTIALS = "boto3 takes credentials from AWS_* variables, ~/.aws or the machine's role"
LOG_IN = "log in again (`aws sso login`, or new AWS_* variables), docs/aws.md"


@dataclass(frozen=True)
class Account:
    """Where AWS is asked; as whom, boto3 finds out: AWS_* variables, ~/.aws, the role of the machine."""

    region: str = ""
    """Empty: boto3's own, which AWS_REGION, AWS_DEFAULT_REGION or ~/.aws/config name."""
    endpoint_url: str = ""
    """Another service than Amazon's."""


def ask(account: Account, service: str, action: str, *, once: bool = False, **what: Any) -> dict[str, Any]:
    """Return AWS's answer to an action, by its name in boto3.

    `once`: where asking twice would do it twice, nothing is asked again behind our back.
    """
    with meaning(service, action):
        answer: dict[str, Any] = getattr(client(account, service, once=once), action)(**what)
    return answer


def all_of(account: Account, service: str, action: str, **what: Any) -> list[dict[str, Any]]:
    """Return the whole list that an action answers in pages."""
    found: list[dict[str, Any]] = []
    with meaning(service, action):
        pages = client(account, service).get_paginator(action)
        for page in pages.paginate(**what):
            found += page[pages.result_keys[0].expression]
    return found


def region(account: Account) -> str:
    """Return the region that AWS is asked in; raise EngineError if nothing names one."""
    with meaning("batch", "describe_jobs"):
        name: str = client(account, "batch").meta.region_name
    return name


def client(account: Account, service: str, *, once: bool = False) -> Any:
    """Return the client of a service: one a process, for its connections must not be shared with a fork of it."""
    return _client(account, service, once, os.getpid())


@functools.cache
def _client(account: Account, service: str, once: bool, process: int) -> Any:
    import boto3  # a fifth of a second, which who works on this machine does not need
    from botocore.config import Config

    retries = {"total_max_attempts": 1 if once else TRIES, "mode": "standard"}
    config = Config(retries=retries, connect_timeout=ANSWER_SECONDS / 6, read_timeout=ANSWER_SECONDS)
    given = {"region_name": account.region or None, "endpoint_url": account.endpoint_url or None}
    return boto3.session.Session().client(service, config=config, **given)


@contextmanager
def meaning(service: str, action: str) -> Iterator[None]:
    """Raise NoAnswerError for what may pass, EngineError with the next step for what does not."""
    from tasks.runtime.aws import answers  # which imports botocore

    what = f"{service}:{''.join(word.capitalize() for word in action.split('_'))}"
    try:
        yield
    except answers.ERRORS as error:
        raise _error(what, answers.of(error)) from error


def _error(what: str, answer: Answer) -> Exception:
    """Return what is to be done about an answer that is none."""
    from tasks.runtime.aws.answers import Kind

    said = answer.said
    if answer.kind is Kind.BUSY:
        return NoAnswerError(f"AWS does not answer {what} ({answer})")
    if answer.kind is Kind.EXPIRED:
        _client.cache_clear()  # the next one reads the credentials anew: what runs there goes on meanwhile
        return NoAnswerError(f"AWS does not take the credentials for {what} any more ({said}); {LOG_IN}")
    messages = {
        Kind.DENIED: f"AWS does not allow {what}: {said}; {WHO}, docs/aws.md lists what it must be allowed",
        Kind.UNKNOWN_CALLER: f"AWS does not know who asks {what} ({answer}); {WHO}, docs/aws.md how to log in",
        Kind.NO_REGION: f"{what}: nothing names a region: luigi.cfg [aws_batch] region, or AWS_REGION",
        Kind.NO_CREDENTIALS: f"{what}: {said}; {CREDENTIALS}: docs/aws.md",
        Kind.NOT_ASKED: f"{what} cannot be asked: {said}",
    }
    return EngineError(messages.get(answer.kind, f"{what} failed: {answer}"))
