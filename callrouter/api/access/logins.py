"""Checks passwords at the page: in a thread, as slowly for every name, and with a limit on tries."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from callrouter.api.access.people import MOST_HASHES, People, Person
from callrouter.api.access.tokens import client_network
from callrouter.api.problem_json import ApiProblem
from callrouter.clock import Clock
from callrouter.credentials.lockout import LOG_IN, LONGEST, Lockout
from callrouter.credentials.secret_hashes import DecoyHash, pin_matches
from callrouter.model.access_rows import LockRow
from callrouter.model.text import phrase

logger = logging.getLogger(__name__)

MOST_HERE: Final = 5
"""Wrong passwords for one name from one network, within a quarter of an hour, that lock both
together.
"""
MOST_OF_NAME: Final = 20
"""Wrong passwords for one name from everywhere that lock the name. More than `MOST_HERE`, so that a
stranger cannot lock a person out by a few wrong guesses.
"""
MOST_OF_NETWORK: Final = 30
"""Wrong passwords for any names from one network that lock it."""
LONGEST_SHARED: Final = 3600.0
"""Longest lockout in seconds of a name or a network, which may hit people who have done nothing."""
WAITING_MOST: Final = 20
"""Passwords that may wait to be checked, one after the other. Further ones are turned away."""
_NAME: Final = 64
"""Characters of a name that are looked at; no id is longer."""


class _Limit(NamedTuple):
    """A key of the lockout, how many wrong passwords lock it and for how long at most.

    `what` is locked, for the log. `of_name`: a right password forgives the wrong ones before it.
    For a network it does not, or attackers could reset the count with a login of their own.
    """

    key: str
    most: int
    longest: float
    what: str
    of_name: bool


class Logins:
    """Checks who a person at the page is.

    An unknown name costs the same work as a known one and is locked in the same way. So neither
    the answer nor its timing reveals which names exist.

    Args:
        people: who may log in.
        clock: for the lockouts.
        keep: called with each lockout, see `Lockout`.
    """

    def __init__(
        self, people: People, clock: Clock, keep: Callable[[LockRow], None] = lambda _row: None
    ) -> None:
        self.lockout = Lockout(keep)
        self._people = people
        self._clock = clock
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._decoy = DecoyHash()

    def restore(self, rows: Iterable[LockRow]) -> None:
        """Restore the lockouts of an earlier run. Those of other doors are left alone."""
        own = (row for row in rows if row.key.startswith(LOG_IN))
        self.lockout.restore(own, self._clock.now())

    async def check(self, name: str, password: str, remote: str | None) -> Person:
        """Return who has this name and password. Takes a tenth of a second, most of it in a thread.

        Args:
            name: an id of a user or an agent, or an agent's extension.
            password: their password, or an agent's PIN.
            remote: the address from which they log in.

        Raises:
            ApiProblem: 401 wrong name or password, 429 locked, 503 too many are being checked.
        """
        if self._waiting >= WAITING_MOST:
            detail = phrase(
                "login-busy",
                "too many people log in at this moment; try again in a few seconds",
            )
            raise ApiProblem(503, "busy", detail, {"Retry-After": "5"})
        person = self._people.named(name[:_NAME])
        limits = _limits(person, name, client_network(remote))
        self._waiting += 1
        try:
            async with self._turn:  # so that many requests at once get no more tries than one
                self._refuse_if_locked(limits)
                if await self._fits(person, password) and person is not None:
                    for limit in limits:
                        if limit.of_name:
                            self.lockout.right(limit.key)
                    return person
                self._count_wrong(limits)
        finally:
            self._waiting -= 1
        raise ApiProblem(
            401, "wrong-login", phrase("login-wrong", "the name or the password is wrong")
        )

    def _refuse_if_locked(self, limits: Iterable[_Limit]) -> None:
        now = self._clock.now()
        left = max(self.lockout.left(limit.key, now) for limit in limits)
        if left:
            one = "there were too many wrong passwords; try again in {count} minute"
            many = "there were too many wrong passwords; try again in {count} minutes"
            detail = phrase("login-locked", one, many, count=max(1, round(left / 60)))
            raise ApiProblem(429, "locked", detail, {"Retry-After": str(int(left) + 1)})

    async def _fits(self, person: Person | None, password: str) -> bool:
        """Return whether the password is the person's.

        As many hashes are verified for everyone, also for a name that is not known, so that the time
        it takes tells nothing.
        """
        known = [digest for one in self._people.all() for digest in one.hashes]
        decoy = await asyncio.to_thread(self._decoy.like, known)
        own = person.hashes if person is not None else ()
        found = [
            await asyncio.to_thread(pin_matches, digest, password)
            for digest in (*own, decoy, decoy)[:MOST_HASHES]
        ]
        return any(found)

    def _count_wrong(self, limits: Sequence[_Limit]) -> None:
        """Count a wrong password against each limit, and log it without the password."""
        now = self._clock.now()
        self.lockout.wrong_total += 1
        logger.warning("http: wrong password for %s", limits[0].what)
        for limit in limits:
            seconds = self.lockout.wrong(limit.key, now, limit.most, limit.longest)
            if seconds:
                text = "http: %s is locked for %.0f min after wrong passwords"
                logger.warning(text, limit.what, seconds / 60)


def _limits(person: Person | None, name: str, network: str) -> tuple[_Limit, ...]:
    """Return what a wrong password counts against, the narrowest first.

    What is typed as an unknown name may be a password in the wrong field. So it is neither logged
    nor stored, and its digest is its key: no name can be made that is the key of another limit.
    """
    who, key = (
        "an unknown name",
        "?" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16],
    )
    if person is not None:
        who = key = person.id
    return (
        _Limit(f"{LOG_IN}{key} from {network}", MOST_HERE, LONGEST, f"{who} from {network}", True),
        _Limit(f"{LOG_IN}{key}", MOST_OF_NAME, LONGEST_SHARED, who, True),
        _Limit(f"{LOG_IN}from {network}", MOST_OF_NETWORK, LONGEST_SHARED, network, False),
    )
