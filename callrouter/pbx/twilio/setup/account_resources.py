"""The resources of a Twilio account, read and changed as its owner. See `needs`."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from callrouter.pbx.twilio.rest.api_client import ApiUnavailable, client_for, outcome_of
from callrouter.pbx.twilio.rest.api_requests import ApiOutcome
from callrouter.pbx.twilio.rest.http_client import TwilioHttp
from callrouter.settings import TwilioSettings

_PAGE: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class SipDomain:
    """A SIP domain.

    Attributes:
        sid: its SID.
        name: its host name.
        registers: whether phones may register.
        voice_url: what Twilio requests when a phone of the domain dials.
        calls: SIDs of the credential lists whose users may call.
        registrations: SIDs of the credential lists whose users may register.
    """

    sid: str
    name: str
    registers: bool
    voice_url: str
    calls: frozenset[str]
    registrations: frozenset[str]


class AccountResources:
    """One account.

    Every method raises `ApiUnavailable` if Twilio refuses or cannot be reached.
    """

    def __init__(self, http: TwilioHttp, settings: TwilioSettings) -> None:
        self.settings = settings
        self._client = client_for(
            http,
            account_sid=settings.account_sid,
            user=settings.api_key or settings.account_sid,
            secret=settings.api_secret or settings.auth_token,
        )

    # ------------------------------------------------------------ numbers

    async def numbers(self) -> dict[str, Any]:
        """The account's numbers, by number."""
        found = await _result_of(
            lambda: self._client.incoming_phone_numbers.list_async(page_size=_PAGE)
        )
        return {one.phone_number: one for one in found}

    async def set_number(self, sid: str, fields: Mapping[str, str]) -> None:
        """Change settings of a number. Field names are the REST API's, in snake case."""
        number = self._client.incoming_phone_numbers(sid)
        await _result_of(lambda: number.update_async(**fields))

    async def verified(self) -> set[str]:
        """The numbers outside the account that it may show as caller ID.

        Twilio has verified with a call that they belong to the account's owner.
        """
        found = await _result_of(
            lambda: self._client.outgoing_caller_ids.list_async(page_size=_PAGE)
        )
        return {one.phone_number for one in found}

    # ------------------------------------------------------------ countries

    async def countries(self) -> dict[str, bool]:
        """Whether the account may call ordinary numbers, by country (two letters)."""
        permissions = self._client.voice.v1.dialing_permissions
        found = await _result_of(lambda: permissions.countries.list_async(page_size=_PAGE))
        return {one.iso_code: bool(one.low_risk_numbers_enabled) for one in found}

    async def allow(self, country: str, *, allowed: bool) -> None:
        """Allow or forbid calls to the ordinary numbers of a country.

        High-risk numbers (premium rates, known fraud) are never allowed by this.
        """
        change = {
            "iso_code": country,
            "low_risk_numbers_enabled": str(allowed).lower(),
            "high_risk_special_numbers_enabled": "false",
            "high_risk_tollfraud_numbers_enabled": "false",
        }
        update = self._client.voice.v1.dialing_permissions.bulk_country_updates.create_async
        await _result_of(lambda: update(update_request=json.dumps([change])))

    # ------------------------------------------------------------ SIP phones

    async def domains(self) -> dict[str, SipDomain]:
        """The account's SIP domains, by name."""
        found = await _result_of(lambda: self._client.sip.domains.list_async(page_size=_PAGE))
        return {one.domain_name: await self._domain(one) for one in found}

    async def _domain(self, one: Any) -> SipDomain:
        auth = self._client.sip.domains(one.sid).auth
        lists = [
            await _result_of(lambda place=place: place.credential_list_mappings.list_async())  # type: ignore[misc]
            for place in (auth.calls, auth.registrations)
        ]
        calls, registrations = (frozenset(entry.sid for entry in found) for found in lists)
        return SipDomain(
            sid=one.sid,
            name=one.domain_name,
            registers=bool(one.sip_registration),
            voice_url=one.voice_url or "",
            calls=calls,
            registrations=registrations,
        )

    async def make_domain(self, name: str, fields: Mapping[str, Any]) -> None:
        """Create a SIP domain. Field names are the REST API's, in snake case."""
        make = self._client.sip.domains.create_async
        await _result_of(lambda: make(domain_name=name, friendly_name="callrouter", **fields))

    async def set_domain(self, sid: str, fields: Mapping[str, Any]) -> None:
        """Change settings of a SIP domain. Field names are the REST API's, in snake case."""
        domain = self._client.sip.domains(sid)
        await _result_of(lambda: domain.update_async(**fields))

    async def credential_lists(self) -> dict[str, str]:
        """SIDs of the account's credential lists, by name."""
        found = await _result_of(
            lambda: self._client.sip.credential_lists.list_async(page_size=_PAGE)
        )
        return {one.friendly_name: one.sid for one in found}

    async def make_credential_list(self, name: str) -> None:
        """Create an empty credential list."""
        make = self._client.sip.credential_lists.create_async
        await _result_of(lambda: make(friendly_name=name))

    async def let_in(self, domain_sid: str, list_sid: str, *, registering: bool) -> None:
        """Let the users of a credential list register at a domain, or call from it."""
        auth = self._client.sip.domains(domain_sid).auth
        place = auth.registrations if registering else auth.calls
        make = place.credential_list_mappings.create_async
        await _result_of(lambda: make(credential_list_sid=list_sid))

    async def users(self, list_sid: str) -> set[str]:
        """The user names in a credential list."""
        credentials = self._client.sip.credential_lists(list_sid).credentials
        found = await _result_of(lambda: credentials.list_async(page_size=_PAGE))
        return {one.username for one in found}

    async def make_user(self, list_sid: str, name: str, password: str) -> None:
        """Create a user in a credential list."""
        make = self._client.sip.credential_lists(list_sid).credentials.create_async
        await _result_of(lambda: make(username=name, password=password))


async def _result_of(do: Callable[[], Awaitable[Any]]) -> Any:
    result, made = await outcome_of(do)
    if result.outcome is not ApiOutcome.DONE:
        raise ApiUnavailable(result.detail)
    return made


@asynccontextmanager
async def opened(settings: TwilioSettings) -> AsyncIterator[AccountResources]:
    """Open the account of a configuration."""
    async with aiohttp.ClientSession() as session:
        yield AccountResources(TwilioHttp(session, api_url=settings.api_url), settings)
