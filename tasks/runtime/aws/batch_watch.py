"""The jobs of AWS Batch that somebody waits for: a file each, so that all are asked about in one call, once for all.

Batch has no list of one's own jobs under way with the state of every element, and a limit on calls. So what is known
of a job stays in its file: of an array Batch is asked for the summary, for the list of what failed only when that has
grown, and for nothing once it is over.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stagekit import whole

from tasks.runtime.arrays.queue import DONE, LOST, QUEUED, REFUSED, RUNS, Arrays, ElementState
from tasks.runtime.aws import aws, batch_queues, batch_states
from tasks.runtime.aws.aws import Account

MOST_AT_ONCE = 100
"""Jobs that one DescribeJobs takes."""
LEAST_SECONDS = 10.0
"""How often Batch is asked at most: an element tells of its end itself, and only of its silent death Batch does."""
KEPT_SECONDS = 3600.0
"""How long what became of a job is told after its end."""
UNSEEN_SECONDS = 300.0
"""How long Batch may take to know of a job that it has accepted."""
STUCK_SECONDS = 600.0
"""How long all of an array may wait before it is asked whether its queue can ever start it."""


@dataclass(frozen=True)
class Known:
    """What is known of a job."""

    since: float
    """Since when it is waited for."""
    elements: int = 1
    over: float = 0.0
    """When it was seen to be over; 0 while it is under way."""
    seen: tuple[ElementState, ...] = ()
    failed: tuple[ElementState, ...] = ()
    """The elements known to have failed."""


@dataclass(frozen=True)
class Watch:
    """Asks AWS Batch about all jobs that have a file in a folder."""

    account: Account
    folder: Path

    def add(self, job: str, elements: int) -> None:
        """Let a job be asked about from now on."""
        self._keep(job, Known(time.time(), elements))

    def ask(self) -> Arrays:
        """Return what is known of all jobs that are waited for, with those that ended a short while ago."""
        known = self._known()
        told = self._described([job for job, each in known.items() if not each.over])
        now = {job: each if each.over else self._looked_at(each, told.get(job)) for job, each in known.items()}
        now |= self._stuck(now, told)
        for job, each in now.items():
            if each != known[job]:
                self._keep(job, each)
            elif each.over and time.time() - max(each.over, each.since) > KEPT_SECONDS:
                (self.folder / job).unlink(missing_ok=True)
        return {job: each.seen for job, each in now.items()}

    def _described(self, jobs: Sequence[str]) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        for first in range(0, len(jobs), MOST_AT_ONCE):
            some = list(jobs[first : first + MOST_AT_ONCE])
            answer = aws.ask(self.account, "batch", "describe_jobs", jobs=some)
            found |= {str(job["jobId"]): job for job in answer["jobs"]}
        return found

    def _looked_at(self, known: Known, job: dict[str, Any] | None) -> Known:
        if job is None:
            return _unseen(known)
        properties = job.get("arrayProperties", {})
        if "size" not in properties:
            return _of_one(known, job)
        counts: dict[str, int] = properties.get("statusSummary", {})
        failed = known.failed
        if counts.get("FAILED", 0) > len(failed):
            failed = tuple(self._failed(str(job["jobId"])))
        return _of_array(replace(known, failed=failed), job, counts, properties["size"])

    def _failed(self, array: str) -> list[ElementState]:
        children = aws.all_of(self.account, "batch", "list_jobs", arrayJobId=array, jobStatus="FAILED")
        found = [batch_states.of_failed(int(child["jobId"].rpartition(":")[2]), child) for child in children]
        return sorted(found, key=lambda seen: seen.first)

    def _stuck(self, known: Mapping[str, Known], told: Mapping[str, dict[str, Any]]) -> dict[str, Known]:
        """Return what will never start of the arrays that wait for long: of each queue the oldest is looked at, for
        Batch says what hinders the job at the queue's head; a queue that cannot run anything hinders all."""
        waiting = [job for job, each in known.items() if job in told and _waits_for_long(each)]
        first = {told[job]["jobQueue"]: job for job in sorted(waiting, key=lambda job: -told[job].get("createdAt", 0))}
        reasons = {str(each["jobQueueArn"]): each for each in batch_queues.described(self.account, first)}
        found: dict[str, Known] = {}
        for queue, job in first.items():
            why = batch_queues.never(self.account, reasons[queue]) if queue in reasons else f"the queue {queue} is gone"
            if why:
                all_of_it = [job for job in waiting if told[job]["jobQueue"] == queue]
                found |= {each: replace(known[each], seen=(ElementState(0, 0, REFUSED, why),)) for each in all_of_it}
            elif seen := self._hindered(told[job]):
                found[job] = replace(known[job], seen=(seen,))
        return found

    def _hindered(self, job: dict[str, Any]) -> ElementState | None:
        """Return what Batch itself says hinders an array that waits: of its first child."""
        children = [job]
        if "size" in job.get("arrayProperties", {}):
            asked = {"arrayJobId": job["jobId"], "jobStatus": "RUNNABLE", "maxResults": MOST_AT_ONCE}
            children += aws.ask(self.account, "batch", "list_jobs", **asked)["jobSummaryList"]
        return next((seen for child in children if (seen := batch_states.of_waiting(0, child))), None)

    def _known(self) -> dict[str, Known]:
        found = {}
        for path in sorted(self.folder.glob("[!.]*")):
            with contextlib.suppress(FileNotFoundError):  # somebody else has just cleared up
                found[path.name] = _read(path.read_text(encoding="utf-8"))
        return found

    def _keep(self, job: str, known: Known) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        whole.write(self.folder / job, json.dumps(asdict(known)))


def _read(text: str) -> Known:
    told: dict[str, Any] = json.loads(text)
    for name in ("seen", "failed"):
        told[name] = tuple(ElementState(**seen) for seen in told[name])
    return Known(**told)


def _unseen(known: Known) -> Known:
    """Return what a job is that Batch does not know: accepted a moment ago, or forgotten a week after its end."""
    last = known.elements - 1
    if time.time() - known.since < UNSEEN_SECONDS:
        return replace(known, seen=(ElementState(0, last, QUEUED, "not seen yet"),))
    return replace(known, over=time.time(), seen=(ElementState(0, last, LOST, "AWS Batch does not know it any more"),))


def _of_one(known: Known, job: Mapping[str, Any]) -> Known:
    """Return what is known of a job that is no array."""
    status = str(job["status"])
    if status == "FAILED":
        return replace(known, over=time.time(), seen=(batch_states.of_failed(0, job),))
    if status == "SUCCEEDED":
        return replace(known, over=time.time(), seen=(ElementState(0, 0, DONE, status),))
    how = QUEUED if status in batch_states.WAITING else RUNS
    return replace(known, seen=(ElementState(0, 0, how, status),))


def _of_array(known: Known, job: Mapping[str, Any], counts: Mapping[str, int], size: int) -> Known:
    """Return what is known of an array: the summary says how many of its elements are over before it is itself."""
    over = job["status"] in batch_states.OVER or sum(counts.get(state, 0) for state in batch_states.OVER) >= size
    over = over and len(known.failed) >= counts.get("FAILED", 0)  # the list may come later than the summary
    gone = {seen.first for seen in known.failed}
    others = [index for index in range(size) if index not in gone]
    begun = any(counts.get(state) for state in batch_states.BEGUN)
    how = DONE if over else RUNS if begun else QUEUED
    seen = (*known.failed, *batch_states.of_others(counts, others, how))
    return replace(known, over=time.time() if over else 0.0, seen=seen)


def _waits_for_long(known: Known) -> bool:
    waits = bool(known.seen) and all(seen.how == QUEUED for seen in known.seen)
    return waits and not known.over and time.time() - known.since > STUCK_SECONDS
