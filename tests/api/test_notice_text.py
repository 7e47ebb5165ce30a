from __future__ import annotations

import json
from dataclasses import fields
from typing import Any, Final

import pytest

from callrouter.api.json_values import moment
from callrouter.api.live import decision_json
from callrouter.api.notice_text import as_json, log_line
from callrouter.model import call_notices, notices
from callrouter.model.agent_status import AgentStatus
from callrouter.model.call_notices import (
    CallEntered,
    CallLeftQueue,
    CallRequeued,
    ConsultationChanged,
    ConversationTransferred,
    DeviceFailed,
    HoldChanged,
    OfferDecided,
    OfferEnded,
    OfferMade,
    WaitingCallMoved,
)
from callrouter.model.commands import Result
from callrouter.model.device_failures import DeviceFailure
from callrouter.model.events import ConnectFault, LegEnd, TransferKind
from callrouter.model.notices import (
    AgentNotified,
    AgentPaused,
    AgentRenamed,
    AgentStatusChanged,
    Notice,
    Oddity,
    QueueRenamed,
    TableReloaded,
)
from callrouter.model.outcomes import ConsultationStep, OfferEnd, RequeueReason
from callrouter.model.routing_table import HangUp, ToQueue
from tests.api.one_of_each import ONE_OF_EACH

_DEFINED: Final[list[type[Any]]] = [
    kind
    for module in (notices, call_notices)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Notice)
]
# `Notice.__subclasses__` has each class twice, since a dataclass with slots is made from another class.
KINDS: Final = sorted(
    {
        kind
        for kind in _DEFINED
        if not any(other is not kind and issubclass(other, kind) for other in _DEFINED)
    },
    key=lambda kind: kind.__name__,
)
"""The classes of notices that the core makes: those without subclasses."""


def name(kind: type[Notice]) -> str:
    return kind.__name__


def test_there_is_an_example_of_each_kind() -> None:
    assert set(KINDS) == set(ONE_OF_EACH)
    assert {kind.__module__ for kind in KINDS} == {notices.__name__, call_notices.__name__}


def test_names_of_kinds_are_stable() -> None:
    names = {kind.kind for kind in KINDS}
    assert " ".join(sorted(names)) == (
        "abandoned accepted completed connected consulted decided device device-failed drained "
        "entered freed held left moved note number-refused offer-ended offered passed paused rang "
        "reloaded reloading renamed replaced requeued resumed rule shared shift signed-in "
        "signed-out state taken told transferred wrap-up wrap-up-ended"
    )
    assert AgentRenamed.kind == QueueRenamed.kind == "renamed"
    assert len(KINDS) == len(names) + 1, "no other two have the same name"


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_every_kind_has_a_json_form_and_a_line(kind: type[Notice]) -> None:
    notice, keys, line = ONE_OF_EACH[kind]
    if isinstance(notice, OfferDecided):
        assert list(decision_json(notice)) == keys.split()
        return  # it is not logged
    view = as_json(notice)
    assert list(view) == ["kind", "at", *keys.split()]
    assert view["kind"] == kind.kind
    shown = [field for field in fields(kind) if field.name != "facts"]  # those are for the record
    assert len(view) == 2 + len(shown) - 1, "every field of the example is shown"
    assert json.loads(json.dumps(view)) == view
    assert log_line(notice) == line


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind is not OfferDecided], ids=name)
def test_every_kind_is_shown_with_as_little_as_there_can_be(kind: Any) -> None:
    """Text may be empty and numbers 0: the core knows no more after a gap."""
    full, _, _ = ONE_OF_EACH[kind]
    empty = {
        one.name: type(value)()
        for one in fields(full)
        if isinstance(value := getattr(full, one.name), str | float | int) and one.name != "at"
    }
    rest = {one.name: getattr(full, one.name) for one in fields(full) if one.name not in empty}
    notice = kind(**rest, **empty)
    assert "" not in as_json(notice).values()
    assert "None" not in log_line(notice)


def test_an_oddity_is_cleaned() -> None:
    assert log_line(Oddity(at=0, text="a\x1b[2Jb\n")) == "a\ufffd[2Jb\ufffd"


def test_a_moment() -> None:
    assert moment(1_763_761_987.1239) == "2025-11-21T21:53:07.123Z"
    assert moment(None) is None


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (
            CallEntered(
                at=0, call="c1", queue="q", position=0, caller_number="", caller_name="",
                waited_s=0.0, refused=Result.CLOSED,
            ),
            "call c1 entered q and found it closed (number withheld)",
        ),
        (
            CallLeftQueue(
                at=0, call="c1", queue="q", result=Result.TIMEOUT, target=ToQueue("sales"),
                position=1, first_position=2, wait_s=61.26, by="",
            ),
            "call c1 left q after 61 s: timeout, to queue:sales",
        ),
        (
            CallLeftQueue(
                at=0, call="c1", queue="q", result=Result.CLOSED, target=HangUp(),
                position=1, first_position=2, wait_s=61.26, by="sam",
            ),
            "call c1 was ended in q after 61 s (by sam)",
        ),
        (
            WaitingCallMoved(
                at=0, call="c1", queue="q", to_queue="sales", to_agent="bob", to_priority=0, by=""
            ),
            "call c1 was moved to queue sales, to agent bob first",
        ),
        (AgentPaused(at=0, agent="bob", reason="", by=""), "agent bob paused"),
        (
            ConversationTransferred(
                at=0, call="c1", queue="q", agent="bob", offer="o1", transfer=TransferKind.BLIND,
                to="+442079460018", wait_s=1.0, talk_s=2.0, first_position=1, by="",
            ),
            "call c1 transferred by bob to +44…018 after 2.0 s",
        ),
        (
            CallRequeued(at=0, call="c1", queue="q", why=ConnectFault.LEG_GONE),
            "call c1 waits again in q: the agent's phone had gone",
        ),
        (
            CallRequeued(at=0, call="c1", queue="q", why=RequeueReason.HUNG_UP_AT_ONCE),
            "call c1 waits again in q: the agent hung up at once",
        ),
        (
            ConsultationChanged(
                at=0, call="c1", queue="q", agent="ann", colleague="bob", what=ConsultationStep.ASKED
            ),
            "call c1: ann asks bob: asked",
        ),
        (
            HoldChanged(at=0, call="c1", queue="q", agent="ann", on=False, by=""),
            "call c1 is not on hold (ann)",
        ),
        (
            DeviceFailed(
                at=0, call="c1", queue="q", agent="ann", offer="o1", device="desk",
                why=DeviceFailure.DROPPED, in_a_row=1, cooldown_s=0.0,
            ),
            "call c1 at ann's desk: hung up at once",
        ),
        (
            AgentStatusChanged(
                at=0, agent="ann", status=AgentStatus.NO_PHONE
            ),
            "agent ann is offline: no phone can ring",
        ),
        (TableReloaded(at=0, agents=0, queues=1), "routing table in force: 0 agents, 1 queue"),
    ],
)  # fmt: skip
def test_lines(notice: Notice, line: str) -> None:
    assert log_line(notice) == line


def test_fields_that_the_api_shows_otherwise() -> None:
    made = OfferMade(
        at=0, call="c", queue="q", agent="a", offer="o", policy=("skills", "random"), idle_s=1.23456,
        priority=2,
    )  # fmt: skip
    assert as_json(made) == {
        "kind": "offered",
        "at": "1970-01-01T00:00:00.000Z",
        "call": "c",
        "queue": "q",
        "agent": "a",
        "offer": "o",
        "policy": "skills > random",
        "idle_s": 1.235,
        "priority": 2,
    }
    for outcome in (
        LegEnd.NO_ANSWER,
        OfferEnd.LOST,
        RequeueReason.FAULTY_LINE,
        ConnectFault.FAILED,
    ):
        ended = OfferEnded(
            at=0, call="c", queue="q", agent="a", offer="o", outcome=outcome, rang_s=-0.5
        )
        assert as_json(ended)["outcome"] == outcome.value
        assert as_json(ended)["rang_s"] == 0.0
    told = AgentNotified(at=0, agent="a", message="")
    assert "message" not in as_json(told)
