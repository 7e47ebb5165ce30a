"""Only the tracker changes what is known of channels. Read from the source, since no run shows it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from callrouter.pbx.asterisk import tracking
from callrouter.pbx.asterisk.tracking import channels

TRACKING = Path(tracking.__file__).parent
DRIVER = TRACKING.parent
OBJECTS = {"caller", "leg", "fork", "route", "other", "waiting"}
"""What variables that hold such objects are called in the driver."""
FIELDS = {
    field.name
    for data in (channels.CallerChannel, channels.LegChannel, channels.ContactFork)
    for field in fields(data)
} | {field.name for field in fields(channels.TrackedChannels)}
CHANGES = {"add", "append", "clear", "discard", "pop", "remove", "setdefault", "update"}
TABLES = {"callers", "legs", "routes", "touched"}


def writes(path: Path) -> Iterator[str]:
    """Assignments to fields of channels, and changes of the tables of them."""
    for node in ast.walk(ast.parse(path.read_text())):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Delete):
            targets = node.targets
        for target in targets:
            for one in ast.walk(target):
                if isinstance(one, ast.Attribute) and one.attr in FIELDS:
                    if isinstance(one.value, ast.Name) and one.value.id in OBJECTS:
                        yield f"{path.name}:{one.lineno} {one.value.id}.{one.attr}"
                    elif one.attr in TABLES and not isinstance(one.value, ast.Name):
                        yield f"{path.name}:{one.lineno} {one.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            table = isinstance(owner, ast.Attribute) and owner.attr in TABLES
            if table and node.func.attr in CHANGES:
                yield f"{path.name}:{node.lineno} {ast.unparse(node.func)}"


def test_no_module_beside_the_tracker_changes_channels() -> None:
    beside = [path for path in DRIVER.rglob("*.py") if TRACKING not in path.parents]
    beside.append(TRACKING / "channel_lists.py")
    assert [found for path in beside for found in writes(path)] == []


def test_the_tracker_does() -> None:
    """Or else the test above would find nothing anywhere."""
    for name in ("caller_tracker", "leg_answers", "leg_tracker", "transfers"):
        assert len(list(writes(TRACKING / f"{name}.py"))) > 5
