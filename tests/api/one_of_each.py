"""A notice of each kind with all fields set, the keys of its JSON form, and its line of the log."""

from __future__ import annotations

from typing import Any, Final

from callrouter.model.agent_status import AgentStatus
from callrouter.model.call_notices import (
    CallAbandoned,
    CallCompleted,
    CallEntered,
    CallerIdRefused,
    CallLeftQueue,
    CallMovedAway,
    CallPutThrough,
    CallRequeued,
    ConsultationChanged,
    ConversationStarted,
    ConversationTransferred,
    DeviceFailed,
    HoldChanged,
    OfferAccepted,
    OfferDecided,
    OfferEnded,
    OfferMade,
    OfferRang,
    OfferShared,
    PlaceHandedOver,
    RuleApplied,
    WaitingCallMoved,
    WrapUpStarted,
)
from callrouter.model.commands import Result
from callrouter.model.events import CallerEnd, LegEnd, TransferKind
from callrouter.model.notices import (
    AgentDeviceSwitched,
    AgentNotified,
    AgentPaused,
    AgentRenamed,
    AgentResumed,
    AgentSignedIn,
    AgentSignedOut,
    AgentStatusChanged,
    Notice,
    Oddity,
    PrivateCallDisregarded,
    QueueDrained,
    QueueRenamed,
    ShiftChanged,
    TablePartlyReloaded,
    TableReloaded,
    WrapUpEnded,
)
from callrouter.model.outcomes import (
    ConsultationStep,
    EndedBy,
    OfferEnd,
    RequeueReason,
    ShareReason,
)
from callrouter.model.routing_table import ToDialplan

_CALL: Final[dict[str, Any]] = {"at": 0.5, "call": "c1", "queue": "q"}
_OFFER: Final[dict[str, Any]] = {**_CALL, "agent": "ann", "offer": "o1"}
_AGENT: Final[dict[str, Any]] = {"at": 0.5, "agent": "ann"}
_WAITED: Final[dict[str, Any]] = {"position": 2, "first_position": 3, "wait_s": 61.26}

_EXAMPLES: Final[tuple[tuple[Notice, str, str], ...]] = (
    (RuleApplied(**_CALL, rule="VIP"), "call queue rule", "call c1: rule 'VIP' applies"),
    (
        CallEntered(
            **_CALL, position=2, caller_number="+442079460018", caller_name="Jo", waited_s=4.0,
            refused=Result.FULL,
        ),
        "call queue position caller_number caller_name waited_s refused",
        "call c1 entered q at position 2 (+44…018)",
    ),
    (
        WaitingCallMoved(**_CALL, to_queue="q", to_agent="bob", to_priority=5, by="sam"),
        "call queue to_queue to_agent to_priority by",
        "call c1 was moved to queue q, to agent bob first, to priority 5 (by sam)",
    ),
    (
        PlaceHandedOver(**_CALL, agent="ann", caller_number="+442079460018", caller_name="Jo"),
        "call queue agent caller_number caller_name",
        "call c1: +44…018 has taken over its place, transferred by ann",
    ),
    (
        CallAbandoned(**_CALL, **_WAITED, how=CallerEnd.HUNG_UP),
        "call queue position first_position wait_s how",
        "call c1 hung up in q after 61 s",
    ),
    (
        CallMovedAway(**_CALL, **_WAITED, how=CallerEnd.MOVED_AWAY),
        "call queue position first_position wait_s how",
        "call c1 was taken out of q by another program",
    ),
    (
        CallLeftQueue(
            **_CALL, **_WAITED, result=Result.TIMEOUT, target=ToDialplan("voicemail", "s", "1"),
            by="sam",
        ),
        "call queue result target position first_position wait_s by",
        "call c1 left q after 61 s: timeout, to dialplan:voicemail,s,1 (by sam)",
    ),
    (
        OfferMade(
            **_OFFER, policy=("priority",), idle_s=9.0, priority=2, left_out="home not reachable"
        ),
        "call queue agent offer policy idle_s priority left_out",
        "call c1 offered to ann (by priority)",
    ),
    (
        OfferDecided(
            **_OFFER, policy=("priority",), available=2, ranked=(((1.0,), 0.0, "ann"),), waiting=1,
            waited_s=4.0, tried=("bob",), by_agent=False, preferred=False, drawn=0,
        ),
        "type at call queue agent offer policy available waiting waited_s by_agent preferred drawn",
        "",
    ),
    (OfferRang(**_OFFER), "call queue agent offer", "call c1 rings at ann"),
    (
        OfferShared(**_OFFER, device="mobile", why=ShareReason.NOT_ACCEPTED_YET),
        "call queue agent offer device why",
        "call c1 is offered to others besides ann (mobile: picked up, key 1 not pressed yet)",
    ),
    (
        OfferEnded(**_OFFER, outcome=OfferEnd.WITHDRAWN, rang_s=4.25),
        "call queue agent offer outcome rang_s",
        "call c1 no longer offered to ann: withdrawn after 4.2 s",
    ),
    (
        OfferAccepted(**_OFFER, device="desk"),
        "call queue agent offer device",
        "call c1 accepted by ann on desk",
    ),
    (
        DeviceFailed(**_OFFER, device="desk", why=LegEnd.BUSY, in_a_row=3, cooldown_s=4.0),
        "call queue agent offer device why in_a_row rest_s",
        "call c1 at ann's desk: busy, 3 times in a row; rung again in 4.0 s",
    ),
    (
        CallerIdRefused(**_OFFER, device="mobile", rung_again=True),
        "call queue agent offer device then_shown",
        "call c1 at ann's mobile: the carrier refused the number shown; rung again with the business's",
    ),
    (
        ConversationStarted(**_OFFER, wait_s=12.0, rang_s=3.0),
        "call queue agent offer wait_s rang_s",
        "call c1 talks to ann after 12 s",
    ),
    (
        CallRequeued(**_CALL, why=RequeueReason.PASSED_ON),
        "call queue why",
        "call c1 waits again in q: passed on",
    ),
    (
        HoldChanged(**_CALL, agent="ann", on=True, by="sam"),
        "call queue agent hold by",
        "call c1 is on hold (ann) (by sam)",
    ),
    (
        ConsultationChanged(
            **_CALL, agent="ann", colleague="bob", what=ConsultationStep.TALKING
        ),
        "call queue agent colleague what",
        "call c1: ann asks bob: talks",
    ),
    (
        CallPutThrough(**_OFFER, to="bob", by="sam"),
        "call queue agent offer to by",
        "call c1 was put through by ann to bob (by sam)",
    ),
    (
        ConversationTransferred(
            **_OFFER, transfer=TransferKind.ATTENDED, to="1234", wait_s=1.0, talk_s=2.0,
            first_position=1, by="sam",
        ),
        "call queue agent offer transfer to wait_s talk_s first_position by",
        "call c1 transferred by ann to …234 after 2.0 s (by sam)",
    ),
    (
        CallCompleted(
            **_OFFER, by=EndedBy.SUPERVISOR, wait_s=1.0, talk_s=2.0, first_position=1,
            ended_by="sam",
        ),
        "call queue agent offer by wait_s talk_s first_position ended_by",
        "call c1 completed: 2.0 s with ann, ended by sam",
    ),
    (
        WrapUpStarted(**_CALL, agent="ann", wrap_up_s=15.0),
        "call queue agent wrap_up_s",
        "agent ann in wrap-up for 15 s",
    ),
    (AgentSignedIn(**_AGENT, by="sam"), "agent by", "agent ann signed in (by sam)"),
    (
        AgentSignedOut(**_AGENT, signed_in_s=3600.0, by="sam"),
        "agent signed_in_s by",
        "agent ann signed out (by sam)",
    ),
    (
        AgentPaused(**_AGENT, reason="lunch", by="sam"),
        "agent reason by",
        "agent ann paused: lunch (by sam)",
    ),
    (
        AgentResumed(**_AGENT, reason="lunch", by="sam"),
        "agent reason by",
        "agent ann resumed (by sam)",
    ),
    (WrapUpEnded(**_AGENT, queue="q"), "queue agent", "agent ann ended wrap-up"),
    (
        AgentDeviceSwitched(**_AGENT, device="mobile", on=False, by="sam"),
        "agent device switched by",
        "agent ann: mobile switched off (by sam)",
    ),
    (
        PrivateCallDisregarded(**_AGENT, device="desk", channel="PJSIP/1001-7", by="sam"),
        "agent device channel by",
        "agent ann: PJSIP/1001-7 on desk counts as no call (by sam)",
    ),
    (
        AgentNotified(**_AGENT, message="signed in by sam"),
        "agent message",
        "agent ann is told: signed in by sam",
    ),
    (
        AgentStatusChanged(**_AGENT, status=AgentStatus.PAUSED, pause_reason="lunch"),
        "agent state why",
        "agent ann is paused: lunch",
    ),
    (AgentRenamed(**_AGENT, former_id="an"), "agent was", "agent ann was called an before"),
    (
        QueueRenamed(at=0.5, queue="q", former_id="p"),
        "queue was",
        "queue q was called p before",
    ),
    (
        ShiftChanged(at=0.5, queue="q", members=2),
        "queue members",
        "queue q: another shift, 2 agents",
    ),
    (
        QueueDrained(at=0.5, queue="q"),
        "queue",
        "queue q, which was taken out, has served its last caller and is gone",
    ),
    (
        TablePartlyReloaded(at=0.5, agents=2, queues=1),
        "agents queues",
        "routing table partly in force: 2 agents, 1 queue",
    ),
    (
        TableReloaded(at=0.5, agents=2, queues=1),
        "agents queues",
        "routing table in force: 2 agents, 1 queue",
    ),
    (
        Oddity(at=0.5, text="call c1 arrived for 'x', which is not a queue", mistake="queue"),
        "text mistake",
        "call c1 arrived for 'x', which is not a queue",
    ),
)  # fmt: skip

ONE_OF_EACH: Final = {type(example[0]): example for example in _EXAMPLES}
