"""Which files of a folder are passed over by their names."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Optional, Sequence


def passed_over(name: str, forms: Sequence[str]) -> Optional[str]:
    """Return the first form, such as *_thumb*, that a name has, whatever the case of its letters; None without any."""
    return next((form for form in forms if fnmatchcase(name.lower(), form.lower())), None)


def split(forms: str) -> Sequence[str]:
    """Return the forms that a setting gives by commas."""
    return tuple(form.strip() for form in forms.split(",") if form.strip())
