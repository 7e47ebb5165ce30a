"""One test for each defect found in panoramisk 1.4 (P1 to P14): callrouter's session has none."""

import asyncio
import copy
import gc
import logging
import pickle
from collections.abc import Sequence
from dataclasses import replace

import pytest

from callrouter.pbx.asterisk.ami import AmiBadValue, AmiDown, AmiMessage, AmiRejected, AmiTimeout
from callrouter.pbx.asterisk.ami.messages import parse
from callrouter.pbx.asterisk.ami.wire import MAX_MESSAGE
from tests.ami.fake import (
    QUICK,
    SECRET,
    FakeAmi,
    Received,
    message,
    running,
    serving,
    talking,
    until,
)
from tests.noise import noise


def mute(action: Received) -> bytes | None:
    return None


async def test_p01_lost_actions_are_never_sent_again() -> None:
    async with talking(FakeAmi(answer=mute)) as (fake, client):
        [redirect] = client.session.send([{"Action": "Redirect", "Channel": "PJSIP/1"}])
        await until(lambda: fake.count("Redirect") == 1)
        fake.cut()
        with pytest.raises(AmiDown, match="Redirect"):
            await redirect
        [while_down] = client.session.send([{"Action": "Originate", "Channel": "PJSIP/2"}])
        assert isinstance(while_down.exception(), AmiDown)
        await client.until_up(2)
        await client.session.request({"Action": "Ping"})  # all before it has arrived now
        assert fake.count("Redirect") == 1
        assert fake.count("Originate") == 0


async def test_p02_every_future_ends_when_the_link_is_lost() -> None:
    def half_a_list(action: Received) -> bytes | None:
        if action.name != "Status":
            return None
        return action.reply("EventList: start") + message(
            "Event: Status", f"ActionID: {action.get('ActionID')}", "Uniqueid: 1.1"
        )

    async with talking(FakeAmi(answer=half_a_list)) as (fake, client):
        listing = asyncio.create_task(client.session.list({"Action": "Status"}))
        futures = client.session.send([{"Action": "Getvar"}, {"Action": "Hangup"}])
        await until(lambda: fake.count("Hangup") == 1)
        fake.cut()
        ends = await asyncio.wait_for(
            asyncio.gather(listing, *futures, return_exceptions=True), timeout=1
        )
        assert [type(end) for end in ends] == [AmiDown] * 3
        assert client.downs
        assert not client.session.up


async def test_p02_every_future_ends_on_close_and_on_time_out() -> None:
    async with talking(FakeAmi(answer=mute)) as (_, client):
        [slow] = client.session.send([{"Action": "Getvar"}], timeout=0.01)
        with pytest.raises(AmiTimeout, match=r"Getvar within 0\.01 s"):
            await slow
        [pending] = client.session.send([{"Action": "Getvar"}])
        await client.session.close()
        with pytest.raises(AmiDown, match="closed"):
            await pending


async def test_p02_the_session_comes_up_without_fully_booted() -> None:
    async with talking(FakeAmi(after_login=b"")) as (_, client):
        assert (await client.session.request({"Action": "Getvar"})).get("Response") == "Success"


async def test_p03_late_answers_are_dropped_and_counted() -> None:
    held: list[Received] = []

    def hold(action: Received) -> bytes | None:
        held.append(action)
        return None

    async with talking(FakeAmi(answer=hold)) as (fake, client):
        futures = client.session.send([{"Action": "Getvar"}] * 50, timeout=0.02)
        ends = await asyncio.gather(*futures, return_exceptions=True)
        assert all(isinstance(end, AmiTimeout) for end in ends)
        fake.push(*[action.reply() for action in held])
        await until(lambda: client.session.counters.late_replies == 50)
        assert client.session.counters.timeouts == 50
        link = client.session._link
        assert link is not None
        assert not link.responses


async def test_p03_an_answer_after_wait_for_gave_up_leaves_nothing() -> None:
    held: list[Received] = []

    def hold(action: Received) -> bytes | None:
        held.append(action)
        return None

    async with talking(FakeAmi(answer=hold)) as (fake, client):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.session.request({"Action": "Getvar"}), timeout=0.01)
        fake.push(held[0].reply())
        await until(lambda: client.session.counters.late_replies == 1)
        link = client.session._link
        assert link is not None
        assert not link.responses


async def test_p03_late_list_events_are_no_news() -> None:
    held: list[Received] = []

    def hold(action: Received) -> bytes | None:
        held.append(action)
        return None

    async with talking(FakeAmi(answer=hold)) as (fake, client):
        with pytest.raises(AmiTimeout):
            await client.session.list({"Action": "DeviceStateList"}, timeout=0.01)
        action_id = f"ActionID: {held[0].get('ActionID')}"
        fake.push(
            message("Event: DeviceStateChange", action_id, "State: INUSE"),
            message("Event: DeviceStateListComplete", action_id, "EventList: Complete"),
            message("Event: DeviceStateChange", "State: NOT_INUSE"),
        )
        await until(lambda: bool(client.events))
        assert [event.get("State") for event in client.events] == ["NOT_INUSE"]
        link = client.session._link
        assert link is not None
        assert not link._lists


async def test_p04_a_failing_handler_costs_its_event_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[str] = []

    def fail_on_two(event: AmiMessage) -> None:
        if event.get("Uniqueid") == "2.2":
            raise ValueError("boom")
        seen.append(event.get("Uniqueid"))

    async with talking(on_event=fail_on_two) as (fake, client):
        numbers = ("1.1", "2.2", "3.3")
        fake.push(
            b"".join(message("Event: Hangup", f"Uniqueid: {n}", "Exten: 420777") for n in numbers)
        )
        await until(lambda: len(seen) == 2)
        assert seen == ["1.1", "3.3"]
        assert client.session.up
        assert client.session.counters.handler_errors == 1
    [record] = [r for r in caplog.records if r.levelno >= logging.ERROR]
    assert "Hangup 2.2" in record.getMessage()
    assert "420777" not in record.getMessage()


async def test_p04_originate_without_async_header_resolves() -> None:
    def queued(action: Received) -> bytes:
        return action.reply("Message: Originate successfully queued")

    async with talking(FakeAmi(answer=queued)) as (_, client):
        reply = await client.session.request({"Action": "Originate", "Channel": "PJSIP/1"})
        assert reply.get("Message") == "Originate successfully queued"
        assert client.session.up


async def test_p05_queue_add_is_an_ordinary_action() -> None:
    def added(action: Received) -> bytes:
        return action.reply("Message: Added interface to queue")

    async with talking(FakeAmi(answer=added)) as (_, client):
        assert await client.session.request({"Action": "QueueAdd", "Queue": "a"}, timeout=1)


def list_of(*middle: Sequence[str], end: str = "Complete") -> FakeAmi:
    def answer(action: Received) -> bytes:
        own = f"ActionID: {action.get('ActionID')}"
        return (
            action.reply("EventList: start", "Message: will follow")
            + b"".join(message(event[0], own, *event[1:]) for event in middle)
            + message("Event: StatusComplete", own, f"EventList: {end}", "ListItems: 2")
        )

    return FakeAmi(answer=answer)


async def test_p05_only_event_list_complete_ends_a_list() -> None:
    fake = list_of(["Event: ContactStatusComplete", "N: 1"], ["Event: Status", "N: 2"])
    async with talking(fake, wanted=frozenset({"Hangup"})) as (_, client):
        events = await client.session.list({"Action": "Status"})
        assert [event.get("N") for event in events] == ["1", "2"]
        assert not client.events


async def test_p05_a_cancelled_list_is_an_error() -> None:
    async with talking(list_of(["Event: Status", "N: 1"], end="cancelled")) as (_, client):
        with pytest.raises(AmiRejected, match="cancelled"):
            await client.session.list({"Action": "Status"})


async def test_p05_originate_response_reaches_the_driver() -> None:
    def originate(action: Received) -> bytes:
        own = f"ActionID: {action.get('ActionID')}"
        return action.reply("Message: Originate successfully queued") + message(
            "Event: OriginateResponse", own, "Response: Failure", "Reason: 5"
        )

    async with talking(FakeAmi(answer=originate)) as (_, client):
        action = {"Action": "Originate", "Async": "true", "ActionID": "cr-7"}
        [reply] = client.session.send([action])
        assert (await reply).name == ""
        await until(lambda: bool(client.events))
        [event] = client.events
        assert (event.name, event.get("ActionID"), event.get("Response")) == (
            "OriginateResponse",
            "cr-7",
            "Failure",
        )


async def test_p05_empty_lists_and_refused_lists() -> None:
    texts = {
        "PJSIPShowContacts": "No Contacts found\n",  # as Asterisk 22.10.1 sends it
        "PJSIPShowEndpoints": "No endpoints found",
        "Status": "No such channel",
        "QueueStatus": "Permission denied",
    }

    def answer(action: Received) -> bytes:
        if action.name == "Getvar":
            return action.reply("Value: 1")
        return action.reply(f"Message: {texts[action.name]}", response="Error")

    async with talking(FakeAmi(answer=answer)) as (_, client):
        assert await client.session.list({"Action": "PJSIPShowContacts"}) == []
        assert await client.session.list({"Action": "PJSIPShowEndpoints"}) == []
        with pytest.raises(AmiRejected, match="No such channel"):
            await client.session.list({"Action": "Status"})
        with pytest.raises(AmiRejected, match="Permission denied") as caught:
            await client.session.list({"Action": "QueueStatus"})
        assert caught.value.reply.get("Response") == "Error"
        with pytest.raises(AmiRejected, match="no action that gives a list"):
            await client.session.list({"Action": "Getvar"})


async def test_p06_utf8_split_inside_a_character_arrives_whole() -> None:
    data = message("Event: Newchannel", "CallerIDName: Jiří") + b"Event: X\r\nN: a\xffb\r\n\r\n"
    async with talking() as (_, client):
        link = client.session._link
        assert link is not None
        cut = data.index("ř".encode()) + 1
        link.data_received(data[:cut])
        link.data_received(data[cut:])
        assert client.events[0].get("CallerIDName") == "Jiří"
        assert client.events[1].get("N") == "a\ufffdb"  # an invalid byte shows, it does not vanish


async def test_p07_AST_75_an_idle_link_is_kept_and_a_hung_asterisk_is_noticed() -> None:
    timing = replace(QUICK, ping_interval=0.03, ping_timeout=0.5)
    async with talking(timing=timing) as (fake, client):
        await until(lambda: fake.count("Ping") >= 3)
        assert not client.downs  # answered pings keep it
        fake.pong = False
        [pending] = client.session.send([{"Action": "Getvar"}])
        del pending
        await until(lambda: bool(client.downs))
        assert "not sent a byte" in client.downs[0]
        fake.pong = True
        await client.until_up(2)


async def test_p08_up_is_false_at_once_and_says_why() -> None:
    async with talking(timing=replace(QUICK, retry_first=0.5)) as (fake, client):
        fake.cut()
        await until(lambda: bool(client.downs))
        assert not client.session.up
        assert "127.0.0.1" in client.session.last_error
        await client.until_up(2)
        assert client.session.last_error == ""
        assert client.session.counters.reconnects == 1


async def test_p08_AST_73_a_refused_login_is_reported_and_backed_off(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(FakeAmi(accept_login=False)) as fake, running(fake.port) as client:
        still = noise()
        await until(lambda: len(fake.connects) == 4)
        late = noise(still)
        gaps = [b - a for a, b in zip(fake.connects, fake.connects[1:], strict=False)]
        # 20, 40 and 80 ms by the client's clock; the server may see one of two late, by a busy machine.
        waits = (0.02, 0.04, 0.08)
        assert all(gap > wait / 2 - late for gap, wait in zip(gaps, waits, strict=False))
        assert client.session.counters.refused_logins >= 3
        assert "'router'" in client.session.last_error
        assert "[router] of manager.conf" in client.session.last_error
        assert not client.ups
        fake.accept_login = True
        await client.until_up()
    assert len([r for r in caplog.records if "refused the login" in r.getMessage()]) == 1
    assert SECRET not in caplog.text


async def test_p09_closed_during_an_outage_it_stays_closed() -> None:
    fake = FakeAmi()
    async with talking(fake) as (_, client):
        fake.cut()
        await until(lambda: bool(client.downs))
        await client.session.close()
        logins = fake.count("Login")
        await asyncio.sleep(0.1)  # five times the pause between attempts
        assert fake.count("Login") == logins
        await client.session.run()  # returns at once
        assert fake.count("Login") == logins


async def test_p09_close_logs_off() -> None:
    async with talking() as (fake, client):
        await client.session.close()
        await until(lambda: fake.count("Logoff") == 1)
        assert client.downs == ["closed by this side"]


async def test_p09_cancelling_run_closes() -> None:
    async with serving(FakeAmi()) as fake, running(fake.port) as client:
        await client.until_up()
        with pytest.raises(RuntimeError, match="runs already"):
            await client.session.run()
        client.task.cancel()
        await until(lambda: fake.count("Logoff") == 1)
        assert not client.session.up
        await until(client.task.cancelled)


async def test_p10_events_are_handled_in_order_without_tasks() -> None:
    async with talking() as (_, client):
        tasks = len(asyncio.all_tasks())
        link = client.session._link
        assert link is not None
        link.data_received(b"".join(message("Event: Tick", f"N: {n}") for n in range(20_000)))
        assert len(asyncio.all_tasks()) == tasks
        assert [int(event.get("N")) for event in client.events] == list(range(20_000))


def test_p11_headers_are_read_as_they_are() -> None:
    raw = b"Event:Odd\r\nA:1\r\nB:\r\nC: \r\nContent: x: y\r\nV: one\r\nV: two\r\nW: single\r\nZ:"
    event = parse(raw)
    assert event.name == "Odd"
    assert [event.get(k, "-") for k in ("A", "B", "C", "Content", "Z", "Missing")] == [
        "1",
        "",
        "",
        "x: y",
        "",
        "-",
    ]
    assert event.all("V") == ["one", "two"]
    assert event.get("V") == "one"
    assert event.all("W") == ["single"]
    assert event.all("Missing") == []
    assert "Z" in event
    assert "Missing" not in event
    assert not hasattr(event, "anything")
    for copied in (copy.copy(event), copy.deepcopy(event), pickle.loads(pickle.dumps(event))):
        assert copied.items() == event.items()


def test_p11_a_failed_command_keeps_its_last_line_and_output_is_a_list() -> None:
    reply = parse(b"Response: Failed\r\nMessage: why\r\nOutput: one\r\nOutput: ")
    assert (reply.name, reply.get("Message"), reply.all("Output")) == ("", "why", ["one", ""])


async def test_p12_a_message_beyond_measure_drops_the_link(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with talking() as (fake, client):
        fake.push(b"Event: Huge\r\nData: " + b"x" * (MAX_MESSAGE + 1))
        await until(lambda: bool(client.downs))
        assert "more than 1048576 bytes" in client.downs[0]
        await client.until_up(2)
    assert "more than 1048576 bytes" in caplog.text


async def test_p12_the_secret_is_in_no_log_and_no_repr(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with talking() as (fake, client):
        client.session.send([{"Action": "Redirect"}])
        fake.cut()
        await client.until_up(2)
        assert SECRET not in repr(client.session.account)
        assert SECRET.encode() not in b"".join(fake.reads)  # the challenge's answer goes instead
    assert SECRET not in caplog.text
    with pytest.raises(AmiBadValue) as caught:
        async with running(1, secret=f"{SECRET}\n"):
            pass
    assert SECRET not in str(caught.value)


async def test_p13_sending_before_the_first_connect_fails_cleanly() -> None:
    """There is no protocol object to be None: the session itself answers while it is down."""
    async with running(1) as client:
        [future] = client.session.send([{"Action": "Ping"}])
        with pytest.raises(AmiDown, match="no AMI session with Asterisk at 127"):
            await future
        with pytest.raises(AmiDown):
            await client.session.list({"Action": "Status"})


async def test_p14_the_first_refusal_is_reported_and_run_goes_on() -> None:
    """No CallManager here: calls are the driver's, by whole Uniqueid. run() never raises."""
    fake = FakeAmi()
    async with serving(fake):
        pass  # now the port is known and closed
    async with running(fake.port) as client:
        await until(lambda: "refused the connection" in client.session.last_error)
        async with serving(fake):
            await client.until_up()
            fake.push(
                message("Event: Hangup", "Uniqueid: 1700000000.1"),
                message("Event: Hangup", "Uniqueid: 1700000000.2"),
            )
            await until(lambda: len(client.events) == 2)
            assert [e.get("Uniqueid") for e in client.events] == ["1700000000.1", "1700000000.2"]


async def test_unread_failures_make_no_noise(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(action: Received) -> bytes | None:
        return action.reply("Message: no", response="Error") if action.name == "A" else None

    async with talking(FakeAmi(answer=refuse)) as (fake, client):
        client.session.send([{"Action": "A"}, {"Action": "B"}], timeout=0.01)
        await until(lambda: client.session.counters.timeouts == 1)
        client.session.send([{"Action": "B"}])
        fake.cut()
        await until(lambda: bool(client.downs))
        client.session.send([{"Action": "B"}])
        gc.collect()
        await asyncio.sleep(0)
    assert "never retrieved" not in caplog.text
