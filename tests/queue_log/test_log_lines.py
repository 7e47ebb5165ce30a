"""Which lines of queue_log each notice gives. No Asterisk: `test_queuelog` has the real ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallLeftQueue,
    CallMovedAway,
    ConversationStarted,
    ConversationTransferred,
    OfferEnded,
    WaitingCallMoved,
)
from callrouter.model.commands import Result
from callrouter.model.events import ConnectFault, LegEnd, TransferKind
from callrouter.model.notices import (
    AgentPaused,
    AgentResumed,
    AgentSignedIn,
    AgentSignedOut,
    Notice,
)
from callrouter.model.outcomes import EndedBy, OfferEnd, OfferOutcome, RequeueReason
from callrouter.queue_log.log_lines import CallChannels, LineContext, lines
from tests.api.one_of_each import ONE_OF_EACH

CONTEXT = LineContext(channels=CallChannels("1.2", "1.3"), agent="Ann", queues=("q", "r"))

LINES: dict[type[Notice], list[str]] = {
    CallEntered: ["q ENTERQUEUE |+442079460018|2|Jo"],
    WaitingCallMoved: ["q ENTERQUEUE ||1"],
    OfferEnded: ["q RINGCANCELED 4250"],
    ConversationStarted: ["q CONNECT 12|1.3|3"],
    CallCompleted: ["q COMPLETECALLER 1|2|1"],
    ConversationTransferred: ["q ATTENDEDTRANSFER BRIDGE|1234|1|2|1"],
    CallAbandoned: ["q ABANDON 2|3|61"],
    CallMovedAway: ["q WITHDRAW 2|3|61|taken elsewhere"],
    CallLeftQueue: ["q EXITWITHTIMEOUT 2|3|61"],
    AgentSignedIn: ["NONE AGENTLOGIN sam", "q ADDMEMBER ", "r ADDMEMBER "],
    AgentSignedOut: ["q REMOVEMEMBER ", "r REMOVEMEMBER ", "NONE AGENTLOGOFF sam|3600"],
    AgentPaused: ["q PAUSE lunch", "r PAUSE lunch", "NONE PAUSEALL lunch"],
    AgentResumed: ["q UNPAUSE lunch", "r UNPAUSE lunch", "NONE UNPAUSEALL lunch"],
}


def written(notice: Notice, context: LineContext = CONTEXT) -> list[str]:
    actions = [line.action() for line in lines(notice, context)]
    return [f"{one['Queue']} {one['Event']} {one['Message']}" for one in actions]


@pytest.mark.parametrize("kind", ONE_OF_EACH, ids=lambda kind: kind.__name__)
def test_every_notice_gives_the_lines_that_app_queue_would_write(kind: type[Notice]) -> None:
    notice, _, _ = ONE_OF_EACH[kind]
    assert written(notice) == LINES.get(kind, [])


def example(kind: type[Notice], **changes: Any) -> Notice:
    return replace(ONE_OF_EACH[kind][0], **changes)


@pytest.mark.parametrize("outcome", [*LegEnd, *OfferEnd, *RequeueReason, *ConnectFault])
def test_an_offer_that_rang_in_vain(outcome: OfferOutcome) -> None:
    rang = isinstance(outcome, LegEnd) and outcome not in {LegEnd.FAILED, LegEnd.NUMBER_REFUSED}
    cancelled = outcome in {OfferEnd.WITHDRAWN, OfferEnd.CALLER_GONE}
    events = ["RINGNOANSWER"] if rang else ["RINGCANCELED"] if cancelled else []
    notice = example(OfferEnded, outcome=outcome)
    assert written(notice) == [f"q {event} 4250" for event in events]


@pytest.mark.parametrize(
    ("notice", "line"),
    [
        (example(CallEntered, position=0), []),
        (example(WaitingCallMoved, to_queue=""), []),
        (example(CallCompleted, by=EndedBy.AGENT), ["q COMPLETEAGENT 1|2|1"]),
        (
            example(ConversationTransferred, transfer=TransferKind.BLIND, to="8001@phones"),
            ["q BLINDTRANSFER 8001|phones|1|2|1"],
        ),
        (example(CallLeftQueue, result=Result.NOBODY), ["q EXITEMPTY 2|3|61"]),
        (example(CallLeftQueue, result=Result.CLOSED), ["q WITHDRAW 2|3|61|closed"]),
        (example(CallLeftQueue, result=Result.FULL), []),
    ],
)
def test_lines_that_depend_on_more_than_the_kind(notice: Notice, line: list[str]) -> None:
    assert written(notice) == line


def test_a_call_that_an_earlier_run_has_logged_does_not_enter_again() -> None:
    assert (
        written(
            example(CallEntered), replace(CONTEXT, channels=CallChannels("1.2", entry_logged=True))
        )
        == []
    )
