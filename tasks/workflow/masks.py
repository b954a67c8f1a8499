"""Label images of nuclei and cells that a person has from another segmenter: where they lie, and how they are taken."""

from __future__ import annotations

from pathlib import Path

from tasks.errors import MissingInputError
from tasks.settings import settings
from tasks.settings.parameters import Choice, Text
from tasks.settings.settings import setting
from tasks.stage_tasks.plate import ProvidedTask

PLATE = "{plate}"


class LabelFolder(ProvidedTask):
    """The folder of a plate's label images, anywhere on this machine."""

    name = "labels"
    remembered = True
    not_from = ("backend", "profiles")
    folder = setting("measure", "labels", Text, default="", form="a folder", significant=False)

    @property
    def given(self) -> bool:
        """Say whether luigi.cfg names one."""
        return bool(self.folder)

    def path(self) -> Path:
        found = settings.resolved(str(self.folder).replace(PLATE, str(self.plate)))
        if not found.is_dir():
            raise MissingInputError(
                f"luigi.cfg [measure] labels = {self.folder}: there is no folder {found}; lay the label images of "
                f"plate {self.plate} there, or take the setting away"
            )
        return found


def unpaired() -> Choice:
    """Return the parameter that says what becomes of cells without a nucleus, and of nuclei without a cell."""
    found: Choice = setting("measure", "unpaired", Choice, choices=["stop", "leave_out"], default="stop")
    return found
