"""Asterisk and phones together, for one-line fixtures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from callrouter.lab.asterisk import Asterisk
from callrouter.lab.install import Install
from callrouter.lab.phone import Choice, Phone
from callrouter.lab.rtp import Pace


@dataclass(frozen=True, slots=True)
class Lab:
    """A running Asterisk with a started phone per endpoint; phones and carrier are registered.

    `lab[name]` is the phone at that endpoint; KeyError if there is none.
    """

    asterisk: Asterisk
    phones: dict[str, Phone]

    def __getitem__(self, name: str) -> Phone:
        return self.phones[name]


async def start_phones(
    asterisk: Asterisk,
    names: Iterable[str],
    *,
    register: bool = True,
    behaviour: Choice | None = None,
    pace: Pace | None = None,
) -> dict[str, Phone]:
    """Start (and register) one phone per endpoint name; the caller closes them.

    If one fails, all of them are closed before the error is raised.

    Args:
        asterisk: the server, whose password they use.
        names: the endpoints.
        register: whether they register. Callers from outside need not.
        behaviour: what they do with incoming calls; None: they answer.
        pace: how often they speak; None: the usual pace.

    Raises:
        RegistrationFailedError: the server refused one, or did not answer.
    """
    phones = {
        name: Phone(
            name,
            server=asterisk.server,
            password=asterisk.options.password,
            behaviour=behaviour,
            pace=pace,
        )
        for name in names
    }
    try:
        for phone in phones.values():
            await phone.start()
        if register:
            await asyncio.gather(*(phone.register() for phone in phones.values()))
    except BaseException:
        await close_phones(phones.values())
        raise
    return phones


async def close_phones(phones: Iterable[Phone]) -> None:
    """Close all of them at once.

    Each hangs up and unregisters first, so this takes about a second at most. Closed ones are left
    alone.
    """
    await asyncio.gather(*(phone.close() for phone in phones))


@asynccontextmanager
async def lab(install: Install, **options: Any) -> AsyncIterator[Lab]:
    """A complete laboratory: Asterisk with `options` (see `Options`), and a phone per endpoint.

    Args:
        install: the Asterisk to run.
        **options: as for `Asterisk.start`.
    """
    asterisk = await Asterisk.start(install, **options)
    phones: dict[str, Phone] = {}
    try:
        wanted = asterisk.options
        phones |= await start_phones(asterisk, [*wanted.phones, wanted.carrier])
        phones |= await start_phones(asterisk, wanted.callers, register=False)
        yield Lab(asterisk, phones)
    finally:
        await close_phones(phones.values())
        await asterisk.stop(graceful=False)  # the phones have hung up; nothing is kept
