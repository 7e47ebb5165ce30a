"""The people who may log in: users of the configuration, and agents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from callrouter.settings import Role, Settings

MOST_HASHES: Final = 2
"""Hashes of a person at most: an agent's password and PIN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A person who may log in.

    Attributes:
        id: the user's or the agent's id.
        name: as shown.
        role: what the person may do.
        agent: the agent for whom they act; empty: for none.
        queues: the queues to which a supervisor is limited; empty: no limit.
        hashes: argon2id hashes of what is accepted as their password; none: by OpenID Connect alone.
        email: their mail address, in small letters; empty: not given.
    """

    id: str
    name: str
    role: Role
    agent: str = ""
    queues: tuple[str, ...] = ()
    hashes: tuple[str, ...] = field(repr=False)
    email: str = ""

    @property
    def stamp(self) -> str:
        """A digest that changes with every password, PIN and mail address of the person."""
        known = "\n".join((*self.hashes, *filter(None, (self.email,))))
        return hashlib.sha256(known.encode()).hexdigest()


class People:
    """Finds people in the settings in force.

    Args:
        settings: the settings in force at the start; None: no one may log in yet.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self._known: dict[str, Person] = {}
        self._extensions: dict[str, str] = {}
        self._emails: dict[str, str] = {}
        if settings is not None:
            self.use(settings)

    def use(self, settings: Settings) -> None:
        """From now on, look people up in these settings."""
        self._known = {person.id: person for person in _people(settings)}
        self._emails = {one.email: one.id for one in self._known.values() if one.email}
        self._extensions = {
            agent.extension: agent.id
            for agent in settings.table.agents.values()
            if agent.extension and agent.id in self._known
        }

    def of(self, name: str) -> Person | None:
        """Return the person with this id; None: they are unknown, or may not log in."""
        return self._known.get(name)

    def named(self, name: str) -> Person | None:
        """Return the person with this id, or the agent with this extension.

        An agent needs a password or a PIN to log in. Upper and lower case are the same, since ids
        have no upper case and telephones' keyboards like to begin with it.
        """
        wanted = name.strip().lower()
        return self._known.get(wanted) or self._known.get(self._extensions.get(wanted, ""))

    def by_claim(self, value: str) -> Person | None:
        """Return the person whose id or mail address this is, as a provider tells it.

        Upper and lower case are the same. None: there is no such person who may log in.
        """
        wanted = value.strip().casefold()
        return self._known.get(wanted) or self._known.get(self._emails.get(wanted, ""))

    def all(self) -> Iterator[Person]:
        """Yield everyone who may log in."""
        yield from self._known.values()


def _people(settings: Settings) -> Iterator[Person]:
    for user in settings.users.values():
        yield Person(
            id=user.id,
            name=user.id,
            role=user.role,
            queues=user.queues,
            hashes=(user.password,) if user.password else (),
            email=(user.email or "").casefold(),
        )
    for agent in settings.table.agents.values():
        found = (settings.passwords.get(agent.id), settings.pins.get(agent.id))
        hashes = tuple(item for item in found if item)
        # With OpenID Connect, the id or the address is enough to know an agent by.
        if hashes or settings.http.oidc is not None:
            yield Person(
                id=agent.id,
                name=agent.name,
                role="agent",
                agent=agent.id,
                hashes=hashes,
                email=settings.emails.get(agent.id, "").casefold(),
            )
