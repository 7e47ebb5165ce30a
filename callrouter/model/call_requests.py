"""What people ask of calls and conversations: by the API, the page or a phone.

They are events of the core, as the others are; `events` has the union of all of them. A request that is refused because
of an id that nothing has is answered in the words below. Suggest only ids that the person may see.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from callrouter.model.frozen import frozen
from callrouter.model.text import nearest_name, phrase


@frozen
class CallMoveRequested:
    """A supervisor moves a waiting call: to another queue, to an agent first, or to a priority."""

    call: str
    queue: str = ""
    agent: str = ""
    priority: int | None = None
    by: str = ""


class ConversationAction(Enum):
    """What can be done with a conversation. The values are those of the API."""

    HOLD = "hold"
    UNHOLD = "unhold"
    TRANSFER = "transfer"
    """Blind: to a queue, or to an agent of the queue."""
    CONSULT = "consult"
    """Put the caller on hold and ring a colleague."""
    COMPLETE = "complete"
    """Put the caller through to the colleague."""
    CANCEL = "cancel"
    """Release the colleague and take the caller off hold."""


@frozen
class ConversationRequested:
    """A request to do something with a conversation, by its agent or by another person for them."""

    call: str
    action: ConversationAction
    queue: str = ""
    agent: str = ""
    by: str = ""
    number: str = ""
    """Where a transfer goes, if that is a number outside (E.164)."""


@frozen
class CallEndRequested:
    """A supervisor ends a call."""

    call: str
    by: str = ""


def no_agent(agent: str, known: Iterable[str] = ()) -> str:
    """No agent has this id; of the `known` ones the nearest is suggested."""
    if near := nearest_name(agent, known):
        text = "there is no agent '{agent}'; did you mean '{near}'?"
        return phrase("no-agent-near", text, agent=agent, near=near)
    return phrase("no-agent", "there is no agent '{agent}'", agent=agent)


def no_queue(queue: str, known: Iterable[str] = ()) -> str:
    """No queue has this id; of the `known` ones the nearest is suggested."""
    if near := nearest_name(queue, known):
        text = "there is no queue '{queue}'; did you mean '{near}'?"
        return phrase("no-queue-near", text, queue=queue, near=near)
    return phrase("no-queue", "there is no queue '{queue}'", queue=queue)


def not_agent_of(agent: str, queue: str) -> str:
    """An agent does not serve this queue, or there is no such agent."""
    text = "'{agent}' is not an agent of queue '{queue}'"
    return phrase("not-agent-of-queue", text, agent=agent, queue=queue)
