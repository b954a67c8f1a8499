"""How long the plate explorer's page takes: the first view, a click on a well, and the map.

    python tests/bench/explorer.py [--wells 384 --features 5800 --points 20000]

Draws a batch of that size, opens it from the disk in headless Chromium without a network, and prints medians in
milliseconds beside the limits: 2 s for the first view, 200 ms for a click. A click ends when the next frame is painted.
Without a graphics card the map is drawn by the processor, which only makes it slower.
"""

from __future__ import annotations

import argparse
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


def opened(page: Page, index: Path, words: str, wait: str) -> float:
    """Open a view and return the milliseconds until an element of it is there and painted."""
    start = time.perf_counter()
    page.goto(f"{index.as_uri()}#{words}")
    page.locator(wait).first.wait_for()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)))")
    return 1000 * (time.perf_counter() - start)


def clicks(page: Page, targets: list[str]) -> list[float]:
    """Return the milliseconds of a click on each target until the next frame is painted."""
    return [page.evaluate(CLICK, target) for target in targets]


def measured(index: Path, wells: list[str], repeats: int) -> dict[str, tuple[list[float], float]]:
    """Return the milliseconds of every step, with the step's limit."""
    found: dict[str, tuple[list[float], float]] = {}
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=engines.browser(),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        page = browser.new_page(offline=True, viewport={"width": 1400, "height": 900})
        views = {
            "first view: plates": ("view=plates", ".mini rect"),
            "plate map": ("view=plate&plate=P1", ".plate-map .well"),
            "map of profiles": ("view=map", ".scatter[data-drawn]"),
        }
        for name, (words, wait) in views.items():
            times = []
            for _ in range(repeats):
                page.goto("about:blank")
                times.append(opened(page, index, words, wait))
            found[name] = times, FIRST_VIEW_MS
        opened(page, index, "view=plate&plate=P1", ".plate-map .well")
        targets = [f'[data-well="{well}"]' for well in wells]
        for tab, ready in (("pictures", ".fit .layer"), ("features", ".changes li"), ("replicates", ".strip"), ("nearest", ".near"), ("cells", ".histogram")):
            clicks(page, targets[:1])
            page.locator(f"#tab-{tab}").click()
            page.locator(ready).first.wait_for()
            found[f"a click on a well, {tab}"] = clicks(page, targets[1:]), CLICK_MS
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
    print(f"{args.wells} wells, {args.features} features, {args.points} points in the map")
    for name, (times, limit) in found.items():
        median = statistics.median(times)
        beyond += median > limit
        print(f"{name:32} {median:7.0f} ms  (worst {max(times):.0f}; limit {limit:.0f})")
    return int(beyond > 0)


if __name__ == "__main__":
    sys.exit(main())
