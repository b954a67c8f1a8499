"""Write NOTICE.md from the locks: `python -m tasks.commands.notice_page > new && mv new NOTICE.md`.

A licence is what an installed package says of itself; of what is not installed here, what NOTICE.md said before.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata

from tasks.commands.markdown import table
from tasks.dataset import layout
from tasks.definitions import recipes, stages
from tasks.runtime.images import environments

PAGE = layout.REPOSITORY / "NOTICE.md"
ROW = re.compile(r"^\| ([@\w]\S*) \| (\d\S*) \| ([^|]+) \|", re.MULTILINE)
BUNDLE = layout.CONTAINERS / "explorer" / "web" / "package-lock.json"
UNKNOWN = "see the package"
LONGEST = 120  # characters of a licence's name; some packages put the whole text there
HEAD = """# Notices

Platewright is under the BSD 3-Clause licence: [LICENSE](LICENSE). Its wheel holds Platewright alone. What runs beside
it is installed from the package index by hashed locks, into its own environment and into the images and environments
of stages, and stays under its own licence. An image also holds Debian and CPython, under theirs. Images of the
variant `cuda` hold NVIDIA's libraries (`nvidia-...`, `cuda-...`) under NVIDIA's licences, which say whether they may
be passed on.

The page of the plate explorer, `containers/explorer/page/explorer.js`, holds packages of the npm registry; its first
lines are the texts of their licences.

`data/cpjump1/` holds numbers that the CPJUMP1 resource published; the pipelines in `containers/cellprofiler/pipelines/`
have its modules and settings.

Made from the locks by `python -m tasks.commands.notice_page`. A licence is named as the package names it.
"""


def locked() -> dict[tuple[str, str], list[str]]:
    """Return every package of the locks that ships -> where: (name, version) -> images, or platewright."""
    locks = {"platewright": [layout.REPOSITORY / "requirements.lock"]}
    for folder in sorted(path.parent for path in layout.CONTAINERS.glob("*/requirements.lock")):
        locks[folder.name] = sorted(folder.glob("requirements*.lock"))
    found: dict[tuple[str, str], list[str]] = {}
    for where, paths in locks.items():
        for pin in sorted({pin for path in paths for pin in recipes.pins(path)}):
            found.setdefault(pin, []).append(where)
    return dict(sorted(found.items(), key=lambda item: (item[0][0].lower(), item[0][1])))


def bundled() -> dict[tuple[str, str], str]:
    """Return every package that the explorer's page is bundled from -> its licence, as the lock of npm names it."""
    packages = json.loads(BUNDLE.read_text(encoding="utf-8"))["packages"]
    held = {path: each for path, each in packages.items() if path and not each.get("dev")}
    return {
        (path.rpartition("node_modules/")[2], each["version"]): each["license"] for path, each in sorted(held.items())
    }


def page(before: str) -> str:
    """Return the page; `before` is what it was."""
    known = {(name, version): licence.strip() for name, version, licence in ROW.findall(before)}
    known |= dict(_installed())
    rows = [[*pin, known.get(pin, UNKNOWN), ", ".join(where)] for pin, where in locked().items()]
    rows += [[*package, licence, "explorer's page"] for package, licence in bundled().items()]
    return f"{HEAD}\n{table(['package', 'version', 'licence', 'in'], rows)}"


def _installed() -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the licences of what is installed: here, and in the environments of the process engine."""
    folders = [
        str(path) for image in stages.images() for path in environments.folder(image).glob("lib/*/site-packages")
    ]
    for each in metadata.distributions(path=[*sys.path, *folders]):
        said = _licence(
            {name: each.metadata[name] for name in each.metadata}, each.metadata.get_all("Classifier") or []
        )
        if said:
            yield (re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower(), each.version), said


def _licence(fields: Mapping[str, str], classifiers: list[str]) -> str:
    """Return what a package says of its licence: by expression, by classifier, or in its own words."""
    if fields.get("License-Expression"):
        return fields["License-Expression"]
    named = [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: ")]
    words = fields.get("License", "").strip().partition("\n")[0]
    named = [each for each in named if each not in ("OSI Approved", "Other/Proprietary License")] or [words]
    said = ", ".join(named).replace("|", "/")
    return said if 0 < len(said) <= LONGEST and said != "UNKNOWN" else ""


if __name__ == "__main__":
    print(page(PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""), end="")
