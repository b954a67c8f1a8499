"""Join the results of all groups into the resource's tables, and compare them with the published numbers."""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any, Dict, Set

import pandas as pd
from stagekit import program
from tables import LABEL, LEFT_OUT, MAP, TASKS, columns_of, join

NEAR = 2  # labels: the published p-values were not seeded
INTERNAL = ("retrieved", "nlog10pvalue_error")
NOT_COMPARABLE = "not comparable"


def main() -> None:
    """Read the flags, join, compare, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--definition", required=True)
    flags.add_argument("--batch_id", required=True)
    flags.add_argument("--incomplete", required=True, help="groups of which plates were not asked for, by commas")
    flags.add_argument("--published", required=True, type=Path, help="the published numbers")
    _add_tables(flags)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        read = {task: {kind: _joined(args, task, kind) for kind in ("ap", "map", "fr")} for task in TASKS}
        for task, tables in read.items():
            shaped = shape(tables, task, args.definition)
            for kind, table in shaped.items():
                table.to_csv(getattr(args, f"write_{task}_{kind}"), index=False)
        published = published_of(args.published, args.batch_id, args.plate)
        summaries = {task: tables["fr"] for task, tables in read.items()}
        partial = incomplete(summaries, args.incomplete)
        compare(summaries, published, args.definition, partial).to_csv(args.write_comparison, index=False)
        report.fact("groups", {task: len(table) for task, table in summaries.items()})


def _add_tables(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("--replicability_ap", required=True, type=Path, nargs="+")
    flags.add_argument("--replicability_map", required=True, type=Path, nargs="+")
    flags.add_argument("--replicability_fr", required=True, type=Path, nargs="+")
    flags.add_argument("--matching_ap", required=True, type=Path, nargs="+")
    flags.add_argument("--matching_map", required=True, type=Path, nargs="+")
    flags.add_argument("--matching_fr", required=True, type=Path, nargs="+")
    flags.add_argument("--gene_compound_matching_ap", required=True, type=Path, nargs="*")
    flags.add_argument("--gene_compound_matching_map", required=True, type=Path, nargs="*")
    flags.add_argument("--gene_compound_matching_fr", required=True, type=Path, nargs="*")
    flags.add_argument("--write_replicability_ap", required=True, type=Path)
    flags.add_argument("--write_replicability_map", required=True, type=Path)
    flags.add_argument("--write_replicability_fr", required=True, type=Path)
    flags.add_argument("--write_matching_ap", required=True, type=Path)
    flags.add_argument("--write_matching_map", required=True, type=Path)
    flags.add_argument("--write_matching_fr", required=True, type=Path)
    flags.add_argument("--write_gene_compound_matching_ap", required=True, type=Path)
    flags.add_argument("--write_gene_compound_matching_map", required=True, type=Path)
    flags.add_argument("--write_gene_compound_matching_fr", required=True, type=Path)
    flags.add_argument("--write_comparison", required=True, type=Path)


def _joined(args: argparse.Namespace, task: str, kind: str) -> pd.DataFrame:
    """Return a table of all groups; which plates are left out is said in its note, and no column of the resource."""
    return join(getattr(args, f"{task}_{kind}"), columns_of(kind, args.definition))


def incomplete(summaries: Dict[str, pd.DataFrame], named: str) -> Set[str]:
    """Return the groups that lack plates, named or with plates left out, and the pairs with such a group."""
    lacking = {name for name in named.split(",") if name}
    for summary in summaries.values():
        lacking |= set(summary.loc[summary[LEFT_OUT].astype("str") != "", "Description"])
    groups = summaries["replicability"]["Description"]
    return lacking | {f"{one}-{other}" for one in groups for other in groups if {one, other} & lacking}


def shape(tables: Dict[str, pd.DataFrame], task: str, definition: str) -> Dict[str, pd.DataFrame]:
    """Return a task's tables with the columns of the resource, which differ between the definitions."""
    per_query, per_label, summary = (_named(tables[kind], TASKS[task]) for kind in ("ap", "map", "fr"))
    if definition != "2022":
        kept = [name for name in per_label if name not in INTERNAL]
        return {"ap": per_query, "map": per_label[kept], "fr": summary}
    group = [
        name for name in ("Modality", "Modality1", "time1", "Modality2", "time2", "Cell", "time") if name in summary
    ]
    return {
        "ap": per_label[[*(name for name in group if name in per_label), MAP, TASKS[task]]].rename(columns={MAP: "ap"}),
        "map": summary[[*group, MAP]].rename(columns={MAP: "mAP"}),
        "fr": summary,
    }


def _named(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return a table with its label under the resource's name, and no second column of that name.

    A profile's own column that says the same goes; one that says otherwise gets another name.
    """
    table = table.drop(columns=LEFT_OUT, errors="ignore")
    if LABEL in table and name in table:
        same = (table[name].astype("str") == table[LABEL].astype("str")).all()
        table = table.drop(columns=name) if same else table.rename(columns={name: f"{name}_of_profile"})
    return table.rename(columns={LABEL: name})


def published_of(path: Path, batch: str, features: str) -> Dict[str, Any]:
    """Return what was published of these features of this batch; nothing of any other."""
    facts = tomllib.loads(path.read_text(encoding="utf-8"))
    return facts if (facts["batch"], facts["features"]) == (batch, features) else {}


def compare(
    summaries: Dict[str, pd.DataFrame], published: Dict[str, Any], definition: str, partial: Set[str]
) -> pd.DataFrame:
    """Return a row a group: ours, the published numbers of its name and definition, and whether they agree.

    Those of a `partial` group, which lacks plates, cannot be compared.
    """
    rows = []
    for task, summary in summaries.items():
        for ours in summary.to_dict("records"):
            theirs = published.get(task, {}).get(ours["Description"], {})
            held = _of_2022(ours, theirs) if definition == "2022" else _of_final(ours, theirs, definition)
            if held and ours["Description"] in partial:
                held["agrees"] = NOT_COMPARABLE
            own = {name: ours[name] for name in ("Description", "labels", "retrieved", "fr", MAP)}
            rows.append({"task": task, **own, **held, "note": ours["note"]})
    columns = ["task", "Description", "labels", "retrieved", "fr", MAP]
    return pd.DataFrame(rows, columns=[*columns, "labels_published", "fr_published", "map_published", "agrees", "note"])


def _of_2022(ours: Dict[str, Any], theirs: Dict[str, Any]) -> Dict[str, Any]:
    """Return the published mean, which has three digits, and whether ours is the same."""
    if "map" not in theirs:
        return {}
    agrees = ours["labels"] > 0 and abs(ours[MAP] - theirs["map"]) <= 0.0005
    return {"map_published": theirs["map"], "agrees": "yes" if agrees else "no"}


def _of_final(ours: Dict[str, Any], theirs: Dict[str, Any], definition: str) -> Dict[str, Any]:
    """Return the fractions of the two published runs, and whether ours is near one; copairs tests otherwise."""
    if "fr" not in theirs:
        return {}
    told = " / ".join(f"{fr:.3f}" for fr in theirs["fr"])
    off = min(abs(ours["retrieved"] - fr * theirs["labels"]) for fr in theirs["fr"])
    agrees = ("yes" if round(off) <= NEAR else "no") if definition == "final" else "by design not"
    return {"labels_published": theirs["labels"], "fr_published": told, "agrees": agrees}


if __name__ == "__main__":
    program.run(main)
