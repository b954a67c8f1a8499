"""`make demo`: the whole demo batch, from images to profiles, on the embedded engine."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from data.demo.plan import BATCH, COMPOUNDS, PLATES
from tests.integration.toolkit import Toolkit, average_precision, features

pytestmark = pytest.mark.engine("process")

WELLS = 32
FILES = (
    "",
    "_augmented",
    "_normalized",
    "_normalized_negcon",
    "_normalized_feature_select_plate",
    "_normalized_feature_select_negcon_plate",
    "_normalized_feature_select_batch",
    "_normalized_feature_select_negcon_batch",
)


def test_the_demo_ends_well_and_says_where_its_results_are(demo):
    toolkit, done = demo

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "engine: process" in done.stderr
    assert all(path.exists() for path in named(toolkit, done.stdout))
    assert f"{PLATES[0]}_montage.png" in done.stdout


def named(toolkit: Toolkit, printed: str) -> list[Path]:
    """Return the paths below the data root that were printed."""
    return [Path(word) for word in printed.split() if word.startswith(str(toolkit.root))]


def test_the_demo_fits_on_one_screen_and_says_first_of_all_paths_where_the_report_is(demo):
    toolkit, done = demo
    printed = done.stdout + done.stderr
    paths = named(toolkit, done.stdout)

    assert len(printed.splitlines()) <= 40, printed
    assert not set(printed) & {"\r", "\x1b"}
    assert paths[0].name == f"{BATCH}_report.html"
    assert len(paths) == 4


def test_the_demo_says_in_words_what_it_found(demo):
    said = "The demo plants six active and two inactive compounds; its profiles recover all six."

    assert said in demo[1].stdout.splitlines()


def test_every_stage_of_the_demo_has_one_line_with_its_plates_and_every_other_kind_of_line_is_there_once(demo):
    lines = demo[1].stderr.splitlines()
    of_stages = [line.split()[0] for line in lines if line.startswith("  ") and not line.startswith("  ...")]
    warnings = [line for line in lines if line.startswith("warning: ")]

    assert len(of_stages) == len(set(of_stages))
    assert {"load_data", "measure", "normalize", "quality_control", "replicability", "report"} <= set(of_stages)
    assert all(plate in line for plate in PLATES for line in lines if line.split()[:1] == ["measure"])
    assert sum(line.startswith("engine") for line in lines) == 1
    assert sum("have no pair" in line for line in warnings) == 1


def test_the_log_of_the_demo_holds_all_that_the_screen_left_out(demo):
    toolkit, done = demo
    (log,) = named(toolkit, done.stderr)
    text = log.read_text()

    assert log.parent == toolkit.root / ".work/logs"
    assert "engine for the image cellprofiler: process" in text
    assert all(f"measure/{plate}: done in" in text for plate in PLATES)
    assert text.count("Luigi Execution Summary") == 4
    assert "replicability (cellprofiler, copairs)" in text


@pytest.mark.parametrize("plate", PLATES)
def test_a_site_of_every_plate_was_measured_by_both_engines_with_the_same_values(demo, plate):
    (audited,) = demo[0].audit(plate).values()

    assert audited["values"] > 50_000
    assert audited["differ"] == 0
    assert audited["largest"] < 1e-9


@pytest.mark.parametrize("plate", PLATES)
@pytest.mark.parametrize("suffix", FILES)
def test_every_profile_has_a_row_for_every_well_and_finite_values(demo, plate, suffix):
    profiles = demo[0].profiles(plate, suffix)
    values = features(profiles).to_numpy(float)

    assert len(profiles) == WELLS
    assert values.shape[1] > 100
    assert np.isfinite(values).mean() > 0.999


@pytest.mark.parametrize("plate", PLATES)
def test_every_site_has_its_cells_and_outlines(demo, plate):
    analysis = demo[0].dataset / "workspace/analysis" / BATCH / plate / "analysis"
    sites = sorted(analysis.iterdir())

    assert len(sites) == WELLS
    assert min(demo[0].cells(BATCH, plate).values()) >= 8
    assert all(len(list((site / "outlines").glob("*.png"))) == 2 for site in sites)


def test_the_plan_foretold_the_disk_that_the_demo_used(demo):
    toolkit, _ = demo
    before = json.loads((toolkit.folder / "plan.json").read_text())
    manifests = [json.loads(path.read_text()) for path in (toolkit.root / ".work/manifests").rglob("*.json")]
    planned = {line["stage"] for line in before["lines"]}
    used = sum(output["bytes"] for each in manifests if each["stage"] in planned for output in each["outputs"].values())

    assert before["fetched_bytes"] == 0
    assert before["disk_bytes"] == pytest.approx(used, rel=0.1)


@pytest.mark.parametrize("plate", PLATES)
def test_the_montage_is_a_picture_of_the_plate(demo, plate):
    path = demo[0].dataset / "workspace/quality_control" / BATCH / plate / f"{plate}_montage.png"
    pixels = np.asarray(Image.open(path).convert("RGB"))

    assert min(pixels.shape[:2]) > 400
    assert pixels.std() > 10


def test_planted_phenotypes_are_found_and_inactive_compounds_are_not(demo):
    plates = [demo[0].profiles(plate, "_normalized_feature_select_negcon_batch") for plate in PLATES]  # as ranked
    joined = pd.concat(plates, join="inner", ignore_index=True)
    found = average_precision(joined)
    active = [found[compound.broad_sample] for compound in COMPOUNDS if compound.active]
    inactive = [found[compound.broad_sample] for compound in COMPOUNDS if not compound.active]

    assert 0.3 < min(active) < 0.9, found  # to be seen, and not all of them for free
    assert min(active) > max(inactive), found


def test_the_benchmark_retrieves_what_was_planted_and_nothing_else(demo):
    workspace = demo[0].dataset / "workspace"
    truth = pd.read_csv(workspace / f"metadata/demo/{BATCH}_truth.tsv", sep="\t").set_index("broad_sample")["active"]
    table = pd.read_csv(workspace / f"benchmark/{BATCH}/copairs/cellprofiler_replicability_map.csv")
    found = table.set_index("Metadata_broad_sample")["above_q_threshold"]

    assert found.to_dict() == (truth == "yes").to_dict(), table.to_string()
    assert sorted(truth) == ["no"] * 2 + ["yes"] * 6


def test_the_demo_ends_with_a_report_that_shows_its_plates_and_what_was_retrieved(demo):
    path = demo[0].dataset / f"workspace/report/{BATCH}/{BATCH}_report.html"
    text = path.read_text()

    assert str(path) in demo[1].stdout
    assert "6 of 8" in text
    assert all(f"Plate {plate}, montage" in text for plate in PLATES)
    assert path.stat().st_size < 10_000_000


@pytest.mark.parametrize("suffix", ["batch", "negcon_batch"])
def test_jointly_selected_plates_have_the_same_columns_and_no_feature_that_the_table_names(demo, suffix):
    plates = [demo[0].profiles(plate, f"_normalized_feature_select_{suffix}") for plate in PLATES]
    table = demo[0].dataset / "workspace/profiles" / BATCH / f"{BATCH}_excluded_features_{suffix}.csv"

    assert list(plates[0]) == list(plates[1])
    assert not set(plates[0]) & set(pd.read_csv(table)["feature"])


def test_a_second_demo_does_no_work(demo):
    toolkit, _ = demo
    before = toolkit.published()
    done = toolkit.tasks("demo")

    assert done.returncode == 0
    assert "nothing was run" in done.stdout
    assert "recover all six" in done.stdout
    assert toolkit.published() == before


def test_verbose_shows_every_path_of_every_plate(demo):
    done = demo[0].tasks("demo", "--verbose")
    paths = named(demo[0], done.stdout)

    assert done.returncode == 0
    assert len(paths) > 40
    assert all(path.exists() for path in paths)
    assert all(f"{plate}_montage.png" in done.stdout for plate in PLATES)
    assert "replicability (cellprofiler, copairs)" in done.stdout


# Deep features, added to what the demo made before.


@pytest.fixture(scope="module")
def deep_demo(demo) -> Toolkit:
    """The demo with deep features added to what it made before."""
    toolkit = demo[0]
    done = toolkit.tasks("demo", "--features", "cellprofiler,deepprofiler")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (log,) = named(toolkit, done.stderr)
    text = log.read_text()
    assert "deep_profile/DEMO000001" in text
    assert "measure/DEMO000001" not in text  # what was made already is not made again
    return toolkit


def spherized(toolkit: Toolkit) -> pd.DataFrame:
    tables = [toolkit.profiles(plate, "_spherized", f"{BATCH}_DL") for plate in PLATES]
    return pd.concat(tables, ignore_index=True)


def test_every_well_of_the_demo_has_a_deep_profile_of_finite_values(deep_demo):
    for plate in PLATES:
        for suffix in ("", "_augmented", "_spherized"):
            profiles = deep_demo.profiles(plate, suffix, f"{BATCH}_DL")
            values = features(profiles)

            assert len(profiles) == WELLS
            assert list(values) == [f"efficientnet_{at}" for at in range(672)]
            assert np.isfinite(values.to_numpy(float)).all()


def test_whitened_controls_vary_where_they_span_directions_and_nowhere_else(deep_demo):
    profiles = spherized(deep_demo)
    controls = features(profiles)[profiles.Metadata_control_type == "negcon"].to_numpy(float)
    centred = controls - controls.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False) ** 2 / (len(controls) - 1)

    assert np.abs(controls.mean(axis=0)).max() < 1e-4
    assert variances[len(controls) - 1 :].max() < 1e-6
    # Not all 1: features that hardly vary are bounded (a variance of 1e-3), and so is what lies beyond the elbow.
    assert variances[len(controls) - 2] > 0.1
    assert variances[0] < 10


def test_the_benchmark_ranks_deep_profiles_as_a_slow_computation_does_and_compares_both_sets(deep_demo):
    results = deep_demo.dataset / "workspace/benchmark" / BATCH / "copairs"
    table = pd.read_csv(results / "deepprofiler_replicability_map.csv").set_index("Metadata_broad_sample")
    slow = average_precision(spherized(deep_demo))

    assert table["mean_average_precision"].to_dict() == pytest.approx(slow, abs=1e-6)
    assert len(slow) == len(COMPOUNDS)
    assert list(results.glob("*_compared/*.png"))


def test_what_was_made_with_drawn_weights_says_so(deep_demo):
    manifests = deep_demo.root / f".work/manifests/cpg0000-jump-pilot/source_4/deep_profile/{BATCH}"
    record = json.loads((manifests / f"cell_painting_cnn.{PLATES[0]}.json").read_text())

    assert any("holds drawn weights" in warning for warning in record["warnings"])
    assert record["units"] == {"ok": WELLS}
    assert record["facts"]["cells"] == sum(deep_demo.cells(BATCH, PLATES[0]).values())


def test_the_demo_tells_programs_what_lies_there(demo):
    done = demo[0].tasks("demo", "--json")
    told = json.loads(done.stdout)
    paths = [Path(path) for made in told["plates"].values() for each in made.values() for path in each]

    assert (done.returncode, told["exit_code"], list(told["plates"])) == (0, 0, list(PLATES))
    assert len(paths) > 20
    assert all(path.exists() for path in [*paths, Path(told["report"])])
