"""What is asked of Luigi comes from a gallery on loopback, if nothing lies where a person would have laid it."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.integration.toolkit import Toolkit, wait_for
from tests.stages.gallery.fault_proxy import FaultProxy
from tests.stages.gallery.service import S3, new_bucket, served

pytestmark = pytest.mark.engine("process")

BATCH, PLATES = "2020_11_04_CPJUMP1", ["BR00117010", "BR00117011"]
MEASURED = f"images/{BATCH}/images/BR00117010__2020-11-08T18_18_00-Measurement1"
SECRET = "a-secret-that-is-written-nowhere"


@pytest.fixture(scope="module")
def gallery(real_data: Path) -> Iterator[S3]:
    """A bucket with two real plates' profiles, one well's images of one of them, and their metadata."""
    with served() as port:
        s3 = new_bucket(port)
        metadata = real_data / "metadata"
        for path in [*metadata.glob(f"platemaps/{BATCH}/platemap/*"), *metadata.glob("external_metadata/*")]:
            s3.put(f"workspace/metadata/{path.relative_to(metadata)}", path.read_bytes())
        rows = ["Assay_Plate_Barcode,Plate_Map_Name", *(f"{plate},JUMP-Target-1_compound_platemap" for plate in PLATES)]
        s3.put(f"workspace/metadata/platemaps/{BATCH}/barcode_platemap.csv", "\n".join(rows).encode())
        for plate in PLATES:
            for path in (real_data / "profiles" / BATCH / plate).iterdir():
                s3.put(f"workspace/profiles/{BATCH}/{plate}/{path.name}", path.read_bytes())
        for path in (real_data / "images").glob("r06c10*"):
            s3.put(f"{MEASURED}/Images/{path.name}", path.read_bytes())
        yield s3


@pytest.fixture
def proxy(gallery: S3) -> Iterator[FaultProxy]:
    own = FaultProxy(gallery.port)
    yield own
    own.close()


@pytest.fixture
def toolkit(gallery: S3, proxy: FaultProxy, tmp_path: Path) -> Toolkit:
    extra = {"bucket": gallery.bucket, "endpoint_url": proxy.url}
    return Toolkit(tmp_path, "process", {"gallery": extra})


def lies(toolkit: Toolkit, path: str) -> bytes:
    return (toolkit.dataset / path).read_bytes()


def test_a_single_file_is_fetched_once(toolkit: Toolkit, gallery: S3, proxy: FaultProxy) -> None:
    key = f"workspace/metadata/platemaps/{BATCH}/barcode_platemap.csv"
    first = toolkit.luigi("FetchFile", "--key", key)
    asked = len(proxy.asked)
    second = toolkit.luigi("FetchFile", "--key", key)
    (manifest,) = (toolkit.root / ".work/manifests").rglob("fetch_file/*/*.json")
    facts = json.loads(manifest.read_text())["facts"]

    assert first.returncode == second.returncode == 0, first.stderr
    assert lies(toolkit, key) == gallery.get(key)
    assert facts["from"] == f"s3://{gallery.bucket}/cpg0000-jump-pilot/source_4/"
    assert asked > 0
    assert len(proxy.asked) == asked


@pytest.mark.parametrize("key", ["../../../../etc/passwd", "/etc/passwd", "a//b", "a/"])
def test_a_key_outside_of_the_data_root_is_refused(key: str, toolkit: Toolkit, proxy: FaultProxy) -> None:
    done = toolkit.luigi("FetchFile", f"--key={key}")

    assert done.returncode != 0
    assert "is no valid path of a file below <project>/<source>" in done.stderr
    assert "Traceback" not in done.stderr
    assert proxy.asked == []


def test_a_batch_starts_from_published_profiles_whose_plates_are_looked_up(
    toolkit: Toolkit, gallery: S3, proxy: FaultProxy
) -> None:
    words = ("RunBatch", "--batch-id", BATCH, "--start-from", "profiles")
    first = toolkit.luigi(*words)
    asked, published = len(proxy.asked), toolkit.published()
    second = toolkit.luigi(*words)
    names = [f"workspace/profiles/{BATCH}/{p}/{p}_normalized_feature_select_negcon_batch.csv.gz" for p in PLATES]

    assert first.returncode == second.returncode == 0, first.stderr
    assert [lies(toolkit, name) for name in names] == [gallery.get(name) for name in names]
    assert len(proxy.asked) == asked
    assert toolkit.published() == published
    assert not list((toolkit.root / ".work/manifests").rglob("aggregate"))


def test_a_plate_starts_from_published_images(toolkit: Toolkit, gallery: S3, proxy: FaultProxy) -> None:
    words = ("LoadData", "--batch-id", BATCH, "--plate", PLATES[0], "--start-from", "images")
    first = toolkit.luigi(*words)
    asked = len(proxy.asked)
    second = toolkit.luigi(*words)
    images = sorted((toolkit.dataset / MEASURED / "Images").iterdir())
    (memory,) = (toolkit.root / ".work/adopted").rglob("*.images.json")
    remembered = {name: entry[2] for name, entry in json.loads(memory.read_text()).items()}

    assert first.returncode == second.returncode == 0, first.stderr
    assert len(images) == 8
    assert remembered == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in images}
    assert len(proxy.gets(".tiff")) == 8
    assert len(proxy.asked) == asked
    assert lies(toolkit, f"workspace/load_data_csv/{BATCH}/{PLATES[0]}/load_data.csv").count(b"\n") == 2


def small_backend(path: Path, plate: str) -> pd.DataFrame:
    """Write single cells in the form of the published sqlite; return them."""
    rng = np.random.default_rng(3)
    sites = pd.DataFrame(
        {"TableNumber": range(6), "ImageNumber": 1, "well": ["A01", "A01", "B02", "B02", "P24", "P24"]}
    )
    cells = sites.loc[sites.index.repeat(4)].reset_index(drop=True)
    cells["ObjectNumber"] = cells.groupby("TableNumber").cumcount() + 1
    keys = cells[["TableNumber", "ImageNumber", "ObjectNumber"]]
    with contextlib.closing(sqlite3.connect(path)) as database:
        image = sites.rename(columns={"well": "Image_Metadata_Well"}).assign(Image_Metadata_Plate=plate)
        image.to_sql("Image", database, index=False)
        for name in ("Cells", "Cytoplasm", "Nuclei"):
            parents = {f"Cytoplasm_Parent_{of}": cells.ObjectNumber for of in ("Cells", "Nuclei")}
            cells[f"{name}_AreaShape_Area"] = rng.normal(100, 10, len(cells))
            own = parents if name == "Cytoplasm" else {}
            keys.assign(**own, **{f"{name}_AreaShape_Area": cells[f"{name}_AreaShape_Area"]}).to_sql(
                name, database, index=False
            )
    return cells


def test_a_plate_starts_from_published_single_cells(
    toolkit: Toolkit, gallery: S3, proxy: FaultProxy, tmp_path: Path
) -> None:
    plate = PLATES[1]
    cells = small_backend(tmp_path / "small.sqlite", plate)
    gallery.put(f"workspace/backend/{BATCH}/{plate}/{plate}.sqlite", (tmp_path / "small.sqlite").read_bytes())
    done = toolkit.luigi("Annotate", "--batch-id", BATCH, "--plate", plate, "--start-from", "backend")
    annotated = toolkit.profiles(plate, "_augmented", BATCH)
    found = annotated.set_index("Metadata_Well").Cells_AreaShape_Area
    means = cells.groupby("well").Cells_AreaShape_Area.mean()

    assert done.returncode == 0, done.stderr
    assert len(proxy.gets(".sqlite")) == 1
    assert found.to_dict() == pytest.approx(means.to_dict(), rel=1e-4)
    assert annotated.Metadata_pert_type.notna().all()


def test_results_are_compared_with_those_of_the_gallery(
    toolkit: Toolkit, gallery: S3, proxy: FaultProxy, tmp_path: Path
) -> None:
    plate = PLATES[0]
    small_backend(tmp_path / "small.sqlite", plate)
    gallery.put(f"workspace/backend/{BATCH}/{plate}/{plate}.sqlite", (tmp_path / "small.sqlite").read_bytes())
    made = toolkit.luigi("Aggregate", "--batch-id", BATCH, "--plate", plate, "--start-from", "backend")
    key = f"workspace/profiles/{BATCH}/{plate}/{plate}.csv.gz"
    words = ("verify", "aggregate", "--batch-id", BATCH, "--plate", plate, "--reference", "gallery")
    absent = toolkit.tasks(*words)
    gallery.put(key, lies(toolkit, key))
    same = toolkit.tasks(*words)
    table = gzip.decompress(lies(toolkit, key)).decode().replace(",P24,", ",P23,")
    gallery.put(key, gzip.compress(table.encode()))
    other = toolkit.tasks(*words)
    gallery.remove(key)

    assert made.returncode == 0, made.stderr
    assert absent.returncode == 1
    assert f"gallery: holds no file that is named like one of ours ({plate}.csv.gz" in absent.stderr
    assert same.returncode == 0, same.stderr
    assert "1 of 1 files agree with gallery" in same.stdout
    assert other.returncode == 1
    assert f"{plate} P23" in other.stdout
    assert len(proxy.gets(f"{plate}.csv.gz")) == 2
    assert not list((toolkit.root / ".work").glob("reference-*"))


def test_what_a_person_laid_is_adopted_and_not_completed(toolkit: Toolkit, gallery: S3, proxy: FaultProxy) -> None:
    images = [path for path in gallery.keys(MEASURED) if "-ch1" in path or "-ch2" in path]
    for path in images:
        (toolkit.dataset / path).parent.mkdir(parents=True, exist_ok=True)
        (toolkit.dataset / path).write_bytes(gallery.get(path))
    toolkit.luigi("LoadData", "--batch-id", BATCH, "--plate", PLATES[0], "--start-from", "images")

    assert len(images) == 2
    assert proxy.gets(".tiff") == []
    assert sorted(path.name for path in (toolkit.dataset / MEASURED / "Images").iterdir()) == [
        Path(path).name for path in images
    ]
    assert (toolkit.dataset / f"workspace/metadata/platemaps/{BATCH}/barcode_platemap.csv").exists()


def test_without_start_from_nothing_is_fetched(toolkit: Toolkit, proxy: FaultProxy) -> None:
    done = toolkit.luigi("LoadData", "--batch-id", BATCH, "--plate", PLATES[0])

    assert done.returncode != 0
    assert "no plate's images lie here" in done.stderr
    assert proxy.asked == []


def test_luigi_killed_in_mid_download_fetches_only_what_is_missing(toolkit: Toolkit, proxy: FaultProxy) -> None:
    words = ("FetchImages", "--batch-id", BATCH, "--plate", PLATES[0])
    toolkit.extra["gallery"]["connections"] = "2"
    proxy.inject("hold", key="-ch5")
    running = toolkit.start(*words)
    ready = wait_for(lambda: [p for p in toolkit.root.rglob("finished.jsonl") if p.read_text().count('"path"') == 7])
    running.send_signal(signal.SIGKILL)
    running.wait()
    gone = wait_for(lambda: not _fetching(toolkit.root))
    proxy.heal()
    proxy.asked.clear()
    early = (toolkit.dataset / MEASURED).exists()
    done = toolkit.luigi(*words)

    assert ready
    assert gone, "the program outlived luigi"
    assert proxy.fired["hold"] == 1
    assert not early
    assert done.returncode == 0, done.stderr
    assert [asked.key.split("-ch")[1][0] for asked in proxy.gets()] == ["5"]
    assert len(list((toolkit.dataset / MEASURED / "Images").iterdir())) == 8


def _fetching(root: Path) -> list[str]:
    """Return the programs whose words name this data root."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(root) in words and "fetch.py" in words:
            found.append(words)
    return found


def test_credentials_reach_the_program_and_are_written_nowhere(
    toolkit: Toolkit, gallery: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery.client.put_object(
        Bucket=gallery.bucket, Key="cpg0000-jump-pilot/source_4/private.csv", Body=b"private", ACL="private"
    )
    refused = toolkit.luigi("FetchFile", "--key", "private.csv")
    toolkit.extra["gallery"]["unsigned"] = "false"
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    done = toolkit.luigi("FetchFile", "--key", "private.csv")
    files = [path for path in toolkit.folder.rglob("*") if path.is_file()]

    assert refused.returncode != 0
    assert "set [gallery] unsigned = false" in refused.stderr
    assert done.returncode == 0, done.stderr
    assert lies(toolkit, "private.csv") == b"private"
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in done.stdout + done.stderr
    assert any("AWS_SECRET_ACCESS_KEY" in path.read_text() for path in files if path.name == "job.json")
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET


def test_the_gallery_can_be_browsed(toolkit: Toolkit) -> None:
    done = toolkit.tasks("browse", f"workspace/profiles/{BATCH}", "--json")
    found = json.loads(done.stdout)
    printed = toolkit.tasks("browse", "workspace")

    assert [(entry["name"], entry["files"]) for entry in found["entries"]] == [(f"{plate}/", 1) for plate in PLATES]
    assert printed.returncode == 0
    assert "metadata/" in printed.stdout
    assert not list((toolkit.root / ".work").glob("browse-*"))


def test_a_folder_that_the_gallery_does_not_have_is_an_error(toolkit: Toolkit) -> None:
    done = toolkit.tasks("browse", "workspace/profile")

    assert done.returncode == 1
    assert "workspace/profile/: there is nothing" in done.stderr
