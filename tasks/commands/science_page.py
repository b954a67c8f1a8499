"""Write the tables of docs/science.md from the published numbers: `python -m tasks.commands.science_page`."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tasks.commands.markdown import table
from tasks.dataset import catalogue
from tasks.dataset.layout import REPOSITORY

PUBLISHED = REPOSITORY / "data" / "cpjump1" / "published_benchmark.toml"
TASKS = ("replicability", "matching", "gene_compound_matching")
FOUR_PLATES = "compound_U2OS_long"
OURS = {
    ("replicability", FOUR_PLATES): ("202 of 306 (.660)", "all 306 values equal, mean 0.496"),
    ("matching", FOUR_PLATES): ("70 of 279 (.251)", "all 421 values equal, mean 0.110"),
}
"""What we got from the four published plates that are at hand: of the final definition, and of that of 2022."""
PAGE = REPOSITORY / "docs" / "science.md"
PART = re.compile(r"(<!-- (batches|groups) -->\n).*?(<!-- end -->)", re.DOTALL)


def page() -> str:
    """Return the page with its tables made anew."""
    published = tomllib.loads(PUBLISHED.read_text(encoding="utf-8"))
    head = ["task", "group", "labels", "fraction retrieved, published", "ours", "mAP, published", "ours"]
    made = {
        "batches": table(["batch", "plate acquisitions", "images"], _batches()),
        "groups": table(head, (row for task in TASKS for row in _groups(task, published[task]))),
    }
    return PART.sub(lambda part: f"{part[1]}\n{made[part[2]]}\n{part[3]}", PAGE.read_text(encoding="utf-8"))


def _batches() -> Iterator[list[str]]:
    plates: Counter[str] = Counter()
    images: Counter[str] = Counter()
    for each in catalogue.cpjump1():
        plates[each.batch] += 1
        images[each.batch] += int(each.conditions[catalogue.IMAGES])
    for batch, count in plates.items():
        yield [batch, f"{count}", f"{images[batch]:,}"]


def _groups(task: str, groups: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    for name, group in groups.items():
        fractions = " / ".join(f"{fraction:.3f}".lstrip("0") for fraction in dict.fromkeys(group["fr"]))
        ours = OURS.get((task, name), ("not run", "not run"))
        yield [task.replace("_", " "), name, f"{group['labels']}", fractions, ours[0], f"{group['map']:.3f}", ours[1]]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
