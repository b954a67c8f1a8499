"""Take the five pictures of the docs from an explorer of the demo batch.

python -m tests.stages.explorer.take_pictures EXPLORER/index.html docs [view ...]
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.engines import report as engines

PLATE = "view=plate&plate=DEMO000001"
VIEWS = {
    "plates": ("view=plates", ".mini rect"),
    "map": ("view=map&color=m:pert_iname", ".scatter[data-drawn]"),
    "well": (f"{PLATE}&well=B01&color=m:pert_iname", ".fit .layer"),
    "features": (f"{PLATE}&well=B01&tab=features&color=m:pert_iname", ".changes li"),
    "cells": (
        f"{PLATE}&well=A03&tab=cells&sort=Nuclei_AreaShape_FormFactor&off=Mito~AGP~RNA~ER&color=m:pert_iname",
        ".histogram",
    ),
}
WIDE, HIGH, QUALITY = 1280, 800, 78


def main() -> None:
    """Write one JPEG a view."""
    index, folder, wanted = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3:] or list(VIEWS)
    with sync_playwright() as player:
        browser = player.chromium.launch(
            executable_path=engines.browser(),
            args=["--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
        )
        for name in wanted:
            words, wait = VIEWS[name]
            page = browser.new_page(offline=True, viewport={"width": WIDE, "height": HIGH})
            page.goto(f"{index.as_uri()}#{words}")
            page.locator(wait).first.wait_for()
            page.wait_for_timeout(3000)  # pictures of wells come one after the other
            shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            shot.save(folder / f"explorer_{name}.jpg", quality=QUALITY, optimize=True, progressive=True)
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
