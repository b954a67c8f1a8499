"""A plate that add-plate found, with the names that it and its channels will have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasks.instruments.plate import FoundPlate
from tasks.settings import forms


@dataclass(frozen=True)
class Added:
    """A plate with the names that it and its channels will have."""

    name: str
    found: FoundPlate
    used: Mapping[str, str]
    """What file names say of a channel -> its name, or - for one that is left out."""
    faults: list[str]
    layout: list[str] = field(default_factory=list)
    """What was read of its layout, in sentences."""

    @property
    def measured(self) -> dict[str, str]:
        here = set(self.found.channels)
        return {key: name for key, name in self.used.items() if name != forms.LEFT_OUT and key in here}
