"""The columns that the sites of a plate have together, and the sites whose own are not what they should be.

A site that lacks a column that most sites have, or a whole family of features (all Cells_Texture_*, say) that any has,
was measured in another way: its wells would be averages of fewer sites without a word. Other differences unite: a
column is stored if any site has it, and has no value where a site lacks it.
"""

from __future__ import annotations

import csv
from collections import Counter
from typing import Callable, Dict, List, NamedTuple, Set, Tuple

import sites
from sites import Header, Site
from stagekit import program
from stagekit.contracts import COMPARTMENTS

Heads = Dict[Site, Dict[str, Header]]
UNREADABLE = (program.DataError, UnicodeDecodeError, csv.Error, OSError)
"""What reading a site may end in that is the site's fault."""


class Survey(NamedTuple):
    """What the headers of a plate's sites say together."""

    layout: Dict[str, List[str]]
    """The columns of each table: those of most sites, in their order, then what others have beside them."""
    lacking: Dict[str, Dict[str, int]]
    """How many sites with objects lack a column, by table and column."""
    bad: Dict[str, str]
    """Why a site cannot be used, by its name."""


def survey(found: List[Site]) -> Survey:
    """Read the headers of all csv files of all sites."""
    heads: Heads = {}
    bad: Dict[str, str] = {}
    for site in found:
        try:
            heads[site] = {table: sites.header(site, table) for table in sites.TABLES}
        except UNREADABLE as error:
            bad[site.name] = str(error)
    for fault in (_lacks_columns, _lacks_a_family):
        bad.update(_judge(heads, fault))
        heads = {site: head for site, head in heads.items() if site.name not in bad}
    layout = {table: _union(heads, table) for table in sites.TABLES}
    lacking = {table: _lacking(names, _counted(heads, table)) for table, names in layout.items()}
    return Survey(layout, lacking, bad)


Names = Tuple[str, ...]
Counted = Dict[Names, int]
Fault = Callable[[str, Counted], Dict[Names, str]]


def _judge(heads: Heads, fault: Fault) -> Dict[str, str]:
    """Return the sites with a fault in a table that has rows: without objects there is nothing that could be lost."""
    bad: Dict[str, str] = {}
    for table in sites.TABLES:
        said = fault(table, _counted(heads, table))
        for site, head in heads.items():
            if head[table].filled and said.get(head[table].names):
                bad.setdefault(site.name, f"{table}.csv has other columns than most sites: {said[head[table].names]}")
    return bad


def _counted(heads: Heads, table: str) -> Counted:
    """Return how many sites with rows have a header; if no site has rows, of all sites."""
    filled = Counter(head[table].names for head in heads.values() if head[table].filled)
    return filled or Counter(head[table].names for head in heads.values())


def _lacks_columns(table: str, counted: Counted) -> Dict[Names, str]:
    having = _having(counted)
    most = [name for name, count in having.items() if 2 * count > sum(counted.values())]
    return {names: _few([name for name in most if name not in {*names}], "it lacks") for names in counted}


def _lacks_a_family(table: str, counted: Counted) -> Dict[Names, str]:
    if table not in COMPARTMENTS:
        return {}
    families = {names: _families(table, names) for names in counted}
    every = set().union(*families.values())
    return {names: _few(sorted(every - own), "it has none of") for names, own in families.items()}


def _having(counted: Counted) -> Dict[str, int]:
    """Return how many sites have each column."""
    having: Dict[str, int] = {}
    for names, count in counted.items():
        for name in names:
            having[name] = having.get(name, 0) + count
    return having


def _families(table: str, names: Names) -> Set[str]:
    return {f"{table}_{name.split('_')[0]}_*" for name in names if "_" in name}


def _lacking(names: List[str], counted: Counted) -> Dict[str, int]:
    having, every = _having(counted), sum(counted.values())
    return {name: every - having.get(name, 0) for name in names if having.get(name, 0) < every}


def _union(heads: Heads, table: str) -> List[str]:
    """Return the most common header, then the other columns as the sites have them, by well and number."""
    counted = Counter(_counted(heads, table))
    every = [names for names, _ in counted.most_common(1)]
    every += dict.fromkeys(head[table].names for head in heads.values())
    return list(dict.fromkeys(name for names in every for name in names))


def _few(names: List[str], verb: str) -> str:
    return f"{verb} {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}" if names else ""
