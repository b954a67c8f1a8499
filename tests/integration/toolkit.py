"""The toolkit as a user calls it: its own data root and luigi.cfg, commands in a shell, results on disk."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from data.demo.plan import BATCH
from tasks.results import manifest

REPOSITORY = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
METADATA = "Metadata_"
TWO_CHANNELS = {"channels": "1=-,2=-,3=RNA,4=-,5=DNA"}
"""[load_data] of a run whose facts do not need all five."""
WRITTEN_DIGITS = 5  # float_format %.5g


@dataclass
class Toolkit:
    """A data root with its luigi.cfg, the shipped one with other [paths], [runtime] and extra settings."""

    folder: Path
    engine: str
    extra: dict[str, dict[str, str]] = field(default_factory=dict)
    audited: bool = False
    """Whether a site of every plate is measured by both engines, as it is by default."""
    place: str = "local"
    bucket: str = ""
    """The bucket and prefix of a data root on S3; `root` is then the mirror of its small files."""

    @property
    def root(self) -> Path:
        return self.folder / (f".mirror/{self.bucket}" if self.bucket else "root")

    @property
    def dataset(self) -> Path:
        return self.root / "cpg0000-jump-pilot" / "source_4"

    def configure(self) -> dict[str, str]:
        """Write luigi.cfg; return the environment that names it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = (REPOSITORY / "luigi.cfg").read_text(encoding="utf-8")
        text = text.replace("root = data_root", f"root = s3://{self.bucket}" if self.bucket else "root = root")
        text = text.replace("engine = auto", f"engine = {self.engine}")
        text = text.replace("place = local", f"place = {self.place}")
        if not self.audited:
            text = text.replace("; audit_sites = 1", "audit_sites = 0")
        for section, settings in self.extra.items():
            lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
            text = text.replace(f"[{section}]\n", f"[{section}]\n{lines}") if f"[{section}]\n" in text else text
        (self.folder / "luigi.cfg").write_text(text, encoding="utf-8")
        return {**os.environ, "LUIGI_CONFIG_PATH": str(self.folder / "luigi.cfg")}

    def luigi(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.command(str(BIN / "luigi"), "--module", "tasks", *words)

    def tasks(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.command(sys.executable, "-m", "tasks", *words)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = self.configure()
        return subprocess.run(words, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start luigi in a process group of its own, so that a signal hits it as in a terminal."""
        return subprocess.Popen(
            [str(BIN / "luigi"), "--module", "tasks", *words],
            cwd=REPOSITORY,
            env=self.configure(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's & turns it off
        )

    def draw(self, plates: str, wells: str) -> None:
        """Lay a cut of the demo batch in the data root; this process draws each cut once."""
        shutil.copytree(drawn(plates, wells), self.root, copy_function=shutil.copy, dirs_exist_ok=True)

    def lay_results(self, made: Toolkit, *stages: str) -> None:
        """Lay the results of some stages of another data root, as if they had been made in this one."""
        for stage in stages:
            for path in (made.root / ".work/manifests").glob(f"*/*/{stage}/*/*.json"):
                found = manifest.read(path)
                assert found is not None
                for each in found.artifacts(made.root).values():
                    self._lay(made, each.path)
                self._lay(made, path)

    def _lay(self, made: Toolkit, path: Path) -> None:
        target = self.root / path.relative_to(made.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            shutil.copy2(path, target)

    def images(self, batch: str, plate: str) -> Path:
        """Return the folder of a plate's TIFFs."""
        (folder,) = (self.dataset / "images" / batch / "images").glob(f"{plate}__*/Images")
        return folder

    def profiles(self, plate: str, suffix: str, batch: str = BATCH) -> pd.DataFrame:
        """Return profiles: metadata as text, features as numbers."""
        path = self.dataset / "workspace/profiles" / batch / plate / f"{plate}{suffix}.csv.gz"
        names = pd.read_csv(path, nrows=0).columns
        return pd.read_csv(path, dtype={name: str for name in names if name.startswith(METADATA)})

    def cells(self, batch: str, plate: str) -> dict[str, int]:
        """Return how many cells every measured site has, by the name of its folder."""
        tables = (self.dataset / "workspace/analysis" / batch / plate / "analysis").glob("*/Cells.csv")
        return {path.parent.name: len(path.read_text().splitlines()) - 1 for path in tables}

    def audit(self, plate: str, batch: str = BATCH) -> dict[str, dict[str, float]]:
        """Return what a plate's manifest says of the sites that both engines measured."""
        (path,) = (self.root / ".work/manifests").glob(f"*/*/measure/{batch}/{plate}.json")
        found: dict[str, dict[str, float]] = json.loads(path.read_text())["facts"]["audit"]
        return found

    def published(self) -> dict[str, tuple[int, int]]:
        """Return every file outside the toolkit's own folder: path -> size and time of change."""
        files = (path for path in self.dataset.rglob("*") if path.is_file())
        return {str(path.relative_to(self.root)): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


@functools.cache
def drawn(plates: str, wells: str) -> Path:
    """Return a data root with a cut of the demo batch, which is drawn once; nobody changes it."""
    folder = tempfile.mkdtemp(prefix="drawn-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    words = ["--root", f"{folder}/root", "--project", "cpg0000-jump-pilot", "--source", "source_4"]
    words += ["--plates", plates, "--wells", wells]
    subprocess.run([sys.executable, "-m", "data.demo", *words], cwd=REPOSITORY, check=True, capture_output=True)
    return Path(folder, "root")


def lay_real_wells(toolkit: Toolkit, real_data: Path, batch: str, plate: str) -> None:
    """Lay the four real wells and the real metadata as a plate under the data root."""
    images = toolkit.dataset / "images" / batch / "images" / f"{plate}__2020-11-08T22_00_00-Measurement1" / "Images"
    shutil.copytree(real_data / "images", images)
    metadata = toolkit.dataset / "workspace/metadata"
    shutil.copytree(real_data / "metadata/platemaps" / batch, metadata / "platemaps" / batch)
    shutil.copytree(real_data / "metadata/external_metadata", metadata / "external_metadata")
    for path in toolkit.dataset.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)  # the originals may be read-only


def features(profiles: pd.DataFrame) -> pd.DataFrame:
    return profiles[[name for name in profiles if not name.startswith(METADATA)]]


def one_last_digit(values: np.ndarray) -> np.ndarray:
    """Return the weight of the last digit that %.5g writes."""
    magnitude = np.floor(np.log10(np.where(values == 0, 1, np.abs(values))))
    return 10.0 ** (magnitude - WRITTEN_DIGITS + 1)


def left_running(root: Path) -> list[str]:
    """Return the command lines of processes that work below `root`."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(root) in words and int(path.parent.name) != os.getpid():
            found.append(words)
    return found


def interrupt(process: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str]:
    """Send a signal to a run and return its exit code and what it printed."""
    process.send_signal(number)
    printed, _ = process.communicate(timeout=120)
    return process.returncode, printed


def wait_for(condition: Callable[[], object], seconds: float = 120) -> bool:
    """Ask until it holds; return whether it did in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.2)
    return False


def average_precision(profiles: pd.DataFrame) -> dict[str, float]:
    """Return the mean average precision of replicates against negcon wells, by perturbation: the slow, obvious way.

    Query: a well that is no negcon. Positives: the other wells of its perturbation, on all plates.
    Negatives: the negcon wells of its plate. Similarity: cosine (cpjump1.md section 6, the final definition).
    """
    values = features(profiles).to_numpy(float)
    unit = values / np.linalg.norm(values, axis=1, keepdims=True)
    found: dict[str, list[float]] = {}
    for query, row in enumerate(profiles.itertuples()):
        if row.Metadata_control_type == "negcon":
            continue
        same = (profiles.Metadata_broad_sample == row.Metadata_broad_sample).to_numpy()
        same[query] = False
        negcon = (
            (profiles.Metadata_control_type == "negcon") & (profiles.Metadata_Plate == row.Metadata_Plate)
        ).to_numpy()
        ranked = sorted(
            ((unit[query] @ unit[other], same[other]) for other in np.flatnonzero(same | negcon)), reverse=True
        )
        precisions = [
            sum(hit for _, hit in ranked[: rank + 1]) / (rank + 1) for rank, (_, hit) in enumerate(ranked) if hit
        ]
        found.setdefault(row.Metadata_broad_sample, []).append(float(np.mean(precisions)))
    return {name: float(np.mean(values)) for name, values in found.items()}
