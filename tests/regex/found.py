"""Every regular expression of the package, and how it is asked; found in the source."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ASKED_BY = frozenset(
    {"match", "fullmatch", "search", "findall", "finditer", "split", "sub", "subn"}
)
PYDANTICS = frozenset({"Field", "StringConstraints", "constr"})
MADE_ELSEWHERE = {
    "callrouter/model/phone_numbers.py": "national numbers of phonenumbers, asked about the digits of one number",
}
"""Modules that ask a pattern which is no constant, and why that is bounded."""
ANYWHERE = frozenset({"search", "findall", "finditer", "split", "sub", "subn"})


@dataclass(frozen=True, slots=True)
class Regex:
    """A pattern, its flags, whether it is looked for at every place of a text, and where it stands."""

    pattern: str | bytes
    flags: int
    anywhere: bool
    place: str


def all_of_them() -> Iterator[Regex]:
    for path in sorted((ROOT / "callrouter").rglob("*.py")):
        text = path.read_text()
        if "re." not in text and "pattern" not in text:
            continue
        if "migrations" in path.parts or path.name == "__main__.py":
            continue
        yield from of_module(path, text)


def of_module(path: Path, text: str) -> Iterator[Regex]:
    tree = ast.parse(text)
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    known: dict[str, Any] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        asked, written = of_call(node)
        if written is None:
            continue
        if not known:
            known = vars(importlib.import_module(name))
        place = f"{path.relative_to(ROOT)}:{node.lineno}"
        try:
            pattern = value(written, known, place)
        except AttributeError:
            assert str(path.relative_to(ROOT)) in MADE_ELSEWHERE, place
            continue
        flags = (
            value(node.args[1], known, place) if asked == "compile" and len(node.args) > 1 else 0
        )
        anywhere = asked in ANYWHERE
        if asked == "compile":
            anywhere = bool(methods_of(node, tree, text) & ANYWHERE)
        yield Regex(pattern, int(flags), anywhere or asked == "pattern", place)
    by_call = re.findall(r"(\w+)(?:: [^=\n]+)? = re\.compile\(", text)
    for word, item in known.items():
        if not word.startswith("__") and word not in by_call:
            for regex in held(item, f"{path.relative_to(ROOT)}:{word}"):
                if not isinstance(
                    item, re.Pattern
                ):  # one that was imported is found where it is made
                    yield regex


def held(found: Any, place: str) -> Iterator[Regex]:
    """The patterns that a module holds under a name, in tables too, however they were made."""
    if isinstance(found, re.Pattern):
        yield Regex(found.pattern, found.flags & ~re.UNICODE, anywhere=True, place=place)
    elif isinstance(getattr(found, "__self__", None), re.Pattern):
        pattern = found.__self__
        anywhere = found.__name__ in ANYWHERE
        yield Regex(pattern.pattern, pattern.flags & ~re.UNICODE, anywhere, place)
    elif isinstance(found, dict):
        for item in found.values():
            yield from held(item, place)
    elif isinstance(found, tuple | list | frozenset | set):
        for item in found:
            yield from held(item, place)


def of_call(node: ast.Call) -> tuple[str, ast.expr | None]:
    """What kind of a call it is, and the pattern as written; None: it has nothing to do with patterns."""
    match node.func:
        case ast.Attribute(value=ast.Name(id="re"), attr=asked) if asked in ASKED_BY | {"compile"}:
            return asked, node.args[0]
    match node.func:
        case ast.Name(id=called) | ast.Attribute(attr=called) if called in PYDANTICS:
            for keyword in node.keywords:
                if keyword.arg == "pattern":
                    return "pattern", keyword.value
    return "", None


def value(written: ast.expr, known: dict[str, Any], place: str) -> Any:
    """What an expression is, in its module; a name of a function's own stands for a name."""
    missing: dict[str, str | bytes] = {}
    found: Any = None
    while found is None:
        try:
            found = eval(compile(ast.Expression(written), place, "eval"), {**known, **missing})
        except NameError as error:
            missing[str(error.name)] = "Name"
        except TypeError:
            assert missing, place
            missing = dict.fromkeys(missing, b"Name")
    return found.pattern if isinstance(found, re.Pattern) else found


def methods_of(call: ast.Call, tree: ast.Module, text: str) -> set[str]:
    """What is asked of a compiled pattern: by its name in the module, or by whatever imports that name."""
    for node in ast.walk(tree):
        target: ast.expr | None = None
        if isinstance(node, ast.AnnAssign):
            target = node.target
        elif isinstance(node, ast.Assign):
            target = node.targets[0]
        if target is None or not any(each is call for each in ast.walk(node)):
            continue
        if isinstance(target, ast.Name) and target.id.startswith("_"):
            asked = set(re.findall(rf"\b{target.id}\.(\w+)\(", text))
            if asked and asked <= ASKED_BY:
                return asked
    return set(ASKED_BY)  # not known: the worst is taken for granted
