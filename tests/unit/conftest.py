"""A data root, a luigi.cfg and a tree of containers of a test's own."""

from __future__ import annotations

import functools
import shutil
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.loaders
import luigi
import pytest
from luigi.configuration import LuigiConfigParser

from tasks import __main__ as command
from tasks.dataset import layout as layouts
from tasks.dataset.layout import Layout
from tasks.definitions import recipes, stages
from tasks.runtime.engines import engines
from tasks.settings import settings
from tasks.stage_tasks import memo, start
from tests.unit.element_machine import Machine
from tests.unit.fakes import FakeEngine, any_stage, good, lay_plate
from tests.unit.measuring_bench import ALLOWED, Bench, make, run

if TYPE_CHECKING:
    from tests.integration.s3_server import S3Server

LoadSettings = Callable[[str], Layout]
AddPlate = Callable[..., tuple[int, str, str]]
Import = Callable[..., Any]

IMAGE = """
summary = "An easel"
base = "python-3.11"
python = "3.11"
"""

STAGES = """
[paint]
summary = "Paint a plate."
program = "paint.py"
inputs = ["images"]
folder = "profiles"
outputs = { picture = "{plate}.csv" }
contract = { picture = "profiles" }
unit = "plate"
resources = { cpus = 1, memory_gb = 1, minutes = 1, gpus = 0 }
network = false

[frame]
summary = "Frame a picture."
program = "frame.py"
loads = ["plugins", "templates"]
inputs = ["picture"]
folder = "profiles"
outputs = { frame = "{plate}.txt" }
unit = "plate"
resources = { cpus = 1, memory_gb = 1, minutes = 1, gpus = 0 }
network = false
"""


def pytest_configure(config: pytest.Config) -> None:
    start.begin()  # by the clone's own luigi.cfg: tests make tasks by their own
    # Luigi would have the section bear the class's name; ours bear the stage's.
    config.addinivalue_line("filterwarnings", "ignore:The use of the configuration:DeprecationWarning")


@pytest.fixture(scope="session", autouse=True)
def descriptions_of_services() -> Iterator[None]:
    """Let what describes a service of AWS be read once: each session of boto3 reads megabytes of JSON for a client."""
    loader = botocore.loaders.JSONFileLoader
    read_once = functools.cache(functools.partial(loader._load_file, None))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loader, "_load_file", lambda self, path, opened: read_once(path, opened))
        yield


@pytest.fixture(autouse=True)
def look_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests change files under a task's eyes."""
    monkeypatch.setattr(memo, "SECONDS", 0.0)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "root", "project", "source")


@pytest.fixture
def luigi_cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoadSettings]:
    """Return a function that makes a text the luigi.cfg of this test; its data root is tmp_path/root."""
    path = tmp_path / "luigi.cfg"
    monkeypatch.setenv("LUIGI_CONFIG_PATH", str(path))
    monkeypatch.setattr(LuigiConfigParser, "_config_paths", [str(path)])
    monkeypatch.setattr(LuigiConfigParser, "_instance", LuigiConfigParser._instance)

    def use(text: str) -> Layout:
        own = "" if "[paths]" in text else "\n[paths]\nroot = root\n"
        path.write_text(text + own)
        LuigiConfigParser._instance = None
        forget_settings()
        return Layout(tmp_path / "root", "cpg0000-jump-pilot", "source_4")

    yield use
    forget_settings()


@pytest.fixture
def stub_engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    """Let every stage be made by a stub, and let what it makes pass."""
    made = FakeEngine(any_stage)
    monkeypatch.setattr(engines, "choose", lambda wanted, image: made)
    monkeypatch.setattr("tasks.execution.collect._check_output", lambda run, name, path, whole: None)
    monkeypatch.setattr("tasks.execution.collect._check_units", lambda run, left_out, done: None)
    return made


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench()
    monkeypatch.setattr(engines, "choose", lambda wanted, image: FakeEngine(bench))
    monkeypatch.setattr("tasks.execution.collect._check_output", lambda run, name, path, whole: None)
    return bench


@pytest.fixture
def listed(luigi_cfg: LoadSettings, bench: Bench) -> Layout:
    """Lay a plate of four sites whose images are listed and whose illumination is there."""
    layout = luigi_cfg(ALLOWED)
    lay_plate(layout)
    run("load_data", "illumination")
    return layout


@pytest.fixture
def load_data_made(luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """Lay a plate and publish its load_data, by a stub."""
    monkeypatch.setattr(engines, "choose", lambda wanted, image: FakeEngine(good))
    monkeypatch.setattr("tasks.execution.collect._check_output", lambda run, name, path, whole: None)
    layout = luigi_cfg("")
    lay_plate(layout)
    make("load_data").run()
    return layout


def forget_settings() -> None:
    settings.load.cache_clear()
    luigi.task_register.Register.clear_instance_cache()


def forget() -> None:
    """Forget the tables and hashes of the tree of containers."""
    hashes = (recipes.environment_hash, recipes.recipe_hash, recipes.program_hash)
    for kept in (stages.load, stages.images, recipes.bases, *hashes):
        kept.cache_clear()


@pytest.fixture
def containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a tree of containers with one image, two stages, the real stagekit and agent, in the place of ours."""
    folder = tmp_path / "containers"
    easel = folder / "easel"
    easel.mkdir(parents=True)
    for name in ("stagekit", "batch_agent"):
        shutil.copytree(layouts.CONTAINERS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(layouts.BASES, folder)
    texts = {
        "image.toml": IMAGE,
        "stages.toml": STAGES,
        "Dockerfile": "ARG BASE\nFROM ${BASE}\nCOPY batch_agent/*.py /opt/stages/batch_agent/\nUSER 1000\n",
        "requirements.lock": "numpy==2 --hash=sha256:0\n",
        "paint.py": "import colours\nfrom stagekit import program\nfrom toolbox import brushes\n",
        "frame.py": "from stagekit import program\n",
        "colours.py": "import pigments\n",
        "pigments.py": "RED = 1\n",
        "native/brush.c": "int hairs = 12;\n",
        "plugins/varnish.py": "LAYERS = 2\n",
        "../toolbox/brushes.py": "HAIRS = 12\n",
        "../toolbox/rags.py": "WHITE = True\n",
        "plugins/inner/gloss.py": "HIGH = True\n",
        "templates/label.html": "<b>title</b>\n",
    }
    for name, text in texts.items():
        (easel / name).parent.mkdir(parents=True, exist_ok=True)
        (easel / name).write_text(text)
    monkeypatch.setattr(layouts, "CONTAINERS", folder)
    monkeypatch.setattr(layouts, "BASES", folder / "bases.toml")
    monkeypatch.setattr(layouts, "IMAGES_LOCK", folder / "images.lock")
    forget()
    yield folder
    forget()


@pytest.fixture(scope="session")
def s3_port() -> Iterator[int]:
    """A real S3 server on loopback."""
    from tests.stages.gallery.service import served  # moto takes a second, and few tests need it

    with served() as port:
        yield port


@pytest.fixture
def machine(s3_port: int, tmp_path: Path) -> Machine:
    """A machine of AWS Batch, with a bucket of its own."""
    from tests.stages.gallery.service import new_bucket

    return Machine(tmp_path, new_bucket(s3_port))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Server]:
    """A real S3 server on loopback with an empty bucket, and credentials for it."""
    from tests.integration import s3_server  # here, because moto takes a second to import

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with s3_server.serving() as started:
        request = urllib.request.Request(f"http://127.0.0.1:{started.port}/moto-api/reset", method="POST")
        urllib.request.urlopen(request).close()  # moto is one for all servers of a process
        s3_server.client(started.port).create_bucket(Bucket=s3_server.BUCKET)
        yield started


@pytest.fixture
def added_to(luigi_cfg: LoadSettings) -> Layout:
    """Return the data root that plates are added to."""
    return luigi_cfg("")


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """Return the folder of an instrument's export."""
    made = tmp_path / "export"
    made.mkdir()
    return made


@pytest.fixture
def add_plate(
    added_to: Layout, exported: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AddPlate:
    """Add the export to the batch screen_1; return the exit code, and what was printed and said."""

    def act(*flags: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["tasks", "add-plate", str(exported), "--batch-id", "screen_1", *flags])
        capsys.readouterr()
        return command.main(), *capsys.readouterr()

    return act


@pytest.fixture
def imported(
    added_to: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Import:
    """Run the program import_images on the added plate P1, as a run would."""
    from tests.unit import drawn_exports  # here, because zarr takes a while to import

    def act(z: str = "", scale: str = "", shard: str = "1/1", exclude: str = "") -> drawn_exports.Done:
        out = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        monkeypatch.setattr(sys, "argv", drawn_exports.words(added_to, out, z, scale, shard, exclude))
        monkeypatch.syspath_prepend(str(drawn_exports.FOLDER))
        capsys.readouterr()
        code = drawn_exports.run()
        return drawn_exports.Done(code, capsys.readouterr().err, out)

    return act
