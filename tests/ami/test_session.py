"""The session's own rules: one write, guarded values, clear failures, a tuned socket."""

import asyncio
import socket
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from callrouter.pbx.asterisk.ami import AmiAccount, AmiBadValue, AmiClient
from callrouter.pbx.asterisk.ami.client_options import explain_failure
from callrouter.tasks import Tasks
from callrouter.transports import cut
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


async def test_a_batch_is_one_write_and_answers_may_come_in_any_order() -> None:
    held: list[Received] = []

    def backwards(action: Received) -> bytes | None:
        held.append(action)
        if len(held) < 3:
            return None
        return b"".join(a.reply(f"Value: {a.get('Variable')}") for a in reversed(held))

    async with talking(FakeAmi(answer=backwards)) as (fake, client):
        before = len(fake.reads)
        actions = [{"Action": "Getvar", "Variable": str(n)} for n in range(3)]
        replies = await asyncio.gather(*client.session.send(actions))
        assert [reply.get("Value") for reply in replies] == ["0", "1", "2"]
        assert len(fake.reads) == before + 1


async def test_a_bad_value_keeps_the_whole_batch_back() -> None:
    async with talking() as (fake, client):
        good = {"Action": "Getvar"}
        for bad in (
            {"Action": "Setvar", "Value": "a\r\nAction: Command"},
            {"Action": "Setvar", "Value": ["fine", "a\nb"]},
            {"Action": "Setvar", "Value": "tab\there"},
            {"Action": "Setvar", "Value": "\ud800"},
            {"Action": "Setvar", "Bad Key": "x"},
            {"Action": "Setvar", "Key:": "x"},
            {"Action": "Setvar", "Value": "ř" * 500},
            {"Action": "Setvar", "Variable": ["x=1"] * 119},
            {"Action": "Setvar", "Value": "1", "value": "2"},
            {"Action": "Setvar", "ActionID": "two words"},
            {"Value": "no action"},
        ):
            with pytest.raises(AmiBadValue):
                client.session.send([good, bad])
        with pytest.raises(AmiBadValue, match="in use"):
            client.session.send([{**good, "ActionID": "x"}, {**good, "ActionID": "x"}])
        await client.session.request({"Action": "Ping"})
        assert fake.count("Getvar") == 0
        assert fake.count("Setvar") == 0


async def test_bad_values_are_refused_while_down_too() -> None:
    session = AmiClient(
        AmiAccount("127.0.0.1", 1, "u", "s"),
        on_event=lambda _: None,
        on_up=lambda: None,
        on_down=lambda _: None,
    )
    with pytest.raises(AmiBadValue):
        session.send([{"Action": "X", "Value": "a\nb"}])
    await session.close()


async def test_repeated_headers_go_out_in_order() -> None:
    async with talking() as (fake, client):
        variables = [f"V{n}={n}" for n in range(20)]
        await client.session.request({"Action": "Originate", "Variable": variables})
        got = [v for k, v in fake.actions[-1].headers if k == "Variable"]
        assert got == variables


async def test_unwanted_events_are_skipped_unparsed() -> None:
    async with talking(wanted=frozenset({"Hangup"})) as (fake, client):
        fake.push(message("Event: Newexten", "X: 1"), message("Event: Hangup", "Uniqueid: 1.1"))
        await until(lambda: bool(client.events))
        assert [event.name for event in client.events] == ["Hangup"]
        assert client.session.counters.skipped_events == 2  # FullyBooted is the other one


async def test_an_action_in_on_up_finds_the_session_usable() -> None:
    states: list[bool] = []
    async with serving(FakeAmi()) as fake:
        session: list[AmiClient] = []
        async with running(
            fake.port, on_up=lambda: states.append(session[0].up) if session else None
        ) as client:
            session.append(client.session)
            await client.until_up()
            assert states == [True]


async def test_other_events_can_be_asked_for_during_the_login() -> None:
    async with serving(FakeAmi(after_login=b"")) as fake, running(fake.port) as client:
        await until(lambda: fake.count("Login") == 1)
        assert not client.session.up
        client.session.use_events("call,user")
        await client.until_up()
        await until(lambda: fake.count("Events") == 1)
        client.session.use_events("system")
        await until(lambda: fake.count("Events") == 2)
    asked = [action.get("EventMask") for action in fake.actions if action.name == "Events"]
    assert asked == ["call,user", "system"]


async def test_failing_up_and_down_handlers_are_contained(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail() -> None:
        raise ValueError("boom")

    async with serving(FakeAmi()) as fake, running(fake.port, on_up=fail) as client:
        await client.until_up()
        fake.cut()
        await client.until_up(2)
        assert client.session.counters.handler_errors == 2
    assert "session up" in caplog.text


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x1b]0;evil\x07\r\n"])
async def test_another_protocol_is_told(said: bytes) -> None:
    async with serving(FakeAmi(greeting=said)) as fake, running(fake.port) as client:
        await until(lambda: bool(client.session.last_error))
        error = client.session.last_error
        assert f"port {fake.port} of 127.0.0.1 does not speak AMI: it said" in error
        assert error.isprintable()


async def test_a_silent_port_and_a_closing_one_are_told() -> None:
    timing = replace(QUICK, login_timeout=0.03)
    async with serving(FakeAmi(greeting=b"")) as fake, running(fake.port, timing=timing) as client:
        await until(lambda: "said nothing in 0.03 s" in client.session.last_error)
    fake = FakeAmi(greeting=b"Asterisk Call Man")
    async with serving(fake), running(fake.port) as client:
        await until(lambda: bool(fake.writers))
        fake.writers[0].close()
        await until(lambda: "Asterisk closed the connection" in client.session.last_error)


class Mute(FakeAmi):
    """Greets, and answers nothing."""

    def standard(self, action: Received) -> bytes | None:
        return None


async def test_a_login_without_answer_is_told() -> None:
    timing = replace(QUICK, login_timeout=0.03)
    async with serving(Mute()) as fake, running(fake.port, timing=timing) as client:
        await until(lambda: "did not answer the login" in client.session.last_error)


async def test_a_failed_attempt_says_whether_anything_listens_there() -> None:
    said: list[bool] = []
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        async with running(bound.getsockname()[1], on_failed=said.append) as client:
            await until(lambda: len(said) > 1)
            assert said == [True] * len(said)
            assert "refused the connection" in client.session.last_error
    said.clear()
    timing = replace(QUICK, login_timeout=0.03)
    async with serving(Mute()) as fake, running(fake.port, timing=timing, on_failed=said.append):
        await until(lambda: len(said) > 1)
    assert not any(said)


async def test_a_handler_that_fails_does_not_end_the_attempts() -> None:
    said: list[bool] = []

    def fail(no_server: bool) -> None:
        said.append(no_server)
        raise ValueError(no_server)

    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        async with running(bound.getsockname()[1], on_failed=fail) as client:
            await until(lambda: len(said) > 1)
            assert client.session.counters.handler_errors > 1


async def test_an_unknown_host_is_told() -> None:
    async with running(5038, host="no-such-host.invalid") as client:
        await until(lambda: bool(client.session.last_error))
        assert "'no-such-host.invalid' cannot be found" in client.session.last_error


def test_failures_have_words() -> None:
    account = AmiAccount("pbx", 5039, "u", "s", ssl.create_default_context())
    refused = OSError("Multiple exceptions: [Errno 111] Connect call failed, [Errno 111] ...")
    assert "refused the connection" in explain_failure(refused, account, 4)
    assert "within 4 s" in explain_failure(TimeoutError(), account, 4)
    assert "no TLS" in explain_failure(ConnectionResetError("reset"), account, 4)
    assert "cannot connect" in explain_failure(OSError("odd"), replace(account, tls=None), 4)


async def test_the_socket_is_tuned() -> None:
    async with talking() as (_, client):
        link = client.session._link
        assert link is not None
        sock = link.transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        for option, value in (("TCP_NODELAY", 1), ("TCP_USER_TIMEOUT", 5000), ("TCP_KEEPIDLE", 2)):
            assert sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, option)) == value


async def test_tls_works_and_its_failures_are_told(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -keyout {key} -out {cert} -days 2"
    names = ["-subj", "/CN=pbx", "-addext", "subjectAltName=IP:127.0.0.1"]
    command_line = [*command.split(), *names]
    await asyncio.to_thread(subprocess.run, command_line, check=True, capture_output=True)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(cert, key)
    fake = FakeAmi()
    server = await asyncio.start_server(fake.handle, "127.0.0.1", 0, ssl=server_side)
    port = server.sockets[0].getsockname()[1]
    try:
        assert await outcome(port, ssl.create_default_context(cafile=str(cert))) == ""
        assert "certificate" in await outcome(port, ssl.create_default_context())
    finally:
        server.close()
        for writer in fake.writers:
            cut(writer.transport)
    async with serving(FakeAmi()) as plain:
        assert "no TLS with" in await outcome(plain.port, ssl.create_default_context())


async def outcome(port: int, tls: ssl.SSLContext) -> str:
    """Empty when a session came up, else its error."""
    session = AmiClient(
        AmiAccount("127.0.0.1", port, "router", SECRET, tls),
        on_event=lambda _: None,
        on_up=lambda: None,
        on_down=lambda _: None,
        timing=QUICK,
    )
    task = asyncio.create_task(session.run())
    try:
        await until(lambda: session.up or bool(session.last_error))
        return session.last_error
    finally:
        await session.close()
        await task


async def test_tasks_keep_log_and_close(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("boom")

    async def forever() -> None:
        await asyncio.Event().wait()

    tasks = Tasks()
    failing = tasks.spawn(fail(), "the failing one")
    waiting = tasks.spawn(forever(), "the waiting one")
    await asyncio.wait([failing])
    await asyncio.sleep(0)
    assert tasks.failed == 1
    assert len(tasks) == 1
    assert "'the failing one' failed" in caplog.text
    await tasks.close()
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="late one"):
        tasks.spawn(forever(), "late one")
