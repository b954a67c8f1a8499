"""How long the plate explorer's page takes: the first view, a click on a well, and the map.

    python tests/bench/explorer.py [--wells 384 --features 5800 --points 20000]

Draws a batch of that size, opens it from the disk in headless Chromium without a network, and prints medians beside the
limits: 2 s for the first view, 200 ms for a click, which ends when the next frame is painted. Beside the time by the
clock stands the processor's time of the page's main thread: on a machine that is busy with other work only that one
says something. Without a graphics card the processor draws the map too, which only makes it slower.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from playwright.sync_api import Page, sync_playwright

from tests.engines import report as engines
from tests.stages.explorer.drawn_explorer import DrawnExplorer

FIRST_VIEW_MS, CLICK_MS = 2000, 200
SHAPES = {384: (16, 24), 1536: (32, 48), 96: (8, 12)}
CLICK = """what => new Promise((done) => {
  const start = performance.now();
  document.querySelector(what).click();
  requestAnimationFrame(() => setTimeout(() => done(performance.now() - start), 0));
})"""


class Watch:
    """A page, with what its steps take: milliseconds by the clock, and of the processor on the page's main thread."""

    def __init__(self, page: Page, index: Path) -> None:
        self.page, self.index = page, index
        self.devtools = page.context.new_cdp_session(page)
        self.devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy_ms(self) -> float:
        """Return the processor's time of the main thread since the page began."""
        metrics = self.devtools.send("Performance.getMetrics")["metrics"]
        return 1000 * next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    def opened(self, words: str, wait: str) -> tuple[float, float]:
        """Open a view afresh, until an element of it is there and painted."""
        self.page.goto("about:blank")
        busy, start = self.busy_ms(), time.perf_counter()
        self.page.goto(f"{self.index.as_uri()}#{words}")
        self.page.locator(wait).first.wait_for()
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
        return 1000 * (time.perf_counter() - start), self.busy_ms() - busy

    def clicked(self, target: str) -> tuple[float, float]:
        """Click, until the next frame is painted."""
        busy = self.busy_ms()
        return self.page.evaluate(CLICK, target), self.busy_ms() - busy


Times = list[tuple[float, float]]
VIEWS = {
    "first view: plates": ("view=plates", ".mini rect"),
    "first view: a plate's map": ("view=plate&plate=P1", ".plate-map .well"),
    "first view: map of profiles": ("view=map", ".scatter[data-drawn]"),
}
TABS = {
    "pictures": ".fit .layer",
    "features": ".changes li",
    "replicates": ".strip",
    "nearest": ".near",
    "cells": ".histogram",
}


def measured(index: Path, wells: list[str], repeats: int) -> dict[str, tuple[Times, float]]:
    """Return the times of every step, with the step's limit."""
    found: dict[str, tuple[Times, float]] = {}
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=engines.browser(),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        watch = Watch(browser.new_page(offline=True, viewport={"width": 1400, "height": 900}), index)
        for name, (words, wait) in VIEWS.items():
            found[name] = [watch.opened(words, wait) for _ in range(repeats)], FIRST_VIEW_MS
        watch.opened("view=plate&plate=P1", ".plate-map .well")
        for tab, ready in TABS.items():
            watch.clicked(f'[data-well="{wells[0]}"]')
            watch.page.locator(f"#tab-{tab}").click()
            watch.page.locator(ready).first.wait_for()
            found[f"a click on a well, {tab}"] = (
                [watch.clicked(f'[data-well="{well}"]') for well in wells[1:]],
                CLICK_MS,
            )
        browser.close()
    return found


def main() -> int:
    """Draw, measure, print; 1 if a median is beyond its limit."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--wells", type=int, default=384, choices=sorted(SHAPES))
    flags.add_argument("--features", type=int, default=5800)
    flags.add_argument("--points", type=int, default=20_000)
    flags.add_argument("--repeats", type=int, default=5)
    args = flags.parse_args()
    rows, columns = SHAPES[args.wells]
    with tempfile.TemporaryDirectory() as folder:
        drawn = DrawnExplorer(plates=1, rows=rows, columns=columns, features=args.features, points=args.points, sites=1)
        index = drawn.write(Path(folder))
        found = measured(index, drawn.wells[1 : 2 + 2 * args.repeats], args.repeats)
    beyond = 0
    print(
        f"{args.wells} wells, {args.features} features, {args.points} points in the map; load {os.getloadavg()[0]:.1f}"
    )
    for name, (times, limit) in found.items():
        clock, busy = (statistics.median(each) for each in zip(*times, strict=True))
        beyond += clock > limit
        print(f"{name:32} {clock:7.0f} ms by the clock, {busy:6.0f} ms of the processor  (limit {limit:.0f})")
    return int(beyond > 0)


if __name__ == "__main__":
    sys.exit(main())
