"""What a wheel holds beside the folders that pyproject.toml names: the settings manual, and two packages."""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MORE = {
    "containers/platewright": "platewright",
    "containers/stagekit": "stagekit",
    "luigi.cfg": "platewright/toolkit/luigi.cfg",
}
"""stagekit lies in the toolkit's containers/ too: images are built from it, and programs are known by its bytes."""


class Toolkit(BuildHookInterface):
    """Adds them to a wheel; an editable install finds them in the clone."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            build_data["force_include"].update(MORE)
