"""Answers about the audit: who did what."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import Moment, PhraseJson

ActJson = TypedDict(
    "ActJson",
    {
        "id": str,
        "at": Moment,
        "who": str,
        "role": str,
        "via": Literal["page", "token", "socket", "phone", "file", "unknown"],
        "from": str | None,
        "act": str,
        "agent": str | None,
        "queue": str | None,
        "call": str | None,
        "target": str | None,
        "values": dict[str, str],
        "values_phrases": dict[str, PhraseJson],
        "outcome": Literal["done", "refused", "failed"],
        "kind": str | None,
    },
)
"""An act: a request to change something, a log-in or a log-out, and how it ended.

`who` is the id of a user or agent, the name of a token, or a local user; empty: not known. `from` is an
address, ``socket uid 0``, or the phone; null: an agent is not told that of another person. `act` is a stable word, such as ``agents.pause``; `agent`, `queue`,
`call` and `target` are what it is about, `values` what else matters, and `values_phrases` the codes of those
that are sentences. `kind` says why it was refused, as
the end of a problem's `type`.
"""


class ActsJson(TypedDict):
    """A page of acts, the last first."""

    acts: list[ActJson]
    next: str | None
    """The `cursor` of the next page; null: these are the last."""
