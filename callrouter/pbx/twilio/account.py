"""What an account has, against what the router needs of it: for ``doctor`` and ``twilio setup``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from callrouter.mobiles.policy import country_of
from callrouter.model.table import Table
from callrouter.pbx.base import Finding
from callrouter.pbx.twilio.asks import Came
from callrouter.pbx.twilio.http import TwilioHttp
from callrouter.pbx.twilio.links import Links
from callrouter.pbx.twilio.rest import NoAnswer, answered, client_for
from callrouter.settings import TwilioSettings

OVERRIDES: Final = "#rt=4000&rc=2&rp=ct,rt"
"""Connection overrides of a number's URL: an answer within 4 s, two more tries. Never sent to us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A setting of a number that is not what it should be. `field` is the REST API's, in snake case."""

    number: str
    sid: str
    field: str
    now: str
    wanted: str


def wanted(links: Links, fallback_url: str) -> dict[str, str]:
    """How each number must be set; without `fallback_url` nothing is said about the fallback."""
    found = {
        "voice_url": links.to("voice") + OVERRIDES,
        "voice_method": "POST",
        "status_callback": links.to("caller-status"),
        "status_callback_method": "POST",
    }
    return found | ({"voice_fallback_url": fallback_url} if fallback_url else {})


class Account:
    """One account, as its owner sees it.

    Every method raises `NoAnswer` where Twilio refuses, or cannot be reached.
    """

    def __init__(self, http: TwilioHttp, settings: TwilioSettings) -> None:
        self._settings = settings
        self._client = client_for(
            http,
            account_sid=settings.account_sid,
            user=settings.api_key or settings.account_sid,
            secret=settings.api_secret or settings.auth_token,
        )

    async def numbers(self) -> dict[str, Any]:
        """Its numbers, by number."""
        found = await _had(lambda: self._client.incoming_phone_numbers.list_async(page_size=1000))
        return {one.phone_number: one for one in found}

    async def verified(self) -> set[str]:
        """Numbers of others that it may show."""
        found = await _had(lambda: self._client.outgoing_caller_ids.list_async(page_size=1000))
        return {one.phone_number for one in found}

    async def allows(self, country: str) -> bool:
        """Whether it may call ordinary numbers in a country (two letters)."""
        countries = self._client.voice.v1.dialing_permissions.countries
        found = await _had(lambda: countries(country).fetch_async())
        return bool(found.low_risk_numbers_enabled)

    async def changes(self, links: Links, fallback_url: str) -> list[Change]:
        """What has to be changed about the numbers that the configuration names and the account has."""
        theirs = await self.numbers()
        return [
            Change(number=number, sid=theirs[number].sid, field=field, now=now, wanted=value)
            for number in self._settings.numbers
            if number in theirs
            for field, value in wanted(links, fallback_url).items()
            if (now := str(getattr(theirs[number], field) or "")) != value
        ]

    async def make(self, changes: list[Change]) -> None:
        """Make changes, in one request for each number."""
        for sid in dict.fromkeys(change.sid for change in changes):
            fields = {change.field: change.wanted for change in changes if change.sid == sid}
            number = self._client.incoming_phone_numbers(sid)
            await _had(lambda number=number, fields=fields: number.update_async(**fields))  # type: ignore[misc]


async def _had(do: Callable[[], Awaitable[Any]]) -> Any:
    answer, made = await answered(do)
    if answer.came is not Came.DONE:
        raise NoAnswer(answer.detail)
    return made


@asynccontextmanager
async def opened(settings: TwilioSettings) -> AsyncIterator[Account]:
    """The account of a configuration."""
    async with aiohttp.ClientSession() as session:
        yield Account(TwilioHttp(session, api_url=settings.api_url), settings)


async def examine(settings: TwilioSettings, table: Table) -> AsyncIterator[Finding]:
    """Look at everything, one finding at a time. The first is whether Twilio lets us in."""
    links = Links(settings.public_url, settings.id)
    async with opened(settings) as account:
        try:
            theirs = await account.numbers()
            yield Finding(True, f"Twilio lets us in to {settings.account_sid}")
            for number in settings.numbers:
                yield _number(number, theirs)
            for change in await account.changes(links, ""):
                what = f"{change.number}: {change.field} is {change.now or 'empty'}"
                yield Finding(False, what, f"callrouter twilio setup makes it {change.wanted}")
            for number in settings.numbers:
                if number in theirs and not theirs[number].voice_fallback_url:
                    advice = (
                        "without it callers are lost while the router is down; see docs/operator.md"
                    )
                    yield Finding(False, f"{number}: no fallback URL", advice)
            if settings.caller_id not in {*theirs, *await account.verified()}:
                advice = "take one of the account's numbers for caller_id, or verify it at Twilio"
                yield Finding(False, f"caller_id {settings.caller_id} may not be shown", advice)
            async for finding in _countries(account, settings, table):
                yield finding
        except NoAnswer as error:
            advice = "check account_sid, auth_token or api_key, and api_url"
            yield Finding(False, str(error), advice, reached=False)


def _number(number: str, theirs: dict[str, Any]) -> Finding:
    if number not in theirs:
        advice = "buy it or move it there, or take it out of numbers"
        return Finding(False, f"{number} is no number of the account", advice)
    if not (theirs[number].capabilities or {}).get("voice", False):
        return Finding(False, f"{number} cannot be called", "it has no voice capability")
    return Finding(True, f"{number} is there and can be called")


async def _countries(
    account: Account, settings: TwilioSettings, table: Table
) -> AsyncIterator[Finding]:
    """Whether the account may call where agents' numbers are, and where callers are sent."""
    numbers = {*settings.places.values(), settings.fallback} - {""}
    for agent in table.agents.values():
        numbers |= {one.number for one in agent.devices if one.number and settings.id in one.pbxes}
    for country in sorted({country_of(number) for number in numbers} - {""}):
        if await account.allows(country):
            yield Finding(True, f"calls to {country} are allowed")
        else:
            advice = "Twilio console: Voice, Settings, Geo permissions"
            yield Finding(False, f"calls to {country} are not allowed", advice)
