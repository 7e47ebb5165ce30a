"""`check` sees what it is there to see: each breach, made by hand, is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from callrouter.core.invariants import check
from callrouter.core.state import CallState, LegState, OfferState
from callrouter.model.agent_status import AgentStatus
from tests.core.playbook import Play
from tests.core.tables import agent, desk, mobile, queue, table


def scene() -> Play:
    """ann talks with c1, bob is rung for c2, cat is being silenced, dan is idle elsewhere."""
    parts = (
        agent("bob", desk("bob"), mobile("bob", ring_after=9)),
        queue("q", "ann bob cat", "round-robin", max_wait=60),
        queue("r", "dan", "ring-all"),
    )
    play = Play(table(*parts))
    play.call("c0", "r").caller_hangs_up("c0")
    play.call("c1", "q").accepts("ann").call("c2", "q").call("c3", "q", priority=60)
    play.pbxes["office"].deaf.add("PJSIP/cat")
    for leg in play.pbxes["office"].legs.values():
        leg.deaf = leg.ring.agent == "cat"
    return play.pause("cat")


Break = Callable[[Play], object]


def _forget(play: Play) -> None:
    play.router.floor.calls.pop("c2")


def _ended(play: Play) -> None:
    play.find("c3").state = CallState.ENDED


def _out_of_line(play: Play) -> None:
    call = play.find("c3")
    call.queue.waiting.discard(call)


def _no_queue(play: Play) -> None:
    del play.router.floor.queues["q"]


def _expired(play: Play) -> None:
    play.find("c3").expired = True


def _winner_lost(play: Play) -> None:
    play.find("c1").winner = None


def _winner_closing(play: Play) -> None:
    winner = play.find("c1").winner
    assert winner is not None
    winner.state = OfferState.CLOSING


def _rings_on(play: Play) -> None:
    play.find("c1").offers["bob"] = next(iter(play.agent("bob").offers.values()))


def _free_while_rung(play: Play) -> None:
    play.agent("bob").offers.clear()


def _held_by_nothing(play: Play) -> None:
    play.router.floor.offers.clear()


def _offer_ended(play: Play) -> None:
    next(iter(play.agent("bob").offers.values())).state = OfferState.ENDED


def _unknown_to_its_call(play: Play) -> None:
    play.find("c2").offers.clear()


def _machine(play: Play) -> None:
    winner = play.find("c1").winner
    assert winner is not None
    assert winner.winner is not None
    winner.winner.state = LegState.ANSWERED


def _two_devices(play: Play) -> None:
    for leg in next(iter(play.agent("bob").offers.values())).legs.values():
        leg.state = LegState.ACCEPTED


def _closing_for_nothing(play: Play) -> None:
    for leg in next(iter(play.agent("cat").offers.values())).legs.values():
        leg.state = LegState.ENDED


def _not_stopped(play: Play) -> None:
    for leg in next(iter(play.agent("cat").offers.values())).legs.values():
        leg.stopping = False


def _miscounted(play: Play) -> None:
    play.router.floor.queues["q"].members_present += 1


def _two_at_once(play: Play) -> None:
    offer = next(iter(play.agent("bob").offers.values()))
    play.agent("ann").offers[offer.id] = offer


def _not_idle(play: Play) -> None:
    play.agent("dan").lanes = ()


def _shown_wrong(play: Play) -> None:
    play.agent("dan").status = AgentStatus.PAUSED


def _gone(play: Play) -> None:
    play.agent("dan").gone = True


def _paused(play: Play) -> None:
    play.agent("bob").pause = "lunch"


def _signed_out(play: Play) -> None:
    play.agent("bob").signed_in = False


def _hidden_pause(play: Play) -> None:
    play.agent("dan").signed_in = False
    play.agent("dan").pause = "lunch"


def _still_pending(play: Play) -> None:
    play.agent("dan").pending_sign_out = True


def _wrap_up(play: Play) -> None:
    play.agent("dan").wrap_until = 99.0


def _idle_work(play: Play) -> None:
    cat = play.agent("cat")
    play.find("c3").tried.clear()
    cat.offers.clear()
    cat.pause = None


def _lost_deadline(play: Play) -> None:
    play.router.floor.timers.wait.cancel("c3")


def _left_over(play: Play) -> None:
    play.router.floor.timers.retry.set("c9", 99.0)


def _rest(play: Play) -> None:
    play.router.floor.cooldowns["dan", "desk"] = 99.0


def _no_end_of_ring(play: Play) -> None:
    (offer,) = play.agent("bob").offers
    play.router.floor.timers.ring.cancel(offer)


def _no_end_of_close(play: Play) -> None:
    (offer,) = play.agent("cat").offers
    play.router.floor.timers.closing.cancel(offer)


def _no_round(play: Play) -> None:
    play.find("c3").tried["cat"] = None


def _connecting(play: Play) -> None:
    play.find("c1").state = CallState.CONNECTING


BREACHES: list[tuple[Break, str]] = [
    (_forget, "1: call c2 stands in line of q and is not known"),
    (_ended, "1: call c3 has ended and is still kept"),
    (_out_of_line, "1: call c3 is waiting and not in line"),
    (_no_queue, "1: call c3 waits in q, which is not a queue any more"),
    (_expired, "1: call c3 has waited long enough"),
    (_winner_lost, "3: call c1 is talking with winner"),
    (_winner_closing, "3: call c1 is held by offer"),
    (_rings_on, "3: call c1 is talking and phones still ring"),
    (_free_while_rung, "does not reserve bob"),
    (_held_by_nothing, "which is not known"),
    (_offer_ended, "has ended and is still kept"),
    (_unknown_to_its_call, "which does not know it"),
    (_machine, "without an accepted leg"),
    (_two_devices, "accepted on two devices"),
    (_closing_for_nothing, "closing with nothing to wait for"),
    (_not_stopped, "was not stopped"),
    (_miscounted, "5: q counts"),
    (_two_at_once, "2: ann has 2 calls and offers at once"),
    (_not_idle, "5: dan stands idle in 0 lanes"),
    (_shown_wrong, "6: dan is shown"),
    (_gone, "6: dan was taken out of the table"),
    (_paused, "7: bob is paused and being rung"),
    (_signed_out, "7: bob is signed out and being rung"),
    (_hidden_pause, "7: dan is signed out and paused"),
    (_still_pending, "7: dan is free and a request is still pending"),
    (_wrap_up, "10: dan is in wrap-up"),
    (_idle_work, "5: call c3 waits while cat is available"),
    (_lost_deadline, "10: call c3 may wait until"),
    (_left_over, "10: a RETRY deadline is left over for c9"),
    (_rest, "10: ('dan', 'desk') rests"),
    (_no_end_of_ring, "rings with no end in sight"),
    (_no_end_of_close, "closing with no end in sight"),
    (_no_round, "10: call c3 was tried and will not go round again"),
    (_connecting, "10: call c1 is connecting with no end in sight"),
]


def test_the_scene_is_sound() -> None:
    play = scene()
    assert check(play.router.floor) == []
    assert play.find("c1").state is CallState.TALKING
    assert {o.state for o in play.agent("cat").offers.values()} == {OfferState.CLOSING}


@pytest.mark.parametrize(("breach", "words"), BREACHES, ids=lambda x: getattr(x, "__name__", ""))
def test_each_breach_is_named(breach: Break, words: str) -> None:
    play = scene()
    breach(play)
    found = check(play.router.floor)
    assert any(words in line for line in found), found
