"""luigi.cfg's own sections: what each may hold, before anything is read of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import luigi
from luigi import interface, retcodes, scheduler, worker

from tasks.runtime import engines, places

LUIGI_SECTIONS: Mapping[str, type[luigi.Config]] = {
    "core": interface.core,
    "worker": worker.worker,
    "scheduler": scheduler.scheduler,
    "retcode": retcodes.retcode,
}
# Read by Luigi from [core] without a declared parameter.
LUIGI_EXTRA = {"core": {"autoload_range", "no_configure_logging", "default_scheduler_url"}}
Count = functools.partial(luigi.NumericalParameter, var_type=int, min_value=0, max_value=2**31)
FOREIGN_SECTIONS = {"resources", "email", "logging"}


class paths(luigi.Config):  # noqa: N801  (Luigi names a section after its class)
    root = luigi.Parameter(default="data_root", description="the data root; relative to luigi.cfg's folder")
    mirror = luigi.OptionalParameter(default="", description="of a data root on S3, the folder of small files here")


class dataset(luigi.Config):  # noqa: N801
    project = luigi.Parameter(default="cpg0000-jump-pilot")
    source = luigi.Parameter(default="source_4")
    external_metadata = luigi.Parameter(default="{stem}_metadata.tsv")


class runtime(luigi.Config):  # noqa: N801
    engine = luigi.ChoiceParameter(choices=["auto", *engines.NAMES], default="auto")
    place = luigi.ChoiceParameter(choices=places.NAMES, default="local")
    cores = luigi.Parameter(default="auto", description="a number, or auto: all of the machine's")
    memory_gb = luigi.Parameter(default="auto", description="GB, or auto: nine tenths of the machine's")
    max_failed_fraction = luigi.Parameter(default="0.0", description="of a plate's sites, from 0 to 1")


class apptainer(luigi.Config):  # noqa: N801
    binary = luigi.Parameter(default="auto", description="apptainer, singularity, a path; auto: which there is")
    images = luigi.OptionalParameter(default="", description="the folder of the SIF files, which all nodes see")
    cache = luigi.OptionalParameter(default="", description="what apptainer keeps of what it fetched and unpacked")
    tmp = luigi.OptionalParameter(default="", description="where an image is unpacked while it is converted")


class retries(luigi.Config):  # noqa: N801
    tries = luigi.IntParameter(default=3, description="how often a job is tried while a service or a node fails")
    backoff_seconds = luigi.FloatParameter(default=10.0)
    most_memory_gb = luigi.Parameter(default="auto", description="GB for one job; auto: all that the jobs may use")
    most_minutes = luigi.FloatParameter(default=2880.0, description="of one job that took too long the first time")


class slurm(luigi.Config):  # noqa: N801
    partition = luigi.OptionalParameter(default="", description="empty: the site's default")
    account = luigi.OptionalParameter(default="")
    qos = luigi.OptionalParameter(default="")
    gres = luigi.OptionalParameter(default="", description="empty: gpu:<n> where a stage needs n GPUs")
    extra = luigi.OptionalParameter(default="", description="further flags for sbatch")
    max_array = Count(default=1000, min_value=1, description="the most elements of an array")
    max_running = Count(default=0, description="elements of an array that run at once; 0: all")
    units_per_element = Count(default=0, description="0: one job an element")
    network = luigi.ChoiceParameter(choices=["here", "nodes"], default="here", description="what has a network")
    on_interrupt = luigi.ChoiceParameter(choices=["cancel", "leave"], default="cancel")
    grace_seconds = luigi.NumericalParameter(default=60.0, var_type=float, min_value=0, max_value=86400)


class aws_batch(luigi.Config):  # noqa: N801
    queue = luigi.Parameter(default="platewright-spot", description="the job queue, by its name or ARN")
    gpu_queue = luigi.OptionalParameter(default="", description="of what needs GPUs; empty: the same")
    job_role = luigi.OptionalParameter(default="", description="the ARN of a role; empty: the machine's")
    region = luigi.OptionalParameter(default="", description="empty: boto3's own")
    endpoint_url = luigi.OptionalParameter(default="", description="another service than Amazon's")
    volume = luigi.OptionalParameter(default="", description="the shared file system of a root that is a folder")
    environment = luigi.OptionalParameter(default="", description="further variables: NAME=value NAME=value")
    tags = luigi.OptionalParameter(default="", description="for cost allocation: name=value, name=value")
    max_array = Count(default=10_000, min_value=1, max_value=10_001, description="the most elements of an array")
    units_per_element = Count(default=0, description="0: one job an element")
    on_interrupt = luigi.ChoiceParameter(choices=["cancel", "leave"], default="cancel")
    grace_seconds = luigi.NumericalParameter(default=60.0, var_type=float, min_value=0, max_value=86400)


class plan(luigi.Config):  # noqa: N801
    dollars_per_core_hour = luigi.FloatParameter(default=0.025)
    prices = luigi.OptionalParameter(default="", description="a file like data/aws_prices.toml; empty: that file")


class storage(luigi.Config):  # noqa: N801
    delete = luigi.OptionalParameter(default="", description="stages whose results go once they were used")


class gallery(luigi.Config):  # noqa: N801
    bucket = luigi.Parameter(default="cellpainting-gallery")
    endpoint_url = luigi.OptionalParameter(default="", description="another S3 service than Amazon's")
    region = luigi.Parameter(default="us-east-1")
    unsigned = luigi.ChoiceParameter(choices=["true", "false"], default="true", description="the bucket is public")
    measurement = luigi.OptionalParameter(default="", description="which one, of a plate that was measured again")
    checksums = luigi.OptionalParameter(default="", description="a csv of path and sha256")
    connections = luigi.IntParameter(default=16)
    stall_seconds = luigi.FloatParameter(default=30.0)


SECTIONS: Mapping[str, type[luigi.Config]] = {
    "paths": paths,
    "dataset": dataset,
    "runtime": runtime,
    "apptainer": apptainer,
    "retries": retries,
    "slurm": slurm,
    "aws_batch": aws_batch,
    "gallery": gallery,
    "plan": plan,
    "storage": storage,
}
