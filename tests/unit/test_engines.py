"""Which engine runs an image: the first that can, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from docker.errors import DockerException

from tasks.errors import EngineError
from tasks.runtime.engines import docker_engine, engines
from tests.unit.fakes import FakeEngine, good

NO_DAEMON = "no daemon answers (connection refused)"
NO_COMMAND = "there is no command apptainer or singularity"
NO_JDK = "the machine lacks a JDK; type: apt-get install jdk"


class Choosy(FakeEngine):
    def __init__(self, reason: str | None) -> None:
        super().__init__(good)
        self.reason = reason
        self.prepared: list[str] = []

    def unusable(self, image: str) -> str | None:
        return self.reason

    def prepare(self, image: str) -> None:
        self.prepared.append(image)


Have = Callable[..., dict[str, Choosy]]


@pytest.fixture
def have(monkeypatch: pytest.MonkeyPatch) -> Iterator[Have]:
    """Return a function that says why each engine cannot run, and returns them."""

    def use(docker: str | None, process: str | None, apptainer: str | None = NO_COMMAND) -> dict[str, Choosy]:
        found = {"docker": Choosy(docker), "apptainer": Choosy(apptainer), "process": Choosy(process)}
        monkeypatch.setattr(engines, "engine", found.__getitem__)
        return found

    engines.choose.cache_clear()
    yield use
    engines.choose.cache_clear()


def test_auto_takes_the_first_usable_engine(have: Have) -> None:
    found = have(None, None, None)

    assert engines.choose("auto", "easel") is found["docker"]
    assert found["docker"].prepared == ["easel"]
    assert found["apptainer"].prepared == found["process"].prepared == []


def test_auto_takes_apptainer_before_the_process_engine(have: Have) -> None:
    found = have(NO_DAEMON, None, None)

    assert engines.choose("auto", "easel") is found["apptainer"]


def test_auto_says_which_engine_it_takes_and_why_not_the_others(have: Have, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(engines.logger, "info", lambda form, *words, **_: lines.append(form % words))
    found = have(NO_DAEMON, None)

    assert engines.choose("auto", "easel") is found["process"]
    assert lines == [f"engine for the image easel: process; not docker: {NO_DAEMON}; not apptainer: {NO_COMMAND}"]


def test_if_no_engine_is_usable_each_is_listed_with_its_reason(have: Have) -> None:
    have(NO_DAEMON, NO_JDK)
    with pytest.raises(EngineError) as failure:
        engines.choose("auto", "easel")

    assert str(failure.value).splitlines() == [
        "no engine can run the image 'easel':",
        f"  docker     {NO_DAEMON}",
        f"  apptainer  {NO_COMMAND}",
        f"  process    {NO_JDK}",
    ]


@pytest.mark.parametrize(("wanted", "other"), [("docker", "process"), ("process", "docker")])
def test_an_engine_that_was_asked_for_is_taken_or_refused_and_never_replaced(
    have: Have, wanted: str, other: str
) -> None:
    found = have(**{wanted: "it is ill", other: None})
    with pytest.raises(EngineError, match=rf"'easel':\n  {wanted:<10} it is ill$"):
        engines.choose(wanted, "easel")

    assert engines.choose(other, "easel") is found[other]


def test_every_engine_has_its_own_name() -> None:
    assert [engines.engine(name).name for name in engines.NAMES] == list(engines.NAMES)


@pytest.mark.parametrize(
    ("below", "said"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (FileNotFoundError(2, "No such file"), "its socket is not there: it is not installed or not started"),
    ],
    ids=["not allowed", "refused", "no socket"],
)
def test_why_docker_cannot_be_used_is_said_in_the_systems_words_and_not_in_pythons(
    below: OSError, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def client() -> None:
        try:
            raise ConnectionError("aborted") from below
        except ConnectionError as error:
            raise DockerException(f"Error while fetching server API version: {error.args!r}") from error

    monkeypatch.setattr(docker_engine, "_client", client)

    assert docker_engine.DockerEngine().unusable("easel") == f"no daemon answers ({said})"


def test_a_docker_error_with_no_system_error_below_keeps_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def client() -> None:
        raise DockerException("Invalid bind address")

    monkeypatch.setattr(docker_engine, "_client", client)

    assert docker_engine.DockerEngine().unusable("easel") == "no daemon answers (Invalid bind address)"
