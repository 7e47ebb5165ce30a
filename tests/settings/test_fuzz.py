"""Damaged files: `load` succeeds or says where something is wrong, and never anything else."""

from __future__ import annotations

import contextlib
import copy
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.settings import ConfigError, load
from callrouter.settings.durations import parse_duration
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

WRONG: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, float("inf"), "", "x", "yes", "a b", "${X}", "${", "é\n", [],
    {}, [None], [[]], {"a": None}, {"[key]": 1}, {"<list>": 1}, {"x": {"y": {"z": []}}}, "queue:x",
    ["a", "a"], {"alice": 1, "bob": "x"}, [{}], "dialplan:a", "\ud7ff", "ring-all", ["ring-all"],
    "mon-fri 09:00-17:30", "mon 9-5", "${CALLROUTER_AMI_SECRET}", ["2026-12-25"], "2026-12-25", "+44*",
    [{"after": 5}], [{"name": "r", "then": {}}], [{"hours": "mon", "agents": []}], "never", "mon 09:00-١٢:00",
]  # fmt: skip


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


def test_the_undamaged_whole_is_fine() -> None:
    assert outcome({"all.yaml": dumped(WHOLE)}) == []


WAYS = list(places(WHOLE))


def test_wrong_types_at_every_key() -> None:
    for way in WAYS:
        for wrong in ({"q q": 1}, [5.5], None):
            assert outcome({"all.yaml": replaced(way, wrong)}) or len(way) == 1, (way, wrong)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(WAYS), st.sampled_from(WRONG))
def test_wrong_values_anywhere(way: tuple[Any, ...], wrong: Any) -> None:
    outcome({"all.yaml": replaced(way, wrong)})


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(WAYS), st.sampled_from(WAYS))
def test_values_in_each_others_places(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    value: Any = WHOLE
    for part in other:
        value = value[part]
    outcome({"all.yaml": replaced(one, copy.deepcopy(value))})


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 10_000))
def test_truncation(name: str, end: int) -> None:
    outcome(FILES | {name: FILES[name][: end % (len(FILES[name]) + 1)]})


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(
        st.tuples(
            st.integers(0, 10_000),
            st.one_of(st.binary(max_size=3), st.sampled_from([*b"\t\n\r :-{}[],&*!|>'\"%@`#?\xff"]).map(lambda b: bytes([b]))),
            st.integers(0, 3),
        ),
        max_size=4,
    ),
)  # fmt: skip
def test_bytes_changed(name: str, edits: list[tuple[int, bytes, int]]) -> None:
    raw = FILES[name]
    # Most of a sample is comments, where damage does nothing: aim at the rest.
    spots = [i for line in _code(raw) for i in line]
    for at, new, gone in edits:
        spot = spots[at % len(spots)]
        raw = raw[:spot] + new + raw[spot + gone :]
    outcome(FILES | {name: raw})


def _code(raw: bytes) -> Iterator[range]:
    start = 0
    for line in raw.splitlines(keepends=True):
        if not line.lstrip().startswith(b"#"):
            yield range(start, start + len(line))
        start += len(line)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    outcome({"x.yaml": text.encode("utf-8", "replace")})


@settings(max_examples=200)
@given(
    st.one_of(st.text(max_size=50), st.from_regex(r"[0-9.hms]{1,12}"), st.floats(), st.booleans())
)
def test_durations_are_numbers_or_refused(written: object) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_duration(written), float)
