from __future__ import annotations

import hashlib
import random

import pytest

from callrouter.lab.message import (
    BadMessageError,
    Headers,
    Request,
    Response,
    authorize,
    parse,
    parse_address,
    quote,
    respond,
    uri_user,
)

INVITE = (
    b"INVITE sip:1001@127.0.0.1:5060;ob SIP/2.0\r\n"
    b"v: SIP/2.0/UDP 127.0.0.1:16000;rport;branch=z9hG4bKPj1, SIP/2.0/UDP a;branch=b\r\n"
    b'f: "Ann \\"B\\" <x>" <sip:+4470@127.0.0.1>;tag=abc\r\n'
    b"t: <sip:1001@127.0.0.1>\r\n"
    b"i: call-1\r\n"
    b"CSeq: 17 INVITE\r\n"
    b"Subject: folded\r\n  on two lines\r\n"
    b"l: 4\r\n\r\nbodyrest"
)


def test_a_request_in_compact_form() -> None:
    message = parse(INVITE)
    assert isinstance(message, Request)
    assert (message.method, message.uri) == ("INVITE", "sip:1001@127.0.0.1:5060;ob")
    assert (message.call_id, message.cseq, message.cseq_method) == ("call-1", 17, "INVITE")
    assert (message.branch, message.from_tag, message.to_tag) == ("z9hG4bKPj1", "abc", "")
    assert message.headers.get("subject") == "folded on two lines"
    assert message.body == b"body"


def test_a_response_repeats_what_it_must_and_parses_again() -> None:
    request = parse(INVITE)
    assert isinstance(request, Request)
    answer = parse(respond(request, 486, tag="mine").to_bytes())
    assert isinstance(answer, Response)
    assert (answer.code, answer.reason, answer.to_tag) == (486, "Busy Here", "mine")
    assert (answer.branch, answer.call_id, answer.cseq) == ("z9hG4bKPj1", "call-1", 17)
    assert respond(request, 100, tag="mine").to_tag == ""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\r\n\r\n", b"\r\n"),
        (b"SIP/2.0\r\n", b"HTTP/1.1\r\n"),
        (b"CSeq: 17 INVITE\r\n", b""),
        (b"17 INVITE", b"17 BYE"),
        (b"17 INVITE", "\u0661\u0667 INVITE".encode()),
        (b"17 INVITE", b"INVITE"),
        (b"branch=z9hG4bKPj1", b"x=y"),
        (b"l: 4", b"l: 400"),
        (b"l: 4", b"l: -4"),
        (b"l: 4", "l: ²".encode()),
        (b"Subject: folded", b"Subject folded"),
        (b"Subject:", b"Sub ject:"),
    ],
)
def test_what_is_not_sip_is_refused(old: bytes, new: bytes) -> None:
    assert old in INVITE
    with pytest.raises(BadMessageError):
        parse(INVITE.replace(old, new, 1))


@pytest.mark.parametrize("code", [b"99", b"700", b"abc", "²00".encode(), b""])
def test_a_status_code_is_from_100_to_699(code: bytes) -> None:
    with pytest.raises(BadMessageError):
        parse(b"SIP/2.0 " + code + b" X\r\n" + INVITE.partition(b"\r\n")[2])


def test_no_datagram_raises_anything_else() -> None:
    draw = random.Random(7)
    for _ in range(3000):
        data = bytearray(INVITE)
        for _ in range(draw.randrange(1, 12)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        try:
            message = parse(bytes(data[: draw.randrange(len(data) + 1)]))
        except BadMessageError:
            continue
        assert message.from_tag is not None
        assert message.branch


def test_addresses() -> None:
    ann = parse_address('"Ann \\"B\\" <x>" <sip:+4470@127.0.0.1;a=b>;tag=abc')
    assert (ann.name, ann.uri, ann.user, ann.tag) == (
        'Ann "B" <x>',
        "sip:+4470@127.0.0.1;a=b",
        "+4470",
        "abc",
    )
    assert parse_address("sip:1001@host;tag=x").tag == "x"
    assert parse_address("Bob <sip:b@h>").name == "Bob"
    assert parse_address(" " * 60_000).uri == ""
    assert uri_user("sip:host") == ""
    assert quote('a"b\\c\r\nEvil: 1') == '"a\\"b\\\\cEvil: 1"'


def test_a_header_is_found_by_either_name() -> None:
    headers = Headers([("Reason", "a"), ("r", "b"), ("reason", "c")])
    assert headers.all("REASON") == ["a", "c"]
    assert headers.get("Refer-To") == "b"


def test_digest_without_qop_is_that_of_the_rfc() -> None:
    def md5(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()

    wanted = md5(f"{md5('u:r:p')}:n:{md5('REGISTER:sip:s')}")
    said = authorize(
        'Digest realm="r", nonce="n"', method="REGISTER", uri="sip:s", username="u", password="p"
    )
    assert f'response="{wanted}"' in said


def test_digest_with_qop_counts_and_echoes_opaque() -> None:
    said = authorize(
        'Digest realm="r",nonce="n",opaque="o",algorithm=MD5,qop="auth"',
        method="INVITE",
        uri="sip:s",
        username="u",
        password="p",
    )
    assert "qop=auth" in said
    assert "nc=00000001" in said
    assert 'opaque="o"' in said


@pytest.mark.parametrize(
    "challenge",
    ["", "Basic realm=x", 'Digest realm="r"', 'Digest nonce="n",algorithm=SHA-256', "Digest"],
)
def test_a_challenge_that_cannot_be_answered(challenge: str) -> None:
    with pytest.raises(BadMessageError):
        authorize(challenge, method="INVITE", uri="sip:s", username="u", password="p")
