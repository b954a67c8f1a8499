"""With a data root on S3 the gallery's images are read where they are; the results are those of local images."""

from __future__ import annotations

import filecmp
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.demo.plan import BATCH, FOUR_WELLS, PLATES
from tests.fleet.fleet import BUCKET, Fleet, named_by_digest
from tests.integration.test_on_aws_batch import brought, files, luigi, s5cmd, submitted, tasks
from tests.integration.toolkit import Toolkit

pytestmark = [pytest.mark.engine("docker"), pytest.mark.usefixtures("docker_shared")]

PLATE, GALLERY = PLATES[0], "gallery-of-others"
SUBJECT = ("--batch-id", BATCH, "--plate", PLATE)
FROM_IMAGES = (*SUBJECT, "--start-from", "images")


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, docker_shared: None) -> Iterator[Fleet]:
    """An account with the images that measuring needs, and four wells in a gallery."""
    folder = tmp_path_factory.mktemp("fleet")
    with named_by_digest("gallery", "cellprofiler"), Fleet(folder) as made:
        drawn = Toolkit(folder / "drawn", "docker")
        drawn.draw(PLATE, ",".join(FOUR_WELLS))
        made.client("s3").create_bucket(Bucket=GALLERY)
        s5cmd(made, "cp", "--acl", "public-read", f"{drawn.root}/", f"s3://{GALLERY}/")
        yield made


def toolkit(fleet: Fleet, folder: Path, prefix: str) -> Toolkit:
    gallery = {"bucket": GALLERY, "endpoint_url": fleet.url}
    settings = {"gallery": gallery, "aws_batch": fleet.settings, "measure": {"sites_per_shard": "2"}}
    return Toolkit(folder, "auto", settings, place="aws_batch", bucket=f"{BUCKET}/{prefix}")


def keys(fleet: Fleet, prefix: str) -> list[str]:
    pages = fleet.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
    return [each["Key"] for page in pages for each in page.get("Contents", ())]


@pytest.fixture(scope="module")
def in_place(
    fleet: Fleet, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Toolkit, subprocess.CompletedProcess[str]]:
    """Four wells measured and drawn from the gallery's images, in a data root that had nothing."""
    made = toolkit(fleet, tmp_path_factory.mktemp("in-place"), "linked")
    return made, luigi(fleet, made, "Montage", *FROM_IMAGES)


def test_no_image_comes_to_the_data_root(fleet, in_place):
    assert in_place[1].returncode == 0, in_place[1].stdout[-3000:] + in_place[1].stderr[-3000:]
    assert [key for key in keys(fleet, "linked") if key.endswith(".tiff")] == []


def test_the_results_are_those_of_local_images_in_local_containers(fleet, in_place, in_docker, tmp_path):
    ours, theirs = files(brought(fleet, in_place[0], tmp_path)), files(in_docker[0].dataset)
    measured = ("images/", "workspace/analysis/", "workspace/load_data_csv/")

    assert {name for name in theirs if name.startswith(measured)} < set(ours) < set(theirs)
    assert [path.name for path in ours.values()].count("Cells.csv") == len(FOUR_WELLS)
    assert [name for name in ours if not filecmp.cmp(ours[name], theirs[name], shallow=False)] == []


def test_an_image_that_changes_in_the_gallery_is_named_until_the_link_is_removed(fleet, tmp_path):
    mine = toolkit(fleet, tmp_path, "changing")
    s3, linked = fleet.client("s3"), luigi(fleet, mine, "FetchImages", *SUBJECT)
    listed = s3.list_objects_v2(Bucket=GALLERY, Prefix="cpg0000-jump-pilot/source_4/images/")["Contents"]
    image = next(each["Key"] for each in listed if each["Key"].endswith(".tiff"))
    before = s3.get_object(Bucket=GALLERY, Key=image)["Body"].read()
    s3.put_object(Bucket=GALLERY, Key=image, Body=before + b"more", ACL="public-read")
    refused = luigi(fleet, mine, "LoadData", *FROM_IMAGES)
    (link,) = (key for key in keys(fleet, "changing/.work/links") if key.endswith(".json"))
    s3.delete_object(Bucket=BUCKET, Key=link)
    again = luigi(fleet, mine, "LoadData", *FROM_IMAGES)
    s3.put_object(Bucket=GALLERY, Key=image, Body=before, ACL="public-read")

    assert linked.returncode == 0, linked.stderr[-3000:]
    assert refused.returncode != 0
    assert f"{image.rpartition('/')[2]}: it has {len(before) + 4} bytes and ETag " in refused.stderr
    assert f"to take it as it is now run again without s3://{BUCKET}/{link}" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert again.returncode == 0, again.stderr[-3000:]


def test_it_is_complete_on_another_machine_and_takes_no_room_there(fleet, in_place, tmp_path):
    before = submitted(fleet, in_place[0])
    elsewhere = toolkit(fleet, tmp_path, "linked")
    done = luigi(fleet, elsewhere, "Montage", *FROM_IMAGES)
    told = json.loads(tasks(fleet, elsewhere, "explain", "fetch_images", PLATE, "--json").stdout)

    assert done.returncode == 0, done.stderr[-3000:]
    assert submitted(fleet, elsewhere) == before
    assert "complete" in json.dumps(told)
    assert "fetch_images" not in tasks(fleet, elsewhere, "clean").stdout
