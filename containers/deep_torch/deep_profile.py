"""Compute deep features of every cell of a plate's sites, with the networks in PyTorch.

Unit: a site. Writes <Well>/<Site>.npz; a site without cells has none, and is counted.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Mapping, Tuple

from deepkit import profiling
from deepkit.networks import NETWORKS, Network
from stagekit import program


def main() -> None:
    """Profile with PyTorch, whatever the features."""
    profiling.main(__doc__, {name: partial(_run, network) for name, network in NETWORKS.items()})


def _run(network: Network, work: profiling.Work) -> Tuple[profiling.Made, Mapping[str, Any]]:
    import torch_run  # after all that is checked without it: PyTorch takes 2 s to import

    return torch_run.run(network, work)


if __name__ == "__main__":
    program.run(main)
