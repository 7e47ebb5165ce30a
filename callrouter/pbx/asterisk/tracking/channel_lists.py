"""Resyncs the tracker with an Asterisk from two lists. No I/O.

`Status` with `Variables` lists every channel with the variables that make the channel its own
record. `DeviceStateList` lists the state of every phone.

A list is a picture of the past. It was written while events went on arriving, so it may contradict
what the tracker has learned since. The rule that makes a resync safe: whatever an event or a command
has touched since the lists were requested is in `Tracker.moved`, and its row is ignored. Everything
else has not changed since then, so its row is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeAlias

from callrouter.model.events import (
    CallerTransferred,
    DeviceState,
    PbxSnapshot,
    SeenCall,
    SeenLeg,
    TransferKind,
)
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiMessage
from callrouter.pbx.asterisk.entry_time import seconds
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.tracking.arrival import arrival
from callrouter.pbx.asterisk.tracking.channels import (
    CallerChannel,
    CallerState,
    ContactFork,
    LegChannel,
    RouteChannel,
)
from callrouter.pbx.asterisk.tracking.tracker import Tracker

STATUS = {
    "Action": "Status",
    "Variables": ",".join(
        (*contract.CALL_VARIABLES, *contract.LEG_VARIABLES, contract.ASTERISKS_TIME)
    ),
}
DEVICES = {"Action": "DeviceStateList"}

TrackedItem: TypeAlias = tuple[str, str, str]
"""Kind, name and state of something in the tracker."""

_STATES = {
    "waiting": CallerState.WAITING,
    "connecting": CallerState.CONNECTING,
    "released": CallerState.RELEASED,
}


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One channel as `Status` lists it."""

    message: AmiMessage
    own: Mapping[str, str]
    """Its CALLROUTER variables, by name without the prefix."""

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
    def where(self) -> CallerState | None:
        """Where the channel says its caller is; None if outside our part of the dialplan."""
        if self.message.get("Context") not in contract.OURS:
            return None
        return _STATES.get(self.own.get("STATE", ""))


def row(message: AmiMessage) -> ChannelRow:
    """Parse a `Status` event."""
    own = {}
    for line in message.all("Variable"):
        name, _, value = line.partition("=")
        if value != "(null)":  # Asterisk's text for a variable that is not set
            own["NOW" if name == contract.ASTERISKS_TIME else name.removeprefix("CALLROUTER_")] = (
                value
            )
    _, *stamps = own.get("CALL", "").split(" ")
    own["SINCE"] = stamps[0] if stamps else ""
    own["QUEUEDSINCE"] = stamps[-1] if stamps else ""
    return ChannelRow(message, own)


def take_in(
    tracker: Tracker,
    channels: Iterable[AmiMessage],
    devices: Iterable[AmiMessage],
    unlisted: Mapping[str, str],
    *,
    anew: bool,
) -> None:
    """Make the tracker agree with the lists.

    The order matters. Channels that have gone are dropped first, so that their ids are not matched.
    Legs come before callers, because a caller is connected to the leg in the same bridge. Phones
    come last, since a channel is foreign only if it is not a leg.

    Args:
        tracker: what is known. Channels in its `moved` are newer than the lists.
        channels: events of `Status`.
        devices: events of `DeviceStateList`.
        unlisted: device states that were queried one by one.
        anew: whether events were missed, as after a gap. Otherwise the tracker has handled every
            event until now, and only drift is corrected.
    """
    rows = {
        found.uid: found
        for found in map(row, channels)
        if not contract.is_dead_shell(found.channel)
    }
    known_legs = frozenset(tracker.legs)
    _drop_gone(tracker, rows, anew=anew)
    for found in islice(rows.values(), 1):
        tracker.heard_time(found.own.get("NOW", ""))
    known_callers = frozenset(tracker.callers)
    if anew:  # except for channels of which only their existence is known
        kept = tracker.callers.keys() & tracker.unreadable
        tracker.callers = {uid: tracker.callers[uid] for uid in tracker.callers if uid in kept}
    _legs(tracker, rows, known_legs)
    _ways(tracker, rows)
    _callers(tracker, rows, known_callers, anew=anew)
    foreign = {
        uid: found.channel
        for uid, found in rows.items()
        if uid not in tracker.legs and not _on_our_way(tracker, uid, found.channel)
    }
    states = {message.get("Device"): message.get("State") for message in devices}
    ages = {uid: seconds(rows[uid].message.get("Seconds")) or 0.0 for uid in foreign}
    tracker.phones.take_in({**unlisted, **states}, foreign, tracker.moved, ages)


def snapshot(tracker: Tracker) -> PbxSnapshot:
    """The tracker's state as a snapshot for the core."""
    calls = []
    for caller in tracker.callers.values():
        talks = caller.where in {CallerState.TALKING, CallerState.RELEASED}
        offer = caller.offer if talks else ""
        replaced = caller.replaced
        calls.append(SeenCall(arrived=caller.arrived, talking_to=offer, replaced=replaced))
    seen: dict[tuple[str, str], SeenLeg] = {}
    for leg in tracker.legs.values():
        one = (leg.offer, leg.device)
        seen[one] = _seen(leg, seen.get(one))
    phones = tracker.phones.all()
    return PbxSnapshot(
        pbx=tracker.pbx,
        calls=tuple(calls),
        legs=tuple(seen.values()),
        endpoints=phones,
        in_use={
            endpoint: tracker.phones.private(endpoint)
            for endpoint, state in phones.items()
            if state is DeviceState.IN_USE
        },
    )


def _seen(leg: LegChannel, other: SeenLeg | None) -> SeenLeg:
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


def known(tracker: Tracker) -> set[TrackedItem]:
    """The contents of the tracker, for finding out what a resync has changed."""
    return {
        *(("call", tracker.call_id(uid), "") for uid in tracker.callers),
        *(("leg", uid, "") for uid in tracker.legs),
        *(("phone", name, state.value) for name, state in tracker.phones.all().items()),
    }


def _drop_gone(tracker: Tracker, rows: Mapping[str, ChannelRow], *, anew: bool) -> None:
    """Drop what no longer exists.

    A leg without a channel may have been ordered a moment ago, so it is dropped only after a gap.
    """
    for leg in list(tracker.legs.values()):
        settled = leg.channel and leg.gone is None
        if leg.uid not in rows and leg.uid not in tracker.moved and (settled or anew):
            tracker.forget(leg)
    for caller in list(tracker.callers.values()):
        if caller.uid in tracker.moved:
            continue
        found = rows.get(caller.uid)
        if found is None:
            del tracker.callers[caller.uid]
        elif found.where is None and not found.bridge:
            tracker.gone_elsewhere(caller)


def _legs(tracker: Tracker, rows: Mapping[str, ChannelRow], known: frozenset[str]) -> None:
    callers = {found.bridge for found in rows.values() if found.where is not None}
    for uid, found in rows.items():
        offer, device = found.own.get("OFFER", ""), found.own.get("DEVICE", "")
        if uid in tracker.moved:
            continue
        if not offer or not device or found.where is not None:
            continue
        if uid not in tracker.legs and not _begins(found, rows):
            continue
        if uid in tracker.legs or _ours(found, uid in known, callers):
            leg = tracker.legs.get(uid) or _adopted(tracker, LegChannel(uid, offer, device))
            tracker.legs[uid] = leg
            leg.route = leg.route or found.channel.startswith(actions.ROUTE)
            leg.agent, leg.call = found.own.get("FOR_AGENT", ""), found.own.get("FOR_CALL", "")
            leg.channel = found.message.get("Channel")
            state = found.message.get("ChannelStateDesc")
            leg.rang, leg.up = leg.rang or state == "Ringing", state == "Up"
            leg.accepted = bool(found.own.get("ACCEPTED")) or _off_hook(found)
            leg.bridge = found.bridge


def _ways(tracker: Tracker, rows: Mapping[str, ChannelRow]) -> None:
    """Find the channels on the routes of legs through the dialplan."""
    tracker.far = {
        uid: far for uid, far in tracker.far.items() if uid in rows or uid in tracker.moved
    }
    for uid, found in rows.items():
        offer, device = found.own.get("OFFER", ""), found.own.get("DEVICE", "")
        if not offer or uid in tracker.legs or uid in tracker.moved or found.where is not None:
            continue
        leg = tracker.leg(offer, device)
        if leg is not None and leg.route:
            tracker.far[uid] = RouteChannel(leg, found.channel, found.bridge)


def _begins(found: ChannelRow, rows: Mapping[str, ChannelRow]) -> bool:
    """Whether a channel with a leg's variables is the leg itself.

    The channels on a leg's route through the dialplan inherit its variables. One of them can be the
    leg only if the channel that we placed has gone: optimised away, or picked up by a colleague.
    """
    if found.uid.startswith(contract.LEG):
        return not contract.is_far_half(found.uid)
    return contract.leg_id(found.own.get("OFFER", ""), found.own.get("DEVICE", "")) not in rows


def _adopted(tracker: Tracker, leg: LegChannel) -> LegChannel:
    """Adopt a leg of an earlier run.

    It may be one of several channels for phones at one endpoint.
    """
    other = tracker.leg(leg.offer, leg.device)
    if other is not None:
        if other.fork is None:
            ContactFork().add(other)
        if other.fork is not None:
            other.fork.add(leg)
    return leg


def _on_our_way(tracker: Tracker, uid: str, channel: str) -> bool:
    """Whether a channel is an agent's phone that one of our legs rings through the dialplan."""
    far = tracker.far.get(uid)
    return far is not None and contract.endpoint_of(channel) in tracker.own_phones(far.leg.agent)


def _off_hook(found: ChannelRow) -> bool:
    """Whether a desk phone was picked up.

    Its leg is in the dialplan only after that, and accepting needs nothing more.
    """
    message = found.message
    return message.get("Context") == contract.OFFER and message.get("Exten") == contract.DESK


def _ours(found: ChannelRow, known: bool, callers: set[str]) -> bool:
    """Whether a leg from an earlier run still belongs to one of our calls.

    The agent may have used it for something else since, such as a transfer or a conference. In that
    case it is a private call, which we must not end.
    """
    if known or found.message.get("ChannelStateDesc") != "Up":
        return True
    return (
        found.bridge in callers if found.bridge else found.message.get("Context") == contract.OFFER
    )


def _callers(
    tracker: Tracker, rows: Mapping[str, ChannelRow], known: frozenset[str], *, anew: bool
) -> None:
    by_bridge = {leg.bridge: leg for leg in tracker.legs.values() if leg.bridge}
    for uid, found in rows.items():
        where = found.where
        if where is None or uid in tracker.legs or uid in tracker.moved:
            continue
        known_as = tracker.callers.get(uid)
        if known_as is not None:
            _back(known_as, found)
            continue
        partner = by_bridge.get(found.bridge)
        if partner is not None:
            _caller(tracker, found, CallerState.TALKING, partner)
        elif found.bridge:
            continue  # transferred by an agent, and connected to another party now
        elif where is CallerState.WAITING or (
            anew and (where is CallerState.CONNECTING or uid in known)
        ):
            before = tracker.call_id(uid) if uid in known else ""
            _caller(tracker, found, where, None)
            _passed_on(tracker, tracker.callers[uid], before)


def _back(caller: CallerChannel, found: ChannelRow) -> None:
    """Put a caller back in the queue who counted as connected but is waiting."""
    talks = caller.where in {CallerState.TALKING, CallerState.RELEASED}
    if talks and found.where is CallerState.WAITING and not found.bridge:
        caller.where, caller.leg, caller.bridge = CallerState.WAITING, "", ""


def _caller(
    tracker: Tracker, found: ChannelRow, where: CallerState, partner: LegChannel | None
) -> None:
    uid, own = found.uid, found.own
    known_as = own.get("CALL", "").partition(" ")[0]
    replaced = False
    if known_as.startswith(f"{tracker.pbx}-") and where is CallerState.WAITING:
        replaced = tracker.ids.channel(known_as) != uid
        tracker.ids.takes_over(uid, known_as)
    read = partial(_of_call, own)
    event = arrival(tracker.pbx, tracker.call_id(uid), found.message, read, tracker.clock)
    caller = tracker.callers[uid] = CallerChannel(
        uid,
        contract.extension(event.queue),
        event,
        where,
        bridge=found.bridge,
        channel=found.channel,
    )
    caller.taken = caller.logged = bool(own.get("CALL"))
    caller.replaced = replaced
    if where is not CallerState.WAITING:
        caller.leg = partner.uid if partner is not None else own.get("LEG", "")
        caller.offer = contract.offer_of(caller.leg)
        leg = tracker.legs.get(caller.leg)
        if leg is not None:
            leg.caller, caller.offer = uid, leg.offer


def _passed_on(tracker: Tracker, caller: CallerChannel, before: str) -> None:
    """A channel that was a call of its own `before` has the place of another: an attended transfer ended that call."""
    if before and caller.replaced and caller.arrived.call != before:
        to = f"{caller.queue}@{contract.ENTRY}"
        tracker.sink.post(CallerTransferred(call=before, kind=TransferKind.ATTENDED, to=to))


def _of_call(own: Mapping[str, str], key: str) -> str:
    return own.get(key.upper(), "")
