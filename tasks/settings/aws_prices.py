"""What Amazon Web Services charges (data/aws_prices.toml, or a file of the same form), checked once."""

from __future__ import annotations

import datetime
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.dataset.layout import REPOSITORY
from tasks.errors import SettingsError

OURS = REPOSITORY / "data" / "aws_prices.toml"
HOURS_A_MONTH = 730


@dataclass(frozen=True)
class InstanceClass:
    """A kind of machine; a vCPU is a hyperthread."""

    name: str
    vcpus: int
    memory_gib: float
    gpus: int
    on_demand: float
    """Dollars an hour."""
    spot: float
    """Dollars an hour, as they are usually."""


@dataclass(frozen=True)
class Prices:
    """The prices of a region on a date, in dollars."""

    path: Path
    date: datetime.date
    region: str
    memory_fraction: float
    """What jobs can have of a machine's memory."""
    s3_gb_month: float
    volume_gb_month: float
    thousand_puts: float
    thousand_gets: float
    disk_gb: float
    disk_hour: float
    """What a machine's disk costs an hour."""
    classes: tuple[InstanceClass, ...]

    def requests(self, puts: float, gets: float) -> float:
        """Return what so many requests to S3 cost."""
        return (puts * self.thousand_puts + gets * self.thousand_gets) / 1000

    @property
    def cheapest_core_hour(self) -> tuple[str, float]:
        """Return the class whose vCPUs cost the least on spot machines, disk and all, and what an hour of one costs."""
        each = {one.name: (one.spot + self.disk_hour) / one.vcpus for one in self.classes if not one.gpus}
        return min(each.items(), key=lambda item: item[1])


def checked(base: Path, named: str) -> Path:
    """Return the file of prices: ours, or one of the user's own, once it was found good."""
    return read(base / named).path if named else OURS


@functools.cache
def read(path: Path) -> Prices:
    """Return the prices of a file; raise SettingsError if it has another form."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingsError(f"luigi.cfg [plan] prices = {path}: there is no such file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: it is no TOML: {error}") from error
    look = functools.partial(_number, path)
    if not isinstance(table.get("date"), datetime.date) or not isinstance(table.get("region"), str):
        raise SettingsError(f'{path}: it must say `date = 2026-01-19` and `region = "..."`; {OURS} shows the form')
    spot_fraction = look(table, "spot_fraction", most=1)
    classes = tuple(_class(path, name, told, spot_fraction) for name, told in _table(path, table, "classes").items())
    if not any(not each.gpus for each in classes):
        raise SettingsError(f"{path} [classes]: there must be a class without GPUs")
    s3, disk = _table(path, table, "s3"), _table(path, table, "disk")
    size_gb = look(disk, "gb")
    return Prices(
        path=path,
        date=table["date"],
        region=table["region"],
        memory_fraction=look(table, "memory_fraction", most=1),
        s3_gb_month=look(s3, "gb_month"),
        volume_gb_month=look(_table(path, table, "volume"), "gb_month"),
        thousand_puts=look(s3, "thousand_puts"),
        thousand_gets=look(s3, "thousand_gets"),
        disk_gb=size_gb,
        disk_hour=size_gb * look(disk, "gb_month") / HOURS_A_MONTH,
        classes=classes,
    )


def _class(path: Path, name: str, told: Mapping[str, Any], spot_fraction: float) -> InstanceClass:
    if not isinstance(told, dict):
        raise SettingsError(f"{path} [classes] {name!r}: it must be a table; {OURS} shows the form")
    unknown = sorted(set(told) - {"vcpus", "memory_gib", "gpus", "on_demand", "spot"})
    if unknown:
        raise SettingsError(f"{path} [classes] {name!r}: there is no {unknown[0]!r}; {OURS} shows the form")
    look = functools.partial(_number, path, told, where=f"[classes] {name!r}: ")
    on_demand = look("on_demand")
    spot = look("spot") if "spot" in told else spot_fraction * on_demand
    gpus = int(look("gpus")) if told.get("gpus") else 0
    return InstanceClass(name, int(look("vcpus", least=1)), look("memory_gib"), gpus, on_demand, spot)


def _table(path: Path, table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = table.get(name)
    if not isinstance(found, dict):
        raise SettingsError(f"{path}: there is no table [{name}]; {OURS} shows the form")
    return found


def _number(
    path: Path, table: Mapping[str, Any], name: str, *, least: float = 0, most: float = 1e6, where: str = ""
) -> float:
    found = table.get(name)
    if not isinstance(found, (int, float)) or isinstance(found, bool) or not (found > 0 and least <= found <= most):
        limits = f"of at least {least:g}" if least else "above 0"
        raise SettingsError(f"{path} {where}{name} = {found}: it must be a number {limits}, and at most {most:g}")
    return float(found)
