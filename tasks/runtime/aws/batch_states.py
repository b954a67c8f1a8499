"""What AWS Batch's words on a job mean for who waits for it.

The words come from the AWS Batch User Guide ("Job states", "Job timeouts", "Automated job retries", "Jobs stuck in a
RUNNABLE status"), from that of Amazon ECS ("Stopped tasks error codes", for a job is a task of ECS) and, for
what a reclaimed spot machine leaves behind, from what users report: "Host EC2 (instance i-...) terminated.".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tasks.runtime.arrays.queue import CANCELLED, DONE, FAILED, LOST, OUT_OF_MEMORY, REFUSED, TIMED_OUT, ElementState

BEGUN = ("SUCCEEDED", "FAILED", "RUNNING", "STARTING")
WAITING = ("RUNNABLE", "PENDING", "SUBMITTED")
OVER = ("SUCCEEDED", "FAILED")
OUR_REASON = "cancelled by platewright"
"""The reason that we give for a cancellation: it comes back as the job's statusReason."""

MEANINGS = (
    (r"Host EC2", LOST),  # the spot machine was reclaimed, or died
    (r"OutOfMemoryError", OUT_OF_MEMORY),  # "Container killed due to memory usage"
    (r"Job attempt duration exceeded timeout", TIMED_OUT),
    (OUR_REASON, CANCELLED),
    # Of a RUNNABLE job, or of one that the queue's jobStateTimeLimitActions have ended for it.
    (r"MISCONFIGURATION:", REFUSED),
    (r"CAPACITY:", LOST),
    (r"unable to assume the role|role.* (is invalid|cannot be assumed)", REFUSED),
    # What is wrong with an image is wrong on every machine; a network's failure is one machine's.
    (r"CannotPull\w+.*(not found|unknown|denied|unauthorized|no basic auth|forbidden|403|404|no match)", REFUSED),
    (r"Cannot(Start|Create)ContainerError.*(executable file not found|exec format error|no such file)", REFUSED),
    (r"ResourceInitializationError.*(access ?denied|not authorized|does not exist|not found|no such file)", REFUSED),
    (r"CannotPull\w+|ResourceInitializationError", LOST),
    (r"Cannot(Start|Create|Inspect)ContainerError|(Docker|ContainerRuntime)TimeoutError|Task failed to start", LOST),
)
"""In this order: the first that is found in the job's statusReason or its container's reason."""
REMEDIES = (
    (r"CannotPull", "`python -m tasks images push --registry HOST/PATH`, and docs/aws.md on a registry's login"),
    (r"Cannot(Start|Create)", "the image is not for this kind of machine: docs/aws.md"),
    (r"ResourceInit", "docs/aws.md says what the machines and their role must reach"),
    (r"role", "luigi.cfg [aws_batch] job_role: docs/aws.md says what it must trust"),
    (r"MISCONFIGURATION", "docs/aws.md says how large the machines of a queue may be"),
)


def of_failed(index: int, job: Mapping[str, Any]) -> ElementState:
    """Return what became of a job, or of an array's child, that Batch calls FAILED."""
    container = job.get("container", {})
    told = [job.get("statusReason", ""), container.get("reason", "")]
    code = [f"exit code {container['exitCode']}"] if container.get("exitCode") is not None else []
    words = ", ".join(["FAILED", *dict.fromkeys(each for each in told if each), *code])
    # Somebody's own reason may be any words, those of the table too.
    ended_by_hand = job.get("isTerminated") or job.get("isCancelled")
    how = meaning(words) or (CANCELLED if ended_by_hand else FAILED)
    return ElementState(index, index, how, words + _remedy(how, words))


def meaning(words: str) -> str:
    """Return the state that words of Batch stand for; empty if they say no more than that it failed."""
    return next((how for pattern, how in MEANINGS if re.search(pattern, words, re.IGNORECASE)), "")


def of_waiting(index: int, job: Mapping[str, Any]) -> ElementState | None:
    """Return what hinders a job that waits, if Batch has found that it will never start."""
    words = job.get("statusReason", "")
    if meaning(words) != REFUSED:
        return None
    return ElementState(index, index, REFUSED, f"{job['status']}, {words}{_remedy(REFUSED, words)}")


def of_others(counts: Mapping[str, int], others: list[int], how: str) -> list[ElementState]:
    """Return the elements that are not known to have failed, as spans.

    How many are in which state Batch says with its array, which ones are in it only if it is asked state by state: so
    the furthest are taken to be the first, which gives the right numbers.
    """
    left, found = list(others), []
    for state in [*BEGUN, *WAITING]:
        if state != "FAILED" and counts.get(state):
            now, left = left[: counts[state]], left[counts[state] :]
            found += [ElementState(first, last, how, state) for first, last in spans(now)]
    # The summary may be older than the list of what failed.
    return found + [
        ElementState(first, last, how, "FAILED" if how == DONE else "RUNNING") for first, last in spans(left)
    ]


def spans(indices: list[int]) -> list[tuple[int, int]]:
    """Return sorted indices as spans from first to last."""
    found: list[tuple[int, int]] = []
    for index in indices:
        if found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return found


def _remedy(how: str, words: str) -> str:
    found = next((remedy for pattern, remedy in REMEDIES if re.search(pattern, words)), "") if how == REFUSED else ""
    return f"; {found}" if found else ""
