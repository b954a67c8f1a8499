"""What the README and the tutorials let a reader type, typed into a shell beside four wells of the demo."""

from __future__ import annotations

import csv
import gzip
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.toolkit import REPOSITORY
from tests.unit import code_blocks

pytestmark = pytest.mark.engine("process")

OWN = (".git", ".venv", "data_root", "luigi.cfg", "site")
"""What a reader's clone has for itself."""
TYPED = ("README.md", "docs/first_plate.md", "docs/own_plate.md")
LAB = "lab_data/mylab/microscope_1/workspace"
MARK = "@@@ block "
ROW = re.compile(r"^\| (`\w+`(?:, `\w+`)*) \|.*?\| (\d+) \| (\d+) \| (\d+) \|", re.MULTILINE)


@pytest.fixture(scope="module")
def clone(cut, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's clone in which the demo was run, by the process engine: of one plate, with four wells."""
    folder = tmp_path_factory.mktemp("clone")
    for path in REPOSITORY.iterdir():
        if path.name not in OWN:
            (folder / path.name).symlink_to(path)
    (folder / ".venv").symlink_to(sys.prefix)
    settings = (REPOSITORY / "luigi.cfg").read_text(encoding="utf-8").replace("engine = auto", "engine = process")
    (folder / "luigi.cfg").write_text(settings.replace("; audit_sites = 1", "audit_sites = 0"), encoding="utf-8")
    assert cut[1].returncode == 0, cut[1].stderr[-3000:]
    shutil.copytree(cut[0].root, folder / "data_root")
    return folder


def typed(page: str, clone: Path) -> dict[str, str]:
    """Type the blocks of a page into one shell, as they are; return what each printed. The first that fails ends it."""
    blocks = [block for block in code_blocks.of(page) if block.runs]
    script = "".join(f"echo; echo '{MARK}{block}'\n{block.text}" for block in blocks)
    environment = {name: value for name, value in os.environ.items() if name != "LUIGI_CONFIG_PATH"}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    said = [part.partition("\n") for part in done.stdout.split(MARK)[1:]]
    told = {title: text for title, _, text in said if title in map(str, blocks)}
    assert len(told) == len(blocks)
    return told


def test_no_other_page_has_a_block_that_nothing_runs() -> None:
    blocks = [block for page in code_blocks.PAGES for block in code_blocks.of(page) if block.runs]

    assert {block.page for block in blocks} == {*TYPED}


def test_what_the_readme_lets_you_type_works(clone: Path) -> None:
    (printed,) = typed("README.md", clone).values()

    assert "normalize/DEMO000001 is complete" in printed


def test_the_first_tutorial_works(clone: Path) -> None:
    asked, changed, again, traced = typed("docs/first_plate.md", clone).values()

    assert "normalize/DEMO000001 is complete" in asked
    assert re.search("normalize/DEMO000001 is stale.*method", changed.replace("\n", " "))
    assert "normalize/DEMO000001: done in" in again
    assert "measure/DEMO000001" not in again
    assert "measure" in traced


def test_the_tutorial_of_a_plate_of_ones_own_works(clone: Path) -> None:
    typed("docs/own_plate.md", clone)
    with gzip.open(clone / LAB / "profiles/screen_1/00042/00042_normalized_feature_select_plate.csv.gz", "rt") as lines:
        rows = list(csv.DictReader(lines))

    assert [row["Metadata_Plate"] for row in rows] == ["00042"] * 4
    assert (clone / LAB / "quality_control/screen_1/00042/sample/00042_sample.png").is_file()


def test_the_page_of_features_counts_them_right(cut) -> None:
    columns = cut[0].profiles("DEMO000001", "").columns
    found = Counter(tuple(name.split("_")[:2]) for name in columns)
    page = (REPOSITORY / "docs/features.md").read_text(encoding="utf-8")
    families = {tuple(re.findall(r"\w+", row[0])): tuple(map(int, row[1:])) for row in ROW.findall(page)}
    counted = {
        names: tuple(sum(found[part, name] for name in names) for part in ("Cells", "Cytoplasm", "Nuclei"))
        for names in families
    }

    assert families == counted
    assert sum(map(sum, families.values())) == sum(not name.startswith("Metadata_") for name in columns)
