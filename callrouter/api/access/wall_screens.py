"""Screens on the wall: links that show queues and agents' states, and can be revoked. No HTTP here."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Final

from callrouter.api.access.tokens import SCREEN, ApiCaller
from callrouter.clock import Clock
from callrouter.model.access_rows import WallScreenRow

SCREEN_COOKIE: Final = "__Host-callrouter-screen"
"""The cookie that a link is exchanged for. Not that of people: who looks at a screen in their own
browser stays logged in.
"""
KEPT_FOR: Final = 400 * 86_400
"""Seconds for which a browser keeps the cookie: the longest that browsers allow (RFC 6265bis, 5.5)."""
MOST_SCREENS: Final = 200
"""Links in all. Beyond it no more are made."""
_NOTED_EVERY: Final = 300.0
"""Seconds between two notes that a link is in use."""
_SECRET_BYTES: Final = 16


class TooManyScreensError(Exception):
    """There are `MOST_SCREENS` links."""


@dataclass(frozen=True, slots=True)
class MadeScreen:
    """A link that has just been made.

    Attributes:
        row: the link.
        secret: opens the screen. It cannot be had again.
    """

    row: WallScreenRow
    secret: str


class WallScreens:
    """The links in force.

    Args:
        clock: the time.
        put: stores a link.
        forget: deletes a stored link.

    Attributes:
        changed: called after a link was revoked, so that its live views are closed.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        put: Callable[[WallScreenRow], None] = lambda _row: None,
        forget: Callable[[str], None] = lambda _id: None,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._clock = clock
        self._put = put
        self._forget = forget
        self._known: dict[str, WallScreenRow] = {}
        self._by_digest: dict[str, str] = {}

    def restore(self, rows: Iterable[WallScreenRow]) -> None:
        """Take up the links of an earlier run. One that was made or used since wins."""
        for row in rows:
            if row.id not in self._known:
                self._add(row)

    def make(self, name: str, queues: Iterable[str], by: str) -> MadeScreen:
        """Make a link.

        Args:
            name: what people call it.
            queues: the queues that it shows; none: all.
            by: who makes it.

        Raises:
            TooManyScreensError: there are too many.
        """
        if len(self._known) >= MOST_SCREENS:
            raise TooManyScreensError
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        row = WallScreenRow(
            id=secrets.token_hex(8),
            digest=_digest(secret),
            name=name,
            queues=",".join(queues),
            created_by=by,
            created_at=self._clock.now(),
            seen_at=0.0,
        )
        self._add(row)
        self._put(row)
        return MadeScreen(row, secret)

    def opened_by(self, secret: str) -> ApiCaller | None:
        """Return as what a screen with this secret looks; None: there is no such link any more."""
        row = self._known.get(self._by_digest.get(_digest(secret), ""))
        if row is None:
            return None
        now = self._clock.now()
        if now - row.seen_at >= _NOTED_EVERY:
            row = self._known[row.id] = replace(row, seen_at=now)
            self._put(row)
        return _screen_of(row)

    def holds(self, caller: ApiCaller) -> bool:
        """Return whether the link of a screen is in force."""
        row = self._known.get(caller.session)
        return row is not None and _screen_of(row) == caller

    def get(self, screen: str) -> WallScreenRow | None:
        """Return the link of this id; None: there is none."""
        return self._known.get(screen)

    def all(self) -> list[WallScreenRow]:
        """Return all links, the newest first."""
        return sorted(self._known.values(), key=lambda row: row.created_at, reverse=True)

    def revoke(self, screen: str) -> None:
        """Revoke a link. Nothing happens if there is none of this id."""
        row = self._known.pop(screen, None)
        if row is not None:
            del self._by_digest[row.digest]
            self._forget(screen)
            self.changed()

    def _add(self, row: WallScreenRow) -> None:
        self._known[row.id] = row
        self._by_digest[row.digest] = row.id


def _screen_of(row: WallScreenRow) -> ApiCaller:
    return ApiCaller(
        name=row.name,
        role=SCREEN,
        queues=row.queue_ids,
        key=bytes.fromhex(row.digest),
        session=row.id,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
