"""Sessions: who is logged in at the web page. Imports no HTTP, since the daemon needs it earlier."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from callrouter.api.access.people import People, Person
from callrouter.api.access.tokens import ApiCaller
from callrouter.clock import Clock
from callrouter.model.access_rows import SessionRow
from callrouter.model.text import clean
from callrouter.settings import Settings

COOKIE: Final = "__Host-callrouter"
"""Name of the cookie. Browsers keep one of this prefix only if it is secure and of this host alone
(RFC 6265bis, 4.1.3.2).
"""
IDLE: Final = 12 * 3600.0
"""Seconds without a request after which a session is over: longer than a shift."""
LONGEST: Final = 7 * 86_400.0
"""Seconds after the log-in at which a session is over in any case."""
MOST_OF_ONE: Final = 10
"""Sessions of a person. A further log-in ends the one that was idle for the longest."""
MOST: Final = 20_000
"""Sessions in all. Beyond it no more are begun."""
SEEN_EVERY: Final = 300.0
"""Seconds between two notes that a session is in use: a write for every request would be too many."""
_SHOWN: Final = 120
"""Characters of a browser's own name that are kept."""


class TooManySessionsError(Exception):
    """`MOST` sessions are open."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that has just begun.

    Attributes:
        row: the session.
        secret: goes into the cookie. It cannot be had again.
    """

    row: SessionRow
    secret: str


class Sessions:
    """The sessions in force.

    Args:
        people: who may log in now. Their rights are looked up for each request, so that a changed
            role takes effect at once.
        clock: the time.
        put: stores a session.
        forget: deletes a stored session.

    Attributes:
        changed: called after sessions have ended, so that their live views are closed.
    """

    def __init__(
        self,
        people: People,
        clock: Clock,
        *,
        put: Callable[[SessionRow], None] = lambda _row: None,
        forget: Callable[[str], None] = lambda _id: None,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.people = people
        self._clock = clock
        self._put = put
        self._forget = forget
        self._known: dict[str, SessionRow] = {}
        self._by_digest: dict[str, str] = {}

    def use(self, settings: Settings) -> None:
        """From now on, look people up in these settings; end the sessions that no longer hold."""
        self.people.use(settings)
        self.drop_those_over()

    def restore(self, rows: Iterable[SessionRow]) -> None:
        """Take up the sessions of an earlier run. Those that are over are deleted.

        One that has been begun or used since wins over its stored row.
        """
        now = self._clock.now()
        for stored in rows:
            if stored.id in self._known:
                continue
            # A clock that was ahead must not keep a session for longer than LONGEST from now.
            row = replace(
                stored,
                created_at=min(stored.created_at, now),
                seen_at=min(stored.seen_at, now),
            )
            if self._person_of(row, now) is None:
                self._forget(row.id)
            else:
                self._add(row)

    def begin(self, person: Person, address: str, program: str) -> Opened:
        """Begin a session.

        Args:
            person: who has logged in.
            address: from where.
            program: the browser, as it names itself.

        Raises:
            TooManySessionsError: there are too many.
        """
        own = sorted(self.of(person.id), key=lambda row: row.seen_at)
        for row in own[: max(0, len(own) + 1 - MOST_OF_ONE)]:
            self.end(row.id)
        if len(self._known) >= MOST:
            self.drop_those_over()
            if len(self._known) >= MOST:
                raise TooManySessionsError
        now, secret = self._clock.now(), secrets.token_urlsafe(32)
        row = SessionRow(
            id=secrets.token_hex(8),
            digest=_digest(secret),
            user=person.id,
            stamp=person.stamp,
            created_at=now,
            seen_at=now,
            address=address,
            program=clean(program)[:_SHOWN],
        )
        self._add(row)
        self._put(row)
        return Opened(row, secret)

    def caller(self, secret: str) -> ApiCaller | None:
        """Return who sent a request with this cookie; None: there is no such session any more."""
        digest = _digest(secret)
        row = self._known.get(self._by_digest.get(digest, ""))
        if row is None:
            return None
        now = self._clock.now()
        person = self._person_of(row, now)
        if person is None:
            self.end(row.id)
            return None
        if now - row.seen_at >= SEEN_EVERY:
            row = self._known[row.id] = replace(row, seen_at=now)
            self._put(row)
        return _caller_of(row, person)

    def holds(self, caller: ApiCaller) -> bool:
        """Return whether the session of a caller is in force, with the same rights."""
        row = self._known.get(caller.session)
        if row is None:
            return False
        person = self._person_of(row, self._clock.now())
        return person is not None and _caller_of(row, person) == caller

    def get(self, session: str) -> SessionRow | None:
        """Return the session of this id; None: there is none."""
        return self._known.get(session)

    def of(self, user: str = "") -> Iterator[SessionRow]:
        """Yield the sessions of a person that are in force; of everyone if `user` is empty."""
        now = self._clock.now()
        for row in list(self._known.values()):
            if user in {"", row.user} and self._person_of(row, now) is not None:
                yield row

    def end(self, session: str) -> None:
        """End a session. Nothing happens if there is none of this id."""
        row = self._known.pop(session, None)
        if row is not None:
            del self._by_digest[row.digest]
            self._forget(session)
            self.changed()

    def drop_those_over(self) -> None:
        """End the sessions whose time is over, or whose person or password is not the same.

        Called now and then, and after each change of the settings.
        """
        now = self._clock.now()
        for row in list(self._known.values()):
            if self._person_of(row, now) is None:
                self.end(row.id)
        self.changed()

    def expires_at(self, row: SessionRow) -> float:
        """Return when a session ends in any case, in epoch seconds."""
        return row.created_at + LONGEST

    def _add(self, row: SessionRow) -> None:
        self._known[row.id] = row
        self._by_digest[row.digest] = row.id

    def _person_of(self, row: SessionRow, now: float) -> Person | None:
        """Return whose session it is; None: it is over."""
        if now - row.seen_at > IDLE or now - row.created_at > LONGEST:
            return None
        person = self.people.of(row.user)
        return person if person is not None and person.stamp == row.stamp else None


def csrf_token(secret: str) -> str:
    """Return the token that a page sends as ``X-CSRF-Token`` with each change.

    It is derived from the session's secret, which scripts cannot read: so it needs no storage, and
    a page of another site, which can make the browser send the cookie, cannot know it (OWASP,
    Cross-Site Request Forgery Prevention, HMAC-based token pattern).
    """
    return hmac.new(secret.encode(), b"callrouter csrf", hashlib.sha256).hexdigest()


def _caller_of(row: SessionRow, person: Person) -> ApiCaller:
    return ApiCaller(
        name=person.id,
        role=person.role,
        agent=person.agent,
        queues=person.queues,
        key=bytes.fromhex(row.digest),
        session=row.id,
    )


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
