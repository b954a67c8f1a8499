"""What the kernel tells of a container's memory, by either version of control groups."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from batch_agent import watched
from stagekit import memory

MB = 2**20
VERSION_1 = {
    "memory/memory.stat": f"active_anon 1\ntotal_active_anon {50 * MB}\ntotal_inactive_anon {250 * MB}\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
}
VERSION_2 = {
    "memory.stat": f"anon 5\nactive_anon {50 * MB}\ninactive_anon {250 * MB}\nfile {600 * MB}\n",
    "memory.events": "low 0\nhigh 0\nmax 12\noom 4\noom_kill 3\n",
}
BELOW = {f"ecs/task/{name}": text for name, text in VERSION_2.items()}
ROOT_OF_ALL = {"memory.stat": "active_anon 9\ninactive_anon 9\n"}
GROUPS: dict[str, tuple[Mapping[str, str], str]] = {
    "version 1, seen as the root": (VERSION_1, "4:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n"),
    "version 2, seen as the root": (VERSION_2, "0::/\n"),
    "version 2 in the host's tree": (BELOW | ROOT_OF_ALL, "0::/ecs/task\n"),
    "version 1 beside an empty version 2": (VERSION_1, "4:memory:/\n0::/\n"),
}


def lay(folder: Path, files: Mapping[str, str], own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in files.items():
        (folder / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "groups" / name).write_text(text)
    (folder / "own").write_text(own)
    monkeypatch.setattr(memory, "GROUPS", folder / "groups")
    monkeypatch.setattr(memory, "OWN", folder / "own")


@pytest.mark.parametrize(("files", "own"), GROUPS.values(), ids=GROUPS)
def test_the_containers_own_group_is_read(
    tmp_path: Path, files: Mapping[str, str], own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, files, own, monkeypatch)
    peak = memory.Peak()
    peak.look()

    assert memory.killed() == 3
    assert peak.gb == round(300 / 1024, 3)


def test_where_the_kernel_tells_nothing_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, {}, "", monkeypatch)
    peak = memory.Peak()
    peak.look()

    assert memory.killed() == 0
    assert peak.gb is None


def test_the_largest_sample_is_the_peak(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    peak = memory.Peak()
    for size in (1, 3, 2):
        lay(tmp_path, {"memory.stat": f"active_anon {size * 1024 * MB}\ninactive_anon 0\n"}, "0::/\n", monkeypatch)
        peak.look()

    assert peak.gb == 3.0


@pytest.mark.parametrize(
    ("code", "kills", "short"),
    [(1, 1, True), (0, 1, False), (1, 0, False)],
    ids=["killed and failed", "killed a child that was not missed", "failed for another reason"],
)
def test_a_failure_while_the_kernel_killed_is_one_of_memory(
    tmp_path: Path, code: int, kills: int, short: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay(tmp_path, VERSION_2, "0::/\n", monkeypatch)
    more = VERSION_2["memory.events"].replace("oom_kill 3", f"oom_kill {3 + kills}")
    (tmp_path / "more").write_text(more)
    command = f"cp {tmp_path / 'more'} {tmp_path / 'groups/memory.events'}; exit {code}"
    ended = watched.run(["sh", "-c", command], {"PATH": "/usr/bin:/bin"}, tmp_path, 10, None, None)

    assert (ended.exit_code, ended.out_of_memory) == (code, short)
