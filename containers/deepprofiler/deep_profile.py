"""Compute deep features of every cell of a plate's sites, with DeepProfiler and TensorFlow.

Unit: a site. Writes <Well>/<Site>.npz; a site without cells has none, and is counted.
"""

from __future__ import annotations

import channel_run
import deepprofiler_run
from deepkit import profiling
from stagekit import program

RUNNERS = {"cell_painting_cnn": deepprofiler_run.run, "imagenet_efficientnet_b0": channel_run.run}


def main() -> None:
    """Profile with what makes these features."""
    profiling.main(__doc__, RUNNERS)


if __name__ == "__main__":
    program.run(main)
