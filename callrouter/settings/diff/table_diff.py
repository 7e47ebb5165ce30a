"""Describes the differences between two configurations in a supervisor's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import tzinfo
from enum import Enum
from pathlib import Path
from typing import Final, TypeVar

from callrouter.model.ivr import PhoneCodes
from callrouter.model.routing_table import AgentSpec, DeviceSpec, PauseSpec, Table
from callrouter.model.text import counted
from callrouter.settings.builders.queue_builder import serving
from callrouter.settings.builders.renamed import settings_under_new_names
from callrouter.settings.diff.changes import differing, mapping_lines
from callrouter.settings.diff.queue_diff import all_hours, queue_changes
from callrouter.settings.diff.rule_diff import rule_changes
from callrouter.settings.diff.written_values import duration, hours, masked
from callrouter.settings.loaded import (
    AsteriskSettings,
    HttpSettings,
    PbxSettings,
    ServiceLevel,
    Settings,
)

_RESTART: Final = " (needs a restart)"
_Value = TypeVar("_Value")


MOST_LINES: Final = 1_000
"""Maximum number of changes listed individually, in answers, in the log and in the history."""


def bounded(lines: Sequence[str]) -> tuple[str, ...]:
    """Return the first `MOST_LINES` changes, and how many more there are."""
    more = len(lines) - MOST_LINES
    return tuple(lines) if more <= 0 else (*lines[:MOST_LINES], f"and {more} more changes")


def changes(old: Settings, new: Settings) -> list[str]:
    """Return the differences between two configurations, one line per change; none: an empty list.

    A change that the running daemon cannot apply ends in ``(needs a restart)``. Secrets are not
    shown, and of a phone number at most the country and the last 3 digits. Differences without
    effect are left out, such as the order of agents if the policy ignores it.
    """
    old, lines = settings_under_new_names(old, new)
    return [
        *lines,
        *_agents(old, new),
        *_pauses(old.table, new.table),
        *queue_changes(old.table, new.table),
        *_service_levels(old, new),
        *rule_changes(old.table.rules, new.table.rules),
        *_site(old, new),
    ]


# ---------------------------------------------------------------- agents


def _agents(old: Settings, new: Settings) -> Iterator[str]:
    before, after = old.table.agents, new.table.agents
    served = serving(old.table.queues)
    for id_ in differing(before, after):
        if id_ not in before:
            agent = after[id_]
            name = "" if agent.name == id_ else f"{agent.name}; "
            yield f"agent {id_} is new ({name}{counted(len(agent.devices), 'device', zero='0')})"
        elif id_ not in after:
            left = f"; leaves {', '.join(served[id_])}" if id_ in served else ""
            yield f"agent {id_} is gone{left}"
        else:
            yield from _agent(before[id_], after[id_])
    for id_ in differing(old.pins, new.pins):
        # Adding or removing an agent already implies the PIN.
        if id_ in before and id_ in after:
            yield f"{id_}: PIN {_how(id_, old.pins, new.pins)}"


def _agent(old: AgentSpec, new: AgentSpec) -> Iterator[str]:
    if old.name != new.name:
        yield f"{new.id}: name {old.name} -> {new.name}"
    if old.sign_in is not new.sign_in:
        yield f"{new.id}: sign_in {old.sign_in.value} -> {new.sign_in.value}"
    if old.extension != new.extension:
        yield f"{new.id}: extension {_plain(old.extension)} -> {_plain(new.extension)}"
    if old.timezone != new.timezone:
        before, after = (spec.timezone or "that of the site" for spec in (old, new))
        yield f"{new.id}: timezone {before} -> {after}"
    if old.language != new.language:
        yield f"{new.id}: language {old.language} -> {new.language}"
    if old.capacity != new.capacity:
        yield f"{new.id}: capacity {old.capacity} -> {new.capacity}"
    if old.wrap_up != new.wrap_up:
        yield f"{new.id}: wrap_up {_wrap_up(old.wrap_up)} -> {_wrap_up(new.wrap_up)}"
    yield from mapping_lines(f"{new.id}: skill", old.skills, new.skills)
    yield from _devices(old, new)


def _wrap_up(seconds: float | None) -> str:
    return "that of the queue" if seconds is None else duration(seconds)


def _devices(old: AgentSpec, new: AgentSpec) -> Iterator[str]:
    before = {device.id: device for device in old.devices}
    after = {device.id: device for device in new.devices}
    for id_ in differing(before, after):
        what = f"{new.id}: device {id_}"
        if id_ not in before:
            yield f"{what} added ({_address(after[id_])})"
        elif id_ not in after:
            yield f"{what} removed ({_address(before[id_])})"
        else:
            yield from _device(what, before[id_], after[id_])
    if before == after and list(before) != list(after):
        yield f"{new.id}: order of devices {', '.join(before)} -> {', '.join(after)}"


def _device(what: str, old: DeviceSpec, new: DeviceSpec) -> Iterator[str]:
    if old.address != new.address:
        before, after = _address(old), _address(new)
        # The difference may be in the masked part.
        yield f"{what} {before} -> {after}" if before != after else f"{what}: number changed"
    if old.pbxes != new.pbxes:
        yield f"{what}: pbx {', '.join(old.pbxes)} -> {', '.join(new.pbxes)}"
    yield from _times(what, old, new)
    if old.confirm is not new.confirm:
        yield f"{what}: confirm {_yes(old.confirm)} -> {_yes(new.confirm)}"
    if old.states != new.states:
        yield f"{what}: state {_listed(old.states)} -> {_listed(new.states)}"
    if old.all_contacts is not new.all_contacts:
        yield f"{what}: contacts {_contacts(old)} -> {_contacts(new)}"
    if old.auto_answer is not new.auto_answer:
        yield f"{what}: auto_answer {_yes(old.auto_answer)} -> {_yes(new.auto_answer)}"
    if _hours(old) != _hours(new):
        yield f"{what}: hours {_hours(old)} -> {_hours(new)}"
    if old.enabled is not new.enabled:
        yield f"{what} switched {'on' if new.enabled else 'off'}"


def _times(what: str, old: DeviceSpec, new: DeviceSpec) -> Iterator[str]:
    for key in ("ring_after", "accept_within"):
        before, after = getattr(old, key), getattr(new, key)
        if before != after:
            yield f"{what}: {key} {duration(before)} -> {duration(after)}"


def _hours(device: DeviceSpec) -> str:
    return "always" if device.hours is None else hours(device.hours.spans)


def _listed(states: tuple[str, ...]) -> str:
    return ", ".join(states) or "none"


def _contacts(device: DeviceSpec) -> str:
    return "all" if device.all_contacts else "first"


def _address(device: DeviceSpec) -> str:
    return masked(device.number) if device.number else device.endpoint


def _yes(value: bool) -> str:
    return "true" if value else "false"


# ---------------------------------------------------------------- pauses


def _pauses(old: Table, new: Table) -> Iterator[str]:
    if bool(old.pauses) != bool(new.pauses):
        yield f"pauses: reasons are {'those listed' if new.pauses else 'any text'} from now on"
    for reason in differing(old.pauses, new.pauses):
        before, after = old.pauses.get(reason), new.pauses.get(reason)
        if before is None and after is not None:
            yield f"pause {reason} is new ({_pause(after)})"
        elif before is not None and after is not None:
            yield f"pause {reason}: {_pause(before)} -> {_pause(after)}"
        else:
            yield f"pause {reason} is gone"


def _pause(spec: PauseSpec) -> str:
    longest = "no limit"
    if spec.longest is not None:
        longest = f"longest {duration(spec.longest)}, then {spec.then.value}"
    return longest + (", the default" if spec.default else "")


# ---------------------------------------------------------------- the rest


def _service_levels(old: Settings, new: Settings) -> Iterator[str]:
    for id_ in differing(old.service_levels, new.service_levels):
        if id_ in old.table.queues and id_ in new.table.queues:
            before, after = _aim(old.service_levels.get(id_)), _aim(new.service_levels.get(id_))
            yield f"{id_}: service_level {before} -> {after}"


def _aim(level: ServiceLevel | None) -> str:
    return "none" if level is None else f"{level.target}% within {duration(level.within)}"


def _codes(old: PhoneCodes, new: PhoneCodes) -> Iterator[str]:
    for item in fields(old):
        before, after = getattr(old, item.name), getattr(new, item.name)
        if before != after:
            written = "; write the dialplan again with callrouter dialplan"
            yield f"codes: {item.name} {before or 'none'} -> {after or 'none'}{written}"


def _site(old: Settings, new: Settings) -> Iterator[str]:
    if old.timezone != new.timezone:
        yield f"timezone {old.timezone} -> {new.timezone}"
    yield from _zone_rules(old.table, new.table)
    for item in fields(old.numbers):
        before, after = getattr(old.numbers, item.name), getattr(new.numbers, item.name)
        if before != after:
            yield f"numbers: {item.name} {_plain(before)} -> {_plain(after)}"
    if old.removals_at_once is not new.removals_at_once:
        before, after = ("at-once" if s.removals_at_once else "confirm" for s in (old, new))
        yield f"reload: removals {before} -> {after}"
    yield from _codes(old.codes, new.codes)
    for id_ in differing(old.pbxes, new.pbxes):
        yield from _pbx(id_, old.pbxes.get(id_), new.pbxes.get(id_))
    yield from _http(old.http, new.http)
    for item in fields(old.socket):
        before, after = getattr(old.socket, item.name), getattr(new.socket, item.name)
        if before != after:
            yield f"socket: {item.name} {_plain(before)} -> {_plain(after)}{_RESTART}"
    for id_ in differing(old.users, new.users):
        yield from _user(id_, old, new)
    if old.database != new.database:
        # Its address may contain a password.
        yield f"database changed{_RESTART}"


def _zone_rules(old: Table, new: Table) -> Iterator[str]:
    """Yield a line if the system's rules for a time zone have changed but the files have not."""
    before, after = ({str(zone): zone for zone in _zones(table)} for table in (old, new))
    for name, zone in after.items():
        if name in before and before[name] is not zone:
            yield f"timezone {name}: this machine has other rules for it now"


def _zones(table: Table) -> Iterator[tzinfo]:
    yield table.zone
    for queue in table.queues.values():
        if queue.timezone:
            yield from [hours.zone for hours in all_hours(queue)]
    yield from [agent.zone for agent in table.agents.values() if agent.zone is not None]


def _pbx(id_: str, old: PbxSettings | None, new: PbxSettings | None) -> Iterator[str]:
    if old is None or new is None:
        yield f"pbx {id_} is {'gone' if new is None else 'new'}{_RESTART}"
    elif old.driver != new.driver:
        yield f"pbx {id_}: driver {old.driver} -> {new.driver}{_RESTART}"
    else:
        hidden = {item.name for item in fields(old) if not item.repr}
        now = _pbx_values(new)
        for name, before in _pbx_values(old).items():
            if name in now and before != now[name]:
                said = "changed" if name in hidden else f"{_plain(before)} -> {_plain(now[name])}"
                yield f"pbx {id_}: {name} {said}{_RESTART}"


def _pbx_values(pbx: PbxSettings) -> dict[str, object]:
    """Return the settings of a PBX by their keys in the files."""
    found = {item.name: getattr(pbx, item.name) for item in fields(pbx)}
    if isinstance(pbx, AsteriskSettings):
        first, home = found["dial_number"], found.pop("home")
        found["dial_number"] = (*((first,) if first else ()), *found.pop("dial_numbers"))
        if pbx.number_format == "national":
            found["region of national numbers"] = home.region
    return found


def _http(old: HttpSettings, new: HttpSettings) -> Iterator[str]:
    before, after = _listen(old), _listen(new)
    if before != after:
        yield f"http: listen {before} -> {after}{_RESTART}"
    if old.public_url != new.public_url:
        yield f"http: public_url {_plain(old.public_url)} -> {_plain(new.public_url)}"
    if (old.certificate, old.key) != (new.certificate, new.key):
        yield f"http: tls {_tls(old)} -> {_tls(new)}{_RESTART}"
    tokens, now = ({token.name: token for token in http.api_tokens} for http in (old, new))
    for name in differing(tokens, now):
        if name in tokens and name in now and tokens[name].role != now[name].role:
            yield f"api token {name}: role {tokens[name].role} -> {now[name].role}"
        if name in tokens and name in now and tokens[name].agent != now[name].agent:
            before, after = (_plain(found[name].agent) for found in (tokens, now))
            yield f"api token {name}: agent {before} -> {after}"
        if name in tokens and name in now and tokens[name].queues != now[name].queues:
            before, after = (", ".join(found[name].queues) or "all" for found in (tokens, now))
            yield f"api token {name}: queues {before} -> {after}"
        if name not in tokens or name not in now or tokens[name].token != now[name].token:
            role = f" ({now[name].role})" if name not in tokens else ""
            yield f"api token {name} {_how(name, tokens, now)}{role}"


def _listen(http: HttpSettings) -> str:
    return f"[{http.host}]:{http.port}" if ":" in http.host else f"{http.host}:{http.port}"


def _tls(http: HttpSettings) -> str:
    return "none" if http.certificate is None else f"{http.certificate} and {http.key}"


def _user(id_: str, old: Settings, new: Settings) -> Iterator[str]:
    before, after = old.users.get(id_), new.users.get(id_)
    if before is None or after is None:
        yield f"user {id_} {_how(id_, old.users, new.users)}"
        return
    if before.role != after.role:
        yield f"user {id_}: role {before.role} -> {after.role}"
    if before.password != after.password:
        yield f"user {id_}: password changed"


def _how(name: str, old: Mapping[str, _Value], new: Mapping[str, _Value]) -> str:
    return "added" if name not in old else "removed" if name not in new else "changed"


def _plain(value: object) -> str:
    match value:
        case None | "" | ():
            return "none"
        case bool():
            return _yes(value)
        case Enum():
            return str(value.value)
        case tuple():
            return ", ".join(map(str, value))
        case Path() | _:
            return str(value)
