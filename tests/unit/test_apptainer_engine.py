"""The Apptainer engine's words: everything that a job needs is in them, and nothing else reaches it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tasks.definitions import recipes
from tasks.errors import EngineError
from tasks.runtime.core.job import Job, Mount
from tasks.runtime.engines import apptainer_engine
from tasks.runtime.engines.apptainer_engine import ApptainerEngine
from tasks.runtime.images import images, sif
from tests.unit.conftest import forget
from tests.unit.fakes import make_job

DIGEST = "sha256:" + "0123456789abcdef" * 4
FILE = "easel-0123456789ab.sif"
# Answers as apptainer: what a SIF file says of itself is what the file holds; `refused` lists what is not allowed.
FAKE = """#!/bin/sh
for word; do last="$word"; done
case " $* " in
*" inspect "*) cat "$last" ;;
*) for word in $(cat "{folder}/refused"); do
     case " $* " in *" $word "*) echo "FATAL:   $word is not allowed" >&2; exit 255 ;; esac
   done
   [ "$last" = true ] || {{ echo "$@"; env; }} ;;
esac
"""


@pytest.fixture
def refused(containers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay a fake apptainer, a locked image and its SIF file; return the file that says which words are refused."""
    command = tmp_path / "bin/apptainer"
    command.parent.mkdir()
    command.write_text(FAKE.format(folder=tmp_path))
    command.chmod(0o755)
    (tmp_path / "refused").write_text("")
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(sif, "_site", sif.Site(images=tmp_path / "sif"))
    images.write_lock("easel", DIGEST)
    lay(tmp_path / "sif" / FILE)
    return tmp_path / "refused"


def lay(file: Path, **other: str) -> None:
    """Write what stands for a SIF file: its labels."""
    file.parent.mkdir(exist_ok=True)
    labels = {sif.DIGEST_LABEL: DIGEST, images.RECIPE_LABEL: recipes.recipe_hash("easel"), **other}
    file.write_text(json.dumps({"data": {"attributes": {"labels": labels}}}))


def changed(job: Job, **fields: object) -> Job:
    return Job(**{**job.__dict__, **fields})


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return make_job(tmp_path / "1of1", "--method", "it's two words")


def words(job: Job) -> list[str]:
    return ApptainerEngine().command(job)


def test_a_job_sees_nothing_of_the_host_but_its_mounts(refused: Path, job: Job) -> None:
    found = words(job)

    assert {"--containall", "--cleanenv", "--no-home", "--no-privs", "--userns", "--net", "--network=none"} <= {*found}
    assert "--no-mount=bind-paths,hostfs" in found
    assert not {"--writable", "--writable-tmpfs", "--fakeroot", "--overlay"} & {*found}


def test_inputs_are_read_only_and_only_the_runs_folders_are_writable(refused: Path, job: Job) -> None:
    mounts = [word.removeprefix("--mount=") for word in words(job) if word.startswith("--mount=")]
    writable = [mount for mount in mounts if not mount.endswith(",ro")]

    assert {mount.target for mount in job.inputs} == {
        mount.split("destination=")[1].removesuffix(",ro") for mount in mounts if mount.endswith(",ro")
    }
    assert writable == [
        f"type=bind,source={job.folder}/out,destination=/out",
        f"type=bind,source={job.folder}/tmp,destination=/tmp",
    ]


def test_a_path_may_hold_a_comma_a_colon_and_a_quote(refused: Path, job: Job) -> None:
    odd = changed(job, inputs=(Mount(Path('/data/a,b:c"d'), "/in/x"),))

    assert '--mount=type=bind,"source=/data/a,b:c""d",destination=/in/x,ro' in words(odd)


def test_the_variables_are_those_of_the_docker_engine(refused: Path, job: Job) -> None:
    found = words(job)
    given = dict(word.removeprefix("--env=").split("=", 1) for word in found if word.startswith("--env="))
    image = next(index for index, word in enumerate(found) if word.endswith(FILE))

    assert found[image + 1 :] == ["env", "HOME=/tmp", *job.words]
    assert given | {"HOME": "/tmp"} == job.variables("/tmp")
    assert found[:2] == ["env", "-i"]


def test_a_job_with_a_network_keeps_it_and_finds_the_hosts_names(refused: Path, job: Job) -> None:
    found = words(changed(job, network=True))

    assert "--userns" in found
    assert not {"--net", "--network=none"} & {*found}
    assert "--mount=type=bind,source=/etc/hosts,destination=/etc/hosts,ro" in found


def test_a_job_with_gpus_gets_those_that_the_scheduler_named(refused: Path, job: Job, monkeypatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    gpus = type(job.resources)(**{**job.resources.__dict__, "gpus": 1})
    found = words(changed(job, resources=gpus))
    said = subprocess.run(found, capture_output=True, text=True, check=True).stdout

    assert "--nv" in found
    assert "--nv" not in words(job)
    assert "APPTAINERENV_CUDA_VISIBLE_DEVICES=3" in said.splitlines()


def test_passed_variables_come_from_the_shell_and_a_users_own_settings_of_apptainer_do_not(
    refused: Path, job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "token").write_text("")
    monkeypatch.setenv("NO_PROXY", 'it\'s "a", $b')
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("APPTAINER_BIND", "/home:/home")
    monkeypatch.setenv("APPTAINERENV_LEAK", "1")
    names = ("NO_PROXY", "HTTPS_PROXY", "AWS_WEB_IDENTITY_TOKEN_FILE")
    monkeypatch.delenv("HTTPS_PROXY", raising=False)
    found = words(changed(job, network=True, passed=names))
    said = subprocess.run(found, capture_output=True, text=True, check=True).stdout.splitlines()

    assert not [word for word in found if 'it\'s "a"' in word]
    assert {line for line in said if line.startswith(("APPTAINER", "SINGULARITY"))} == {
        'APPTAINERENV_NO_PROXY=it\'s "a", $b'
    }
    assert "--env=AWS_WEB_IDENTITY_TOKEN_FILE=/in/.caller/AWS_WEB_IDENTITY_TOKEN_FILE" in found
    assert f"--mount=type=bind,source={tmp_path}/token,destination=/in/.caller/AWS_WEB_IDENTITY_TOKEN_FILE,ro" in found


def test_only_a_run_of_ours_is_guarded_and_not_the_command_that_repeats_it(refused: Path, job: Job) -> None:
    guarded = ApptainerEngine()._words(job, apptainer_engine.GUARD)

    assert [word for word in guarded if word not in words(job)] == ["--env=STAGE_GUARD=stdin", "setsid"]


def test_singularity_reads_its_own_names(
    refused: Path, job: Job, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bin/apptainer").rename(tmp_path / "bin/singularity")
    monkeypatch.setenv("NO_PROXY", "x")
    found = words(changed(job, network=True, passed=("NO_PROXY",)))

    assert f"{tmp_path}/bin/singularity" in found
    assert "SINGULARITYENV_" in found[2]
    assert "APPTAINERENV_" not in found[2]


@pytest.mark.parametrize(
    ("not_allowed", "manner"),
    [
        ("", ["--userns", "--net", "--network=none"]),
        ("--userns", ["--net", "--network=none"]),
        ("--net", ["--userns"]),
        ("--net --userns", []),
    ],
    ids=["all is allowed", "a setuid installation", "no network of its own", "neither"],
)
def test_the_closest_manner_that_the_site_allows_is_taken(
    not_allowed: str, manner: list[str], refused: Path, job: Job
) -> None:
    refused.write_text(not_allowed)

    assert ApptainerEngine().unusable("easel") is None
    assert [word for word in words(job) if word in ("--userns", "--net", "--network=none")] == manner
    assert apptainer_engine.takes_network("easel") == ("--net" in manner)


def test_a_site_that_allows_no_container_is_named_with_its_words(refused: Path) -> None:
    refused.write_text("exec")

    reason = ApptainerEngine().unusable("easel")

    assert (
        reason
        == "apptainer cannot start a container here: FATAL:   exec is not allowed; ask the site, with these words"
    )


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ("fuse: failed to open /dev/fuse: Permission denied", "a /dev/fuse that users may open"),
        ("Failed to create user namespace: user namespace disabled", "user.max_user_namespaces above 0"),
    ],
)
def test_what_a_site_lacks_is_asked_for(said: str, asked: str) -> None:
    assert asked in apptainer_engine._remedy(said)


def test_without_a_command_the_module_is_named(refused: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    reason = ApptainerEngine().unusable("easel")

    assert reason is not None
    assert reason.startswith("there is no command apptainer or singularity ([apptainer] binary = auto)")
    assert "module load apptainer" in reason


CONVERT = "python -m tasks images convert --to sif easel"


def test_a_sif_file_that_is_not_there_is_named_with_the_way_out(refused: Path, tmp_path: Path) -> None:
    (tmp_path / "sif" / FILE).unlink()

    assert CONVERT in str(ApptainerEngine().unusable("easel"))


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ({images.RECIPE_LABEL: "another"}, "does not bear this recipe's label"),
        ({sif.DIGEST_LABEL: "sha256:" + "f" * 64}, "another image than images.lock's; delete it"),
    ],
    ids=["recipe", "digest"],
)
def test_a_sif_file_that_does_not_match_the_lock_is_refused(
    labels: dict[str, str], said: str, refused: Path, tmp_path: Path, job: Job
) -> None:
    lay(tmp_path / "sif" / FILE, **labels)
    reason = str(ApptainerEngine().unusable("easel"))

    assert said in reason
    assert CONVERT in reason
    with pytest.raises(EngineError, match=said):
        words(job)


def test_a_sif_file_of_an_older_recipe_is_refused(refused: Path, containers: Path) -> None:
    (containers / "easel/paint.py").write_text("changed = True\n")
    forget()

    assert "built from another recipe than the one here" in str(ApptainerEngine().unusable("easel"))


def test_a_broken_sif_file_is_refused(refused: Path, tmp_path: Path) -> None:
    (tmp_path / "sif" / FILE).write_text("cut off")

    assert f"{FILE} is no whole SIF file" in str(ApptainerEngine().unusable("easel"))


def test_a_sif_file_is_read_once_and_again_when_it_has_changed(
    refused: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, read = tmp_path / "sif" / FILE, []
    run = subprocess.run
    monkeypatch.setattr(sif.subprocess, "run", lambda words, **how: read.append(words) or run(words, **how))
    for _ in range(3):
        sif.checked("easel")
    lay(file, note="changed")
    sif.checked("easel")

    assert len(read) == 2


def test_the_manifest_names_engine_and_digest(refused: Path) -> None:
    assert ApptainerEngine().environment("easel") == {"engine": "apptainer", "image": DIGEST}
