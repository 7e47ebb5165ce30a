"""With several Asterisks, each hears what concerns it: notices of its own calls, and lamps that are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from callrouter.model.call_notices import CallRequeued
from callrouter.model.events import ConnectFault
from callrouter.model.notices import AgentResumed, Notice
from callrouter.pbx.asterisk.lamp_places import LampPlaces
from callrouter.pbx.notice_routing import NoticeRouting
from tests.asterisk.floor import desk, person, queue, table


class Keeper:
    """Notes what it is passed. A driver otherwise writes it to its Asterisk."""

    def __init__(self, fails: bool = False) -> None:
        self.own: list[Notice] = []
        self.elsewhere: list[Notice] = []
        self.fails = fails

    def listen(self, notice: Notice) -> None:
        self.own.append(notice)
        if self.fails:
            raise RuntimeError("it does")

    def listen_elsewhere(self, notice: Notice) -> None:
        self.elsewhere.append(notice)


def requeued(call: str) -> CallRequeued:
    return CallRequeued(at=1.0, call=call, queue="support", why=ConnectFault.FAILED)


def passed(keepers: Sequence[Keeper]) -> list[tuple[int, int]]:
    return [(len(keeper.own), len(keeper.elsewhere)) for keeper in keepers]


def test_a_notice_of_a_call_is_for_the_asterisk_that_has_the_call() -> None:
    north, other, south = Keeper(), Keeper(), Keeper(fails=True)
    routing = NoticeRouting({"north": north, "north-2": other, "south": south})
    routing.listen(requeued("north-1795898072.18"))
    assert passed([north, other, south]) == [(1, 0), (0, 1), (0, 1)]
    routing.listen(requeued("north-2-1795898072.18"))
    assert passed([north, other, south]) == [(1, 1), (1, 1), (0, 2)]
    routing.listen(requeued("north-2-pbx-7-1795898072.18"))  # systemname = pbx-7
    assert passed([north, other, south]) == [(1, 2), (2, 1), (0, 3)]
    routing.listen(requeued("cloud-CA0123"))  # of a telephone system that keeps no records
    routing.listen(AgentResumed(at=1.0, agent="ann", reason="lunch", by=""))
    assert passed([north, other, south]) == [(3, 2), (4, 1), (2, 3)]


def test_lamps_of_agents_and_queues_without_a_phone_here() -> None:
    elsewhere = replace(desk("far", "1002"), pbxes=("south",))
    addresses = {"south": "PJSIP/1003", "office": "PJSIP/1003@south"}
    pbxes = tuple(addresses)
    by_trunk = replace(desk("trunk", "1003"), pbxes=pbxes, addresses=addresses, homes=("south",))
    both = table(
        [
            person("near", desk("near", "1001")),
            person("far", elsewhere),
            person("trunk", by_trunk),
            person("none"),
        ],
        queue("support", ["near", "far"]),
        queue("sales", ["far"]),
    )
    places = LampPlaces("office", both)
    assert places.far
    shown = {name: places.has_agent(name) for name in ("near", "far", "trunk", "none", "former")}
    assert shown == {"near": True, "far": False, "trunk": False, "none": True, "former": True}
    assert [places.has_queue(name) for name in ("support", "sales", "former")] == [
        True,
        False,
        True,
    ]
    lamps = ("near", "far", "queue-support", "queue-sales", "queue-former")
    assert [places.has(f"Custom:callrouter-{lamp}") for lamp in lamps] == [
        True,
        False,
        True,
        False,
        True,
    ]
    here = table([person("near", desk("near", "1001"))], queue("sales", ["near"]))
    alone = LampPlaces("office", both)
    alone.use(here)
    assert not alone.far
    assert alone.has_queue("sales")
