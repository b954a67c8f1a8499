"""Compute deep features of every cell of a plate's sites.

Unit: a site. Writes <Well>/<Site>.npz; a site without cells has none, and is counted.
"""

from __future__ import annotations

import hashlib
import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any, Iterator, List, Mapping, Tuple

import channel_run
import deepprofiler_run
import embeddings
import networks
import numpy as np
from fields import Field, Unusable, listed, read
from stagekit import program


def main() -> None:
    """Read the flags, check everything, compute, check what came."""
    flags = program.parser(__doc__)
    flags.add_argument("--load_data", required=True, type=Path)
    flags.add_argument("--images", required=True, type=Path, help="the folder of the plate's TIFFs")
    flags.add_argument("--locations", required=True, type=Path, help="the folder of <Well>-<Site>-Nuclei.csv")
    flags.add_argument("--checkpoint", required=True, type=Path, help="the network's weights, HDF5 of Keras")
    flags.add_argument("--checkpoint_sha256", required=True, help="what it must be; may be empty")
    flags.add_argument("--features", required=True, choices=sorted(networks.NETWORKS))
    flags.add_argument("--batch_size", required=True, type=int, help="crops that the network sees at once")
    flags.add_argument("--device", required=True, choices=["cpu", "gpu"])
    flags.add_argument("--write_embeddings", required=True, type=Path)
    flags.add_argument("--shard", required=True, type=program.shard, help="sites by name, or k/n: a slice of them")
    args = flags.parse_args()
    if args.batch_size < 1:
        flags.error(f"--batch_size {args.batch_size}: at least one crop")
    with program.Report(args.output) as report:
        network = networks.NETWORKS[args.features]
        whole = listed(args.load_data, args.images, network.channels, args.plate)
        sites = args.shard.of(whole, lambda site: site.name)
        args.write_embeddings.mkdir(parents=True, exist_ok=True)
        _check_sum(args.checkpoint, args.checkpoint_sha256, report)
        if sites:
            fields, size = read(sites, args.locations, report)
            _profile(fields, size, args, report)


def _check_sum(path: Path, wanted: str, report: program.Report) -> None:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    report.fact("checkpoint_sha256", digest)
    if wanted and digest != wanted.lower():
        message = f"{path.name}: its SHA-256 is {digest}, [deep_profile] checkpoint_sha256 says {wanted}"
        raise program.CheckError(f"{message}; fetch the file again, or correct the setting")
    networks.read_shapes(path)  # that it is a checkpoint at all
    if networks.is_random(path):
        report.warn(f"{path.name} holds drawn weights, not trained ones: such features are good for tests only")


def _profile(fields: List[Field], size: Tuple[int, int], args: Namespace, report: program.Report) -> None:
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
    with tempfile.TemporaryDirectory(prefix="deep-") as scratch:
        for field, features in _computed(with_cells, size, args, Path(scratch), report):
            _keep(field, features, args)


def _computed(
    fields: List[Field], size: Tuple[int, int], args: Namespace, scratch: Path, report: program.Report
) -> Iterator[Tuple[Field, np.ndarray]]:
    def ended(name: str, seconds: float) -> None:
        report.unit(name, "ok", seconds)

    runner = deepprofiler_run.run if args.features == "cell_painting_cnn" else channel_run.run
    try:
        found, facts = runner(fields, size, args.checkpoint, scratch / "project", args.device, args.batch_size, ended)
        for name, value in facts.items():
            report.fact(name, value)
        yield from found
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


if __name__ == "__main__":
    program.run(main)
