"""What in luigi.cfg has no meaning: an unknown section or key, a value that cannot be read; all before a run starts."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import luigi
from luigi import configuration

from tasks import sections, settings
from tasks.errors import SettingsError
from tasks.numbers import number
from tasks.runtime import batch_options, places, slurm
from tasks.settings import RESOURCE_KEYS, SLURM_KEYS

PLACES = (places.SLURM, places.AWS_BATCH)
"""The places with a section of their own, of which a stage's section may override keys."""
STAGE_KEYS = (*(f"slurm_{key}" for key in SLURM_KEYS), "aws_batch_queue")
CHECKS: Mapping[str, Callable[[str, str], object]] = {"slurm_extra": slurm.extra_flags, **batch_options.CHECKS}
"""Of such a key, what raises SettingsError for a value (and where it stands) that cannot be used."""


def check(stage_sections: Mapping[str, Mapping[str, luigi.Parameter]]) -> None:
    """Raise SettingsError for the first unknown section, unknown key or unreadable value of luigi.cfg."""
    named = os.environ.get("LUIGI_CONFIG_PATH")
    if named and not Path(named).is_file():
        raise SettingsError(f"LUIGI_CONFIG_PATH names {named}, which is not there")
    config = configuration.get_config()
    known: dict[str, Mapping[str, luigi.Parameter]] = {
        name: dict(section.get_params()) for name, section in {**sections.LUIGI_SECTIONS, **sections.SECTIONS}.items()
    }
    for section, own in stage_sections.items():
        known[section] = {**known.get(section, {}), **own}
    for section in config.sections():
        if section in sections.FOREIGN_SECTIONS:
            continue
        if section not in known:
            raise SettingsError(f"luigi.cfg: there is no section [{section}]{_closest(section, known)}")
        _check_section(section, known[section], config.options(section))
    settings.load()


def _check_section(section: str, parameters: Mapping[str, luigi.Parameter], keys: Iterable[str]) -> None:
    extra = set(sections.LUIGI_EXTRA.get(section, set())) if section in sections.LUIGI_SECTIONS else set()
    numbers = {} if section in sections.LUIGI_SECTIONS or section in sections.SECTIONS else dict(RESOURCE_KEYS)
    extra |= {*numbers, *(STAGE_KEYS if numbers else ())}
    for key in keys:
        name = key.replace("-", "_")
        parameter = parameters.get(key) or parameters.get(name)
        if parameter is None and name not in extra:
            raise SettingsError(
                f"luigi.cfg [{section}]: there is no setting {key!r}{_closest(key, {*parameters, *extra})}"
            )
        value = configuration.get_config().get(section, key)
        check_value = CHECKS.get(f"{section}_{name}" if section in PLACES else name)
        if check_value:
            check_value(value, f"luigi.cfg [{section}] {key}")
        if parameter is None and name in numbers:
            number(section, name, value, *numbers[name])
        if parameter is not None:
            try:
                parameter.normalize(parameter.parse(value))
            except Exception as error:
                raise SettingsError(f"luigi.cfg [{section}] {key} = {value}: {error}") from error


def _closest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    match = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {match[0]!r}?" if match else f"; known: {', '.join(names)}"
