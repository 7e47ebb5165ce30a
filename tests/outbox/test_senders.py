"""Webhooks and mail to receivers that fail in every way, on this machine."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callrouter.outbox.delivery_queue import Outcome
from callrouter.outbox.destinations import Destination, MailServer
from callrouter.outbox.mail_sender import MailSender, message
from callrouter.outbox.outbox_rows import OutboxRow
from callrouter.outbox.standard_webhooks import headers
from callrouter.outbox.webhook_sender import WebhookSender
from tests.outbox.receiver import OTHER, SECRET, Receiver, verify
from tests.outbox.smtp_server import SmtpServer

DATA = {"call": "c1", "text": "it is so", "queue": None}
ROW = OutboxRow(
    event="evt_1",
    destination="crm",
    serial=1,
    order_key="call c1",
    name="call.ended",
    at=1_700_000_000.0,
    body=json.dumps({"type": "call.ended", "timestamp": "2023-11-14T22:13:20.000Z", "data": DATA}),
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.open()
    yield made
    await made.close()


async def post(
    receiver: Receiver, *, secret: str = SECRET, within: float = 1.0
) -> tuple[Outcome, str, float]:
    sender = WebhookSender(time.time, within=within)
    destination = Destination(id="crm", webhook=receiver.url, secret=secret)
    attempt = await sender.send(destination, ROW)
    await sender.close()
    return attempt.outcome, attempt.detail, attempt.wait_s


# ---------------------------------------------------------------- webhooks


async def test_it_is_signed_and_carries_its_id(receiver: Receiver) -> None:
    assert await post(receiver) == (Outcome.DELIVERED, "", 0.0)
    (one,) = receiver.attempts
    assert (one.id, one.type, one.data) == ("evt_1", "call.ended", DATA)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of the specification's own libraries."""
    found = headers(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert found["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_another_secret_or_another_body_does_not_fit() -> None:
    found = headers(SECRET, "evt_1", int(time.time()), b"{}")
    verify(SECRET, found, b"{}")
    for secret, body in ((OTHER, b"{}"), (SECRET, b"{ }")):
        with pytest.raises(AssertionError):
            verify(secret, found, body)


@pytest.mark.parametrize(
    ("mode", "outcome", "detail"),
    [
        ("500", Outcome.AWAY, "it answers 500"),
        ("503", Outcome.AWAY, "it answers 503"),
        ("429", Outcome.AWAY, "it answers 429"),
        ("400", Outcome.REFUSED, "it answers 400"),
        ("404", Outcome.REFUSED, "it answers 404"),
        ("410", Outcome.GONE, "it answers 410"),
        ("hang", Outcome.AWAY, "no answer within 1 s"),
        ("drop", Outcome.AWAY, "it closed the connection"),
        ("redirect", Outcome.REFUSED, "it answers 307, a redirect; write the address it leads to"),
    ],
)
async def test_what_goes_wrong(
    receiver: Receiver, mode: str, outcome: Outcome, detail: str
) -> None:
    receiver.mode = mode
    assert await post(receiver) == (outcome, detail, 0.0)
    assert receiver.strangers == []  # no redirect is followed


async def test_an_endless_answer_is_not_read(receiver: Receiver) -> None:
    receiver.mode = "endless"
    began = time.monotonic()
    outcome, _, _ = await post(receiver, within=10.0)
    assert outcome is Outcome.DELIVERED
    assert time.monotonic() - began < 5.0


async def test_where_nothing_listens(receiver: Receiver) -> None:
    await receiver.close()
    outcome, detail, _ = await post(receiver)
    assert outcome is Outcome.AWAY
    assert detail.startswith("no connection (")


async def test_what_is_no_http() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\xff" * 1000)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sender = WebhookSender(time.time, within=2.0)
    for url in (f"http://127.0.0.1:{port}/secret-path", f"https://127.0.0.1:{port}/secret-path"):
        attempt = await sender.send(Destination(id="x", webhook=url, secret=SECRET), ROW)
        assert attempt.outcome is Outcome.AWAY
        assert "secret-path" not in attempt.detail
    await sender.close()
    server.close()


# ---------------------------------------------------------------- mail

SERVER = MailServer(host="127.0.0.1", sender="callrouter@example.com", tls="none")
SAM = Destination(id="sam", mail="sam@example.com")


@pytest.fixture
async def smtp() -> AsyncIterator[SmtpServer]:
    made = SmtpServer()
    await made.open()
    yield made
    await made.close()


async def mail(
    smtp: SmtpServer, server: MailServer = SERVER, context: ssl.SSLContext | None = None
) -> tuple[Outcome, str]:
    server = replace(server, port=smtp.port)
    made = MailSender(lambda: server, context=lambda: context or ssl.create_default_context())
    attempt = await made.send(SAM, ROW)
    return attempt.outcome, attempt.detail


async def test_a_mail(smtp: SmtpServer) -> None:
    assert await mail(smtp) == (Outcome.DELIVERED, "")
    (letter,) = smtp.letters
    assert (letter.sender, letter.recipient) == ("callrouter@example.com", "sam@example.com")
    read = letter.message
    assert read["Subject"] == "callrouter: it is so"
    assert read["Message-ID"] == "<evt_1@example.com>"
    assert read["Auto-Submitted"] == "auto-generated"
    lines = read.get_content().splitlines()
    assert lines[0] == "it is so"
    assert "call: c1" in lines
    assert not [line for line in lines if line.startswith("queue")]


def test_no_line_of_a_caller_gets_into_the_head() -> None:
    body = json.dumps(
        {"type": "alert.fired", "timestamp": "t", "data": {"text": "a\r\nBcc: all@example.com\n\nx", "name": "x\ny"}}
    )  # fmt: skip
    made = message(SERVER, SAM, replace(ROW, body=body))
    assert made["Bcc"] is None
    assert "\n" not in made["Subject"]
    assert made.as_bytes().count(b"\n\n") == 2


@pytest.mark.parametrize(
    ("mode", "outcome", "detail"),
    [
        ("451", Outcome.AWAY, "the mail server refuses the mail (451)"),
        ("550", Outcome.REFUSED, "the mail server refuses the recipient (550)"),
        ("554", Outcome.REFUSED, "the mail server refuses the mail (554)"),
        ("drop", Outcome.AWAY, "the mail server cannot be reached (it closed the connection)"),
    ],
)
async def test_mail_that_fails(smtp: SmtpServer, mode: str, outcome: Outcome, detail: str) -> None:
    smtp.mode = mode
    assert await mail(smtp) == (outcome, detail)


async def test_a_mail_server_that_is_away(smtp: SmtpServer) -> None:
    await smtp.close()
    outcome, detail = await mail(smtp)
    assert outcome is Outcome.AWAY
    assert detail == "the mail server cannot be reached (Connection refused)"


async def test_a_mail_server_that_hangs_holds_up_nothing(
    smtp: SmtpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callrouter.outbox.mail_sender.WITHIN", 0.5)
    monkeypatch.setattr("callrouter.outbox.mail_sender._STEP", 1.0)
    smtp.mode = "hang"
    began = time.monotonic()
    sending = asyncio.ensure_future(mail(smtp))
    longest, last = 0.0, began
    while not sending.done():
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    outcome, detail = await sending
    assert (outcome, detail) == (Outcome.AWAY, "the mail server does not answer within 0.5 s")
    assert longest < 0.4


async def test_without_a_server_it_waits(smtp: SmtpServer) -> None:
    attempt = await MailSender(lambda: None).send(SAM, ROW)
    assert (attempt.outcome, attempt.detail) == (Outcome.AWAY, "there is no section smtp")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """TLS of a server and of a client that trusts it."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    words = (
        f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout {key} -out {cert}"
        " -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run(words.split(), check=True, capture_output=True)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=str(Path(cert)))


LOGIN = replace(SERVER, tls="starttls", user="alarms", password="right")


async def test_starttls_and_login(
    smtp: SmtpServer, certificate: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    smtp.context, smtp.user, smtp.password = certificate[0], "alarms", "right"
    assert await mail(smtp, LOGIN, certificate[1]) == (Outcome.DELIVERED, "")
    (letter,) = smtp.letters
    assert (letter.user, letter.encrypted) == ("alarms", True)
    outcome = await mail(smtp, replace(LOGIN, password="wrong"), certificate[1])
    assert outcome == (Outcome.AWAY, "the mail server refuses the login")


async def test_a_certificate_that_is_not_trusted(
    smtp: SmtpServer, certificate: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    smtp.context, smtp.user = certificate[0], "alarms"
    assert await mail(smtp, LOGIN) == (Outcome.AWAY, "TLS with the mail server failed")
    assert smtp.letters == []


async def test_a_server_without_starttls_gets_no_password(smtp: SmtpServer) -> None:
    smtp.user = "alarms"
    assert await mail(smtp, LOGIN) == (
        Outcome.AWAY, "the mail server lacks STARTTLS or login",
    )  # fmt: skip


def test_the_example_of_the_documentation_verifies() -> None:
    page = (Path(__file__).parents[2] / "docs" / "operator.md").read_text("utf-8")
    block = page.split("```python\n")[1].split("```")[0]
    made: dict[str, Any] = {}
    exec(block, made)
    check = made["verify"]
    now = int(time.time())
    check(SECRET, headers(SECRET, "evt_1", now, b"{}"), b"{}")
    for secret, at, body in (
        (OTHER, now, b"{}"),
        (SECRET, now, b"{ }"),
        (SECRET, now - 301, b"{}"),
    ):
        with pytest.raises(ValueError, match=r"wrong signature|too old"):
            check(secret, headers(SECRET, "evt_1", at, b"{}"), body)
