"""What the name of a feature says: object, family, channels and scale, as CellProfiler writes names."""

from __future__ import annotations

import re
from typing import Dict, List, Sequence

import pandas as pd
from stagekit.contracts import COMPARTMENTS

OBJECTS = (*COMPARTMENTS, "Image")
PARTS = re.compile(r"(?P<compartment>[^_]+)_(?P<family>[^_]+)_?(?P<rest>.*)")
PLACES: Dict[str, str] = {
    "Texture": r"[^_]+_(?P<channel>.+?)_(?P<scale>\d+)(_\d+)*",
    "Granularity": r"(?P<scale>\d+)_(?P<channel>.+)",
    "RadialDistribution": r"(FracAtD|MeanFrac|RadialCV)_(?P<channel>.+?)_(?P<scale>\d+of\d+)"
    r"|Zernike(Magnitude|Phase)_(?P<channel2>.+?)_(?P<scale2>\d+_\d+)",
    "Intensity": r"(?P<statistic>[A-Za-z]+)_(?P<channel>.+)",
    "Location": r"(CenterMassIntensity|MaxIntensity)_[XYZ]_(?P<channel>.+)",
    "Correlation": r"[^_]+_(?P<channel>.+)",
    "Neighbors": r"[^_]+_(?P<scale>.+)",
}
"""Of each family of CellProfiler's the form of what follows its name."""


def table(names: Sequence[str]) -> pd.DataFrame:
    """Return a row a feature: compartment, family, channel (of a correlation two), scale; empty where it has none."""
    rows: List[Dict[str, str]] = [parsed(name) for name in names]
    return pd.DataFrame(rows, index=pd.Index(names), columns=["compartment", "family", "channel", "scale"], dtype="str")


def parsed(name: str) -> Dict[str, str]:
    """Return what one name says; one that is not CellProfiler's has its first word as family."""
    found = PARTS.fullmatch(name)
    if not found or found["compartment"] not in OBJECTS and not found["rest"]:
        return {"compartment": "", "family": name.partition("_")[0], "channel": "", "scale": ""}
    match = re.fullmatch(PLACES.get(found["family"], r"(?!)"), found["rest"])
    groups = match.groupdict() if match else {}
    channel = groups.get("channel") or groups.get("channel2") or ""
    scale = groups.get("scale") or groups.get("scale2") or ""
    return {"compartment": found["compartment"], "family": found["family"], "channel": channel, "scale": scale}
