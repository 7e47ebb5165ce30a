"""`doctor` and the check at login agree about every account, on a real Asterisk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.lab import Install, Lab, lab
from callrouter.model.routing_table import Table
from callrouter.pbx.asterisk.ami import AmiClient, AmiMessage
from callrouter.pbx.asterisk.diagnostics.examination import Examination, examine
from callrouter.pbx.asterisk.diagnostics.login_check import LoginCheck
from callrouter.pbx.asterisk.dialplan import render_extensions, render_manager
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter
from callrouter.pbx.asterisk.login import ami_account
from callrouter.pbx.interface import Finding
from callrouter.settings import AsteriskSettings

pytestmark = [
    pytest.mark.asterisk,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="module"),
]

SECRET = "a-secret-of-the-test"
WRITE = "write = call,originate,user,agent"
READ = "read = system,call,user"

ACCOUNTS = {
    "complete": ((), ()),
    "no-write-user": (
        ((WRITE, "write = call,originate,agent"),),
        ("write=user is missing",),
    ),
    "no-write-agent": (
        ((WRITE, "write = call,originate,user"),),
        ("write=agent is missing",),
    ),
    "no-write-originate": (
        ((WRITE, "write = call,user,agent"),),
        ("write=originate is missing",),
    ),
    "no-read-user": (
        ((READ, "read = system,call"),),
        ("no events come: read=user is missing",),
    ),
    "no-read-call": (
        ((READ, "read = system,user"),),
        ("no events come: read=call is missing",),
    ),
    "hears-no-echo": (
        ((READ, f"{READ}\neventfilter = !UserEvent: CallrouterHello"),),
        ("no events come: read=user is missing",),
    ),
    "neither-rings-nor-hears": (
        ((WRITE, "write = call,user,agent"), (READ, "read = system,call")),
        ("no events come: read=user is missing", "write=originate is missing"),
    ),
}
"""Accounts: what differs from ours, and what the check at login complains of."""

FOUND_BY_DOCTOR = {
    "write=user is missing": "add user to write=",
    "write=agent is missing": "add agent to write=",
    "write=originate is missing": "add originate to write=",
    "no events come: read=user is missing": "add user to read=",
    "no events come: read=call is missing": "add call to read=",
}


def account_text(name: str) -> str:
    text = render_manager(name, SECRET)
    for old, new in ACCOUNTS[name][0]:
        assert old in text
        text = text.replace(old, new)
    return text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def centre(install: Install) -> AsyncIterator[Lab]:
    manager = "\n".join(account_text(name) for name in ACCOUNTS)
    async with lab(install, phones=(), dialplan=render_extensions(), manager=manager) as made:
        yield made


async def complaints_at_login(
    settings: AsteriskSettings, caplog: pytest.LogCaptureFixture
) -> set[str]:
    """What the check after a login logs as an error."""
    up = asyncio.Event()
    heard: list[AmiMessage] = []

    def on_event(message: AmiMessage) -> None:
        heard.append(message)
        check.on_event(message)

    client = AmiClient(
        ami_account(settings), on_event=on_event, on_up=up.set, on_down=lambda _why: None
    )
    check = LoginCheck(client, ActionWriter("office", client), lambda _there: None)
    running = asyncio.create_task(client.run())
    await asyncio.wait_for(up.wait(), 10)
    caplog.clear()
    await check.run()
    await client.close()
    await running
    errors = [one.message for one in caplog.records if one.levelno >= logging.ERROR]
    return {text.removeprefix("office: ").partition(";")[0] for text in errors}


@pytest.mark.parametrize("name", ACCOUNTS)
async def test_doctor_finds_whatever_the_check_at_login_complains_of(
    name: str, centre: Lab, caplog: pytest.LogCaptureFixture
) -> None:
    settings = AsteriskSettings(
        id="office", port=centre.asterisk.ami_port, username=name, secret=SECRET
    )
    complaints = await complaints_at_login(settings, caplog)
    assert complaints == set(ACCOUNTS[name][1])
    examination = Examination(spoken={}, router=None)
    findings: list[Finding] = [
        one async for one in examine("office", settings, Table(), examination)
    ]
    advice = [finding.advice for finding in findings if finding.ok is False]
    for complaint in complaints:
        assert any(FOUND_BY_DOCTOR[complaint] in text for text in advice), complaint
    if not complaints:
        assert advice == []
