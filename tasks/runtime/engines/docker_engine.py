"""The Docker engine: every program in a container of its image, with as few rights as it can have."""

from __future__ import annotations

import functools
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import DeviceRequest
from docker.types import Mount as DockerMount
from requests.exceptions import RequestException
from urllib3.exceptions import HTTPError

from tasks.errors import EngineError
from tasks.runtime.core.job import GUARD, TEMPORARY, Job, Outcome
from tasks.runtime.engines import passing
from tasks.runtime.engines.container_memory import Peak
from tasks.runtime.images import images

GRACE_SECONDS = 10
POLL_SECONDS = 0.2
NO_WORD = 255
CONFLICT = 409
DAEMON_GONE = (RequestException, HTTPError, ConnectionError)
"""What the client raises when the daemon does not answer any more; an APIError is an answer."""
OWNER_LABEL = "org.platewright.owner"
"""host:pid of the process that watches a container: when that is gone, the container is a leftover."""


class DockerEngine:
    """Runs a program as a container, through the engine's API."""

    name = "docker"

    def unusable(self, image: str) -> str | None:
        try:
            _client().ping()
        except DockerException as error:
            return f"no daemon answers ({_why(error)})"
        try:
            images.checked_reference(image, self._labels)
        except EngineError as error:
            return str(error)
        return None

    def prepare(self, image: str) -> None:
        """Remove containers whose host process died before it could."""
        host = socket.gethostname()
        for container in _client().containers.list(all=True, filters={"label": OWNER_LABEL}):
            owner_host, _, pid = container.labels[OWNER_LABEL].rpartition(":")
            if owner_host == host and not Path(f"/proc/{pid}").exists():
                _remove(container)

    def environment(self, image: str) -> dict[str, str]:
        return {"engine": self.name, "image": images.checked_reference(image, self._labels)}

    def command(self, job: Job) -> list[str]:
        options = create_options(job)
        words = ["docker", "run", "--rm", "--init", "--read-only", f"--user={options['user']}"]
        words += ["--cap-drop=ALL", "--security-opt=no-new-privileges", f"--network={options['network_mode']}"]
        words += [f"--gpus={job.resources.gpus}"] if job.resources.gpus else []
        words += [f"--memory={options['mem_limit']}", f"--cpus={job.resources.cpus}"]
        words += [f"--tmpfs={path}:{how}" for path, how in options["tmpfs"].items()]
        words += [f"--env={name}={value}" for name, value in options["environment"].items() if name not in GUARD]
        words += [f"--env={name}" for name in passing.by_value(job.passed)]
        words += [f"--env={name}={path}" for name, path in passing.seen(job.passed).items()]
        for mount in passing.mounts(job):
            mode = "" if mount.writable else ",readonly"
            words.append(f"--mount=type=bind,source={mount.source},target={mount.target}{mode}")
        return [*words, images.reference(job.image), *job.words]

    def run(self, job: Job, cancelled: threading.Event) -> Outcome:
        started = time.monotonic()
        try:
            return self._run(job, cancelled)
        except NotFound as error:
            lost = f"its container was removed: {_first_line(error)}"
        except APIError as error:
            raise EngineError(f"docker could not run the container {job.name}: {_first_line(error)}") from error
        except DAEMON_GONE as error:
            # Its container ends with it, and is removed by the next try, whose container bears the same name.
            lost = f"the docker daemon does not answer: {_first_line(error)}"
        return Outcome(NO_WORD, time.monotonic() - started, lost=lost)

    def _run(self, job: Job, cancelled: threading.Event) -> Outcome:
        with _container(job) as container:
            # stdin is held open and never written to: it closes when we die, and stagekit's guard
            # then ends the program.
            held = container.attach_socket(params={"stdin": 1, "stream": 1})
            started = time.monotonic()
            container.start()
            streams = ("stdout", "stderr")
            readers = {stream: _follow(container, job.folder / f"{stream}.log", stream) for stream in streams}
            outcome = self._wait(container, job, cancelled, started)
            for stream, reader in readers.items():
                _read_to_its_end(reader, job.folder / f"{stream}.log")
            held.close()
            return outcome

    def _wait(self, container: Container, job: Job, cancelled: threading.Event, started: float) -> Outcome:
        peak = Peak()
        while True:
            container.reload()
            seconds = time.monotonic() - started
            state = container.attrs["State"]
            if state["Status"] in ("exited", "dead"):
                out_of_memory = bool(state["OOMKilled"])
                # The killer may take a child: the program then reports its child's death as its own failure.
                return Outcome(int(state["ExitCode"]), seconds, out_of_memory, peak_memory_gb=peak.gb)
            timed_out = seconds > job.resources.minutes * 60
            if cancelled.is_set() or timed_out:
                container.stop(timeout=GRACE_SECONDS)
                return Outcome(143, seconds, False, timed_out, peak.gb, cancelled.is_set())
            peak.look(container)
            cancelled.wait(POLL_SECONDS)

    @staticmethod
    def _labels(reference: str) -> Mapping[str, str] | None:
        try:
            return dict(_client().images.get(reference).labels)
        except ImageNotFound:
            return None


def create_options(job: Job) -> dict[str, Any]:
    """Return what the container of a job is made with; compose.yaml holds the same, and a test compares them."""
    user = f"{os.getuid()}:{os.getgid()}"
    return {
        "user": user,
        "read_only": True,
        "init": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "network_mode": "bridge" if job.network else "none",
        "mem_limit": int(job.resources.memory_gb * 2**30),
        "memswap_limit": int(job.resources.memory_gb * 2**30),
        "nano_cpus": int(job.resources.cpus * 10**9),
        "tmpfs": {TEMPORARY: "rw,exec,mode=1777"},
        "environment": GUARD | job.variables(TEMPORARY),
    }


@contextmanager
def _container(job: Job) -> Iterator[Container]:
    """Create a job's container, and remove it whatever happens."""
    try:
        container = _create(job)
    except APIError as error:
        if error.status_code != CONFLICT or not _remove_leftover(job.name):
            raise EngineError(f"docker could not create the container {job.name}: {_first_line(error)}") from error
        container = _create(job)
    try:
        yield container
    finally:
        _remove(container)


def _gpus(job: Job) -> list[DeviceRequest]:
    gpus = job.resources.gpus
    return [DeviceRequest(count=gpus, capabilities=[["gpu"]])] if gpus else []


def gpu_runtime() -> bool:
    """Say whether the daemon can give a container a GPU."""
    try:
        info = _client().info()
    except (DockerException, APIError):
        return False
    devices = [device.get("ID", "") for device in info.get("DiscoveredDevices") or []]
    return "nvidia" in (info.get("Runtimes") or {}) or any("nvidia.com/gpu" in device for device in devices)


def _create(job: Job) -> Container:
    options, mounts = create_options(job), passing.mounts(job)
    options["environment"] |= passing.values(job.passed) | passing.seen(job.passed)
    return _client().containers.create(
        images.reference(job.image),
        list(job.words),
        name=job.name,
        labels={OWNER_LABEL: f"{socket.gethostname()}:{os.getpid()}"},
        mounts=[DockerMount(m.target, str(m.source), type="bind", read_only=not m.writable) for m in mounts],
        stdin_open=True,
        detach=False,
        device_requests=_gpus(job),
        **options | {"nano_cpus": int(min(job.resources.cpus, _engine_cores()) * 10**9)},
    )


def _remove_leftover(name: str) -> bool:
    """Remove the container of an earlier try, whose end was lost with the daemon; return whether it was one of ours."""
    container = _client().containers.get(name)
    host, _, pid = container.labels.get(OWNER_LABEL, "").rpartition(":")
    ours = host == socket.gethostname() and (pid == str(os.getpid()) or not Path(f"/proc/{pid}").exists())
    if ours:
        _remove(container)
    return ours


def _remove(container: Container) -> None:
    with suppress(NotFound):
        container.remove(force=True, v=True)


def _follow(container: Container, path: Path, stream: str) -> threading.Thread:
    """Copy one stream of a container into a file while it runs."""

    def copy() -> None:
        with open(path, "wb") as log, suppress(*DAEMON_GONE):
            for chunk in container.logs(stream=True, follow=True, stdout=stream == "stdout", stderr=stream == "stderr"):
                log.write(chunk)
                log.flush()

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    return thread


def _read_to_its_end(reader: threading.Thread, log: Path) -> None:
    """Wait until a log is whole, as long as there comes more of it: by its end a failure is told from another."""
    size = -1
    while reader.is_alive() and log.exists() and size < (size := log.stat().st_size):
        reader.join(GRACE_SECONDS)


def _client() -> docker.DockerClient:
    return _client_of(os.getpid())


@functools.cache
def _client_of(pid: int) -> docker.DockerClient:
    """Return this process's client: a fork that shared its parent's socket would read its parent's answers."""
    return docker.from_env(timeout=60)


@functools.cache
def _engine_cores() -> int:
    return int(_client().info()["NCPU"])


def _why(error: BaseException) -> str:
    """Return why no daemon answers, in words of the system and not of Python, if a system's error lies below."""
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, FileNotFoundError):
            return "its socket is not there: it is not installed or not started"
        if isinstance(below, OSError) and below.strerror:
            return below.strerror
        below = below.__cause__ or below.__context__
    return _first_line(error)


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
