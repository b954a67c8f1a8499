"""Known vulnerabilities of what locks install, asked of an advisory source by pip-audit.

No answer is not a good answer. Where the source cannot be reached, or knows a package not, that package was **not
checked**; pip-audit alone ends well then.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tasks.dataset import layout
from tasks.errors import EngineError

ACCEPTED = layout.REPOSITORY / "data" / "accepted_advisories.toml"
SECONDS = 900


@dataclass(frozen=True)
class Accepted:
    """An advisory that the project has looked at and lives with, until a day."""

    advisory: str
    package: str
    reason: str
    until: date


@dataclass(frozen=True)
class Report:
    """What an advisory source says of one lock."""

    checked: int
    """How many packages it answered for."""
    not_checked: Mapping[str, str]
    """Package -> why there is no answer."""
    found: Mapping[str, str]
    """`package version: advisory` -> the versions that mend it; those that are accepted left out."""
    accepted: Sequence[str]

    @property
    def verdict(self) -> str:
        """Return one sentence, which never calls clean what was not checked."""
        if self.found:
            return f"{len(self.found)} known vulnerabilities: {', '.join(self.found)}"
        if self.not_checked:
            return f"not checked: {len(self.not_checked)} of {self.checked + len(self.not_checked)} packages"
        return f"none known of {self.checked} packages" + (f", {len(self.accepted)} accepted" if self.accepted else "")


def accepted(path: Path = ACCEPTED) -> list[Accepted]:
    """Return what is accepted; raise EngineError for a table that is ill-formed."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("accepted", [])
        return [Accepted(**table) for table in tables]
    except (OSError, ValueError, TypeError) as error:
        raise EngineError(f"{path}: {error}; each [[accepted]] has advisory, package, reason and until") from error


def report(lock: Path, known: Sequence[Accepted], today: date, source: Sequence[str] = ()) -> Report:
    """Ask for every package of a lock. `source` are further words of pip-audit that name another advisory source."""
    words = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--no-deps"]
    words += ["--format=json", "--progress-spinner=off", *source]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return _unanswered(lock, f"nothing after {SECONDS} seconds")
    try:
        rows = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        return _unanswered(lock, said)
    return _read(rows, [each for each in known if each.until >= today])


def _unanswered(lock: Path, said: str) -> Report:
    return Report(0, {lock.name: f"the advisory source did not answer: {said}"}, {}, ())


def _read(rows: Sequence[Mapping[str, object]], known: Sequence[Accepted]) -> Report:
    silent = {str(row["name"]): str(row["skip_reason"]) for row in rows if "skip_reason" in row}
    found: dict[str, str] = {}
    lived_with: list[str] = []
    for row in rows:
        vulnerabilities = row.get("vulns")
        for each in vulnerabilities if isinstance(vulnerabilities, list) else ():
            names = {each["id"], *each.get("aliases", ())}
            title = f"{row['name']} {row['version']}: {each['id']}"
            if any(one.package == row["name"] and one.advisory in names for one in known):
                lived_with.append(title)
            else:
                found[title] = ", ".join(each.get("fix_versions", ())) or "no version yet"
    return Report(len(rows) - len(silent), silent, found, lived_with)
