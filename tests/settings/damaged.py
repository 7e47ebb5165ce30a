"""The whole of a configuration, to be damaged, and what comes of reading it then."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from callrouter.settings import ConfigError, load
from tests.settings.cases import CONFIG, ENVIRON, POLICIES

FILES = {path.name: path.read_bytes() for path in sorted(CONFIG.glob("*.yaml"))}
WHOLE: dict[str, Any] = {}
for _raw in FILES.values():
    WHOLE |= yaml.safe_load(_raw)
WHOLE["users"] = {"sam": {"role": "admin", "password": "$argon2id$x"}}
WHOLE["numbers"] = {"region": "GB", "countries": ["GB"], "types": ["mobile"]}
WHOLE["http"]["tls"] = {"certificate": "c", "key": "k"}
WHOLE["http"]["api_tokens"] = [{"name": "crm", "role": "admin", "token": "0123456789abcdef"}]
WHOLE["queues"]["sales"]["service_level"] = {"within": "20s", "target": 80}
WHOLE["queues"]["sales"]["announce"] = {"position": True, "every": 45}
WHOLE["queues"]["sales"]["shifts"] = [{"hours": "daily 22:00-06:00", "agents": ["dave"]}]
WHOLE["queues"]["sales"]["widen"] = [
    {"after": 30, "at_once": "all"},
    {"after": "1m", "agents": ["alice"], "skills": {"french": 1}},
]
WHOLE["queues"]["support"]["holidays"] = ["2026-12-25"]
WHOLE["rules"] += [
    {
        "name": "all",
        "when": {"called": 100, "hours": ["mon 09:00-12:00", "tue 00:00-24:00"], "tag": "x"},
        "then": {"priority": 1, "agent": "bob", "queue": "sales", "tag": "y", "skills": {"a": 1}},
    },
    {"name": "rest", "then": {"priority": 100}},
]


_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
FOLDER = tempfile.TemporaryDirectory(prefix="callrouter-fuzz-")
"""One for all: making and removing 1,500 of them takes longer than the reading."""


def outcome(files: dict[str, bytes]) -> list[str]:
    """What is wrong with `files`, after checking that each problem is fit to be shown."""
    folder = Path(FOLDER.name)
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, raw in files.items():
        (folder / name).write_bytes(raw)
    try:
        load(folder, environ=ENVIRON, policies=POLICIES)
    except ConfigError as error:
        found = error.problems
    else:
        return []
    assert found
    for problem in found:
        told = str(problem)
        assert problem.file in files
        assert problem.column >= 1
        raw = files[problem.file]
        assert 1 <= problem.line <= raw.count(b"\n") + raw.count(b"\r") + 1
        assert told.isprintable()
        assert "hunter-two" not in told + problem.source_line
        assert not any(word in told for word in ("Input should", "custom-error", "pydantic"))
    return [str(problem) for problem in found]


def places(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if way:
        yield way
    pairs: list[tuple[Any, Any]] = []
    if isinstance(node, dict):
        pairs = list(node.items())
    elif isinstance(node, list):
        pairs = list(enumerate(node))
    for key, value in pairs:
        yield from places(value, (*way, key))


def replaced(way: tuple[Any, ...], value: Any) -> bytes:
    whole = copy.deepcopy(WHOLE)
    node = whole
    for part in way[:-1]:
        node = node[part]
    node[way[-1]] = value
    return dumped(whole)


def dumped(whole: dict[str, Any]) -> bytes:
    text: str = yaml.dump(whole, Dumper=_DUMPER, allow_unicode=True)
    return text.encode()
