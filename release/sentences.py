"""The sentences that have codes, found in the source: ``python -m release.sentences`` writes the English catalogue.

A sentence is written once, in a call of `callrouter.model.text.phrase`, and translators read it in
``lang/says/en.json``. A test holds that this file is as the source has it, and that the catalogues of the
other languages have every code.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

SOURCE: Final = Path(__file__).parent.parent / "callrouter"
CATALOGUES: Final = SOURCE / "web" / "lang" / "says"

Sentence: TypeAlias = "str | dict[str, str]"
"""A text, or one for each plural category, as in the page's catalogues."""

_OF_LISTS: Final[dict[str, Sentence]] = {
    "both": "{first}; {second}",
    "names-and-more": "{names} and {count} more",
}
"""The two sentences of `callrouter.model.text`, which are used for every list."""


def sentences() -> dict[str, Sentence]:
    """Return every sentence by its code, in the order of the codes.

    Raises:
        ValueError: a code or text is not written out, or a code has two texts.
    """
    found: dict[str, Sentence] = dict(_OF_LISTS)
    for path in sorted(SOURCE.rglob("*.py")):
        if path == SOURCE / "model" / "text.py":
            continue  # it defines `phrase`
        text = path.read_text("utf-8")
        if "phrase(" not in text:
            continue
        for line, code, sentence in _calls(ast.parse(text)):
            if found.setdefault(code, sentence) != sentence:
                raise ValueError(f"{path}:{line}: {code!r} stands for another sentence elsewhere")
    return dict(sorted(found.items()))


def _calls(tree: ast.Module) -> Iterator[tuple[int, str, Sentence]]:
    """Yield the line, code and text of each call of `phrase`."""
    for scope in _scopes(tree):
        texts = sorted(_assigned(scope))
        for node in _own(scope):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "phrase":
                given = [_text(argument, texts) for argument in node.args]
                code, one, *many = [text.replace("{{", "{").replace("}}", "}") for text in given]
                yield node.lineno, code, {"one": one, "other": many[0]} if many else one


def _scopes(tree: ast.Module) -> Iterator[ast.AST]:
    yield tree
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a scope without those of the functions in it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def _assigned(scope: ast.AST) -> Iterator[tuple[int, str, str]]:
    """Yield where a name gets a text, the name and the text."""
    for node in _own(scope):
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for name, value in pairs:
                if isinstance(name, ast.Name) and isinstance(value, ast.Constant):
                    yield node.lineno, name.id, str(value.value)


def _text(argument: ast.expr, texts: list[tuple[int, str, str]]) -> str:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        return argument.value
    if isinstance(argument, ast.Name):
        before = [
            text for line, name, text in texts if name == argument.id and line <= argument.lineno
        ]
        if before:
            return before[-1]
    raise ValueError(f"line {argument.lineno}: write the text out, here or just above")


def main() -> None:
    """Write the English catalogue."""
    path = CATALOGUES / "en.json"
    path.write_text(json.dumps(sentences(), ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
