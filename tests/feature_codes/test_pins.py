"""Wrong PINs: counted, locked, and no clue in words or time about which extensions there are."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest
from argon2 import PasswordHasher, extract_parameters

from callrouter.credentials.lockout import FIRST, FORGIVEN, KEPT, LONGEST, MOST, WITHIN, Lockout
from callrouter.credentials.secret_hashes import pin_matches
from callrouter.feature_codes.calling_number import one_spelling
from callrouter.feature_codes.pins import (
    ENDPOINT_MOST,
    HOUSE_MOST,
    LONGEST_SHARED,
    OUTSIDE,
    WAITING_MOST,
    PinChecker,
    PinClaim,
    PinResult,
)
from callrouter.model.access_rows import LockRow

CHEAP = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def now(self) -> float:
        return self.at


def lock(lockout: Lockout, key: str, now: float) -> float:
    return [lockout.wrong(key, now) for _ in range(MOST)][-1]


def test_five_wrong_ones_lock_for_a_quarter_of_an_hour() -> None:
    lockout = Lockout()
    assert [lockout.wrong("a", float(n)) for n in range(MOST)] == [0, 0, 0, 0, FIRST]
    assert lockout.left("a", 4.0) == FIRST
    assert lockout.left("a", 4.0 + FIRST - 1) == 1.0
    assert lockout.left("a", 4.0 + FIRST) == 0.0
    assert lockout.left("b", 4.0) == 0.0
    assert lockout.locked(5.0) == ["a"]


def test_wrong_ones_long_ago_do_not_count() -> None:
    lockout = Lockout()
    for n in range(20):
        assert lockout.wrong("a", n * WITHIN / (MOST - 1)) == 0.0


def test_each_lock_is_twice_as_long_up_to_a_day() -> None:
    lockout, now, locks = Lockout(), 0.0, []
    for _ in range(9):
        locks.append(lock(lockout, "a", now))
        now += locks[-1]
    assert locks[:3] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert locks[-1] == LONGEST
    assert lock(lockout, "a", now + FORGIVEN + 1) == FIRST


def test_the_right_pin_forgives_wrong_ones_but_no_lock() -> None:
    lockout = Lockout()
    for _ in range(MOST - 1):
        lockout.wrong("a", 0.0)
    lockout.right("a")
    assert lockout.wrong("a", 1.0) == 0.0
    lock(lockout, "b", 0.0)
    lockout.right("b")
    assert lockout.left("b", 1.0) > 0


def test_memory_is_bounded() -> None:
    lockout = Lockout()
    for n in range(KEPT + 50):
        lockout.wrong(str(n), 0.0)
    assert len(lockout._records) == KEPT


# ---------------------------------------------------------------- looking PINs up


def claim(extension: str = "1001", agent: str = "alice", pin: str = "83164") -> PinClaim:
    return PinClaim(extension=extension, agent=agent, pin=pin, endpoint="PJSIP/1003", number="1003")


async def test_right_and_wrong() -> None:
    pins = PinChecker(lambda: {"alice": CHEAP.hash("83164")}, Clock())
    assert await pins.check(claim()) is PinResult.RIGHT
    assert await pins.check(claim(pin="83165")) is PinResult.WRONG
    assert await pins.check(claim(pin="")) is PinResult.WRONG
    assert await pins.check(claim("1002", "bob")) is PinResult.WRONG  # who has none
    assert await pins.check(claim("1777", "")) is PinResult.WRONG
    assert await pins.check(claim("1778", "")) is PinResult.LOCKED  # the phone: its fifth
    assert pins.lockout.wrong_total == 5


async def test_nobodys_extension_costs_the_same_work() -> None:
    looked: list[str] = []

    def verify(digest: str, pin: str) -> bool:
        looked.append(digest)
        return pin_matches(digest, pin)

    alice = CHEAP.hash("83164")
    pins = PinChecker(lambda: {"alice": alice}, Clock(), verify)
    await pins.check(claim())
    await pins.check(claim("1777", ""))
    await pins.check(claim("1002", "bob"))
    assert len(looked) == 3
    assert {str(extract_parameters(digest)) for digest in looked} == {
        str(extract_parameters(alice))
    }


async def test_no_pin_opens_what_nobody_has() -> None:
    pins = PinChecker(dict, Clock(), lambda _digest, _pin: True)
    assert await pins.check(claim("1777", "")) is PinResult.WRONG


async def test_locked_is_not_even_looked_at_and_says_the_same_for_nobody() -> None:
    looked = 0

    def verify(_digest: str, _pin: str) -> bool:
        nonlocal looked
        looked += 1
        return False

    clock = Clock()
    pins = PinChecker(lambda: {"alice": CHEAP.hash("83164")}, clock, verify)
    for extension, agent in (("1001", "alice"), ("1777", "")):
        answers = [
            await pins.check(
                PinClaim(
                    extension=extension,
                    agent=agent,
                    pin="1",
                    endpoint="phone",
                    number=f"{extension}{n}",
                )
            )
            for n in range(7)
        ]
        assert answers == [PinResult.WRONG] * 4 + [PinResult.LOCKED] * 3
    assert looked == 10
    clock.at += FIRST
    assert (
        await pins.check(
            PinClaim(extension="1001", agent="alice", pin="1", endpoint="another", number="phone")
        )
        is PinResult.WRONG
    )


async def test_many_at_once_get_no_more_tries_and_do_not_pile_up() -> None:
    looked = 0

    def verify(_digest: str, _pin: str) -> bool:
        nonlocal looked
        looked += 1
        return False

    pins = PinChecker(lambda: {"alice": CHEAP.hash("83164")}, Clock(), verify)
    answers = await asyncio.gather(
        *(
            pins.check(
                PinClaim(
                    extension="1001", agent="alice", pin=str(n), endpoint="phone", number=f"{n}"
                )
            )
            for n in range(100)
        )
    )
    assert looked == MOST
    assert answers.count(PinResult.BUSY) == 100 - WAITING_MOST


async def test_a_broken_hash_fits_nothing_and_is_said(caplog: pytest.LogCaptureFixture) -> None:
    pins = PinChecker(lambda: {"alice": "$argon2id$x"}, Clock())
    with caplog.at_level(logging.ERROR):
        assert await pins.check(claim()) is PinResult.WRONG
    assert "callrouter passwd" in caplog.text


async def test_what_was_keyed_in_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    pins = PinChecker(lambda: {"alice": CHEAP.hash("83164")}, Clock())
    with caplog.at_level(logging.DEBUG):
        for _ in range(7):
            await pins.check(claim(pin="70913"))
    assert "locked" in caplog.text
    assert "70913" not in caplog.text


async def test_no_number_and_nothing_that_could_be_a_pin_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pins = PinChecker(lambda: {"alice": CHEAP.hash("83164")}, Clock())
    for _ in range(MOST + 1):
        await pins.check(
            PinClaim(
                extension="83164",
                agent="",
                pin="1001",
                endpoint="PJSIP/carrier",
                number="+447400123456",
            )
        )
    await pins.check(
        PinClaim(extension="1001", agent="alice", pin="83165", endpoint="PJSIP/1003", number="1003")
    )
    assert "wrong PIN for an unknown extension at PJSIP/carrier +44…456" in caplog.text
    assert "phone PJSIP/carrier +44…456 is locked for 15 min after wrong PINs" in caplog.text
    assert "wrong PIN for extension 1001 (alice) at PJSIP/1003 1003" in caplog.text
    assert "8316" not in caplog.text
    assert "7400123" not in caplog.text


# ---------------------------------------------------------------- from outside


def outside(n: int, trunk: str = "PJSIP/trunk", pin: str = "000001") -> PinClaim:
    """A stranger at a trunk, with another extension and another number each time."""
    return PinClaim(
        extension=f"1{n:03d}",
        agent="",
        pin=pin,
        endpoint=trunk,
        number=f"+4477009{n:05d}",
        own=False,
    )


async def test_thirty_wrong_ones_from_outside_close_the_door_and_own_phones_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    digest = CHEAP.hash("831640")
    pins = PinChecker(lambda: {"alice": digest}, clock, pin_matches)
    answers = [await pins.check(outside(n, f"PJSIP/trunk{n % 2}")) for n in range(HOUSE_MOST)]
    assert answers == [*[PinResult.WRONG] * (HOUSE_MOST - 1), PinResult.LOCKED]
    assert pins.closed_for() == FIRST
    right = PinClaim(
        extension="1001",
        agent="alice",
        pin="831640",
        endpoint="PJSIP/trunk9",
        number="+447700900123",
        own=False,
    )
    assert await pins.check(right) is PinResult.LOCKED
    assert (
        await pins.check(
            PinClaim(
                extension="1001", agent="alice", pin="831640", endpoint="PJSIP/1003", number="1003"
            )
        )
        is PinResult.RIGHT
    )
    assert [r.levelname for r in caplog.records if "from outside" in r.message] == ["ERROR"]
    clock.at += FIRST
    assert await pins.check(right) is PinResult.RIGHT


async def test_one_trunk_is_locked_before_the_house_is() -> None:
    pins = PinChecker(dict, Clock(), lambda _digest, _pin: False)
    answers = [await pins.check(outside(n)) for n in range(ENDPOINT_MOST + 1)]
    assert answers[ENDPOINT_MOST - 2 :] == [PinResult.WRONG, PinResult.LOCKED, PinResult.LOCKED]
    assert pins.closed_for() == 0
    assert await pins.check(outside(99, "PJSIP/other")) is PinResult.WRONG


async def test_the_doors_lock_is_an_hour_at_most() -> None:
    lockout = Lockout()
    now, locks = 0.0, []
    for _ in range(5):
        made = [lockout.wrong(OUTSIDE, now, HOUSE_MOST, LONGEST_SHARED) for _ in range(HOUSE_MOST)]
        locks.append(made[-1])
        now += made[-1]
    assert locks == [FIRST, 2 * FIRST, LONGEST_SHARED, LONGEST_SHARED, LONGEST_SHARED]


async def test_strangers_who_key_at_once_do_not_make_agents_phones_wait() -> None:
    gate = threading.Event()

    def slow(_digest: str, pin: str) -> bool:
        return pin == "831640" or gate.wait(10)

    pins = PinChecker(lambda: {"alice": "x"}, Clock(), slow)
    strangers = [asyncio.create_task(pins.check(outside(n))) for n in range(WAITING_MOST + 5)]
    await asyncio.sleep(0.05)
    assert sum(task.done() for task in strangers) == 5  # those are turned away
    own = PinClaim(
        extension="1001", agent="alice", pin="831640", endpoint="PJSIP/1003", number="1003"
    )
    assert await asyncio.wait_for(pins.check(own), 5) is PinResult.RIGHT
    gate.set()
    await asyncio.gather(*strangers)


async def test_a_short_pin_from_outside_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    pins = PinChecker(lambda: {"alice": "x"}, Clock(), lambda _digest, _pin: True)
    assert (
        await pins.check(
            PinClaim(
                extension="1",
                agent="alice",
                pin="83164",
                endpoint="PJSIP/trunk",
                number="1",
                own=False,
            )
        )
        is PinResult.RIGHT
    )
    assert "fewer than 6 digits" in caplog.text
    caplog.clear()
    assert (
        await pins.check(
            PinClaim(extension="1", agent="alice", pin="83164", endpoint="PJSIP/1003", number="1")
        )
        is PinResult.RIGHT
    )
    assert (
        await pins.check(
            PinClaim(
                extension="1",
                agent="alice",
                pin="831640",
                endpoint="PJSIP/t",
                number="1",
                own=False,
            )
        )
        is PinResult.RIGHT
    )
    assert "fewer" not in caplog.text


def test_no_lock_in_force_is_ever_forgotten() -> None:
    lockout = Lockout()
    lock(lockout, "alice", 0.0)
    for n in range(KEPT + 5_000):
        lockout.wrong(str(n), 1.0)
    assert lockout.left("alice", 2.0) > 0
    assert len(lockout._records) <= KEPT + 1


def test_locks_outlive_a_restart_and_no_wrong_clock_makes_them_longer() -> None:
    kept: dict[str, LockRow] = {}
    lockout = Lockout(lambda row: kept.__setitem__(row.key, row))
    lock(lockout, "a", 1000.0)
    lock(lockout, "a", 1000.0 + FIRST)
    again = Lockout(lambda row: kept.__setitem__(row.key, row))
    again.restore(kept.values(), 1001.0 + FIRST)
    assert again.left("a", 1001.0 + FIRST) == 2 * FIRST - 1
    assert lock(again, "a", 2000.0 + 3 * FIRST) == 4 * FIRST
    wrong = Lockout()
    wrong.restore([LockRow(key="b", until=1e12, locks=3)], 1000.0)
    assert wrong.left("b", 1000.0) == LONGEST
    late = Lockout(lambda row: kept.__setitem__(row.key, row))
    late.restore([LockRow(key="c", until=5.0, locks=3)], 6.0 + FORGIVEN)
    assert kept["c"].until == 0.0
    assert late.locked(0.0) == []


@pytest.mark.parametrize(
    "number",
    ["+447700900123", "447700900123", "07700900123", "00447700900123"],
)
def test_a_number_has_one_spelling(number: str) -> None:
    assert one_spelling(number, "GB") == "+447700900123"


@pytest.mark.parametrize("number", ["", "1003", "+12", "*45"])
def test_an_extension_stays_as_it_is(number: str) -> None:
    assert one_spelling(number, "GB") == number
    assert one_spelling(number, "") == number
