"""Builds an agent's phones: which PBX rings each, as what, and who may answer it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from callrouter.mobiles.number_policy import form_fault
from callrouter.model import endpoints
from callrouter.model.routing_table import ACCEPT_WITHIN, DeviceSpec
from callrouter.model.text import phrase, sentence_of
from callrouter.settings.builders.build_context import BuildContext, is_damaged
from callrouter.settings.builders.pbx_builder import address_fault, dials_numbers
from callrouter.settings.errors.problems import quoted
from callrouter.settings.loaded import AsteriskSettings, PbxSettings, TwilioSettings
from callrouter.settings.schema.agent_options import DeviceOptions
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.options import spec_values
from callrouter.settings.yaml.reader import Section
from callrouter.settings.yaml.source import KeyPath

_TWILIO_PHONE = re.compile(
    r"sip/[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9.-]+|client/[A-Za-z0-9][A-Za-z0-9._@+-]*"
)
_TWILIO_PHONES = phrase(
    "phones-of-twilio",
    "{sip}, {client} and numbers",
    sip="sip/USER@NAME.sip.twilio.com",
    client="client/NAME",
)
_SHORTEST_ASK, _LONGEST_ASK = 1.0, 300.0
"""Bounds of `accept_within`, in seconds."""


@dataclass(frozen=True, slots=True)
class _DeviceAddress:
    """What a device rings.

    Attributes:
        endpoint: Its endpoint in the canonical spelling; empty: it has a number.
        may_forward: Whether something other than the agent's phone may answer.
        addresses: Its endpoint on each PBX; empty: it has one for all.
        homes: As in `DeviceSpec`.
        forwarded_away: Whether that is so only through a PBX where it is not registered, while the
            one where it is registered can tell whether it is in use.
    """

    endpoint: str
    may_forward: bool
    addresses: dict[str, str] = field(default_factory=dict)
    homes: tuple[str, ...] = ()
    forwarded_away: bool = False


def build_device(
    agent: str, id_: str, written: str | DeviceOptions, context: BuildContext
) -> DeviceSpec | None:
    """Build a phone of an agent.

    Args:
        agent: The agent's id.
        id_: The phone's name.
        written: Its endpoint, or its options.
        context: Receives what is inconsistent.

    Returns:
        The phone; None: it is inconsistent, which has been reported.
    """
    device = (
        DeviceOptions.model_validate({"endpoint": written}) if isinstance(written, str) else written
    )
    path: KeyPath = ("agents", agent, "devices", id_)
    number = device.number or ""
    if not _one_address(path, device, context):
        return None
    if number and device.confirm is False:
        text = phrase(
            "confirm-false-not-allowed-for-outside",
            "confirm: false is not allowed for an outside number",
        )
        context.document.error(
            (*path, "confirm"),
            text,
            phrase("voicemail-would-take-calls", "a voicemail would take the calls"),
        )
        return None
    fault = form_fault(number) if number else ""
    if fault:
        text = phrase("number", "number {number}: {fault}", number=quoted(number), fault=fault)
        context.document.error(
            (*path, "number"), text, phrase("such-as-447700900123", "such as +447700900123")
        )
        return None
    pbxes = _rung_by(path, device, context)
    if not pbxes:
        return None
    states = _states(path, device, context)
    if states is None or not _fits_together(path, device, context):
        return None
    phone = _phone(path, device, pbxes, context)
    if phone is None:
        return None
    confirm = bool(number) or phone.may_forward if device.confirm is None else device.confirm
    values = spec_values(
        device,
        pbxes=pbxes,
        endpoint=phone.endpoint,
        confirm=confirm,
        accept_within=_accept_within(path, device, context, confirm=confirm),
        hours=context.hours({(*path, "hours"): device.hours}) if device.hours else None,
        states=states,
        all_contacts=device.contacts == "all",
        addresses=phone.addresses,
        homes=phone.homes,
        watch_answer=phone.forwarded_away and device.confirm is None,
    )
    return DeviceSpec(id=id_, agent=agent, **values)


def _one_address(path: KeyPath, device: DeviceOptions, context: BuildContext) -> bool:
    """Return whether a device has exactly one way of being rung; otherwise report an error.

    A key that was written with an invalid value has been reported already, and not as missing.
    """
    named = {"endpoint": device.endpoint, "dial": device.dial, "number": device.number}
    given = [f"'{key}'" for key, value in named.items() if value]
    if device.endpoint == {} and not is_damaged(context.document.written(*path, "endpoint")):
        hint = phrase(
            "such-as-north-pjsip-1001-south",
            'such as {{north: PJSIP/1001, south: "PJSIP/1001@north"}}',
        )
        context.document.error(
            (*path, "endpoint"), phrase("endpoint-names-no-pbx", "endpoint names no PBX"), hint
        )
        return False
    if len(given) == 1:
        return True
    at = context.document.written(*path)
    # One may be present but invalid: that has been reported already.
    if given or not (isinstance(at, Section) and at.at.keys() & named.keys()):
        text = (
            phrase("has", "{path} has {given}", path=path[-1], given=" and ".join(given))
            if given
            else phrase("has-no-phone-ring", "{path} has no phone to ring", path=path[-1])
        )
        hint = phrase(
            "give-exactly-one-endpoint-dial-number", "give exactly one of endpoint, dial and number"
        )
        context.document.error(path, text, hint, key=True)
    return False


def _accept_within(
    path: KeyPath, device: DeviceOptions, context: BuildContext, *, confirm: bool
) -> float:
    """Return how long to wait for key 1; a setting without effect or out of range is reported.

    The value is in seconds; `ACCEPT_WITHIN` if none is written. It is returned even if it was
    reported.
    """
    at = (*path, "accept_within")
    within = device.accept_within
    if within is None:
        return ACCEPT_WITHIN
    if not confirm:
        text = phrase(
            "accept-within-has-no-effect-this",
            "accept_within has no effect: this phone is not asked for key 1",
        )
        context.document.error(
            at,
            text,
            phrase("take-out-or-add-confirm-true", "take it out, or add confirm: true"),
            key=True,
        )
    elif not _SHORTEST_ASK <= within <= _LONGEST_ASK:
        text = phrase(
            "accept-within-must-be-from-1s",
            "accept_within must be from 1s to 5m, not {within}",
            within=format_duration(within),
        )
        context.document.error(
            at, text, phrase("key-1-asked-for-about-every", "key 1 is asked for about every 8 s")
        )
    return within


def _rung_by(path: KeyPath, device: DeviceOptions, context: BuildContext) -> tuple[str, ...]:
    """Return the PBXes that can ring a device. None can: an error, which is reported.

    An outside number may have several, any other phone has exactly one. The result is empty without
    a report if a PBX is invalid or a file was not read, since that leaves it open.
    """
    if isinstance(device.endpoint, dict):
        return _named_pbxes(path, device, device.endpoint, context)
    able = tuple(id_ for id_ in context.pbxes if _can_ring(id_, device, context))
    if device.pbx is not None:
        at = (*path, "pbx")
        if not context.check_name("pbx", device.pbx, at, "pbx"):
            return ()
        if device.pbx in context.pbxes and device.pbx not in able:
            _say_unable(context, at, context.pbxes[device.pbx], device)
            return ()
        return (device.pbx,)
    # With an invalid PBX or an unread file, this cannot be decided.
    document = context.document
    if set(context.pbxes) != document.names("pbx") or not document.knows_all_names("pbx"):
        return ()
    if device.number:
        if not able and context.pbxes:
            text = phrase("no-pbx-can-ring-outside-number", "no pbx can ring an outside number")
            context.document.error(
                path, text, phrase("give-one-dial-number", "give one a dial_number"), key=True
            )
        return able
    if not able and context.pbxes:
        text = phrase(
            "no-pbx-can-ring", "no pbx can ring {value}", value=str(device.endpoint or device.dial)
        )
        context.document.error(
            path,
            text,
            phrase("twilio-rings", "Twilio rings {phones}", phones=_TWILIO_PHONES),
            key=True,
        )
    if len(able) > 1:
        text = phrase(
            "needs-pbx-there-are",
            "{path} needs a 'pbx': there are {able_and}",
            path=path[-1],
            able_and=able,
        )
        key = "endpoint" if device.endpoint else "dial"
        hint = phrase(
            "such-as-pbx",
            "such as {{{key}: {value}, pbx: {able}}}",
            key=key,
            value=str(device.endpoint or device.dial),
            able=able[0],
        )
        context.document.error(path, text, hint, key=True)
        return ()
    return able


def _named_pbxes(
    path: KeyPath, device: DeviceOptions, addresses: dict[str, str], context: BuildContext
) -> tuple[str, ...]:
    """Return the PBXes on which a device has an address; empty: one is wrong, which is reported."""
    at = (*path, "endpoint")
    if device.pbx is not None:
        text = phrase(
            "pbx-has-no-effect-endpoint-names", "pbx has no effect: endpoint names the PBXes"
        )
        context.document.error((*path, "pbx"), text, phrase("take-out", "take it out"), key=True)
        return ()
    known = [
        context.check_name("pbx", pbx, (*at, pbx), "pbx", key=True) and pbx in context.pbxes
        for pbx in addresses
    ]
    return tuple(addresses) if all(known) else ()


def _can_ring(id_: str, device: DeviceOptions, context: BuildContext) -> bool:
    """Return whether a PBX can ring a device with one address.

    An address in Twilio's form needs Twilio, if configured.
    """
    pbx = context.pbxes[id_]
    if device.number:
        return dials_numbers(pbx)
    is_twilio_phone = _is_twilio_phone(device.endpoint)
    if isinstance(pbx, TwilioSettings):
        return is_twilio_phone and not device.dial
    others = any(isinstance(other, TwilioSettings) for other in context.pbxes.values())
    return not (is_twilio_phone and others) or device.pbx == id_


def _is_twilio_phone(endpoint: object) -> bool:
    return isinstance(endpoint, str) and _TWILIO_PHONE.fullmatch(endpoint) is not None


def _say_unable(
    context: BuildContext, at: KeyPath, pbx: PbxSettings, device: DeviceOptions
) -> None:
    if device.number:
        text = phrase(
            "pbx-cannot-ring-outside-number", "pbx {id} cannot ring an outside number", id=pbx.id
        )
        context.document.error(at, text, phrase("give-dial-number", "give it a dial_number"))
    else:
        text = phrase(
            "pbx-cannot-ring",
            "pbx {id} cannot ring {value}",
            id=pbx.id,
            value=str(device.endpoint or device.dial),
        )
        context.document.error(
            at,
            text,
            phrase("twilio-rings", "Twilio rings {phones}", phones=_TWILIO_PHONES),
        )


def _phone(
    path: KeyPath, device: DeviceOptions, pbxes: tuple[str, ...], context: BuildContext
) -> _DeviceAddress | None:
    """Return what a device rings; None: it is inconsistent, which has been reported.

    `pbxes` are those that ring it.
    """
    if not isinstance(device.endpoint, dict):
        at = (*path, "endpoint" if device.endpoint else "dial")
        written = device.endpoint or device.dial or ""
        return _address(_where(path, at, context), device, written, pbxes, context)
    found: dict[str, _DeviceAddress] = {}
    for pbx, written in device.endpoint.items():
        at = (*path, "endpoint", pbx)
        if isinstance(context.pbxes[pbx], TwilioSettings) and not _is_twilio_phone(written):
            text = phrase(
                "pbx-cannot-ring-written",
                "pbx {pbx} cannot ring {written}",
                pbx=pbx,
                written=written,
            )
            context.document.error(
                at,
                text,
                phrase("twilio-rings", "Twilio rings {phones}", phones=_TWILIO_PHONES),
            )
            return None
        one = _address(at, device, written, (pbx,), context)
        if one is None:
            return None
        found[pbx] = one
    addresses = {pbx: one.endpoint for pbx, one in found.items()}
    homes = endpoints.homes_of(addresses)
    at_home = any(found[pbx].may_forward for pbx in homes or found)
    away = any(one.may_forward for one in found.values())
    watched = any(_is(pbx, AsteriskSettings, context) for pbx in homes)
    return _DeviceAddress(
        addresses[(homes or tuple(found))[0]],
        # Twilio does not tell which of its phones are in use, so nothing can be watched there.
        may_forward=at_home or (away and any(_is(p, TwilioSettings, context) for p in homes)),
        addresses=addresses,
        homes=homes,
        forwarded_away=away and not at_home and watched,
    )


def _address(
    at: KeyPath, device: DeviceOptions, written: str, pbxes: tuple[str, ...], context: BuildContext
) -> _DeviceAddress | None:
    """Return what `pbxes` ring for an address; None: it is wrong, which has been reported.

    Twilio's addresses stay as written; those of an Asterisk get its spelling.
    """
    if not written or any(_is(pbx, TwilioSettings, context) for pbx in pbxes):
        return _DeviceAddress(written, may_forward=False)
    try:
        found = endpoints.read(written)
    except ValueError as fault:
        if written.startswith(("sip/", "client/")) and not any(
            _is(pbx, AsteriskSettings, context) for pbx in pbxes
        ):
            # The simulated PBX rings Twilio's phones too.
            return _DeviceAddress(written, may_forward=False)
        context.document.error(at, address_fault(written, sentence_of(fault)))
        return None
    if device.auto_answer and found.kind is endpoints.EndpointKind.ROUTE:
        text = phrase(
            "auto-answer-does-not-reach-phone",
            "auto_answer does not reach a phone behind {what}",
            what=found.text,
        )
        context.document.error(
            _auto_answer_at(at),
            text,
            phrase("give-its-endpoint-such-as-pjsip", "give its endpoint, such as PJSIP/1001"),
        )
        return None
    return _DeviceAddress(found.text, may_forward=found.may_forward)


def _auto_answer_at(at: KeyPath) -> KeyPath:
    """Return the place of `auto_answer` beside an address, which only a device's options have."""
    return (*at[: at.index("devices") + 2], "auto_answer")


def _is(pbx: str, kind: type, context: BuildContext) -> bool:
    return isinstance(context.pbxes.get(pbx), kind)


def _where(path: KeyPath, at: KeyPath, context: BuildContext) -> KeyPath:
    """Return the place of a device's address, which may be its only setting."""
    return at if context.document.written(*at) is not None else path


def _fits_together(path: KeyPath, device: DeviceOptions, context: BuildContext) -> bool:
    if device.number and device.state is not None:
        text = phrase(
            "state-says-nothing-outside-number", "state says nothing of an outside number"
        )
        context.document.error((*path, "state"), text, phrase("take-out", "take it out"))
        return False
    if device.auto_answer and (device.number or device.confirm):
        text = phrase(
            "auto-answer-cannot-go-with-key",
            "auto_answer cannot be combined with key 1: a phone that answers by itself presses no key",
        )
        context.document.error((*path, "auto_answer"), text, phrase("take-out", "take it out"))
        return False
    return True


def _states(path: KeyPath, device: DeviceOptions, context: BuildContext) -> tuple[str, ...] | None:
    written = [device.state] if isinstance(device.state, str) else device.state or []
    found: list[str] = []
    for place, text in enumerate(written):
        try:
            source = endpoints.state_source(text)
        except ValueError as fault:
            at = (*path, "state") if isinstance(device.state, str) else (*path, "state", place)
            context.document.error(at, address_fault(text, sentence_of(fault)))
            return None
        if source not in found:
            found.append(source)
    return tuple(found)
