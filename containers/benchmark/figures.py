"""Draw what the benchmark found, as PNG and SVG: fractions retrieved, average precisions, and a map of the profiles."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import List

import pandas as pd
import plots
import style
from matplotlib.figure import Figure
from plots import Panel
from stagekit import contracts, program
from tables import MAP, join
from wells import read

FEW = 3  # profiles; fewer have no shape


def main() -> None:
    """Read the flags, draw, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--definition", required=True)
    flags.add_argument("--seed", required=True, type=int, help="of the UMAP")
    flags.add_argument("--threshold", required=True, type=float, help="the q-value below which a label is retrieved")
    flags.add_argument("--consensus", required=True, type=Path, nargs="+")
    flags.add_argument("--replicability_ap", required=True, type=Path, nargs="+")
    flags.add_argument("--replicability_map", required=True, type=Path, nargs="+")
    flags.add_argument("--replicability_fr", required=True, type=Path, nargs="+")
    flags.add_argument("--matching_map", required=True, type=Path, nargs="+")
    flags.add_argument("--matching_fr", required=True, type=Path, nargs="+")
    flags.add_argument("--gene_compound_matching_fr", required=True, type=Path, nargs="*")
    flags.add_argument("--write_figures", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        drawn = [
            name for title, figure in _figures(args, report) for name in style.save(figure, args.write_figures, title)
        ]
        report.fact("figures", drawn)


def _figures(args: argparse.Namespace, report: program.Report) -> List[tuple[str, Figure]]:
    """Return every figure that there is something to draw of, by its file's name."""
    replicability, matching = join(args.replicability_fr), join(args.matching_fr)
    across = join(args.gene_compound_matching_fr)
    summaries = {"replicability": replicability, "matching": matching}
    fraction = f"fraction of labels retrieved (q < {args.threshold:g})"
    mean = "mean average precision"
    tested = args.definition != "2022"  # it has no p-values
    figures = [("mean_average_precision", plots.bars([Panel(*it, MAP, mean, False) for it in summaries.items()]))]
    if tested:
        panels = [Panel(*it, "fr", fraction, True) for it in summaries.items()]
        figures.append(("fraction_retrieved", plots.bars(panels, limit=1.0)))
        maps = {"replicability": join(args.replicability_map), "matching": join(args.matching_map)}
        figures += [
            (f"{task}_scatter", plots.scatter(table, task, args.threshold))
            for task, table in maps.items()
            if len(table)
        ]
    per_query = join(args.replicability_ap)
    if len(per_query):
        figures.append(("average_precision", plots.boxes(per_query)))
    if len(across):
        panels = [Panel("", across, MAP, mean, False), *([Panel("", across, "fr", fraction, True)] if tested else [])]
        figures.append(("gene_compound_matching", plots.bars(panels)))
    return [*figures, *_maps(args, replicability, report)]


def _maps(args: argparse.Namespace, groups: pd.DataFrame, report: program.Report) -> List[tuple[str, Figure]]:
    """Return maps of the consensus profiles: a UMAP of large groups, the principal components of small ones."""
    # The replicability tables and the consensus profiles come in the same order: that of the groups.
    tables = zip(args.consensus, groups.to_dict("records"), strict=True)
    found = [(read([path], contracts.CONSENSUS), row) for path, row in tables]
    tiny = [row["Description"] for table, row in found if len(table) < FEW]
    if tiny:
        report.warn(f"no map of {', '.join(tiny)}: it takes at least {FEW} perturbations")
    large = [(table, row) for table, row in found if len(table) > plots.NEIGHBOURS]
    small = [(table, row) for table, row in found if FEW <= len(table) <= plots.NEIGHBOURS]
    maps = []
    if large:
        maps.append(("umap", plots.umap([table for table, _ in large], [row for _, row in large], args.seed)))
    if small:
        drawn = plots.principal_components([table for table, _ in small], [row for _, row in small])
        maps.append(("principal_components", drawn))
    return maps


if __name__ == "__main__":
    program.run(main)
