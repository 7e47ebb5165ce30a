"""Real calls through a real Asterisk."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callrouter.lab import (
    Answer,
    AnswerThenBye,
    CallEndedError,
    Dialog,
    EarlyMedia,
    Install,
    Lab,
    Redirect,
    Refuse,
    RegistrationFailedError,
    RingOnly,
    Silent,
    TryingOnly,
    start_phones,
)
from callrouter.lab.asterisk import Asterisk
from callrouter.lab.fixtures import close_phones

pytestmark = pytest.mark.asterisk


async def _talk(here: Lab, one: str, two: str) -> tuple[Dialog, Dialog]:
    """A call from `one` to `two` in which both have heard one another."""
    before = len(here[two].incoming)
    out = await here[one].call(two)
    into = await here[two].wait_incoming(before + 1)
    await out.wait_up()
    await out.wait_heard(two)
    await into.wait_heard(one)
    return out, into


async def _channels(here: Lab) -> str:
    said = "?"
    for _ in range(100):
        said = await here.asterisk.cli("core show channels concise")
        if not said:
            break
        await asyncio.sleep(0.02)
    return said


async def test_two_phones_talk(here: Lab) -> None:
    here["1002"].behaviour = Answer(0.1)
    out, into = await _talk(here, "1001", "1002")
    assert out.heard == {"1002"}
    assert into.heard == {"1001"}
    assert not out.heard_other_audio
    assert (into.peer_number, into.called, out.peer_number) == ("1001", "1002", "1002")
    assert out.invite_at < into.invite_at < (out.ringing_at or 0) < (out.answered_at or 0)
    assert 0.1 <= (into.answered_at or 0) - into.invite_at < 0.5
    await into.bye()
    await out.wait_ended()
    assert (out.ended_by, into.ended_by) == ("them", "us")
    assert await _channels(here) == ""


async def test_caller_and_carrier(here: Lab) -> None:
    here["carrier"].behaviour = AnswerThenBye(0.05, 0.2)
    out = await here["caller"].call("400", caller_name="Ann Ö", caller_number="+4470")
    into = await here["carrier"].wait_incoming()
    await out.wait_heard("carrier")
    await out.wait_ended()
    assert (into.called, into.peer_number, into.peer_name) == ("0441234", "+4470", "Ann Ö")
    assert (out.ended_by, into.ended_by) == ("them", "us")


@pytest.mark.parametrize("code", [486, 603, 480, 404, 503])
async def test_refusals_arrive_as_such(here: Lab, code: int) -> None:
    here["1001"].behaviour = Refuse(code, after=0.05)
    out = await here["caller"].call("100")
    with pytest.raises(CallEndedError):
        await out.wait_up()
    assert here["1001"].incoming[0].final_code == code
    # Asterisk makes a cause of the code and a code of the cause: 603 is cause 21, which is 403.
    assert out.final_code == (403 if code == 603 else code)


async def test_an_unregistered_phone(here: Lab) -> None:
    await here["1002"].unregister()
    out = await here["1001"].call("1002")
    await out.wait_ended()
    assert out.final_code in {404, 480, 503}
    assert here["1002"].incoming == []


async def test_a_wrong_password(here: Lab) -> None:
    phones = await start_phones(here.asterisk, ["1001"], register=False)
    phones["1001"]._password = "wrong"
    await phones["1001"].close()
    await phones["1001"].start()
    with pytest.raises(RegistrationFailedError, match="401"):
        await phones["1001"].register()
    await close_phones(phones.values())


async def test_cancel(here: Lab) -> None:
    here["1002"].behaviour = RingOnly()
    out = await here["1001"].call("1002")
    await out.wait_ringing()
    await out.cancel()
    into = here["1002"].incoming[0]
    await into.wait_ended()
    assert (out.final_code, out.ended_by) == (487, "us")
    assert (into.ended_by, into.final_code, into.answered_elsewhere) == ("them", 487, False)
    assert await _channels(here) == ""


async def test_cancel_at_once(here: Lab) -> None:
    for wait in (0.0, 0.001, 0.002, 0.004):
        here["1002"].behaviour = Answer(0.0)
        out = await here["1001"].call("1002")
        await asyncio.sleep(wait)
        await out.bye()
        assert out.ended_by == "us"
    assert await _channels(here) == ""


async def test_answered_elsewhere(here: Lab) -> None:
    here["1001"].behaviour = RingOnly()
    here["1002"].behaviour = Answer(0.1)
    out = await here["caller"].call("300")
    await out.wait_up()
    into = here["1001"].incoming[0]
    await into.wait_ended()
    assert into.answered_elsewhere
    await out.bye()


async def test_hold_plays_music_and_unhold_brings_the_voice_back(here: Lab) -> None:
    out, into = await _talk(here, "1001", "1002")
    assert await out.hold() == 200
    await into.wait_heard("")
    assert out.on_hold
    assert await out.unhold() == 200
    await into.wait_hears("1001")
    await out.bye()


async def test_both_ways_of_dtmf(here: Lab) -> None:
    out = await here["caller"].call("500")
    await out.wait_up()
    await out.send_dtmf("4")
    # A digit in RTP may be overtaken by one in SIP: the channel reads them in threads of its own.
    async with asyncio.timeout(20):
        while "LAST_DIGITS=4\n" not in await here.asterisk.cli("dialplan show globals") + "\n":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    await out.send_dtmf("2", "info")
    await out.send_dtmf("#")
    await out.wait_ended(20)
    assert "LAST_DIGITS=42" in await here.asterisk.cli("dialplan show globals")
    out, into = await _talk(here, "1001", "1002")
    await into.send_dtmf("7")
    await out.wait(lambda: out.digits == "7", 10)
    await out.bye()


async def test_dtmf_by_script(here: Lab) -> None:
    here["1002"].behaviour = Answer(0.0, dtmf=((0.1, "1", "rfc4733"), (0.3, "9", "info")))
    out = await here["1001"].call("1002")
    await out.wait(lambda: out.digits == "19", 10)
    await out.bye()


async def test_blind_transfer(here: Lab) -> None:
    out, into = await _talk(here, "1001", "1002")
    assert await into.blind_transfer("1003") < 300
    third = await here["1003"].wait_incoming()
    await third.wait_heard("1001")
    await out.wait_heard("1003")
    await into.wait_ended()
    await out.bye()
    await third.wait_ended()


async def test_blind_transfer_to_nowhere(here: Lab) -> None:
    _, into = await _talk(here, "1001", "1002")
    assert await into.blind_transfer("9999") == 404
    assert into.state == "up"
    await into.bye()


async def test_attended_transfer(here: Lab) -> None:
    out, into = await _talk(here, "1001", "1002")
    await into.hold()
    ask, third = await _talk(here, "1002", "1003")
    assert await into.attended_transfer(ask) < 300
    await third.wait_heard("1001")
    await out.wait_heard("1003")
    await ask.wait_ended()
    await into.wait_ended()
    await third.bye()
    await out.wait_ended()
    assert await _channels(here) == ""


async def test_pickup(here: Lab) -> None:
    here["1002"].behaviour = RingOnly()
    out = await here["1001"].call("1002")
    await out.wait_ringing()
    grab = await here["1003"].call("*8")
    await grab.wait_heard("1001")
    await out.wait_heard("1003")
    assert here["1002"].incoming[0].state == "ended"
    await out.bye()


async def test_redirect(here: Lab) -> None:
    here["1002"].behaviour = Redirect("1003")
    out = await here["1001"].call("1002")
    await out.wait_heard("1003")
    await out.bye()


async def test_early_media(here: Lab) -> None:
    here["1002"].behaviour = EarlyMedia(answer_after=0.3)
    out = await here["1001"].call("1002")
    await out.wait_heard("1002")
    assert out.answered_at is None
    await out.wait_up()
    await out.bye()


@pytest.mark.parametrize("behaviour", [Silent(), TryingOnly()])
async def test_phones_that_ignore_cancel(here: Lab, behaviour: Silent | TryingOnly) -> None:
    here["1002"].behaviour = behaviour
    out = await here["1001"].call("1002")
    await here["1002"].wait_incoming()
    await out.cancel()
    assert here["1002"].incoming[0].state == "trying"


async def test_a_phone_that_died(here: Lab) -> None:
    here["1002"].die()
    out = await here["1001"].call("1002")
    with pytest.raises(TimeoutError):
        await out.wait_ringing(0.5)
    await out.cancel()


async def test_many_callers_of_one_phone(here: Lab) -> None:
    calls = [await here["caller"].call("200", caller_number=f"07{n:04}") for n in range(30)]
    for call in calls:
        await call.wait_heard("")
    assert len((await here.asterisk.cli("core show channels concise")).splitlines()) == 30
    await here["caller"].close()
    assert await _channels(here) == ""


async def test_pause_kill_and_restart(here: Lab) -> None:
    here.asterisk.pause()
    out = await here["1001"].call("1002")
    await asyncio.sleep(0.7)
    assert out.ringing_at is None
    here.asterisk.resume()
    await out.wait_up()
    here.asterisk.kill()
    await here.asterisk.restart()
    again, _ = await _talk(here, "1003", "1002")  # the registrations are in the AstDB
    await again.bye()
    out.vanish()


async def test_two_at_once_with_nothing_but_their_own_ports(here: Lab, install: Install) -> None:
    other = await Asterisk.start(install, music=False)
    try:
        assert other.ami_port != here.asterisk.ami_port
        # PJSIP's DNS resolver opens two more (UDP, any address, ephemeral); it cannot be told not to.
        ports = {port for port in _ports(here.asterisk.pid or 0) if port < 32_768}
        assert ports == {here.asterisk.ami_port, here.asterisk.sip_port}
        assert "default" not in await other.cli("moh show classes")
    finally:
        await other.stop()
    assert not other.folder.exists()


def _ports(pid: int) -> set[int]:
    """The ports on which the process listens (TCP) or receives (UDP)."""
    inodes = {
        match[1]
        for link in Path(f"/proc/{pid}/fd").iterdir()
        if (match := re.match(r"socket:\[(\d+)\]", str(link.readlink())))
    }
    found = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            words = line.split()
            if words[9] in inodes and words[3] in {"0A", "07"}:
                found.add(int(words[1].rpartition(":")[2], 16))
    return found


async def test_the_log_has_no_errors(here: Lab) -> None:
    lines = here.asterisk.log_path.read_text().splitlines()
    assert [line for line in lines if "ERROR" in line] == []


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except FileNotFoundError:
        return False


async def test_asterisk_dies_with_its_parent(install: Install) -> None:
    script = (
        "import asyncio, os\n"
        "from callrouter.lab import Asterisk, find_asterisk\n"
        "async def main():\n"
        "    a = await Asterisk.start(await find_asterisk())\n"
        "    print(a.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    os.kill(pid, 0)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    for _ in range(100):
        if not _lives(pid):
            break
        await asyncio.sleep(0.02)
    else:
        pytest.fail("Asterisk outlived its parent")
