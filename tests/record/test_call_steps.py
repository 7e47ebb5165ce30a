"""Steps of calls are stored and read: every class of notice, with every value a field may hold."""

from __future__ import annotations

import dataclasses
import json
import random
import types
import typing
from enum import Enum
from typing import Any

import pytest

from callrouter.model import call_notices
from callrouter.model.call_notices import CallEntered, OfferDecided, OfferEnded, OfferMade
from callrouter.model.notices import CallNotice
from callrouter.model.outcomes import RequeueReason
from callrouter.model.text import phrase, phrase_data
from callrouter.record.call_steps import MemberList, StepItem, members_of, pack_steps, unpack_steps

KINDS = [
    kind
    for kind in vars(call_notices).values()
    if isinstance(kind, type)
    and (issubclass(kind, CallNotice) or kind is OfferDecided)
    and kind.__module__ == call_notices.__name__
]


def any_value(rng: random.Random, hint: Any) -> Any:
    if isinstance(hint, types.UnionType):
        return any_value(rng, rng.choice(typing.get_args(hint)))
    inner = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        if inner[-1] is Ellipsis:
            return tuple(any_value(rng, inner[0]) for _ in range(rng.randrange(3)))
        return tuple(any_value(rng, item) for item in inner)
    if typing.get_origin(hint) is frozenset:
        return frozenset(any_value(rng, inner[0]) for _ in range(rng.randrange(3)))
    if issubclass(hint, Enum):
        return rng.choice(list(hint))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return any_notice(rng, hint)
    if hint is types.NoneType:
        return None
    plain = {
        bool: rng.random() < 0.5,
        int: rng.randrange(100),
        float: rng.random() * 1000,
        str: rng.choice(["", "ann", "Ж—\U0001f600", 'a"b\\']),
    }
    return plain[hint]


def any_notice(rng: random.Random, kind: type[Any]) -> Any:
    hints = typing.get_type_hints(kind)
    return kind(
        **{item.name: any_value(rng, hints[item.name]) for item in dataclasses.fields(kind)}
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_notice_is_read_as_it_was_written(kind: type[Any]) -> None:
    rng = random.Random(1)
    members = MemberList("q", {"ann": (0, {"french": 2})})
    items = [StepItem(n, any_notice(rng, kind), members if n % 2 else None) for n in range(40)]
    found = unpack_steps(pack_steps(items))
    assert [step.notice for step in found] == [item.notice for item in items]
    assert [step.serial for step in found] == list(range(40))
    assert {step.digest for step in found} == {"", members.digest}


def test_what_can_no_longer_be_read_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    good = OfferEnded(
        at=1.0, call="c", queue="q", agent="ann", offer="o",
        outcome=RequeueReason.PASSED_ON, rang_s=2.0,
    )  # fmt: skip
    packed = pack_steps([StepItem(1, good, None), StepItem(2, good, None)])
    real = json.loads

    def changed(text: str) -> Any:
        first, second = real(text)
        first[2]["outcome"] = "RequeueReason.NO_LONGER_THERE"
        second[2]["new_field"] = 7
        return [first, second, [3, "NoticeOfTheFuture", {}, ""]]

    monkeypatch.setattr(json, "loads", changed)
    assert [(step.serial, step.notice) for step in unpack_steps(packed)] == [(2, good)]
    assert unpack_steps(b"") == unpack_steps(b"\x07abc") == unpack_steps(b"\x01abc") == []


def test_an_older_notice_without_a_field_has_its_default() -> None:
    entered = CallEntered(at=1.0, call="c", queue="q", position=1, caller_number="", caller_name="")
    (found,) = unpack_steps(pack_steps([StepItem(1, entered, None)]))
    assert found.notice == entered


def test_a_sentence_is_read_with_its_code() -> None:
    left_out = phrase("device-trouble", "{device} {trouble}", device="home", trouble="switched off")
    made = OfferMade(
        at=1.0, call="c", queue="q", agent="ann", offer="o", policy=("longest-idle",), idle_s=1.0,
        priority=1, left_out=left_out,
    )  # fmt: skip
    (found,) = unpack_steps(pack_steps([StepItem(1, made, None)]))
    assert found.notice == made
    assert isinstance(found.notice, OfferMade)
    assert phrase_data(found.notice.left_out) == phrase_data(left_out)


def test_members_are_named_by_what_they_are() -> None:
    one = MemberList("q", {"ann": (0, {}), "bob": (1, {"french": 2})})
    same = MemberList("q", {"ann": (0, {}), "bob": (1, {"french": 2})})
    assert one.digest == same.digest
    # `why` names them in the order of the queue.
    assert one.digest != MemberList("q", {"bob": (1, {"french": 2}), "ann": (0, {})}).digest
    assert [*members_of(one.text)] == ["ann", "bob"]
    assert members_of(one.text) == one.members
    assert len({one.digest, MemberList("p", one.members).digest, MemberList("q", {}).digest}) == 3
