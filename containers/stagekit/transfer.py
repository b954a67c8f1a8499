"""Files to and from S3 by s5cmd, many at once: all of them come whole, or an error names the one that did not.

Every object is named by itself and literally (`cp --raw`), so that `*`, `?`, spaces and quotes are letters like others.
Credentials are s5cmd's own affair: the role of the job, or what its environment says.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

from stagekit.program import DataError, ServiceError

WORKERS = 32
"""How many files go at once. Two hundred machines share a bucket, which slows down who asks too much of it."""
NONE_FOUND = "no object found"
GONE = ("NoSuchKey", "NotFound", NONE_FOUND)
NO_ENTRY = ("AccessDenied", "Forbidden", "status code: 403")
NO_CREDENTIALS = ("NoCredential", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken")
Record = Dict[str, Any]
"""A line of s5cmd's: an object, a copy, or an error."""
RIGHTS = {"fetched": "s3:GetObject", "listed": "s3:ListBucket", "put": "s3:PutObject"}


@dataclass(frozen=True)
class Patience:
    """How often s5cmd tries again what failed, and how long it may take in all."""

    retries: int = 8
    seconds: Optional[float] = None


PATIENT, BRIEF = Patience(), Patience(1, 10.0)


@dataclass(frozen=True)
class Service:
    """Which S3 is spoken to, and how; by default the environment says it (S3_ENDPOINT_URL, AWS_REGION)."""

    unsigned: bool = False
    endpoint_url: Optional[str] = None
    """Empty: AWS itself, whatever the environment says."""
    region: str = ""

    def environment(self, own: Mapping[str, str]) -> Dict[str, str]:
        """Return the variables that s5cmd is run with, where `own` are this process's."""
        variables = dict(own)
        if self.endpoint_url is not None:
            variables.pop("S3_ENDPOINT_URL", None)
        if self.endpoint_url:
            variables["S3_ENDPOINT_URL"] = self.endpoint_url
        if self.region:
            variables["AWS_REGION"] = self.region
        return variables


@dataclass(frozen=True)
class Transfer:
    """A file to be copied, from a URL to a path or from a path to a URL, and its size (bytes) if it is known."""

    source: str
    target: str
    size: Optional[int] = None

    @property
    def act(self) -> str:
        return "put" if self.target.startswith("s3://") else "fetched"

    @property
    def url(self) -> str:
        return self.target if self.act == "put" else self.source


@dataclass(frozen=True)
class Object:
    """What a listing says of an object."""

    bytes: int
    etag: str


@dataclass(frozen=True)
class Failure:
    """A transfer that failed, and what S3 (or s5cmd) said."""

    transfer: Transfer
    said: str

    @property
    def is_gone(self) -> bool:
        return any(word in self.said for word in GONE)


def copy(service: Service, transfers: Sequence[Transfer], patience: Patience = PATIENT) -> None:
    """Copy files; raise ServiceError with the first that failed."""
    failed = tried(service, transfers, patience)
    if failed:
        raise error_of(service, failed)


def tried(service: Service, transfers: Sequence[Transfer], patience: Patience = PATIENT) -> List[Failure]:
    """Copy files, and return those that did not come whole."""
    if not transfers:
        return []
    for each in transfers:
        _refuse_breaks(each.source)
    lines = [f"cp --raw {shlex.quote(each.source)} {shlex.quote(each.target)}" for each in transfers]
    code, told, errors = _run(service, lines, patience)
    came = {(each["source"], each["destination"]): each.get("object", {}).get("size", 0) for each in told}
    said = {each.get("command", ""): each.get("error", "") for each in errors}
    last = next((each["error"] for each in errors if each.get("error")), f"s5cmd ended with exit code {code}")
    failed = []
    for each in transfers:
        size = came.get((each.source, each.target))
        if size is None:
            failed.append(Failure(each, said.get(f"cp {each.source} {each.target}", last)))
        elif not _is_whole(each, size):
            failed.append(Failure(each, f"{size} bytes came of {each.size or 'more'}"))
    return failed


def folder(service: Service, url: str) -> Dict[str, Object]:
    """Return the files below a folder's URL, which ends with `/`, by their paths below it; empty if there are none."""
    objects = _listing(service, [f"{url}*"])
    found = {key[len(url) :]: each for key, each in objects.items() if key.startswith(url)}
    return {name: each for name, each in found.items() if name and (each.bytes or not name.endswith("/"))}


def there(service: Service, urls: Iterable[str]) -> Dict[str, Object]:
    """Return those of the objects that are there, by their URLs."""
    wanted = set(urls)
    return {url: each for url, each in _listing(service, sorted(wanted)).items() if url in wanted}


def error_of(service: Service, failed: Sequence[Failure]) -> ServiceError:
    """Return the error that tells of transfers that failed."""
    first = failed[0]
    message = f"{first.transfer.url} could not be {first.transfer.act}: {_cleaned(first.said)}"
    more = f" ({len(failed) - 1} more files likewise)" if len(failed) > 1 else ""
    return ServiceError(f"{message}{more}; {_next_step(service, first.transfer.act, first.said)}")


def _listing(service: Service, patterns: Sequence[str]) -> Dict[str, Object]:
    """Return the objects that answer to patterns of s5cmd: at least those that are meant literally."""
    for pattern in patterns:
        _refuse_breaks(pattern)
    code, told, errors = _run(service, [f"ls {shlex.quote(pattern)}" for pattern in patterns], PATIENT)
    wrong = [each for each in errors if each.get("error") != NONE_FOUND]
    if wrong or (code and not errors):
        said = str(wrong[0].get("error")) if wrong else f"s5cmd ended with exit code {code}"
        url = str(wrong[0].get("command", ""))[len("ls ") :] if wrong else patterns[0]
        raise ServiceError(f"{url} could not be listed: {_cleaned(said)}; {_next_step(service, 'listed', said)}")
    return {each["key"]: Object(each.get("size", 0), each.get("etag", "")) for each in told if each.get("key")}


def _run(service: Service, lines: Sequence[str], patience: Patience) -> Tuple[int, List[Record], List[Record]]:
    """Run commands of s5cmd; return its exit code, what it tells of each that went well, and of each that failed."""
    words = ["s5cmd", "--json", "--retry-count", str(patience.retries), "--numworkers", str(WORKERS)]
    words += ["--no-sign-request"] if service.unsigned else []
    try:
        done = subprocess.run(
            [*words, "run"],
            input="\n".join(lines) + "\n",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=service.environment(os.environ),
            timeout=patience.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return 1, [], [{"error": f"s5cmd took more than {patience.seconds:g} s"}]
    errors = _records(done.stderr)
    if done.returncode and not errors and done.stderr.strip():
        errors = [{"error": done.stderr.strip().splitlines()[-1]}]
    return done.returncode, _records(done.stdout), errors


def _records(text: str) -> List[Record]:
    found = []
    for line in text.split("\n"):  # a name may hold what splitlines() takes for a break
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def _is_whole(transfer: Transfer, size: int) -> bool:
    """Say whether as much was copied as should be, and lies on the disk too if it was fetched."""
    due = size if transfer.size is None else transfer.size
    return size == due and (transfer.act == "put" or Path(transfer.target).stat().st_size == due)


def _refuse_breaks(name: str) -> None:
    # s5cmd reads a command a line.
    if any(sign in name for sign in "\n\r\0"):
        raise DataError(f"{name!r} has a line break in its name, and cannot be fetched or put; rename it")


def _cleaned(said: str) -> str:
    return said.split(", host id:")[0].strip().rstrip(".")


def _next_step(service: Service, act: str, said: str) -> str:
    if "NoSuchBucket" in said:
        return "there is no such bucket: correct its name in luigi.cfg ([paths] root, [gallery] bucket) or create it"
    if any(word in said for word in GONE):
        return "it is not there: run again what makes it, or lay it there"
    if any(word in said for word in NO_CREDENTIALS):
        return "there are no valid credentials: give the job a role by [aws_batch] job_role of luigi.cfg"
    if any(word in said for word in NO_ENTRY) and service.unsigned:
        return "it was asked for unsigned, and is not public: correct [gallery] unsigned of luigi.cfg"
    if any(word in said for word in NO_ENTRY):
        return f"the job's role ([aws_batch] job_role, or that of the machine) needs {RIGHTS[act]} on it"
    if "no space left" in said:
        return "the machine's disk is full: give the machines of the queue a larger one"
    return "see whether the service is reachable from the machine, and run again"
