"""Reading of webhooks' forms: what a stranger can send before the signature could be verified."""

from __future__ import annotations

import time
from contextlib import suppress
from urllib.parse import parse_qsl, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.pbx.twilio.webhooks.forms import MOST_FIELDS, WebhookRefused, check_head, read_form

SIGNED = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "kind", [FORM, f"{FORM}; charset=UTF-8", f'{FORM.title()};charset="utf-8"']
)
def test_a_head_as_twilio_sends_it(kind: str) -> None:
    assert check_head([SIGNED], kind, [], 1500) == SIGNED
    assert check_head([SIGNED], kind, [], None) == SIGNED


@pytest.mark.parametrize(
    ("signatures", "kind", "encodings", "length", "status"),
    [
        ([], FORM, [], 10, 403),
        ([""], FORM, [], 10, 403),
        (["AAAA"], FORM, [], 10, 403),
        ([SIGNED + "="], FORM, [], 10, 403),
        (["é" * 27 + "="], FORM, [], 10, 403),
        ([SIGNED, SIGNED], FORM, [], 10, 403),
        ([], f"{FORM}; charset=punycode", ["gzip"], 10, 403),
        ([SIGNED], "", [], 10, 415),
        ([SIGNED], "text/plain", [], 10, 415),
        ([SIGNED], "application/json", [], 10, 415),
        ([SIGNED], "multipart/form-data; boundary=x", [], 10, 415),
        ([SIGNED], f"{FORM}; charset=punycode", [], 10, 415),
        ([SIGNED], f"{FORM}; charset=utf-7", [], 10, 415),
        ([SIGNED], f"{FORM}; x=y; charset = idna", [], 10, 415),
        ([SIGNED], f"{FORM}; charset=", [], 10, 415),
        ([SIGNED], FORM, ["gzip"], 10, 415),
        ([SIGNED], FORM, ["identity"], 10, 415),
        ([SIGNED], FORM, [""], 10, 415),
        ([SIGNED], FORM, [], 70_000, 413),
    ],
)
def test_heads_that_are_refused(
    signatures: list[str], kind: str, encodings: list[str], length: int, status: int
) -> None:
    with pytest.raises(WebhookRefused) as caught:
        check_head(signatures, kind, encodings, length)
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"\xff=1", "not to be read"),
        (b"a=%ff", "not to be read"),
        (b"a=%ed%a0%80", "not to be read"),
        (b"a=%c0%80", "not to be read"),
        (b"a=%", "not to be read"),
        (b"a=%4", "not to be read"),
        (b"%zz=1", "not to be read"),
        (b"a=1&a=1", "a field twice"),
        (b"Digits=1&Digit%73=2", "a field twice"),
        (b"a=1&" * MOST_FIELDS, "too many fields"),
        (b"&" * 60_000, "too many fields"),
    ],
)
def test_forms_that_are_refused(body: bytes, why: str) -> None:
    with pytest.raises(WebhookRefused) as caught:
        read_form(body)
    assert (caught.value.status, caught.value.why) == (400, why)


def test_a_form_as_twilio_sends_it() -> None:
    body = b"CallSid=CA1&From=%2B33123456789&CallerName=Zo%C3%AB+M%C3%BCller&Digits=&x"
    assert read_form(body) == {
        "CallSid": "CA1",
        "From": "+33123456789",
        "CallerName": "Zoë Müller",
        "Digits": "",
        "x": "",
    }
    assert read_form(b"") == {}


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.dictionaries(_TEXT.filter(bool), _TEXT, max_size=8))
def test_it_reads_what_pythons_own_reader_reads(fields: dict[str, str]) -> None:
    body = "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in fields.items())
    assert read_form(body.encode()) == dict(parse_qsl(body, keep_blank_values=True)) == fields


@pytest.mark.parametrize("piece", [b"%", b"+", b"=", b"%41", b"\xc3\xa9", b"a=b", b"%zz"], ids=repr)
def test_the_largest_body_of_anything_is_read_in_little_time(piece: bytes) -> None:
    """Linear work: a body four times as long takes about four times as long, and never a second."""
    body = b"a=" + piece * (64 * 1024 // len(piece) - 1)
    started = time.process_time()
    with suppress(WebhookRefused):
        read_form(body)
    assert time.process_time() - started < 0.5
