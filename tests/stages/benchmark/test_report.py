"""The report is one page that holds all it shows: small enough, escaped, the same each time."""

from __future__ import annotations

import base64
import io
import json
import re

import pytest
import usage  # found on the path that conftest.py has laid
from PIL import Image

from tests.stages.benchmark.drawn_record import CHAIN, EVIL, FIGURE, DrawnRecord

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


def sizes(text: str) -> list[tuple[int, int]]:
    """Return the sizes of the plates' pictures; the drawn figures are smaller than any."""
    found = re.findall(r"data:image/webp;base64,([^\"]+)", text)
    opened = [Image.open(io.BytesIO(base64.b64decode(each))).size for each in found]
    return [size for size in opened if size != FIGURE]


def test_fifty_one_plates_of_large_pictures_take_less_than_ten_megabytes(page):
    plates = tuple(f"BR{number:08d}" for number in range(51))
    text, done = page(DrawnRecord(plates=plates, labels=300, picture=(1500, 1000)))

    assert done.code == 0, done.stderr
    assert 1_000_000 < len(text.encode()) < 10_000_000
    assert len(sizes(text)) == 2 * 51
    assert min(width for width, _ in sizes(text)) >= 300
    assert done.warnings == []


def test_a_small_batch_has_large_pictures(page):
    assert sizes(page(DrawnRecord(picture=(1600, 900)))[0]) == [(1600, 900)] * 4


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


def test_a_plate_with_cells_and_without_quality_control_is_shown_so(page):
    text, _ = page(without=("pictures", "summary"))

    assert text.count("quality control has not been run") == 2
    assert len(sizes(text)) == 2


def test_what_failed_stands_there_with_its_reason(page):
    text, _ = page(DrawnRecord(word="gone"))

    assert "Not all is well" in text
    for said in ("no cells gone", "cut image gone", "quarantined", "error: gone", "dead column gone", "beware gone"):
        assert said in text


def test_a_plate_that_was_not_finished_says_at_which_stage(page):
    text, _ = page(without=("summary",))
    row = re.search(rf'<tr><th scope="row">(?:<a [^>]*>)?{PLAIN.plates[0]}\b.*?</tr>', text, re.DOTALL)[0]

    assert "<td>failed at measure</td>" in row


def test_a_batch_without_pictures_and_benchmark_has_a_report_too(page):
    kinds = ("pictures", "montage", "summary", "comparison", "figures", "feature_sets", "dose_response", "dose_figures")
    kinds += ("replicability_map", "matching_map", "gene_compound_matching_map")
    text, done = page(without=kinds)

    assert done.code == 0, done.stderr
    assert 'id="benchmark"' not in text
    assert 'class="plate"' not in text
    assert all(f'<th scope="row">{plate}</th>' in text for plate in PLAIN.plates)
    assert 'id="stage-measure"' in text


def test_files_that_the_record_does_not_list_are_an_error(program, tmp_path):
    flags = DrawnRecord().write(tmp_path)
    done = program("report", plate="B", **{**flags, "montage": flags["montage"][:1]}, write_report="B_report.html")

    assert done.code == 65
    assert "record.json: it lists 2 files of montage, and 1 are given" in done.stderr


def cells(text: str, table: str) -> list[list[str]]:
    """Return the rows of a table, those of its sums too, without its heads."""
    (found,) = re.findall(rf'<table id="{table}".*?</table>', text, re.DOTALL)
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in found.split("<tr")[2:]]
    return [[re.sub(r"<[^>]+>", "", cell) for cell in row] for row in rows]


def test_what_the_jobs_used_is_told_by_stage_and_by_plate_with_its_sum(page):
    """Slowly: eight core-seconds for each second of a run, of a two-dollar core-hour."""
    text, _ = page(DrawnRecord(word="U2OS"))
    core_hours = sum(8 * seconds for *_, seconds in CHAIN) / 3600
    stages = {row[0]: row for row in cells(text, "stage-table")}
    measure = next(seconds for stage, *_, seconds in CHAIN if stage == "measure")
    both = 2 * 8 * measure / 3600
    alone, together = (f"{core_hours:.2f}", f"{2 * core_hours:.2f}")

    assert stages["measure"][7:11] == ["4", f"{both:.2f}", f"{2 * both:.2f}", "1.50"]
    assert cells(text, "used-table") == [
        *([plate, str(2 * len(CHAIN)), alone, f"{2 * core_hours:.2f}", "1.50"] for plate in PLAIN.plates),
        ["all", str(4 * len(CHAIN)), together, f"{4 * core_hours:.2f}", "1.50"],
    ]
    assert "A core-hour: 2 dollars (the price of U2OS)" in text


def run_that_used(subject: str, is_plate: bool = True, **used: float) -> dict:
    return {"subject": subject, "is_plate": is_plate, "used": used}


def test_what_was_made_jointly_has_a_row_of_its_own_and_a_plate_without_a_result_none():
    runs = [
        run_that_used("P1", jobs=1, seconds=3600.0),  # of an older manifest, which tells no cores
        run_that_used("P1", jobs=2, seconds=1.0, core_seconds=1800.0, peak_memory_gb=3.0),
        run_that_used("P2"),  # nothing told
        run_that_used("all", is_plate=False, jobs=1, seconds=1.0, core_seconds=360.0, peak_memory_gb=1.0),
    ]
    plates = [{"plate": name} for name in ("P1", "P2", "P3")]
    rows = usage.plates({"rate": {"dollars_per_core_hour": 10.0}, "plates": plates, "runs": runs})
    told = [(row["plate"], row["jobs"], round(row["core_hours"], 9), row["peak_gb"]) for row in rows]

    assert told == [("P1", 3, 1.5, 3.0), ("P2", 0, 0.0, None), (usage.JOINTLY, 1, 0.1, 1.0)]
    assert [round(row["dollars"], 9) for row in rows] == [15.0, 0.0, 1.0]


@pytest.mark.parametrize(
    ("whole", "digits"), [(0.0, 2), (9.1, 2), (400.0, 2), (0.99, 3), (0.056, 4), (0.0014, 5), (1e-12, 6)]
)
def test_a_small_sum_is_shown_with_more_decimals(whole, digits):
    assert usage.decimals(whole) == digits


@pytest.mark.parametrize("doubts", [[], ["suspicious cells: nuclei are 8 px wide. Set [cells] pixel_um"]])
def test_suspicious_cells_are_told_and_all_is_not_well(program, tmp_path, doubts):
    flags = PLAIN.write(tmp_path)
    record = PLAIN.record({name: paths for name, paths in flags.items() if name != "record"})
    record["unfinished"] = []
    for run in record["runs"]:
        run["units"] = {"ok": 9}
        run["facts"] = {"suspicious": doubts} if run["stage"] == "measure" and run["subject"] == "P1" else {}
    (tmp_path / "record.json").write_text(json.dumps(record))
    done = program("report", plate="B", **flags, write_report="B_report.html")
    text = (done.folder / "B_report.html").read_text()

    assert done.code == 0, done.stderr
    assert ("Suspicious cells:" in text) == bool(doubts)
    assert all(doubt in text for doubt in doubts)
    assert not (doubts and "All is well" in text)
