"""Strangers at the webhooks, over real connections: what is read, how long is waited, what is logged."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from twilio.request_validator import RequestValidator

from callrouter.pbx.twilio.webhooks import webhook_routes
from tests.twilio.peer import ACCOUNT
from tests.twilio.test_http import CALLER, PUBLIC, Place, place
from tests.twilio.world import NUMBER, PBX

FORGED = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
VOICE = f"/twilio/{PBX}/voice"


@pytest.fixture
async def at() -> AsyncIterator[Place]:
    async with place(resync_every=3600.0) as made:
        yield made


async def ask(at: Place, *headers: str, body: bytes = b"", target: str = VOICE) -> tuple[int, bool]:
    """Send a request whose body may be short; give the status, and whether the connection was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", at._server.port)
    head = "\r\n".join([f"POST {target} HTTP/1.1", "Host: x", *headers, "", ""])
    writer.write(head.encode("latin-1") + body)
    line, closed = b"", False
    try:
        async with asyncio.timeout(10):
            line = await reader.readline()
            while (await reader.readline()).strip():
                pass
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    rest = b"x"
                    while rest:
                        rest = await reader.read(65536)
                    closed = True
    except ConnectionError:
        closed = True
    writer.close()
    return int(line.split()[1]), closed


FORM = "Content-Type: application/x-www-form-urlencoded"


async def test_without_a_signature_no_body_is_read(at: Place) -> None:
    status, closed = await ask(at, FORM, "Content-Length: 60000", body=b"a=")
    assert (status, closed) == (403, True), "the answer does not wait for the body"


async def test_a_body_in_another_charset_is_never_decoded(at: Place) -> None:
    body = b"a" * 60_000
    length = f"Content-Length: {len(body)}"
    started = time.process_time()
    for signature in ((), (f"X-Twilio-Signature: {FORGED}",)):
        for _ in range(20):
            status, _ = await ask(at, f"{FORM}; charset=punycode", length, *signature, body=body)
            assert status == (415 if signature else 403)
    assert time.process_time() - started < 3.0, "it was 150 ms for each body"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity", "x", ""])
async def test_an_encoded_body_is_refused_without_a_word_in_the_log(
    at: Place, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = b"\x1f\x8b garbage"
    length = f"Content-Length: {len(body)}"
    for signature in ((), (f"X-Twilio-Signature: {FORGED}",)):
        status, _ = await ask(
            at, FORM, length, f"Content-Encoding: {encoding}", *signature, body=body
        )
        assert status == (415 if signature else 403)
    assert "Traceback" not in caplog.text
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    "target",
    [
        f"http://x{VOICE}",
        f"http://x:99999{VOICE}",
        f"https://[::1{VOICE}",
        f"{VOICE[:-1]}%65",
        f"//x{VOICE}",
        f"{VOICE}?[",
        f"{VOICE}#fragment",
        VOICE.replace("/twilio", "/twilio/../twilio"),
    ],
)
async def test_other_spellings_of_a_path_are_refused_and_make_no_fault(
    at: Place, target: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = (FORM, "Content-Length: 3", f"X-Twilio-Signature: {FORGED}")
    status, _ = await ask(at, *headers, body=b"a=1", target=target)
    assert status in {400, 401, 403, 404}
    assert "Traceback" not in caplog.text


async def test_a_signed_request_for_another_spelling_is_refused(at: Place) -> None:
    form = {"AccountSid": ACCOUNT, "CallSid": CALLER, "To": NUMBER}
    body = f"AccountSid={ACCOUNT}&CallSid={CALLER}&To=%2B{NUMBER[1:]}".encode()
    for target, expected in ((VOICE, 200), (f"{VOICE[:-1]}%65", 400), (f"http://x{VOICE}", 400)):
        signed = RequestValidator("t0p").compute_signature(PUBLIC + target, form)
        status, _ = await ask(
            at,
            *(FORM, f"Content-Length: {len(body)}", f"X-Twilio-Signature: {signed}"),
            body=body,
            target=target,
        )
        assert status == expected, target


async def test_a_body_that_does_not_come_is_waited_for_three_seconds(
    at: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert webhook_routes.BODY_WITHIN == 3.0
    monkeypatch.setattr(webhook_routes, "BODY_WITHIN", 0.2)
    headers = (FORM, "Content-Length: 60", f"X-Twilio-Signature: {FORGED}")
    assert await ask(at, *headers, body=b"a=") == (408, True)


async def test_an_endless_body_is_cut_off(at: Place) -> None:
    chunks = b"400\r\n" + b"a" * 0x400 + b"\r\n"
    headers = (FORM, "Transfer-Encoding: chunked", f"X-Twilio-Signature: {FORGED}")
    assert (await ask(at, *headers, body=chunks * 100)) == (413, True)


@pytest.mark.parametrize("body", [b"zz\r\n", b"5\r\na=1", b"5\r\na=1\r\nxx\r\n"])
async def test_a_body_that_is_framed_wrongly_is_no_fault(
    at: Place, body: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(webhook_routes, "BODY_WITHIN", 0.2)
    headers = (FORM, "Transfer-Encoding: chunked", f"X-Twilio-Signature: {FORGED}")
    status, _ = await ask(at, *headers, body=body)
    assert status in {400, 408}
    assert "Traceback" not in caplog.text
    assert [one for one in caplog.records if one.levelno >= logging.ERROR] == []


async def test_a_flood_of_refusals_is_a_few_lines(
    at: Place, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(150):
        status, _ = await at.post("voice", secret="other", From="+33123456789", To=NUMBER)
        assert status == 403
    assert len(caplog.records) <= 12
    assert at.pbx.health().counts["refused: not signed by Twilio"] == 150
