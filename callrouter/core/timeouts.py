"""What happens when each kind of deadline expires."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from callrouter.core import clock_changes, endpoint_reports, leg_reports, phone_transfers, reload
from callrouter.core.agents import devices, requested_state
from callrouter.core.calls import announcements, eligibility, waiting
from callrouter.core.calls.call_lifecycle import CONNECT_WITHIN
from callrouter.core.deadlines import Key, Timer
from callrouter.core.floor import Floor
from callrouter.core.offers import offer_failures, ringing
from callrouter.core.state import Call, Offer
from callrouter.model.events import ConnectFault


def expire(floor: Floor, key: Key) -> None:
    """Handle an expired deadline. It means nothing if its call or offer is over.

    Raises:
        KeyError: the agent or queue of the deadline is not known. Their deadlines end with them, so
            this is a bug.
    """
    kind = key.kind
    if kind in OF_CALLS:
        call = floor.calls.get(key.id)
        if call is not None:
            OF_CALLS[kind](floor, call)
    elif kind in OF_OFFERS:
        offer = floor.offers.get(key.id)
        if offer is not None:
            OF_OFFERS[kind](floor, offer, key.device)
    else:
        OTHERS[kind](floor, key)


# ---------------------------------------------------------------- calls


def _go_round_again(floor: Floor, call: Call) -> None:
    call.tried.clear()
    floor.unmatched_calls[call.id] = call


def _widen(floor: Floor, call: Call) -> None:
    eligibility.open_up(floor, call)
    floor.unmatched_calls[call.id] = call


def _prefer_no_longer(floor: Floor, call: Call) -> None:
    floor.unmatched_calls[call.id] = call


def _not_connected(floor: Floor, call: Call) -> None:
    if call.pbx not in floor.up:  # they may well be talking: wait for the next snapshot
        floor.timers.connect.set(call.id, floor.clock_now + CONNECT_WITHIN)
    elif call.winner is not None:
        leg_reports.connect_failed(floor, call, call.winner, ConnectFault.FAILED)


OF_CALLS: Mapping[Timer, Callable[[Floor, Call], None]] = {
    Timer.WAIT: waiting.max_wait_expired,
    Timer.RETRY: _go_round_again,
    Timer.WIDEN: _widen,
    Timer.PREFER: _prefer_no_longer,
    Timer.ANNOUNCE: announcements.due,
    Timer.CONNECT: _not_connected,
}


# ---------------------------------------------------------------- offers


def _ring(floor: Floor, offer: Offer, _device: str) -> None:
    offer_failures.ring_time_up(floor, offer)


def _accept(floor: Floor, offer: Offer, device: str) -> None:
    offer_failures.accept_time_up(floor, offer, device)


def _share(floor: Floor, offer: Offer, _device: str) -> None:
    offer_failures.share_call(floor, offer)


def _left(floor: Floor, offer: Offer, _device: str) -> None:
    phone_transfers.phone_left(floor, offer.id)


def _closing(floor: Floor, offer: Offer, _device: str) -> None:
    ringing.give_up_waiting(floor, offer)


OF_OFFERS: Mapping[Timer, Callable[[Floor, Offer, str], None]] = {
    Timer.RING: _ring,
    Timer.ACCEPT: _accept,
    Timer.CLOSING: _closing,
    Timer.LEG: offer_failures.leg_due,
    Timer.SHARE: _share,
    Timer.LEFT: _left,
}


# ---------------------------------------------------------------- agents, queues, and the clock


def _wrap_up(floor: Floor, key: Key) -> None:
    requested_state.end_wrap_up(floor, floor.agents[key.id])


def _pause(floor: Floor, key: Key) -> None:
    requested_state.pause_limit_reached(floor, floor.agents[key.id])


def _cooldown(floor: Floor, key: Key) -> None:
    devices.end_cooldown(floor, key.id, key.device)


def _hours(floor: Floor, key: Key) -> None:
    devices.hours_due(floor, floor.agents[key.id], key.device)


def _shift(floor: Floor, key: Key) -> None:
    reload.shift(floor, floor.queues[key.id])


def _nobody(floor: Floor, key: Key) -> None:
    """No agent was present for `nobody_after` seconds: route the queue's callers by its rule."""
    floor.unstaffed_queues[key.id] = floor.queues[key.id]


def _clearing(floor: Floor, key: Key) -> None:
    floor.clearing.pop((key.id, key.device), None)
    for agent in floor.owners.get((key.id, key.device), ()):
        floor.mark_changed(agent)


def _unseen(floor: Floor, key: Key) -> None:
    endpoint_reports.no_longer_seen(floor, key.id)


def _minute(floor: Floor, _key: Key) -> None:
    clock_changes.minute(floor)


def _day(floor: Floor, _key: Key) -> None:
    clock_changes.new_day(floor)


OTHERS: Mapping[Timer, Callable[[Floor, Key], None]] = {
    Timer.WRAP_UP: _wrap_up,
    Timer.PAUSE: _pause,
    Timer.COOLDOWN: _cooldown,
    Timer.HOURS: _hours,
    Timer.SHIFT: _shift,
    Timer.NOBODY: _nobody,
    Timer.CLEARING: _clearing,
    Timer.UNSEEN: _unseen,
    Timer.MINUTE: _minute,
    Timer.DAY: _day,
}
