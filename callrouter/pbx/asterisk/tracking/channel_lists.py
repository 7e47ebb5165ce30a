"""Resyncs the mirror with an Asterisk from two lists. No I/O.

`Status` with `Variables` lists every channel with the variables that make the channel its own
record. `DeviceStateList` lists the state of every phone.

A list is a picture of the past. It was written while events went on arriving, so it may contradict
what the mirror has learned since. The rule that makes a resync safe: whatever an event or a command
has touched since the lists were requested is in `Mirror.moved`, and its row is ignored. Everything
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
from callrouter.pbx.asterisk.tracking.channels import Caller, Far, Fork, LegChannel, Where
from callrouter.pbx.asterisk.tracking.tracker import Mirror

STATUS = {
    "Action": "Status",
    "Variables": ",".join(
        (*contract.CALL_VARIABLES, *contract.LEG_VARIABLES, contract.ASTERISKS_TIME)
    ),
}
DEVICES = {"Action": "DeviceStateList"}

Known: TypeAlias = tuple[str, str, str]
"""Kind, name and state of something in the mirror."""

_STATES = {
    "waiting": Where.WAITING,
    "connecting": Where.CONNECTING,
    "released": Where.RELEASED,
}


@dataclass(frozen=True, slots=True)
class Row:
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
    def where(self) -> Where | None:
        """Where the channel says its caller is; None if outside our part of the dialplan."""
        if self.message.get("Context") not in contract.OURS:
            return None
        return _STATES.get(self.own.get("STATE", ""))


def row(message: AmiMessage) -> Row:
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
    return Row(message, own)


def take_in(
    mirror: Mirror,
    channels: Iterable[AmiMessage],
    devices: Iterable[AmiMessage],
    unlisted: Mapping[str, str],
    *,
    anew: bool,
) -> None:
    """Make the mirror agree with the lists.

    The order matters. Channels that have gone are dropped first, so that their ids are not matched.
    Legs come before callers, because a caller is connected to the leg in the same bridge. Phones
    come last, since a channel is foreign only if it is not a leg.

    Args:
        mirror: what is known. Channels in its `moved` are newer than the lists.
        channels: events of `Status`.
        devices: events of `DeviceStateList`.
        unlisted: device states that were queried one by one.
        anew: whether events were missed, as after a gap. Otherwise the mirror has handled every
            event until now, and only drift is corrected.
    """
    rows = {found.uid: found for found in map(row, channels) if not contract.dead(found.channel)}
    known_legs = frozenset(mirror.legs)
    _drop_gone(mirror, rows, anew=anew)
    for found in islice(rows.values(), 1):
        mirror.heard_time(found.own.get("NOW", ""))
    known_callers = frozenset(mirror.callers)
    if anew:  # except for channels of which only their existence is known
        kept = mirror.callers.keys() & mirror.unreadable
        mirror.callers = {uid: mirror.callers[uid] for uid in mirror.callers if uid in kept}
    _legs(mirror, rows, known_legs)
    _ways(mirror, rows)
    _callers(mirror, rows, known_callers, anew=anew)
    foreign = {
        uid: found.channel
        for uid, found in rows.items()
        if uid not in mirror.legs and not _on_our_way(mirror, uid, found.channel)
    }
    states = {message.get("Device"): message.get("State") for message in devices}
    ages = {uid: seconds(rows[uid].message.get("Seconds")) or 0.0 for uid in foreign}
    mirror.phones.take_in({**unlisted, **states}, foreign, mirror.moved, ages)


def snapshot(mirror: Mirror) -> PbxSnapshot:
    """The mirror's state as a snapshot for the core."""
    calls = []
    for caller in mirror.callers.values():
        talks = caller.where in {Where.TALKING, Where.RELEASED}
        offer = caller.offer if talks else ""
        replaced = caller.replaced
        calls.append(SeenCall(arrived=caller.arrived, talking_to=offer, replaced=replaced))
    seen: dict[tuple[str, str], SeenLeg] = {}
    for leg in mirror.legs.values():
        one = (leg.offer, leg.device)
        seen[one] = _seen(leg, seen.get(one))
    phones = mirror.phones.all()
    return PbxSnapshot(
        pbx=mirror.pbx,
        calls=tuple(calls),
        legs=tuple(seen.values()),
        endpoints=phones,
        in_use={
            endpoint: mirror.phones.private(endpoint)
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


def known(mirror: Mirror) -> set[Known]:
    """The contents of the mirror, for finding out what a resync has changed."""
    return {
        *(("call", mirror.call_id(uid), "") for uid in mirror.callers),
        *(("leg", uid, "") for uid in mirror.legs),
        *(("phone", name, state.value) for name, state in mirror.phones.all().items()),
    }


def _drop_gone(mirror: Mirror, rows: Mapping[str, Row], *, anew: bool) -> None:
    """Drop what no longer exists.

    A leg without a channel may have been ordered a moment ago, so it is dropped only after a gap.
    """
    for leg in list(mirror.legs.values()):
        settled = leg.channel and leg.gone is None
        if leg.uid not in rows and leg.uid not in mirror.moved and (settled or anew):
            mirror.forget(leg)
    for caller in list(mirror.callers.values()):
        if caller.uid in mirror.moved:
            continue
        found = rows.get(caller.uid)
        if found is None:
            del mirror.callers[caller.uid]
        elif found.where is None and not found.bridge:
            mirror.gone_elsewhere(caller)


def _legs(mirror: Mirror, rows: Mapping[str, Row], known: frozenset[str]) -> None:
    callers = {found.bridge for found in rows.values() if found.where is not None}
    for uid, found in rows.items():
        offer, device = found.own.get("OFFER", ""), found.own.get("DEVICE", "")
        if uid in mirror.moved:
            continue
        if not offer or not device or found.where is not None:
            continue
        if uid not in mirror.legs and not _begins(found, rows):
            continue
        if uid in mirror.legs or _ours(found, uid in known, callers):
            leg = mirror.legs.get(uid) or _adopted(mirror, LegChannel(uid, offer, device))
            mirror.legs[uid] = leg
            leg.route = leg.route or found.channel.startswith(actions.ROUTE)
            leg.agent, leg.call = found.own.get("FOR_AGENT", ""), found.own.get("FOR_CALL", "")
            leg.channel = found.message.get("Channel")
            state = found.message.get("ChannelStateDesc")
            leg.rang, leg.up = leg.rang or state == "Ringing", state == "Up"
            leg.accepted = bool(found.own.get("ACCEPTED")) or _off_hook(found)
            leg.bridge = found.bridge


def _ways(mirror: Mirror, rows: Mapping[str, Row]) -> None:
    """Find the channels on the routes of legs through the dialplan."""
    mirror.far = {uid: far for uid, far in mirror.far.items() if uid in rows or uid in mirror.moved}
    for uid, found in rows.items():
        offer, device = found.own.get("OFFER", ""), found.own.get("DEVICE", "")
        if not offer or uid in mirror.legs or uid in mirror.moved or found.where is not None:
            continue
        leg = mirror.leg(offer, device)
        if leg is not None and leg.route:
            mirror.far[uid] = Far(leg, found.channel, found.bridge)


def _begins(found: Row, rows: Mapping[str, Row]) -> bool:
    """Whether a channel with a leg's variables is the leg itself.

    The channels on a leg's route through the dialplan inherit its variables. One of them can be the
    leg only if the channel that we placed has gone: optimised away, or picked up by a colleague.
    """
    if found.uid.startswith(contract.LEG):
        return not contract.far_half(found.uid)
    return contract.leg_id(found.own.get("OFFER", ""), found.own.get("DEVICE", "")) not in rows


def _adopted(mirror: Mirror, leg: LegChannel) -> LegChannel:
    """Adopt a leg of an earlier run.

    It may be one of several channels for phones at one endpoint.
    """
    other = mirror.leg(leg.offer, leg.device)
    if other is not None:
        if other.fork is None:
            Fork().add(other)
        if other.fork is not None:
            other.fork.add(leg)
    return leg


def _on_our_way(mirror: Mirror, uid: str, channel: str) -> bool:
    """Whether a channel is an agent's phone that one of our legs rings through the dialplan."""
    far = mirror.far.get(uid)
    return far is not None and contract.endpoint_of(channel) in mirror.own_phones(far.leg.agent)


def _off_hook(found: Row) -> bool:
    """Whether a desk phone was picked up.

    Its leg is in the dialplan only after that, and accepting needs nothing more.
    """
    message = found.message
    return message.get("Context") == contract.OFFER and message.get("Exten") == contract.DESK


def _ours(found: Row, known: bool, callers: set[str]) -> bool:
    """Whether a leg from an earlier run still belongs to one of our calls.

    The agent may have used it for something else since, such as a transfer or a conference. In that
    case it is a private call, which we must not end.
    """
    if known or found.message.get("ChannelStateDesc") != "Up":
        return True
    return (
        found.bridge in callers if found.bridge else found.message.get("Context") == contract.OFFER
    )


def _callers(mirror: Mirror, rows: Mapping[str, Row], known: frozenset[str], *, anew: bool) -> None:
    by_bridge = {leg.bridge: leg for leg in mirror.legs.values() if leg.bridge}
    for uid, found in rows.items():
        where = found.where
        if where is None or uid in mirror.legs or uid in mirror.moved:
            continue
        known_as = mirror.callers.get(uid)
        if known_as is not None:
            _back(known_as, found)
            continue
        partner = by_bridge.get(found.bridge)
        if partner is not None:
            _caller(mirror, found, Where.TALKING, partner)
        elif found.bridge:
            continue  # transferred by an agent, and connected to another party now
        elif where is Where.WAITING or (anew and (where is Where.CONNECTING or uid in known)):
            before = mirror.call_id(uid) if uid in known else ""
            _caller(mirror, found, where, None)
            _passed_on(mirror, mirror.callers[uid], before)


def _back(caller: Caller, found: Row) -> None:
    """Put a caller back in the queue who counted as connected but is waiting."""
    talks = caller.where in {Where.TALKING, Where.RELEASED}
    if talks and found.where is Where.WAITING and not found.bridge:
        caller.where, caller.leg, caller.bridge = Where.WAITING, "", ""


def _caller(mirror: Mirror, found: Row, where: Where, partner: LegChannel | None) -> None:
    uid, own = found.uid, found.own
    known_as = own.get("CALL", "").partition(" ")[0]
    replaced = False
    if known_as.startswith(f"{mirror.pbx}-") and where is Where.WAITING:
        replaced = mirror.ids.channel(known_as) != uid
        mirror.ids.takes_over(uid, known_as)
    read = partial(_of_call, own)
    event = arrival(mirror.pbx, mirror.call_id(uid), found.message, read, mirror.clock)
    caller = mirror.callers[uid] = Caller(
        uid,
        contract.extension(event.queue),
        event,
        where,
        bridge=found.bridge,
        channel=found.channel,
    )
    caller.taken = caller.logged = bool(own.get("CALL"))
    caller.replaced = replaced
    if where is not Where.WAITING:
        caller.leg = partner.uid if partner is not None else own.get("LEG", "")
        caller.offer = contract.offer_of(caller.leg)
        leg = mirror.legs.get(caller.leg)
        if leg is not None:
            leg.caller, caller.offer = uid, leg.offer


def _passed_on(mirror: Mirror, caller: Caller, before: str) -> None:
    """A channel that was a call of its own `before` has the place of another: an attended transfer ended that call."""
    if before and caller.replaced and caller.arrived.call != before:
        to = f"{caller.queue}@{contract.ENTRY}"
        mirror.sink.post(CallerTransferred(call=before, kind=TransferKind.ATTENDED, to=to))


def _of_call(own: Mapping[str, str], key: str) -> str:
    return own.get(key.upper(), "")
