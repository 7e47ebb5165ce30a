"""Validates a device's phone for the PBX that rings it: spelling, state source, who may answer."""

from __future__ import annotations

from dataclasses import dataclass

from callrouter.model import endpoints
from callrouter.settings.builders.build_context import BuildContext
from callrouter.settings.errors.problems import quoted
from callrouter.settings.loaded import AsteriskSettings, TwilioSettings
from callrouter.settings.schema.agent_options import DeviceOptions
from callrouter.settings.yaml.source import KeyPath


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """A device's endpoint in its canonical spelling (empty: a number), and what `state` names."""

    endpoint: str
    may_forward: bool
    states: tuple[str, ...]


def read_address(
    path: KeyPath, device: DeviceOptions, pbxes: tuple[str, ...], context: BuildContext
) -> DeviceAddress | None:
    """Return what a device rings; None: it is inconsistent, which has been reported."""
    written = device.endpoint or device.dial or ""
    states = _states(path, device, context)
    if states is None or not _fits_together(path, device, context):
        return None
    if not written or any(_is(pbx, TwilioSettings, context) for pbx in pbxes):
        return DeviceAddress(written, False, states)
    try:
        found = endpoints.read(written)
    except ValueError as fault:
        if written.startswith(("sip/", "client/")) and not any(
            _is(pbx, AsteriskSettings, context) for pbx in pbxes
        ):
            return DeviceAddress(
                written, False, states
            )  # the simulated PBX rings Twilio's phones too
        at = (*path, "endpoint" if device.endpoint else "dial")
        context.document.error(_where(path, at, context), f"{quoted(written)} {fault}", "")
        return None
    if device.auto_answer and found.line is endpoints.Line.ROUTE:
        text = f"auto_answer does not reach a phone behind {found.text}"
        context.document.error(
            (*path, "auto_answer"), text, "give its endpoint, such as PJSIP/1001"
        )
        return None
    return DeviceAddress(found.text, found.may_forward, states)


def _is(pbx: str, kind: type, context: BuildContext) -> bool:
    return isinstance(context.pbxes.get(pbx), kind)


def _where(path: KeyPath, at: KeyPath, context: BuildContext) -> KeyPath:
    """Return the place of a device's address, which may be its only setting."""
    return at if context.document.written(*at) is not None else path


def _fits_together(path: KeyPath, device: DeviceOptions, context: BuildContext) -> bool:
    if device.number and device.state is not None:
        text = "state says nothing of an outside number"
        context.document.error((*path, "state"), text, "take it out")
        return False
    if device.auto_answer and (device.number or device.confirm):
        text = "auto_answer cannot go with key 1: no hand is at the phone to press it"
        context.document.error((*path, "auto_answer"), text, "take it out")
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
            context.document.error(at, f"{quoted(text)} {fault}", "")
            return None
        if source not in found:
            found.append(source)
    return tuple(found)
