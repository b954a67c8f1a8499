"""Every setting is checked before anything starts: its kind, its range, and what it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks.dataset import layout
from tasks.errors import SettingsError
from tasks.settings import checks
from tasks.workflow import image_analysis, pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.test_settings import check

PIPELINE = "CellProfiler Pipeline: http://www.cellprofiler.org\nVersion:5\nLoadData:[module_num:1|enabled:True]\n"
SELECTING = "Crop:[module_num:2|enabled:True]\n    Select the input image:{image}\n"
MAKING = "Smooth:[module_num:3|enabled:True]\n    Name the output image:OrigMade\n    Select the input image:OrigMade\n"
OURS = {
    stage: image_analysis.PIPELINES / f"{name}.cppipe"
    for stage, name in {"measure": "analysis", "illumination": "illumination"}.items()
}

REFUSED = {
    ("gallery", "endpoint_url"): [
        "localhost:9000", "http://:45169", "ftp://host", "https://host:99999", "http://h:0", "http://a b",
        "https://u:p@h",
    ],
    ("gallery", "bucket"): ["", "My_Bucket", "ab", "a..b", "10.0.0.1", "s3://bucket", "-a-"],
    ("gallery", "region"): ["us east 1", "us_east_1", ""],
    ("gallery", "unsigned"): ["yes", "1", ""],
    ("gallery", "connections"): ["0", "1.5", "many"],
    ("gallery", "stall_seconds"): ["0", "nan", "inf"],
    ("aws_batch", "endpoint_url"): ["batch", "http://"],
    ("aws_batch", "max_array"): ["0", "10001"],
    ("aws_batch", "region"): ["here"],
    ("paths", "root"): [
        "", "s3:/bucket", "s3://", "s3://My_Bucket", "gs://bucket", "https://bucket.s3.amazonaws.com",
        "s3://bucket/../x", "~/screens",
    ],
    ("paths", "mirror"): ["s3://bucket/mirror", "~/mirror"],
    ("apptainer", "images"): ["~/images", "docker://images"],
    ("dataset", "project"): ["a/b", "..", "a..b", ""],
    ("dataset", "source"): ["source 4"],
    ("dataset", "external_metadata"): ["", "{x}.tsv", "../{stem}.tsv"],
    ("runtime", "max_failed_fraction"): ["-0.1", "1.1", "1%%"],
    ("core", "workers"): ["0", "-1", "few"],
    ("core", "default_scheduler_url"): ["scheduler:8082"],
    ("retries", "tries"): ["0"],
    ("slurm", "partition"): ["short long", "a;b"],
    ("slurm", "extra"): ["--comment='open"],
    ("plan", "dollars_per_core_hour"): ["-1"],
    ("measure", "sites_per_shard"): ["0", "-1", "1e3"],
    ("measure", "slurm_partition"): ["short long", "a;b"],
    ("deep_profile", "batch_size"): ["0"],
    ("deep_profile", "sites_per_shard"): ["0"],
    ("deep_profile", "checkpoint"): ["nowhere.hdf5", "s3://bucket/a", "https://"],
    ("deep_profile", "checkpoint_sha256"): ["ab", "g" * 64],
    ("select_features", "na_cutoff"): ["5", "-0.1", "nan"],
    ("select_features", "corr_threshold"): ["1.5"],
    ("select_features", "freq_cut"): ["-1"],
    ("select_features", "unique_cut"): ["2"],
    ("select_features", "operations"): [
        "variance", "blocklist,", "blocklist, drop_na_columns", "blocklist,blocklist", "",
    ],
    ("select_features", "blocklist"): ["nowhere.csv"],
    ("quality_control", "low_count"): ["-3", "2"],
    ("quality_control", "edge_effect"): ["-0.2"],
    ("normalize", "min_negcon_wells"): ["-1"],
    ("normalize", "samples"): [
        "", "negcon", "Metadata_x = 'a'", "Metadata_x == 'a", "control_type == 'negcon'", "Metadata_x", "@x == 1",
        "Metadata_x != 0", "Metadata_x in ['a', 1]", "Metadata_x == 'a' and Metadata_y >= '10'", "`Metadata_a b` == -1",
    ],
    ("normalize_negcon", "samples"): ["Metadata_x =="],
    ("spherize", "samples"): ["Metadata_x =="],
    ("spherize_deep", "samples"): ["Metadata_x =="],
    ("replicability", "negatives"): ["all", "Metadata_x =="],
    ("replicability", "same_by"): ["", "broad_sample", "Metadata_a,,Metadata_b"],
    ("consensus", "replicates"): ["broad_sample", "Metadata_a,Metadata_b,Metadata_a"],
    ("benchmark", "permutations"): ["0"],
    ("benchmark", "threshold"): ["5"],
    ("benchmark", "seed"): ["-1"],
    ("benchmark", "cellprofiler_profiles"): ["{well}.csv.gz", "{plate", "../x.csv.gz"],
    ("matching", "annotations"): ["{plate}.tsv"],
    ("matching", "separator"): [""],
    ("load_data", "pattern"): ["(", "(?P<well>.+)", "(?P<row>.)(?P<channel>.)", ""],
    ("load_data", "channels"): ["DNA,ER", "1=../x", "1=DNA,1=ER", "1=D\u00e9", ""],
    ("preflight", "exclude"): ["A01", "P1:", "P1:A1", "P1:A01-x"],
    ("illumination", "pipeline"): ["nowhere.cppipe"],
    ("collate", "sqlite"): ["yes"],
    ("aggregate_deep", "parquet"): ["maybe"],
}  # fmt: skip
CASES = [(*place, value) for place, values in REFUSED.items() for value in values]


@pytest.mark.parametrize(("section", "key", "value"), CASES, ids=[f"{s}.{k}={v}" for s, k, v in CASES])
def test_a_value_that_cannot_be_used_is_refused_by_name(
    section: str, key: str, value: str, luigi_cfg: LoadSettings
) -> None:
    with pytest.raises(SettingsError) as failure:
        check(luigi_cfg, f"[{section}]\n{key} = {value}\n")

    assert str(failure.value).startswith(f"luigi.cfg [{section}] {key}")
    assert "\n" not in str(failure.value)


TAKEN = {
    ("gallery", "endpoint_url"): [
        "https://host", "http://127.0.0.1:9000", "http://[::1]:9000/", "https://s3.example.org/x",
    ],
    ("gallery", "region"): ["us-gov-west-1", "fr-par", "garage"],
    ("gallery", "unsigned"): ["true", "False"],
    ("normalize", "samples"): [
        "Metadata_x == 'a # b'",
        "all", "Metadata_x in ['a', 'b'] and not Metadata_y == ''", "`Metadata_a b` == '1'",
        "Metadata_x.str.startswith('D')", "Metadata_x.astype('float') > 5", "Metadata_day >= '2020-11-04'",
    ],
    ("select_features", "operations"): ["blocklist", "frequency_threshold,blocklist"],
    ("replicability", "negatives_same_by"): ["", "Metadata_Plate,Metadata_x"],
    ("load_data", "pattern"): [
        "(?P<well>...)_(?P<channel>.)\\.tif", "(?P<row>.)(?P<column>.)(?P<channel>.)(?P<site>.)",
    ],
    ("preflight", "exclude"): ["P1:A01 P1:AF48-12, P-2_x:B02", ""],
    ("deep_profile", "checkpoint"): ["https://host/a.hdf5?download=1", "ftp://host/a.hdf5"],
    ("runtime", "cores"): ["auto", "3"],
}  # fmt: skip
GOOD = [(*place, value) for place, values in TAKEN.items() for value in values]


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("paths", "root = /data/screens   # everything is below it"),
        ("slurm", "account = my_lab ; ours"),
        ("normalize", "samples = Metadata_x == 'a'  # mine"),
        ("measure", "sites_per_shard = 12 # of 16"),
        ("measure", "cpus = 2 # cores"),
    ],
)
def test_a_comment_behind_a_value_is_refused(section: str, line: str, luigi_cfg: LoadSettings) -> None:
    with pytest.raises(SettingsError, match="a comment is on a line of its own, not behind a value$"):
        check(luigi_cfg, f"[{section}]\n{line}\n")


DOCS = sorted(layout.REPOSITORY.glob("docs/*.md"))


@pytest.mark.parametrize("page", DOCS, ids=[page.stem for page in DOCS])
def test_no_page_shows_a_comment_behind_a_value(page: Path) -> None:
    blocks = re.findall(r"```\w*\n(\[\w+\]\n.*?)```", page.read_text(), re.DOTALL)

    assert [line for block in blocks for line in block.splitlines() if re.match(r"\w+ = .*\s[#;]", line)] == []


@pytest.mark.parametrize(("section", "key", "value"), GOOD, ids=[f"{s}.{k}={v}" for s, k, v in GOOD])
def test_a_value_of_the_right_form_is_taken(section: str, key: str, value: str, luigi_cfg: LoadSettings) -> None:
    check(luigi_cfg, f"[{section}]\n{key} = {value}\n")


def test_every_setting_of_ours_says_its_right_form() -> None:
    known = checks.all_settings(pipeline.stage_settings())
    ours = {place: each for place, each in known.items() if place not in ("core", "worker", "scheduler", "retcode")}
    mute = [(section, key) for section, keys in ours.items() for key, each in keys.items() if not hasattr(each, "kind")]

    assert mute == []


def test_a_percent_sign_that_is_not_written_twice_is_named(luigi_cfg: LoadSettings) -> None:
    with pytest.raises(SettingsError, match=r"^luigi.cfg \[preflight\] exclude: a % is written %%$"):
        check(luigi_cfg, "[preflight]\nexclude = 5%\n")


def test_a_variable_that_is_not_set_is_named(luigi_cfg: LoadSettings) -> None:
    with pytest.raises(
        SettingsError, match=r"^luigi.cfg \[paths\] root: an environment variable is not set: .*NOWHERE"
    ):
        check(luigi_cfg, "[paths]\nroot = ${NOWHERE}/data\n")


NO_PIPELINES = {
    "no head": ("LoadData:[module_num:1|enabled:True]\n", "no CellProfiler pipeline"),
    "no module": ("CellProfiler Pipeline: x\nVersion:5\n", "without a module"),
    "an unknown module": (PIPELINE + "MeasureTextur:[module_num:2|enabled:True]\n", "did you mean MeasureTexture"),
    "no LoadData": (PIPELINE.replace("LoadData:", "Images:"), "no LoadData module"),
    "a broken line": (PIPELINE + "MeasureTexture:[module_num\n", "line 4: "),
    "another channel": (PIPELINE + SELECTING.format(image="OrigGFP"), "OrigGFP"),
    "another illumination": (PIPELINE + SELECTING.format(image="DNA, IllumGFP"), "IllumGFP"),
}


@pytest.mark.parametrize("stage", ["measure", "illumination"])
@pytest.mark.parametrize(("text", "said"), NO_PIPELINES.values(), ids=NO_PIPELINES)
def test_a_pipeline_is_read_first(stage: str, text: str, said: str, luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    (tmp_path / "mine.cppipe").write_text(text)
    with pytest.raises(SettingsError) as failure:
        check(luigi_cfg, f"[{stage}]\npipeline = mine.cppipe\n")

    assert str(failure.value).startswith(f"luigi.cfg [{stage}] pipeline = mine.cppipe: ")
    assert said in str(failure.value)


def test_a_pipeline_of_known_modules_and_channels_is_taken(luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    (tmp_path / "mine.cppipe").write_text(PIPELINE + SELECTING.format(image="OrigDNA") + MAKING)

    check(luigi_cfg, "[measure]\npipeline = mine.cppipe\n")


def test_a_plate_with_a_published_table_may_have_other_channels(luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    (tmp_path / "mine.cppipe").write_text(PIPELINE + SELECTING.format(image="OrigGFP"))

    check(luigi_cfg, "[load_data]\nsource = published\n[measure]\npipeline = mine.cppipe\n")


def test_our_own_pipelines_stand_the_check(luigi_cfg: LoadSettings) -> None:
    check(luigi_cfg, "".join(f"[{stage}]\npipeline = {path}\n" for stage, path in OURS.items()))


BLOCKLISTS = {"no head": "Cells_a\n", "no feature": "blocklist\nx\n", "no name": "blocklist\n\n"}


@pytest.mark.parametrize("text", BLOCKLISTS.values(), ids=BLOCKLISTS)
def test_a_blocklist_is_read_first(text: str, luigi_cfg: LoadSettings, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(text)
    with pytest.raises(SettingsError, match=r"^luigi.cfg \[select_features\] blocklist = mine.txt: "):
        check(luigi_cfg, "[select_features]\nblocklist = mine.txt\n")
