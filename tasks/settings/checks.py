"""What in luigi.cfg has no meaning: an unknown section or key, a value that cannot be used; all before a run starts."""

from __future__ import annotations

import configparser
import difflib
import re
from collections.abc import Callable, Iterable, Mapping

import luigi
from luigi import configuration

from tasks.dataset import planes
from tasks.errors import SettingsError
from tasks.runtime.arrays import places
from tasks.runtime.aws import batch_options
from tasks.runtime.slurm import slurm
from tasks.settings import cppipe, files, forms, luigi_file, sections, settings
from tasks.settings.parameters import Checked, Text, Whole
from tasks.settings.settings import RESOURCE_KEYS, SLURM_KEYS

PLACES = (places.SLURM, places.AWS_BATCH)
"""The places with a section of their own, of which a stage's section may override keys."""
STAGE_KEYS = (*(f"slurm_{key}" for key in SLURM_KEYS), "aws_batch_queue")
SLURM_NAMES: Mapping[str, Text] = {f"slurm_{key}": Text(**sections.NAMED) for key in SLURM_KEYS if key != "extra"}
CHECKS: Mapping[str, Callable[[str, str], object]] = {"slurm_extra": slurm.extra_flags, **batch_options.CHECKS}
"""Of such a key, what raises SettingsError for a value (and where it stands) that cannot be used."""
LUIGIS: Mapping[tuple[str, str], Checked] = {
    ("core", "workers"): Whole(least=1),
    ("core", "default_scheduler_url"): Text(form="an address such as http://host:8082", check=forms.url),
}
"""Settings of Luigi's own that are checked more strictly than Luigi does."""
COMMENT = re.compile(r"\s[#;]")
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
MAY_HOLD_A_COMMENT = {("load_data", "pattern")}
"""A regular expression may hold anything."""


def check(stage_sections: Mapping[str, Mapping[str, luigi.Parameter]]) -> None:
    """Raise SettingsError for the first unknown section, unknown key or unusable value of luigi.cfg."""
    config = configuration.get_config()
    known = all_settings(stage_sections)
    for section in config.sections():
        if section in sections.FOREIGN_SECTIONS:
            continue
        if section not in known:
            raise SettingsError(f"luigi.cfg: there is no section [{section}]{_closest(section, known)}")
        _check_section(section, known[section], config.options(section))
    _check_images(known["load_data"])
    settings.load()


def all_settings(
    stage_sections: Mapping[str, Mapping[str, luigi.Parameter]],
) -> dict[str, Mapping[str, luigi.Parameter]]:
    """Return the parameter of every setting: section -> key -> parameter; Luigi's own sections too."""
    known: dict[str, Mapping[str, luigi.Parameter]] = {
        name: dict(section.get_params()) for name, section in {**sections.LUIGI_SECTIONS, **sections.SECTIONS}.items()
    }
    for section, own in stage_sections.items():
        known[section] = {**known.get(section, {}), **own}
    return known


def _check_section(section: str, parameters: Mapping[str, luigi.Parameter], keys: Iterable[str]) -> None:
    extra = set(sections.LUIGI_EXTRA.get(section, set())) if section in sections.LUIGI_SECTIONS else set()
    is_of_stage = section not in sections.LUIGI_SECTIONS and section not in sections.SECTIONS
    known = {**parameters, **({**RESOURCE_KEYS, **SLURM_NAMES} if is_of_stage else {})}
    extra |= set(STAGE_KEYS) if is_of_stage else set()
    for key in keys:
        name = key.replace("-", "_")
        parameter = LUIGIS.get((section, name)) or known.get(key) or known.get(name)
        if parameter is None and name not in extra:
            raise SettingsError(f"luigi.cfg [{section}]: there is no setting {key!r}{_closest(key, {*known, *extra})}")
        _check_value(section, key, _value(section, key), parameter)


def _check_images(load_data: Mapping[str, luigi.Parameter]) -> None:
    """Raise SettingsError if a pipeline takes an image of a channel that no image is listed as."""
    given = {key: configuration.get_config().get("load_data", key, each._default) for key, each in load_data.items()}
    if given["source"] == "published":
        return  # a published table may have channels of its own
    channels = {*forms.channel_names(given["channels"])}
    for stage in ("illumination", "measure"):
        value = configuration.get_config().get(stage, "pipeline", "").strip()
        unknown = cppipe.unknown_images(luigi_file.folder() / value, channels) if value else []
        if unknown:
            channels |= planes.channels(settings.load().layout)
            unknown = cppipe.unknown_images(luigi_file.folder() / value, channels)
        if unknown:
            said = f"it takes the image {unknown[0]}, but the channels are {', '.join(sorted(channels))}"
            raise SettingsError(f"luigi.cfg [{stage}] pipeline = {value}: {said} ([load_data] channels)")


def _value(section: str, key: str) -> str:
    try:
        return str(configuration.get_config().get(section, key))
    except configparser.InterpolationMissingOptionError as error:
        said = f"%({error.reference})s names a setting that is not there; a % is written %%"
        raise SettingsError(f"luigi.cfg [{section}] {key}: {said}") from error
    except configparser.InterpolationError as error:  # Luigi's own of ${VARIABLE} too
        said = "a % is written %%" if "%" in error.message else f"an environment variable is not set: {error.message}"
        raise SettingsError(f"luigi.cfg [{section}] {key}: {said}") from error


def _check_value(section: str, key: str, value: str, parameter: luigi.Parameter | None) -> None:
    name, where = key.replace("-", "_"), f"luigi.cfg [{section}] {key}"
    shown = f"{where} = {' / '.join(value.splitlines())}"
    wrong = "" if parameter is None else _refused(parameter, value)
    wrong = wrong or files.refused(section, name, value, luigi_file.folder())
    remedy = _remedy(value) if (section, name) not in MAY_HOLD_A_COMMENT else ""
    if wrong or (remedy.startswith("a comment") and section not in sections.LUIGI_SECTIONS):
        raise SettingsError(f"{shown}: {'; '.join(filter(None, (wrong, remedy)))}")
    check_value = CHECKS.get(f"{section}_{name}" if section in PLACES else name)
    if check_value:
        check_value(value, where)


def _refused(parameter: luigi.Parameter, value: str) -> str:
    """Return what is wrong with a value, or nothing."""
    if hasattr(parameter, "refused"):
        return str(parameter.refused(value))
    try:  # a parameter of Luigi's own sections
        parameter.normalize(parameter.parse(value))
    except Exception as error:
        return str(error)
    return ""


def _remedy(value: str) -> str:
    """Return what may have made a value wrong that looks right in the file."""
    if COMMENT.search(QUOTED.sub("", value)):
        return "a comment is on a line of its own, not behind a value"
    return "a line that is indented goes on with the value above it" if "\n" in value else ""


def _closest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    match = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {match[0]!r}?" if match else f"; known: {', '.join(names)}"
