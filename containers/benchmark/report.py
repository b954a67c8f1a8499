"""Write one page about a batch: all that it needs is in the file, and it asks no network for anything."""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
from pathlib import Path
from typing import Any, Dict, List, Mapping

import benchmark_views
import dose_views
import graph_drawing
import jinja2
import record_views
import thumbnails
import timeline
import usage
from markupsafe import Markup
from stagekit import program

TEMPLATES = Path(__file__).parent / "templates"
LARGEST = 9_500_000  # bytes of the page
LEAST_FOR_PICTURES = 1_000_000  # bytes; so much they get even of a page that is full of tables
QUALITY_SHARE = 0.35  # of what pictures may take; the montages get the rest
FILES = (
    "pictures", "summary", "montage", "comparison", "replicability_map", "matching_map", "gene_compound_matching_map",
    "figures", "feature_sets", "dose_response", "dose_figures",
)  # fmt: skip


def main() -> None:
    """Read the flags, gather, write."""
    flags = program.parser(__doc__)
    flags.add_argument("--record", required=True, type=Path, help="the facts of the batch's results")
    flags.add_argument("--pictures", required=True, type=Path, nargs="*", help="of every plate's quality")
    flags.add_argument("--summary", required=True, type=Path, nargs="*", help="the tables of all plates' quality")
    flags.add_argument("--montage", required=True, type=Path, nargs="*", help="of every plate's cells")
    flags.add_argument("--comparison", required=True, type=Path, nargs="*", help="a table of groups a benchmark")
    flags.add_argument("--replicability_map", required=True, type=Path, nargs="*", help="a table of labels each")
    flags.add_argument("--matching_map", required=True, type=Path, nargs="*")
    flags.add_argument("--gene_compound_matching_map", required=True, type=Path, nargs="*")
    flags.add_argument("--figures", required=True, type=Path, nargs="*", help="a folder a benchmark")
    flags.add_argument("--feature_sets", required=True, type=Path, nargs="*", help="a folder a comparison")
    flags.add_argument("--dose_response", required=True, type=Path, nargs="*", help="a table of perturbations each")
    flags.add_argument("--dose_figures", required=True, type=Path, nargs="*", help="a folder of each of them")
    flags.add_argument("--write_report", required=True, type=Path)
    args = flags.parse_args()
    with program.Report(args.output) as report:
        page = write(args, report)
        args.write_report.write_bytes(page)
        report.fact("bytes", len(page))


def write(args: argparse.Namespace, report: program.Report) -> bytes:
    """Return the page."""
    record = json.loads(args.record.read_text(encoding="utf-8"))
    files: Dict[str, List[Path]] = {name: getattr(args, name) for name in FILES}
    for name, paths in files.items():
        if len(paths) != len(record["shown"][name]):
            raise program.DataError(
                f"{args.record.name}: it lists {len(record['shown'][name])} files of {name}, and {len(paths)} are given"
            )
    told = _gather(record, files)
    bare = len(_render({**told, "pictures": {}, "montages": {}}))
    pictures = _pictures(record, files, max(LARGEST - bare, LEAST_FOR_PICTURES))
    page = _render({**told, **pictures})
    if len(page) > LARGEST:
        report.warn(f"the page has {len(page) / 1e6:.1f} MB: its tables are too long for {LARGEST / 1e6:g} MB")
    return page


def _gather(record: Mapping[str, Any], files: Mapping[str, List[Path]]) -> Dict[str, Any]:
    """Return all that the page says but for the plates' pictures."""
    runs, stages = record["runs"], record["stages"]
    graph = graph_drawing.draw(runs, stages)
    summary = [row for path in files["summary"] for row in benchmark_views.read(path)]
    benchmarks = benchmark_views.blocks(record, files)
    for block in benchmarks:
        drawn = thumbnails.drawings(block["folder"]) if block["folder"] else {}
        ordered = sorted(drawn, key=lambda name: [*benchmark_views.FIGURES, name].index(name))
        block["figures"] = [(benchmark_views.described(name, block), drawn[name]) for name in ordered]
    return {
        "dosed": dose_views.blocks(record, files["dose_response"], files["dose_figures"]),
        "comparisons": benchmark_views.comparisons(record, files["feature_sets"]),
        "record": record, "plates": record_views.plate_rows(record, summary), "benchmarks": benchmarks,
        "conditions": record_views.conditions(record), "failures": record_views.failures(record),
        "stages": record_views.stage_rows(record, graph["order"]), "warnings": record_views.warnings(record),
        "used": usage.plates(record), "used_in_all": usage.sums(runs, record),
        "graph": graph, "timeline": timeline.draw(runs, graph["order"], stages) if runs else None,
        "software": record_views.software(record), "inputs": record_views.inputs(record),
        "parameters": record_views.parameters(record, graph["order"]), "results": record_views.results(record),
    }  # fmt: skip


def _pictures(record: Mapping[str, Any], files: Mapping[str, List[Path]], budget: float) -> Dict[str, Any]:
    """Return the plates' pictures by plate, as large as fits."""
    share = QUALITY_SHARE if files["montage"] else 1.0
    quality = thumbnails.fitted(files["pictures"], share * budget)
    montages = thumbnails.fitted(files["montage"], budget - sum(map(len, quality)))
    names = {kind: [told["plate"] for told in record["shown"][kind]] for kind in ("pictures", "montage")}
    return {
        "pictures": dict(zip(names["pictures"], quality)),
        "montages": dict(zip(names["montage"], montages)),
    }


def _render(told: Mapping[str, Any]) -> bytes:
    """Return the page as it is written: every word from outside is escaped, and only our script may run."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"words": timeline.words, "size": record_views.size, "number": benchmark_views.number}
    script = (TEMPLATES / "page.js").read_text(encoding="utf-8")
    sealed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    own = {
        "script": Markup(script),
        "sealed": sealed,
        "look": Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
    }
    return environment.get_template("page.html").render(**told, **own).encode()


if __name__ == "__main__":
    program.run(main)
