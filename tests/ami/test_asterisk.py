"""The session on a real Asterisk."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from callrouter.pbx.asterisk.ami import AmiDown, AmiRejected, AmiTiming
from callrouter.pbx.asterisk.sanitize import clean_name, variable
from tests.ami.fake import SECRET, running, until

pytestmark = pytest.mark.asterisk

TIMING = AmiTiming(ping_interval=0.3, ping_timeout=0.4, retry_first=0.2, boot_grace=0.3)
MANAGER = f"""
[router]
secret={SECRET}
permit=127.0.0.1/255.255.255.255
read=system,call,user,dialplan
write=call,originate,reporting,user,system,command

[humble]
secret={SECRET}
permit=127.0.0.1/255.255.255.255
read=call
write=call
"""
DIALPLAN = """
[ami-test]
exten => hold,1,Answer()
 same => n,Wait(20)
exten => name,1,Answer()
 same => n,UserEvent(Name,Given: ${CALLERID(name)})
 same => n,Hangup()
"""


@pytest.fixture
async def asterisk() -> AsyncIterator[Any]:
    lab = pytest.importorskip("callrouter.lab.asterisk")
    found = await pytest.importorskip("callrouter.lab.install").find_asterisk()
    server = await lab.Asterisk.start(found, manager=MANAGER, dialplan=DIALPLAN)
    try:
        yield server
    finally:
        await server.stop()


async def test_login_lists_commands_and_refusals(asterisk: Any) -> None:
    async with running(asterisk.ami_port, timing=TIMING) as client:
        await client.until_up()
        session = client.session
        assert await session.list({"Action": "CoreShowChannels"}) == []
        assert await session.list({"Action": "PJSIPShowContacts"}) == []
        endpoints = await session.list({"Action": "PJSIPShowEndpoints"})
        assert {event.get("ObjectName") for event in endpoints} == {"caller", "carrier"}
        command = {"Action": "Command", "Command": "core show uptime"}
        assert len((await session.request(command)).all("Output")) >= 2
        with pytest.raises(AmiRejected, match="channel"):
            await session.request({"Action": "Hangup", "Channel": "PJSIP/nobody-1"})
        longest = {"Action": "Setvar", "Variable": "X", "Value": "x" * 993}
        [reply] = session.send([longest])
        assert (await reply).get("Response") == "Success"
        many = {"Action": "Originate", "Channel": "Local/no@nowhere", "Application": "Wait"}
        variables = [f"V{n}={n}" for n in range(116)]  # 120 headers with the ActionID
        with pytest.raises(AmiRejected, match="failed"):
            await session.request({**many, "Variable": variables})
    async with running(asterisk.ami_port, timing=TIMING, secret="wrong") as client:
        await until(lambda: "refused the login of user 'router'" in client.session.last_error)


async def test_a_user_without_read_system_comes_up(asterisk: Any) -> None:
    async with running(asterisk.ami_port, timing=TIMING, username="humble") as client:
        await client.until_up()
        assert (await client.session.request({"Action": "Ping"})).get("Ping") == "Pong"


async def test_originate_with_hostile_texts(asterisk: Any) -> None:
    async with running(asterisk.ami_port, timing=TIMING) as client:
        await client.until_up()
        values = {"CR_A": "Smith,EVIL=1", "CR_B": " (x;[${EXTEN}] ř ", "__CR_C": "a=b&c|d<e>"}
        hostile = 'Bob\u2028Exten: 999\r\nApplication: System "x" <9>'
        action = {
            "Action": "Originate",
            "ActionID": "cr-1",
            "Async": "true",
            "Channel": "Local/name@ami-test/n",
            "Context": "ami-test",
            "Exten": "hold",
            "Priority": "1",
            "CallerID": f'"{clean_name(hostile)}" <123>',
            "Variable": [variable(name, value) for name, value in values.items()],
        }
        reply = await client.session.request(action)
        assert reply.get("Message") == "Originate successfully queued"
        await until(lambda: any(event.name == "OriginateResponse" for event in client.events))
        [answer] = [event for event in client.events if event.name == "OriginateResponse"]
        assert answer.get("ActionID") == "cr-1"
        told = {  # in VarSet Asterisk escapes as C does, ' and \\ too; none is in these values
            event.get("Variable"): event.get("Value")
            for event in client.events
            if event.name == "VarSet"
        }
        assert {name: told.get(name) for name in values} == values
        assert "EVIL" not in told
        await until(lambda: any(event.name == "UserEvent" for event in client.events))
        [user] = [event for event in client.events if event.name == "UserEvent"]
        assert user.get("CallerIDName") == "Bob Exten: 999 Application: System x 9"


async def test_hang_and_crash_are_noticed_and_nothing_is_sent_again(asterisk: Any) -> None:
    async with running(asterisk.ami_port, timing=replace(TIMING, boot_grace=2.0)) as client:
        await client.until_up()
        asterisk.pause()
        originate = {
            "Action": "Originate",
            "Async": "true",
            "Channel": "Local/hold@ami-test",
            "Application": "Wait",
            "Data": "20",
        }
        [hung] = client.session.send([originate])
        await until(lambda: bool(client.downs), 2)
        assert not client.session.up
        with pytest.raises(AmiDown):
            await hung
        asterisk.kill()
        await asterisk.restart()
        await client.until_up(2)
        await asyncio.sleep(0.3)
        assert await client.session.list({"Action": "CoreShowChannels"}) == []
