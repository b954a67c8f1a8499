"""The Apptainer engine: every program in its image as a SIF file, without root, a daemon or rights of its own."""

from __future__ import annotations

import csv
import functools
import io
import logging
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tasks.errors import EngineError
from tasks.runtime.core.job import GUARD, TEMPORARY, Job, Mount, Outcome
from tasks.runtime.engines import children, passing
from tasks.runtime.images import sif

logger = logging.getLogger(__name__)

CLOSED = ("--containall", "--cleanenv", "--no-home", "--no-privs", "--no-mount=bind-paths,hostfs")
"""Nothing of the host but what is mounted: no home, no folder that the site binds, no variable, no privilege."""
USER_NAMESPACE, NO_NETWORK = ("--userns",), ("--net", "--network=none")
MANNERS = ((*USER_NAMESPACE, *NO_NETWORK), NO_NETWORK, USER_NAMESPACE, ())
"""How a container may be had without root, the closest first: which is allowed is found by trying."""
HOSTS = Mount(Path("/etc/hosts"), "/etc/hosts")
GPU_NAMES = ("CUDA_VISIBLE_DEVICES",)
"""What a scheduler says of the GPUs that a job was given."""
# Names come first, then --, then a command: it sees those variables, and none that would bind folders or name more.
PASS = (
    'for name in $(env | sed -n "s/^\\(APPTAINER[^=]*\\|SINGULARITY[^=]*\\)=.*/\\1/p"); do unset "$name"; done; '
    'while [ "$1" != -- ]; do eval "value=\\${$1-}"; [ -z "$value" ] || export "{kind}ENV_$1=$value"; shift; done; '
    'shift; exec "$@"'
)


class ApptainerEngine:
    """Runs a program as a child process, in a container that Apptainer (or Singularity) makes without a daemon.

    Memory and cores are not limited: without root that takes cgroups which few sites delegate. Slurm
    limits both for what it runs; here memory is measured.
    """

    name = "apptainer"

    def unusable(self, image: str) -> str | None:
        try:
            _manner(sif.binary(), sif.checked(image)[0])
        except EngineError as error:
            return str(error)
        return None

    def prepare(self, image: str) -> None:
        """Say what the site does not allow."""
        if not takes_network(image):
            logger.warning("the image %s: this site does not let apptainer take the network from a program", image)

    def environment(self, image: str) -> dict[str, str]:
        return {"engine": self.name, "image": sif.checked(image)[1]}

    def command(self, job: Job) -> list[str]:
        return self._words(job, {})

    def run(self, job: Job, cancelled: threading.Event) -> Outcome:
        return children.run(self._words(job, GUARD), job, os.environ, cancelled)

    def _words(self, job: Job, guard: Mapping[str, str]) -> list[str]:
        command, (file, _) = sif.binary(), sif.checked(job.image)
        manner = [word for word in _manner(command, file) if not (job.network and word in NO_NETWORK)]
        variables = {name: value for name, value in job.variables(TEMPORARY).items() if name != "HOME"}
        variables |= {**guard, **passing.seen(job.passed)}
        mounts = [*passing.mounts(job), Mount(job.temporary, TEMPORARY, writable=True)]
        words = [*_caller(command, job), command, "--silent", "exec", *CLOSED, *manner]
        words += ["--nv"] if job.resources.gpus else []
        words += [f"--pwd={TEMPORARY}", *(f"--env={name}={value}" for name, value in variables.items())]
        words += [f"--mount={_mount(mount)}" for mount in [*mounts, *([HOSTS] if job.network else [])]]
        # The guard kills the program's process group: in one with Apptainer, nobody would be left to unmount the image.
        own_group = ["setsid"] if guard else []
        # Apptainer sets HOME to what its user database says, whatever --env says.
        return [*words, str(file), *own_group, "env", f"HOME={TEMPORARY}", *job.words]


def takes_network(image: str) -> bool:
    """Say whether a program that asks for no network has none; raise EngineError if no container can be had."""
    return set(NO_NETWORK) <= set(_manner(sif.binary(), sif.checked(image)[0]))


def user_namespaces() -> bool:
    """Say whether this machine lets users make user namespaces, as far as its own settings tell."""
    switches = (Path("/proc/sys/user/max_user_namespaces"), Path("/proc/sys/kernel/unprivileged_userns_clone"))
    return all(int(switch.read_text()) > 0 for switch in switches if switch.exists())


def _caller(command: str, job: Job) -> list[str]:
    """Return the words before the command: what of its caller's variables Apptainer itself, or the program, sees."""
    names = [*passing.by_value(job.passed), *(GPU_NAMES if job.resources.gpus else ())]
    if not names:
        return ["env", "-i", f"PATH={os.environ.get('PATH', os.defpath)}"]
    kind = "SINGULARITY" if Path(command).name.startswith("singularity") else "APPTAINER"
    return ["sh", "-c", PASS.replace("{kind}", kind), "sh", *names, "--"]


def _mount(mount: Mount) -> str:
    """Return a mount as Apptainer reads it, a row of csv: a path may hold a comma or a colon."""
    row = io.StringIO()
    access = [] if mount.writable else ["ro"]
    fields = ["type=bind", f"source={mount.source}", f"destination={mount.target}", *access]
    csv.writer(row, lineterminator="").writerow(fields)
    return row.getvalue()


@functools.cache
def _manner(command: str, file: Path) -> Sequence[str]:
    """Return the closest manner of container that this machine allows, tried with the image itself; 0.3 s, once."""
    said = []
    for manner in MANNERS:
        words = ["env", "-i", f"PATH={os.environ.get('PATH', os.defpath)}", command, "--silent", "exec", *CLOSED]
        done = subprocess.run([*words, *manner, str(file), "true"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return manner
        said.append((done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    raise EngineError(f"{Path(command).name} cannot start a container here: {said[0]}; {_remedy(said[0])}")


def _remedy(said: str) -> str:
    """Return what to ask of whoever keeps the machine."""
    if "/dev/fuse" in said or "squashfuse" in said:
        return "it needs squashfuse and a /dev/fuse that users may open (or the setuid installation): ask the site"
    if "namespace" in said:
        return "it needs user namespaces (user.max_user_namespaces above 0) or the setuid installation: ask the site"
    return "ask the site, with these words"
