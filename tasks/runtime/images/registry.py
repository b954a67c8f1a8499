"""What a registry says of an image, before it is fetched by digest: its manifest, its configuration, its size."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from tasks.errors import EngineError
from tasks.runtime.images import archives

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
LOGINS = (".docker/config.json", ".apptainer/docker-config.json", ".singularity/docker-config.json")
"""Below the home folder: where `docker login` and `apptainer registry login` write."""
CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
SECONDS = 60


@dataclass(frozen=True)
class Held:
    """An image in a registry."""

    manifest: str
    """The digest that it is fetched by."""
    digest: str
    """The digest of its configuration: the image's id, as in images.lock."""
    labels: Mapping[str, str]
    compressed_bytes: int
    media_type: str
    """Of the manifest."""
    manifest_bytes: int


def find(name: str, tag: str) -> Held:
    """Return what HOST/PATH/IMAGE is at a tag or digest; raise EngineError if the registry does not have or give it."""
    host, _, path = name.partition("/")
    base = f"{'http' if is_plain(name) else 'https'}://{host}/v2/{path}"
    try:
        text = _get(f"{base}/manifests/{tag}", host, ", ".join(MANIFESTS))
        manifest = {"mediaType": MANIFESTS[1], **json.loads(text)}
        config = archives.of(_get(f"{base}/blobs/{manifest['config']['digest']}", host, "*/*"))
    except (URLError, OSError, ValueError, KeyError) as error:
        message = (
            f"{host} does not give {path}:{tag} ({error}); an image bears its recipe's hash as tag, so this recipe may "
            "never have been pushed; where a login is needed: apptainer registry login"
        )
        raise EngineError(message) from error
    if config.digest != manifest["config"]["digest"]:
        raise EngineError(f"{name}:{tag}: the configuration that {host} sends is not {manifest['config']['digest']}")
    size = sum(layer["size"] for layer in manifest["layers"])
    own = f"sha256:{hashlib.sha256(text).hexdigest()}"
    return Held(own, config.digest, config.labels, size, manifest["mediaType"], len(text))


def is_plain(name: str) -> bool:
    """Say whether a registry is spoken to without TLS: on this machine alone, as docker does."""
    return re.match(r"(localhost|127(\.\d+){3})(:\d+)?/", name) is not None


def _get(url: str, host: str, accept: str) -> bytes:
    """Fetch, and do what the registry asks for first: a token, or a login."""
    try:
        return _fetch(url, {"Accept": accept})
    except HTTPError as error:
        kind, _, asked = error.headers.get("WWW-Authenticate", "").partition(" ")
        if error.code != 401 or not kind:
            raise
    login = _login(host)
    own = {"Authorization": f"Basic {login}"} if login else {}
    if kind.lower() == "bearer":
        fields = dict(CHALLENGE.findall(asked))
        token = json.loads(_fetch(f"{fields.pop('realm')}?{urlencode(fields)}", own))
        own = {"Authorization": f"Bearer {token.get('token') or token['access_token']}"}
    return _fetch(url, {"Accept": accept, **own})


def _fetch(url: str, headers: Mapping[str, str]) -> bytes:
    request = urllib.request.Request(url)
    for name, value in headers.items():
        request.add_unredirected_header(name, value)  # a login is not for the host that a blob is kept at
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        text: bytes = answer.read()
        return text


def _login(host: str) -> str:
    """Return a registry's login that this user wrote down, as HTTP takes it; nothing if there is none."""
    for file in (Path.home() / name for name in LOGINS):
        if file.is_file():
            found = json.loads(file.read_text(encoding="utf-8")).get("auths", {}).get(host, {}).get("auth", "")
            if found and base64.b64decode(found):
                return str(found)
    return ""
