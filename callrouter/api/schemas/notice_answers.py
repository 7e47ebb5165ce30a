"""What the core reports, as answers and the live view show it."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import Moment


class NoticeJson(TypedDict):
    """Something that happened. Fields that do not apply or are empty are left out."""

    kind: str
    """What happened, in a stable word such as ``entered``, ``offered`` or ``signed-in``."""
    at: Moment
    call: NotRequired[str]
    queue: NotRequired[str]
    agent: NotRequired[str]
    offer: NotRequired[str]
    position: NotRequired[int]
    first_position: NotRequired[int]
    caller_number: NotRequired[str]
    caller_name: NotRequired[str]
    refused: NotRequired[str]
    policy: NotRequired[str]
    priority: NotRequired[int]
    left_out: NotRequired[str]
    device: NotRequired[str]
    why: NotRequired[str]
    outcome: NotRequired[str]
    to_queue: NotRequired[str]
    to_agent: NotRequired[str]
    to_priority: NotRequired[int]
    by: NotRequired[str]
    how: NotRequired[str]
    ended_by: NotRequired[str]
    transfer: NotRequired[str]
    to: NotRequired[str]
    hold: NotRequired[str]
    colleague: NotRequired[str]
    what: NotRequired[str]
    result: NotRequired[str]
    target: NotRequired[str]
    reason: NotRequired[str]
    switched: NotRequired[str]
    then_shown: NotRequired[str]
    channel: NotRequired[str]
    in_a_row: NotRequired[int]
    message: NotRequired[str]
    rule: NotRequired[str]
    was: NotRequired[str]
    state: NotRequired[str]
    agents: NotRequired[int]
    queues: NotRequired[int]
    members: NotRequired[int]
    waited_s: NotRequired[float]
    idle_s: NotRequired[float]
    rang_s: NotRequired[float]
    wait_s: NotRequired[float]
    talk_s: NotRequired[float]
    signed_in_s: NotRequired[float]
    wrap_up_s: NotRequired[float]
    rest_s: NotRequired[float]
