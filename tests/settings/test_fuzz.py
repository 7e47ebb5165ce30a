"""Damaged files: `load` succeeds or says where something is wrong, and never anything else."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from callrouter.settings.schema.durations import parse_duration
from tests.settings.damaged import FILES, WHOLE, dumped, outcome, places, replaced

WRONG: list[Any] = [
    None, True, False, 0, -1, 1.5, 10**30, float("inf"), "", "x", "yes", "a b", "${X}", "${", "é\n", [],
    {}, [None], [[]], {"a": None}, {"[key]": 1}, {"<list>": 1}, {"x": {"y": {"z": []}}}, "queue:x",
    ["a", "a"], {"alice": 1, "bob": "x"}, [{}], "dialplan:a", "\ud7ff", "ring-all", ["ring-all"],
    "mon-fri 09:00-17:30", "mon 9-5", "${CALLROUTER_AMI_SECRET}", ["2026-12-25"], "2026-12-25", "+44*",
    [{"after": 5}], [{"name": "r", "then": {}}], [{"hours": "mon", "agents": []}], "never", "mon 09:00-١٢:00",
]  # fmt: skip


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
