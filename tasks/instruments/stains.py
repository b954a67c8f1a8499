"""Which channel of a Cell Painting plate a dye's name speaks of: a proposal, which the user corrects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

STAINS: Mapping[str, tuple[str, ...]] = {
    "DNA": ("hoechst", "dapi", "draq5"),
    "ER": ("cona", "concanavalin"),
    "RNA": ("syto",),
    "AGP": ("wga", "phalloidin", "golgi"),
    "Mito": ("mito",),
}
"""Channel -> what dyes of it are called, in small letters. Wavelengths say nothing: 488 may be any of three."""


def proposed(keys: Sequence[str], announced: Mapping[str, str]) -> dict[str, str]:
    """Return a name for every channel: by its dye, else by what the instrument calls it, else by its number."""
    found: dict[str, str] = {}
    for key in keys:
        name = announced.get(key) or key
        stain = next((stain for stain, dyes in STAINS.items() if any(dye in name.lower() for dye in dyes)), "")
        plain = "".join(letter for letter in name if letter.isascii() and letter.isalnum())
        own = stain or (plain if plain and not plain.isdecimal() else f"channel{plain or len(found) + 1}")
        found[key] = own if own not in found.values() else f"{plain or own}{len(found) + 1}"
    return found
