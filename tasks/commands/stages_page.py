"""Write docs/stages.md from the stage tables: `python -m tasks.commands.stages_page > docs/stages.md`."""

from __future__ import annotations

import inspect

from tasks.commands.markdown import table
from tasks.dataset.layout import FOLDERS
from tasks.definitions import stages
from tasks.definitions.stages import Stage
from tasks.workflow import pipeline

IMAGES = ("gallery", "cellprofiler", "pycytominer", "deepprofiler", "deep_torch", "benchmark")
"""In the order in which a plate meets them."""
HEAD = """# Stages

Every stage is one program in one container image. Its Luigi task runs it by name, with all that it needs:
`luigi --module tasks Normalize --batch-id B --plate P`. `RunPlate` and `RunBatch` run the usual ones
([run_plates.md](run_plates.md)). Made from `containers/*/stages.toml` by
`python -m tasks.commands.stages_page > docs/stages.md`.
"""
DETAILS = """
## What they read and write

Inputs go by the names that stages share; results lie below `<project>/<source>/`. `cores`, `GB` and `minutes` are what
one job may use; the stage's section of luigi.cfg overrides them ([settings.md](settings.md)). A stage of `site` or
`channel` is cut into jobs. Files of a set of plates (`<plate_set>_...`) lie beside the plates' folders. In the
benchmark, `<plate>` is a group of plates.
"""


def page() -> str:
    """Return the page."""
    known = dict(sorted(stages.load().items(), key=lambda each: _rank(each[1])))
    what = table(
        ["stage", "task", "what it does", "image"],
        ([f"`{name}`", _tasks(name), each.summary, each.image] for name, each in known.items()),
    )
    head = ["stage", "works on a", "reads", "writes", "cores", "GB", "minutes", "network"]
    return "\n".join([HEAD, what + DETAILS, table(head, (_details(each) for each in known.values()))])


def _rank(stage: Stage) -> int:
    return IMAGES.index(stage.image) if stage.image in IMAGES else len(IMAGES)


def _tasks(stage: str) -> str:
    """Return the tasks of a stage, as the graph names them."""
    known = {name for name, each in vars(pipeline).items() if inspect.isclass(each) and _stage_of(each) == stage}
    return ", ".join(f"`{name}`" for name in sorted(known))


def _stage_of(task: type) -> object:
    return vars(task).get("stage")


def _details(stage: Stage) -> list[str]:
    needs = stage.resources
    place = FOLDERS[stage.folder].format(batch="<batch>", plate="<plate>", project="<project>", source="<source>")
    writes = ", ".join(f"`{template.replace('{', '<').replace('}', '>')}`" for template in stage.outputs.values())
    return [
        f"`{stage.name}`",
        stage.unit,
        ", ".join(stage.inputs),
        f"`{place}/`: {writes}",
        f"{needs.cpus}",
        f"{needs.memory_gb:g}",
        f"{needs.minutes:g}",
        "yes" if stage.network else "",
    ]


if __name__ == "__main__":
    print(page(), end="")
