"""Turns the daemon's records into sentences for a viewer: who was rung, and why."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from callrouter.demo.figures import epoch
from callrouter.model.text import clean

Json: TypeAlias = dict[str, Any]

AT_ONCE: Final = 0.02
"""Maximum seconds between two records that belong to one decision."""
KEEP: Final = 60
_FAILED: Final = {
    "no answer": "did not answer",
    "declined": "said no",
    "wrong key": "picked up, and pressed neither 1 nor 2",
    "busy": "was busy",
    "not accepted": "picked up, but key 1 was not pressed (a voicemail?)",
    "unreachable": "could not be reached",
    "unavailable": "takes no calls now",
    "failed": "could not be rung",
    "hung up": "hung up",
}
_BY: Final = {
    "priority": "priority {priority}",
    "longest-idle": "longest idle",
    "round-robin": "next in turn",
    "random": "drawn",
    "ring-all": "all ring at once",
}


@dataclass(frozen=True, slots=True)
class StoryLine:
    """A sentence; `kind` is the record's, for its colour.

    Attributes:
        at: when it happened, in epoch seconds.
        kind: the record's kind.
        text: the sentence, without control characters.
        seconds: the same time, counted from the start of the demo.
    """

    at: float
    kind: str
    text: str
    seconds: float


@dataclass(slots=True)
class Known:
    """What is remembered of a call.

    Attributes:
        number: the caller's number, or words for one who withholds it.
        entered_at: when the call entered a queue, in epoch seconds.
        queue: the queue it entered.
        last_failed: the agent whose phone was last rung in vain; empty if none was.
        last_failed_at: when that was, in epoch seconds.
    """

    number: str
    entered_at: float
    queue: str
    last_failed: str = ""
    last_failed_at: float = 0.0


@dataclass(slots=True)
class Story:
    """Turns records into lines. `decisions` are those about who was rung and why, oldest first.

    Attributes:
        started_at: epoch seconds; the times of lines count from here.
    """

    started_at: float
    decisions: deque[StoryLine] = field(default_factory=lambda: deque(maxlen=KEEP))
    _calls: dict[str, Known] = field(default_factory=dict)
    _group: tuple[str, float] = ("", 0.0)
    _grouped: list[str] = field(default_factory=list)
    _freed: dict[str, float] = field(default_factory=dict)

    def take(self, record: Json) -> StoryLine | None:
        """Return the line for a record; None if it tells a person nothing new.

        It raises KeyError for a record that lacks what every record of its kind has.
        """
        at = epoch(record["at"])
        if record["kind"] in {"wrap-up-ended", "resumed"}:
            self._freed[record["agent"]] = at
        text = self._say(record, at)
        if not text:
            return None
        line = StoryLine(at, record["kind"], clean(text), at - self.started_at)
        if record["kind"] in {"offered", "offer-ended", "requeued", "left", "paused", "moved"}:
            self._add(record, line)
        return line

    def _add(self, record: Json, line: StoryLine) -> None:
        """Keep a decision; ringing several phones at once counts as one."""
        same = record["kind"] == "offered" and record["call"] == self._group[0]
        if same and line.at - self._group[1] < AT_ONCE and self.decisions:
            self._grouped.append(record["agent"])
            text = f"{record['queue']} → {', '.join(self._grouped)}: all at once"
            self.decisions[-1] = StoryLine(line.at, line.kind, clean(text), line.seconds)
            return
        if record["kind"] == "offered":
            self._group, self._grouped = (record["call"], line.at), [record["agent"]]
        else:
            self._group = ("", 0.0)
        self.decisions.append(line)

    def _say(self, record: Json, at: float) -> str:
        call, queue = record.get("call", ""), record.get("queue", "")
        agent = record.get("agent", "")
        known = self._calls.get(call) or Known("a caller", at, queue)
        match record["kind"]:
            case "entered":
                number = record.get("caller_number") or "number withheld"
                self._calls[call] = Known(number, at, queue)
                return f"{queue}: {number} calls, position {record.get('position', 1)}"
            case "offered":
                return f"{queue} → {agent}: {self._reason(record, known, at)}"
            case "offer-ended":
                return self._failed(record, known, at)
            case "connected":
                return (
                    f"{queue}: {agent} connected with {known.number} after {record['wait_s']:.1f} s"
                )
            case "completed":
                by = record.get("by", "")
                self._calls.pop(call, None)
                return f"{queue}: {known.number} and {agent} talked {record['talk_s']:.0f} s; the {by} hung up"
            case "abandoned":
                self._calls.pop(call, None)
                return f"{queue}: {known.number} gave up after {record['wait_s']:.0f} s"
            case _:
                return self._other(record, known)

    def _other(self, record: Json, known: Known) -> str:
        queue, agent = record.get("queue", ""), record.get("agent", "")
        match record["kind"]:
            case "requeued":
                return f"{queue}: {known.number} waits again: {record.get('why', '')}"
            case "left":
                where = record.get("target") or "back to the dialplan"
                where = where.replace("queue:", "on to ")
                return f"{queue}: {known.number} after {record['wait_s']:.0f} s {where} ({record['result']})"
            case "moved":
                return f"{queue}: {known.number} was moved by a supervisor"
            case "paused":
                return f"{agent} takes a break: {record.get('reason', 'no reason given')}"
            case "resumed":
                return f"{agent} is back"
            case "signed-in":
                return f"{agent} signed in"
            case "signed-out":
                return f"{agent} signed out"
            case _:
                return ""

    def _reason(self, record: Json, known: Known, at: float) -> str:
        by = str(record.get("policy", "")).split(" > ", maxsplit=1)[0]
        if by == "ring-all":
            return _BY[by]
        idle = f"idle {record['idle_s']:.0f} s"
        rank = _BY.get(by, by).format(priority=record.get("priority", "?"))
        waited = at - known.entered_at
        if at - self._freed.get(record["agent"], 0.0) < AT_ONCE:
            return f"free again, and {known.number} is next (waited {waited:.0f} s)"
        if known.last_failed and at - known.last_failed_at < AT_ONCE:
            return f"next after {known.last_failed}; {rank}, {idle}"
        if waited < AT_ONCE or record["idle_s"] > waited:
            return f"first by {rank}, {idle}" if by == "priority" else f"{rank} ({idle})"
        return f"{rank}, {idle}; {known.number} has waited {waited:.0f} s"

    @staticmethod
    def _failed(record: Json, known: Known, at: float) -> str:
        how = _FAILED.get(record.get("outcome", ""))
        if how is None:
            return ""  # withdrawn or answered elsewhere: its reason has its own line
        known.last_failed, known.last_failed_at = record["agent"], at
        return f"{record['queue']}: {record['agent']} {how} ({record['rang_s']:.0f} s)"
