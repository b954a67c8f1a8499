"""What luigi.cfg says of AWS Batch; what AWS would refuse is refused before anything starts."""

from __future__ import annotations

import pytest

from tasks.definitions import recipes, stages
from tasks.definitions.stages import Resources
from tasks.errors import SettingsError
from tasks.execution import backends
from tasks.execution.specs import JobSpec
from tasks.runtime.aws.aws import Account
from tasks.runtime.aws.batch_options import Options
from tasks.runtime.images import images
from tasks.settings import checks, settings
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import SMALL, make_stage

PLACE = "[paths]\nroot = s3://bucket/prefix\n[runtime]\nplace = aws_batch\n"
GIVEN = """
[aws_batch]
queue = spot
gpu_queue = gpu
job_role = arn:aws:iam::123456789012:role/platewright-job
region = eu-central-1
endpoint_url = http://127.0.0.1:5000
environment = LEVEL=3 PATH_STYLE=a=b
tags = project = jump, cost centre=4711
"""


def test_luigi_cfg_says_how_arrays_are_submitted(luigi_cfg: LoadSettings) -> None:
    luigi_cfg(PLACE + GIVEN + "[measure]\naws_batch_queue = large\n")
    checks.check(pipeline.stage_settings())
    measure, other = (backends.batch_options_of(make_stage(name=name)) for name in ("measure", "paint"))

    assert other == Options(
        "spot",
        "gpu",
        "arn:aws:iam::123456789012:role/platewright-job",
        (("LEVEL", "3"), ("PATH_STYLE", "a=b")),
        (("project", "jump"), ("cost centre", "4711")),
    )
    assert (measure.queue, measure.gpu_queue) == ("large", "large")
    assert backends.account() == Account("eu-central-1", "http://127.0.0.1:5000")


def test_what_needs_gpus_goes_to_their_queue_if_there_is_one() -> None:
    with_gpu, without = Resources(1, 1, 1, 1), Resources(1, 1, 1, 0)

    assert Options("spot", "gpu").queue_for(with_gpu) == "gpu"
    assert Options("spot", "gpu").queue_for(without) == Options("spot").queue_for(with_gpu) == "spot"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[aws_batch]\nqueue = my queue\n", "luigi.cfg [aws_batch] queue: 'my queue' is no name or ARN of a job queue"),
        ("[aws_batch]\nqueue =\n", "luigi.cfg [aws_batch] queue = : it is empty"),
        ("[measure]\naws_batch_queue = -x\n", "luigi.cfg [measure] aws_batch_queue: '-x' is no name"),
        ("[measure]\naws_batch_queu = x\n", "did you mean 'aws_batch_queue'"),
        ("[aws_batch]\njob_role = admin\n", "job_role: 'admin' is no ARN of a role"),
        ("[aws_batch]\nregion = Frankfurt\n", "region: 'Frankfurt' is no region"),
        ("[aws_batch]\nendpoint_url = localhost\n", "endpoint_url = localhost: it does not begin with http://"),
        ("[aws_batch]\nenvironment = LEVEL\n", "[aws_batch] environment: 'LEVEL' is not name=value"),
        ("[aws_batch]\nenvironment = A=1 A=2\n", "environment: 'A=2' is there twice"),
        ("[aws_batch]\nenvironment = 1A=1\n", "'1A' is no name of a variable"),
        ("[aws_batch]\nenvironment = AWS_BATCH_JOB_ID=1\n", "AWS_BATCH_JOB_ID is not to be given here"),
        ("[aws_batch]\ntags = plate=x\n", "[aws_batch] tags: the tag plate is not to be given here"),
        ("[aws_batch]\ntags = aws:x=y\n", "aws:x=y is no tag"),
        ("[aws_batch]\ntags = x=y;z\n", "x=y;z is no tag"),
        ("[aws_batch]\nmax_array = 10001\n", "max_array = 10001"),
        ("[aws_batch]\non_interrupt = maybe\n", "on_interrupt"),
    ],
)
def test_a_wrong_setting_ends_the_run_before_it_starts(luigi_cfg: LoadSettings, text: str, says: str) -> None:
    luigi_cfg(text)
    with pytest.raises(SettingsError) as caught:
        checks.check(pipeline.stage_settings())

    assert says in str(caught.value)


def test_the_largest_array_of_aws_is_allowed(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[aws_batch]\nmax_array = 10000\n")

    checks.check(pipeline.stage_settings())


def test_there_every_stage_runs_shards_are_as_few_as_may_be_and_a_node_has_64_gb(luigi_cfg: LoadSettings) -> None:
    luigi_cfg(PLACE + "cores = 8\nmemory_gb = 8\n")

    assert not backends.is_here(make_stage(network=True))
    assert backends.job_count(100, JobSpec(SMALL, units_per_job=12)) == 9
    assert settings.load().retries.most_memory_gb == 64


def test_a_stage_has_its_pushed_image_and_the_resources_of_its_table(
    luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    luigi_cfg(PLACE + GIVEN + "[measure]\nmemory_gb = 99\n")
    measure = stages.stage("measure")
    entry = {"recipe": recipes.recipe_hash("cellprofiler"), "digest": "sha256:1", "pushed": "ghcr.io/lab/c@sha256:2"}
    monkeypatch.setattr(images, "read_lock", lambda: {"cellprofiler": entry})
    made = backends.aws_batch(measure, lambda array: f"s3://b/{array.name}")

    assert made.definition.name == "platewright-measure"
    assert made.definition.image == "ghcr.io/lab/c@sha256:2"
    assert made.definition.resources == measure.resources
    assert made.watch == backends.watch()
    assert backends.queue().ask() == {}  # nobody waits for anything, so nobody is asked
