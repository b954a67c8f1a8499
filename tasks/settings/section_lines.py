"""Set values in a section of a luigi.cfg that a person wrote: all other lines, and all comments, stay as they are."""

from __future__ import annotations

import configparser
import re
from collections.abc import Mapping

from tasks.errors import SettingsError

HEADER = re.compile(r"^\[([^\]]+)\]")


def put(text: str, section: str, values: Mapping[str, str]) -> str:
    """Return the text with these values: in the line that sets one, else in that which shows its default, else below.

    Raises SettingsError if the outcome would not read as it is meant.
    """
    lines = text.splitlines()
    start = next((number for number, line in enumerate(lines) if _is_header(line, section)), None)
    if start is None:
        lines += ["", f"[{section}]"] if lines and lines[-1].strip() else [f"[{section}]"]
        start = len(lines) - 1
    for name, value in values.items():
        _put_one(lines, start, name, value.replace("%", "%%"))
    found = "\n".join(lines) + "\n"
    _check(found, section, values)
    return found


def _is_header(line: str, section: str) -> bool:
    header = HEADER.match(line)
    return bool(header) and header[1] == section  # type: ignore[index]


def _put_one(lines: list[str], start: int, name: str, value: str) -> None:
    end = next((number for number in range(start + 1, len(lines)) if HEADER.match(lines[number])), len(lines))
    own = name.replace("_", "[_-]")
    for form in (rf"{own}\s*[=:]", rf";\s*{own}\s*=\s*\S"):
        at = next((number for number in range(start + 1, end) if re.match(form, lines[number])), None)
        if at is not None:
            lines[at] = f"{name} = {value}"
            return
    last = max(number for number in range(start, end) if number == start or lines[number].strip())
    lines.insert(last + 1, f"{name} = {value}")


def _check(text: str, section: str, values: Mapping[str, str]) -> None:
    parser = configparser.ConfigParser()
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    try:
        parser.read_string(text)
        good = all(parser.get(section, name) == value for name, value in values.items())
    except configparser.Error as error:
        raise SettingsError(
            f"luigi.cfg is left as it is: with the new settings it would not be read ({error})"
        ) from error
    if not good:
        lines = "".join(f"\n  {name} = {value}" for name, value in values.items())
        raise SettingsError(f"luigi.cfg is left as it is: its [{section}] has a form of its own; write there:{lines}")
