"""Run DeepProfiler's own `profile` on a project folder, once its device and its checkpoint are known to be good.

A program of its own, `driver.py <project> <cpu|gpu>`, because DeepProfiler changes TensorFlow for the whole process.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import networks
from deepkit import devices
from deepkit.networks import NETWORKS
from stagekit import program

CONFIG, RUN, FACTS = "config.json", "run", "facts.json"
NETWORK = NETWORKS["cell_painting_cnn"]


def main() -> None:
    """Check, tell what was found, and hand over."""
    project, device = Path(sys.argv[1]), sys.argv[2]
    networks.quiet()
    from importlib import metadata

    import tensorflow
    from deepprofiler.__main__ import cli  # first, for it turns off TensorFlow 2

    facts = {"device": networks.require_device(device), "tensorflow": tensorflow.__version__}
    facts["deepprofiler"] = metadata.version("deepprofiler")
    model = networks.build(NETWORK)
    facts["checkpoint_layers"] = networks.require_match(model, checkpoint(project).resolve())
    tensorflow.keras.backend.clear_session()
    (project / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    words = [f"--root={project}", f"--config={CONFIG}", f"--exp={RUN}"]
    # DeepProfiler gives CUDA_VISIBLE_DEVICES this value; a container sees no more GPUs than are its own.
    with devices.enough_memory(batch_size(project), tensorflow.errors.ResourceExhaustedError):
        cli([*words, "--gpu=0" if device == "gpu" else "--gpu=-1", "profile"], obj={}, standalone_mode=False)


def checkpoint(project: Path) -> Path:
    """Return where DeepProfiler looks for the checkpoint of a project."""
    return project / "outputs" / RUN / "checkpoint" / "checkpoint.hdf5"


def batch_size(project: Path) -> int:
    """Return how many crops the configuration of a project lets the network see at once."""
    return int(json.loads((project / "inputs/config" / CONFIG).read_text(encoding="utf-8"))["profile"]["batch_size"])


def features(project: Path) -> Path:
    """Return where DeepProfiler writes."""
    return project / "outputs" / RUN / "features"


if __name__ == "__main__":
    program.run(main)
