"""Signatures, against Twilio's published vectors, what Twilio's library for Node signs, and a second
implementation, written here from the description of the algorithm and sharing no code with either."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import MultiDict

from callrouter.pbx.twilio.webhooks.signature import SignatureCheck

# From the tests of Twilio's own library.
TOKEN = "12345"
PUBLIC = "https://mycompany.com"
PATH = "/myapp.php?foo=1&bar=2"
FIELDS = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+14158675309",
    "Digits": "1234",
    "From": "+14158675309",
    "To": "+18005551212",
}
SIGNED = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
BODY = '{"property": "value", "boolean": true}'
BODY_HASH = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
BODY_SIGNED = "a9nBmqA0ju/hNViExpshrM61xv4="


def second(token: str, url: str, fields: list[tuple[str, str]]) -> str:
    """Base64 of HMAC-SHA1 over the URL and every distinct name and value, sorted."""
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def test_published_vectors() -> None:
    check = SignatureCheck([TOKEN], PUBLIC)
    assert check.fit(PATH, FIELDS, SIGNED)
    twice = MultiDict([("Sid", "CA123"), ("SidAccount", "AC123"), ("Digits", "5678"), ("Digits", "1234"), ("Digits", "1234")])  # fmt: skip
    assert check.fit(PATH, twice, "IK+Dwps556ElfBT0I3Rgjkr1wJU=")
    assert check.fit(f"{PATH}&bodySHA256={BODY_HASH}", BODY, BODY_SIGNED)


CLOUD = "https://calls.example.com"
NODES = [
    ("/twilio/cloud/voice", [("From", "+33123456789"), ("CallerName", "Zoë Müller 東京"), ("To", "+442079460000")], "cOaag00NNOdFK8uSpgr8ugiepds="),
    ("/twilio/cloud/accept?o=a_b-C", [("Digits", ""), ("CallStatus", "in-progress")], "+JRObswwdqZX4l+k6vZRYzYZmOU="),
    ("/twilio/cloud/accept?o=a_b-C", [("Digits", "*#1 2+3&=%")], "aa1rzXL1OILNq080Gi0ll1UNFSQ="),
    ("/twilio/cloud/offer?o=%C3%A9", [("a", "2"), ("A", "1"), ("b", "2"), ("b", "1")], "SqB91WSlQjakU2Bfh1Oyb2qtdfE="),
    ("/twilio/cloud/wait", [], "uvtGZApeeiLgeg2jWxECxsW5UOU="),
]  # fmt: skip
"""Made with `getExpectedTwilioSignature` of npm's twilio 6.2.0 and the token ``t0p``."""


@pytest.mark.parametrize(("path", "fields", "signed"), NODES)
def test_what_twilios_library_for_node_signs(
    path: str, fields: list[tuple[str, str]], signed: str
) -> None:
    assert SignatureCheck(["t0p"], CLOUD).fit(path, MultiDict(fields), signed)
    assert second("t0p", CLOUD + path, fields) == signed


def test_a_port_makes_no_difference() -> None:
    for public in ("https://mycompany.com", "https://mycompany.com:443"):
        check = SignatureCheck([TOKEN], public)
        for signed in ("https://mycompany.com", "https://mycompany.com:443"):
            assert check.fit(PATH, FIELDS, second(TOKEN, signed + PATH, list(FIELDS.items())))


def test_anything_else_is_refused() -> None:
    check = SignatureCheck([TOKEN], PUBLIC)
    assert not check.fit(PATH, FIELDS, "")
    assert not check.fit(PATH, FIELDS, SIGNED[:-2] + "A=")
    assert not check.fit(PATH, FIELDS, SIGNED[:-1])
    assert not check.fit(PATH + "&baz=3", FIELDS, SIGNED)
    assert not check.fit(PATH, {**FIELDS, "Digits": "1235"}, SIGNED)
    assert not check.fit(PATH, {**FIELDS, "More": ""}, SIGNED)
    assert not SignatureCheck(["54321"], PUBLIC).fit(PATH, FIELDS, SIGNED)
    assert not SignatureCheck([TOKEN], "http://mycompany.com").fit(PATH, FIELDS, SIGNED)
    assert not SignatureCheck([], PUBLIC).fit(PATH, FIELDS, SIGNED)
    assert not SignatureCheck([""], PUBLIC).fit(
        PATH, FIELDS, second("", PUBLIC + PATH, [*FIELDS.items()])
    )


def test_a_body_that_is_no_form_needs_its_hash() -> None:
    check = SignatureCheck([TOKEN], PUBLIC)
    path = f"{PATH}&bodySHA256={BODY_HASH}"
    assert not check.fit(path, BODY.replace("true", "false"), BODY_SIGNED)
    assert not check.fit(PATH, BODY, second(TOKEN, PUBLIC + PATH, []))
    assert not check.fit(PATH, "", second(TOKEN, PUBLIC + PATH, []))


def test_both_tokens_count_while_one_replaces_the_other() -> None:
    check = SignatureCheck(["new", TOKEN], PUBLIC)
    assert check.fit(PATH, FIELDS, SIGNED)
    assert check.fit(PATH, FIELDS, second("new", PUBLIC + PATH, list(FIELDS.items())))
    assert not check.fit(PATH, FIELDS, second("newer", PUBLIC + PATH, list(FIELDS.items())))


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@given(st.lists(st.tuples(_TEXT.filter(bool), _TEXT), max_size=8))
def test_a_second_implementation_agrees(fields: list[tuple[str, str]]) -> None:
    check = SignatureCheck([TOKEN], PUBLIC)
    signed = second(TOKEN, PUBLIC + PATH, fields)
    assert check.fit(PATH, MultiDict(fields), signed)
    assert not check.fit(PATH, MultiDict([*fields, ("x", "y")]), signed) or ("x", "y") in fields
