"""Platewright for Python: `platewright.open("data_root")` returns a batch's results by name (results.py).

The package also holds the commands of an install, and in a wheel the toolkit's own files, in toolkit/.
"""

from __future__ import annotations

from typing import Any

__all__ = ["open"]


def open(root: Any = "data_root", project: str = "", source: str = "") -> Any:  # noqa: A001
    """Return the results below a data root: a platewright.results.Results; pandas is imported when a table is read.

    `project` and `source` are needed only if the root holds several.
    """
    from platewright import results

    return results.Results.of(root, project, source)
