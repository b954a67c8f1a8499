"""A release names its images by digest, says what was not checked, and is refused where it would be false."""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path

import pytest

from tasks.commands import release as releasing
from tasks.definitions import recipes
from tasks.errors import EngineError, RecipeError
from tasks.runtime.images import advisories, bill_of_materials, images, released
from tasks.runtime.images.advisories import Accepted
from tasks.runtime.images.released import Release, ReleasedImage
from tests.unit.conftest import forget

REFERENCE = "registry.example/lab/easel@sha256:1234"
TODAY = date(2026, 12, 1)
FLAW = {"id": "PYSEC-2026-7", "aliases": ["CVE-2026-7"], "fix_versions": ["2.1"]}
NUMPY = {"name": "numpy", "version": "2.0", "vulns": [FLAW]}
SIX = {"name": "six", "version": "1.17.0", "vulns": []}
SILENT = {"name": "uv", "skip_reason": "Dependency not found on PyPI and could not be audited: uv (0.13.9)"}


@pytest.fixture
def lock(containers: Path) -> Path:
    image = ReleasedImage(recipes.recipe_hash("easel"), "sha256:id", REFERENCE, "python:3.11@sha256:base")
    released.path().write_text(Release("1.2.0", "c0ffee", {"easel": image}).as_json())
    return released.path()


def test_a_release_is_read_as_it_was_written(lock: Path) -> None:
    found = released.read()

    assert found is not None
    assert (found.version, found.images["easel"].reference, found.platform) == ("1.2.0", REFERENCE, "linux/amd64")
    assert found.as_json() == lock.read_text()


def test_an_image_of_a_release_is_pulled_by_digest_from_the_registry_that_it_names(
    lock: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    held = {
        "Id": "sha256:id",
        "Config": {"Labels": {images.RECIPE_LABEL: recipes.recipe_hash("easel")}},
        "RepoDigests": ["elsewhere/easel@sha256:9", REFERENCE],
    }

    def docker(words: list[str], **how: object) -> subprocess.CompletedProcess[str]:
        asked.append(words)
        return subprocess.CompletedProcess(words, 0, json.dumps(held), "")

    monkeypatch.setattr(subprocess, "run", docker)

    assert images.pull("easel") == "sha256:id"
    assert asked[0] == ["docker", "pull", REFERENCE]
    assert images.read_lock()["easel"]["pushed"] == REFERENCE


def test_without_a_release_a_registry_must_be_named(containers: Path) -> None:
    with pytest.raises(EngineError, match="no released version.*--registry HOST/PATH.*images build easel"):
        images.pull("easel")


def test_an_image_of_programs_that_were_changed_since_the_release_is_refused(lock: Path) -> None:
    (lock.parent / "easel/paint.py").write_text("changed = True\n")
    forget()

    with pytest.raises(RecipeError, match="changed since release 1.2.0.*images build easel"):
        images.pull("easel")


def test_an_image_that_a_release_does_not_have_is_named_with_those_that_it_has(lock: Path) -> None:
    with pytest.raises(EngineError, match="release 1.2.0 has no image 'frame', only easel"):
        released.image("frame")


def test_a_release_has_no_variants(lock: Path) -> None:
    with pytest.raises(EngineError, match="no image of the variant cuda.*--variant cuda"):
        images.pull("easel", variant="cuda")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"images": {"easel": {"colour": 1}}}', '{"images": 3}'])
def test_a_spoilt_lock_of_a_release_is_an_error_with_the_way_out(text: str, lock: Path) -> None:
    lock.write_text(text)

    with pytest.raises(EngineError, match=r"released_images.json: it is no list of released images"):
        released.read()


def report(monkeypatch: pytest.MonkeyPatch, said: str, known: tuple[Accepted, ...] = ()) -> advisories.Report:
    """Return what is made of an answer of pip-audit."""
    done = subprocess.CompletedProcess([], 0, said, "requests.exceptions.ConnectionError: no route\n")
    monkeypatch.setattr(subprocess, "run", lambda *words, **how: done)
    return advisories.report(Path("requirements.lock"), known, TODAY)


def rows(*rows: dict[str, object]) -> str:
    return json.dumps({"dependencies": rows, "fixes": []})


def test_packages_that_the_advisory_source_does_not_know_were_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(monkeypatch, rows(SIX, SILENT))

    assert found.verdict == "not checked: 1 of 2 packages"
    assert list(found.not_checked) == ["uv"]


@pytest.mark.parametrize("said", ["", "Traceback", "{}"])
def test_an_advisory_source_that_does_not_answer_has_checked_nothing(
    said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = report(monkeypatch, said)

    assert found.verdict.startswith("not checked")
    assert "no route" in found.not_checked["requirements.lock"]


def test_an_advisory_source_that_hangs_has_checked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(words: list[str], **how: object) -> None:
        raise subprocess.TimeoutExpired(words, advisories.SECONDS)

    monkeypatch.setattr(subprocess, "run", hang)
    found = advisories.report(Path("requirements.lock"), (), TODAY)

    assert found.verdict.startswith("not checked")
    assert "900 seconds" in found.not_checked["requirements.lock"]


def test_a_known_vulnerability_is_named_with_the_version_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(monkeypatch, rows(NUMPY, SIX))

    assert dict(found.found) == {"numpy 2.0: PYSEC-2026-7": "2.1"}
    assert found.verdict == "1 known vulnerabilities: numpy 2.0: PYSEC-2026-7"


@pytest.mark.parametrize("advisory", ["PYSEC-2026-7", "CVE-2026-7"])
def test_what_is_accepted_by_any_of_its_names_does_not_stop_a_release_and_is_counted(
    advisory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = report(monkeypatch, rows(NUMPY, SIX), (Accepted(advisory, "numpy", "not reached", TODAY),))

    assert found.verdict == "none known of 2 packages, 1 accepted"


@pytest.mark.parametrize(
    "known",
    [
        Accepted("PYSEC-2026-7", "numpy", "over", date(2026, 11, 30)),
        Accepted("PYSEC-2026-7", "six", "of another package", TODAY),
        Accepted("PYSEC-2026-8", "numpy", "another advisory", TODAY),
    ],
    ids=lambda known: known.reason,
)
def test_nothing_else_is_accepted(known: Accepted, monkeypatch: pytest.MonkeyPatch) -> None:
    assert report(monkeypatch, rows(NUMPY), (known,)).found


def test_an_ill_formed_table_of_accepted_advisories_is_an_error(tmp_path: Path) -> None:
    table = tmp_path / "accepted.toml"
    table.write_text("[[accepted]]\nadvisory = 'X'\n")

    with pytest.raises(
        EngineError, match=r"accepted.toml.*each \[\[accepted\]\] has advisory, package, reason and until"
    ):
        advisories.accepted(table)


def test_the_projects_own_table_of_accepted_advisories_is_well_formed() -> None:
    assert all(isinstance(each.until, date) for each in advisories.accepted())


def test_a_bill_of_materials_has_every_package_of_a_lock(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("numpy==2.4.6 \\\n    --hash=sha256:0\n    # via x\nTorch[extra]==2.13.0+cpu ; marker\n")

    assert [str(each.purl) for each in bill_of_materials.python_packages(lock)] == [
        "pkg:pypi/numpy@2.4.6",
        "pkg:pypi/torch@2.13.0%2Bcpu",
    ]


@pytest.fixture
def clone(tmp_path: Path, containers: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with one commit, in which a release may be made."""
    folder = tmp_path / "clone"
    folder.mkdir()
    monkeypatch.setattr(releasing.layout, "REPOSITORY", folder)
    git(folder, "init", "-q")
    (folder / "file").write_text("1")
    git(folder, "add", "file")
    git(folder, "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "One")
    return folder


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", str(folder), *words], check=True)


def test_a_commit_without_the_versions_tag_is_not_released(clone: Path) -> None:
    with pytest.raises(EngineError, match="does not bear the tag v1.2.0"):
        releasing._revision("1.2.0", rehearsal=False)
    git(clone, "tag", "v1.2.0")

    assert len(releasing._revision("1.2.0", rehearsal=False)) == 40


def test_a_clone_with_changes_is_not_released_but_a_release_is_rehearsed_there(clone: Path) -> None:
    git(clone, "tag", "v1.2.0")
    (clone / "file").write_text("2")

    with pytest.raises(EngineError, match=r"the clone has changes \(M file"):
        releasing._revision("1.2.0", rehearsal=False)
    assert len(releasing._revision("1.2.0", rehearsal=True)) == 40


def test_an_image_upon_another_base_than_the_public_one_is_not_released(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images.write_lock("easel", "sha256:id")
    labels = {images.RECIPE_LABEL: recipes.recipe_hash("easel"), images.BASE_LABEL: "mine:1"}
    monkeypatch.setattr(releasing, "_labels", lambda digest: labels)

    with pytest.raises(
        EngineError, match=r"'easel' was built upon mine:1, not upon python:3.11-slim.*images build easel"
    ):
        releasing._built("easel", rehearsal=False)
    assert releasing._built("easel", rehearsal=True) == "mine:1"


def test_a_folder_with_files_is_not_released_into(clone: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").touch()

    with pytest.raises(EngineError, match="out is not empty"):
        releasing.make([], "registry.example/lab", tmp_path / "out", rehearsal=True, source=())


def test_a_release_that_a_vulnerability_stopped_may_be_made_in_the_same_folder(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releasing, "_audit", lambda *words: (_ for _ in ()).throw(EngineError("a vulnerability")))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / releasing.REPORT).touch()

    with pytest.raises(EngineError, match="a vulnerability"):
        releasing.make([], "registry.example/lab", tmp_path / "out", rehearsal=True, source=())
