"""The report in a real browser, without a network: it is opened, clicked, typed into, and looked at by its numbers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.engines import report as engines
from tests.stages.benchmark.conftest import run_program
from tests.stages.benchmark.drawn_record import EVIL, DrawnRecord

pytestmark = pytest.mark.engine("chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as player:
        chromium = player.chromium.launch(
            executable_path=engines.browser(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def written(benchmark_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a report whose words would run, were they not escaped."""
    folder = tmp_path_factory.mktemp("report")
    flags = DrawnRecord(word=EVIL, labels=12).write(folder)
    done = run_program(benchmark_python, folder / "run", "report", **flags, write_report="B_report.html")
    assert done.code == 0, done.stderr
    return done.folder / "B_report.html"


@pytest.fixture
def page(browser, written) -> Iterator[Page]:
    """Open the report; a message on the console, an error or a request to a network fails the test."""
    context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
    opened, wrong = context.new_page(), []
    opened.on("console", lambda message: wrong.append(message.text))
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else wrong.append(asked.url))
    opened.goto(written.as_uri())
    yield opened
    context.close()
    assert wrong == []


def column(page: Page, table: str, number: int) -> list[str]:
    """Return the texts of a column's visible rows."""
    rows = page.locator(f"#{table} tbody tr:visible")
    return [row.locator("th, td").nth(number).inner_text() for row in rows.all()]


def test_nothing_from_outside_runs(page):
    assert page.evaluate("window.broken") is None
    assert EVIL in page.locator("#plate-table tbody tr").first.inner_text()


def test_the_summary_fits_one_screen_and_nothing_is_wider_than_the_window(page):
    for width in (1280, 400):
        page.set_viewport_size({"width": width, "height": 900})

        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": 1280, "height": 900})
    box = page.locator("#summary").bounding_box()
    assert box["y"] + box["height"] <= 900


def test_a_click_sorts_and_a_second_one_turns_the_order(page):
    head = page.locator("#benchmark-1-labels thead th").nth(3)
    orders = []
    for said in ("ascending", "descending"):
        head.locator("button").click()
        orders.append([float(text) for text in column(page, "benchmark-1-labels", 3)])

        assert head.get_attribute("aria-sort") == said
    assert orders[0] == sorted(orders[0])
    assert orders[1] == sorted(orders[0], reverse=True)
    assert len(set(orders[0])) > 10


def test_a_filter_leaves_the_rows_with_all_its_words(page):
    page.locator("[data-filters=benchmark-1-labels]").fill("orf  YES")
    shown = page.locator("#benchmark-1-labels tbody tr:visible").all_inner_texts()
    said = page.locator("[data-counts=benchmark-1-labels]").inner_text()
    dimmed = page.locator(".dot.dim").count()

    assert 0 < len(shown) < 12
    assert all("ORF" in row and "yes" in row for row in shown)
    assert said == f"{len(shown)} of 96 rows"
    assert dimmed == page.locator(".dot").count() - len(shown) / 2  # of two tasks, one is drawn


def test_a_picture_is_enlarged_by_a_click_and_by_the_keyboard(page):
    button = page.locator(".picture").first
    dialog, small = page.locator("dialog"), button.bounding_box()
    for enlarge in (button.click, lambda: button.press("Enter")):
        enlarge()
        shown = dialog.locator("img")

        assert dialog.is_visible()
        assert shown.get_attribute("alt") == button.locator("img").get_attribute("alt")
        assert shown.bounding_box()["width"] > 1.5 * small["width"]
        page.keyboard.press("Escape")
        assert not dialog.is_visible()
    assert page.evaluate("document.activeElement.className") == "picture"


def test_every_picture_is_one(page):
    wide = page.locator(".picture img").evaluate_all(
        """pictures => Promise.all(pictures.map(async (it) => {
             await it.decode(); return it.naturalWidth; }))"""
    )

    assert len(wide) == 8
    assert min(wide) > 0


def test_the_labels_of_the_scatter_are_named_by_pointer_and_by_arrow_keys(page):
    panel, told = page.locator(".panel").first, page.locator(".told")
    panel.scroll_into_view_if_needed()
    panel.locator(".dot").nth(3).hover(force=True)
    pointed = told.inner_text()
    panel.focus()
    page.keyboard.press("ArrowRight")
    stepped = told.inner_text()

    assert EVIL in pointed
    assert "mean average precision 0." in pointed
    assert stepped != pointed
    assert page.locator(".dot.now").count() == 1


def test_a_dot_lies_where_its_row_says(page):
    places = "dots => dots.map((dot) => [Number(dot.getAttribute('cx')), Number(dot.getAttribute('cy'))])"
    dots = page.locator(".panel").first.locator(".dot").evaluate_all(places)
    rows = [row.split("\t") for row in page.locator("#benchmark-1-labels tbody tr").all_inner_texts()]
    own = sorted(((float(row[3]), float(row[4])) for row in rows[:12]), reverse=True)
    (x0, y0), (x1, y1) = dots[0], dots[-1]
    across, down = (x1 - x0) / (own[-1][0] - own[0][0]), (y1 - y0) / (own[-1][1] - own[0][1])

    assert len(dots) == 12
    assert across > 0 > down
    for (mean, q), (x, y) in zip(own, dots, strict=True):
        assert x - x0 == pytest.approx(across * (mean - own[0][0]), abs=0.5)
        assert y - y0 == pytest.approx(down * (q - own[0][1]), abs=0.5)


def test_the_keyboard_reaches_the_content_first_and_sees_where_it_is(page):
    page.keyboard.press("Tab")
    skip = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")

    assert skip == "Skip to the content"
    assert page.url.endswith("#main")
    assert outline == "solid"


CONTRAST = """() => {
  const light = (part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const shade = (css) => {
    const [r, g, b] = css.match(/[\\d.]+/g).slice(0, 3).map((part) => light(part / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (it) => {
    for (; it; it = it.parentElement) {
      const own = getComputedStyle(it).backgroundColor;
      if (!/, 0\\)$/.test(own)) return own;
    }
    return 'rgb(255, 255, 255)';
  };
  const speaks = (it) => Array.from(it.childNodes).some((each) => each.nodeType === 3 && each.textContent.trim());
  const low = [];
  for (const it of document.querySelectorAll('body *:not(script):not(svg):not(svg *)')) {
    if (!speaks(it) || !it.checkVisibility()) continue;
    const [one, other] = [shade(getComputedStyle(it).color), shade(ground(it))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    if (ratio < 4.5) low.push([it.tagName, it.className, ratio]);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(page, scheme):
    page.emulate_media(color_scheme=scheme)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert page.evaluate(CONTRAST) == []
    assert (ground == "rgb(255, 255, 255)") is (scheme == "light")


def test_print_shows_all_but_what_is_for_a_screen(page, tmp_path):
    page.emulate_media(media="print", color_scheme="dark")

    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert not page.locator("nav").is_visible()
    assert not page.locator("input").first.is_visible()
    assert page.locator("#plate-table tbody tr").last.is_visible()
    assert page.locator("#benchmark-1-labels tbody tr:visible").count() == 40
    printed = page.pdf(path=tmp_path / "report.pdf")
    assert printed.startswith(b"%PDF")


def test_the_graph_lights_what_a_stage_reads_and_hands_on(page):
    page.locator(".graph a[data-stage=aggregate]").focus()
    lit = page.locator(".arrow.lit").evaluate_all("arrows => arrows.map((it) => [it.dataset.from, it.dataset.to])")

    assert sorted(lit) == [["aggregate", "annotate"], ["measure", "aggregate"]]


def test_the_sum_stays_below_its_plates_however_they_are_sorted_and_under_their_numbers(page):
    head = page.locator("#used-table thead button").nth(2)
    for _ in range(2):
        head.click()
        last = page.locator("#used-table tr").last
        assert last.locator("th").inner_text() == "all"
    edges = page.evaluate(
        """() => ['tbody', 'tfoot'].map((part) => {
             const range = document.createRange();
             range.selectNodeContents(document.querySelector(`#used-table ${part} tr`).cells[2]);
             return Math.round(range.getBoundingClientRect().right); })"""
    )

    assert edges[0] == edges[1]


def test_without_a_script_all_numbers_are_there(browser, written):
    context = browser.new_context(offline=True, java_script_enabled=False)
    page = context.new_page()
    page.goto(written.as_uri())

    assert page.locator("#benchmark-1-labels tbody tr").count() == 96
    assert page.locator(".timeline .bar").count() == 14
    context.close()


def test_everything_that_can_be_used_has_a_name_and_ids_are_unique(page):
    unnamed = page.evaluate(
        """() => Array.from(document.querySelectorAll('button, a, input, select, [role=img], dialog')).filter((it) =>
             !(it.textContent.trim() || it.getAttribute('aria-label') || it.labels?.length)).length"""
    )
    ids = page.evaluate("Array.from(document.querySelectorAll('[id]'), (it) => it.id)")

    assert unnamed == 0
    assert page.evaluate("document.documentElement.lang") == "en"
    assert len(ids) == len(set(ids))
