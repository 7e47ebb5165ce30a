"""An account of Twilio as its REST API shows it, served over HTTP on loopback; what is changed about it is
kept. Requests and answers alike are held against Twilio's OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.twilio import openapi
from tests.twilio.peer import ACCOUNT

VOICE = "https://calls.example.com/twilio/cloud/voice#rt=4000&rc=2&rp=ct,rt"
STATUS = "https://calls.example.com/twilio/cloud/caller-status"
BIN = "https://handler.twilio.com/twiml/EH1"
_ROOT = f"/2010-04-01/Accounts/{ACCOUNT}/"
Json = dict[str, Any]


@dataclass
class Theirs:
    """What the account has.

    Attributes:
        changed: the requests that changed something: what, and the fields.
        refuses: what is refused, by the end of its path: status, code and message.
    """

    numbers: dict[str, Json] = field(default_factory=dict)
    verified: list[str] = field(default_factory=list)
    countries: dict[str, bool] = field(default_factory=lambda: {"GB": True})
    domains: dict[str, Json] = field(default_factory=dict)
    lists: dict[str, Json] = field(default_factory=dict)
    users: dict[str, dict[str, str]] = field(default_factory=dict)
    """Passwords by user, by the list's SID."""
    mapped: dict[str, list[str]] = field(default_factory=dict)
    """SIDs of lists, by ``SD…/Calls`` and ``SD…/Registrations``."""
    changed: list[tuple[str, Json]] = field(default_factory=list)
    refuses: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    status: int = 200

    def has(self, number: str, **fields: Any) -> None:
        sid = _sid("PN", len(self.numbers))
        self.numbers[sid] = {
            "account_sid": ACCOUNT,
            "sid": sid,
            "phone_number": number,
            "capabilities": {"voice": True, "sms": False, "mms": False, "fax": False},
            "voice_url": VOICE,
            "voice_method": "POST",
            "status_callback": STATUS,
            "status_callback_method": "POST",
            "voice_fallback_url": BIN,
            **fields,
        }

    def has_domain(self, name: str, *, registers: bool = True, voice_url: str | None = None) -> str:
        sid = _sid("SD", len(self.domains))
        self.domains[sid] = {
            "account_sid": ACCOUNT,
            "sid": sid,
            "domain_name": name,
            "sip_registration": registers,
            "voice_url": voice_url,
        }
        return sid

    def has_list(self, name: str, *users: str) -> str:
        sid = _sid("CL", len(self.lists))
        self.lists[sid] = {"account_sid": ACCOUNT, "sid": sid, "friendly_name": name}
        self.users[sid] = dict.fromkeys(users, "?")
        return sid

    # ------------------------------------------------------------ answering

    async def handle(self, request: web.Request) -> web.Response:
        posted = [(key, str(value)) for key, value in (await request.post()).items()]
        openapi.look_at(request.method, request.path_qs, posted)
        if self.status != 200:
            return web.json_response({"code": 20003, "message": "Authenticate"}, status=self.status)
        for end, (status, code, message) in self.refuses.items():
            if request.method == "POST" and request.path.endswith(end):
                body = {"code": code, "message": message, "status": status, "more_info": ""}
                return web.json_response(body, status=status)
        path = request.path.removeprefix(_ROOT).removesuffix(".json")
        if request.method == "POST":
            self.changed.append((path, dict(posted)))
            status, body = self._change(path, dict(posted))
        else:
            status, body = 200, self._show(path)
        openapi.seen.extend(openapi.answer_faults(request.method, request.path_qs, posted, status, body))  # fmt: skip
        return web.json_response(body, status=status)

    def _show(self, path: str) -> Json:
        match path.split("/"):
            case ["IncomingPhoneNumbers"]:
                return _page("incoming_phone_numbers", [*self.numbers.values()])
            case ["OutgoingCallerIds"]:
                return _page(
                    "outgoing_caller_ids", [{"phone_number": one} for one in self.verified]
                )
            case ["SIP", "Domains"]:
                return _page("domains", [*self.domains.values()])
            case ["SIP", "Domains", sid, "Auth", kind, _]:
                found = [self.lists[one] for one in self.mapped.get(f"{sid}/{kind}", [])]
                return _page("contents", found)
            case ["SIP", "CredentialLists"]:
                return _page("credential_lists", [*self.lists.values()])
            case ["SIP", "CredentialLists", sid, "Credentials"]:
                return _page("credentials", [{"username": one} for one in self.users[sid]])
            case _:
                assert path == "/v1/DialingPermissions/Countries", path
        found = [
            {"iso_code": code, "low_risk_numbers_enabled": open_}
            for code, open_ in self.countries.items()
        ]
        return {"content": found, "meta": {"key": "content", "next_page_url": None}}

    def _change(self, path: str, form: Json) -> tuple[int, Json]:
        match path.split("/"):
            case ["IncomingPhoneNumbers", sid]:
                fields = {"VoiceUrl": "voice_url", "VoiceFallbackUrl": "voice_fallback_url"}
                self.numbers[sid].update({fields[key]: value for key, value in form.items()})
                return 200, self.numbers[sid]
            case ["SIP", "Domains"]:
                sid = self.has_domain(form["DomainName"], registers=False)
                return 201, self._domain(sid, form)
            case ["SIP", "Domains", sid]:
                return 200, self._domain(sid, form)
            case ["SIP", "Domains", sid, "Auth", kind, _]:
                self.mapped.setdefault(f"{sid}/{kind}", []).append(form["CredentialListSid"])
                return 201, self.lists[form["CredentialListSid"]]
            case ["SIP", "CredentialLists"]:
                return 201, self.lists[self.has_list(form["FriendlyName"])]
            case ["SIP", "CredentialLists", sid, "Credentials"]:
                self.users[sid][form["Username"]] = form["Password"]
                return 201, {"username": form["Username"], "credential_list_sid": sid}
            case _:
                assert path == "/v1/DialingPermissions/BulkCountryUpdates", path
        for change in json.loads(form["UpdateRequest"]):
            self.countries[change["iso_code"]] = change["low_risk_numbers_enabled"] == "true"
        return 201, {"update_count": 1, "update_request": form["UpdateRequest"]}

    def _domain(self, sid: str, form: Json) -> Json:
        domain = self.domains[sid]
        if "SipRegistration" in form:
            domain["sip_registration"] = form["SipRegistration"] == "true"
        domain["voice_url"] = form.get("VoiceUrl", domain["voice_url"])
        return domain


def _sid(kind: str, number: int) -> str:
    return f"{kind}{number:032x}"


def _page(key: str, items: list[Json]) -> Json:
    return {key: items, "page": 0, "page_size": 1000, "next_page_uri": None}


@asynccontextmanager
async def served(theirs: Theirs) -> AsyncIterator[str]:
    """The URL of its REST API."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", theirs.handle)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")
