"""Features are scaled against the chosen wells; where that is impossible, the file and the log say so."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.stages.pycytominer.conftest import WHITENING_BY_HAND

NEGCON = "Metadata_control_type == 'negcon'"
PLATE = "00117013"
PROGRAMS = Path(__file__).parents[3] / "containers" / "pycytominer"


@pytest.fixture
def normalize(stage, save, annotated, tmp_path):
    defaults = {"method": "mad_robustize", "samples": NEGCON, "least_spread": 0}
    defaults |= {"min_negcon_wells": 2, "on_few_negcon": "warn"}

    def run(table: pd.DataFrame = annotated, **flags):
        path = save(table, "augmented.csv.gz")
        return stage("normalize", profiles=path, write_profiles=tmp_path / "normalized.csv.gz", **{**defaults, **flags})

    return run


@pytest.fixture
def written(load, tmp_path):
    return lambda: load(tmp_path / "normalized.csv.gz")


def by_hand(values: pd.Series, reference: pd.Series, method: str) -> pd.Series:
    known = sorted(reference.dropna())
    if method == "mad_robustize":
        center = np.median(known)
        width = 1.4826 * np.median([abs(value - center) for value in known])
    elif method == "robustize":
        center = np.median(known)
        width = np.percentile(known, 75) - np.percentile(known, 25)
    else:
        center = sum(known) / len(known)
        width = (sum((value - center) ** 2 for value in known) / len(known)) ** 0.5
    return (values - center) / width


@pytest.mark.parametrize("method", ["mad_robustize", "robustize", "standardize"])
@pytest.mark.parametrize("samples", ["all", NEGCON], ids=["plate", "negcon"])
def test_every_value_is_what_a_person_would_compute(normalize, annotated, written, method, samples):
    outcome = normalize(method=method, samples=samples)

    chosen = annotated if samples == "all" else annotated[annotated["Metadata_control_type"] == "negcon"]
    table = written()
    assert outcome.code == 0, outcome.stderr
    for name in table.columns[4:]:
        if chosen[name].nunique() > 1:
            expected = by_hand(annotated[name], chosen[name], method)
            np.testing.assert_allclose(table[name], expected, rtol=6e-5, atol=1e-12)


def test_metadata_pass_unchanged_and_features_keep_their_order(normalize, annotated, written):
    normalize(samples="all")

    table = written()
    assert list(table) == list(annotated)
    pd.testing.assert_frame_equal(table.iloc[:, :4], annotated.iloc[:, :4])


def test_a_feature_that_does_not_vary_in_the_negative_controls_is_dropped_and_named(normalize, annotated, written):
    outcome = normalize()

    dead = annotated.columns[8]
    assert dead not in written()
    assert outcome.facts["features_without_spread"] == [dead]
    assert outcome.facts["features"] == 19
    assert dead in outcome.warnings[0]
    assert not np.isinf(written().iloc[:, 4:].to_numpy()).any()


@pytest.mark.parametrize("negcon", [1, 2], ids=["a single negcon well", "no spread at all"])
def test_without_enough_negative_controls_the_file_holds_metadata_only(normalize, annotated, written, negcon):
    annotated["Metadata_control_type"] = ["negcon"] * negcon + [""] * (24 - negcon)
    annotated.iloc[1, 4:] = annotated.iloc[0, 4:]

    outcome = normalize(annotated)

    assert outcome.code == 0
    assert list(written()) == list(annotated.columns[:4])
    assert len(written()) == 24
    assert f"{negcon} wells match" in outcome.warnings[-1]
    assert outcome.warnings[-1] in outcome.stderr


@pytest.mark.parametrize(("method", "least"), [("mad_robustize", 2), ("spherize", 0)])
def test_a_plate_without_negative_controls_ends_as_the_settings_say(normalize, annotated, written, method, least):
    annotated["Metadata_control_type"] = ""
    warned = normalize(annotated, method=method, min_negcon_wells=least)
    left = list(written())
    refused = normalize(annotated, method=method, min_negcon_wells=least, on_few_negcon="error")

    assert warned.code == 0, warned.stderr
    assert warned.facts["reference_wells"] == 0
    assert left == list(annotated.columns[:4])
    assert "0 wells match" in warned.warnings[-1]
    assert refused.code == 65
    assert "0 wells match" in refused.stderr


def test_a_lab_may_make_too_few_negative_controls_an_error(normalize):
    outcome = normalize(min_negcon_wells=9, on_few_negcon="error")

    assert outcome.code == 65
    assert "8 wells match" in outcome.stderr


@pytest.mark.parametrize(
    ("samples", "words"),
    [("Metadata_typo == 1", "no query"), ("negcon", "no query")],
)
def test_samples_that_are_no_query_are_an_error(normalize, samples, words):
    outcome = normalize(samples=samples)

    assert outcome.code == 65
    assert words in outcome.stderr


def test_a_query_sees_an_empty_text_as_missing(normalize):
    outcome = normalize(samples="Metadata_control_type.isna()")

    assert outcome.facts["reference_wells"] == 16


@pytest.mark.parametrize("wrong", [{"method": "mad"}, {"on_few_negcon": "no"}, {"min_negcon_wells": "two"}])
def test_a_wrong_setting_is_refused(normalize, wrong):
    assert normalize(**wrong).code == 2


def test_the_file_bears_no_time_and_no_name(normalize, tmp_path):
    normalize()
    first = (tmp_path / "normalized.csv.gz").read_bytes()
    (tmp_path / "normalized.csv.gz").rename(tmp_path / "first.csv.gz")
    normalize()

    assert first == (tmp_path / "normalized.csv.gz").read_bytes()
    assert first[3:8] == bytes(5)  # no file name flag, time 0


def test_numbers_are_written_as_pandas_writes_five_digits(normalize, tmp_path, save, annotated):
    normalize(samples="all")

    text = gzip.decompress((tmp_path / "normalized.csv.gz").read_bytes()).decode()
    table = pd.read_csv(tmp_path / "normalized.csv.gz", dtype={"Metadata_Plate": str})
    assert text == table.to_csv(index=False, float_format="%.5g")


@pytest.mark.parametrize("plate", ["BR00117010", "BR00117011", "BR00117012", "BR00117013"])
def test_negative_controls_of_a_real_plate_have_median_0_and_mad_1(stage, real_data, load, tmp_path, plate):
    name = f"{plate}_normalized_feature_select_negcon_batch.csv.gz"
    outcome = stage(
        "normalize",
        plate=plate,
        profiles=real_data / "profiles/2020_11_04_CPJUMP1" / plate / name,
        method="mad_robustize",
        samples=NEGCON,
        least_spread=0,
        min_negcon_wells=2,
        on_few_negcon="error",
        write_profiles=tmp_path / "normalized.csv.gz",
    )

    table = load(tmp_path / "normalized.csv.gz")
    negcon = table[table["Metadata_control_type"] == "negcon"].filter(regex="^(Cells|Cytoplasm|Nuclei)_")
    mad = 1.4826 * (negcon - negcon.median()).abs().median()
    assert outcome.facts["features"] == negcon.shape[1] == 904
    assert len(negcon) == 64
    assert negcon.median().abs().max() <= 1e-5
    assert (mad - 1).abs().max() <= 1e-5


@pytest.fixture
def structured(annotated) -> pd.DataFrame:
    """Return the plate with 12 features that vary in few directions, one of them with a hole."""
    rng = np.random.default_rng(8)
    values = rng.normal(size=(24, 3)) @ rng.normal(size=(3, 12)) + rng.normal(0, 0.2, (24, 12))
    values[5, 7] = np.nan
    names = [f"Cells_Texture_{number:02d}" for number in range(12)]
    return annotated.iloc[:, :4].join(pd.DataFrame(values, columns=names))


def test_spherized_a_plate_is_whitened_by_itself_as_the_formula_says(normalize, structured, written, oracle, tmp_path):
    outcome = normalize(structured, method="spherize")
    oracle(WHITENING_BY_HAND, tmp_path / "by_hand.csv", tmp_path / "augmented.csv.gz")
    holey = "Cells_Texture_07"

    assert outcome.code == 0, outcome.stderr
    assert outcome.facts["features_dropped"] == [holey]
    assert list(written()) == [name for name in structured if name != holey]
    expected = np.loadtxt(tmp_path / "by_hand.csv", delimiter=",")
    np.testing.assert_allclose(written().iloc[:, 4:].to_numpy(), expected, rtol=6e-5, atol=1e-7)


def test_a_few_wells_that_vary_in_all_directions_alike_are_whitened_with_a_warning(normalize, written):
    outcome = normalize(method="spherize")

    assert outcome.code == 0, outcome.stderr
    assert "8 wells to fit on span 7 directions" in outcome.warnings[-1]
    assert np.abs(written().iloc[:, 4:].to_numpy()).max() < 1e3


def test_to_spherize_against_two_wells_is_an_error_and_against_one_leaves_metadata_only(normalize, written):
    outcome = normalize(method="spherize", samples="Metadata_Well in ['A01', 'A02']")
    assert outcome.code == 65
    assert "2 wells to fit on are too few" in outcome.stderr

    assert normalize(method="spherize", samples="Metadata_Well == 'A01'").code == 0
    assert [name for name in written() if not name.startswith("Metadata_")] == []


SEEDS = range(4)
SCALED = """
import json, sys
from pathlib import Path
import pandas as pd
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent)]
import normalize, pycytominer
for path in sorted(Path(sys.argv[2]).glob("*.csv")):
    table = pd.read_csv(path)
    chosen = table["Metadata_control_type"] == "negcon"
    for method in ("mad_robustize", "robustize", "standardize"):
        scaled = normalize.scale(table, chosen, method)
        scaled.to_csv(path.with_suffix("." + method), index=False)
        names = [name for name in table if not name.startswith("Metadata_")]
        samples = "Metadata_control_type == 'negcon'"
        settings = {"features": names, "samples": samples, "method": method, "mad_robustize_epsilon": 0}
        pd.testing.assert_frame_equal(scaled[names], pycytominer.normalize(table, **settings)[names], check_exact=True)
"""


def random_plate(seed: int) -> pd.DataFrame:
    """Return wells whose features differ in scale, have ties, holes and hardly any spread, by chance."""
    rng = np.random.default_rng(seed)
    wells, count = int(rng.integers(10, 60)), 25
    values = rng.normal(size=(wells, count)) * 10.0 ** rng.integers(-2, 6, count) + rng.normal(0, 100, count)
    values[:, :5] = np.round(rng.normal(0, 2, (wells, 5)))
    values[rng.random(values.shape) < 0.05] = np.nan
    control = np.where(np.arange(wells) < rng.integers(4, wells), "negcon", "trt")
    metadata = pd.DataFrame({"Metadata_Well": np.arange(wells), "Metadata_control_type": control})
    return metadata.join(pd.DataFrame(values, columns=[f"Cells_T_{number}" for number in range(count)]))


def test_random_plates_are_scaled_as_a_person_would_and_as_pycytominer_does_to_the_last_bit(oracle, tmp_path):
    (tmp_path / "plates").mkdir()
    for seed in SEEDS:
        random_plate(seed).to_csv(tmp_path / f"plates/{seed}.csv", index=False)
    oracle(SCALED, PROGRAMS, tmp_path / "plates")

    compared = 0
    for seed in SEEDS:
        plate = random_plate(seed)
        negcon = plate[plate["Metadata_control_type"] == "negcon"]
        for method in ("mad_robustize", "robustize", "standardize"):
            made = pd.read_csv(tmp_path / f"plates/{seed}.{method}")
            for name in plate.columns[2:]:
                with np.errstate(divide="ignore", invalid="ignore"):
                    expected = by_hand(plate[name], negcon[name], method)
                if np.isfinite(expected[plate[name].notna()]).all():
                    np.testing.assert_allclose(made[name], expected, rtol=1e-6, atol=1e-9)
                    compared += 1
    assert compared > len(SEEDS) * 3 * 20
