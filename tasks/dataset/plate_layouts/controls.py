"""Which wells are controls: by names, by a query of the layout's columns, or by what the layout itself says."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping
from itertools import pairwise
from operator import eq, ge, gt, le, lt, ne
from typing import Any

NEGATIVE, POSITIVE, TREATED = "negcon", "poscon", ""
SAID: Mapping[str, re.Pattern[str]] = {
    NEGATIVE: re.compile(r"neg.*|vehicle.*|solvent.*|dmso|untreated", re.IGNORECASE),
    POSITIVE: re.compile(r"pos.*", re.IGNORECASE),
}
"""What the layout's own column says of a control, by what it becomes."""
USUAL = ("DMSO",)
"""The negative control where nothing says which it is."""
QUERY = re.compile(r"[=!<>]|\b(in|and|or|not)\b.*['\"\[(`]")
QUOTED = re.compile(r"`([^`]*)`")
COMPARE: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: eq, ast.NotEq: ne, ast.Lt: lt, ast.LtE: le, ast.Gt: gt, ast.GtE: ge,
}  # fmt: skip
Test = Callable[[str, Mapping[str, str]], bool]
"""Says of a well, by its perturbation and its columns, whether it is meant."""


def test(text: str) -> Test:
    """Return the test that a setting describes: names by commas, or a query. ValueError for what is neither."""
    if not QUERY.search(text):
        wanted = {name.strip().lower() for name in text.split(",") if name.strip()}
        return lambda perturbation, _: perturbation.lower() in wanted
    tree, quoted = _parsed(text)
    return lambda perturbation, columns: bool(_value(tree, {**columns, "perturbation": perturbation}, quoted))


def columns_of(text: str) -> set[str]:
    """Return the columns that a query names; none for names by commas."""
    if not QUERY.search(text):
        return set()
    tree, quoted = _parsed(text)
    return {quoted.get(node.id, node.id) for node in ast.walk(tree) if isinstance(node, ast.Name)}


def said(text: str) -> str | None:
    """Return the type of control that the layout's own column says; None for a word that means another one."""
    if text == TREATED or re.fullmatch(r"treat.*|trt|sample|compound|test|-|na|none", text, re.IGNORECASE):
        return TREATED
    if text.startswith(("poscon", "negcon")):
        return text  # CPJUMP1 has several: poscon_cp, poscon_diverse
    return next((name for name, words in SAID.items() if words.fullmatch(text)), None)


def _parsed(text: str) -> tuple[ast.expr, dict[str, str]]:
    names = QUOTED.findall(text)
    quoted = {f"quoted_{at}": name for at, name in enumerate(names)}
    count = iter(quoted)
    try:
        tree = ast.parse(QUOTED.sub(lambda _: next(count), text).strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{text!r} is neither names by commas nor a query such as role == 'negative'") from error
    for node in ast.walk(tree):
        if not isinstance(node, ALLOWED):
            raise ValueError(f"{text!r}: a query compares columns with texts and numbers, by and, or, not")
    return tree, quoted


ALLOWED = (
    ast.Compare, ast.BoolOp, ast.UnaryOp, ast.BinOp, ast.Name, ast.Constant, ast.List, ast.Tuple, ast.Load, ast.And,
    ast.Or, ast.Not, ast.USub, ast.BitAnd, ast.BitOr, ast.In, ast.NotIn, *COMPARE,
)  # fmt: skip


def _value(node: ast.expr, row: Mapping[str, str], quoted: Mapping[str, str]) -> object:
    """Return what an expression is for a well; a column is a number where it is compared with one."""

    def value(part: ast.expr) -> object:
        return _value(part, row, quoted)

    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return row[quoted.get(node.id, node.id)]
        case ast.List() | ast.Tuple():
            return [value(each) for each in node.elts]
        case ast.BoolOp():
            return (all if isinstance(node.op, ast.And) else any)(bool(value(each)) for each in node.values)
        case ast.BinOp():
            both = bool(value(node.left)), bool(value(node.right))
            return all(both) if isinstance(node.op, ast.BitAnd) else any(both)
        case ast.UnaryOp():
            operand = value(node.operand)
            return -operand if isinstance(node.op, ast.USub) and isinstance(operand, (int, float)) else not operand
        case ast.Compare():
            parts = [value(each) for each in (node.left, *node.comparators)]
            return all(_holds(op, *pair) for op, pair in zip(node.ops, pairwise(parts), strict=True))
    raise ValueError(ast.dump(node))


def _holds(op: ast.cmpop, left: object, right: object) -> bool:
    if isinstance(op, (ast.In, ast.NotIn)):
        held = any(_holds(ast.Eq(), left, each) for each in (right if isinstance(right, list) else [right]))
        return held if isinstance(op, ast.In) else not held
    if isinstance(left, str) and isinstance(right, (int, float)):
        left = _number(left)
    elif isinstance(right, str) and isinstance(left, (int, float)):
        right = _number(right)
    try:
        return bool(COMPARE[type(op)](left, right))
    except TypeError:
        return False


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
