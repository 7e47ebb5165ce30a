"""Setting up an account and looking at it, over HTTP against `theirs`: what is asked, what is said, what is
changed, and that it is changed once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from click.testing import CliRunner, Result

from callrouter.cli.main import cli
from callrouter.cli.output_text import CommandFailed
from callrouter.model.routing_table import AgentSpec
from callrouter.pbx.twilio.setup.account_checks import examine
from callrouter.pbx.twilio.setup.steps import new_password
from tests.twilio import openapi
from tests.twilio.peer import ACCOUNT
from tests.twilio.theirs import BIN, VOICE, Theirs, served
from tests.twilio.world import FALLBACK, NUMBER, PBX, VOICEMAIL, desk, mobile, settings, table

ACME = "acme.sip.twilio.com"
CODE = "https://calls.example.com/twilio/cloud/code"
CODES = "+442079460090"


async def findings(
    theirs: Theirs, *people: AgentSpec, countries: Collection[str] = ()
) -> list[tuple[bool | None, str]]:
    async with served(theirs) as url:
        return [
            (finding.ok, finding.what)
            async for finding in examine(settings(api_url=url), table(*people), countries)
        ]


# ---------------------------------------------------------------- doctor


@pytest.fixture(scope="module", autouse=True)
def read_documents() -> None:
    """Before the first request: on a busy machine that takes longer than a request may."""
    openapi.faults("GET", f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json", [])


async def test_doctor_says_that_all_is_well() -> None:
    theirs = Theirs()
    theirs.has(NUMBER)
    assert await findings(theirs, mobile("a1", "+447700900123")) == [
        (True, f"Twilio lets us in to {ACCOUNT}"),
        (True, f"{NUMBER} is there and can be called"),
        (True, "calls to GB are allowed"),
    ]
    phones, domain = (
        theirs.has_list("phones", "ann", "bob"),
        theirs.has_domain(ACME, voice_url=CODE),
    )
    theirs.mapped = {f"{domain}/Registrations": [phones], f"{domain}/Calls": [phones]}
    found = await findings(theirs, desk("ann"), desk("bob"))
    assert (True, f"SIP phones can register at {ACME}") in found
    assert [what for ok, what in found if not ok] == []
    assert theirs.changed == []


async def test_doctor_says_what_is_wrong() -> None:
    theirs = Theirs(countries={"GB": True, "US": True, "DE": False, "FR": False})
    theirs.has(NUMBER, voice_url="https://demo.twilio.com/x", voice_fallback_url="", capabilities={"voice": False})  # fmt: skip
    people = [mobile("a1", "+447700900123"), mobile("a2", "+33612345678"), desk("ann")]
    found = await findings(theirs, *people, countries=["GB", "DE"])
    assert (False, f"{NUMBER} cannot be called") in found
    assert (False, f"{NUMBER}: voice_url https://demo.twilio.com/x -> {VOICE}") in found
    assert (False, f"{NUMBER}: no fallback URL") in found
    assert (False, "calls to FR: not allowed -> allowed") in found
    assert (False, "calls to DE: not allowed -> allowed") in found
    assert (False, "calls to US: allowed -> not allowed") in found
    assert (True, "calls to GB are allowed") in found
    assert (False, f"SIP domain {ACME}: missing -> made") in found
    assert (False, f"SIP phone ann@{ACME}: unknown -> made, with a password") in found
    theirs.numbers.clear()
    found = await findings(theirs)
    assert (False, f"{NUMBER} is not a number of the account") in found
    assert (False, f"caller_id {NUMBER} may not be shown") in found
    theirs.verified = [NUMBER]
    assert (False, f"caller_id {NUMBER} may not be shown") not in await findings(theirs)
    assert theirs.changed == []


async def test_a_country_that_twilio_does_not_list_is_not_asked_for() -> None:
    theirs = Theirs(countries={"GB": True})
    theirs.has(NUMBER)
    found = await findings(theirs, countries=["GB", "JE"])
    assert (None, "Twilio does not list the country JE") in found
    assert [what for ok, what in found if ok is False] == []


async def test_the_number_for_codes_is_looked_at_too() -> None:
    theirs = Theirs()
    theirs.has(NUMBER)
    async with served(theirs) as url:
        wish = settings(api_url=url, codes=CODES)
        found = [finding async for finding in examine(wish, table())]
        assert [one.what for one in found if not one.ok] == [
            f"{CODES} is not a number of the account"
        ]
        theirs.has(CODES, voice_url="")
        found = [finding async for finding in examine(wish, table())]
        assert [one.what for one in found if not one.ok] == [f"{CODES}: voice_url empty -> {VOICE}"]


async def test_without_countries_in_the_configuration_none_is_to_be_closed() -> None:
    theirs = Theirs(countries={"GB": True, "US": True})
    theirs.has(NUMBER)
    assert [what for ok, what in await findings(theirs) if not ok] == []


async def test_doctor_says_that_it_is_not_let_in() -> None:
    theirs = Theirs(status=401)
    [(ok, what)] = await findings(theirs)
    assert not ok
    assert what == "Twilio says 401, code 20003: Authenticate"


# ---------------------------------------------------------------- the commands


def write(folder: Path, url: str, more: str = "queues: {support: {}}\n") -> None:
    (folder / "callrouter.yaml").write_text(
        f"pbx:\n  cloud: {{driver: twilio, account_sid: {ACCOUNT}, auth_token: t0p, "
        f"public_url: 'https://calls.example.com', numbers: {{'{NUMBER}': support}}, "
        f"caller_id: '{NUMBER}', fallback: '{FALLBACK}', places: {{voicemail: '{VOICEMAIL}'}}, "
        f"api_url: '{url}'}}\n{more}",
        "utf-8",
    )


@dataclass
class Said:
    status: int
    output: str


def say(folder: Path, *words: str, types: str = "") -> Said:
    """Run a command in a thread, where it can have a loop of its own; as `main` does."""
    results: list[Result] = []

    def run() -> None:
        args = ["--config", str(folder), *words]
        results.append(CliRunner().invoke(cli, args, standalone_mode=False, input=types))

    thread = Thread(target=run)
    thread.start()
    thread.join(30.0)
    [result] = results
    if isinstance(result.exception, CommandFailed):
        return Said(result.exception.status, f"{result.output}{result.exception}")
    assert result.exception is None, result.exception
    assert "t0p" not in result.output
    return Said(result.return_value or 0, result.output)


async def test_setup_shows_then_asks_then_makes_the_changes_once(tmp_path: Path) -> None:
    theirs = Theirs()
    theirs.has(NUMBER, voice_url="https://demo.twilio.com/x", voice_fallback_url="")
    theirs.has("+442079461111", voice_url="https://someone.else/x")
    async with served(theirs) as url:
        write(tmp_path, url)
        setup = ("twilio", "setup", "--fallback-url", BIN)
        shown = await asyncio.to_thread(say, tmp_path, *setup)
        assert shown.status == 1, shown.output
        assert (
            f"to change: {NUMBER}: voice_url https://demo.twilio.com/x -> {VOICE}; "
            f"voice_fallback_url empty -> {BIN}" in shown.output
        )
        assert "nothing was changed; --apply does it" in shown.output
        refused = await asyncio.to_thread(say, tmp_path, *setup, "--apply", types="n\n")
        assert refused.status == 1
        assert "make these changes (1)?" in refused.output
        assert refused.output.endswith("nothing was changed\n")
        assert theirs.changed == []
        made = await asyncio.to_thread(say, tmp_path, *setup, "--apply", types="y\n")
        assert made.status == 0, made.output
        assert [form for _, form in theirs.changed] == [
            {"VoiceUrl": VOICE, "VoiceFallbackUrl": BIN}
        ]
        again = await asyncio.to_thread(say, tmp_path, *setup)
        assert again.status == 0
        assert "all is as it should be" in again.output
        looked = await asyncio.to_thread(say, tmp_path, "doctor")
        assert looked.status == 0, looked.output
        assert f"cloud: Twilio account {ACCOUNT}" in looked.output


PEOPLE = f"""\
numbers: {{region: GB, countries: [GB, FR]}}
agents:
  ann: {{devices: {{phone: sip/ann@{ACME}}}}}
  bob: {{devices: {{phone: sip/bob@{ACME}, mobile: {{number: "+447700900123"}}}}}}
  cat: {{devices: {{phone: client/cat}}}}
queues: {{support: {{agents: [ann, bob, cat]}}}}
"""


async def test_setup_makes_sip_phones_and_opens_and_closes_countries(tmp_path: Path) -> None:
    theirs = Theirs(countries={"GB": True, "FR": False, "US": True, "DE": False})
    theirs.has(NUMBER)
    file = tmp_path / "passwords"
    async with served(theirs) as url:
        write(tmp_path, url, PEOPLE)
        setup = ("twilio", "setup")
        shown = await asyncio.to_thread(say, tmp_path, *setup)
        assert [line.removeprefix("  to change: ") for line in shown.output.splitlines()[1:-1]] == [
            "calls to FR: not allowed -> allowed",
            "calls to US: allowed -> not allowed",
            f"SIP domain {ACME}: missing -> made",
            f"credential list callrouter {ACME}: missing -> made",
            f"users of callrouter {ACME}: may not register at {ACME} -> they may",
            f"users of callrouter {ACME}: may not call at {ACME} -> they may",
            f"SIP phone ann@{ACME}: unknown -> made, with a password",
            f"SIP phone bob@{ACME}: unknown -> made, with a password",
        ]
        unsaid = await asyncio.to_thread(say, tmp_path, *setup, "--apply", "--yes")
        assert unsaid.status == 2
        assert "--passwords FILE" in unsaid.output
        assert theirs.changed == []
        words = (*setup, "--apply", "--yes", "--passwords", str(file))
        made = await asyncio.to_thread(say, tmp_path, *words)
        assert made.status == 0, made.output
        again = await asyncio.to_thread(say, tmp_path, *setup)
        assert (again.status, len(theirs.changed)) == (0, 8), again.output
    assert theirs.countries == {"GB": True, "FR": True, "US": False, "DE": False}
    updates = [json.loads(form["UpdateRequest"]) for path, form in theirs.changed if "Bulk" in path]
    for [update] in updates:
        assert update["high_risk_special_numbers_enabled"] == "false"
        assert update["high_risk_tollfraud_numbers_enabled"] == "false"
    assert [one["voice_url"] for one in theirs.domains.values()] == [CODE]
    kept = dict(line.split() for line in file.read_text().splitlines())
    [users] = theirs.users.values()
    assert kept == {f"{name}@{ACME}": word for name, word in users.items()}
    assert sorted(users) == ["ann", "bob"]
    assert file.stat().st_mode & 0o777 == 0o600
    for word in users.values():
        assert word not in made.output


async def test_setup_leaves_alone_what_others_made(tmp_path: Path) -> None:
    """A domain with a list of the operator's own: only the phone that is missing gets a password."""
    theirs = Theirs(countries={"GB": True, "FR": True, "US": True})
    theirs.has(NUMBER)
    phones, domain = (
        theirs.has_list("phones", "ann"),
        theirs.has_domain(ACME, registers=False, voice_url="https://theirs.example.com/x"),
    )
    theirs.mapped = {f"{domain}/Registrations": [phones]}
    file = tmp_path / "passwords"
    async with served(theirs) as url:
        write(tmp_path, url, PEOPLE)
        words = ("twilio", "setup", "--apply", "--yes", "--keep-countries", "--passwords", str(file))  # fmt: skip
        made = await asyncio.to_thread(say, tmp_path, *words)
        assert made.status == 0, made.output
        assert file.read_text().startswith(f"bob@{ACME} ")
        theirs.users[phones].pop("ann")
        there = await asyncio.to_thread(say, tmp_path, *words)
        assert there.status == 2
        assert "is there already" in there.output
    assert theirs.countries["US"]
    assert theirs.domains[domain]["sip_registration"]
    assert theirs.domains[domain]["voice_url"] == "https://theirs.example.com/x"
    assert theirs.mapped[f"{domain}/Registrations"][0] == phones
    assert "ann" not in theirs.users[phones], "nobody was made whose password could not be kept"


async def test_what_twilio_refuses_is_said_and_ends_it(tmp_path: Path) -> None:
    theirs = Theirs(
        countries={"GB": True, "FR": False},
        refuses={"SIP/Domains.json": (400, 21232, "Domain name is taken")},
    )
    theirs.has(NUMBER)
    async with served(theirs) as url:
        write(tmp_path, url, PEOPLE)
        words = ("twilio", "setup", "--apply", "--yes", "--passwords", str(tmp_path / "p"))
        refused = await asyncio.to_thread(say, tmp_path, *words)
    assert refused.status == 3
    assert "changed: calls to FR" in refused.output
    assert (
        "Twilio says 400, code 21232: Unable to create record: Domain name is taken"
        in refused.output
    )
    assert not (tmp_path / "p").exists()


async def test_setup_where_there_is_nothing_to_be_done(tmp_path: Path) -> None:
    theirs = Theirs()
    async with served(theirs) as url:
        write(tmp_path, url)
        missing = await asyncio.to_thread(say, tmp_path, "twilio", "setup")
        assert missing.status == 1
        assert f"{NUMBER} is not a number of the account" in missing.output
        theirs.status = 401
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


@pytest.mark.parametrize("_", range(20))
def test_new_passwords_are_what_twilio_takes(_: int) -> None:
    word = new_password()
    assert len(word) >= 12
    assert word.isalnum()
    assert any(sign.isdigit() for sign in word)
    assert word not in {word.lower(), word.upper()}


@pytest.mark.parametrize(
    ("status", "kind", "ok", "says"),
    [
        (403, "text/xml", True, "leads to this router"),
        (502, "text/html", False, "answers 502, and that is not this router"),
        (200, "text/html", False, "answers 200, and that is not this router"),
    ],
)
async def test_doctor_tries_the_public_address(status: int, kind: str, ok: bool, says: str) -> None:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(status=status, content_type=kind, text="<Response/>")

    public = web.Application()
    public.router.add_post(f"/twilio/{PBX}/voice", answer)
    theirs = Theirs()
    theirs.has(NUMBER)
    async with TestServer(public) as server, served(theirs) as url:
        mine = settings(api_url=url, public_url=str(server.make_url("")).rstrip("/"))
        last = [one async for one in examine(mine, table(), running=True)][-1]
    assert last.ok is ok
    assert says in last.what


async def test_doctor_does_not_blame_an_address_that_is_out_of_its_reach() -> None:
    theirs = Theirs()
    theirs.has(NUMBER)
    async with served(theirs) as url:
        mine = settings(api_url=url, public_url="http://127.0.0.1:1")
        last = [one async for one in examine(mine, table(), running=True)][-1]
    assert last.ok is None
    assert "cannot be reached from here" in last.what
