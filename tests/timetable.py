"""The order of the tests, and the files that one worker takes one after the other: how pytest-xdist deals them out.

What is long and mostly waits for an engine comes first, each on a worker of its own, so that the others have work for
the cores meanwhile. A file that is not named here is a group by itself, in the order of `testpaths`.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from xdist.scheduler import LoadScopeScheduling

GROUPS = {
    "cluster": ("test_slurm", "test_apptainer", "test_conversion"),
    "aws": ("test_on_aws_batch", "test_in_place", "test_batch_on_a_volume", "test_aws_batch", "test_element_in_docker"),
    "demo": ("test_demo",),
    "docker": ("test_docker", "test_two_hosts"),
    "real wells": ("test_real_wells",),
}
"""Files that share what is slow to set up: a Slurm site with its SIF files, an account of AWS, a chain in Docker."""
ALONE = ("test_faults_in_docker",)
"""It kills the Docker daemon, so it waits until nobody uses it: the others have small files meanwhile."""
SMALL = ("tests/stages/", "tests/unit/")
"""Folders whose files fill what the long ones leave, in this order."""

_GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}


def group(nodeid: str) -> str:
    """Return the group of a test: what one worker takes as a whole."""
    path = PurePosixPath(nodeid.partition("::")[0])
    return _GROUP_OF.get(path.stem, str(path))


def rank(nodeid: str) -> tuple[int, int]:
    """Return a sort key: long groups, then whole runs, then what needs an engine alone, then the small files."""
    name = group(nodeid)
    if name in GROUPS:
        return (0, list(GROUPS).index(name))
    if PurePosixPath(name).stem in ALONE:
        return (2, 0)
    return (next((place for place, folder in enumerate(SMALL, 3) if name.startswith(folder)), 1), 0)


class Timetable(LoadScopeScheduling):
    """Hands a worker a whole group at a time."""

    def __init__(self, config: Any, log: Any = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the order is ours, not by the number of tests

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)
