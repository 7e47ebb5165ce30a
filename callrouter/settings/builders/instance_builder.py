"""The operator's sections: PBXes, HTTP, users, and others not used for routing."""

from __future__ import annotations

import grp
import ipaddress
import shlex
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import Final

from callrouter.mobiles.mobile_records import Approval, NumberSettings
from callrouter.model import endpoints
from callrouter.model.ivr import PhoneCodes
from callrouter.model.phone_numbers import NOWHERE, Numbering
from callrouter.settings import extras
from callrouter.settings.builders.build_context import BuildContext
from callrouter.settings.builders.time_zones import find_zone
from callrouter.settings.errors.problems import Nearest, quoted
from callrouter.settings.loaded import (
    ApiToken,
    AsteriskSettings,
    HttpSettings,
    PbxSettings,
    ServiceLevel,
    SimulatedSettings,
    SocketSettings,
    TwilioSettings,
    UserSettings,
)
from callrouter.settings.schema.number_parsing import numbering
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.pbx_options import (
    AsteriskOptions,
    SimulatedOptions,
    TlsClientOptions,
    TwilioOptions,
)
from callrouter.settings.schema.root_options import (
    ApiTokenOptions,
    HttpOptions,
    NumbersOptions,
    RootOptions,
)
from callrouter.settings.yaml.source import Document, KeyPath

_PLACE: Final = "{number}"
_SAMPLE: Final = "447700900123"


def with_codes(pbxes: dict[str, PbxSettings], codes: PhoneCodes) -> dict[str, PbxSettings]:
    """Give the codes to PBXes that handle them themselves; Asterisk has them in its dialplan."""
    return {
        id_: replace(pbx, phone_codes=codes) if isinstance(pbx, TwilioSettings) else pbx
        for id_, pbx in pbxes.items()
    }


def build_pbxes(root: RootOptions, document: Document, folder: Path) -> dict[str, PbxSettings]:
    """Build the PBXes; having none is reported."""
    if document.is_sure_of("pbx") and not document.names("pbx"):
        document.error(("pbx",), "no pbx is configured", "add a section 'pbx:'", key=True)
    site = (root.http.public_url or "") if root.http is not None else ""
    home = numbering((root.numbers.region if root.numbers is not None else None) or "")
    return {id_: _pbx(id_, pbx, document, folder, site, home=home) for id_, pbx in root.pbx.items()}


def _dial_strings(id_: str, pbx: AsteriskOptions, document: Document) -> list[str]:
    """Return the dial strings for outside numbers, with Asterisk's spelling of the technologies.

    One that Asterisk cannot dial is reported.
    """
    one = isinstance(pbx.dial_number, str)
    written = [pbx.dial_number] if isinstance(pbx.dial_number, str) else pbx.dial_number or []
    found = []
    for place, text in enumerate(written):
        try:
            spelled = endpoints.read(text.replace(_PLACE, _SAMPLE)).text
        except ValueError as fault:
            path: KeyPath = ("pbx", id_, "dial_number")
            said = str(fault).replace(_SAMPLE, _PLACE)
            document.error(path if one else (*path, place), f"{quoted(text)} {said}")
            found.append(text)
        else:
            tech = spelled.partition("/")[0]
            found.append(f"{tech}/{text.partition('/')[2]}")
    return found


def _number_format(
    id_: str, pbx: AsteriskOptions, dial_strings: list[str], home: Numbering, document: Document
) -> None:
    """Report a number format that is impossible, or that a dial string already includes."""
    path = ("pbx", id_, "number_format")
    if "number_format" in pbx.model_fields_set and not dial_strings:
        document.error(path, "number_format without dial_number", "no outside number is dialled")
    if pbx.number_format == "national" and not home.code:
        hint = "such as numbers: {region: GB}"
        document.error(path, "number_format: national needs numbers.region", hint)
    begins = {"plus": "+{number}", "00": "00{number}"}.get(pbx.number_format)
    for text in dial_strings:
        if begins is not None and begins in text:
            document.error(path, f"{begins} in dial_number writes it twice", "take one of them out")


def _pbx(
    id_: str,
    pbx: AsteriskOptions | TwilioOptions | SimulatedOptions,
    document: Document,
    folder: Path,
    site: str,
    *,
    home: Numbering,
) -> PbxSettings:
    if isinstance(pbx, SimulatedOptions):
        return SimulatedSettings(id=id_, **spec_values(pbx))
    if isinstance(pbx, TwilioOptions):
        return _twilio(id_, pbx, document, site)
    dial_strings = _dial_strings(id_, pbx, document)
    _number_format(id_, pbx, dial_strings, home, document)
    if pbx.show == "business" and pbx.caller_id is None:
        text = "show: business without caller_id"
        document.error(
            ("pbx", id_, "show"), text, 'give caller_id, such as "+442079460000"', key=True
        )
    values = spec_values(
        pbx,
        dial_number=dial_strings[0] if dial_strings else "",
        dial_numbers=tuple(dial_strings[1:]),
        home=home if pbx.number_format == "national" else NOWHERE,
        tls=pbx.tls is not False,
        ca=folder / pbx.tls.ca if isinstance(pbx.tls, TlsClientOptions) else None,
    )
    return AsteriskSettings(id=id_, **values)


def _twilio(id_: str, pbx: TwilioOptions, document: Document, site: str) -> TwilioSettings:
    path = ("pbx", id_)
    if lack := extras.lacks("twilio"):
        text = f"driver twilio needs {lack}"
        document.error((*path, "driver"), text, extras.remedy("twilio"))
    if not pbx.public_url and not site.startswith("https://"):
        text = f"{id_} has no 'public_url'"
        hint = "how Twilio reaches us, such as https://calls.example.com, here or under http"
        document.error(path, text, hint, key=True)
    if (pbx.api_key is None) != (pbx.api_secret is None):
        there, other = ("api_key", "api_secret") if pbx.api_key else ("api_secret", "api_key")
        document.error((*path, there), f"{there} without {other}", "give both, or none", key=True)
    if not pbx.numbers:
        text = "numbers is empty, so no calls come in"
        document.warning((*path, "numbers"), text, 'such as {"+442079460000": support}', key=True)
    if pbx.codes in pbx.numbers:
        text = f"codes is a number of queue {quoted(pbx.numbers[pbx.codes])} already"
        document.error((*path, "codes"), text, "give agents a number of their own", key=True)
    public_url = (pbx.public_url or site).rstrip("/")
    values = spec_values(pbx, public_url=public_url, api_url=pbx.api_url.rstrip("/"))
    return TwilioSettings(id=id_, **values)


def build_http(root: RootOptions, context: BuildContext, folder: Path) -> HttpSettings:
    """Build the HTTP settings, with paths relative to the folder."""
    document = context.document
    http = root.http or HttpOptions.model_validate({})
    host, _, port = http.listen.rpartition(":")
    host = host.strip("[]")
    if http.tls is None and not is_loopback(host):
        document.warning(
            ("http", "listen"),
            "HTTP without TLS is open to other machines",
            "listen on 127.0.0.1, or give http a tls",
        )
    tokens: set[str] = set()
    names: set[str] = set()
    for index, token in enumerate(http.api_tokens):
        if token.name in names:
            path = ("http", "api_tokens", index, "name")
            document.error(path, f"api token {quoted(token.name)} stands twice")
        if token.token in tokens:
            path = ("http", "api_tokens", index, "token")
            document.error(path, "token stands twice", "give each program its own")
        _check_agent(index, token, context)
        _check_queues(index, token, context)
        names.add(token.name)
        tokens.add(token.token)
    return HttpSettings(
        host=host,
        port=int(port),
        public_url=(http.public_url or "").rstrip("/"),
        certificate=folder / http.tls.certificate if http.tls else None,
        key=folder / http.tls.key if http.tls else None,
        api_tokens=tuple(
            ApiToken(**spec_values(token, queues=tuple(dict.fromkeys(token.queues))))
            for token in http.api_tokens
        ),
    )


def _check_agent(index: int, token: ApiTokenOptions, context: BuildContext) -> None:
    """Check that a token's agent exists, and that its role is limited to acting for one."""
    path = ("http", "api_tokens", index, "agent")
    if token.agent is None:
        if token.role == "agent":
            context.document.warning(
                ("http", "api_tokens", index, "role"),
                f"api token {quoted(token.name)} acts for no agent and sees no more than the queues' counts",
                "add agent: NAME, or take role: metrics or supervisor",
            )
        return
    if token.role != "agent":
        text = f"a token of role {token.role} acts for everyone"
        context.document.error(path, text, "take agent: out, or give it role: agent", key=True)
    else:
        context.knows("agents", token.agent, path, "agent")


def _check_queues(index: int, token: ApiTokenOptions, context: BuildContext) -> None:
    """Check that only a supervisor's token is limited to queues."""
    path = ("http", "api_tokens", index, "queues")
    if token.queues and token.role != "supervisor":
        text = f"a token of role {token.role} is not limited by queues"
        context.document.error(
            path, text, "take queues: out, or give it role: supervisor", key=True
        )
        return
    for place, queue in enumerate(token.queues):
        context.knows("queues", queue, (*path, place), "queue")


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def build_zone(root: RootOptions, document: Document, nearest: Nearest) -> tzinfo:
    """Return the site's time zone; UTC for an unknown one, which is reported."""
    return find_zone(str(root.timezone), ("timezone",), document, nearest)


def build_socket(root: RootOptions, document: Document) -> SocketSettings:
    """Return the group that may use the command line; warn if this machine does not have it."""
    if root.socket is None:
        return SocketSettings()
    try:
        grp.getgrnam(root.socket.group)
    except KeyError:
        name = root.socket.group
        text = f"this machine has no group {quoted(name)}"
        document.warning(("socket", "group"), text, f"groupadd --system {shlex.quote(name)}")
    return SocketSettings(**spec_values(root.socket))


def build_users(root: RootOptions) -> dict[str, UserSettings]:
    """Build the people who are not agents."""
    return {id_: UserSettings(id=id_, **spec_values(user)) for id_, user in root.users.items()}


def build_numbers(root: RootOptions) -> NumberSettings:
    """Return which mobiles may be registered."""
    numbers = root.numbers or NumbersOptions.model_validate({})
    values = spec_values(
        numbers,
        countries=tuple(numbers.countries),
        types=tuple(numbers.types),
        approval=Approval(numbers.approval),
    )
    return NumberSettings(**values)


def build_service_levels(root: RootOptions) -> dict[str, ServiceLevel]:
    """Return the targets of the queues that have one."""
    return {
        id_: ServiceLevel(**spec_values(queue.service_level))
        for id_, queue in root.queues.items()
        if queue.service_level is not None
    }
