"""Each operation judges the full list of features, exactly as pycytominer's own does; the exclusions are united."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

PLATE = "00117013"
PUBLISHED = "variance_threshold,correlation_threshold,drop_na_columns,blocklist"
SEEDS = range(6)
JUDGED = """
import json, sys, tempfile
import pandas as pd
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import selection
from pycytominer import feature_select
from stored_plates import StoredPlates

theirs = {"variance_threshold": "frequency_threshold"}
settings = {"na_cutoff": 0.05, "corr_threshold": 0.9, "freq_cut": 0.05, "unique_cut": 0.1}
operations, verdicts = sys.argv[4].split(","), {}
for path in sorted(Path(sys.argv[2]).glob("*.csv")):
    table = pd.read_csv(path)
    stored = StoredPlates(tempfile.gettempdir())
    stored.add(table)
    features = stored.judged(list(table))
    verdicts[path.stem] = {
        operation: {
            "ours": list(ours),
            "theirs": list(set(table) - set(feature_select(
                table, features=list(table), operation=theirs.get(operation, operation), **settings))),
        }
        for operation, ours in selection.excluded(features, operations, selection.Thresholds(**settings)).items()
    }
Path(sys.argv[3]).write_text(json.dumps(verdicts))
"""
PROGRAMS = Path(__file__).parents[3] / "containers" / "pycytominer"
SELECTION_BY_HAND = Path(__file__).with_name("selection_by_hand.py")


@pytest.fixture
def select(stage, save, tmp_path):
    defaults = {"operations": PUBLISHED, "na_cutoff": 0.05, "corr_threshold": 0.9, "freq_cut": 0.05, "unique_cut": 0.1}
    defaults["outlier_cutoff"] = 500

    def run(*tables: pd.DataFrame, **flags):
        paths = [save(table, f"plate{number}.csv.gz") for number, table in enumerate(tables)]
        written = [tmp_path / f"selected{number}.csv.gz" for number in range(len(tables))]
        settings = {**defaults, "behaviour": "corrected", "location_features": "auto", "blocklist": [], **flags}
        settings["write_excluded"] = tmp_path / "excluded.csv"
        return stage("select_features", profiles=paths, write_profiles=written, **settings)

    return run


@pytest.fixture
def excluded(tmp_path):
    """Return a function that reads the table of excluded features: operation -> feature -> reason."""

    def read() -> dict[str, dict[str, str]]:
        table = pd.read_csv(tmp_path / "excluded.csv", dtype=str)
        assert list(table) == ["feature", "reason", "operation", "plate_set"]
        assert set(table["plate_set"]) <= {PLATE}
        return {
            name: dict(zip(rows["feature"], rows["reason"], strict=True)) for name, rows in table.groupby("operation")
        }

    return read


@pytest.fixture
def kept(tmp_path):
    def names(number: int = 0) -> list[str]:
        table = pd.read_csv(tmp_path / f"selected{number}.csv.gz", nrows=0)
        return [name for name in table if not name.startswith("Metadata_")]

    return names


def random_plate(seed: int) -> pd.DataFrame:
    """Return 60 wells whose features repeat, correlate, lack values and bear blocklisted names, by chance."""
    rng = np.random.default_rng(seed)
    wells, count = 60, 40
    values = rng.normal(size=(wells, 8)) @ rng.normal(size=(8, count)) + rng.normal(0, 1.2, (wells, count))
    values[:, :4] = np.round(values[:, :4] / rng.uniform(0.5, 5, 4))
    values[:, 4] = values[:, 5] * 2 + 1e-3 * rng.normal(size=wells)
    values[:, 6] = 3.0
    for column in rng.choice(count, 12, replace=False):
        values[rng.random(wells) < rng.uniform(0, 0.15), column] = np.nan
    names = [f"Cells_Texture_{number:02d}" for number in range(count - 1)] + ["Nuclei_Granularity_14_DNA"]
    texts = {"Metadata_broad_sample": "B", "Metadata_Plate": PLATE, "Metadata_control_type": ""}
    metadata = pd.DataFrame(texts, range(wells))
    metadata.insert(2, "Metadata_Well", [f"{chr(65 + number // 24)}{number % 24 + 1:02d}" for number in range(wells)])
    return pd.concat([metadata, pd.DataFrame(values, columns=names)], axis="columns")


@pytest.fixture(scope="module")
def verdicts(pycytominer_python, tmp_path_factory) -> dict[str, dict[str, dict[str, list[str]]]]:
    """Return what each operation excludes of each random plate: our way, and pycytominer's."""
    folder = tmp_path_factory.mktemp("plates")
    for seed in SEEDS:
        features_of(random_plate(seed)).to_csv(folder / f"{seed}.csv", index=False)
    words = [pycytominer_python, "-W", "ignore", "-c", JUDGED, PROGRAMS, folder, folder / "verdicts.json", PUBLISHED]
    subprocess.run(words, check=True, env={**os.environ, "PYTHONPATH": str(PROGRAMS.parent)})
    return json.loads((folder / "verdicts.json").read_text())


def features_of(table: pd.DataFrame) -> pd.DataFrame:
    return table[[name for name in table if not name.startswith("Metadata_")]]


@pytest.mark.parametrize("operation", PUBLISHED.split(","))
def test_each_operation_excludes_what_pycytominers_own_excludes(verdicts, operation):
    for seed in SEEDS:
        verdict = verdicts[str(seed)][operation]

        assert verdict["ours"]
        assert sorted(verdict["ours"]) == sorted(verdict["theirs"])


@pytest.mark.parametrize("seed", SEEDS)
def test_rare_repeated_and_missing_values_exclude_what_a_person_would_exclude(verdicts, seed):
    table = features_of(random_plate(seed))

    def varies(name: str) -> bool:
        counts = sorted((int((table[name] == value).sum()) for value in table[name].dropna().unique()), reverse=True)
        return len(counts) > 1 and counts[1] / counts[0] >= 0.05 and len(counts) / len(table) >= 0.1

    verdict = verdicts[str(seed)]
    assert verdict["variance_threshold"]["ours"] == [name for name in table if not varies(name)]
    missing = [name for name in table if table[name].isna().sum() / len(table) > 0.05]
    assert verdict["drop_na_columns"]["ours"] == missing


@pytest.mark.parametrize("seed", SEEDS)
def test_of_a_correlated_pair_the_one_that_correlates_more_with_all_others_goes(verdicts, seed):
    table = features_of(random_plate(seed))

    def correlation(one: str, other: str) -> float:
        both = table[one].notna() & table[other].notna()
        x, y = table.loc[both, one], table.loc[both, other]
        if min(x.nunique(), y.nunique()) < 2:
            return 0.0
        return float(((x - x.mean()) * (y - y.mean())).sum() / len(x) / x.std(ddof=0) / y.std(ddof=0))

    r = {one: {other: correlation(one, other) for other in table} for one in table}
    total = {name: sum(abs(value) for value in r[name].values()) for name in table}
    loser = {a if total[a] > total[b] else b for a in table for b in table if a != b and r[a][b] > 0.9}
    assert verdicts[str(seed)]["correlation_threshold"]["ours"] == [name for name in table if name in loser]


def test_sums_plate_by_plate_exclude_what_the_whole_table_excludes(pycytominer_python, tmp_path):
    """Equal features, missing values, correlations at 0.9 +- 1e-8 to 1e-13: the reasons are the same, word by word."""
    words = [pycytominer_python, "-W", "ignore", SELECTION_BY_HAND, tmp_path / "verdicts.json"]
    paths = os.pathsep.join([str(PROGRAMS), str(PROGRAMS.parent)])
    subprocess.run(words, check=True, env={**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1"})

    for verdict in json.loads((tmp_path / "verdicts.json").read_text()):
        expected = {operation: [*reasons.items()] for operation, reasons in verdict["by_hand"].items()}
        for way in ("all at once", "in blocks"):
            assert {operation: [*reasons.items()] for operation, reasons in verdict[way].items()} == expected
        assert all(expected.values())


FULL = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], str(Path(sys.argv[1]).parent)]
import pandas as pd, stored_plates
from stagekit import program
stored = stored_plates.StoredPlates(Path(sys.argv[2]))
stored.file = open("/dev/full", "r+b")
try:
    stored.add(pd.DataFrame({"Cells_T": [1.0] * 384}))
except program.ServiceError as error:
    Path(sys.argv[2], "said").write_text(str(error))
"""


def test_a_full_disk_is_no_fault_of_the_plates_and_is_told(oracle, tmp_path):
    oracle(FULL, PROGRAMS, tmp_path)

    assert "no room for the values of plate 1" in (tmp_path / "said").read_text()


def test_the_table_says_why_each_feature_goes(select, kept, excluded):
    table = random_plate(0)
    outcome = select(table)
    said, names = excluded(), set(features_of(table))

    assert set().union(*said.values()) == names - set(kept())
    assert outcome.facts["features_excluded"] == {
        **dict.fromkeys(["not_on_every_plate", "location"], 0),
        **{operation: len(reasons) for operation, reasons in said.items()},
    }
    for name, reason in said["correlation_threshold"].items():
        r, other = re.fullmatch(r"r = (\S+) with (\S+)", reason).groups()
        assert table[name].corr(table[other]) == pytest.approx(float(r), abs=6e-4)
    for name, reason in said["drop_na_columns"].items():
        assert reason == f"{table[name].isna().sum()} of 60 values are missing"
    assert said["variance_threshold"]["Cells_Texture_06"] == (
        "1 different values in 60 wells, the most common 60 times, the next 0"
    )
    assert said["blocklist"] == {"Nuclei_Granularity_14_DNA": "is on the blocklist"}


def test_exclusions_are_united_and_not_taken_from_a_shrinking_list(select, kept, verdicts):
    table = random_plate(0)
    apart = {name for verdict in verdicts["0"].values() for name in verdict["ours"]}

    outcome = select(table)

    assert kept() == [name for name in features_of(table) if name not in apart]
    assert outcome.facts["features"] == len(kept())


def test_of_two_equal_features_the_later_one_goes(select, kept):
    table = random_plate(2)
    table["Nuclei_Twin"] = table["Cells_Texture_20"]

    select(table, operations="correlation_threshold", corr_threshold=0.999)

    assert "Cells_Texture_20" in kept()
    assert "Nuclei_Twin" not in kept()


JUNK = [
    "Cells_Parent_Nuclei",
    "Cells_Children_Cytoplasm_Count",
    "Cells_Location_Center_X",
    "Cells_Number_Object_Number",
    "Nuclei_AreaShape_BoundingBoxMinimum_X",
    "Nuclei_AreaShape_Center_Y",
    "Nuclei_Neighbors_FirstClosestObjectNumber_1",
]
NO_JUNK = ["Cells_AreaShape_Area", "Cells_Neighbors_NumberOfNeighbors_5", "Nuclei_Texture_Contrast_DNA_3_00_256"]


@pytest.mark.parametrize(
    ("behaviour", "choice", "dropped"),
    [
        ("corrected", "auto", True),
        ("as_published", "auto", False),
        ("corrected", "keep", False),
        ("as_published", "drop", True),
    ],
)
def test_places_and_object_numbers_go_unless_kept_as_published(select, kept, behaviour, choice, dropped):
    rng = np.random.default_rng(0)
    table = random_plate(0).iloc[:, :4].join(pd.DataFrame(rng.normal(size=(60, 10)), columns=[*JUNK, *NO_JUNK]))

    outcome = select(table, behaviour=behaviour, location_features=choice)

    assert kept() == (NO_JUNK if dropped else [*JUNK, *NO_JUNK])
    assert outcome.facts["features_excluded"]["location"] == (7 if dropped else 0)


def test_a_plate_of_metadata_only_stays_one_and_is_told(select, kept):
    outcome = select(random_plate(0).iloc[:, :4])

    assert outcome.code == 0
    assert kept() == []
    assert "metadata only" in outcome.warnings[0]


def test_a_plate_that_lacks_wells_or_a_feature_or_all_features_hinders_no_other(select, kept, excluded, load, tmp_path):
    plates = [random_plate(seed).assign(Metadata_Plate=f"P{seed}") for seed in range(4)]
    plates[1] = plates[1].drop(columns="Cells_Texture_20")
    plates[2] = plates[2].iloc[:5]
    plates[3] = plates[3].iloc[:, :4]
    outcome = select(*plates)

    assert outcome.code == 0, outcome.stderr
    assert "Cells_Texture_20" not in kept(0)
    assert kept(0) == kept(1) == kept(2) != []
    assert kept(3) == []
    assert excluded()["not_on_every_plate"] == {"Cells_Texture_20": "is not on 1 of 3 plates: P1"}
    assert [len(load(tmp_path / f"selected{number}.csv.gz")) for number in range(4)] == [60, 60, 5, 60]


def test_all_plates_of_a_set_get_the_same_metadata_columns(select, load, tmp_path):
    first, second = random_plate(1), random_plate(2)
    second.insert(1, "Metadata_target_sequence", "ACGT")
    select(first, second)

    tables = [load(tmp_path / f"selected{number}.csv.gz") for number in (0, 1)]
    assert list(tables[0]) == list(tables[1])
    assert [set(table["Metadata_target_sequence"]) for table in tables] == [{""}, {"ACGT"}]


def test_plates_are_judged_together_and_written_apart(select, kept, load, tmp_path):
    first, second = random_plate(1), random_plate(2)
    second["Metadata_Plate"] = "other"
    both = pd.concat([first, second]).assign(Metadata_Well=[f"{row}{at:02d}" for row in "ABCDE" for at in range(1, 25)])
    select(both)
    expected = kept()

    outcome = select(first, second.assign(Nuclei_Extra=1.0))

    assert kept(0) == kept(1) == expected
    assert "Nuclei_Extra" in outcome.warnings[0]
    assert set(load(tmp_path / "selected1.csv.gz")["Metadata_Plate"]) == {"other"}
    assert outcome.facts["plates"] == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"operations": "variance"},
        {"operations": ""},
        {"operations": "blocklist,blocklist"},
        {"na_cutoff": 5},
        {"corr_threshold": "high"},
        {"location_features": "yes"},
        {"behaviour": "published"},
    ],
    ids=lambda wrong: "=".join(map(str, *wrong.items())),
)
def test_a_wrong_setting_is_refused(select, wrong):
    assert select(random_plate(0), **wrong).code == 2


def test_the_published_settings_keep_665_of_the_real_plates_904_features(stage, real_data, kept, tmp_path):
    plates = [f"BR001170{number}" for number in range(10, 14)]
    folder = real_data / "profiles/2020_11_04_CPJUMP1"

    outcome = stage(
        "select_features",
        plate="four",
        profiles=[folder / plate / f"{plate}_normalized_feature_select_negcon_batch.csv.gz" for plate in plates],
        operations=PUBLISHED,
        na_cutoff=0.05,
        corr_threshold=0.9,
        freq_cut=0.05,
        unique_cut=0.1,
        outlier_cutoff=500,
        behaviour="as_published",
        location_features="auto",
        blocklist=[],
        write_profiles=[tmp_path / f"selected{number}.csv.gz" for number in range(4)],
        write_excluded=tmp_path / "excluded.csv",
    )
    table = pd.read_csv(tmp_path / "excluded.csv")

    assert outcome.facts["features_before"] == 904
    assert outcome.facts["features_excluded"]["correlation_threshold"] == 239
    assert len(kept()) == 665
    assert table["feature"].nunique() == 239
    assert set(table["operation"]) == {"correlation_threshold"}
    assert set(table["plate_set"]) == {"four"}


def test_a_blocklist_of_ones_own_takes_the_place_of_pycytominers(select, excluded, kept, tmp_path):
    plate = random_plate(0)
    listed = "Nuclei_Granularity_14_DNA"  # on pycytominer's
    own = [name for name in plate if name.startswith("Cells_")][0]
    assert listed in plate
    path = tmp_path / "mine.txt"
    path.write_text(f"blocklist\r\n{own}\r\nCells_Of_No_Plate\n\n")

    outcome = select(plate, operations="blocklist", blocklist=[path])

    assert outcome.code == 0, outcome.stderr
    assert excluded()["blocklist"] == {own: "is on the blocklist that was given"}
    assert listed in kept() and own not in kept()
    assert outcome.facts["blocklist"] == 2


BLOCKLISTS = {
    "empty": ("", "mine.txt: the first line of a blocklist is 'blocklist', then a name a line; it is empty"),
    "without its head": ("Cells_A\n", "it begins with 'Cells_A'"),
    "without a name": ("blocklist\n\n", "the blocklist names no feature"),
    "with something else": ("blocklist\nCells_A\nMetadata_Well\n", "line 3: 'Metadata_Well' is no feature"),
}


@pytest.mark.parametrize(("text", "words"), BLOCKLISTS.values(), ids=BLOCKLISTS)
def test_a_blocklist_of_another_form_is_an_error(select, tmp_path, text, words):
    path = tmp_path / "mine.txt"
    path.write_text(text)

    outcome = select(random_plate(0), blocklist=[path])

    assert outcome.code == 65
    assert words in outcome.stderr


def test_a_blocklist_that_no_operation_uses_is_told(select, tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("blocklist\nCells_A\n")

    outcome = select(random_plate(0), operations="drop_na_columns", blocklist=[path])

    assert "mine.txt is not used" in outcome.warnings[0]


@pytest.fixture
def far_out() -> pd.DataFrame:
    """Return a plate with features that reach 46,317, -700 and 499 in one well."""
    table = random_plate(0).fillna(1.0)
    for name, value in {"Cells_Texture_20": 46_317.0, "Cells_Texture_21": -700.0, "Cells_Texture_22": 499.0}.items():
        table.loc[7, name] = value
    return table


def test_a_kept_feature_that_reaches_far_is_told_with_its_value_plate_and_well(select, far_out, kept):
    outcome = select(random_plate(1), far_out, operations="variance_threshold")

    assert {"Cells_Texture_20", "Cells_Texture_21", "Cells_Texture_22"} <= {*kept(1)}
    assert outcome.facts["extreme_values"] == {"Cells_Texture_20": 46_317.0, "Cells_Texture_21": -700.0}
    (warning,) = [each for each in outcome.warnings if "Cells_Texture_20" in each]
    assert f"46317 in {PLATE} A08" in warning


def test_drop_outliers_leaves_such_features_out_and_says_why(select, far_out, kept, excluded):
    outcome = select(far_out, operations="drop_outliers", outlier_cutoff=600)

    assert [*excluded()["drop_outliers"]] == ["Cells_Texture_20", "Cells_Texture_21"]
    assert "46317" in excluded()["drop_outliers"]["Cells_Texture_20"]
    assert not {"Cells_Texture_20", "Cells_Texture_21"} & {*kept()}
    assert "Cells_Texture_22" in kept()
    assert outcome.facts["extreme_values"] == {}
    assert not any("Cells_Texture_20" in each for each in outcome.warnings)


@pytest.mark.parametrize("cutoff", ["0", "-1", "far"])
def test_an_outlier_cutoff_is_above_0(select, far_out, cutoff):
    assert select(far_out, outlier_cutoff=cutoff).code == 2
