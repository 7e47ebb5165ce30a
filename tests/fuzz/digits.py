"""What people type as a phone number, up to what is dialled."""

from __future__ import annotations

import re

from callrouter.mobiles import number_policy
from callrouter.mobiles.mobile_records import NumberSettings
from callrouter.mobiles.number_policy import (
    AcceptedNumber,
    RefusedNumber,
    is_mobile_form,
    read_number,
)
from callrouter.model.text import mask
from callrouter.pbx.asterisk.execution.actions import dial_string

_RULES = [
    NumberSettings(region="GB", countries=("GB", "FR")),
    NumberSettings(region="US", countries=("US", "CA"), types=("mobile",)),
    NumberSettings(),
    NumberSettings(countries=("DE", "IT", "RU"), types=("fixed-line",)),
]


def take(data: bytes) -> None:
    """One number, judged by several rules."""
    text = data.decode("utf-8", "surrogateescape")
    for rules in _RULES:
        match read_number(text, rules):
            case AcceptedNumber(number, country):
                assert is_mobile_form(number)
                assert country in rules.allowed
                assert read_number(number, rules) == AcceptedNumber(number, country), (
                    "it is taken as kept"
                )
                assert number_policy.high_cost(number) == ""
                channel = dial_string("PJSIP/{number}@carrier", number)
                assert re.fullmatch(r"PJSIP/[1-9][0-9]{6,14}@carrier", channel)
                assert number[4:-3] not in mask(number)
            case RefusedNumber(kind, why):
                assert re.fullmatch(r"[a-z0-9-]+", kind)
                assert why.isprintable()
    number_policy.form_fault(text)
    number_policy.high_cost(text)
    number_policy.country_of(text)
    assert mask(text, words=False).isprintable() or not text
    assert len(mask(text, words=False)) <= 40


SEEDS = [
    *(
        b"+447400123456",
        b"07400 123456",
        b"+44 (0)7400 123456",
        b"00447400123456",
        b"020 7946 0018",
    ),
    *(b"+33 6 12 34 56 78", b"+1 202-555-0123", b"(202) 555-0123", b"+49.151.23456789", b"999"),
    *(b"+4490987654321", b"+881612345678", b"+447911123456", b"+18005551234", b"tel:+44;ext=5"),
    *(b"+447400123456,,1234#", b"sip:x@y", b"*21*0900#", "٠٧٤٠٠١٢٣٤٥٦".encode(), b"1-800-FLOWERS"),
]
