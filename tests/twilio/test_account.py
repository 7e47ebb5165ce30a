"""Setting up an account and looking at it, over HTTP against a server of ours: what is asked, what is
said, what is changed. The answers have the fields that Twilio's library reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from callrouter.cli.main import cli
from callrouter.cli.problems import Failed
from callrouter.pbx.twilio.account import examine
from tests.twilio import openapi
from tests.twilio.peer import ACCOUNT
from tests.twilio.world import FALLBACK, NUMBER, VOICEMAIL, mobile, settings, table

VOICE = "https://calls.example.com/twilio/cloud/voice#rt=4000&rc=2&rp=ct,rt"
STATUS = "https://calls.example.com/twilio/cloud/caller-status"
BIN = "https://handler.twilio.com/twiml/EH1"


class Account:
    """What the account has, and what was changed about it."""

    def __init__(self) -> None:
        self.numbers: dict[str, dict[str, Any]] = {}
        self.verified: list[str] = []
        self.countries = {"GB": True}
        self.status = 200
        self.changed: list[dict[str, str]] = []

    def has(self, number: str, **fields: Any) -> None:
        sid = f"PN{len(self.numbers):032d}"
        self.numbers[sid] = {
            "sid": sid,
            "phone_number": number,
            "capabilities": {"voice": True},
            "voice_url": VOICE,
            "voice_method": "POST",
            "status_callback": STATUS,
            "status_callback_method": "POST",
            "voice_fallback_url": BIN,
            **fields,
        }

    async def answer(self, request: web.Request) -> web.Response:
        posted = [(key, str(value)) for key, value in (await request.post()).items()]
        openapi.look_at(request.method, request.path_qs, posted)
        name = request.path.rsplit("/", 1)[1].removesuffix(".json")
        if self.status != 200:
            return web.json_response({"code": 20003, "message": "Authenticate"}, status=self.status)
        if request.method == "POST":
            form = dict(posted)
            self.changed.append(form)
            fields = {"VoiceUrl": "voice_url", "VoiceFallbackUrl": "voice_fallback_url"}
            self.numbers[name].update({fields[key]: value for key, value in form.items()})
            return web.json_response(self.numbers[name])
        match name:
            case "IncomingPhoneNumbers":
                found: Any = {"incoming_phone_numbers": [*self.numbers.values()]}
            case "OutgoingCallerIds":
                found = {"outgoing_caller_ids": [{"phone_number": one} for one in self.verified]}
            case _:
                found = {"iso_code": name, "low_risk_numbers_enabled": self.countries.get(name, False)}  # fmt: skip
        return web.json_response(found)


@asynccontextmanager
async def served(account: Account) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", account.answer)
    async with TestServer(app) as server:
        yield str(server.make_url("")).rstrip("/")


async def findings(account: Account, *numbers: str) -> list[tuple[bool | None, str]]:
    people = [mobile(f"a{n}", number) for n, number in enumerate(numbers)]
    async with served(account) as url:
        return [
            (finding.ok, finding.what)
            async for finding in examine(settings(api_url=url), table(*people))
        ]


async def test_doctor_says_that_all_is_well() -> None:
    account = Account()
    account.has(NUMBER)
    assert await findings(account, "+447700900123") == [
        (True, f"Twilio lets us in to {ACCOUNT}"),
        (True, f"{NUMBER} is there and can be called"),
        (True, "calls to GB are allowed"),
    ]


async def test_doctor_says_what_is_wrong() -> None:
    account = Account()
    account.has(NUMBER, voice_url="https://demo.twilio.com/x", voice_fallback_url="", capabilities={"voice": False})  # fmt: skip
    found = await findings(account, "+447700900123", "+33612345678")
    assert (False, f"{NUMBER} cannot be called") in found
    assert (False, f"{NUMBER}: voice_url is https://demo.twilio.com/x") in found
    assert (False, f"{NUMBER}: no fallback URL") in found
    assert (False, "calls to FR are not allowed") in found
    account.numbers.clear()
    found = await findings(account)
    assert (False, f"{NUMBER} is no number of the account") in found
    assert (False, f"caller_id {NUMBER} may not be shown") in found
    account.verified = [NUMBER]
    assert (False, f"caller_id {NUMBER} may not be shown") not in await findings(account)


async def test_doctor_says_that_it_is_not_let_in() -> None:
    account = Account()
    account.status = 401
    [(ok, what)] = await findings(account)
    assert not ok
    assert what == "Twilio says 401, code 20003: Authenticate"


# ---------------------------------------------------------------- the commands


def write(folder: Path, url: str) -> None:
    (folder / "callrouter.yaml").write_text(
        f"pbx:\n  cloud: {{driver: twilio, account_sid: {ACCOUNT}, auth_token: t0p, "
        f"public_url: 'https://calls.example.com', numbers: {{'{NUMBER}': support}}, "
        f"caller_id: '{NUMBER}', fallback: '{FALLBACK}', places: {{voicemail: '{VOICEMAIL}'}}, "
        f"api_url: '{url}'}}\nqueues: {{support: {{}}}}\n",
        "utf-8",
    )


@dataclass
class Said:
    status: int
    output: str


def say(folder: Path, *words: str) -> Said:
    """Run a command in a thread, where it can have a loop of its own; as `main` does."""
    results: list[Result] = []

    def run() -> None:
        args = ["--config", str(folder), *words]
        results.append(CliRunner().invoke(cli, args, standalone_mode=False))

    thread = Thread(target=run)
    thread.start()
    thread.join(30.0)
    [result] = results
    if isinstance(result.exception, Failed):
        return Said(result.exception.status, f"{result.output}{result.exception}")
    assert result.exception is None, result.exception
    return Said(result.return_value or 0, result.output)


async def test_setup_shows_then_makes_the_changes_once(tmp_path: Path) -> None:
    account = Account()
    account.has(NUMBER, voice_url="https://demo.twilio.com/x", voice_fallback_url="")
    account.has("+442079461111", voice_url="https://someone.else/x")
    async with served(account) as url:
        write(tmp_path, url)
        setup = ("twilio", "setup", "--fallback-url", BIN)
        shown = await asyncio.to_thread(say, tmp_path, *setup)
        assert shown.status == 1, shown.output
        assert (
            f"to change: {NUMBER}: voice_url https://demo.twilio.com/x -> {VOICE}" in shown.output
        )
        assert "nothing was changed" in shown.output
        assert account.changed == []
        made = await asyncio.to_thread(say, tmp_path, *setup, "--apply")
        assert made.status == 0, made.output
        assert account.changed == [{"VoiceUrl": VOICE, "VoiceFallbackUrl": BIN}]
        again = await asyncio.to_thread(say, tmp_path, *setup)
        assert again.status == 0
        assert "all numbers are as they should be" in again.output
        looked = await asyncio.to_thread(say, tmp_path, "doctor")
        assert looked.status == 0, looked.output
        assert f"cloud: Twilio account {ACCOUNT}" in looked.output
    assert "t0p" not in shown.output + made.output + again.output + looked.output


async def test_setup_where_there_is_nothing_to_be_done(tmp_path: Path) -> None:
    account = Account()
    async with served(account) as url:
        write(tmp_path, url)
        missing = await asyncio.to_thread(say, tmp_path, "twilio", "setup")
        assert missing.status == 1
        assert f"{NUMBER} is no number of the account" in missing.output
        account.status = 401
        refused = await asyncio.to_thread(say, tmp_path, "twilio", "setup")
        assert refused.status == 3
        assert "code 20003" in refused.output
        looked = await asyncio.to_thread(say, tmp_path, "doctor")
        assert looked.status == 3


def test_setup_without_an_account_or_with_a_wrong_address(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("pbx: {lab: {driver: simulated}}\n", "utf-8")
    result = say(tmp_path, "twilio", "setup")
    assert result.status == 2
    (tmp_path / "c.yaml").unlink()
    write(tmp_path, "http://127.0.0.1:1")
    result = say(tmp_path, "twilio", "setup", "--fallback-url", "http://x")
    assert result.status == 2
    assert "https://" in result.output
