"""Files that lie beside an image in its registry: its bill of materials, its provenance.

Each is an OCI artifact whose subject is the image, so a registry with the referrers API lists it; for others it has a
tag of its own: <recipe>.sbom, <recipe>.provenance.
"""

from __future__ import annotations

from pathlib import Path

from oras.client import OrasClient
from oras.oci import Subject

from tasks.errors import EngineError
from tasks.runtime.images import registry

KINDS = {"sbom": "application/vnd.cyclonedx+json", "provenance": "application/vnd.in-toto+json"}


def attach(file: Path, kind: str, place: str, tag: str) -> str:
    """Push a file beside the image HOST/PATH/IMAGE:TAG; return the name that it is pulled by."""
    image = registry.find(place, tag)
    subject = Subject(image.media_type, image.manifest, image.manifest_bytes)
    target = f"{place}:{tag}.{kind}"
    client = OrasClient(hostname=place.partition("/")[0], insecure=registry.is_plain(place))
    try:
        client.push(
            target=target, files=[f"{file}:{KINDS[kind]}"], subject=subject, disable_path_validation=True, quiet=True
        )
    except (ValueError, OSError) as error:
        raise EngineError(f"{target} could not be pushed: {error}") from error
    return target
