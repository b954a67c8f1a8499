"""The summary of all plates: each set writes the rows of its own plates, and nobody else's are lost."""

from __future__ import annotations

import csv
import threading
from pathlib import Path

import pytest

from tasks.dataset.layout import Layout
from tasks.errors import PublishError
from tasks.results import manifest, quality_summary
from tasks.results.store.store import LocalStore
from tasks.stage_tasks.plate_set import BatchTask
from tasks.workflow.profiles import QualityControl
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, PLATE, make_manifest, make_task

COLUMNS = quality_summary.COLUMNS


@pytest.fixture
def layout(luigi_cfg: LoadSettings) -> Layout:
    return luigi_cfg("")


def publish(layout: Layout, batch: str, name: str, wells: dict[str, int], started: str = "2026-01-01") -> Path:
    """Publish a set's own table, with a column more than the resource's."""
    path = layout.published_of_set("quality_control", batch) / f"{name}_summary.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as lines:
        table = csv.writer(lines, delimiter="\t")
        table.writerow([*COLUMNS, "Faults"])
        table.writerows([batch, plate, count, 8, 9, "0.005", "low count"] for plate, count in wells.items())
    made = make_manifest({"summary": path}, layout.root, "quality_control", batch=batch, plate=name, started=started)
    place = layout.manifest("quality_control", batch, name)
    place.parent.mkdir(parents=True, exist_ok=True)
    manifest.write(place, made)
    return path


def told(layout: Layout) -> dict[tuple[str, str], str]:
    with open(layout.quality_summary, newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {(row["Batch_Name"], row["Plate_Name"]): row["Well_Count"] for row in rows}


def test_it_lies_where_the_resource_has_it_with_its_columns(layout: Layout, real_data: Path) -> None:
    publish(layout, "B1", "B1", {"P1": 384})
    quality_summary.tell(layout, LocalStore(layout.trash))

    published = (real_data / "metadata/quality_control_summary.tsv").read_text().splitlines()[0]
    assert layout.quality_summary.relative_to(layout.dataset).as_posix() == (
        "workspace/quality_control/summary/summary.tsv"
    )
    assert layout.quality_summary.read_text().splitlines()[0] == published


def test_sets_and_batches_stand_beside_each_other(layout: Layout) -> None:
    publish(layout, "B2", "B2", {"P1": 192})
    quality_summary.tell(layout, LocalStore(layout.trash))
    publish(layout, "B1", "one", {"P2": 383, "P1": 384})
    publish(layout, "B1", "two", {"P3": 381})
    quality_summary.tell(layout, LocalStore(layout.trash))

    expected = {("B1", "P1"): "384", ("B1", "P2"): "383", ("B1", "P3"): "381", ("B2", "P1"): "192"}
    assert told(layout) == expected
    assert list(told(layout)) == sorted(expected)


def test_of_a_plate_in_two_sets_the_later_word_holds(layout: Layout) -> None:
    publish(layout, "B1", "a", {"P1": 384}, started="2026-01-02")
    publish(layout, "B1", "b", {"P1": 383, "P2": 1}, started="2026-01-01")
    quality_summary.tell(layout, LocalStore(layout.trash))

    assert told(layout) == {("B1", "P1"): "384", ("B1", "P2"): "1"}


def test_rows_that_lie_there_stay(layout: Layout, real_data: Path) -> None:
    published = (real_data / "metadata/quality_control_summary.tsv").read_text()
    layout.quality_summary.parent.mkdir(parents=True)
    layout.quality_summary.write_text(published)
    publish(layout, "Mine", "Mine", {"P1": 96})
    publish(layout, "2020_11_04_CPJUMP1", "BR00116991", {"BR00116991": 7})
    quality_summary.tell(layout, LocalStore(layout.trash))

    theirs = published.splitlines()
    ours = layout.quality_summary.read_text().splitlines()
    assert sorted(set(theirs) - set(ours)) == ["2020_11_04_CPJUMP1\tBR00116991\t384\t8\t9\t0.0"]
    assert told(layout)["Mine", "P1"] == "96" and told(layout)["2020_11_04_CPJUMP1", "BR00116991"] == "7"


def test_it_is_told_only_while_it_says_what_the_sets_found(layout: Layout) -> None:
    assert not quality_summary.is_told(layout, LocalStore(layout.trash))
    publish(layout, "B1", "B1", {"P1": 384})
    quality_summary.tell(layout, LocalStore(layout.trash))
    assert quality_summary.is_told(layout, LocalStore(layout.trash))

    publish(layout, "B1", "B1", {"P1": 383})
    assert not quality_summary.is_told(layout, LocalStore(layout.trash))
    quality_summary.tell(layout, LocalStore(layout.trash))
    layout.quality_summary.unlink()
    assert not quality_summary.is_told(layout, LocalStore(layout.trash))


def test_another_table_in_its_place_is_named_and_left(layout: Layout) -> None:
    layout.quality_summary.parent.mkdir(parents=True)
    layout.quality_summary.write_text("Plate\tRemark\nP1\tmine\n")
    publish(layout, "B1", "B1", {"P1": 384})

    assert not quality_summary.is_told(layout, LocalStore(layout.trash))
    with pytest.raises(PublishError, match=r"summary\.tsv: .*needs the column Batch_Name.*correct it or move it away"):
        quality_summary.tell(layout, LocalStore(layout.trash))
    assert "mine" in layout.quality_summary.read_text()


def test_a_sets_table_that_was_damaged_is_named_and_hinders_no_other(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    publish(layout, "B1", "one", {"P1": 384}).write_text("P1")
    publish(layout, "B1", "two", {"P2": 384})
    quality_summary.tell(layout, LocalStore(layout.trash))

    assert told(layout) == {("B1", "P2"): "384"}
    assert "one_summary.tsv" in caplog.text


def test_sets_that_end_at_once_lose_no_row(layout: Layout) -> None:
    names = [f"P{number}" for number in range(20)]

    def end(name: str) -> None:
        publish(layout, "B1", name, {name: 384})
        quality_summary.tell(layout, LocalStore(layout.trash))

    threads = [threading.Thread(target=end, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {plate for _, plate in told(layout)} == set(names)


def test_quality_control_is_complete_once_its_rows_stand_there(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(layout, BATCH, BATCH, {PLATE: 384})
    monkeypatch.setattr(BatchTask, "complete", lambda task: True)
    task = make_task(QualityControl)
    assert not task.complete()
    assert [str(layout.quality_summary) in reason for reason in task.also_lacks()] == [True]
    task.run()

    assert task.complete()
    assert list(task.also_lacks()) == []
    assert told(layout) == {(BATCH, PLATE): "384"}
