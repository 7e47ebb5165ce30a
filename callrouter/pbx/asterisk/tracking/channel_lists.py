"""Makes the tracker agree with two lists of Asterisk's. No I/O.

`Status` with `Variables` lists every channel with the variables that make the channel its own
record. `DeviceStateList` lists the state of every phone.

Why comparing is safe: a list is a picture of the past. It was written while events went on
arriving, so it may contradict what the tracker has learned since. But whatever an event or a
command has touched since the lists were requested is in `Tracker.touched`, and its row is ignored.
Everything else has not changed since then, so its row is right. A change that neither an event nor
a command explains is drift, and the list wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, NamedTuple

from callrouter.model.events import DeviceState, PbxSnapshot, SeenCall, SeenLeg, SeenOutside
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.tracking.arrival import arrival, epoch_seconds
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    FoundLeg,
    LegChannel,
    RouteChannel,
)
from callrouter.pbx.asterisk.tracking.tracker import Tracker

LIST_CHANNELS: Final = {
    "Action": "Status",
    "Variables": ",".join(
        (*contract.CALL_VARIABLES, *contract.LEG_VARIABLES, contract.ASTERISKS_TIME)
    ),
}
LIST_DEVICES: Final = {"Action": "DeviceStateList"}

_STATES: Final = {
    "waiting": CallerState.WAITING,
    "connecting": CallerState.CONNECTING,
    "released": CallerState.RELEASED,
}


class TrackedItem(NamedTuple):
    """Something in the tracker: a call, a leg or a phone.

    Attributes:
        kind: ``call``, ``leg`` or ``phone``.
        name: the call's id, the leg's uniqueid or the phone's endpoint.
        state: the state of a phone; "" for others, which are there or not.
    """

    kind: str
    name: str
    state: str


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel as `Status` lists it.

    Attributes:
        message: the row.
        own: its CALLROUTER variables, by name without the prefix.
    """

    message: AmiMessage
    own: Mapping[str, str]

    @property
    def uid(self) -> str:
        """The channel's id."""
        return self.message.get("Uniqueid")

    @property
    def channel(self) -> str:
        """The channel's name."""
        return self.message.get("Channel")

    @property
    def bridge(self) -> str:
        """The bridge it is in, or ""."""
        return self.message.get("BridgeID")

    @property
    def caller_state(self) -> CallerState | None:
        """Where the channel says its caller is; None if outside our part of the dialplan."""
        if self.message.get("Context") not in contract.OURS:
            return None
        return _STATES.get(self.own.get("STATE", ""))

    @property
    def is_outside(self) -> bool:
        """Whether the channel is a caller's who is with a number outside."""
        here = self.message.get("Context") == contract.OUTSIDE
        return here and self.own.get("STATE") == "outside"


def _seen_outside(tracker: Tracker, row: ChannelRow) -> SeenOutside:
    """A caller who is with a number outside. The call's id is that of when they were in a queue."""
    carried = row.own.get("CALL", "").partition(" ")[0]
    call = carried if carried.startswith(f"{tracker.pbx}-") else tracker.call_id(row.uid)
    return SeenOutside(call=call, agent=row.own.get("GIVER", ""), number=row.own.get("OUTSIDE", ""))


def channel_row(message: AmiMessage) -> ChannelRow:
    """Parse a `Status` event.

    Besides the variables, `own` has ``NOW`` (Asterisk's time), and the two stamps that the router
    wrote, ``SINCE`` and ``QUEUEDSINCE``; each is "" if it is not there.
    """
    own = {}
    for line in message.all("Variable"):
        name, _, value = line.partition("=")
        if value != "(null)":  # Asterisk's text for a variable that is not set
            key = "NOW" if name == contract.ASTERISKS_TIME else name.removeprefix("CALLROUTER_")
            own[key] = value
    _, *stamps = own.get("CALL", "").split(" ")
    own["SINCE"] = stamps[0] if stamps else ""
    own["QUEUEDSINCE"] = stamps[-1] if stamps else ""
    return ChannelRow(message, own)


def apply_lists(
    tracker: Tracker,
    channels: Iterable[AmiMessage],
    devices: Iterable[AmiMessage],
    unlisted: Mapping[str, str],
    *,
    after_gap: bool,
) -> None:
    """Make the tracker agree with the lists.

    The order matters. Channels that have gone are dropped first, so that their ids are not matched.
    Legs come before callers, because a caller is connected to the leg in the same bridge. Phones
    come last, since a channel is foreign only if it is not a leg.

    Args:
        tracker: what is known. Channels in its `touched` are newer than the lists.
        channels: events of `Status`.
        devices: events of `DeviceStateList`.
        unlisted: device states that were queried one by one.
        after_gap: whether events were missed. Otherwise the tracker has handled every event until
            now, and only drift is corrected.
    """
    found = map(channel_row, channels)
    rows = {row.uid: row for row in found if not contract.is_dead_shell(row.channel)}
    legs_before = frozenset(tracker.legs)
    _drop_gone(tracker, rows, after_gap=after_gap)
    for row in islice(rows.values(), 1):
        tracker.measure_clock(row.own.get("NOW", ""))
    callers_before = frozenset(tracker.callers)
    if after_gap:  # except for channels of which only their existence is known
        for uid in tracker.callers.keys() - tracker.unreadable:
            tracker.caller_tracker.forget_caller(uid)
    _find_legs(tracker, rows, legs_before)
    _find_routes(tracker, rows)
    _find_callers(tracker, rows, callers_before, after_gap=after_gap)
    tracker.caller_tracker.found_outside(
        {uid: _seen_outside(tracker, row) for uid, row in rows.items() if row.is_outside}
    )
    foreign = {
        uid: row.channel
        for uid, row in rows.items()
        if uid not in tracker.legs and not _rings_for_us(tracker, uid, row.channel)
    }
    states = {message.get("Device"): message.get("State") for message in devices}
    ages = {uid: epoch_seconds(rows[uid].message.get("Seconds")) or 0.0 for uid in foreign}
    tracker.phones.apply_lists({**unlisted, **states}, foreign, tracker.touched, ages)


def snapshot(tracker: Tracker, *, cannot_dial: str = "not asked") -> PbxSnapshot:
    """The tracker's state as a snapshot for the core.

    The states of all phones count as reported from now on, because the snapshot contains them.

    Args:
        tracker: what is known.
        cannot_dial: why no caller can be connected with a number outside; empty: they can.
    """
    calls = []
    for caller in tracker.callers.values():
        connected = caller.state in {CallerState.TALKING, CallerState.RELEASED}
        offer = caller.offer if connected else ""
        seen_call = SeenCall(arrived=caller.arrived, talking_to=offer, replaced=caller.replaced)
        calls.append(seen_call)
    seen: dict[tuple[str, str], SeenLeg] = {}
    for leg in tracker.legs.values():
        one = (leg.offer, leg.device)
        seen[one] = _seen_leg(leg, seen.get(one))
    phones = tracker.phones.report_all()
    return PbxSnapshot(
        pbx=tracker.pbx,
        calls=tuple(calls),
        legs=tuple(seen.values()),
        cannot_dial=cannot_dial,
        outside=tuple(tracker.outside.values()),
        endpoints=phones,
        in_use={
            endpoint: tracker.phones.oldest_foreign_channel(endpoint)
            for endpoint, state in phones.items()
            if state is DeviceState.IN_USE
        },
    )


def _seen_leg(leg: LegChannel, other: SeenLeg | None) -> SeenLeg:
    """A leg for the core. Several phones at one endpoint count as one leg."""
    return SeenLeg(
        offer=leg.offer,
        device=leg.device,
        agent=leg.agent,
        call=leg.call,
        rang=leg.rang or leg.up or (other is not None and other.rang),
        answered=leg.up or (other is not None and other.answered),
        accepted=leg.accepted or (other is not None and other.accepted),
        bridged=bool(leg.bridge) or (other is not None and other.bridged),
    )


def tracked_items(tracker: Tracker) -> set[TrackedItem]:
    """The contents of the tracker, for finding out what a resync has changed."""
    return {
        *(TrackedItem("call", tracker.call_id(uid), "") for uid in tracker.callers),
        *(TrackedItem("leg", uid, "") for uid in tracker.legs),
        *(
            TrackedItem("phone", name, state.value)
            for name, state in tracker.phones.report_all().items()
        ),
    }


def _drop_gone(tracker: Tracker, rows: Mapping[str, ChannelRow], *, after_gap: bool) -> None:
    """Drop what no longer exists.

    A leg without a channel may have been ordered a moment ago, so it is dropped only after a gap.
    """
    for leg in list(tracker.legs.values()):
        settled = leg.channel and leg.hangup is None
        if leg.uid not in rows and leg.uid not in tracker.touched and (settled or after_gap):
            tracker.leg_tracker.forget(leg)
    for caller in list(tracker.callers.values()):
        if caller.uid in tracker.touched:
            continue
        row = rows.get(caller.uid)
        if row is None:
            tracker.caller_tracker.forget_caller(caller.uid)
        elif row.caller_state is None and not row.bridge:
            tracker.caller_tracker.moved_away(caller)


# ---------------------------------------------------------------- legs and their routes


def _find_legs(tracker: Tracker, rows: Mapping[str, ChannelRow], before: frozenset[str]) -> None:
    caller_bridges = {row.bridge for row in rows.values() if row.caller_state is not None}
    for uid, row in rows.items():
        offer, device = row.own.get("OFFER", ""), row.own.get("DEVICE", "")
        if uid in tracker.touched:
            continue
        if not offer or not device or row.caller_state is not None:
            continue
        if uid not in tracker.legs and not _is_leg_itself(row, rows):
            continue
        if uid in tracker.legs or _is_still_ours(row, uid in before, caller_bridges):
            tracker.leg_tracker.found_in_list(_found_leg(tracker, row, offer, device))


def _found_leg(tracker: Tracker, row: ChannelRow, offer: str, device: str) -> FoundLeg:
    state = row.message.get("ChannelStateDesc")
    return FoundLeg(
        uid=row.uid,
        offer=offer,
        device=device,
        agent=row.own.get("FOR_AGENT", ""),
        call=row.own.get("FOR_CALL", ""),
        channel=row.channel,
        route=row.channel.startswith(contract.ROUTE),
        rings=state == "Ringing",
        up=state == "Up",
        accepted=bool(row.own.get("ACCEPTED")) or _is_off_hook(row),
        bridge=row.bridge,
    )


def _find_routes(tracker: Tracker, rows: Mapping[str, ChannelRow]) -> None:
    """Find the channels on the routes of legs through the dialplan."""
    known = tracker.routes.items()
    routes = {uid: route for uid, route in known if uid in rows or uid in tracker.touched}
    for uid, row in rows.items():
        offer, device = row.own.get("OFFER", ""), row.own.get("DEVICE", "")
        touched = uid in tracker.legs or uid in tracker.touched
        if not offer or touched or row.caller_state is not None:
            continue
        leg = tracker.leg_tracker.find(offer, device)
        if leg is not None and leg.route:
            routes[uid] = RouteChannel(leg, row.channel, row.bridge)
    tracker.leg_tracker.replace_routes(routes)


def _is_leg_itself(row: ChannelRow, rows: Mapping[str, ChannelRow]) -> bool:
    """Whether a channel with a leg's variables is the leg itself.

    The channels on a leg's route through the dialplan inherit its variables. One of them can be the
    leg only if the channel that we placed has gone: optimised away, or picked up by a colleague.
    """
    if row.uid.startswith(contract.LEG):
        return not contract.is_far_half(row.uid)
    return contract.leg_id(row.own.get("OFFER", ""), row.own.get("DEVICE", "")) not in rows


def _rings_for_us(tracker: Tracker, uid: str, channel: str) -> bool:
    """Whether a channel is an agent's phone that one of our legs rings through the dialplan."""
    route = tracker.routes.get(uid)
    if route is None:
        return False
    return contract.endpoint_of(channel) in tracker.leg_tracker.own_phones(route.leg.agent)


def _is_off_hook(row: ChannelRow) -> bool:
    """Whether a desk phone was picked up.

    Its leg is in the dialplan only after that, and accepting needs nothing more.
    """
    message = row.message
    return message.get("Context") == contract.OFFER and message.get("Exten") == contract.DESK


def _is_still_ours(row: ChannelRow, known: bool, caller_bridges: set[str]) -> bool:
    """Whether a leg from an earlier run still belongs to one of our calls.

    The agent may have used it for something else since, such as a transfer or a conference. In that
    case it is a private call, which we must not end.
    """
    if known or row.message.get("ChannelStateDesc") != "Up":
        return True
    if row.bridge:
        return row.bridge in caller_bridges
    return row.message.get("Context") == contract.OFFER


# ---------------------------------------------------------------- callers


def _find_callers(
    tracker: Tracker, rows: Mapping[str, ChannelRow], before: frozenset[str], *, after_gap: bool
) -> None:
    by_bridge = {leg.bridge: leg for leg in tracker.legs.values() if leg.bridge}
    for uid, row in rows.items():
        state = row.caller_state
        if state is None or uid in tracker.legs or uid in tracker.touched:
            continue
        known = tracker.callers.get(uid)
        if known is not None:
            _compare_caller(tracker, known, row)
            continue
        partner = by_bridge.get(row.bridge)
        if partner is not None:
            _adopt_caller(tracker, row, CallerState.TALKING, partner)
        elif row.bridge:
            continue  # transferred by an agent, and connected to another party now
        elif state is CallerState.WAITING:
            _adopt_waiting_caller(tracker, row, was_known=uid in before)
        elif after_gap and (state is CallerState.CONNECTING or uid in before):
            _adopt_caller(tracker, row, state, None)


def _compare_caller(tracker: Tracker, caller: CallerChannel, row: ChannelRow) -> None:
    """Put a caller back in the queue who counted as connected but is waiting."""
    connected = caller.state in {CallerState.TALKING, CallerState.RELEASED}
    if connected and row.caller_state is CallerState.WAITING and not row.bridge:
        tracker.caller_tracker.back_in_queue(caller)


def _adopt_waiting_caller(tracker: Tracker, row: ChannelRow, *, was_known: bool) -> None:
    """Adopt a caller who waits, perhaps in the place of another channel.

    The channel may have carried a call of its own until now. An attended transfer has ended that.
    """
    before = tracker.call_id(row.uid) if was_known else ""
    caller = _adopt_caller(tracker, row, CallerState.WAITING, None)
    if before and caller.replaced and caller.arrived.call != before:
        tracker.caller_tracker.transferred_here(caller, before)


def _adopt_caller(
    tracker: Tracker, row: ChannelRow, state: CallerState, partner: LegChannel | None
) -> CallerChannel:
    uid, own = row.uid, row.own
    carried = own.get("CALL", "").partition(" ")[0]
    replaced = False
    if carried.startswith(f"{tracker.pbx}-") and state is CallerState.WAITING:
        replaced = tracker.caller_tracker.carries_call(uid, carried)
    read = partial(_value_of, own)
    event = arrival(tracker.pbx, tracker.call_id(uid), row.message, read, tracker.clock)
    leg = offer = ""
    if state is not CallerState.WAITING:
        leg = partner.uid if partner is not None else own.get("LEG", "")
        known = tracker.legs.get(leg)
        offer = contract.offer_of(leg) if known is None else known.offer
    caller = CallerChannel(
        uid=uid,
        queue=contract.extension(event.queue),
        arrived=event,
        state=state,
        leg=leg,
        offer=offer,
        bridge=row.bridge,
        channel=row.channel,
        acknowledged=bool(own.get("CALL")),
        logged=bool(own.get("CALL")),
        replaced=replaced,
    )
    tracker.caller_tracker.adopt_caller(caller)
    return caller


def _value_of(own: Mapping[str, str], key: str) -> str:
    return own.get(key.upper(), "")
