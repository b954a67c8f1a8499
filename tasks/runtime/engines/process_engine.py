"""The embedded engine: a virtual environment an image, for machines without a container engine."""

from __future__ import annotations

import threading

from tasks.dataset import layout
from tasks.definitions import recipes
from tasks.runtime.core.job import GUARD, Job, Outcome
from tasks.runtime.engines import children, passing
from tasks.runtime.images import environments


class ProcessEngine:
    """Runs a program as a child process in the image's own virtual environment.

    The same words as in a container, with the container's paths turned into the host's. Memory is
    measured, not limited: a limit on address space would stop a Java virtual machine at once.
    """

    name = "process"

    def unusable(self, image: str) -> str | None:
        return environments.unmakeable(image)

    def prepare(self, image: str) -> None:
        environments.make(image)

    def environment(self, image: str) -> dict[str, str]:
        return {"engine": self.name, "environment": recipes.environment_hash(image)}

    def command(self, job: Job) -> list[str]:
        settings = [f"{name}={value}" for name, value in self._variables(job).items()]
        settings += [f"{name}={path}" for name, path in passing.files(job.passed).items()]
        own_only = [] if job.passed else ["-i"]  # what is passed is taken from the shell, and so not written here
        return ["env", *own_only, *settings, *self._words(job)]

    def run(self, job: Job, cancelled: threading.Event) -> Outcome:
        variables = {**passing.values(job.passed), **self._variables(job), **GUARD}
        return children.run(self._words(job), job, variables, cancelled)

    def _words(self, job: Job) -> list[str]:
        python = environments.python(job.image)
        program = layout.CONTAINERS / job.image / job.program
        return [str(python), str(program), *job.words_here]

    def _variables(self, job: Job) -> dict[str, str]:
        return {
            **environments.variables(job.image),
            "PYTHONPATH": str(layout.CONTAINERS),
            "PYTHONUNBUFFERED": "1",
            "LANG": "C.UTF-8",
            **job.variables(str(job.temporary)),
        }
