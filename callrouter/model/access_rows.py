"""What is stored of log-ins across a restart: sessions at the page, and lockouts after wrong PINs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LockRow:
    """A lockout: its key, when it ends (epoch seconds), and how many there were in a row."""

    key: str
    until: float
    locks: int


class LockStore(Protocol):
    """Stores lockouts beyond the life of the process. No method blocks the event loop."""

    def put(self, row: LockRow) -> None:
        """Store a lockout, replacing the one with the same key.

        It is written soon, and this returns at once.
        """

    def forget(self, key: str) -> None:
        """Delete a lockout.

        Nothing happens if there is none with this key.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session.

    Attributes:
        id: its public name, by which it is listed and revoked. It lets nothing in.
        digest: SHA-256 of the secret in the cookie, in hex. The secret itself is stored nowhere.
        user: the id of the user or agent.
        stamp: digest of the hashes of password and PIN with which the person logged in. A session
            with another stamp is over, so that a changed password ends the sessions begun with the
            former one.
        created_at: epoch seconds.
        seen_at: when it was last used, in epoch seconds, give or take a few minutes.
        address: from where the person logged in.
        program: the browser, as it names itself.
    """

    id: str
    digest: str
    user: str
    stamp: str
    created_at: float
    seen_at: float
    address: str
    program: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WallScreenRow:
    """A link that opens a screen.

    Attributes:
        id: its public name, by which it is listed and revoked. It lets nothing in.
        digest: SHA-256 of the link's secret, in hex. The secret itself is stored nowhere.
        name: what people call it.
        queues: the ids of the queues that it shows, joined by ``,``; empty: all.
        created_by: who made it.
        created_at: epoch seconds.
        seen_at: when it was last used, in epoch seconds, give or take a few minutes; 0: never.
    """

    id: str
    digest: str
    name: str
    queues: str
    created_by: str
    created_at: float
    seen_at: float

    @property
    def queue_ids(self) -> tuple[str, ...]:
        """The queues that it shows; none: all."""
        return tuple(self.queues.split(",")) if self.queues else ()
