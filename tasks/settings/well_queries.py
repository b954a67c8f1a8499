"""The form of pandas queries of wells: each check raises ValueError, in words, for a text of another form."""

from __future__ import annotations

import ast
import math
import re

from tasks.settings.forms import METADATA

QUOTED = re.compile(r"`([^`]*)`")
TRUE_OR_FALSE = (ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Call)


def query(text: str) -> None:
    """Check a pandas query of wells: it parses, says something true or false, and names metadata columns only."""
    tree = _parsed(text)
    if not isinstance(tree, TRUE_OR_FALSE):
        raise ValueError("it says nothing of a well that is true or false, as Metadata_control_type == 'negcon' does")
    for name in sorted(columns_of(text)):
        if not name.startswith(METADATA):
            raise ValueError(f"{name} is no metadata column: their names begin with {METADATA}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            _check_comparison(node)


def _check_comparison(node: ast.Compare) -> None:
    """Refuse a comparison of a column with a number: all metadata are texts, so none is equal and none is greater."""
    sides = [node.left, *node.comparators]
    remedy = "metadata are texts: write a value in quotes, or a number as Metadata_x.astype('float') > 5"
    for one, how, other in zip(sides, node.ops, sides[1:], strict=False):
        values = [value for side in (one, other) for value in _constants(side)]
        if not any(isinstance(side, ast.Name) for side in (one, other)):
            continue
        if any(isinstance(value, int | float) for value in values):
            raise ValueError(f"it compares a column with a number, but {remedy}")
        if isinstance(how, ast.Lt | ast.LtE | ast.Gt | ast.GtE) and any(map(_is_number, values)):
            raise ValueError(f"it orders texts, of which '10' comes before '9'; {remedy}")


def _constants(side: ast.expr) -> list[object]:
    """Return what stands there, or in a list there, as it is written."""
    try:
        found = ast.literal_eval(side)
    except ValueError:
        return []
    return list(found) if isinstance(found, list | tuple | set) else [found]


def _is_number(value: object) -> bool:
    try:
        return math.isfinite(float(str(value)))
    except ValueError:
        return False


def wells(text: str) -> None:
    """Check which wells are meant: all, or a pandas query."""
    if text != "all":
        query(text)


def columns_of(text: str) -> set[str]:
    """Return the columns that a query names; ValueError if it is none."""
    tree, quoted = _parsed(text), QUOTED.findall(text)
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - {"index"}
    return {quoted[int(name[2:])] if re.fullmatch(r"__\d+", name) else name for name in names}


def _parsed(text: str) -> ast.expr:
    count = iter(range(text.count("`")))
    try:
        return ast.parse(QUOTED.sub(lambda _: f"__{next(count)}", text).strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        said = error.msg if isinstance(error, SyntaxError) else error
        raise ValueError(f"it is no pandas query ({said}), such as Metadata_control_type == 'negcon'") from error
