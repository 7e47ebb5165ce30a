"""Phone numbers in one form, and every way to withhold one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.model.phone_numbers import E164, NOWHERE, withheld
from callrouter.settings.schema.number_parsing import numbering

GB, US, DE, IT = (numbering(region) for region in ("GB", "US", "DE", "IT"))


@pytest.mark.parametrize(
    "written",
    [
        "+442079460018", "02079460018", "442079460018", "+44(0)2079460018", "0044 20 7946 0018",
        "+44 20 7946 0018", "tel:+442079460018", "tel:020-7946-0018;phone-context=+44",
        "sip:+442079460018@carrier.example;user=phone", "sips:02079460018@10.0.0.1", "00442079460018",
        "4402079460018", "+4402079460018", "0044(0)2079460018", "(020) 7946-0018", "020.7946.0018",
        "2079460018", " 02079460018 ", "\u202a+44 20 7946 0018\u202c", "+44\u00a020\u00a07946\u00a00018",
        '"A" <sip:02079460018@x>', "020/7946/0018",
    ],
)  # fmt: skip
def test_all_of_these_are_one_number(written: str) -> None:
    assert GB.form(written) == "+442079460018"


@pytest.mark.parametrize(
    ("home", "written", "number"),
    [
        (US, "2125551234", "+12125551234"),
        (US, "1 (212) 555-1234", "+12125551234"),
        (US, "011 44 20 7946 0018", "+442079460018"),
        (US, "442079460018", "+442079460018"),
        (DE, "030 123456", "+4930123456"),
        (DE, "4930123456", "+4930123456"),
        (DE, "+49 (0) 30 123456", "+4930123456"),
        (DE, "491701234567", "+491701234567"),
        (IT, "06 1234 5678", "+390612345678"),
        (IT, "390612345678", "+390612345678"),
        (IT, "+39 06 12345678", "+390612345678"),
        (GB, "33142685300", "+33142685300"),
        (GB, "0033142685300", "+33142685300"),
        (GB, "0800 1111", "+448001111"),
        (NOWHERE, "0044 20 7946 0018", "+442079460018"),
        (NOWHERE, "02079460018", "02079460018"),
    ],
)
def test_other_homes(home: object, written: str, number: str) -> None:
    assert home.form(written) == number  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "written",
    ["1001", "100", "200150", "999", "112", "*45", "#21", "alice", "caller", "1001-desk", "7"],
)
@pytest.mark.parametrize("home", [GB, US, DE, IT, NOWHERE])
def test_extensions_and_names_stay_as_they_are(home: object, written: str) -> None:
    assert home.form(written).replace("-", "") == written.replace("-", "")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "written",
    [
        "", " ", "0", "000", "+", "-", "Anonymous", "ANONYMOUS", "anonymous", "asterisk", "unknown", "Unavailable",
        "restricted", "private", "Private Number", "PRIVATE CALLER", "No Caller ID", "Caller unknown", "withheld",
        "Number Withheld", "blocked", "Unbekannt", "Anonym", "Rufnummer unterdrückt", "Numéro privé", "inconnu",
        "Número oculto", "Desconocido", "Anonimo", "Anoniem", "Onbekend", "Неизвестный номер", "非通知", "out of area",
        "not available", "<unknown>", "anonymous@anonymous.invalid", "sip:anonymous@anonymous.invalid",
        '"Anonymous" <sip:x@anonymous.invalid>', "sip:anonymous@10.0.0.1", "+266696687", "266696687", "+7378742833",
        "Privatnummer", "nicht verfügbar", "Unbekannter Anrufer", "Keine Rufnummer", "sans numéro", "Numéro non communiqué",
        "Número no disponible", "N/A", "+2562533", "+8656696", "+86282452253", "\u200b",
    ],
)  # fmt: skip
def test_withheld(written: str) -> None:
    assert GB.form(written) == ""
    assert NOWHERE.form(written) == ""


@pytest.mark.parametrize(
    "written",
    [
        "7378742833",
        "+447378742833",
        "+17378742833",
        "2562533",
        "1000",
        "anna",
        "Bob Unknown",
        "privateer",
        "x0",
        "00441",
    ],
)
def test_not_withheld(written: str) -> None:
    assert not withheld(written)
    assert GB.form(written)


@given(st.text(max_size=200))
def test_anything_at_all_gives_one_form_that_stays(text: str) -> None:
    for home in (GB, US, DE, IT, NOWHERE):
        once = home.form(text)
        assert len(once) <= 64
        if E164.fullmatch(once):
            assert home.form(once) == once


@given(st.text(alphabet="0123456789+ ()-.", max_size=30))
def test_digits_in_any_order_give_one_form_that_stays(text: str) -> None:
    for home in (GB, US, DE, IT, NOWHERE):
        once = home.form(text)
        assert home.form(once) == once


def test_a_hostile_megabyte_is_cut() -> None:
    assert len(GB.form("9" * 1_000_000)) <= 64
    assert GB.form("+" * 1_000_000) == ""
