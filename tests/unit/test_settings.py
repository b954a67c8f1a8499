"""luigi.cfg is read before anything starts: an unknown key or a bad value ends the run, and says what would do."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from luigi import configuration, interface

from tasks.dataset.layout import REPOSITORY
from tasks.definitions import stages
from tasks.errors import SettingsError
from tasks.runtime.core.slots import machine_cores, machine_memory_gb
from tasks.settings import checks, luigi_sections, settings
from tasks.stage_tasks import start
from tasks.workflow import pipeline
from tests.unit.conftest import LoadSettings


def check(use: LoadSettings, text: str) -> None:
    use(text)
    checks.check(pipeline.stage_settings())


BAD = {
    "unknown section": ("[normalise]\nx = 1\n", r"there is no section \[normalise\]; did you mean 'normalize'\?"),
    "strange section": ("[zzz]\nx = 1\n", r"there is no section \[zzz\]; known: .*aggregate.*runtime"),
    "unknown key": ("[runtime]\nengin = auto\n", r"\[runtime\]: there is no setting 'engin'; did you mean 'engine'\?"),
    "unknown key of a stage": ("[normalize]\nmetod = x\n", r"\[normalize\]: there is no setting 'metod'.*'method'"),
    "unknown key of Luigi": ("[worker]\nkeepalive = 1\n", r"\[worker\]: there is no setting 'keepalive'.*'keep_alive'"),
    "choice": ("[runtime]\nengine = podmam\n", r"\[runtime\] engine = podmam: .*docker"),
    "choice of a stage": ("[aggregate]\nmethod = mode\n", r"\[aggregate\] method = mode: .*median"),
    "whole number": ("[measure]\nsites_per_shard = few\n", r"\[measure\] sites_per_shard = few: "),
    "fraction": ("[select_features]\nna_cutoff = 5%%\n", r"\[select_features\] na_cutoff = 5%: "),
    "truth value": ("[core]\nlocal_scheduler = perhaps\n", r"\[core\] local_scheduler = perhaps: "),
    "cores": ("[runtime]\ncores = many\n", r"\[runtime\] cores = many: it must be a .*number of at least 1, or auto"),
    "no cores": ("[runtime]\ncores = 0\n", r"\[runtime\] cores = 0: it must be a .*number of at least 1, or auto"),
    "half a core": ("[runtime]\ncores = 1.5\n", r"\[runtime\] cores = 1.5: it must be a whole number"),
    "endless cores": ("[runtime]\ncores = inf\n", r"\[runtime\] cores = inf: it must be a whole number"),
    "memory": ("[runtime]\nmemory_gb = -1\n", r"memory_gb = -1: it must be a number of at least 0.1, or auto"),
    "memory is no number": ("[runtime]\nmemory_gb = nan\n", r"\[runtime\] memory_gb = nan: it must be a number"),
    "sites to audit": ("[measure]\naudit_sites = -1\n", r"\[measure\] audit_sites = -1: "),
    "cores of a stage": ("[measure]\ncpus = 0.5\n", r"cpus = 0.5: it must be a whole number of at least 1$"),
    "memory of a stage": ("[measure]\nmemory_gb = auto\n", r"memory_gb = auto: it must be a number of at least"),
    "minutes of a stage": ("[measure]\nminutes = 1h\n", r"\[measure\] minutes = 1h: it must be a number of at least"),
    "a fraction above 1": ("[runtime]\nmax_failed_fraction = 2\n", r"max_failed_fraction = 2: "),
    "metadata pattern": ("[dataset]\nexternal_metadata = {x}.tsv\n", r"= {x}.tsv: in braces .*{platemap} or {stem}"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_used_is_named_before_anything_starts(text: str, said: str, luigi_cfg: LoadSettings) -> None:
    with pytest.raises(SettingsError, match=rf"^luigi.cfg:? .*{said}"):
        check(luigi_cfg, text)


@pytest.mark.parametrize(("key", "name"), [("project", "../x"), ("source", "a b")])
def test_a_bad_project_or_source_is_named(key: str, name: str, luigi_cfg: LoadSettings) -> None:
    with pytest.raises(SettingsError, match=rf"^luigi.cfg \[dataset\] {key} = {name}: '{name}' is not a name"):
        check(luigi_cfg, f"[dataset]\n{key} = {name}\n")


def test_an_empty_luigi_cfg_gives_the_defaults(luigi_cfg: LoadSettings) -> None:
    layout = luigi_cfg("")
    given = settings.load()

    assert (given.layout, given.engine, given.place) == (layout, "auto", "local")
    assert (given.slots.cores, given.slots.memory_gb) == (machine_cores(), machine_memory_gb())
    assert given.slots.folder.is_relative_to(layout.root)


def test_a_setting_takes_the_place_of_its_default(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[runtime]\nengine = process\ncores = 3\nmemory_gb = 4.5\n[dataset]\nsource = source_13\n")
    given = settings.load()

    assert (given.engine, given.slots.cores, given.slots.memory_gb) == ("process", 3, 4.5)
    assert given.layout.source == "source_13"


@pytest.mark.parametrize(
    ("root", "expected"), [("/data/root", "/data/root"), ("data", "{folder}/data"), (".", "{folder}")]
)
def test_a_relative_root_starts_from_luigi_cfgs_folder(
    root: str, expected: str, luigi_cfg: LoadSettings, tmp_path: Path
) -> None:
    luigi_cfg(f"[paths]\nroot = {root}\n")

    assert settings.load().layout.root == Path(expected.format(folder=tmp_path))


def test_a_stages_resources_are_its_tables_unless_luigi_cfg_says_otherwise(luigi_cfg: LoadSettings) -> None:
    luigi_cfg("[normalize]\ncpus = 2\nmemory_gb = 0.5\nminutes = 3\n")
    own, other = stages.stage("normalize"), stages.stage("normalize_negcon")
    given = settings.resources(own)

    assert (given.cpus, given.memory_gb, given.minutes, given.gpus) == (2, 0.5, 3, own.resources.gpus)
    assert settings.resources(other) == other.resources


def luigi(folder: Path, text: str, *words: str, name: str = "luigi.cfg") -> subprocess.CompletedProcess[str]:
    (folder / "luigi.cfg").write_text(text)
    environment = os.environ | {"LUIGI_CONFIG_PATH": str(folder / name)}
    program = Path(sys.executable).with_name("luigi")
    command = [str(program), "--module", "tasks", *words]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_luigi_ends_with_an_error_and_no_traceback_if_a_setting_is_wrong(tmp_path: Path) -> None:
    done = luigi(tmp_path, "[runtime]\nengin = auto\n", "RunBatch", "--batch-id", "B")

    assert done.returncode == 2
    assert done.stderr == "ERROR: luigi.cfg [runtime]: there is no setting 'engin'; did you mean 'engine'?\n"


def test_luigi_fails_without_a_traceback_if_a_batch_is_not_there(tmp_path: Path) -> None:
    text = "[core]\nlocal_scheduler = true\n[retcode]\nscheduling_error = 35\n"
    done = luigi(tmp_path, text, "RunBatch", "--batch-id", "B")

    assert done.returncode == 35
    assert "B/barcode_platemap.csv: the list of plates of batch B is not there" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_short_luigi_cfg_lets_a_failed_run_exit_with_its_code_and_wait_for_no_scheduler(tmp_path: Path) -> None:
    done = luigi(tmp_path, "[dataset]\nproject = mine\n", "RunBatch", "--batch-id", "B")

    assert done.returncode == 35
    assert "B/barcode_platemap.csv: the list of plates of batch B is not there" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("", "true"),
        ("[core]\nlocal_scheduler = false\n", "false"),
        ("[core]\ndefault_scheduler_url = http://host:8082\n", "unset"),
        ("[core]\ndefault-scheduler-host = host\n", "unset"),
    ],
    ids=["nothing", "set", "an address", "a host"],
)
def test_luigis_own_settings_are_the_toolkits_where_a_person_has_none(
    text: str, local: str, luigi_cfg: LoadSettings
) -> None:
    luigi_cfg(f"{text}\n[retcode]\nmissing_data = 7\n")
    luigi_sections.complete()
    given = configuration.get_config()

    assert given.get("core", "local_scheduler", "unset") == local
    assert given.get("retcode", "missing_data") == "7"
    assert given.get("retcode", "task_failed") == "30"


def test_what_a_short_luigi_cfg_leaves_out_is_as_the_clones_own_says() -> None:
    manual = configparser.ConfigParser(interpolation=None)
    manual.read(REPOSITORY / "luigi.cfg", encoding="utf-8")

    assert {section: dict(manual[section]) for section in luigi_sections.DEFAULTS} == luigi_sections.DEFAULTS


def test_a_clone_whose_own_luigi_cfg_was_cut_short_runs(tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "tasks", tmp_path / "tasks")
    for name in ("containers", "data"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    (tmp_path / "luigi.cfg").write_text("[runtime]\nengine = process\n")
    words = [sys.executable, "-m", "tasks", "status", "--batch-id", "B"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (0, "nothing was run here yet\n"), done.stderr


def test_a_luigi_cfg_that_is_named_and_not_there_is_an_error(tmp_path: Path) -> None:
    done = luigi(tmp_path, "", "RunBatch", "--batch-id", "B", name="other.cfg")

    assert done.returncode == 2
    assert f"ERROR: LUIGI_CONFIG_PATH names {tmp_path / 'other.cfg'}, which is not there" in done.stderr


WORKERS = {
    "one, if nobody says": ("", 1),
    "a number": ("[runtime]\nworkers = 3\n", 3),
    "a worker a core": ("[runtime]\nworkers = auto\ncores = 7\n", 7),
    "all cores of the machine": ("[runtime]\nworkers = auto\n", machine_cores()),
    "a worker a plate where it only waits": ("[runtime]\nworkers = auto\nplace = slurm\ncores = 2\n", 20),
    "Luigi's own setting first": ("[runtime]\nworkers = auto\n[core]\nworkers = 5\n", 5),
}


@pytest.mark.parametrize(("text", "workers"), WORKERS.values(), ids=WORKERS)
def test_so_many_stages_run_at_once(luigi_cfg: LoadSettings, text: str, workers: int) -> None:
    luigi_cfg(text)
    start.begin.__wrapped__()

    assert settings.load().workers == workers
    assert interface.core().workers == workers  # what Luigi's own command goes by


@pytest.mark.parametrize("wrong", ["0", "many", "1.5"])
def test_workers_are_a_whole_number_or_auto(luigi_cfg: LoadSettings, wrong: str) -> None:
    with pytest.raises(SettingsError, match=r"\[runtime\] workers = .*a whole number of at least 1, or auto"):
        check(luigi_cfg, f"[runtime]\nworkers = {wrong}\n")
