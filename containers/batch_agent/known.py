"""What a folder that lies elsewhere held when it was linked: it is somebody else's, and must not change unseen."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterable, Mapping, Optional

from stagekit import contracts, tables
from stagekit.transfer import Object

SHOWN = 4  # the host shows a log's last lines


@dataclass(frozen=True)
class Known:
    """A table of what was fetched or linked (contract `fetched`), and the link that goes with it."""

    table: Path
    link: str

    def below(self, url: str) -> Dict[str, Object]:
        """Return the files that were below a folder's URL, by their paths below it; DataError for a broken table."""
        columns, rows = tables.records(self.table)
        contracts.FETCHED.check(columns, self.table.name)
        return {
            row["source"][len(url) :]: Object(int(row["bytes"]), row["etag"])
            for row in rows
            if row["source"].startswith(url)
        }

    def told(self, url: str, changes: Mapping[str, str]) -> str:
        """Return the error for files that are not what they were."""
        lines = [f"{url} is not what it was when it was linked"]
        lines += [f"  {name}: {change}" for name, change in sorted(changes.items())[:SHOWN]]
        lines += [f"  ... and {len(changes) - SHOWN} more"] if len(changes) > SHOWN else []
        return "\n".join([*lines, f"to take it as it is now run again without {self.link}"])


def changes(was: Mapping[str, Object], now: Mapping[str, Object], names: Iterable[str]) -> Dict[str, str]:
    """Return what became of files that are not what they were, by their names."""
    found = {name: _change(was.get(name), now.get(name)) for name in names}
    return {name: change for name, change in found.items() if change}


def _change(was: Optional[Object], now: Optional[Object]) -> str:
    if was == now:
        return ""
    if was is None:
        return "it is new"
    if now is None:
        return "it is gone"
    return f"it has {now.bytes} bytes and ETag {now.etag}, and had {was.bytes} and {was.etag}"
