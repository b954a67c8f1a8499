"""Profiles are whitened as the resource's formula says, and each plate's file holds its own wells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from tests.stages.pycytominer.conftest import WHITENING_BY_HAND

NEGCON = "Metadata_control_type == 'negcon'"


def draw(plate: str, wells: int = 48, features: int = 30) -> pd.DataFrame:
    """Return a plate of correlated features; a third of its wells are negcon."""
    rng = np.random.default_rng(sum(map(ord, plate)))
    names = [f"{chr(65 + at // 24)}{at % 24 + 1:02d}" for at in range(wells)]
    control = ["negcon" if at % 3 == 0 else "" for at in range(wells)]
    metadata = pd.DataFrame({"Metadata_broad_sample": "B", "Metadata_Plate": plate, "Metadata_Well": names})
    metadata["Metadata_control_type"] = control
    mixing = np.random.default_rng(5).normal(size=(6, features))
    values = rng.normal(size=(wells, 6)) @ mixing + rng.normal(0, 0.3, (wells, features)) + 2
    return metadata.join(pd.DataFrame(values, columns=[f"Cells_Texture_{at:02d}" for at in range(features)]))


@pytest.fixture
def spherize(stage, save, tmp_path):
    def run(*tables: pd.DataFrame, samples: str = NEGCON, behaviour: str = "corrected"):
        paths = [save(table, f"plate{number}.csv") for number, table in enumerate(tables)]
        written = [tmp_path / f"spherized{number}.csv.gz" for number in range(len(tables))]
        flags = {"profiles": paths, "samples": samples, "behaviour": behaviour, "write_profiles": written}
        return stage("spherize", plate="set", **flags)

    return run


@pytest.fixture
def by_hand(oracle, tmp_path):
    def run(plates: int) -> np.ndarray:
        oracle(
            WHITENING_BY_HAND, tmp_path / "by_hand.csv", *(tmp_path / f"plate{number}.csv" for number in range(plates))
        )
        return np.loadtxt(tmp_path / "by_hand.csv", delimiter=",")

    return run


@pytest.fixture
def written(load, tmp_path):
    return lambda number: load(tmp_path / f"spherized{number}.csv.gz")


@pytest.mark.parametrize("features", [20, 200], ids=["fewer features than wells", "more features than wells"])
def test_every_value_is_what_the_formula_gives(spherize, by_hand, written, features):
    plates = [draw("P1", features=features), draw("P2", features=features)]
    plates[0]["Cells_Texture_03"] = plates[1]["Cells_Texture_03"] = 1.5  # without spread
    outcome = spherize(*plates)
    made = np.concatenate([written(number).iloc[:, 4:].to_numpy() for number in (0, 1)])

    assert outcome.code == 0, outcome.stderr
    assert outcome.facts["features_without_spread"] == ["Cells_Texture_03"]
    assert any("Cells_Texture_03" in warning for warning in outcome.warnings)
    np.testing.assert_allclose(made, by_hand(2), rtol=6e-5, atol=1e-7)


def test_the_negative_controls_are_whitened_along_their_strong_axes(spherize, written):
    spherize(draw("P1", wells=384, features=10))
    table = written(0)
    negcon = table[table["Metadata_control_type"] == "negcon"].iloc[:, 4:].to_numpy()
    strong = np.sort(np.linalg.eigvalsh(np.cov(negcon, rowvar=False)))[-3:]

    assert np.abs(negcon.mean(axis=0)).max() < 1e-4
    np.testing.assert_allclose(strong, 1, rtol=1e-3)


@pytest.mark.parametrize("behaviour", ["corrected", "as_published"])
def test_the_covariance_of_the_negative_controls_of_deep_profiles_is_the_identity(spherize, written, behaviour):
    """Where no variance is small: nothing is bounded, so nothing but the identity may come out."""
    mixing = np.eye(8) + 0.35 * np.random.default_rng(1).normal(size=(8, 8))
    plates = []
    for plate in ("P1", "P2"):
        table = draw(plate, wells=192, features=0)
        values = np.random.default_rng(sum(map(ord, plate))).normal(size=(192, 8)) @ mixing + 3
        plates.append(table.join(pd.DataFrame(values, columns=[f"efficientnet_{at}" for at in range(8)])))
    outcome = spherize(*plates, behaviour=behaviour)
    files = [written(number) for number in (0, 1)]
    table = files[0] if behaviour == "as_published" else pd.concat(files)
    negcon = table[table["Metadata_control_type"] == "negcon"].iloc[:, 4:].to_numpy()

    assert outcome.code == 0, outcome.stderr
    assert negcon.shape == (128, 8)
    assert len(files[0]) == (384 if behaviour == "as_published" else 192)
    np.testing.assert_allclose(np.cov(negcon, rowvar=False), np.eye(8), atol=1e-4)


def test_corrected_each_plate_holds_its_own_wells_and_as_published_those_of_all(spherize, written):
    plates = [draw("P1"), draw("P2").iloc[:40]]
    spherize(*plates)
    own = [written(number) for number in (0, 1)]
    spherize(*plates, behaviour="as_published")

    for number, plate in enumerate(("P1", "P2")):
        assert set(own[number]["Metadata_Plate"]) == {plate}
        assert own[number]["Metadata_Well"].tolist() == plates[number]["Metadata_Well"].tolist()
        pd.testing.assert_frame_equal(written(number), pd.concat(own, ignore_index=True))


def test_a_feature_that_lacks_a_value_in_any_well_is_dropped_and_told(spherize, by_hand, written):
    first, second = draw("P1"), draw("P2")
    second.loc[7, "Cells_Texture_05"] = np.nan
    first = first.drop(columns="Cells_Texture_06")
    outcome = spherize(first, second)

    assert outcome.facts["features_dropped"] == ["Cells_Texture_05", "Cells_Texture_06"]
    assert "2 features lack a value" in outcome.warnings[0]
    assert [name for name in written(0) if name in ("Cells_Texture_05", "Cells_Texture_06")] == []
    assert len(written(1).columns) == 4 + 28


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        ("Metadata_control_type == 'none'", "no row has"),
        ("Metadata_Well == 'A01'", "1 wells to fit on are too few"),
        ("negcon", "are no query"),
    ],
)
def test_wells_that_cannot_be_fitted_on_are_an_error(spherize, samples, words):
    outcome = spherize(draw("P1"), samples=samples)

    assert outcome.code == 65
    assert words in outcome.stderr


def test_controls_that_are_all_alike_are_an_error(spherize):
    table = draw("P1")
    table.loc[table["Metadata_control_type"] == "negcon", [name for name in table if "Texture" in name]] = 1.0
    outcome = spherize(table)

    assert outcome.code == 65
    assert "have no elbow" in outcome.stderr


def test_few_controls_that_bend_nowhere_are_bounded_by_the_last_direction_they_span(spherize, written):
    """16 wells span 15 directions: what lies beyond is rounding, and would stretch wells a thousandfold millions."""
    table = draw("P1", wells=48, features=0)
    values = np.random.default_rng(0).normal(size=(48, 400)) + 5
    table = table.join(pd.DataFrame(values, columns=[f"efficientnet_{at}" for at in range(400)]))
    outcome = spherize(table)
    made = written(0).iloc[:, 4:].to_numpy()
    negcon = made[(table["Metadata_control_type"] == "negcon").to_numpy()]
    variances = np.linalg.svd(negcon - negcon.mean(axis=0), compute_uv=False) ** 2 / 15

    assert outcome.code == 0, outcome.stderr
    assert outcome.facts["elbow"] == 14
    assert "16 wells to fit on span 15 directions" in outcome.warnings[0]
    np.testing.assert_allclose(variances[:15], 1, rtol=1e-3)
    assert np.abs(made).max() < 100
