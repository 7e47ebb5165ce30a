"""What takes the place of a caller's number, and the key of its code."""

from __future__ import annotations

from typing import Any

import pytest

from callrouter.record.number_fates import NumberChange, StoredNumber, number_key
from callrouter.record.own_values import make_number_secret, read_number_secret, write_value
from callrouter.store.database import Database, server_at
from callrouter.store.location import Place

NUMBER = "441632960123"
OTHERS = ["+447700900123", "#31#07700", "…", "12", "", "anonymous"]


@pytest.mark.parametrize("then", ["mask", "hash", "drop"])
@pytest.mark.parametrize("number", [NUMBER, *OTHERS])
def test_replacing_a_number_twice_changes_nothing(then: Any, number: str) -> None:
    change = NumberChange(then, b"secret")
    once = change.replaced(StoredNumber(number, ""))
    assert change.replaced(once) == once
    if len(number) > 3 and any(c.isdigit() for c in number):
        assert number not in once.number


def test_the_code_depends_on_the_key() -> None:
    assert number_key(b"a", NUMBER) != number_key(b"b", NUMBER)
    assert number_key(b"a", NUMBER) == number_key(b"a", NUMBER)
    assert number_key(b"a", "") == ""


def test_the_key_is_made_once_and_stays(place: Place) -> None:
    server = server_at(place, lambda: 0.0)
    Database(server).close()
    found: list[bytes] = []
    for _ in range(2):
        link = server.open()
        with link.begin():
            if not found:
                assert read_number_secret(link) is None
            found.append(make_number_secret(link))
            assert read_number_secret(link) == found[0]
        link.close()
    assert found[0] == found[1]
    assert len(found[0]) == 32
    link = server.open()
    with link.begin():
        write_value(link, "number-key", "written by hand")
        assert read_number_secret(link) is None
    link.close()
