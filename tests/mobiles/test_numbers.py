"""Which numbers are taken: a table of what people and attackers type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.mobiles.number_policy import (
    AcceptedNumber,
    RefusedNumber,
    form_fault,
    high_cost,
    is_mobile_form,
    read_number,
)
from callrouter.model.commands import Ring
from callrouter.pbx.asterisk.execution.actions import dial_string, originate

RULES = NumberSettings(region="GB", countries=("GB", "FR", "DE", "US", "IT"))

TAKEN = [
    ("07700 900123", "+447700900123"),
    ("07400123456", "+447400123456"),
    ("+44 7400 123456", "+447400123456"),
    ("+447400123456", "+447400123456"),
    ("  +447400123456  ", "+447400123456"),
    ("0044 7400 123456", "+447400123456"),
    ("00447400123456", "+447400123456"),
    ("+44 (0)7400 123456", "+447400123456"),
    ("(07400) 123-456", "+447400123456"),
    ("07400.123.456", "+447400123456"),
    ("447400123456", "+447400123456"),
    ("(+44) 7400 123456", "+447400123456"),
    ("020 7946 0018", "+442079460018"),
    ("+33 6 12 34 56 78", "+33612345678"),
    ("0033612345678", "+33612345678"),
    ("+49 1512 3456789", "+4915123456789"),
    ("+1 (212) 555-0123", "+12125550123"),
    ("+39 06 1234 5678", "+390612345678"),
    ("+39 347 123 4567", "+393471234567"),
]

REFUSED = [
    ("premium", "09098790000"),
    ("premium", "+44 9098 790000"),
    ("premium", "0044 871 234 5678"),
    ("premium", "+1 900 555 0123"),
    ("premium", "+33 899 12 34 56"),
    ("premium", "+41 900 123 456"),
    ("premium", "+979 123456789"),
    ("premium", "00979123456789"),
    ("shared-cost", "+49 137 123 4567"),
    ("shared-cost", "+808 1234 5678"),
    ("personal-number", "07012345678"),
    ("personal-number", "+878 10 1234567"),
    ("freephone", "0800 123 4567"),
    ("freephone", "+1 800 555 0199"),
    ("freephone", "+800 1234 5678"),
    ("uan", "+44 55 1234 5678"),
    ("uan", "0300 123 4567"),
    ("voip", "056 1234 5678"),
    ("pager", "07640 123456"),
    ("satellite", "+870 773 123456"),
    ("satellite", "00870773123456"),
    ("satellite", "+881 6 12345678"),
    ("satellite", "+882 16 12345678"),
    ("satellite", "+883 510 012345"),
    ("emergency", "112"),
    ("emergency", "999"),
    ("emergency", "911"),
    ("emergency", "9 9 9"),
    ("emergency", "+44999"),
    ("emergency", "0044 112"),
    ("emergency", "+112"),
    ("short-code", "101"),
    ("short-code", "1234"),
    ("short-code", "118118"),
    ("short-code", "118 500"),
    ("too-short", "+447700"),
    ("too-short", "+44 20 7946"),
    ("too-long", "+4477009001234567"),
    ("too-long", "07700900123456789012"),
    ("too-long", "1" * 200),
    ("no-number", "+44 1481 123456"),
    ("no-number", "07400 123 45"),
    ("no-country", "+999 1234567"),
    ("no-country", "+0 7400 123456"),
    ("country", "+371 2123 4567"),
    ("country", "+960 771 2345"),
    ("country", "+53 5 1234567"),
    ("country", "+1 809 555 0123"),
    ("country", "+1 876 555 0123"),
    ("country", "+44 7781 123456"),  # Guernsey, as is the next
    ("country", "07911 123456"),
    ("country", "+7 999 123 45 67"),
    ("letters", "0800 FLOWERS"),
    ("letters", "+44 7400 CALLME"),
    ("not-a-number", "alice"),
    ("not-a-number", "+"),
    ("not-a-number", "()"),
    ("not-a-number", ".."),
    ("not-a-number", "++447400123456"),
    ("not-a-number", "07400+123456"),
    ("not-a-number", "-447400123456"),
    ("not-a-number", "tel:+447400123456"),
    ("empty", ""),
    ("empty", "   "),
    ("code", "*45"),
    ("code", "#31#07400123456"),
    ("code", "*21*07400123456#"),
    ("extension", "+447400123456;ext=5"),
    ("extension", "+447400123456 x5"),
    ("extension", "020 7946 0018 ext. 12"),
    ("extension", "020 7946 0018#12"),
    ("not-a-number", "+44&PJSIP/1001"),
    ("not-a-number", "+447400123456&PJSIP/1001"),
    ("not-a-number", "1@evil"),
    ("not-a-number", "+447400123456@evil"),
    ("not-a-number", ";"),
    ("not-a-number", "+447400123456;phone-context=evil"),
    ("not-a-number", "${EXTEN}"),
    ("not-a-number", "+44740012345${EXTEN:-1}"),
    ("not-a-number", "+447400123456,,1234"),
    ("not-a-number", "+447400123456|Dial"),
    ("not-a-number", "PJSIP/1001"),
    ("not-a-number", "+447400123456'"),
    ("not-a-number", "{number}"),
    ("hidden-character", "+447400123456\n"),
    ("hidden-character", "+447400123456\r\nAction: Originate"),
    ("hidden-character", "\x00+447400123456"),
    ("hidden-character", "+44\t7400123456"),
    ("hidden-character", "\u202e+447400123456"),
    ("hidden-character", "\u200f07400123456"),
    ("hidden-character", "+44 7400\u200b123456"),
    ("foreign-digits", "\uff10\uff17400123456"),
    ("foreign-digits", "\u0660\u0667400123456"),
]


@pytest.mark.parametrize(("typed", "number"), TAKEN)
def test_taken(typed: str, number: str) -> None:
    verdict = read_number(typed, RULES)
    assert isinstance(verdict, AcceptedNumber), verdict
    assert verdict.number == number
    assert dial_string("PJSIP/{number}@carrier", number) == f"PJSIP/{number[1:]}@carrier"


@pytest.mark.parametrize(("kind", "typed"), REFUSED)
def test_refused_with_a_reason(kind: str, typed: str) -> None:
    verdict = read_number(typed, RULES)
    assert isinstance(verdict, RefusedNumber), verdict
    assert verdict.kind == kind, verdict
    assert len(verdict.text) > 10


def test_every_reason_has_words_of_its_own() -> None:
    words: dict[str, str] = {}
    for kind, typed in REFUSED:
        verdict = read_number(typed, RULES)
        assert isinstance(verdict, RefusedNumber)
        assert words.setdefault(verdict.text, kind) == kind


@pytest.mark.parametrize(
    ("types", "typed", "ok"),
    [
        (("mobile",), "07400123456", True),
        (("mobile",), "02079460018", False),
        (("fixed-line",), "02079460018", True),
        (("fixed-line",), "07400123456", False),
        (("fixed-line",), "07700900123", False),
        (("mobile",), "+12125550123", True),  # in North America nobody can tell
    ],
)
def test_types(types: tuple[str, ...], typed: str, ok: bool) -> None:
    rules = NumberSettings(region="GB", countries=("GB", "US"), types=types)
    verdict = read_number(typed, rules)
    assert isinstance(verdict, AcceptedNumber) is ok
    assert ok or (isinstance(verdict, RefusedNumber) and verdict.kind == "type")


def test_without_countries_only_the_region_and_without_it_none() -> None:
    assert isinstance(read_number("07400123456", NumberSettings(region="GB")), AcceptedNumber)
    french = read_number("+33612345678", NumberSettings(region="GB"))
    assert isinstance(french, RefusedNumber)
    assert french.text == "numbers of FR are not allowed here (allowed: GB)"
    nothing = read_number("+447400123456", NumberSettings())
    assert isinstance(nothing, RefusedNumber)
    assert nothing.kind == "country"
    national = read_number("07400123456", NumberSettings(countries=("GB",)))
    assert isinstance(national, RefusedNumber)
    assert "such as +44" in national.text


@given(st.text(max_size=30) | st.from_regex(r"\+?[0-9&@;,/${}()* x-]{1,20}", fullmatch=True))
def test_whatever_is_typed_only_digits_come_out(typed: str) -> None:
    verdict = read_number(typed, RULES)
    if isinstance(verdict, AcceptedNumber):
        assert is_mobile_form(verdict.number)
        assert verdict.country in RULES.countries
        assert form_fault(verdict.number) == ""
        assert high_cost(verdict.number) == ""


@given(st.text(max_size=30) | st.from_regex(r"\+[0-9&@;,/${}\n]{1,20}", fullmatch=True))
def test_the_last_gate(number: str) -> None:
    ring = Ring(
        pbx="office", offer="o1", call="c1", agent="alice", device="mobile", endpoint="",
        number=number, confirm=True, ring_for=20.0, queue="support", queue_name="Support",
        caller_number="", caller_name="",
    )  # fmt: skip
    try:
        channel = originate(ring, "PJSIP/{number}@carrier")["Channel"]
    except ValueError as error:
        assert "is not a number to be dialled" in str(error)  # noqa: PT017 - one of two outcomes
    else:
        assert channel == f"PJSIP/{number[1:]}@carrier"
        assert number[0] == "+"
        assert number[1:].isascii()
        assert number[1:].isdecimal()


def test_a_pbx_that_dials_no_numbers_says_so() -> None:
    with pytest.raises(ValueError, match="no dial_number"):
        dial_string("", "+447400123456")


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        ("+447700900123", ""),
        ("+33612345678", ""),
        ("+1900555012", "too few digits for a number of its country"),
        ("+999123456789", "no country has numbers that begin like this"),
        ("+4477009", "too few digits for a number of its country"),
        ("+447700900123456", "too many digits for a number of its country"),
        ("+44&PJSIP/1001", "not an international number such as +447700900123"),
        ("07700900123", "not an international number such as +447700900123"),
    ],
)
def test_the_form_of_numbers_in_files(number: str, fault: str) -> None:
    assert form_fault(number) == fault


def test_dear_numbers_are_known() -> None:
    assert high_cost("+449098790000") == "a premium-rate number"
    assert high_cost("+881612345678") == "a satellite number"
    assert high_cost("+447400123456") == ""
