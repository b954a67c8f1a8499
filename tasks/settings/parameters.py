"""The kinds of values that luigi.cfg and the command line hold: each knows its right form, and refuses all else."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import luigi
from luigi.parameter import ParameterException

from tasks.errors import SettingsError

AUTO = "auto"
Check = Callable[[str], object]
"""Raises ValueError, with what is wrong in words, for a text that cannot be used."""


def given(text: str) -> str:
    """Return what the command line gives; Luigi would take an empty text (an unset variable of a shell) for no flag."""
    return text or " "


class Checked(luigi.Parameter[Any]):
    """A parameter that refuses a value of another form, and says which form is right."""

    def __init__(self, *args: Any, unit: str = "", check: Check | None = None, **how: Any) -> None:
        super().__init__(*args, **how)
        self.unit = unit
        self.check = check

    def _parser_kwargs(self, *names: Any, **how: Any) -> dict[str, Any]:  # type: ignore[override]
        return {**super()._parser_kwargs(*names, **how), "type": given}

    @property
    def form(self) -> str:
        """Return the right form in words, such as 'a whole number of at least 1'."""
        return "a text"

    @property
    def kind(self) -> str:
        """Return the form with the unit, for people who look for a setting."""
        return f"{self.form} ({self.unit})" if self.unit else self.form

    def read(self, text: str) -> Any:
        """Return the value of a text; raise ValueError, perhaps with what is wrong, if it has another form."""
        return text

    def refused(self, text: str) -> str:
        """Return what is wrong with a text, or nothing."""
        try:
            self.read(text)
            if self.check:
                self.check(text)
        except SettingsError as error:
            return str(error)
        except ValueError as error:
            return str(error) or f"it must be {self.form}"
        return ""

    def parse(self, text: str) -> Any:
        """Return the value; raise ParameterException, with the parameter, the value and the right form."""
        wrong = self.refused(text)
        if wrong:
            raise ParameterException(f"--{self._attribute_name.replace('_', '-')} {text}: {wrong}")
        return self.read(text)


class Text(Checked):
    """A text; empty if its default is, or `empty` says so."""

    def __init__(self, *args: Any, form: str = "a text", empty: bool = False, **how: Any) -> None:
        super().__init__(*args, **how)
        self.words, self.may_be_empty = form, empty or self._default == ""

    @property
    def form(self) -> str:
        return f"{self.words}, or empty" if self.may_be_empty else self.words

    def read(self, text: str) -> str:
        return text.strip()

    def refused(self, text: str) -> str:
        if not text.strip():
            return "" if self.may_be_empty else f"it is empty; it must be {self.form}"
        return super().refused(text)


class Typed(Text):
    """A text that goes with its flag or is left out with it: an empty one is a shell's variable that is not set."""

    def refused(self, text: str) -> str:
        if text and not text.strip():  # of the command line, see `given`
            return f"it is empty; give {self.words}, or leave the flag out"
        return super().refused(text)


class Number(Checked):
    """A number within its limits; or the word auto, if its default is that or `auto` says so."""

    type: Callable[[str], float] = float
    words = "a number"

    def __init__(
        self, *args: Any, least: float = -math.inf, most: float = math.inf, auto: bool = False, **how: Any
    ) -> None:
        super().__init__(*args, **how)
        self.least, self.most = least, most
        self.takes_auto = auto or self._default == AUTO

    @property
    def form(self) -> str:
        return f"{self.words}{self._limits()}{', or auto' if self.takes_auto else ''}"

    def read(self, text: str) -> float | str:
        if text == AUTO and self.takes_auto:
            return text
        value = self.type(text)
        if not (self.least <= value <= self.most and math.isfinite(value)):
            raise ValueError
        return value

    def refused(self, text: str) -> str:
        return f"it must be {self.form}" if super().refused(text) else ""

    def _limits(self) -> str:
        if self.least == -math.inf:
            return ""
        return f" of at least {self.least:g}" if self.most == math.inf else f" from {self.least:g} to {self.most:g}"


class Whole(Number):
    """A whole number."""

    type = int
    words = "a whole number"


def fraction(default: float, **how: Any) -> dict[str, Any]:
    """Return how a Number is a part of something."""
    return {"default": default, "least": 0, "most": 1, "unit": "a fraction", **how}


class Choice(Checked):
    """One of some words."""

    def __init__(self, *args: Any, choices: Sequence[str], **how: Any) -> None:
        super().__init__(*args, **how)
        self.choices = tuple(choices)

    @property
    def form(self) -> str:
        return f"one of {', '.join(self.choices)}"

    def read(self, text: str) -> str:
        if text not in self.choices:
            raise ValueError
        return text

    def normalize(self, value: Any) -> Any:
        """Refuse what a caller gives, too."""
        if value not in self.choices:
            raise ParameterException(f"{self._attribute_name} = {value}: it must be {self.form}")
        return value


class Switch(luigi.BoolParameter):
    """true or false, written so on the command line, in luigi.cfg, and to a program."""

    parsing = luigi.BoolParameter.EXPLICIT_PARSING
    form = kind = "true or false"
    unit = ""

    def refused(self, text: str) -> str:
        """Return what is wrong with a text, or nothing."""
        return "" if str(text).lower() in ("true", "false") else f"it must be {self.form}"

    def parse(self, text: str) -> bool:
        if self.refused(text):
            raise ParameterException(f"--{self._attribute_name.replace('_', '-')} {text}: it must be {self.form}")
        return bool(super().parse(text))

    def serialize(self, value: object) -> str:
        return str(value).lower()


class Names(luigi.ListParameter[Any]):
    """Some names: P1,P2 or a JSON list of them."""

    form = kind = 'names by commas, as P1,P2, or a JSON list, as \'["P1", "P2"]\''
    unit = ""

    def _parser_kwargs(self, *names: Any, **how: Any) -> dict[str, Any]:  # type: ignore[override]
        return {**super()._parser_kwargs(*names, **how), "type": given}

    def refused(self, text: str) -> str:
        """Return what is wrong with a text, or nothing."""
        try:
            self._names(text)
        except ValueError as error:
            return f"{error}; it must be {self.form}" if str(error) else f"it must be {self.form}"
        return ""

    def parse(self, text: str) -> tuple[str, ...]:
        wrong = self.refused(text)
        if wrong:
            raise ParameterException(f"--{self._attribute_name.replace('_', '-')} {text}: {wrong}")
        return self._names(text)

    def _names(self, text: str) -> tuple[str, ...]:
        if text.lstrip().startswith(("[", "{", '"')):
            try:
                found = json.loads(text)
            except ValueError as error:
                raise ValueError("it is no JSON") from error
            if not isinstance(found, list) or not all(isinstance(name, str) and name for name in found):
                raise ValueError("it is JSON, but no list of texts")
        else:
            found = [name.strip() for name in text.split(",")]
        if not all(found):
            raise ValueError("a name is empty")
        return tuple(found)


class Json(luigi.Parameter[Any]):
    """JSON that programs give, and people hardly."""

    form = kind = "JSON"
    unit = ""

    def refused(self, text: str) -> str:
        """Return what is wrong with a text, or nothing."""
        try:
            super().parse(text)
        except (ValueError, TypeError):
            return f"it must be {self.form}"
        return ""

    def parse(self, text: str) -> Any:
        wrong = self.refused(text)
        if wrong:
            raise ParameterException(f"--{self._attribute_name.replace('_', '-')} {text}: {wrong}")
        return super().parse(text)


class JsonList(Json, luigi.ListParameter[Any]):
    """A JSON list."""

    form = kind = "a JSON list"


class JsonTable(Json, luigi.DictParameter):
    """A JSON object."""

    form = kind = "a JSON object"
