"""`doctor`'s checks of a Twilio account."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Any, Final

import aiohttp

from callrouter.model.routing_table import Table
from callrouter.pbx.interface import Finding
from callrouter.pbx.twilio.rest.api_client import ApiUnavailable
from callrouter.pbx.twilio.setup import steps
from callrouter.pbx.twilio.setup.account_resources import AccountResources, opened
from callrouter.pbx.twilio.webhook import WebhookUrls
from callrouter.settings import TwilioSettings

_REACHED_WITHIN: Final = aiohttp.ClientTimeout(total=10)


async def examine(
    settings: TwilioSettings,
    table: Table,
    countries: Collection[str] = (),
    *,
    running: bool = False,
) -> AsyncIterator[Finding]:
    """Run every check, yielding findings as they are made. The first one is about the login.

    Args:
        settings: the account.
        table: the routing table, whose agents' phones are checked.
        countries: the countries whose numbers agents may register.
        running: whether a daemon with this configuration is serving the webhooks now.
    """
    needs = steps.needs_of(settings, table, countries)
    async with opened(settings) as account:
        try:
            theirs = await account.numbers()
            yield Finding(True, f"Twilio lets us in to {settings.account_sid}")
            for number in steps.numbers_of(settings):
                yield _number(number, theirs)
            async for finding in _showing(account, theirs):
                yield finding
            async for finding in _needed(account, needs):
                yield finding
            if running:
                yield await _public(WebhookUrls(settings.public_url, settings.id))
        except ApiUnavailable as error:
            advice = "check account_sid, auth_token or api_key, and api_url"
            yield Finding(False, str(error), advice, reached=False)


async def _needed(account: AccountResources, needs: steps.AccountNeeds) -> AsyncIterator[Finding]:
    """Report what `twilio setup` would change, and what is as it should be."""
    differs = set()
    async for step in steps.needed_steps(account, needs):
        differs.add(step.about)
        yield Finding(False, step.text, "callrouter twilio setup --apply does it")
    listed = await account.countries()
    for country in sorted(needs.countries):
        if country not in listed:
            advice = "see what it counts them as: Voice, Settings, Geo permissions"
            yield Finding(None, f"Twilio does not list the country {country}", advice)
        elif listed[country]:
            yield Finding(True, f"calls to {country} are allowed")
    for name in sorted(needs.phones):
        if not any(name in about for about in differs):
            yield Finding(True, f"SIP phones can register at {name}")


def _number(number: str, theirs: dict[str, Any]) -> Finding:
    if number not in theirs:
        advice = "buy it or move it there, or take it out of numbers"
        return Finding(False, f"{number} is not a number of the account", advice)
    if not (theirs[number].capabilities or {}).get("voice", False):
        return Finding(False, f"{number} cannot be called", "it has no voice capability")
    return Finding(True, f"{number} is there and can be called")


async def _showing(account: AccountResources, theirs: dict[str, Any]) -> AsyncIterator[Finding]:
    """Check fallback URLs, and the caller ID that agents' phones show."""
    settings = account.settings
    for number in steps.numbers_of(settings):
        if number in theirs and not theirs[number].voice_fallback_url:
            advice = "without it callers are lost while the router is down; see docs/operator.md"
            yield Finding(False, f"{number}: no fallback URL", advice)
    if settings.caller_id not in {*theirs, *await account.verified()}:
        advice = "take one of the account's numbers for caller_id, or verify it at Twilio"
        yield Finding(False, f"caller_id {settings.caller_id} may not be shown", advice)


async def _public(urls: WebhookUrls) -> Finding:
    """Check that `public_url` leads to our webhooks, which refuse unsigned requests."""
    url = urls.to("voice")
    try:
        async with (
            aiohttp.ClientSession(timeout=_REACHED_WITHIN) as session,
            session.post(url, data={"CallSid": "doctor"}) as response,
        ):
            status, kind = response.status, response.content_type
    except (OSError, aiohttp.ClientError, TimeoutError) as error:
        why = str(error) or "no answer"
        advice = "Twilio must reach it; from inside, some networks do not get to their own address"
        return Finding(None, f"{urls.public_url} cannot be reached from here: {why}", advice)
    if (status, kind) == (403, "text/xml"):
        return Finding(True, f"{urls.public_url} leads to this router")
    what = f"{urls.public_url} answers {status}, and that is not this router"
    return Finding(False, what, f"the proxy there must pass {urls.prefix}/ on to http.listen")
