"""Answers of the API, each with all its fields. What a test changes in them is checked as well."""

from __future__ import annotations

from typing import Any, cast

from callrouter.api.schemas.agent_answers import AgentJson, DeviceAnswerJson, OwnDeviceJson
from callrouter.api.schemas.call_answers import CallJson, QueueJson
from callrouter.api.schemas.config_answers import MistakeJson, OutcomeJson
from callrouter.api.schemas.status_answers import StatusJson
from tests.api.contract import of_component


def _checked(name: str, base: dict[str, Any], more: dict[str, Any]) -> Any:
    made = base | more
    assert of_component(made, name) == []
    return made


def an_agent(**more: Any) -> AgentJson:
    """alice, at lunch since 10:32, by sam."""
    base = {
        "id": "alice", "name": "Alice Martin", "state": "paused", "reason": "lunch",
        "since": "2026-11-24T10:32:00Z", "by": "sam", "by_at": "2026-11-24T10:32:00Z",
        "until": "2026-11-24T11:17:00Z", "then": "resume", "signed_in": True,
        "signed_in_at": "2026-11-24T08:00:00Z", "pending": None, "pending_by": None,
        "pause_reason": "lunch", "wrap_up_s": None, "idle_s": None, "call": None, "calls": [],
        "calls_today": 12, "missed_in_a_row": 0, "capacity": 1, "why_not": [], "why_not_phrases": [], "messages": [], "messages_phrases": [],
        "devices": [a_device()],
        "queues": [{"id": "support", "priority": 1}, {"id": "sales", "priority": 50}],
    }  # fmt: skip
    return cast("AgentJson", _checked("Agent", base, more))


def a_device(**more: Any) -> dict[str, Any]:
    base = {
        "id": "desk", "kind": "endpoint", "address": "PJSIP/1001", "addresses": {},
        "state": "idle", "enabled": True, "confirm": False, "trouble": None,
    }  # fmt: skip
    return cast("dict[str, Any]", _checked("Device", base, more))


def an_own_device(**more: Any) -> OwnDeviceJson:
    """A mobile that is in use."""
    base = {
        **a_device(), "id": "mobile", "kind": "number", "address": "+447700900123",
        "confirm": True, "source": "registered", "status": "in-use", "ring_after_s": 10.0,
        "hours": None, "order": 0, "added_at": "2026-11-24T08:00:00Z", "added_by": "alice",
        "verified_at": "2026-11-24T08:01:00Z", "approved_by": None,
    }  # fmt: skip
    return cast("OwnDeviceJson", _checked("OwnDevice", base, more))


def a_device_answer(**more: Any) -> DeviceAnswerJson:
    base = {
        "text": "key in the code", "code": "123456", "expires_at": "2026-11-24T10:50:00Z",
        "device": an_own_device(status="unverified"),
    }  # fmt: skip
    return cast("DeviceAnswerJson", _checked("DeviceAnswer", base, more))


def a_call(**more: Any) -> CallJson:
    """Jane, who waits for support."""
    base: dict[str, Any] = {
        "id": "office-1795839848.363", "pbx": "office", "queue": "support",
        "caller_number": "+442079460018", "caller_name": "Jane", "called_number": None,
        "tag": None, "state": "waiting", "agent": None, "held": False, "can_hold": False, "consulting": None, "consulting_state": None,
        "entered_at": "2026-11-24T10:30:00Z", "wait_s": 754.0, "talk_s": None, "priority": 50,
        "position": 1, "offers": [], "ended_at": None, "result": None,
    }  # fmt: skip
    return cast("CallJson", _checked("Call", base, more))


def an_offer(agent: str) -> dict[str, Any]:
    return {
        "id": "o1", "agent": agent, "state": "ringing", "rang": True, "since_s": 3.0,
        "devices": {"desk": "ringing"},
    }  # fmt: skip


def a_queue(name: str = "support", waiting: int = 0, **more: Any) -> QueueJson:
    """A queue with one agent in each state, and so many callers."""
    states = ("offline", "available", "reserved", "ringing", "on-call", "wrap-up", "paused")
    calls = [
        {"call": f"office-1795839848.{n}", "position": n + 1, "caller_number": "+442079460018",
         "caller_name": "Jane", "priority": 50, "wait_s": 90.0 - n, "state": "waiting", "ringing": []}
        for n in range(waiting)
    ]  # fmt: skip
    base = {
        "id": name, "name": name.title(), "policy": ["longest-idle"], "waiting": calls,
        "talking": 3, "free": 1, "longest_wait_s": 90.0 if waiting else 0.0,
        "agents": {state: ["a"] for state in states},
        "today": {"entered": 1234, "answered": 1200, "abandoned": 30, "left": 4, "longest_wait_s": 90.0},
        "service_level": {"within_s": 20.0, "target": 80, "percent": 97.3},
    }  # fmt: skip
    return cast("QueueJson", _checked("Queue", base, more))


def a_mistake(**more: Any) -> MistakeJson:
    base = {"file": "agents.yaml", "line": 3, "column": 5, "text": "unknown key 'nam'", "hint": "did you mean 'name'?"}  # fmt: skip
    return cast("MistakeJson", _checked("Mistake", base, more))


def an_outcome(**more: Any) -> OutcomeJson:
    base: dict[str, Any] = {"ok": True, "changes": [], "problems": [], "warnings": []}
    return cast("OutcomeJson", _checked("Outcome", base, more))


def a_status(**more: Any) -> StatusJson:
    """A daemon that has nothing to complain of."""
    base: dict[str, Any] = {
        "version": "0.1.0", "pid": 7, "started_at": "2026-11-24T08:00:00Z", "uptime_s": 9600.0,
        "listen": "http://127.0.0.1:8080", "pbx": {"office": a_pbx()}, "config": a_config(),
        "agents": {"offline": 1, "available": 2, "reserved": 0, "ringing": 0, "on-call": 0, "wrap-up": 0, "paused": 0},
        "calls": {"waiting": 1, "connecting": 0, "talking": 2}, "queues": 2, "faults": 0,
        "handled": 12, "history": "/var/lib/callrouter/history", "http": {"refused": {}},
        "store": a_store(), "invariants": {"rounds": 5, "breaches": 0, "last_breach": None},
        "loop": {"held_up": 0, "longest_ms": 0, "by": None},
        "reception": {"conversations": 0, "wrong_pins": 0, "lockouts": 0},
        "mobiles": {"unverified": 0, "waiting": 0, "in-use": 0, "calls_today": 0, "refused": {}},
    }  # fmt: skip
    return cast("StatusJson", _checked("Status", base, more))


def a_pbx(**more: Any) -> dict[str, Any]:
    base = {
        "state": "up", "detail": "Asterisk 22.5.2 at 127.0.0.1:5038", "drift": 0, "faults": 0,
        "counts": {}, "link": {},
    }  # fmt: skip
    return cast("dict[str, Any]", _checked("PbxStatus", base, more))


def a_config(**more: Any) -> dict[str, Any]:
    base = {
        "state": "good", "held": [], "last_good": False, "folder": "/etc/callrouter",
        "loaded_at": "2026-11-24T08:00:00Z", "problems": [], "warnings": [], "needs_restart": [],
        "source": "files", "version": None, "away": None, "differs_from": None,
    }  # fmt: skip
    return cast("dict[str, Any]", _checked("ConfigStatus", base, more))


def a_store(**more: Any) -> dict[str, Any]:
    base = {"state": "good", "database": "callrouter.db", "problem": None, "unsaved": 0, "lost": 0}
    return cast("dict[str, Any]", _checked("StoreStatus", base, more))
