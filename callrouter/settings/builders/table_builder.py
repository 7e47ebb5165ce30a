"""Builds the routing table from a document that fits the schema; resolves and checks names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from callrouter.mobiles.number_policy import form_fault
from callrouter.model.phone_numbers import Numbering
from callrouter.model.routing_table import (
    ACCEPT_WITHIN,
    AgentSpec,
    DeviceSpec,
    PauseEnd,
    PauseSpec,
    SignIn,
    Table,
)
from callrouter.model.text import listed
from callrouter.settings.builders.agent_extensions import build_extensions
from callrouter.settings.builders.build_context import BuildContext
from callrouter.settings.builders.device_endpoints import read_address
from callrouter.settings.builders.queue_builder import build_queue
from callrouter.settings.builders.renamed import check_renames
from callrouter.settings.builders.rule_builder import build_rules
from callrouter.settings.errors.problems import quoted
from callrouter.settings.loaded import AsteriskSettings, PbxSettings, TwilioSettings
from callrouter.settings.schema.agent_options import AgentOptions, DeviceOptions
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.number_parsing import at_home, numbering
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.reader import Section
from callrouter.settings.yaml.source import KeyPath

_TWILIO_PHONE = re.compile(
    r"sip/[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9.-]+|client/[A-Za-z0-9][A-Za-z0-9._@+-]*"
)
_TWILIO_PHONES = "sip/USER@NAME.sip.twilio.com, client/NAME and numbers"


def build_table(root: RootOptions, context: BuildContext) -> Table:
    """Build the routing table; inconsistencies are reported to the document."""
    extensions = build_extensions(root, context.document)
    agents = {
        id_: _agent(id_, agent, extensions.get(id_, ""), context)
        for id_, agent in root.agents.items()
        if agent.enabled
    }
    queues = {id_: build_queue(id_, queue, agents, context) for id_, queue in root.queues.items()}
    for section, written in (("agents", root.agents), ("queues", root.queues)):
        former = {id_: one.renamed_from for id_, one in written.items() if one.renamed_from}
        check_renames(section, former, context.document)
    home = numbering((root.numbers.region if root.numbers is not None else None) or "")
    with at_home(home.region):
        rules = build_rules(root.rules, agents, queues, context)
    for id_, pbx in context.pbxes.items():
        if isinstance(pbx, TwilioSettings):
            _numbers(id_, pbx, home, context)
    return Table(
        agents=agents,
        queues=queues,
        rules=rules,
        zone=context.zone,
        pauses=_pauses(root, context),
        numbering=home,
    )


def _numbers(id_: str, pbx: TwilioSettings, home: Numbering, context: BuildContext) -> None:
    """Check the numbers of a Twilio account as written: each once, and for an existing queue."""
    path: KeyPath = ("pbx", id_, "numbers")
    written = context.document.written(*path)
    seen: dict[str, KeyPath] = {}
    for text in written if isinstance(written, Section) else ():
        number = home.form(str(text))
        place: KeyPath = (*path, text)
        if number in pbx.numbers:
            context.knows("queues", pbx.numbers[number], place, "queue")
        first = seen.setdefault(number, place)
        if first != place:
            hint = f"first in {context.document.line(first)}, however it is written"
            context.document.error(place, "this number stands twice", hint, key=True)


def _pauses(root: RootOptions, context: BuildContext) -> dict[str, PauseSpec]:
    """Build the pause reasons. At most one is the default for a pause without a reason."""
    found: dict[str, PauseSpec] = {}
    default = ""
    for reason, pause in root.pauses.items():
        path: KeyPath = ("pauses", reason)
        written = context.document.written(*path)
        # A `longest` that was written but invalid has been reported already.
        limited = isinstance(written, Section) and "longest" in written.at
        if pause.then is not None and not limited:
            text = f"then: {pause.then} says what comes after a length that is not there"
            context.document.error((*path, "then"), text, "add a longest, such as 45m")
        if pause.default and default:
            text = f"default: true stands for {quoted(default)} too"
            context.document.error((*path, "default"), text, "one reason at most is the default")
        default = default or (reason if pause.default else "")
        values = spec_values(pause, then=PauseEnd(pause.then or "tell"))
        found[reason] = PauseSpec(reason=reason, **values)
    return found


def _agent(id_: str, agent: AgentOptions, extension: str, context: BuildContext) -> AgentSpec:
    context = context.within(agent.timezone, ("agents", id_))
    devices = [_device(id_, name, device, context) for name, device in agent.devices.items()]
    values = spec_values(
        agent,
        name=agent.name or id_,
        devices=tuple(device for device in devices if device is not None),
        sign_in=SignIn(agent.sign_in),
        extension=extension,
        zone=None if agent.timezone is None else context.zone,
    )
    return AgentSpec(id=id_, **values)


def _device(
    agent: str, id_: str, written: str | DeviceOptions, context: BuildContext
) -> DeviceSpec | None:
    device = (
        DeviceOptions.model_validate({"endpoint": written}) if isinstance(written, str) else written
    )
    path: KeyPath = ("agents", agent, "devices", id_)
    number = device.number or ""
    if not _one_address(path, device, context):
        return None
    if number and device.confirm is False:
        text = "confirm: false is not allowed for an outside number"
        context.document.error((*path, "confirm"), text, "a voicemail would take the calls")
        return None
    fault = form_fault(number) if number else ""
    if fault:
        text = f"number {quoted(number)}: {fault}"
        context.document.error((*path, "number"), text, "such as +447700900123")
        return None
    pbxes = _rung_by(path, device, context)
    if not pbxes:
        return None
    phone = read_address(path, device, pbxes, context)
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
        states=phone.states,
        all_contacts=device.contacts == "all",
    )
    return DeviceSpec(id=id_, agent=agent, **values)


def _one_address(path: KeyPath, device: DeviceOptions, context: BuildContext) -> bool:
    """Return whether a device has exactly one way of being rung; otherwise report an error."""
    named = {"endpoint": device.endpoint, "dial": device.dial, "number": device.number}
    given = [f"'{key}'" for key, value in named.items() if value]
    if len(given) == 1:
        return True
    at = context.document.written(*path)
    # One may be present but invalid: that has been reported already.
    if given or not (isinstance(at, Section) and at.at.keys() & named.keys()):
        text = (
            f"{path[-1]} has {' and '.join(given)}" if given else f"{path[-1]} has no phone to ring"
        )
        hint = "give exactly one of endpoint, dial and number"
        context.document.error(path, text, hint, key=True)
    return False


_SHORTEST_ASK, _LONGEST_ASK = 1.0, 300.0


def _accept_within(
    path: KeyPath, device: DeviceOptions, context: BuildContext, *, confirm: bool
) -> float:
    """Return how long to wait for key 1; a setting without effect or out of range is reported."""
    at = (*path, "accept_within")
    within = device.accept_within
    if within is None:
        return ACCEPT_WITHIN
    if not confirm:
        text = "accept_within has no effect: this phone is not asked for key 1"
        context.document.error(at, text, "take it out, or add confirm: true", key=True)
    elif not _SHORTEST_ASK <= within <= _LONGEST_ASK:
        text = f"accept_within must be from 1s to 5m, not {format_duration(within)}"
        context.document.error(at, text, "key 1 is asked for about every 8 s")
    return within


def _rung_by(path: KeyPath, device: DeviceOptions, context: BuildContext) -> tuple[str, ...]:
    """Return the PBXes that can ring a device. None can: an error, which is reported."""
    able = tuple(id_ for id_ in context.pbxes if _can_ring(id_, device, context))
    if device.pbx is not None:
        at = (*path, "pbx")
        if not context.knows("pbx", device.pbx, at, "pbx"):
            return ()
        if device.pbx in context.pbxes and device.pbx not in able:
            _say_unable(context, at, context.pbxes[device.pbx], device)
            return ()
        return (device.pbx,)
    # With an invalid PBX or an unread file, this cannot be decided.
    document = context.document
    if set(context.pbxes) != document.names("pbx") or not document.is_sure_of("pbx"):
        return ()
    if device.number:
        if not able and context.pbxes:
            text = "no pbx can ring an outside number"
            context.document.error(path, text, "give one a dial_number", key=True)
        return able
    if not able and context.pbxes:
        text = f"no pbx can ring {device.endpoint or device.dial}"
        context.document.error(path, text, f"Twilio rings {_TWILIO_PHONES}", key=True)
    if len(able) > 1:
        text = f"{path[-1]} needs a 'pbx': there are {listed(able)}"
        key = "endpoint" if device.endpoint else "dial"
        hint = f"such as {{{key}: {device.endpoint or device.dial}, pbx: {able[0]}}}"
        context.document.error(path, text, hint, key=True)
        return ()
    return able


def dials_numbers(pbx: PbxSettings) -> bool:
    """Return whether a PBX can ring outside numbers."""
    return not isinstance(pbx, AsteriskSettings) or bool(pbx.dial_number)


def dialling_pbxes(pbxes: Mapping[str, PbxSettings]) -> tuple[str, ...]:
    """The PBXes that can ring outside numbers, by name, in the order of the configuration."""
    return tuple(name for name, pbx in pbxes.items() if dials_numbers(pbx))


def _can_ring(id_: str, device: DeviceOptions, context: BuildContext) -> bool:
    """Return whether a PBX can ring a device.

    An address in Twilio's form needs Twilio, if configured.
    """
    pbx = context.pbxes[id_]
    if device.number:
        return dials_numbers(pbx)
    is_twilio_phone = _TWILIO_PHONE.fullmatch(device.endpoint or "") is not None
    if isinstance(pbx, TwilioSettings):
        return is_twilio_phone and not device.dial
    others = any(isinstance(other, TwilioSettings) for other in context.pbxes.values())
    return not (is_twilio_phone and others) or device.pbx == id_


def _say_unable(
    context: BuildContext, at: KeyPath, pbx: PbxSettings, device: DeviceOptions
) -> None:
    if device.number:
        text = f"pbx {pbx.id} cannot ring an outside number"
        context.document.error(at, text, "give it a dial_number")
    else:
        text = f"pbx {pbx.id} cannot ring {device.endpoint or device.dial}"
        context.document.error(at, text, f"Twilio rings {_TWILIO_PHONES}")
