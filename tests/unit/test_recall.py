"""What was just looked at is remembered for some seconds, and nothing that was not there."""

from __future__ import annotations

import pytest

from tasks.stage_tasks import memo


class Watcher:
    def __init__(self, *seen: object) -> None:
        self.seen = list(seen)

    @memo.ttl_cache
    def look(self) -> object:
        return self.seen.pop(0)


def test_what_was_seen_is_not_looked_at_again_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "SECONDS", 10.0)
    now = [100.0]
    monkeypatch.setattr(memo.time, "monotonic", lambda: now[0])
    watcher = Watcher("a", "b")
    first, again = watcher.look(), watcher.look()
    now[0] = 110.0

    assert (first, again, watcher.look()) == ("a", "a", "b")


def test_what_was_not_there_is_looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "SECONDS", 10.0)
    watcher = Watcher(False, None, True, False)

    assert [watcher.look() for _ in range(4)] == [False, None, True, True]


def test_each_object_remembers_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memo, "SECONDS", 10.0)

    assert [Watcher("a").look(), Watcher("b").look()] == ["a", "b"]
