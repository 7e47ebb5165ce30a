"""What each operation of the API takes and answers, in the types of `callrouter.api.schemas`.

The OpenAPI document is made from this table and the one of permissions. Tests hold that the routes
of the application are the same, and that what they answer is what is said here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callrouter.api.editing.editor_operations import EDITOR_OPERATIONS
from callrouter.api.operation import NO_FILES, Operation
from callrouter.api.schemas.act_answers import ActsJson
from callrouter.api.schemas.agent_answers import (
    AgentJson,
    AuditJson,
    DeviceAnswerJson,
    MobileJson,
    OwnDeviceJson,
    PauseJson,
)
from callrouter.api.schemas.bodies import (
    ConversationBody,
    DeviceBody,
    EmptyBody,
    HandOverBody,
    LogInBody,
    MessageBody,
    MoveBody,
    OpenScreenBody,
    PauseBody,
    RegisterBody,
    RejectBody,
    ReloadBody,
    TicketBody,
    TransferBody,
    VerifyBody,
    WallScreenBody,
)
from callrouter.api.schemas.call_answers import CallDetailJson, CallJson, QueueJson, TargetsJson
from callrouter.api.schemas.cluster_answers import ClusterJson, HandOverJson
from callrouter.api.schemas.config_answers import HistoryJson, OutcomeJson
from callrouter.api.schemas.record_answers import RecordedCallsJson, ReportJson
from callrouter.api.schemas.screen_answers import (
    MadeWallScreenJson,
    OpenedWallScreenJson,
    WallScreenJson,
)
from callrouter.api.schemas.session_answers import (
    LogInWaysJson,
    SessionItemJson,
    SessionJson,
    TicketJson,
)
from callrouter.api.schemas.status_answers import HealthJson, StatusJson
from callrouter.api.schemas.why_answers import WhyJson, WhyNotJson

_TEXT: Final = {"type": "string"}
_ANOTHERS: Final = {403: "another agent's"}
_CLUSTER: Final = {
    404: "this daemon belongs to no cluster",
    503: "the database can't be asked about the cluster",
}
_VERIFIES: Final = {
    429: "too many requests or verification calls; the detail says when again",
    503: "no PBX can place the verification call now",
}


def _on_agent(summary: str, body: Any = EmptyBody) -> Operation:
    return Operation(summary=summary, answer=AgentJson, body=body)


def _on_conversation(summary: str, body: Any = ConversationBody) -> Operation:
    return Operation(summary=summary, answer=CallJson, body=body)


def _to_provider(summary: str) -> Operation:
    """A step of a log-in. A browser follows it; what goes wrong is said by the page."""
    return Operation(
        summary=summary,
        success=303,
        problems={404: "no provider of OpenID Connect is configured"},
    )


def _on_device(summary: str, body: Any = EmptyBody, success: int = 200) -> Operation:
    return Operation(
        summary=summary,
        answer=DeviceAnswerJson,
        body=body,
        success=success,
        problems=_VERIFIES,
    )


OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    **EDITOR_OPERATIONS,
    ("GET", "/healthz"): Operation(
        summary="Whether calls are served",
        answer=HealthJson,
        query={"strict": _TEXT},
        answers={
            200: "some PBX is in step; with strict: every PBX is",
            503: "no PBX is in step; with strict: some PBX is not",
        },
        problems={429: "too many wrong tokens come from this address"},
    ),
    ("GET", "/metrics"): Operation(
        summary="Counters and gauges for Prometheus",
        media=("text/plain", "the text format of Prometheus"),
    ),
    ("GET", "/api/status"): Operation(
        summary="The daemon, its PBXes and its configuration", answer=StatusJson
    ),
    ("GET", "/api/cluster"): Operation(
        summary="All pools of the cluster, their nodes, and which of these is active",
        answer=ClusterJson,
        problems=_CLUSTER,
    ),
    ("POST", "/api/cluster/hand-over"): Operation(
        summary="Let another node take a pool over",
        answer=HandOverJson,
        body=HandOverBody,
        problems={
            **_CLUSTER,
            404: "this daemon belongs to no cluster, or there is no such pool",
            409: "no node could take over, or it is active already",
            422: "the pool has no such node",
        },
    ),
    ("GET", "/"): Operation(
        summary="The page for people", media=("text/html", "a page that needs JavaScript")
    ),
    ("GET", "/page/{name}"): Operation(
        summary="A file of the page",
        media=("*/*", "a script, a style sheet, a catalogue or a picture"),
        problems={404: "there is no such file"},
    ),
    ("POST", "/api/session"): Operation(
        summary="Log in; the answer sets the session's cookie",
        answer=SessionJson,
        body=LogInBody,
        problems={
            401: "wrong name or password",
            403: "a page of another site",
            411: "the length of the body is missing",
            429: "locked after too many wrong passwords; see Retry-After",
            503: "too many people log in at this moment",
        },
    ),
    ("GET", "/api/log-in"): Operation(
        summary="Whether the browser has a session, and how people can log in", answer=LogInWaysJson
    ),
    ("GET", "/api/oidc/log-in"): _to_provider("Log in through the provider of OpenID Connect"),
    ("GET", "/api/oidc/callback"): _to_provider(
        "Where the provider sends the browser back; begins a session"
    ),
    ("GET", "/api/oidc/log-out"): _to_provider("Log out at the provider as well"),
    ("GET", "/api/session"): Operation(summary="Who sends the request", answer=SessionJson),
    ("DELETE", "/api/session"): Operation(
        summary="Log out", body=EmptyBody, success=204, problems={409: "a token has no session"}
    ),
    ("POST", "/api/session/ticket"): Operation(
        summary="A ticket with which a page of another site opens one live view",
        answer=TicketJson,
        body=TicketBody,
        success=201,
        problems={422: "origin is missing, or is no scheme, host and port"},
    ),
    ("POST", "/api/session/screen"): Operation(
        summary="Open a screen on the wall by its link; the answer sets the screen's cookie",
        answer=OpenedWallScreenJson,
        body=OpenScreenBody,
        problems={
            401: "the link was revoked, or is incomplete",
            403: "a page of another site",
            411: "the length of the body is missing",
            422: "the token is missing",
            429: "too many wrong tokens come from this address",
        },
    ),
    ("GET", "/api/wall-screens"): Operation(
        summary="The links for screens on the wall", answer=list[WallScreenJson]
    ),
    ("POST", "/api/wall-screens"): Operation(
        summary="Make a link for a screen on the wall; this answer alone has its secret",
        answer=MadeWallScreenJson,
        body=WallScreenBody,
        success=201,
        problems={409: "there are too many links", 422: "no name, or a queue that does not exist"},
    ),
    ("DELETE", "/api/wall-screens/{id}"): Operation(
        summary="Revoke a link; its screens are closed", body=EmptyBody, success=204
    ),
    ("GET", "/api/sessions"): Operation(
        summary="Own sessions; for an admin, those of everyone", answer=list[SessionItemJson]
    ),
    ("GET", "/api/sessions/{id}"): Operation(summary="A session", answer=SessionItemJson),
    ("DELETE", "/api/sessions/{id}"): Operation(
        summary="End a session; its live views are closed", body=EmptyBody, success=204
    ),
    ("GET", "/api/openapi.json"): Operation(summary="This document", answer=dict[str, Any]),
    ("GET", "/api/agents"): Operation(summary="All agents", answer=list[AgentJson]),
    ("GET", "/api/agents/{id}"): Operation(summary="An agent", answer=AgentJson),
    ("GET", "/api/agents/{id}/why-not"): Operation(
        summary="Why an agent is not being offered calls now, was not at some time, or for a call",
        answer=WhyNotJson,
        query={
            "queue": _TEXT,
            "at": {
                "type": "string",
                "description": (
                    "a time on record: 09:00, yesterday 09:00, 2026-11-27T09:00, of the site's zone, "
                    "or with an offset"
                ),
            },
            "call": {"type": "string", "description": "a call on record: its id or a part of it"},
        },
        problems={
            409: "the part of an id that was given fits several calls",
            422: "the time makes no sense or lies in the future, or at and call are both given",
            503: "the record can't be read now",
        },
    ),
    ("POST", "/api/agents/{id}/sign-in"): _on_agent("Start work"),
    ("POST", "/api/agents/{id}/sign-out"): _on_agent("Stop work; during a call, after it"),
    ("POST", "/api/agents/{id}/pause"): _on_agent(
        "Take a break; during a call, after it", PauseBody
    ),
    ("POST", "/api/agents/{id}/resume"): _on_agent("Come back from a break"),
    ("POST", "/api/agents/{id}/ready"): _on_agent("End wrap-up early"),
    ("POST", "/api/agents/{id}/free"): _on_agent(
        "What is on the agent's phone, and is not ours, is not a call"
    ),
    ("POST", "/api/agents/{id}/message"): _on_agent(
        "Write a line to an agent, who sees it on their page", MessageBody
    ),
    ("GET", "/api/agents/{id}/devices"): Operation(
        summary="An agent's phones, with whole numbers",
        answer=list[OwnDeviceJson],
        problems=_ANOTHERS,
    ),
    ("POST", "/api/agents/{id}/devices"): _on_device(
        "Register a mobile; the verification call asks for the code of the answer",
        RegisterBody,
        success=201,
    ),
    ("PATCH", "/api/agents/{id}/devices/{device}"): _on_device(
        "Switch a device on or off; of a registered mobile also when and in which order it rings",
        DeviceBody,
    ),
    ("DELETE", "/api/agents/{id}/devices/{device}"): _on_device("Forget a registered mobile"),
    ("POST", "/api/agents/{id}/devices/{device}/verify"): _on_device(
        "Place the verification call again; a supervisor can vouch, or approve", VerifyBody
    ),
    ("POST", "/api/agents/{id}/devices/{device}/reject"): _on_device(
        "Do not accept a mobile that is not in use yet: it is removed, and its agent is told",
        RejectBody,
    ),
    ("GET", "/api/mobiles"): Operation(
        summary="The mobiles that agents registered, with whole numbers",
        answer=list[MobileJson],
        query={
            "status": {
                "enum": ["unverified", "waiting", "in-use"],
                "description": "only these; `waiting`: a supervisor must approve them",
            }
        },
        problems={
            404: "no devices can be registered here",
            422: "status is none of unverified, waiting and in-use",
        },
    ),
    ("GET", "/api/agents/{id}/audit"): Operation(
        summary="What was done about an agent's mobiles",
        answer=AuditJson,
        problems={**_ANOTHERS, 503: "the database can't be read now"},
    ),
    ("GET", "/api/pauses"): Operation(
        summary="The reasons that a pause may have; none: any text", answer=list[PauseJson]
    ),
    ("GET", "/api/queues"): Operation(summary="All queues", answer=list[QueueJson]),
    ("GET", "/api/queues/{id}"): Operation(summary="A queue", answer=QueueJson),
    ("GET", "/api/calls"): Operation(
        summary="Calls that are on, then the last that ended",
        answer=list[CallJson],
        query={"only": {"enum": ["live", "ended"]}},
        problems={422: "only is neither live nor ended"},
    ),
    ("GET", "/api/calls/{id}"): Operation(
        summary="A call, with what happened to it",
        answer=CallDetailJson,
        problems={503: "the record of earlier calls can't be read now"},
    ),
    ("DELETE", "/api/calls/{id}"): Operation(
        summary="End a call: a waiting one, or a conversation",
        answer=CallDetailJson,
        body=EmptyBody,
    ),
    ("GET", "/api/calls/{id}/why"): Operation(
        summary="Every decision taken for a call, with reasons",
        answer=WhyJson,
        problems={
            409: "the part of an id that was given fits several calls",
            503: "the record of earlier calls can't be read now",
        },
    ),
    ("POST", "/api/calls/{id}/move"): Operation(
        summary=(
            "Move a call: a waiting one to a queue, to an agent first, to a priority; "
            "a talk to a queue or an agent"
        ),
        answer=CallDetailJson,
        body=MoveBody,
    ),
    ("GET", "/api/agents/{id}/targets"): Operation(
        summary="Where an agent can send a caller: queues, and colleagues of own queues",
        answer=TargetsJson,
    ),
    ("POST", "/api/agents/{id}/call/hold"): _on_conversation("Let the caller hear music"),
    ("POST", "/api/agents/{id}/call/unhold"): _on_conversation(
        "Let the caller hear the agent again"
    ),
    ("POST", "/api/agents/{id}/call/transfer"): _on_conversation(
        "Give the caller away: to a queue, to an agent of the queue, or to a number outside",
        TransferBody,
    ),
    ("POST", "/api/agents/{id}/call/consult"): _on_conversation(
        "Put the caller on hold and ring a colleague", TransferBody
    ),
    ("POST", "/api/agents/{id}/call/complete"): _on_conversation(
        "Give the caller to the colleague who was asked"
    ),
    ("POST", "/api/agents/{id}/call/cancel"): _on_conversation(
        "Let the colleague go and take the caller back"
    ),
    ("GET", "/api/reports/{what}"): Operation(
        summary=(
            "Figures of a period: queues, agents, calls, abandoned, pauses, hours, fairness, or the "
            "story of one call"
        ),
        answer=ReportJson,
        query={
            "period": {
                "type": "string",
                "default": "today",
                "description": (
                    "today, yesterday, this week, last week, this month, last month, 2026-11-27, "
                    "2026-11-01..2026-11-07 or 2026-11-27T09:00..2026-11-27T12:00, of the site's time "
                    "zone"
                ),
            },
            "by": {"enum": ["15m", "30m", "1h", "1d", "1w", "1mo"]},
            "queue": _TEXT,
            "agent": _TEXT,
            "call": {"type": "string", "description": "the id of the call, for the report call"},
            "figure": {
                "type": "string",
                "description": (
                    "for the report calls: only those that make this figure, such as queues.answered; "
                    "a row for each stay, offer or conversation that it counts"
                ),
            },
            "format": {"enum": ["json", "csv", "xlsx", "png"], "default": "json"},
        },
        problems={
            404: "there is no such report",
            422: "the query is wrong, or this report cannot be had in this format",
            501: "a library for this format is not installed",
            503: "too many reports wait to be made, or the database can't be read now",
        },
        files=(
            "text/csv",
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            "image/png",
            "application/x-ndjson",
        ),
    ),
    ("GET", "/api/records/calls"): Operation(
        summary="Ended calls on record, the last to end first, page by page",
        answer=RecordedCallsJson,
        query={
            "from": {"type": "string", "description": "calls that entered then or later"},
            "to": {"type": "string", "description": "calls that entered before"},
            "queue": _TEXT,
            "agent": {"type": "string", "description": "who was rung for it or talked on it"},
            "number": {"type": "string", "description": "the caller's number"},
            "outcome": {"enum": ["answered", "abandoned", "left", "moved-away", "lost"]},
            "cursor": {"type": "string", "description": "`next` of the page before"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        },
        problems={
            403: "not allowed to this caller",
            404: "this daemon keeps no record",
            422: "the query is wrong",
            503: "the database can't be read now",
        },
    ),
    ("GET", "/api/audit"): Operation(
        summary="Who did what, the last act first, page by page",
        answer=ActsJson,
        query={
            "from": {"type": "string", "description": "acts then or later"},
            "to": {"type": "string", "description": "acts before"},
            "who": {
                "type": "string",
                "description": "who acted: a user, agent, token or local user",
            },
            "target": {
                "type": "string",
                "description": "an agent, a queue, a call, a file, a user: what it is about",
            },
            "cursor": {"type": "string", "description": "`next` of the page before"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
        },
        problems={
            404: "this daemon keeps no record",
            422: "the query is wrong",
            503: "the database can't be read now",
        },
    ),
    ("GET", "/api/config/diff"): Operation(
        summary="What the configuration files would change now, in words",
        answer=OutcomeJson,
        query={"folder": _TEXT},
        problems={
            **NO_FILES,
            403: "only the command line may name a folder",
            422: "folder is not an absolute path",
        },
    ),
    ("GET", "/api/config/history"): Operation(
        summary="The changes of the configuration so far",
        answer=HistoryJson,
        problems={**NO_FILES, 503: "the history cannot be read now"},
    ),
    ("POST", "/api/config/reload"): Operation(
        summary="Read the configuration files now",
        answer=OutcomeJson,
        body=ReloadBody,
        problems=NO_FILES,
    ),
    ("GET", "/api/live"): Operation(
        summary="WebSocket: the state, then every notice; with topics, the rows that change",
        success=101,
        query={
            "topics": _TEXT,
            "ticket": {"type": "string", "description": "in place of a token or cookie"},
        },
        problems={
            400: "Upgrade or Sec-WebSocket-Key is not ASCII",
            403: "a page of another site; the detail says what came and what would allow it",
            422: "a topic is none of agents, queues and calls, or there is no such parameter",
            426: "this is no WebSocket client",
            503: "too many live views are open",
        },
    ),
}
"""By method and path."""
