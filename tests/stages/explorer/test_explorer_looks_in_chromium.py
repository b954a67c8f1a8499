"""What the explorer's page shows is where it should be, readable, and there where something is missing."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image

from tests.stages.benchmark.test_report_in_chromium import CONTRAST
from tests.stages.explorer.drawn_explorer import DrawnExplorer
from tests.stages.explorer.opened_page import decoded, fixture_browser, fixture_drawn, fixture_view, well  # noqa: F401

pytestmark = pytest.mark.engine("chromium")


def test_brightness_makes_white_what_lies_above_it_and_the_link_holds_it(view):
    page = view("view=plate&plate=P1%26&well=A02")
    page.get_by_role("slider", name="DNA: white").fill("100")
    page.get_by_role("button", name="Show DNA alone").click()
    gain = float(page.locator("#channel-0 feColorMatrix").get_attribute("values").split()[0])

    assert gain == pytest.approx(2.55, abs=0.001)
    assert "DNA%253A0%253A100" in page.url


def test_transmitted_light_is_off_until_it_is_wanted_and_the_link_holds_it(view, tmp_path):
    index = DrawnExplorer(plates=1, rows=1, columns=4, features=20, cells=False, sites=1).write(tmp_path)
    for path, name in ((tmp_path / "batch.js", '"name": "{}"'), (tmp_path / "plates/P1/P1_plate.js", '"{}": "images')):
        text = path.read_text()
        path.write_text(text.replace(name.format("Mito"), name.format("BFHigh")))
    page = view("view=plate&plate=P1&well=A02", index)
    page.locator(".viewport .layer").first.wait_for()
    shown = "all => all.map((it) => it.dataset.channel)"
    at_first = page.locator(".viewport .layer").evaluate_all(shown)
    page.get_by_role("checkbox", name="BFHigh").check()
    page.locator(".viewport .layer[data-channel=BFHigh]").wait_for()
    again = view(page.url.partition("#")[2], index)
    again.locator(".viewport .layer").first.wait_for()

    assert at_first == ["DNA", "ER", "RNA", "AGP"]
    assert again.locator(".viewport .layer").evaluate_all(shown) == [*at_first, "BFHigh"]
    again.get_by_role("button", name="Reset").click()
    assert again.locator(".viewport .layer").evaluate_all(shown) == at_first


def test_a_wells_figures_of_channels_stand_in_a_table(view, tmp_path):
    index = DrawnExplorer(plates=1, rows=1, columns=4, features=20, cells=False, pictures=False).write(tmp_path)
    for path in (tmp_path / "batch.js", tmp_path / "plates/P1/P1_plate.js"):
        path.write_text(path.read_text().replace('"blur"', '"blur_ER"'))
    page = view("view=plate&plate=P1&well=A02", index)
    page.get_by_text("What the layout and quality control say").click()

    assert page.locator(".about .figures thead th").all_inner_texts() == ["ER"]
    assert page.locator(".about .figures tbody th").all_inner_texts() == ["blur"]
    assert page.locator(".about dt").all_inner_texts() == ["broad sample", "dose um", "count cells"]


def test_a_near_perturbation_bears_what_a_person_calls_it(view, tmp_path):
    index = DrawnExplorer(plates=1, rows=1, columns=4, features=20, cells=False, pictures=False).write(tmp_path)
    batch = tmp_path / "batch.js"
    batch.write_text(batch.read_text().replace('"dose": "dose_um"', '"label": "control_type"'))
    page = view("view=plate&plate=P1&well=A02&tab=nearest", index)
    page.locator(".near").wait_for()

    assert "DMSO negcon" in page.locator(".near tbody th").all_inner_texts()


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
        # A number of several lines reads as several numbers.
        assert page.locator(".figures td").evaluate_all("all => all.every((it) => it.clientHeight < 30)")
