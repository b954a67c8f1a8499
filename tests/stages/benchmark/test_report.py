"""The report is one page that holds all it shows: small enough, escaped, the same each time."""

from __future__ import annotations

import base64
import io
import json
import re

import pytest
from PIL import Image

from tests.stages.benchmark.drawn_record import EVIL, DrawnRecord

PLAIN = DrawnRecord()


@pytest.fixture
def page(program, tmp_path):
    """Return a function that writes the report of a drawn batch: (the page's text, Outcome)."""
    count = iter(range(100))

    def write(drawn: DrawnRecord = PLAIN, without: tuple[str, ...] = ()):
        (folder := tmp_path / f"drawn_{next(count)}").mkdir()
        flags = drawn.write(folder)
        if without:
            for name in without:
                flags[name] = []
            record = drawn.record({name: paths for name, paths in flags.items() if name != "record"})
            record["shown"] |= dict.fromkeys(without, [])
            (folder / "record.json").write_text(json.dumps(record))
        done = program("report", plate="B", **flags, write_report="B_report.html")
        path = done.folder / "B_report.html"
        return (path.read_text() if path.exists() else ""), done

    return write


def test_it_asks_nothing_of_any_network(page):
    text, done = page()
    addresses = set(re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([a-zA-Z]+:|//)""", text))

    assert done.code == 0, done.stderr
    assert addresses <= {"data:"}
    assert "default-src 'none'" in text
    assert "http://www.w3.org/2000/svg" in text  # a name, not an address, and the only one
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text)


@pytest.mark.parametrize("word", [EVIL, "</style></script>", "{{ 7 * 7 }}", "ünïcödé\u202e", "a" * 4000])
def test_words_from_outside_stay_words(page, word):
    text, done = page(DrawnRecord(word=word))
    own = text.count("<script")

    assert done.code == 0, done.stderr
    assert own == 1
    assert "{{ 7 * 7 }}" in text or "49 c0" not in text
    assert "<script>window.broken" not in text
    assert not re.search(r"</style></script>", text.split("</style>", 1)[1].split("<script>")[0])


def test_fifty_one_plates_of_large_pictures_take_less_than_ten_megabytes(page):
    plates = tuple(f"BR{number:08d}" for number in range(51))
    text, done = page(DrawnRecord(plates=plates, labels=300, picture=(1500, 1000)))
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(each))) for each in re.findall(r"data:image/webp;base64,([^\"]+)", text)
    ]

    assert done.code == 0, done.stderr
    assert 1_000_000 < len(text.encode()) < 10_000_000
    assert len(pictures) == 2 * 51
    assert min(picture.width for picture in pictures) >= 300
    assert done.warnings == []


def test_a_small_batch_has_large_pictures(page):
    text, _ = page(DrawnRecord(picture=(1600, 900)))
    found = re.findall(r"data:image/webp;base64,([^\"]+)", text)

    assert {Image.open(io.BytesIO(base64.b64decode(each))).size for each in found} == {(1600, 900)}


def test_the_same_results_give_the_same_bytes(page):
    assert page()[0] == page()[0]


def test_every_picture_has_words_and_every_table_a_caption(page):
    text, _ = page()
    body = text.split("</style>", 1)[1].rsplit("<script>", 1)[0]
    pictures = re.findall(r"<img\b[^>]*>", body)

    assert (
        len([each for each in pictures if not re.search(r'alt="[^"]{15,}"', each)]) == 1
    )  # the dialog's, filled later
    assert body.count("<table") == body.count("<caption>") > 5
    assert [int(level) for level in re.findall(r"<h([1-6])", body)][0] == 1
    levels = [int(level) for level in re.findall(r"<h([1-6])", body)]
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


def test_what_failed_stands_there_with_its_reason(page):
    text, _ = page(DrawnRecord(word="gone"))

    assert "Not all is well" in text
    for said in ("no cells gone", "cut image gone", "quarantined", "error: gone", "dead column gone", "beware gone"):
        assert said in text


def test_a_batch_without_pictures_and_benchmark_has_a_report_too(page):
    kinds = ("pictures", "montage", "summary", "comparison", "figures")
    kinds += ("replicability_map", "matching_map", "gene_compound_matching_map")
    text, done = page(without=kinds)

    assert done.code == 0, done.stderr
    assert 'id="benchmark"' not in text
    assert "quality control has not been run" in text
    assert 'id="stage-measure"' in text


def test_files_that_the_record_does_not_list_are_an_error(program, tmp_path):
    flags = DrawnRecord().write(tmp_path)
    done = program("report", plate="B", **{**flags, "montage": flags["montage"][:1]}, write_report="B_report.html")

    assert done.code == 65
    assert "record.json: it lists 2 files of montage, and 1 are given" in done.stderr
