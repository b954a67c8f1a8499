"""Deep features are DeepProfiler's own, whatever the sharding; what it passes over in silence is told and counted."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.stages.deepprofiler.plate import BARCODE, CENTRE, PROGRAMS, Outcome, Plate, features, profile, write_csv

CNN = "cell_painting_cnn"
BY_HAND = """
import json, os, sys
folder, checkpoint = sys.argv[1:]
os.makedirs(f"{folder}/outputs/mine/checkpoint")
os.symlink(checkpoint, f"{folder}/outputs/mine/checkpoint/weights.hdf5")
from deepprofiler.__main__ import cli
cli([f"--root={folder}", "--config=c.json", "--exp=mine", "--gpu=-1", "profile"], obj={})
"""


@pytest.fixture(scope="module")
def profiled(image, seeded, tmp_path_factory) -> tuple[Plate, Outcome, Path]:
    """A plate, profiled in one run that is started as a stage is: the plate, what was told, the run's folder."""
    folder = tmp_path_factory.mktemp("profiled")
    plate = Plate(folder / "plate")
    plate.draw()
    return plate, profile(image, plate, seeded(CNN), folder / "out", forked=False), folder / "out"


@pytest.fixture
def run(image: str, seeded: Callable[[str], Path], plate: Plate, tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that profiles the plate."""

    def run(output: str = "out", **flags: object) -> Outcome:
        given = {"checkpoint": seeded(CNN), **flags}
        return profile(image, plate, Path(str(given.pop("checkpoint"))), tmp_path / output, **given)

    return run


def test_features_equal_those_of_deepprofiler_run_by_hand(image, profiled, seeded, deepprofiler_python, tmp_path):
    """The project folder is laid here as DeepProfiler's handbook says, with names of its own."""
    plate, done, out = profiled
    hand = tmp_path / "hand"
    for part in ("config", "metadata", "locations/P1"):
        (hand / "inputs" / part).mkdir(parents=True)
    (hand / "inputs/images").symlink_to(plate.images)
    channels = ["DNA", "RNA", "ER", "AGP", "Mito"]
    rows = []
    for number, site in enumerate(("A01-1", "A01-2", "B02-1"), start=1):
        rows.append(["P1", f"W{number}", number, *(plate.image(site, name).name for name in channels), "x"])
        (hand / f"inputs/locations/P1/W{number}-{number}-Nuclei.csv").write_bytes(plate.located(site).read_bytes())
    header = ["Metadata_Plate", "Metadata_Well", "Metadata_Site", *channels, "Treatment"]
    write_csv(hand / "inputs/metadata/index.csv", [header, *rows])
    locations = {"mode": "single_cells", "box_size": 128, "view_size": 128, "mask_objects": False}
    images = {"channels": channels, "file_format": "tiff", "bits": 16, "width": 180, "height": 180}
    labels = {"label_field": "Treatment", "control_value": "x"}
    config = {
        "dataset": {"metadata": labels, "images": images, "locations": locations},
        "prepare": {"compression": {"implement": False, "scaling_factor": 1.0}},
        "train": {
            "partition": {"targets": ["Treatment"]},
            "model": {"params": {"conv_blocks": 0}},
            "validation": {"batch_size": 128},
        },
        "profile": {"feature_layer": "block6a_activation", "checkpoint": "weights.hdf5", "batch_size": 128},
    }
    (hand / "inputs/config/c.json").write_text(json.dumps(config))
    words = [str(deepprofiler_python), "-c", BY_HAND, str(hand), str(seeded(CNN))]
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    subprocess.run(words, check=True, env=environment, capture_output=True)
    by_hand = [np.load(hand / f"outputs/mine/features/P1/W{n}/{n}.npz")["features"] for n in (1, 2, 3)]

    assert done.code == 0, done.stderr
    ours = features(out)
    assert list(ours) == ["A01-1", "A01-2", "B02-1"]
    for mine, other in zip(ours.values(), by_hand, strict=True):
        assert mine.dtype == np.float32
        np.testing.assert_allclose(mine, other, rtol=0, atol=0 if image == "deepprofiler" else 1e-4 * other.std())
        assert mine.std(axis=0).min() > 1e-4  # with Keras' own batch statistics all would be about 1e-5


def test_a_run_tells_what_it_was_made_with(image, profiled):
    done = profiled[1]

    assert {name: state for name, (state, _) in done.units.items()} == dict.fromkeys(("A01-1", "A01-2", "B02-1"), "ok")
    versions = {"deepprofiler": {"deepprofiler": "0.5.1"}, "deep_torch": {"torch": "2.13.0+cpu"}}
    expected = {"cells": 15, "sites_without_cells": 0, "device": "cpu", **versions[image]}
    assert {name: done.facts[name] for name in expected} == expected
    assert done.facts["checkpoint_layers"] == "130 of 130"
    assert "drawn weights" in done.warnings[0]


def test_shards_together_are_the_same_bytes_as_one_run_and_as_a_rerun(profiled, run, tmp_path):
    for number in (1, 2):
        assert run("two", shard=f"{number}/2").code == 0
    one, two = (
        {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.npz")}
        for out in (profiled[2], tmp_path / "two")
    )

    assert len(one) == 3
    assert one == two


def test_a_file_says_which_site_and_cells_it_is_of(profiled):
    plate, _, out = profiled
    with np.load(out / "files/A01/2.npz", allow_pickle=True) as file:
        said, locations = file["metadata"].item(), file["locations"]
    with open(plate.located("A01-2"), newline="") as lines:
        located = [[float(row[name]) for name in CENTRE] for row in csv.DictReader(lines)]

    assert said["Metadata_Plate"] == BARCODE
    assert (said["Metadata_Well"], said["Metadata_Site"]) == ("A01", "2")
    assert locations.tolist() == located


def rewrite(change: Callable[[bytes], bytes]) -> Callable[[Plate], None]:
    def act(plate: Plate) -> None:
        path = plate.image("A01-2", "ER")
        path.write_bytes(change(path.read_bytes()))

    return act


def pixels(values: np.ndarray) -> Callable[[Plate], None]:
    return lambda plate: tifffile.imwrite(plate.image("A01-2", "ER"), values)


def centres(*rows: list[str]) -> Callable[[Plate], None]:
    return lambda plate: plate.locate("A01-2", [["50", "60"], *rows])


# What DeepProfiler stops at, leaving later sites undone, or passes over in silence.
BAD = {
    "missing image": (lambda plate: plate.image("A01-2", "ER").unlink(), "A01-2-ER.tiff is missing"),
    "truncated TIFF": (rewrite(lambda body: body[: len(body) // 2]), r"A01-2-ER.tiff is (cut off|no whole TIFF)"),
    "empty TIFF": (rewrite(lambda body: b""), "A01-2-ER.tiff is no whole TIFF"),
    "wrong size": (pixels(np.zeros((180, 90), "uint16")), "A01-2-ER.tiff is 90 x 180 pixels, but .* is 180 x 180"),
    "wrong bit depth": (pixels(np.zeros((180, 180), "float32")), "holds float32 .*8 or 16 bits"),
    "colour": (pixels(np.zeros((180, 180, 3), "uint8")), r"of shape \(180, 180, 3\)"),
    "missing locations": (lambda plate: plate.located("A01-2").unlink(), "A01-2-Nuclei.csv is missing"),
    "empty locations": (lambda plate: plate.located("A01-2").write_bytes(b""), "A01-2-Nuclei.csv is empty"),
    "other columns": (lambda plate: plate.located("A01-2").write_text("X,Y\n1,2\n"), "has no column Nuclei_Location"),
    "NaN coordinate": (centres(["nan", "5"]), "line 3: Nuclei_Location_Center_X is nan"),
    "missing coordinate": (centres(["7", ""]), "line 3: Nuclei_Location_Center_Y is nan"),
    "cut row": (centres(["7"]), "line 3: Nuclei_Location_Center_Y is nan"),
    "text": (centres(["seven", "5"]), "line 3: could not convert"),
    "far outside": (centres(["5", "5000"]), "line 3: Nuclei_Location_Center_Y is 5000, outside 0 to 180 pixels"),
}


@pytest.mark.parametrize(("spoil", "said"), BAD.values(), ids=BAD)
def test_a_site_that_cannot_be_profiled_is_a_failed_unit_before_anything_is_computed(spoil, said, run, plate, tmp_path):
    spoil(plate)
    done = run()

    assert done.code == 65
    assert {name: state for name, (state, _) in done.units.items()} == {"A01-2": "failed"}
    assert not list((tmp_path / "out").rglob("*.npz"))
    assert not (tmp_path / "out/result.json").exists()
    for told in (done.stderr, done.units["A01-2"][1]):
        assert re.search(said, told), told


def test_an_image_whose_pixels_do_not_decode_is_named(run, plate):
    path = plate.image("A01-2", "ER")
    body = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tiff:
        start, count = tiff.pages[0].dataoffsets[0], tiff.pages[0].databytecounts[0]
    body[start : start + count] = b"\xff" * count
    path.write_bytes(bytes(body))
    done = run()

    assert done.code == 65
    assert "A01-2: A01-2-ER.tiff does not decode" in done.stderr
    assert done.units["A01-2"][0] == "failed"


LIAR = """
import sys
import deep_profile, deepprofiler_run, driver
import numpy as np
from stagekit import program
how = sys.argv.pop(1)
def lie(project, device, names, ended):
    (project / driver.FACTS).write_text("{}")
    for name, field in names.items():
        well, _, site = name.rpartition("-")
        path = driver.features(project) / deepprofiler_run.PLATE / well / f"{site}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        values = np.ones((len(field.cells) - (how == "fewer cells"), 5 if how == "fewer features" else 672), "float32")
        values[0, 0] = np.nan if how == "not finite" else 1
        if how != "nothing" or name != "A01-2":
            np.savez(path, features=values)
        if how == "cut off":
            path.write_bytes(path.read_bytes()[:100])
        ended(field.name, 0.0)
deepprofiler_run._call = lie
program.run(deep_profile.main)
"""
LIES = {
    "nothing": ("A01-2", "DeepProfiler wrote no features for it"),
    "cut off": ("A01-1", "1.npz is no whole npz"),
    "fewer cells": ("A01-1", r"features of shape \(4, 672\) came for 5 cells and 672 features"),
    "fewer features": ("A01-1", r"features of shape \(5, 5\) came for 5 cells and 672 features"),
    "not finite": ("A01-1", "1 cells have features that are not finite"),
}


@pytest.mark.parametrize(("how", "site", "said"), [(how, *told) for how, told in LIES.items()], ids=LIES)
def test_what_deepprofiler_says_of_itself_is_not_believed(
    how, site, said, deepprofiler_python, plate, seeded, tmp_path
):
    """A fake stands in for DeepProfiler, which ends well and has written something else."""
    flags = {"checkpoint": seeded(CNN), "checkpoint_sha256": "", "features": CNN, "batch_size": 8, "device": "cpu"}
    flags |= {**plate.inputs, "write_embeddings": tmp_path / "files", "shard": "1/1", "output": tmp_path / "out"}
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    environment = {**os.environ, "PYTHONPATH": f"{PROGRAMS}{os.pathsep}{PROGRAMS.parent}"}
    command = [str(deepprofiler_python), "-c", LIAR, how, "--plate", BARCODE, *words]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    units = [json.loads(line) for line in (tmp_path / "out/units.jsonl").read_text().splitlines()]
    last = {unit["unit"]: unit for unit in units}[site]

    assert done.returncode == 65
    assert re.search(f"{site}: {said}", done.stderr), done.stderr
    assert last["state"] == "failed"
    assert re.search(said, last["reason"])
    assert not (tmp_path / "out/result.json").exists()


def test_a_site_without_cells_is_counted_and_has_no_file(run, plate, tmp_path):
    plate.locate("A01-2", [])
    done = run()

    assert done.code == 0, done.stderr
    assert done.units["A01-2"] == ("ok", "no cells")
    assert done.facts["sites_without_cells"] == 1
    assert list(features(tmp_path / "out")) == ["A01-1", "B02-1"]
    assert any("1 sites have no cells and so no features: A01-2" in warning for warning in done.warnings)


def test_a_site_that_is_written_01_is_profiled(image, seeded, tmp_path):
    plate = Plate(tmp_path / "plate")
    plate.draw(["A01-01"])
    plate.located("A01-01").rename(plate.located("A01-1"))
    done = profile(image, plate, seeded(CNN), tmp_path / "out")

    assert done.code == 0, done.stderr
    assert features(tmp_path / "out")["A01-01"].shape == (5, 672)


def test_a_truncated_file_of_an_interrupted_run_is_made_again(profiled, run, tmp_path):
    whole = (profiled[2] / "files/A01/1.npz").read_bytes()
    (tmp_path / "out/files/A01").mkdir(parents=True)
    (tmp_path / "out/files/A01/1.npz").write_bytes(whole[:100])
    run()

    assert (tmp_path / "out/files/A01/1.npz").read_bytes() == whole


def test_a_checkpoint_of_another_network_is_refused_before_anything_is_computed(run, deepprofiler_python, tmp_path):
    script = (
        "import h5py, sys; f = h5py.File(sys.argv[1], 'w'); f.attrs['layer_names'] = [b'a']; g = f.create_group('a'); "
    )
    script += "g.attrs['weight_names'] = [b'a/kernel:0']; g.create_dataset('a/kernel:0', data=[1.0])"
    subprocess.run([str(deepprofiler_python), "-c", script, str(tmp_path / "other.hdf5")], check=True)
    done = run(checkpoint=tmp_path / "other.hdf5")

    assert done.code == 76
    assert "other.hdf5: 0 of the network's 130 layers have weights in it: stem_conv needs" in done.stderr
    assert not list((tmp_path / "out").rglob("*.npz"))


def test_a_checkpoint_of_three_channels_is_refused_where_five_are_seen(run, seeded):
    done = run(checkpoint=seeded("imagenet_efficientnet_b0"))

    assert done.code == 76
    assert "129 of the network's 130 layers" in done.stderr
    assert "stem_conv needs [(3, 3, 5, 32)], the file has [(3, 3, 3, 32)]" in done.stderr


def test_a_file_that_is_no_checkpoint_is_refused(run, tmp_path):
    (tmp_path / "page.hdf5").write_text("<html>not found</html>")
    done = run(checkpoint=tmp_path / "page.hdf5")

    assert done.code == 76
    assert "page.hdf5: no whole checkpoint of Keras (HDF5)" in done.stderr


def test_a_checkpoint_with_another_sum_is_refused(run):
    done = run(checkpoint_sha256="0" * 64)

    assert done.code == 76
    assert f"[deep_profile] checkpoint_sha256 says {'0' * 64}" in done.stderr


@pytest.mark.parametrize("network", [CNN, "imagenet_efficientnet_b0"])
def test_a_gpu_that_is_asked_for_and_not_seen_ends_the_run(image, run, seeded, network, tmp_path):
    done = run(device="gpu", features=network, checkpoint=seeded(network))

    assert done.code == 76
    library = {"deepprofiler": "TensorFlow 2.15.1", "deep_torch": "PyTorch 2.13.0+cpu"}[image]
    assert f"a GPU was asked for and {library} sees none" in done.stderr
    assert not list((tmp_path / "out").rglob("*.npz"))


def test_a_channel_that_the_network_sees_and_the_plate_lacks_is_named(run, plate):
    plate.load_data.write_text(plate.load_data.read_text().replace("FileName_OrigER", "FileName_OrigOther"))
    done = run()

    assert done.code == 76
    assert "the network sees DNA, RNA, ER, AGP, Mito, but there is no FileName_OrigER" in done.stderr
