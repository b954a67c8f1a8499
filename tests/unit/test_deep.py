"""Deep features in the graph: which plates are whitened together, where weights come from, and who gets a GPU."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest
from luigi.task import flatten

from tasks.dataset import layout as layouts
from tasks.errors import EngineError, MissingInputError, SettingsError
from tasks.execution import backends
from tasks.results import fingerprint
from tasks.runtime.engines import docker_engine, engines, gpus
from tasks.runtime.engines.docker_engine import DockerEngine
from tasks.runtime.images import images
from tasks.workflow import deep_profiles, pipeline
from tests.unit.conftest import LoadSettings
from tests.unit.fakes import BATCH, CONDITIONS, EXPERIMENT, PLATE, FakeEngine, good, lay_experiment, lay_plate, make_job
from tests.unit.test_graph import reached


@pytest.fixture(autouse=True)
def forget_gpus() -> None:
    gpus.found.cache_clear()


def test_deep_profiles_are_made_if_they_are_asked_for(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    both = reached(pipeline.RunBatch(batch_id=BATCH, features="cellprofiler,deepprofiler"))
    alone = reached(pipeline.RunBatch(batch_id=BATCH, features="deepprofiler"))
    chain = {"locate_cells", "deep_profile", "aggregate_deep", "annotate_deep", "spherize_deep"}

    assert chain | {"normalize", "select_features_negcon_batch"} <= both
    assert alone == chain | {"load_data", "illumination", "measure"}
    assert reached(pipeline.RunPlate(batch_id=BATCH, plate=PLATE, features="deepprofiler")) == alone - {"spherize_deep"}


def test_another_engine_is_another_stage_whose_results_lie_beside(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg("[deep_profile]\nengine = torch\n"))
    found = reached(pipeline.RunBatch(batch_id=BATCH, features="deepprofiler"))
    one, other = (kind(batch_id=BATCH, plate=PLATE) for kind in (pipeline.DeepProfile, pipeline.DeepProfileTorch))

    assert "deep_profile_torch" in found
    assert "deep_profile" not in found
    assert one.spec().parameters == other.spec().parameters
    assert one.job_spec().flags == other.job_spec().flags
    assert one.definition.outputs == other.definition.outputs
    assert one.output_folder("embeddings") != other.output_folder("embeddings")
    assert one.manifest_path() != other.manifest_path()


def test_a_channel_that_networks_see_and_luigi_cfg_does_not_name_is_told_before_plates_are_measured(
    luigi_cfg: LoadSettings,
) -> None:
    text = "[load_data]\nchannels = 1=DNA,2=RNA,3=ER,4=Mito\n"
    lay_plate(luigi_cfg(text))
    runs = [
        pipeline.RunPlate(batch_id=BATCH, plate=PLATE, features="deepprofiler").requires,
        pipeline.RunBatch(batch_id=BATCH, features="cellprofiler,deepprofiler").parts,
    ]

    for ask in runs:
        with pytest.raises(SettingsError, match=r"^luigi.cfg \[load_data\] channels = .*: it names no AGP channel"):
            ask()
    luigi_cfg(text + "source = published\n")
    assert runs[0]()


@pytest.mark.parametrize(("told", "missing"), [("DNA RNA", "ER and no AGP and no Mito"), ("DNA RNA ER AGP Mito", "")])
def test_an_added_plate_has_the_channels_that_it_was_added_with(
    luigi_cfg: LoadSettings, told: str, missing: str
) -> None:
    layout = luigi_cfg("[load_data]\nchannels = 1=DNA\n" if not missing else "")
    index = layout.planes(BATCH, PLATE)
    index.parent.mkdir(parents=True)
    index.touch()
    index.with_suffix(".json").write_text(json.dumps({"channels": dict(enumerate(told.split()))}))
    features = pipeline.DeepProfile(batch_id=BATCH, plate=PLATE)
    if not missing:
        features.require()
        return

    with pytest.raises(SettingsError, match=f"^add-plate --channels of plate {PLATE}: it names no {missing} channel"):
        features.require()


def test_the_channels_that_networks_see_are_those_of_the_programs() -> None:
    tree = ast.parse((layouts.CONTAINERS / "deepkit/networks.py").read_text())
    calls = [
        node for node in ast.walk(tree) if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Network"
    ]

    assert len(calls) == len(deep_profiles.NETWORKS)
    assert all(set(ast.literal_eval(call.args[0])) == set(deep_profiles.SEEN) for call in calls)


def test_a_feature_set_that_there_is_not_is_refused(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))

    with pytest.raises(SettingsError, match="no feature set 'deep'; known: cellprofiler, deepprofiler"):
        pipeline.RunPlate(batch_id=BATCH, plate=PLATE, features="deep").requires()


def test_plates_that_were_treated_alike_are_whitened_together(luigi_cfg: LoadSettings) -> None:
    lay_experiment(luigi_cfg(""))
    run = pipeline.RunBatch(batch_id=BATCH, plates=[row[0] for row in EXPERIMENT])
    found = {task.plate_set: task.members for task in deep_profiles.groups_of(run)}
    conditions: dict[tuple[str, ...], list[str]] = {}
    for plate, *values in EXPERIMENT:
        conditions.setdefault(tuple(values), []).append(plate)

    assert len(CONDITIONS) == len(EXPERIMENT[0]) - 1
    assert sorted(found.values()) == sorted(tuple(plates) for plates in conditions.values())


def test_plates_of_which_nothing_is_known_are_one_set(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""), "OWN1")
    (task,) = deep_profiles.groups_of(pipeline.RunBatch(batch_id=BATCH, plates=["OWN1"]))

    assert (task.members, task.subject) == (("OWN1",), BATCH)


def weights(luigi_cfg: LoadSettings, text: str) -> object:
    luigi_cfg(text)
    return pipeline.DeepProfile(batch_id=BATCH, plate=PLATE).requires()[-1]


def test_weights_are_a_file_beside_luigi_cfg_or_a_url_or_lie_where_all_look(
    luigi_cfg: LoadSettings, tmp_path: Path
) -> None:
    lay_plate(luigi_cfg(""))
    (tmp_path / "mine.hdf5").touch()
    default = weights(luigi_cfg, "")
    own = weights(luigi_cfg, "[deep_profile]\ncheckpoint = mine.hdf5\n")
    url, sha256 = "https://example.org/a.hdf5", "ab" * 32
    fetched = weights(luigi_cfg, f"[deep_profile]\ncheckpoint = {url}\ncheckpoint_sha256 = {sha256}\n")

    assert default.path().name == "cell_painting_cnn.hdf5"
    assert own.path() == tmp_path / "mine.hdf5"
    assert isinstance(fetched, pipeline.FetchCheckpoint)
    assert fetched.spec().parameters == {"url": url, "sha256": sha256}


def test_weights_that_are_not_there_say_what_to_do(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")

    with pytest.raises(MissingInputError, match=r"cell_painting_cnn.hdf5: the weights .* \[deep_profile\] checkpoint"):
        pipeline.DeepProfile(batch_id=BATCH, plate=PLATE).requires()[-1].complete()


def test_features_of_one_network_stay_when_anothers_are_made(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("")
    one, other = (
        pipeline.DeepProfile(batch_id=BATCH, plate=PLATE, features=name)
        for name in ("cell_painting_cnn", "imagenet_efficientnet_b0")
    )

    assert one.manifest_path() != other.manifest_path()
    assert one.output_folder("embeddings") != other.output_folder("embeddings")
    assert one.output_folder("embeddings").parts[-3:] == ("cell_painting_cnn", BATCH, PLATE)


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, luigi_cfg: LoadSettings) -> FakeEngine:
    """A machine with a GPU whose image is built for it; docker gives it to containers."""
    luigi_cfg("")
    engine = FakeEngine(good)
    engine.name = "docker"
    monkeypatch.setattr(gpus, "found", lambda: (("GPU 0: NVIDIA V100",), ""))
    monkeypatch.setattr(engines, "choose", lambda wanted, image: engine)
    monkeypatch.setattr(images, "read_lock", lambda: dict.fromkeys(("deepprofiler", "deep_torch"), {"variant": "cuda"}))
    monkeypatch.setattr(gpus, "gpu_runtime", lambda: True)
    return engine


def device(text: str, luigi_cfg: LoadSettings) -> tuple[str, int, int]:
    luigi_cfg(text)
    task = pipeline.DeepProfile(batch_id=BATCH, plate=PLATE)
    how = task.job_spec()
    return how.flags["device"], how.resources.gpus, backends.job_count(1000, how)


def test_a_usable_gpu_is_taken_by_one_job_unless_the_cpu_is_wanted(gpu: FakeEngine, luigi_cfg: LoadSettings) -> None:
    assert device("", luigi_cfg) == ("gpu", 1, 1)
    assert device("[deep_profile]\ndevice = gpu\n", luigi_cfg) == ("gpu", 1, 1)
    assert device("[deep_profile]\ndevice = cpu\n", luigi_cfg)[:2] == ("cpu", 0)


LACKING = {
    "driver": ("found", lambda: ((), "there is no nvidia-smi"), "there is no nvidia-smi"),
    "runtime": ("gpu_runtime", lambda: False, "install the NVIDIA Container Toolkit"),
    "image": ("images.read_lock", lambda: {"deepprofiler": {}}, "build deepprofiler --variant cuda"),
    "engine": ("engines.choose", lambda wanted, image: FakeEngine(good), "fake engine computes networks on the CPU"),
}


@pytest.mark.parametrize(("name", "stand_in", "said"), LACKING.values(), ids=LACKING)
def test_a_run_that_asked_for_a_gpu_and_has_none_stops_and_auto_goes_on(
    name: str, stand_in: object, said: str, gpu: FakeEngine, luigi_cfg: LoadSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"tasks.runtime.engines.gpus.{name}", stand_in)

    assert device("", luigi_cfg)[:2] == ("cpu", 0)
    with pytest.raises(EngineError, match=f"device = gpu, but no GPU is usable: .*{said}"):
        device("[deep_profile]\ndevice = gpu\n", luigi_cfg)


@pytest.mark.parametrize("engine", deep_profiles.DEEP_ENGINES)
def test_a_gpu_that_is_not_there_is_refused_before_anything_is_computed(engine: str, luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(f"[deep_profile]\ndevice = gpu\nengine = {engine}\n"))
    asked = {"batch_id": BATCH, "features": "cellprofiler,deepprofiler"}

    for run in (pipeline.RunPlate(plate=PLATE, **asked), pipeline.RunBatch(**asked)):
        with pytest.raises(EngineError, match="device = gpu, but no GPU is usable"):
            run.requires()
    assert pipeline.RunPlate(batch_id=BATCH, plate=PLATE).requires()  # of no deep features none is asked for


def test_beside_a_gpu_pytorch_has_cores_to_decode_with(gpu: FakeEngine, luigi_cfg: LoadSettings) -> None:
    given: dict[str, str] = {}
    for name, text in (
        ("auto", ""),
        ("cpu", "[deep_profile]\ndevice = cpu\n"),
        ("own", "[deep_profile_torch]\ncpus = 12\n"),
    ):
        luigi_cfg(f"[runtime]\ncores = 16\n{text}")
        given[name] = pipeline.DeepProfileTorch(batch_id=BATCH, plate=PLATE).job_spec().resources.cpus

    assert given == {"auto": deep_profiles.DECODING_CORES, "cpu": 1, "own": 12}


def test_the_device_makes_nothing_stale(gpu: FakeEngine, luigi_cfg: LoadSettings) -> None:
    made = []
    for text in ("device = cpu", "device = gpu", "batch_size = 7", "sites_per_shard = 1"):
        luigi_cfg(f"[deep_profile]\n{text}\n")
        task = pipeline.DeepProfile(batch_id=BATCH, plate=PLATE)
        task.inputs = lambda spec=None: {}
        made.append(fingerprint.digest(task.fingerprint()))

    assert len(set(made)) == 1


def test_docker_is_asked_for_the_gpus_of_a_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "reference", lambda image: "sha256:abc")
    job = make_job(tmp_path / "job")
    with_gpu = job.__class__(**{**job.__dict__, "resources": job.resources.__class__(1, 1, 1, 1)})
    (request,) = docker_engine._gpus(with_gpu)

    assert docker_engine._gpus(job) == []
    assert (request["Count"], request["Capabilities"]) == (1, [["gpu"]])
    assert "--gpus=1" in DockerEngine().command(with_gpu)
    assert not [word for word in DockerEngine().command(job) if word.startswith("--gpus")]


def test_a_driver_that_does_not_answer_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "nvidia-smi"
    fake.write_text("#!/bin/sh\necho 'NVIDIA-SMI has failed'\nexit 9\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert shutil.which("nvidia-smi") == str(fake)
    assert gpus.found() == ((), "nvidia-smi says: NVIDIA-SMI has failed; look at the driver")


def test_a_variant_of_an_image_installs_its_own_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, cuda = (images.build_options("deepprofiler", {}, variant) for variant in ("", "cuda"))

    assert not [word for word in plain if word.startswith("LOCK=")]
    assert "LOCK=requirements.cuda.lock" in cuda
    with pytest.raises(EngineError, match="there is no variant 'rocm'; known: cuda"):
        images.build_options("deepprofiler", {}, "rocm")


OTHERS = {
    "deepprofiler": ({"tensorflow-cpu==2.15.1"}, {"nvidia", "tensorflow==2.15.1"}),
    "deep_torch": ({"torch==2.13.0+cpu"}, {"nvidia", "cuda", "torch==2.13.0", "triton==3.7.1"}),
}


@pytest.mark.parametrize(("image", "own", "others"), [(name, *both) for name, both in OTHERS.items()], ids=OTHERS)
def test_the_lock_for_a_gpu_is_that_for_the_cpu_with_another_build(image: str, own: set[str], others: set[str]) -> None:
    cpu, cuda = (
        {line.split(" ")[0] for line in (lock).read_text().splitlines() if "==" in line and line[0].isalpha()}
        for lock in (layouts.CONTAINERS / image / name for name in ("requirements.lock", "requirements.cuda.lock"))
    )

    assert cpu - cuda == own
    assert {name.split("-")[0] for name in cuda - cpu} == others


def test_every_weight_task_is_known_to_the_graph(luigi_cfg: LoadSettings) -> None:
    lay_plate(luigi_cfg(""))
    required = flatten(pipeline.DeepProfile(batch_id=BATCH, plate=PLATE).requires())

    assert [type(task).__name__ for task in required] == ["LoadData", "Images", "LocateCells", "ProvidedCheckpoint"]
