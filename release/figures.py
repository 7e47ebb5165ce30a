"""Counts what makes code easy or hard to find one's way in: `python -m release.figures`.

The same figures for every tree, so that two commits (or two projects) can be compared. Tests and
generated code are left out. `tests/release/test_figures.py` holds some of them.
"""

from __future__ import annotations

import argparse
import ast
import io
import re
import statistics
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final, TypeAlias

ROOT: Final = Path(__file__).parents[1]
SMALL: Final = 60
"""Lines below which a file counts as small."""
PROSE: Final = {
    "words out of use": r"anew|whom|whoever|whomever|meanwhile|till",
    "subjects without a name": r"nobody|somebody|everybody|everyone|someone|anybody|anyone",
}
"""Two rows of words that well-kept projects use 0 to 2.5 times in 10,000 words."""
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z'-]+")
_SUPPRESSED: Final = re.compile(r"#\s*(?:noqa|type: ignore|fmt: |pragma: )")

Definition: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Source:
    """One Python file.

    Attributes:
        module: its dotted name; a package has the name of its folder.
        path: the file.
        text: its content.
    """

    module: str
    path: Path
    text: str = field(repr=False)

    @cached_property
    def tree(self) -> ast.Module:
        """Return the parsed file."""
        return ast.parse(self.text)

    @cached_property
    def comments(self) -> tuple[str, ...]:
        """Return the comments. Splitting a file into tokens is what takes time here."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return tuple(token.string for token in tokens if token.type == tokenize.COMMENT)

    @property
    def lines(self) -> int:
        """Number of lines."""
        return self.text.count("\n")

    @property
    def is_package(self) -> bool:
        """Whether this is an ``__init__.py``."""
        return self.path.name == "__init__.py"


def read(package: Path) -> list[Source]:
    """Return every Python file of a package, sorted by path."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.append(Source(module, path, path.read_text("utf-8")))
    return found


# ---------------------------------------------------------------- the import graph


def imports(sources: list[Source]) -> dict[str, set[str]]:
    """Return which modules of the package each one imports.

    Imports inside functions and those for type checkers alone count: a reader has to follow them
    too.
    """
    known = {source.module for source in sources}
    return {source.module: set(_imported(source, known)) - {source.module} for source in sources}


def _imported(source: Source, known: set[str]) -> Iterator[str]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                if inner in known:
                    yield inner
                elif node.module in known:
                    yield node.module


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Return the groups of modules that import each other, the largest first (Tarjan, 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        number[module] = low[module] = len(number)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in number:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], number[other])
        if low[module] == number[module]:
            start = stack.index(module)
            group = stack[start:]
            del stack[start:]
            if len(group) > 1:
                found.append(sorted(group))

    for module in sorted(graph):
        if module not in number:
            visit(module)
    return sorted(found, key=len, reverse=True)


def folders(sources: list[Source]) -> Counter[str]:
    """Return the number of modules in each folder; ``__init__.py`` does not count."""
    return Counter(source.module.rpartition(".")[0] for source in sources if not source.is_package)


# ---------------------------------------------------------------- words


def definitions(source: Source) -> Iterator[Definition]:
    """Yield every class and function of a file."""
    for node in ast.walk(source.tree):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            yield node


def docstrings(source: Source) -> Iterator[str]:
    """Yield the docstrings of the module, its classes and functions."""
    for node in (source.tree, *definitions(source)):
        text = ast.get_docstring(node)
        if text:
            yield text


def public_functions(source: Source) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions whose name does not begin with an underscore."""
    for node in definitions(source):
        if isinstance(node, _FUNCTIONS) and not node.name.startswith("_"):
            yield node


def silent_raisers(source: Source) -> Iterator[str]:
    """Yield public functions that raise an error of their own and do not document it.

    Commands of the command line are left out: their docstring is the help that users read, and what
    they raise ends the program with the exit status that the help and docs/operator.md name.
    """
    for node in public_functions(source):
        text = ast.get_docstring(node) or ""
        if "Raises:" not in text and not _is_command(node) and any(map(_raises, _own(node))):
            yield f"{source.module}.{node.name}"


def _is_command(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether click runs it: one of its decorators is ``….command(…)``."""
    return any(
        isinstance(made, ast.Call)
        and isinstance(made.func, ast.Attribute)
        and made.func.attr == "command"
        for made in function.decorator_list
    )


def _own(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            waiting.extend(ast.iter_child_nodes(node))


def _raises(node: ast.AST) -> bool:
    # A bare `raise` passes on, and NotImplementedError marks a method to be written.
    return isinstance(node, ast.Raise) and node.exc is not None


def prose(source: Source) -> Iterator[str]:
    """Yield docstrings, the strings beneath attributes, and comments."""
    for node in ast.walk(source.tree):
        body = getattr(node, "body", None)
        for item in body if isinstance(body, list) else ():
            value = item.value if isinstance(item, ast.Expr) else None
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value
    yield from comments(source)


def comments(source: Source) -> tuple[str, ...]:
    """Return the comments."""
    return source.comments


# ---------------------------------------------------------------- the table


def table(sources: list[Source]) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each figure."""
    yield from _sizes(sources)
    yield from _structure(sources)
    yield from _words(sources)


def _sizes(sources: list[Source]) -> Iterator[tuple[str, str]]:
    full = [source.lines for source in sources if not source.is_package]
    lengths = sorted(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for source in sources
        for node in definitions(source)
        if isinstance(node, _FUNCTIONS)
    )
    yield "files, lines", f"{len(sources)}, {sum(source.lines for source in sources):,}"
    yield "files without __init__.py", f"{len(full)}"
    yield "lines of a file: median, largest", f"{statistics.median(full):.0f}, {max(full)}"
    yield f"files below {SMALL} lines", _percent(sum(n < SMALL for n in full), len(full))
    yield (
        "lines of a function: median, 95 %, largest",
        f"{statistics.median(lengths):.0f}, {lengths[len(lengths) * 95 // 100]}, {lengths[-1]}",
    )


def _structure(sources: list[Source]) -> Iterator[tuple[str, str]]:
    sizes = folders(sources)
    graph = imports(sources)
    out = sorted(map(len, graph.values()))
    into = Counter(other for others in graph.values() for other in others)
    found = circles(graph)
    largest = ", ".join(f"{name} {count}" for name, count in sizes.most_common(3))
    yield (
        "modules of a folder: median, largest",
        (f"{statistics.median(sizes.values()):.0f}; {largest}"),
    )
    yield (
        "imports of a module: median, 95 %, largest",
        (f"{statistics.median(out):.0f}, {out[len(out) * 95 // 100]}, {out[-1]}"),
    )
    yield (
        "modules with one importer",
        _percent(sum(count == 1 for count in into.values()), len(graph)),
    )
    yield (
        "import circles, type-only imports counted",
        ("; ".join(", ".join(group) for group in found) or "none"),
    )
    yield (
        "basenames in several folders",
        _twice(Counter(s.module.rpartition(".")[2] for s in sources if not s.is_package)),
    )
    yield (
        "class names used twice",
        _twice(
            Counter(
                node.name
                for s in sources
                for node in definitions(s)
                if isinstance(node, ast.ClassDef)
            )
        ),
    )


def _words(sources: list[Source]) -> Iterator[tuple[str, str]]:
    texts = [text for source in sources for text in docstrings(source)]
    code = sum(1 for source in sources for line in source.text.splitlines() if line.strip())
    public = [node for source in sources for node in public_functions(source)]
    yield "docstrings of one line", _percent(sum("\n" not in text for text in texts), len(texts))
    for part in ("Args:", "Raises:"):
        count = sum(part in (ast.get_docstring(node) or "") for node in public)
        yield f"public functions with {part}", f"{count} of {len(public)}"
    silent = [name for source in sources for name in silent_raisers(source)]
    yield "public functions that raise and do not say so", f"{len(silent)}"
    yield (
        "comment lines in 100 lines",
        (f"{sum(1 for source in sources for _ in comments(source)) * 100 / code:.1f}"),
    )
    hidden = sum(len(_SUPPRESSED.findall(text)) for s in sources for text in comments(s))
    yield "suppressions in 1,000 lines", f"{hidden * 1000 / code:.1f}"
    said = "\n".join(text for source in sources for text in prose(source))
    words = len(_WORD.findall(said))
    for name, pattern in PROSE.items():
        hits = len(re.findall(rf"\b(?:{pattern})\b", said, re.IGNORECASE))
        yield f"{name} in 10,000 words", f"{hits * 10_000 / words:.1f}"


def _percent(part: int, whole: int) -> str:
    return f"{part * 100 / whole:.0f} %"


def _twice(counts: Counter[str]) -> str:
    names = sorted(name for name, count in counts.items() if count > 1)
    return f"{len(names)}: {', '.join(names)}" if names else "none"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("package", nargs="?", type=Path, default=ROOT / "callrouter")
    for name, value in table(read(parser.parse_args().package)):
        print(f"{name:48} {value}")


if __name__ == "__main__":
    main()
