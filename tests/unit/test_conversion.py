"""What an archive and a registry say of an image, and that only what is of this recipe becomes a SIF file."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.definitions import recipes
from tasks.errors import EngineError, RecipeError
from tasks.runtime.images import archives, conversion, images, registry, sif

LOGIN = "bGFiOnNlY3JldA=="


def config_of(recipe: str) -> bytes:
    return json.dumps({"config": {"Labels": {images.RECIPE_LABEL: recipe}}}).encode()


def sha256(text: bytes) -> str:
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def write(path: Path, entries: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, text in entries.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text))
    return path


def saved(path: Path, *recipe: str) -> Path:
    """Write an archive of images that bear these recipes."""
    texts = [config_of(each) for each in recipe]
    listed = [{"Config": f"{sha256(text)[7:]}.json", "RepoTags": None, "Layers": []} for text in texts]
    named = {str(entry["Config"]): text for entry, text in zip(listed, texts, strict=True)}
    return write(path, {"manifest.json": json.dumps(listed).encode(), **named})


def test_an_archive_tells_the_images_id_and_labels(tmp_path: Path) -> None:
    found = archives.config(saved(tmp_path / "a.tar", "abc"))

    assert found == archives.Config(sha256(config_of("abc")), {images.RECIPE_LABEL: "abc"})


def test_an_image_without_labels_has_none() -> None:
    assert archives.of(b'{"config": {"Labels": null}}').labels == {}


def test_an_archive_must_hold_one_image(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"a.tar holds 2 images, and must hold one; .*docker save"):
        archives.config(saved(tmp_path / "a.tar", "a", "b"))


@pytest.mark.parametrize(
    "entries", [{}, {"manifest.json": b"["}, {"manifest.json": b'[{"Config": "x"}]'}], ids=["empty", "cut", "no config"]
)
def test_a_file_that_is_no_whole_archive_is_named(entries: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"a.tar is no whole archive of an image"):
        archives.config(write(tmp_path / "a.tar", entries))


def test_an_archive_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"there is no file .*x.tar; .*docker save --output x.tar"):
        archives.config(tmp_path / "x.tar")


class Service(ThreadingHTTPServer):
    """A registry that has lab/easel:tag; `asks` says what it wants first: nothing, a login or a token."""

    asks = ""
    text = config_of("abc")

    @property
    def manifest(self) -> bytes:
        return json.dumps(
            {"config": {"digest": sha256(config_of("abc"))}, "layers": [{"size": 3}, {"size": 4}]}
        ).encode()


class Answer(BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:  # noqa: N802  (the name that http.server calls)
        given, own = self.headers.get("Authorization", ""), f"127.0.0.1:{self.server.server_port}"
        if self.path.startswith("/token"):
            known = given == f"Basic {LOGIN}" and "scope=pull" in self.path
            self.say(200 if known else 401, b'{"token": "t"}')
        elif self.server.asks == "basic" and given != f"Basic {LOGIN}":
            self.say(401, b"", 'Basic realm="x"')
        elif self.server.asks == "bearer" and given != "Bearer t":
            self.say(401, b"", f'Bearer realm="http://{own}/token",service="s",scope="pull"')
        elif self.path == "/v2/lab/easel/manifests/tag":
            self.say(200, self.server.manifest)
        else:
            known = self.path == f"/v2/lab/easel/blobs/{sha256(config_of('abc'))}"
            self.say(200 if known else 404, self.server.text)

    def say(self, code: int, text: bytes, asked: str = "") -> None:
        self.send_response(code)
        if asked:
            self.send_header("WWW-Authenticate", asked)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Service]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Service(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def name_at(service: Service) -> str:
    return f"127.0.0.1:{service.server_port}/lab/easel"


def log_in(service: Service, home: Path, file: str) -> None:
    path = home / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"auths": {f"127.0.0.1:{service.server_port}": {"auth": LOGIN}}}))


@pytest.mark.parametrize("asks", ["", "basic", "bearer"])
@pytest.mark.parametrize("file", registry.LOGINS)
def test_a_registry_tells_digests_labels_and_size(asks: str, file: str, service: Service, tmp_path: Path) -> None:
    service.asks = asks
    log_in(service, tmp_path, file)
    found = registry.find(name_at(service), "tag")

    assert found == registry.Held(
        sha256(service.manifest),
        sha256(service.text),
        {images.RECIPE_LABEL: "abc"},
        compressed_bytes=7,
        media_type=registry.MANIFESTS[1],
        manifest_bytes=len(service.manifest),
    )


@pytest.mark.parametrize("asks", ["basic", "bearer"])
def test_a_registry_that_wants_a_login_is_named(asks: str, service: Service) -> None:
    service.asks = asks
    with pytest.raises(EngineError, match=r"does not give lab/easel:tag \(HTTP Error 401.*apptainer registry login"):
        registry.find(name_at(service), "tag")


def test_an_image_that_a_registry_does_not_have_is_named(service: Service) -> None:
    with pytest.raises(EngineError, match=r"does not give lab/easel:other \(HTTP Error 404"):
        registry.find(name_at(service), "other")


def test_a_configuration_that_is_not_what_was_asked_for_is_refused(service: Service) -> None:
    service.text = config_of("forged")
    with pytest.raises(EngineError, match="the configuration that 127.0.0.1:.* sends is not sha256:"):
        registry.find(name_at(service), "tag")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("127.0.0.1:5000/x", True),
        ("localhost/x", True),
        ("localhost.example.org/x", False),
        ("ghcr.io/x", False),
        ("127.example.org/x", False),
    ],
)
def test_only_a_registry_of_this_machine_is_spoken_to_without_tls(name: str, plain: bool) -> None:
    assert registry.is_plain(name) == plain


def test_a_variant_has_a_tag_of_its_own(containers: Path) -> None:
    tag = images.remote_tag("easel")

    assert len(tag) == images.RECIPE_DIGITS
    assert images.remote_tag("easel", "cuda") == f"{tag}-cuda"


@pytest.fixture
def site(containers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sif.Site:
    site = sif.Site(images=tmp_path / "sif", cache=tmp_path / "cache", temporary=tmp_path / "tmp")
    monkeypatch.setattr(sif, "_site", site)
    return site


def test_an_image_of_another_recipe_is_not_converted(site: sif.Site, tmp_path: Path) -> None:
    saved(tmp_path / "easel.tar", "abc")
    with pytest.raises(RecipeError, match=f"it says abc, and here is {recipes.recipe_hash('easel')[:12]}"):
        conversion.convert("easel", f"docker-archive:{tmp_path}")

    assert not list(site.images.glob("*.sif"))
    assert images.read_lock() == {}


def test_an_origin_of_another_form_is_named(site: sif.Site) -> None:
    with pytest.raises(EngineError, match=r"--from library://x: it must be docker, docker-archive:PATH or docker://"):
        conversion.convert("easel", "library://x")


def test_a_folder_that_cannot_be_made_names_its_setting(site: sif.Site, tmp_path: Path) -> None:
    (tmp_path / "sif").write_text("a file")
    with pytest.raises(EngineError, match=r"\[apptainer\] images = .*/sif: .*; name another folder"):
        conversion.convert("easel", "docker")
