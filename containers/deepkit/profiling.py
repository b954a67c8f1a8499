"""The program that computes deep features, whatever computes the network: flags, checks, what is told and written."""

from __future__ import annotations

import hashlib
import tempfile
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterator, List, Mapping, Optional, Sequence, Tuple

import numpy as np
from stagekit import program

from deepkit import checkpoints, embeddings, prefetch
from deepkit.fields import Field, Unusable, listed, read
from deepkit.networks import NETWORKS

Made = Iterator[Tuple[Field, np.ndarray]]


@dataclass(frozen=True)
class Work:
    """What is to be computed, and with what."""

    fields: Sequence[Field]
    size: Tuple[int, int]
    """Height and width of their images, in pixels."""
    checkpoint: Path
    device: str
    batch_size: int
    scratch: Path
    """A folder of the run's own, empty."""
    ended: Callable[[str, float], None]
    """Told of every site that has ended, and its seconds."""


Runner = Callable[[Work], Tuple[Made, Mapping[str, Any]]]
"""Returns the features of every field, and facts of the run; Unusable names a site that cannot be used."""


def main(doc: Optional[str], runners: Mapping[str, Runner]) -> None:
    """Read the flags, check everything, compute with the runner of the features that are asked for, check what came."""
    flags = program.parser(doc)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--locations", required=True, type=Path, help="the folder of <Well>-<Site>-Nuclei.csv")
    flags.add_argument("--checkpoint", required=True, type=Path, help="the network's weights, HDF5 of Keras")
    flags.add_argument("--checkpoint_sha256", required=True, help="what it must be; may be empty")
    flags.add_argument("--features", required=True, choices=sorted(runners))
    flags.add_argument("--batch_size", required=True, type=int, help="crops that the network sees at once")
    flags.add_argument("--device", required=True, choices=["cpu", "gpu"])
    flags.add_argument("--write_embeddings", required=True, type=Path)
    flags.add_argument("--shard", required=True, type=program.shard, help="sites by name, or k/n: a slice of them")
    args = flags.parse_args()
    if args.batch_size < 1:
        flags.error(f"--batch_size {args.batch_size}: at least one crop")
    with program.Report(args.output) as report:
        network = NETWORKS[args.features]
        whole = listed(args.load_data, args.images, network.channels, args.plate)
        sites = args.shard.of(whole, lambda site: site.name)
        args.write_embeddings.mkdir(parents=True, exist_ok=True)
        _check_sum(args.checkpoint, args.checkpoint_sha256, report)
        if sites:
            fields, size = read(sites, args.locations, report)
            _profile(fields, size, runners[args.features], args, report)


def _check_sum(path: Path, wanted: str, report: program.Report) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    report.fact("checkpoint_sha256", digest)
    if wanted and digest != wanted.lower():
        message = f"{path.name}: its SHA-256 is {digest}, [deep_profile] checkpoint_sha256 says {wanted}"
        raise program.CheckError(f"{message}; fetch the file again, or correct the setting")
    checkpoints.read_shapes(path)  # that it is a checkpoint at all
    if checkpoints.is_random(path):
        report.warn(f"{path.name} holds drawn weights, not trained ones: such features are good for tests only")


def _profile(
    fields: List[Field], size: Tuple[int, int], runner: Runner, args: Namespace, report: program.Report
) -> None:
    with_cells = [field for field in fields if len(field.cells)]
    empty = [field.name for field in fields if not len(field.cells)]
    report.fact("cells", sum(len(field.cells) for field in fields))
    report.fact("sites_without_cells", len(empty))
    for name in empty:
        report.unit(name, "ok", reason="no cells")
    if empty:
        report.warn(f"{len(empty)} sites have no cells and so no features: {', '.join(empty[:10])}")
    if not with_cells:
        return

    def ended(name: str, seconds: float) -> None:
        report.unit(name, "ok", seconds)

    with tempfile.TemporaryDirectory(prefix="deep-") as scratch:
        work = Work(with_cells, size, args.checkpoint, args.device, args.batch_size, Path(scratch), ended)
        made = _computed(runner, work, NETWORKS[args.features].features, report)
        for _ in prefetch.ahead(lambda each: _keep(*each, args), made, prefetch.cores()):
            pass  # written


def _computed(runner: Runner, work: Work, width: int, report: program.Report) -> Made:
    """Yield what a runner makes, once it is checked."""
    try:
        found, facts = runner(work)
        for name, value in facts.items():
            report.fact(name, value)
        for field, features in found:
            fault = embeddings.fault(features, len(field.cells), width)
            if fault:
                raise Unusable(f"{field.name}: {fault}")
            yield field, features
    except Unusable as error:
        site, _, fault = str(error).partition(": ")
        report.unit(site, "failed", reason=fault)
        raise program.DataError(str(error)) from error


def _keep(field: Field, features: np.ndarray, args: Namespace) -> None:
    metadata: Mapping[str, Any] = {
        "Metadata_Plate": args.plate,
        "Metadata_Well": field.well,
        "Metadata_Site": field.site,
        "Metadata_Model": args.features,
    }
    path = args.write_embeddings / field.well / f"{field.site}.npz"
    embeddings.write(path, features, field.cells, metadata)
