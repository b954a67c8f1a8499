"""luigi.cfg's own sections: what each may hold, before anything is read of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import luigi
from luigi import interface, retcodes, scheduler, worker

from tasks.dataset.plate_layouts import controls as plate_controls
from tasks.runtime.arrays import places
from tasks.runtime.engines import engines
from tasks.settings import forms
from tasks.settings.parameters import AUTO, Choice, Number, Switch, Text, Whole, fraction

LUIGI_SECTIONS: Mapping[str, type[luigi.Config]] = {
    "core": interface.core,
    "worker": worker.worker,
    "scheduler": scheduler.scheduler,
    "retcode": retcodes.retcode,
}
# Read by Luigi from [core] without a declared parameter.
LUIGI_EXTRA = {"core": {"autoload_range", "no_configure_logging", "default_scheduler_url"}}
NAMED: Mapping[str, Any] = {"default": "", "form": "a name without blanks", "check": forms.word}
COLUMN: Mapping[str, Any] = {"default": "", "form": "the name of a column or grid"}
CONTROLS: Mapping[str, Any] = {
    "default": "",
    "form": "names by commas, or a query of the layout's columns",
    "check": plate_controls.test,
}
FOREIGN_SECTIONS = {"resources", "email", "logging"}


class paths(luigi.Config):  # noqa: N801  (Luigi names a section after its class)
    root = Text(
        default="data_root",
        form="a folder, relative to luigi.cfg's own, or s3://bucket/prefix",
        check=forms.root,
        description="the data root",
    )
    mirror = Text(
        default="",
        form="a folder",
        check=forms.folder,
        description="of a data root on S3, the folder of small files here",
    )


class dataset(luigi.Config):  # noqa: N801
    project = Text(
        default="cpg0000-jump-pilot", form="a name", check=forms.name, description="the folder below the data root"
    )
    source = Text(default="source_4", form="a name", check=forms.name, description="the folder below the project's")
    external_metadata = Text(
        default="{stem}_metadata.tsv",
        form="the name of a file, with {platemap} or {stem}",
        check=forms.template("platemap", "stem"),
        description="the table that says what each perturbation is",
    )


def _of_platemap(name: str) -> dict[str, Any]:
    return {"config_path": {"section": "platemap", "name": name}}


class own_layout(luigi.Config):  # noqa: N801
    """The section [platemap]; by that name its flags would make Luigi's --plate ambiguous."""

    well = Text(**_of_platemap("well"), **COLUMN, description="which well a row is of: A1, A01, a1")
    row = Text(
        **_of_platemap("row"),
        **COLUMN,
        description="the row of the well, in letters or numbers, where no column says both",
    )
    column = Text(**_of_platemap("column"), **COLUMN, description="the column of the well")
    plate = Text(**_of_platemap("plate"), **COLUMN, description="the plate, in a layout of several plates")
    perturbation = Text(
        **_of_platemap("perturbation"), **COLUMN, description="what a well holds: a compound, a gene, a cell line"
    )
    dose = Text(**_of_platemap("dose"), **COLUMN, description="the dose")
    unit = Text(
        **_of_platemap("unit"),
        default="",
        form="a unit, or the name of a column",
        description="of the doses, such as uM",
    )
    control = Text(
        **_of_platemap("control"), **COLUMN, description="which wells are controls: negative, positive, treatment"
    )
    sheet = Text(
        **_of_platemap("sheet"),
        default="",
        form="the name of a sheet",
        description="the one that is the layout, in an xlsx of several",
    )


class controls(luigi.Config):  # noqa: N801
    negative = Text(**CONTROLS, description="the negative controls of a laboratory's own layout")
    positive = Text(**CONTROLS, description="the positive controls")


class runtime(luigi.Config):  # noqa: N801
    engine = Choice(choices=["auto", *engines.NAMES], default="auto", description="what runs the stages' programs")
    place = Choice(choices=places.NAMES, default="local", description="where jobs run")
    cores = Whole(default=AUTO, least=1, unit="cores", description="of all jobs together; auto: all of the machine's")
    memory_gb = Number(
        default=AUTO, least=0.1, unit="GB", description="of all jobs together; auto: nine tenths of the machine's"
    )
    workers = Whole(
        default=1,
        least=1,
        auto=True,
        unit="stages",
        description="at once; auto: one a core, on a cluster or AWS 20; [core] workers goes before it",
    )
    max_failed_fraction = Number(**fraction(0.0), description="of a plate's sites, that may be left out")


class apptainer(luigi.Config):  # noqa: N801
    binary = Text(default="auto", form="apptainer, singularity or a path", description="auto: the first that is there")
    images = Text(
        default="", form="a folder", check=forms.folder, description="the folder of the SIF files, which all nodes see"
    )
    cache = Text(
        default="",
        form="a folder",
        check=forms.folder,
        description="what apptainer keeps of what it fetched and unpacked",
    )
    tmp = Text(
        default="", form="a folder", check=forms.folder, description="where an image is unpacked while it is converted"
    )


class retries(luigi.Config):  # noqa: N801
    tries = Whole(default=3, least=1, unit="tries", description="how often a job is tried while a service fails")
    backoff_seconds = Number(default=10.0, least=0, unit="seconds", description="before the second try")
    most_memory_gb = Number(
        default=AUTO, least=0.01, unit="GB", description="for one job; auto: all that the jobs may use"
    )
    most_minutes = Number(
        default=2880.0, least=0.01, unit="minutes", description="of one job that took too long the first time"
    )


class slurm(luigi.Config):  # noqa: N801
    partition = Text(**NAMED, description="empty: the site's default")
    account = Text(**NAMED, description="empty: the site's default")
    qos = Text(**NAMED, description="empty: the site's default")
    gres = Text(**NAMED, description="empty: gpu:<n> where a stage needs n GPUs")
    extra = Text(default="", form="flags of the form --name=value", description="further flags for sbatch")
    max_array = Whole(default=1000, least=1, most=2**31, unit="elements", description="the most of an array")
    max_running = Whole(default=0, least=0, most=2**31, unit="elements", description="that run at once; 0: all")
    units_per_element = Whole(default=0, least=0, most=2**31, unit="sites", description="0: one job an element")
    network = Choice(choices=["here", "nodes"], default="here", description="what has a network")
    on_interrupt = Choice(choices=["cancel", "leave"], default="cancel", description="what Ctrl-C does with jobs")
    grace_seconds = Number(
        default=60.0, least=0, most=86400, unit="seconds", description="that a written file may take to be seen here"
    )


class aws_batch(luigi.Config):  # noqa: N801
    queue = Text(default="platewright-spot", form="a name or an ARN", description="the job queue")
    gpu_queue = Text(default="", form="a name or an ARN", description="of what needs GPUs; empty: the same")
    job_role = Text(default="", form="an ARN", description="of a role; empty: the machine's")
    region = Text(default="", form="a region such as us-east-1", description="empty: boto3's own")
    endpoint_url = Text(
        default="", form="an address such as https://host:9000", check=forms.url, description="instead of Amazon's"
    )
    volume = Text(default="", form="a file system", description="the shared file system of a root that is a folder")
    environment = Text(default="", form="NAME=value NAME=value", description="further variables that jobs see")
    tags = Text(default="", form="name=value, name=value", description="for cost allocation")
    max_array = Whole(default=10_000, least=1, most=10_000, unit="elements", description="the most of an array")
    units_per_element = Whole(default=0, least=0, most=2**31, unit="sites", description="0: one job an element")
    on_interrupt = Choice(choices=["cancel", "leave"], default="cancel", description="what Ctrl-C does with jobs")
    grace_seconds = Number(
        default=60.0, least=0, most=86400, unit="seconds", description="that a written file may take to be seen here"
    )


class plan(luigi.Config):  # noqa: N801
    dollars_per_core_hour = Number(default=0.025, least=0, unit="dollars", description="what a core-hour costs")
    prices = Text(default="", form="a file", description="like data/aws_prices.toml; empty: that file")


class storage(luigi.Config):  # noqa: N801
    delete = Text(default="", form="stages by commas", description="whose results are deleted once they were used")


class gallery(luigi.Config):  # noqa: N801
    bucket = Text(
        default="cellpainting-gallery", form="a bucket", check=forms.bucket, description="what is fetched from"
    )
    endpoint_url = Text(
        default="", form="an address such as https://host:9000", check=forms.url, description="instead of Amazon's S3"
    )
    region = Text(default="us-east-1", form="a region", check=forms.region, description="where the bucket is")
    unsigned = Switch(default=True, description="whether the bucket is public")
    measurement = Text(default="", form="a name", description="which one, of a plate that was measured again")
    checksums = Text(default="", form="a file", description="a csv of path and sha256")
    connections = Whole(default=16, least=1, unit="requests", description="that are open at once")
    stall_seconds = Number(default=30.0, least=0.1, unit="seconds", description="after which a request is made again")


SECTIONS: Mapping[str, type[luigi.Config]] = {
    "paths": paths,
    "dataset": dataset,
    "platemap": own_layout,
    "controls": controls,
    "runtime": runtime,
    "apptainer": apptainer,
    "retries": retries,
    "slurm": slurm,
    "aws_batch": aws_batch,
    "gallery": gallery,
    "plan": plan,
    "storage": storage,
}
