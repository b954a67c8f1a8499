"""What an image holds, as a CycloneDX list for other programs: packages of its lock, and Debian's."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from tasks.definitions import recipes
from tasks.errors import EngineError

DEBIAN = r"${Package}\t${Version}\t${Architecture}\n"


def python_packages(lock: Path) -> list[Component]:
    """Return what a lock installs."""
    return [
        _component(name, version, PackageURL("pypi", None, name.lower(), version))
        for name, version in recipes.pins(lock)
    ]


def debian_packages(image: str) -> list[Component]:
    """Return what Debian installed into an image, by its own list; raise EngineError if it cannot be asked."""
    words = ["docker", "run", "--rm", "--network=none", "--entrypoint=dpkg-query", image, "-W", "-f", DEBIAN]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode or not done.stdout.strip():
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise EngineError(f"the image {image[:19]} does not list its Debian packages; docker said: {said}")
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    return [
        _component(name, version, PackageURL("deb", "debian", name, version, qualifiers={"arch": architecture}))
        for name, version, architecture in rows
    ]


def document(name: str, version: str, identity: str, made: datetime, components: Iterable[Component]) -> str:
    """Return the list of a named thing as CycloneDX 1.6 JSON.

    `identity` is what it was made of (a recipe's hash): the list's serial number follows from it.
    """
    kind = ComponentType.CONTAINER if name.startswith("platewright/") else ComponentType.APPLICATION
    subject = Component(type=kind, name=name, version=version, bom_ref=name)
    subject.properties.add(Property(name="platewright:recipe", value=identity))
    bom = Bom(components=components, serial_number=uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {identity}"))
    bom.metadata.component, bom.metadata.timestamp = subject, made.astimezone(UTC)
    bom.register_dependency(subject, bom.components)
    return str(JsonV1Dot6(bom).output_as_string(indent=1)) + "\n"


def _component(name: str, version: str, url: PackageURL) -> Component:
    return Component(type=ComponentType.LIBRARY, name=name, version=version, purl=url, bom_ref=url.to_string())
