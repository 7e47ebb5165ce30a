"""Answers about screens on the wall."""

from __future__ import annotations

from typing_extensions import TypedDict

from callrouter.api.schemas.vocabulary import Moment


class WallScreenJson(TypedDict):
    """A link that opens a screen on the wall."""

    id: str
    name: str
    queues: list[str]
    """The queues that it shows; empty: all."""
    created_by: str
    created_at: Moment
    seen_at: Moment | None
    """When it was last used, give or take five minutes; null: never."""


class MadeWallScreenJson(WallScreenJson):
    """A link that has just been made, with what opens the screen. It cannot be had again."""

    token: str
    """The secret: 128 bits."""
    path: str
    """What follows the page's address. The secret stands behind the # and so reaches no log."""


class OpenedWallScreenJson(TypedDict):
    """What a screen shows whose link was exchanged for a cookie."""

    name: str
    queues: list[str]
    """Empty: all."""
