"""The plate explorer's page in a real browser, from a disk, without a network: a whole walk, on a drawn batch."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from tests.engines import report as engines
from tests.stages.benchmark.test_report_in_chromium import CONTRAST
from tests.stages.explorer.drawn_explorer import EVIL, DrawnExplorer

pytestmark = pytest.mark.engine("chromium")
SOFTWARE_WEBGL = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
"""A machine without a graphics card draws the map by its processor."""
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        chromium = player.chromium.launch(
            executable_path=engines.browser(), args=["--no-sandbox", "--disable-dev-shm-usage", *SOFTWARE_WEBGL]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the index of two plates, whose words would run, were they not escaped."""
    return DrawnExplorer(word=EVIL).write(tmp_path_factory.mktemp("explorer"))


@pytest.fixture
def view(browser: Browser, drawn: Path) -> Iterator[Open]:
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


def well(page: Page, name: str):
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


def test_a_walk_from_the_plates_to_a_well_its_features_its_neighbours_and_its_cells(view):
    page = view()
    assert page.locator(".plate").count() == 2
    assert page.locator(".mini rect").count() == 48
    page.locator(".plate h3 a").first.click()
    well(page, "B03").click()
    assert page.locator(".well-head h2").inner_text().startswith("B03 compound")
    pictures = page.locator(".fit .composite img")
    assert pictures.count() == 7
    widths = pictures.evaluate_all(
        "all => Promise.all(all.map(async (it) => { await it.decode(); return it.naturalWidth; }))"
    )
    assert set(widths) == {240}

    page.locator("[data-outline=cells][type=checkbox]").uncheck()
    page.locator("[data-channel=DNA][type=checkbox]").uncheck()
    assert page.locator(".fit .ring").get_attribute("data-outline") == "nuclei"
    assert page.locator(".fit .layer").count() == 4
    page.get_by_role("button", name="site 2").click()
    assert "_s2_" in page.locator(".fit .layer").first.get_attribute("src")

    page.get_by_role("tab", name="Features").click()
    page.locator(".changes li").first.wait_for()
    assert page.locator(".heat tbody tr").count() == 17
    assert page.locator(".changes li").count() == 24
    page.get_by_role("button", name="by channel").click()
    assert {head.split("\n")[0].split(" ")[0] for head in page.locator(".group h4").all_inner_texts()} >= {
        "DNA",
        "ER",
        "Mito",
    }

    page.get_by_role("tab", name="Replicates and controls").click()
    assert page.locator(".beside").count() == 3
    assert page.locator(".strip").count() == 8
    page.get_by_role("tab", name="Nearest").click()
    page.locator(".near").wait_for()
    assert page.locator(".panel .thumbnail").count() == 10
    assert page.locator(".near tbody tr").count() > 3

    page.get_by_role("tab", name="Cells").click()
    page.locator(".histogram").wait_for()
    tiles = page.locator(".gallery").last.locator(".tile")
    assert tiles.count() == 24
    page.locator("[data-sort]").select_option("Cells_AreaShape_Area")
    areas = [
        float(said.rpartition("Area: ")[2].split(";")[0].replace(",", ""))
        for said in tiles.evaluate_all("all => all.map((it) => it.title)")
    ]
    assert areas == sorted(areas, reverse=True)
    assert page.locator(".histogram .own").count() == 30
    tiles.first.click()
    assert page.get_by_role("tab", name="Pictures").get_attribute("aria-selected") == "true"
    assert page.evaluate("window.broken") is None


def test_a_lasso_makes_a_list_that_is_compared_and_saved_as_csv(view, drawn):
    page = view("view=map", wide=800, high=700)
    page.locator(".scatter[data-drawn='48']").wait_for()
    page.get_by_role("button", name="lasso").click()
    box = page.locator(".scatter").bounding_box()
    (left, top), (right, bottom) = (
        (box["x"] + 4, box["y"] + 4),
        (box["x"] + box["width"] - 4, box["y"] + box["height"] - 4),
    )
    page.mouse.move(left, top)
    page.mouse.down()
    for x, y in ((right, top), (right, bottom), (left, bottom), (left, top + 8)):
        page.mouse.move(x, y, steps=4)
    page.mouse.up()
    page.get_by_role("heading", name="The list: 48 wells").wait_for()
    page.get_by_role("link", name="Compare the list").click()
    page.get_by_role("button", name="Save the features as csv").wait_for()
    wells, features = saved(page, "Save the wells as csv"), saved(page, "Save the features as csv")

    assert len(wells) == 48
    assert {row["plate"] for row in wells} == {"P1&", "P2&"}
    assert next(row for row in wells if row["well"] == "A02")["broad_sample"] == f"compound 2{EVIL}"
    assert len(features) == 200
    assert all(row["sentence"] for row in features)
    assert page.locator(".thumbnail").count() > 24
    assert page.locator(".gallery").count() == 3


def test_the_features_of_a_list_are_the_medians_of_its_wells(view, drawn):
    """The oracle reads the data scripts itself."""
    picked = {"P1&": ["A02", "A03", "A04"], "P2&": ["B03"]}
    page = view(
        "view=list&list="
        + "~".join(
            f"{plate}%2F{name}".replace("%", "%25").replace("&", "%2526")
            for plate, names in picked.items()
            for name in names
        )
    )
    rows = {
        row["feature"]: float(row["median_deviation_from_controls"]) for row in saved(page, "Save the features as csv")
    }
    parts = []
    for plate, names in picked.items():
        held = values_on_disk(drawn, f"plates/{plate}/{plate}_features.js")
        raw = numbers(held["values"], "<i2").reshape(len(held["wells"]), -1)
        parts.append(np.where(raw == -32768, np.nan, raw * 0.01)[[held["wells"].index(name) for name in names]])
    names = values_on_disk(drawn, "plates/P1&/P1&_plate.js")["features"]
    expected = dict(zip(names, np.nanmedian(np.concatenate(parts), axis=0), strict=True))

    assert rows == pytest.approx(expected, abs=1e-4)


def test_the_pointer_over_a_dot_shows_its_well_and_a_click_opens_it(view, drawn):
    page = view("view=map", wide=900, high=900)
    page.locator(".scatter[data-drawn='48']").wait_for()
    box, held = page.locator(".scatter").bounding_box(), values_on_disk(drawn, "map.js")
    x, y = (numbers(held[axis]) for axis in "xy")
    half = max(np.ptp(x), np.ptp(y)) / 2 / 0.95
    middle = [(axis.max() + axis.min()) / 2 for axis in (x, y)]
    point = int(np.argmax(x))  # nothing lies over the outermost one
    per_unit = min(box["width"], box["height"]) / 2 / float(half)
    across = box["x"] + box["width"] / 2 + float(x[point] - middle[0]) * per_unit
    down = box["y"] + box["height"] / 2 - float(y[point] - middle[1]) * per_unit
    page.mouse.move(across - 30, down)
    page.mouse.move(across, down, steps=3)
    page.locator(".map-side .thumbnail").wait_for()
    shown = page.locator(".map-side .thumbnail strong").inner_text()
    page.mouse.click(across, down)
    page.locator(".well-head").wait_for()

    assert shown == held["well"][point]
    assert page.locator(".well-head h2").inner_text().startswith(shown)


def test_wells_are_reached_and_opened_by_the_keyboard(view):
    page = view("view=plate&plate=P1%26")
    page.locator(".plate-map [tabindex='0']").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "End", "ArrowLeft", "Enter"):
        page.keyboard.press(key)

    assert page.locator(".well-head h2").inner_text().startswith("B05")
    assert "blur" not in page.evaluate("document.activeElement.getAttribute('aria-label')")
    page.get_by_role("tab", name="Pictures").focus()
    page.keyboard.press("ArrowRight")
    assert page.get_by_role("tab", name="Features").get_attribute("aria-selected") == "true"


def test_a_plate_is_coloured_by_what_is_asked_and_a_link_restores_it(view):
    page = view("view=plate&plate=P2%26&well=B02&tab=features")
    page.locator(".changes li").first.wait_for()
    grounds = "all => all.map((it) => it.style.background).join()"
    seen = set()
    for color in ("m:broad_sample", "m:dose_um", "q:blur", "f:Cells_AreaShape_Area"):
        page.evaluate(
            "words => { location.hash = words; }", page.url.partition("#")[2].partition("&color")[0] + f"&color={color}"
        )
        page.wait_for_function(
            "name => document.querySelector('.plate-map .well').ariaLabel.includes(name)",
            arg=color[2:].replace("_", " "),
        )
        seen.add(page.locator(".plate-map .well").evaluate_all(grounds))
    other = view(page.url.partition("#")[2])
    other.locator(".changes li").first.wait_for()

    assert len(seen) == 4
    assert other.locator(".plate-map .well").evaluate_all(grounds) in seen
    assert other.locator(".well-head h2").inner_text() == page.locator(".well-head h2").inner_text()


def test_brightness_makes_white_what_lies_above_it_and_the_link_holds_it(view):
    page = view("view=plate&plate=P1%26&well=A02")
    page.get_by_role("slider", name="DNA: white").fill("100")
    page.get_by_role("button", name="Show DNA alone").click()
    gain = float(page.locator("#channel-0 feColorMatrix").get_attribute("values").split()[0])

    assert gain == pytest.approx(2.55, abs=0.001)
    assert "DNA%253A0%253A100" in page.url


def test_outlines_lie_on_the_pixels_of_the_picture(view, tmp_path):
    """A mark in a picture and an outline around it are found, in a screenshot, at the same place."""
    index = DrawnExplorer(plates=1, rows=1, columns=4, features=20, cells=False, sites=1).write(tmp_path)
    spot, ring = np.zeros((240, 240), np.uint8), np.zeros((240, 240, 2), np.uint8)
    spot[60:63, 100:103] = 255
    ring[[59, 63], 99:104] = ring[59:64, [99, 103]] = 255
    for channel in ("DNA", "ER", "RNA", "AGP", "Mito"):
        Image.fromarray(spot if channel == "DNA" else np.zeros_like(spot)).save(
            tmp_path / f"plates/P1/images/A02_s1_{channel}.jpg", quality=100
        )
    Image.fromarray(ring, "LA").save(tmp_path / "plates/P1/outlines/A02_s1_nuclei.png")
    page = view("view=plate&plate=P1&well=A02&off=outline%2520cells", index)
    page.get_by_role("button", name="1 : 1").click()
    page.locator(".pixels .ring").evaluate("it => it.decode()")
    page.locator(".pixels .composite").evaluate(
        "it => it.style.cssText += ';position:fixed;z-index:99;top:0;left:0;width:240px'"
    )
    clip = {"x": 0, "y": 0, "width": 240, "height": 240}
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")).astype(int)

    assert (shot[59, 99:104] == 255).all()
    assert (shot[59:64, 103] == 255).all()
    assert shot[61, 101, 2] > 80 > shot[61, 101, 0]
    assert shot[57, 101].sum() < 60


def test_a_tile_shows_the_cell_whose_row_it_is(view, tmp_path):
    """Every tile of the sheet has its own grey; sorted, the tiles must still show theirs."""
    index = DrawnExplorer(plates=1, rows=1, columns=4, features=20, sites=1).write(tmp_path)
    for channel in ("DNA", "ER", "RNA", "AGP", "Mito"):
        greys = np.repeat(np.repeat((np.arange(24).reshape(3, 8) * 10 + 10).astype(np.uint8), 48, 0), 48, 1)
        Image.fromarray(greys if channel == "DNA" else 0 * greys).save(
            tmp_path / f"plates/P1/cells/A03_{channel}.jpg", quality=100
        )
    page = view("view=plate&plate=P1&well=A03&tab=cells&sort=Cells_AreaShape_Area&off=ER~RNA~AGP~Mito", index)
    tiles = page.locator(".gallery").last.locator(".tile")
    page.locator(".histogram").wait_for()
    decoded(page, [f"plates/P1/cells/A03_{channel}.jpg" for channel in ("DNA", "ER", "RNA", "AGP", "Mito")])
    box = page.locator(".gallery").last.bounding_box()
    page.set_viewport_size({"width": 1400, "height": int(box["y"] + box["height"] + 50)})
    shot = Image.open(io.BytesIO(page.screenshot())).convert("L")
    for tile in tiles.all():
        number = int(re.search(r"cell (\d+)", tile.get_attribute("title")).group(1))
        place = tile.bounding_box()
        assert shot.getpixel(
            (int(place["x"] + place["width"] / 2), int(place["y"] + place["height"] / 2))
        ) == pytest.approx(number * 10, abs=4)


def test_a_plate_of_metadata_alone_has_its_map_and_says_what_is_missing(view, tmp_path):
    index = DrawnExplorer(plates=1, rows=32, columns=48, features=0, pictures=False, cells=False).write(tmp_path)
    page = view("view=plate&plate=P1", index)
    assert page.locator(".plate-map .well").count() == 1536
    well(page, "AF10").click()
    said = []
    for tab in ("Pictures", "Features", "Cells"):
        page.get_by_role("tab", name=tab).click()
        said.append(page.locator(".panel").inner_text())

    assert said[0] == "There is no picture of this well."
    assert said[1] == "The plate has no profiles with features."
    assert said[2].startswith("There are no single cells")


def test_a_file_that_is_missing_is_named_in_its_place(browser, tmp_path):
    index = DrawnExplorer(plates=1, rows=1, columns=4, features=20).write(tmp_path)
    (tmp_path / "plates/P1/P1_features.js").unlink()
    (tmp_path / "plates/P1/images/A02_s1_DNA.jpg").unlink()
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto(f"{index.as_uri()}#view=plate&plate=P1&well=A02")
    page.locator(".lacks").first.wait_for()
    page.get_by_role("tab", name="Features").click()

    assert "plates/P1/P1_features.js is missing" in page.get_by_role("alert").inner_text()
    context.close()


def test_without_webgl_the_map_says_so_and_a_list_can_still_be_made(browser, drawn):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_init_script("HTMLCanvasElement.prototype.getContext = () => null")
    page.goto(f"{drawn.as_uri()}#view=map&color=m:plate")
    assert "needs WebGL" in page.get_by_role("alert").inner_text()
    page.get_by_label("Add wells with plate").select_option("P2&")
    page.get_by_role("button", name="Add", exact=True).click()

    assert page.get_by_role("heading", name="The list: 24 wells").is_visible()
    context.close()


VIEWS = [
    "view=plates",
    "view=plate&plate=P1%26&well=A02&tab=features",
    "view=plate&plate=P1%26&well=A02&tab=cells",
    "view=map",
    "view=list&list=P1%2526%252FA02",
]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_and_everything_that_can_be_used_has_a_name(view, scheme):
    page = view(VIEWS[0], color_scheme=scheme)
    for words in VIEWS:
        page.evaluate("words => { location.hash = words; }", words)
        page.locator("main h2").first.wait_for()
        page.wait_for_timeout(150)
        unnamed = page.evaluate(
            """() => Array.from(document.querySelectorAll('button, a, input, select, [role=img]'))
                 .filter((it) => !(it.textContent.trim() || it.getAttribute('aria-label') || it.labels?.length))
                 .map((it) => it.outerHTML)"""
        )

        assert page.evaluate(CONTRAST) == []
        assert unnamed == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 1400


def test_a_well_prints_without_what_is_for_a_screen(view, tmp_path):
    page = view("view=plate&plate=P1%26&well=A02&tab=features", color_scheme="dark")
    page.locator(".changes li").first.wait_for()
    page.emulate_media(media="print")

    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator(".top nav").is_visible()
    assert page.locator(".changes li").last.is_visible()
    assert page.pdf(path=tmp_path / "well.pdf").startswith(b"%PDF")


def test_nothing_is_wider_than_a_narrow_window(view):
    page = view(VIEWS[1])
    page.set_viewport_size({"width": 420, "height": 800})
    for words in VIEWS:
        page.evaluate("words => { location.hash = words; }", words)
        page.wait_for_timeout(100)

        assert page.evaluate("document.documentElement.scrollWidth") <= 420
