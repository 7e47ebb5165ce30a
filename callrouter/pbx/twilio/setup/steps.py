"""Compares an account with what the router needs, and makes the changes."""

from __future__ import annotations

import secrets
import string
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from callrouter.mobiles.number_policy import country_of
from callrouter.model.routing_table import Table
from callrouter.pbx.twilio.setup.account_resources import AccountResources, SipDomain
from callrouter.pbx.twilio.webhook import WebhookUrls
from callrouter.settings import TwilioSettings

OVERRIDES: Final = "#rt=4000&rc=2&rp=ct,rt"
"""Connection overrides in a number's URL: 4 s for an answer, two retries.

Twilio evaluates them itself and does not send them to us.
"""
_DOMAINS: Final = ".sip.twilio.com"
_PASSWORD: Final = 20

KeepPassword = Callable[[str, str], None]
"""Receives the password of a new SIP phone: its address, then the password."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupStep:
    """One difference between the account and the configuration.

    Attributes:
        about: what differs.
        what: the difference in words, for the operator.
        make: makes the change.
        secret: whether a password is created, which must be stored somewhere.
    """

    about: str
    what: str
    make: Callable[[AccountResources, KeepPassword], Awaitable[None]]
    secret: bool = False

    @property
    def text(self) -> str:
        """The difference in words, with what it is about."""
        return f"{self.about}: {self.what}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountNeeds:
    """What a configuration needs in an account.

    Attributes:
        settings: the account.
        fallback_url: what Twilio requests when the router does not answer; "" leaves it unchanged.
        countries: the countries that may be called, two letters each.
        only_these: whether no other country may be called.
        phones: user names of SIP phones, by domain.
    """

    settings: TwilioSettings
    fallback_url: str
    countries: frozenset[str]
    only_these: bool
    phones: Mapping[str, Collection[str]]


def needs_of(
    settings: TwilioSettings, table: Table, countries: Collection[str], fallback_url: str = ""
) -> AccountNeeds:
    """Collect what a configuration needs.

    Args:
        settings: the account.
        table: the routing table, whose agents' phones are needed.
        countries: the countries whose numbers agents may register. Other countries are blocked only
            if this is not empty.
        fallback_url: see `AccountNeeds`.
    """
    numbers = {*settings.places.values(), settings.fallback} - {""}
    phones: dict[str, set[str]] = {}
    for device in table.devices_on(settings.id):
        if device.number:
            numbers.add(device.number)
        kind, _, address = device.endpoint.partition("/")
        user, _, domain = address.partition("@")
        if kind == "sip" and domain.endswith(_DOMAINS):
            phones.setdefault(domain, set()).add(user)
    called = {country_of(number) for number in numbers} - {""}
    return AccountNeeds(
        settings=settings,
        fallback_url=fallback_url,
        countries=frozenset({*countries, *called}),
        only_these=bool(countries),
        phones=phones,
    )


def numbers_of(settings: TwilioSettings) -> list[str]:
    """The account's numbers that callers or agents call."""
    return [*settings.numbers, *filter(None, [settings.codes])]


def _of_a_number(urls: WebhookUrls, fallback_url: str) -> dict[str, str]:
    found = {
        "voice_url": urls.to("voice") + OVERRIDES,
        "voice_method": "POST",
        "status_callback": urls.to("caller-status"),
        "status_callback_method": "POST",
    }
    return found | ({"voice_fallback_url": fallback_url} if fallback_url else {})


async def needed_steps(account: AccountResources, needs: AccountNeeds) -> AsyncIterator[SetupStep]:
    """Every difference, in the order in which the changes can be made.

    Raises:
        ApiUnavailable: Twilio does not report the present state.
    """
    for step in _numbers(await account.numbers(), needs):
        yield step
    for step in _countries(await account.countries(), needs):
        yield step
    if needs.phones:
        async for step in _phones(account, needs):
            yield step


def _numbers(theirs: Mapping[str, Any], needs: AccountNeeds) -> list[SetupStep]:
    """One step per number: all its settings are changed in one request."""
    urls = WebhookUrls(needs.settings.public_url, needs.settings.id)
    found = []
    for number in numbers_of(needs.settings):
        has = theirs.get(number)
        fields = _of_a_number(urls, needs.fallback_url) if has is not None else {}
        other = {
            field: value
            for field, value in fields.items()
            if str(getattr(has, field) or "") != value
        }
        if has is not None and other:
            told = (
                f"{field} {getattr(has, field) or 'empty'} -> {value}"
                for field, value in other.items()
            )
            make = partial(_set_number, has.sid, other)
            found.append(SetupStep(about=number, what="; ".join(told), make=make))
    return found


async def _set_number(
    sid: str, fields: Mapping[str, str], account: AccountResources, _keep: KeepPassword
) -> None:
    await account.set_number(sid, fields)


# ---------------------------------------------------------------- countries


def _countries(theirs: Mapping[str, bool], needs: AccountNeeds) -> list[SetupStep]:
    # A country that Twilio does not list cannot be changed. Its numbers may count as another
    # country's.
    shut = [one for one in sorted(needs.countries) if not theirs.get(one, True)]
    extra = [one for one, open_ in sorted(theirs.items()) if open_ and one not in needs.countries]
    found = [_country(one, "not allowed -> allowed", allowed=True) for one in shut]
    if needs.only_these:
        found += [_country(one, "allowed -> not allowed", allowed=False) for one in extra]
    return found


def _country(code: str, what: str, *, allowed: bool) -> SetupStep:
    async def make(account: AccountResources, _keep: KeepPassword) -> None:
        await account.allow(code, allowed=allowed)

    return SetupStep(about=f"calls to {code}", what=what, make=make)


# ---------------------------------------------------------------- SIP phones


async def _phones(account: AccountResources, needs: AccountNeeds) -> AsyncIterator[SetupStep]:
    """SIP domains that accept registrations, each with a credential list for our phones."""
    domains, lists = await account.domains(), await account.credential_lists()
    for name, phones in sorted(needs.phones.items()):
        domain = domains.get(name)
        known: set[str] = set()
        for sid in domain.registrations if domain is not None else ():
            known |= await account.users(sid)
        missing = {*phones} - known
        ours = f"callrouter {name}"
        list_sid = lists.get(ours, "")
        for step in _domain(name, domain, needs):
            yield step
        for step in _credentials(name, domain, ours, list_sid) if missing else ():
            yield step
        inside = await account.users(list_sid) if list_sid and missing else set()
        for user in sorted(missing - inside):
            make = partial(_make_user, ours, name, user)
            about = f"SIP phone {user}@{name}"
            yield SetupStep(
                about=about, what="unknown -> made, with a password", make=make, secret=True
            )


def _domain(name: str, domain: SipDomain | None, needs: AccountNeeds) -> list[SetupStep]:
    """Point the domain's voice URL at the feature codes, unless it is already set."""
    urls = WebhookUrls(needs.settings.public_url, needs.settings.id)
    dialled = {
        "voice_url": urls.to("code"),
        "voice_method": "POST",
        "voice_status_callback_url": urls.to("caller-status"),
        "voice_status_callback_method": "POST",
    }
    fields: dict[str, Any] = {} if domain is not None and domain.voice_url else dict(dialled)
    told = [f"voice_url empty -> {dialled['voice_url']}"] if fields else []
    if domain is None or not domain.registers:
        fields["sip_registration"] = True
        told.append("phones cannot register -> they can")

    async def make(account: AccountResources, _keep: KeepPassword) -> None:
        if domain is None:
            await account.make_domain(name, fields)
        else:
            await account.set_domain(domain.sid, fields)

    if not fields:
        return []
    what = "missing -> made" if domain is None else "; ".join(told)
    return [SetupStep(about=f"SIP domain {name}", what=what, make=make)]


def _credentials(name: str, domain: SipDomain | None, ours: str, list_sid: str) -> list[SetupStep]:
    """A credential list of our own, whose users may register and call."""

    async def make(account: AccountResources, _keep: KeepPassword) -> None:
        await account.make_credential_list(ours)

    found = []
    if not list_sid:
        found.append(SetupStep(about=f"credential list {ours}", what="missing -> made", make=make))
    for registering, word in ((True, "register"), (False, "call")):
        there = frozenset[str]()
        if domain is not None:
            there = domain.registrations if registering else domain.calls
        if not list_sid or list_sid not in there:
            step = partial(_let_in, ours, name, registering)
            what = f"may not {word} at {name} -> they may"
            found.append(SetupStep(about=f"users of {ours}", what=what, make=step))
    return found


async def _let_in(
    ours: str, name: str, registering: bool, account: AccountResources, _keep: KeepPassword
) -> None:
    domain = (await account.domains())[name]
    sid = (await account.credential_lists())[ours]
    await account.let_in(domain.sid, sid, registering=registering)


async def _make_user(
    ours: str, domain: str, user: str, account: AccountResources, keep: KeepPassword
) -> None:
    """Create a user. The password is stored before it takes effect, so that it cannot be lost."""
    sid = (await account.credential_lists())[ours]
    password = new_password()
    keep(f"{user}@{domain}", password)
    await account.make_user(sid, user, password)


def new_password() -> str:
    """A password that Twilio accepts: at least 12 characters, with a digit and mixed case."""
    signs = string.ascii_letters + string.digits
    while True:
        word = "".join(secrets.choice(signs) for _ in range(_PASSWORD))
        if any(c.isdigit() for c in word) and any(c.islower() for c in word) and any(c.isupper() for c in word):  # fmt: skip
            return word
