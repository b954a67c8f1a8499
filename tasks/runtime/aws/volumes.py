"""A shared file system that AWS Batch mounts into the containers of jobs: EFS, or a folder of the queue's machines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import SettingsError

NAME = "data_root"
"""What a job definition calls it."""
PATH = r"/[\w.+@=/-]*"
FORMS = (
    re.compile(rf"efs:(?P<efs>fs-[0-9a-f]{{8,40}})(:((?P<access_point>fsap-[0-9a-f]{{8,40}})|(?P<folder>{PATH})))?"),
    re.compile(rf"host:(?P<folder>{PATH})"),
)


@dataclass(frozen=True)
class Volume:
    """What [aws_batch] volume names."""

    folder: str = ""
    """In the file system of EFS; of the machine itself, if it is not EFS."""
    efs: str = ""
    access_point: str = ""

    def declared(self, job_role: str) -> dict[str, Any]:
        """Return what a job definition says of it; jobs with a role mount EFS as that role."""
        if not self.efs:
            return {"host": {"sourcePath": self.folder}}
        point = {"accessPointId": self.access_point} if self.access_point else {}
        where = {} if point else {"rootDirectory": self.folder or "/"}  # an access point has its own
        authorization = {**point, "iam": "ENABLED" if job_role else "DISABLED"}
        efs = {"fileSystemId": self.efs, **where, "transitEncryption": "ENABLED", "authorizationConfig": authorization}
        return {"efsVolumeConfiguration": efs}


@dataclass(frozen=True)
class Mounted:
    """A data root on such a file system, which every container sees where this machine does."""

    volume: Volume
    root: Path
    user: str
    """uid:gid of the programs, so that what they write belongs to whoever may use it here."""

    def properties(self, job_role: str) -> dict[str, Any]:
        """Return what it adds to the properties of a container."""
        return {
            "user": self.user,
            "volumes": [{"name": NAME, **self.volume.declared(job_role)}],
            "mountPoints": [{"sourceVolume": NAME, "containerPath": str(self.root), "readOnly": False}],
        }


def parsed(text: str, where: str) -> Volume | None:
    """Return the volume that a setting names, None if it is empty; raise SettingsError if it has no such form."""
    if not text:
        return None
    for form in FORMS:
        named = form.fullmatch(text)
        if named:
            return Volume(**{name: value for name, value in named.groupdict().items() if value})
    raise SettingsError(
        f"{where}: {text!r} is no volume: efs:fs-<id>, efs:fs-<id>:/folder, efs:fs-<id>:fsap-<id> (an access point), "
        "or host:/folder for what the machines of the queue have mounted"
    )
