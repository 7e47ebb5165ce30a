"""What is stored of events: those that are not delivered yet, and the calls they are about."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxRow:
    """An event that waits to be delivered to one destination.

    - `event`: its id, the same at every attempt and for every destination.
    - `serial`: grows from event to event; those with the same `order_key` are sent in this order.
    - `name`: its kind, such as ``call.ended``.
    - `at`: when it happened (epoch seconds).
    - `attempts`: how often its delivery failed.
    - `due`: when it is tried next (epoch seconds).
    - `body`: what is sent, as JSON.
    """

    event: str
    destination: str
    serial: int
    order_key: str
    name: str
    at: float
    attempts: int = 0
    due: float = 0.0
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenCallRow:
    """A call of which events were sent, and whose end was not yet.

    With it, the end names the right agent and the whole wait after a restart, and a call that ended
    while the router was down gets its end.

    - `agent`: who had the caller last; empty: no agent did. `agent_before`: who had them before that.
    - `entered_at`: the first entry; `queued_at`: that into the present queue (epoch seconds).
    - `connected_at`: when the present conversation began; None: the caller waits.
    - `wait_s`, `talk_s`: of the stays and conversations that are over.
    """

    call: str
    queue: str
    number: str
    name: str
    entered_at: float
    queued_at: float
    connected_at: float | None = None
    agent: str = ""
    agent_before: str = ""
    wait_s: float = 0.0
    talk_s: float = 0.0
    offers: int = 0
    transfers: int = 0
