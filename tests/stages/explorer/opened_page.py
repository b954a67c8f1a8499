"""What the tests of the explorer's page share: a browser without a network, a drawn batch, a view that is open."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tests.engines import report as engines
from tests.stages.explorer.drawn_explorer import EVIL, DrawnExplorer

SOFTWARE_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""A machine without a graphics card draws the map by its processor."""
Open = Callable[..., Page]


@pytest.fixture(name="browser", scope="module")
def fixture_browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        chromium = player.chromium.launch(
            executable_path=engines.browser(), args=["--no-sandbox", "--disable-dev-shm-usage", *SOFTWARE_WEBGL]
        )
        yield chromium
        chromium.close()


@pytest.fixture(name="drawn", scope="module")
def fixture_drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the index of two plates, whose words would run, were they not escaped."""
    return DrawnExplorer(word=EVIL).write(tmp_path_factory.mktemp("explorer"))


@pytest.fixture(name="view")
def fixture_view(browser: Browser, drawn: Path) -> Iterator[Open]:
    """Return a function that opens a view; a message on the console, an error or a request elsewhere fails the test."""
    contexts, wrong = [], []

    def watch(opened: Page) -> None:
        opened.on("console", lambda message: wrong.append(message.text))
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        opened.on(
            "request",
            lambda asked: None if asked.url.startswith(("file:", "data:", "blob:")) else wrong.append(asked.url),
        )

    def open_view(words: str = "", index: Path = drawn, wide: int = 1400, high: int = 900, **options: object) -> Page:
        context = browser.new_context(offline=True, viewport={"width": wide, "height": high}, **options)
        contexts.append(context)
        opened = context.new_page()
        watch(opened)
        opened.goto(f"{index.as_uri()}#{words}")
        opened.locator("main").wait_for()
        return opened

    yield open_view
    for context in contexts:
        context.close()
    assert wrong == []


def well(page: Page, name: str) -> Locator:
    return page.locator(f'.plate-map [data-well="{name}"]')


def saved(page: Page, button: str) -> list[dict[str, str]]:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).click()
    return list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))


def values_on_disk(index: Path, name: str) -> dict:
    """Return what a data script hands over, by a way that is not the page's."""
    text = (index.parent / name).read_text(encoding="utf-8")
    return json.loads(text[text.index(",") + 1 : text.rindex(")")])


def numbers(held: dict, kind: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(held["base64"]), kind)


def decoded(page: Page, addresses: list[str]) -> None:
    """Wait until pictures that are backgrounds are there, and painted."""
    page.evaluate(
        """addresses => Promise.all(addresses.map((each) => Object.assign(new Image(), { src: each }).decode()))
             .then(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))))""",
        addresses,
    )
