"""The shape of the tree: folders that can be surveyed, no circles, names that stand once."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

from release.figures import (
    ROOT,
    Source,
    circles,
    definitions,
    folders,
    imports,
    read,
    silent_raisers,
    table,
)

MOST_IN_A_FOLDER = 22
MOST_LINES = 500


@pytest.fixture(scope="module")
def sources() -> list[Source]:
    return read(ROOT / "callrouter")


def test_no_folder_is_too_large(sources: list[Source]) -> None:
    sizes = folders(sources)
    assert sizes["callrouter.core"] > 10, "the modules were not found"
    assert {name: size for name, size in sizes.items() if size > MOST_IN_A_FOLDER} == {}


def test_no_file_is_too_long(sources: list[Source]) -> None:
    assert {source.module for source in sources if source.lines > MOST_LINES} == set()


def test_no_modules_import_each_other_in_a_circle(sources: list[Source]) -> None:
    graph = imports(sources)
    assert "callrouter.model.events" in graph["callrouter.runtime"], "imports were not found"
    assert circles(graph) == []


def test_no_basename_stands_for_two_jobs(sources: list[Source]) -> None:
    names = Counter(s.module.rpartition(".")[2] for s in sources if not s.is_package)
    # What a package is run by; every driver has a driver.
    assert {name for name, count in names.items() if count > 1} == {"__main__", "driver", "main"}


def test_no_class_name_stands_twice(sources: list[Source]) -> None:
    names = Counter(
        node.name for s in sources for node in definitions(s) if isinstance(node, ast.ClassDef)
    )
    assert {name for name, count in names.items() if count > 1} == set()


def test_every_figure_has_a_value(sources: list[Source]) -> None:
    found = dict(table(sources))
    assert len(found) > 15
    assert all(found.values())


def made(text: str, module: str = "p.m") -> Source:
    return Source(module, Path("m.py"), text)


def test_a_circle_is_found_through_a_type_only_import() -> None:
    parts = [
        made("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from p.b import B\n", "p.a"),
        made("def f():\n    import p.c\n", "p.b"),
        made("from p import a\n", "p.c"),
        made("from p.a import x\n", "p.d"),
    ]
    assert circles(imports(parts)) == [["p.a", "p.b", "p.c"]]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('def f():\n    """Do it."""\n    raise ValueError\n', ["p.m.f"]),
        ('def f():\n    """Do it.\n\n    Raises:\n        ValueError: no.\n    """\n    raise ValueError\n', []),
        ('def f():\n    """Do it."""\n    def g():\n        raise ValueError\n', ["p.m.g"]),
        ('def _f():\n    raise ValueError\n', []),
        ('@click.command("f")\ndef f():\n    raise ValueError\n', []),
        ('@click.pass_context\ndef f():\n    raise ValueError\n', ["p.m.f"]),
        ('def f():\n    raise\n', []),
    ],
)  # fmt: skip
def test_a_function_that_raises_without_saying_so_is_found(text: str, found: list[str]) -> None:
    assert list(silent_raisers(made(text))) == found
