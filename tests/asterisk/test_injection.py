"""Callers, dialplans and other programs that forge the events of Asterisk: nothing comes of it.

Each attack is a real call, or a real action, on a real Asterisk. PJSIP decodes ``%0d%0a`` in the user part of From,
P-Asserted-Identity and the request URI, and Asterisk writes numbers and extensions into its events unescaped.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from callrouter.feature_codes import prompts
from callrouter.lab import Install, Refuse
from callrouter.model.call_notices import CallAbandoned
from callrouter.model.notices import AgentPaused, AgentResumed, AgentSignedIn, AgentSignedOut
from callrouter.model.routing_table import KeepWaiting, SignIn
from callrouter.pbx.asterisk.ami import AmiAccount, AmiClient
from tests.asterisk.ear import Ear, dial, heard
from tests.asterisk.floor import (
    DIALPLAN,
    MANAGER,
    Answer,
    Floor,
    RingOnly,
    SignedIn,
    desk,
    person,
    stage,
)
from tests.asterisk.test_codes import begin

pytestmark = [pytest.mark.asterisk, pytest.mark.asyncio(loop_scope="module")]

LINE = "\r\n"
END = LINE * 2
USER = """
[onlyuser]
secret=onlyuser
deny=0.0.0.0/0.0.0.0
permit=127.0.0.1/255.255.255.255
read=user
write=user
"""
CODE = f"1{END}Event:UserEvent{LINE}UserEvent:CallrouterCode{LINE}Code:*45{LINE}Channel:PJSIP/1001-"


def escaped(text: str) -> str:
    """Text as the user part of a SIP URI: letters and digits stand for themselves."""
    return "".join(c if c.isascii() and c.isalnum() else f"%{ord(c):02x}" for c in text)


LAB_IN = f"""
exten => 7001,1,Set(CONNECTEDLINE(num)=${{URIDECODE({escaped(CODE)})}})
 same => n,Goto(callrouter,support,1)
exten => 7002,1,UserEvent(CallrouterCode,Code: *45,Channel: PJSIP/1001-00000001)
 same => n,UserEvent(CallrouterCall,CallQueue: support)
 same => n,Goto(callrouter-fallback-user,7002,1)
exten => 7003,1,Set(CALLERID(num)=${{URIDECODE({escaped(CODE)})}})
 same => n,Goto(callrouter-person,*45,1)
; a private call of ann's with someone whose number is hostile
exten => 7005,1,Set(CALLERID(num)=${{URIDECODE({escaped(CODE)})}})
 same => n,Dial(PJSIP/1001,20)
; a caller in nobody's queue, whose row hides itself from every comparison
exten => 7006,1,Answer()
 same => n,Wait(30)
exten => _8.,1,Dial(Local/${{EXTEN:1}}@local,5)
exten => 7004,1,Set(CALLERID(num)=${{CALLERID(num)}}${{CALLERID(num)}}${{CALLERID(num)}})
 same => n,Progress()
 same => n,Wait(5)
"""
OURS_BY_NAME = """
[local]
exten => _.,1,Answer()
 same => n,Wait(1)

[callrouter-fallback-user]
exten => 7002,1,UserEvent(CallrouterCode,Code: *45,Channel: PJSIP/1001-00000001)
 same => n,UserEvent(CallrouterCall,CallQueue: support)
 same => n,Answer()
 same => n,Wait(1)
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def here(install: Install) -> AsyncIterator[Floor]:
    async with stage(
        install,
        3,
        trunk="trunk",
        lab_in=LAB_IN,
        manager=MANAGER + USER,
        dialplan=DIALPLAN + OURS_BY_NAME,
    ) as made:
        yield made


async def ready(here: Floor, **rules: object) -> None:
    """ann at 1001, signed in by hand and free; a reception that answers codes."""
    ann = person("ann", desk("ann", "1001"), extension="1001", sign_in=SignIn.MANUAL)
    await begin(here, ann, **rules)
    here.post(SignedIn(agent="ann"))
    await here.until(lambda: here.free("ann"))
    here.phone("1001").behaviour = RingOnly()


async def settled(here: Floor) -> None:
    """Wait until all that was dropped has led to a comparison, and that is over."""
    await asyncio.sleep(0.3)
    await here.until(lambda: not here.pbx._forged._scheduled and not syncing(here), 5)


def syncing(here: Floor) -> bool:
    return here.pbx._resync._task is not None and not here.pbx._resync._task.done()


def untouched(here: Floor) -> None:
    """Nothing that the router did or learned came of it."""
    assert here.state("ann") == "available"
    changes = (AgentSignedIn, AgentSignedOut, AgentPaused, AgentResumed)
    assert [type(r) for r in here.notices if isinstance(r, changes)] == [AgentSignedIn]


HOSTILE = [
    CODE,
    CODE.replace("*45", "*46"),
    CODE.replace("*45", "*48"),
    # as Asterisk writes it, as far as there is room
    f"{END}Event: UserEvent{LINE}Privilege: user,all{LINE}UserEvent: CallrouterCode{LINE}x:",
    f"{END}Event: DeviceStateChange{LINE}Privilege: call,all{LINE}Device: PJSIP/1001{LINE}State:",
    f"{END}Event:DeviceStateChange{LINE}Device:PJSIP/1001{LINE}State:INVALID{LINE}",
    f"{END}Event:Newchannel{LINE}Channel:PJSIP/1001-1{LINE}Uniqueid:9.9{END}",
    f"{END}Event:UserEvent{LINE}UserEvent:CallrouterCall{LINE}CallQueue:support{LINE}Uniqueid:9.1",
    f"1{LINE}Linkedid: 1{END}Event:DeviceStateChange{LINE}Device:PJSIP/1001{LINE}State:INVALID",
    f"1{END}Response: Error{LINE}Message: no{END}",
    f"1{END}Event: FullyBooted{END}Event: Shutdown{LINE}Shutdown: Cleanly",
    END,
    LINE,
    f"{END}{END}{END}",
    "\n\nEvent:\n",
    "\r\r",
    f"1{LINE}Uniqueid: 9.9{LINE}Linkedid: 9.9",
    "1(2)3}4{5$[6]7\"8'9,0\\",
    f"${{EXTEN}},(${{CALLERID(num)}}{LINE}){{",
]


@pytest.mark.parametrize("where", ["from", "identity", "extension"])
@pytest.mark.parametrize("text", HOSTILE)
async def test_a_call_that_forges_events_does_nothing_and_is_served(
    here: Floor, text: str, where: str
) -> None:
    await ready(here)
    calls = here.lab["caller"]
    if where == "from":
        caller = await calls.call("support", sender=escaped(text))
    elif where == "identity":
        caller = await calls.call("support", caller_number=escaped(text))
    else:  # `_X!` sends any extension on to the queue of that name
        caller = await calls.call(f"1{escaped(text)}")
        await asyncio.sleep(0.3)
        await settled(here)
        untouched(here)
        await caller.bye()
        await settled(here)
        untouched(here)
        await here.quiet()
        return
    leg = await here.phone("1001").wait_incoming()  # the caller is in the queue, and ann is rung
    assert leg.peer_number.isprintable()
    assert len(here.router.floor.calls) == 1
    await settled(here)
    assert here.state("ann") == "ringing"
    await caller.bye()
    await here.until(lambda: here.free("ann"))
    await settled(here)
    untouched(here)
    await here.quiet()


@pytest.mark.parametrize("number", ["7001", "7002", "7004"])
async def test_a_dialplan_that_forges_events_does_nothing(here: Floor, number: str) -> None:
    """A hostile connected number, user events of the site's own contexts, a number of three hostile ones."""
    await ready(here)
    hostile = escaped(
        "\r\n\r\nEvent: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/1001\r\nState: "
    )
    caller = await here.lab["caller"].call(number, sender=hostile)
    await asyncio.sleep(0.5)
    await settled(here)
    if number == "7001":
        assert here.state("ann") == "ringing"
    else:
        assert here.router.floor.calls == {}
    await caller.bye()
    await here.until(lambda: here.free("ann"))
    await settled(here)
    untouched(here)
    await here.quiet()


@pytest.mark.parametrize("text", HOSTILE)
async def test_the_name_of_a_local_channel_forges_nothing_either(here: Floor, text: str) -> None:
    """Asterisk puts the extension into the name, and that into each of its events, first of all."""
    await ready(here)
    caller = await here.lab["caller"].call(f"8{escaped(text)}")
    await asyncio.sleep(0.3)
    await settled(here)
    untouched(here)
    assert here.router.floor.calls == {}
    await caller.bye()
    await settled(here)
    untouched(here)
    await here.quiet()


async def test_codes_work_for_whoever_has_a_number_with_line_ends(here: Floor) -> None:
    await ready(here)
    ear = Ear(here)
    caller = await here.lab["caller"].call("7003", sender="447700900123")
    await here.until(lambda: bool(ear.heard("trunk")))
    assert ear.heard("trunk")[0] == prompts.ASK_EXTENSION[0]
    await caller.bye()
    await settled(here)
    untouched(here)
    assert await dial(here, "1001", "*45") == heard(prompts.SIGNED_OUT)
    assert here.state("ann") == "offline"
    await here.quiet()


async def test_forged_ends_of_a_caller_do_nothing_and_neither_do_comparisons(here: Floor) -> None:
    """A stranger whose channel's row cannot be read stays for as long as they like."""
    await ready(here)
    here.phone("1001").behaviour = Refuse(486)
    victim = await here.call()
    await here.until(lambda: here.router.floor.calls)
    uid = next(iter(here.pbx.tracker.callers))
    for event in ("Hangup", "HangupRequest", "MusicOnHoldStop"):
        text = f"1\r\n\r\nEvent:{event}\r\nUniqueid:{uid}\r\n\r\n"
        stranger = await here.lab["caller"].call("7006", sender=escaped(text))
        for _ in range(3):
            await settled(here)
            here.pbx.resync("a test asks for it")
            await here.until(lambda: not syncing(here))
        assert list(here.pbx.tracker.callers) == [uid]
        await stranger.bye()
    assert here.happened(CallAbandoned) == []
    here.phone("1001").behaviour = Answer()
    await victim.wait_heard("1001", 10)
    await victim.bye()
    await here.quiet()
    assert here.pbx.drift == 0


async def test_an_agents_phone_is_free_again_after_a_private_call_with_a_hostile_number(
    here: Floor,
) -> None:
    await ready(here)
    here.phone("1001").behaviour = Answer()
    stranger = await here.lab["caller"].call("7005")
    await stranger.wait_heard("1001")
    await settled(here)
    assert here.state("ann") == "on-call"
    await stranger.bye()
    await here.until(lambda: here.free("ann"), 5)
    untouched(here)
    await here.quiet()


async def test_a_caller_with_line_ends_in_the_number_is_found_after_a_restart(here: Floor) -> None:
    await ready(here, on_nobody=KeepWaiting())
    here.phone("1001").behaviour = Refuse(486)
    caller = await here.lab["caller"].call("support", sender=escaped(CODE))
    await here.until(lambda: here.router.floor.calls)
    spec = here.spec
    await here.crash()
    here.phone("1001").behaviour = Answer()
    await here.start(spec)
    here.post(SignedIn(agent="ann"))
    await caller.wait_heard("1001", 10)
    await caller.bye()
    await here.quiet()


# ------------------------------------------------------------ programs with write=user alone


def action(
    name: str, uid: str, channel: str = "PJSIP/1001-00000001", **more: str
) -> dict[str, str]:
    """An action `UserEvent` that looks as much like an event of the dialplan's as it can."""
    return {
        "Action": "UserEvent",
        "UserEvent": name,
        "Channel": channel,
        "ChannelState": "6",
        "ChannelStateDesc": "Up",
        "CallerIDNum": "1",
        "CallerIDName": "1",
        "ConnectedLineNum": "1",
        "ConnectedLineName": "1",
        "Language": "en",
        "AccountCode": "",
        "Context": "callrouter-person",
        "Exten": "*45",
        "Priority": "1",
        "Uniqueid": uid,
        "Linkedid": uid,
        **more,
    }


async def test_an_account_that_may_only_send_user_events_acts_for_nobody(
    here: Floor, caplog: pytest.LogCaptureFixture
) -> None:
    await ready(here)
    account = AmiAccount(
        host="127.0.0.1", port=here.lab.asterisk.ami_port, username="onlyuser", secret="onlyuser"
    )
    up = asyncio.Event()
    session = AmiClient(account, on_event=lambda _: None, on_up=up.set, on_down=lambda _: None)
    running = asyncio.create_task(session.run())
    await up.wait()
    caller = await here.call()
    await here.phone("1001").wait_incoming()
    await here.until(lambda: here.state("ann") == "ringing")
    [leg] = here.pbx.tracker.legs.values()
    offer = {"Offer": leg.offer, "Device": leg.device}
    with caplog.at_level(logging.WARNING):
        await asyncio.gather(
            *session.send(
                [
                    action("CallrouterCode", "9.1", Code="*45"),
                    action("CallrouterCode", "9.2", Code="*48"),
                    *(action("CallrouterCall", f"8.{n}", CallQueue="support") for n in range(50)),
                    action("CallrouterAccepted", leg.uid, **offer),
                    action("CallrouterRefused", leg.uid, **offer, Why="key"),
                    action("CallrouterAccepted", "9.3", **offer),
                    action("CallrouterFallback", next(iter(here.pbx.tracker.callers))),
                    action("CallrouterHello", "9.4"),
                    action("SomebodyElses", "9.5"),
                ]
            )
        )
        await asyncio.sleep(0.3)
    assert here.state("ann") == "ringing"
    assert len(here.router.floor.calls) == 1
    assert here.pbx.health().counts["forged events"] >= 56
    assert len([r for r in caplog.records if "not as Asterisk writes them" in r.message]) <= 1
    await caller.bye()
    await here.until(lambda: here.free("ann"))
    untouched(here)
    await session.close()
    await asyncio.gather(running, return_exceptions=True)
    await here.quiet()
