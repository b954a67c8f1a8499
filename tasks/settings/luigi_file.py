"""luigi.cfg as a file: whether it can be read at all, before Luigi reads it as it is imported."""

from __future__ import annotations

import configparser
import os
from collections import Counter
from pathlib import Path

from tasks.errors import SettingsError

PLACES = ("/etc/luigi/client.cfg", "/etc/luigi/luigi.cfg", "client.cfg", "luigi.cfg")
"""Where Luigi looks, beside LUIGI_CONFIG_PATH."""
NAMED = "LUIGI_CONFIG_PATH"
REMEDY = "go to the folder of yours, name the file (LUIGI_CONFIG_PATH), or make a folder with one: platewright init"
"""What to do where there is no luigi.cfg."""
BOM = b"\xef\xbb\xbf"


def folder() -> Path:
    """Return the folder that a relative path of luigi.cfg starts from: luigi.cfg's own."""
    named = os.environ.get(NAMED)
    return Path(named).resolve().parent if named else Path.cwd()


def there() -> bool:
    """Say whether there is a file of settings at all."""
    named = os.environ.get(NAMED)
    return any(Path(path).is_file() for path in (*PLACES, *([named] if named else [])))


def check() -> None:
    """Raise SettingsError for the first file of settings that cannot be read: which line, and what to do."""
    named = os.environ.get(NAMED)
    if named and not Path(named).is_file():
        raise SettingsError(f"{NAMED} names {named}, which is not there")
    for path in (*PLACES, *([named] if named else [])):
        if Path(path).is_file():
            check_file(Path(path))


def check_file(path: Path) -> None:
    """Raise SettingsError if a file of settings cannot be read: which line, and what to do."""
    text = _text(path)
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text, str(path))
    except configparser.MissingSectionHeaderError as error:
        message = f"{path}, line {error.lineno}: {error.line.strip()!r} is in no section; write [<section>] above it"
        raise SettingsError(message) from error
    except configparser.DuplicateOptionError as error:
        where = f"{path}, line {error.lineno}"
        raise SettingsError(f"{where}: [{error.section}] {error.option} is there twice; keep one") from error
    except configparser.DuplicateSectionError as error:
        message = (
            f"{path}, line {error.lineno}: the section [{error.section}] is there twice; write its settings as one"
        )
        raise SettingsError(message) from error
    except configparser.ParsingError as error:
        number = error.errors[0][0]
        line = repr(text.splitlines()[number - 1])  # error.errors has it as repr() before Python 3.13, as it is since
        message = f"{path}, line {number}: {line} is no setting; write <name> = <value>, or begin a comment with ;"
        raise SettingsError(message) from error
    for section in parser.sections():
        _check_spellings(path, section, parser.options(section))


def _check_spellings(path: Path, section: str, keys: list[str]) -> None:
    counts = Counter(key.replace("-", "_") for key in keys)
    for key in keys:
        if counts[key.replace("-", "_")] > 1 and "-" in key:
            message = f"{path}: [{section}] {key} is there twice, also as {key.replace('-', '_')}; keep the latter"
            raise SettingsError(message)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read ({error.strerror}); let it be readable") from error
    if content.startswith(BOM):
        message = f"{path}, line 1: it begins with a byte order mark, which Luigi cannot read"
        raise SettingsError(f"{message}; save it as UTF-8 without BOM")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"{path}, line {line}: a character is not UTF-8 (byte {content[error.start]:#x})"
        raise SettingsError(f"{message}; save the file as UTF-8") from error
