"""The plate explorer's page in a real browser, from a disk, without a network: a whole walk, on a drawn batch."""

from __future__ import annotations

import numpy as np
import pytest

from tests.stages.explorer.drawn_explorer import EVIL
from tests.stages.explorer.opened_page import (  # noqa: F401
    fixture_browser,
    fixture_drawn,
    fixture_view,
    numbers,
    saved,
    values_on_disk,
    well,
)

pytestmark = pytest.mark.engine("chromium")


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
