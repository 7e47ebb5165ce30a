"""Parses PBX endpoints and device states.

The only place that decides what an endpoint is: `check`, `doctor`, the router, the fallback's lists
and the driver all use it. Pure: text in, facts out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from callrouter.model.events import DeviceState
from callrouter.model.text import phrase


class EndpointKind(Enum):
    """Where a call to an endpoint leads."""

    PHONE = "phone"
    """A phone registered at this PBX. It is in use when there is a channel on it."""
    TRUNK = "trunk"
    """Out of this PBX: another PBX's extension, or a carrier. The far end may forward the call."""
    ROUTE = "route"
    """Through the dialplan (``Local/…``), which may forward the call or end in a voicemail."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint in its canonical spelling, such as ``PJSIP/1001``.

    Attributes:
        text: what Asterisk dials.
        kind: where it leads.
        device: the device whose state tells whether the endpoint is reachable.
    """

    text: str
    kind: EndpointKind
    device: str

    @property
    def may_forward(self) -> bool:
        """Whether something else than the agent's phone may answer, such as a voicemail.

        True for a trunk and for a route through the dialplan.
        """
        return self.kind is not EndpointKind.PHONE


_SPELLED: Final = {
    name.lower(): name for name in ("PJSIP", "Local", "IAX2", "DAHDI", "SCCP", "Motif", "OOH323")
}
_GONE: Final = {
    "sip": ("chan_sip", "PJSIP"),
    "zap": ("chan_zap", "DAHDI"),
    "iax": ("chan_iax", "IAX2"),
    "skinny": ("chan_skinny", "SCCP"),
    "h323": ("chan_h323", "OOH323"),
    "agent": ("chan_agent", "PJSIP"),
    "mgcp": ("chan_mgcp", "PJSIP"),
    "misdn": ("chan_misdn", "DAHDI"),
}
"""Technologies that Asterisk no longer has, their module, and what has taken their place (chan_agent:
removed in Asterisk 12; chan_misdn: 19; chan_sip, chan_skinny and chan_mgcp: 21)."""
_MISTYPED: Final = 0.78
"""How like a known technology a word must be to be taken for a slip of the keyboard."""
_ENDPOINT: Final = re.compile(
    r"(?P<tech>[A-Za-z][A-Za-z0-9]{0,15})/(?P<rest>[A-Za-z0-9*+_.][A-Za-z0-9._@+*:/-]{0,119})"
)
_PLAIN: Final = re.compile(r"[A-Za-z0-9*+_.-]+")
_ROUTE: Final = re.compile(r"[A-Za-z0-9*+_.-]+@[A-Za-z0-9_.-]+(/[bjmn]{1,4})?")
_HINT: Final = re.compile(r"hint:([A-Za-z0-9*#+_.-]{1,79})@([A-Za-z0-9_.-]{1,79})")
_STATE: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{0,15}[:/][A-Za-z0-9*#+_.][A-Za-z0-9._@+*:-]{0,79}")


def read(text: str) -> Endpoint:
    """Parse an Asterisk endpoint. The case of its technology does not matter.

    Raises:
        ValueError: the text is not an endpoint. The message says what is wrong with it.
    """
    found = _ENDPOINT.fullmatch(text)
    if found is None:
        raise ValueError(
            phrase("no-phone", "is not a phone such as {example}", example="PJSIP/1001")
        )
    tech, rest = technology(found["tech"], found["rest"]), found["rest"]
    if tech.lower() in {"custom", "hint"}:
        said = "is a state, not a phone; write it as {better}"
        raise ValueError(phrase("state-not-phone", said, better=f"state: {tech}:{rest}"))
    spelled = f"{tech}/{rest}"
    if tech == "Local":
        return _route(spelled, rest)
    if tech == "PJSIP":
        return _pjsip(spelled, rest)
    first, slash, _ = rest.partition("/")
    if slash or "@" in rest:  # IAX2/peer/2004, IAX2/user@host, DAHDI/g1/5551234
        return Endpoint(spelled, EndpointKind.TRUNK, f"{tech}/{first.rpartition('@')[2]}")
    return Endpoint(spelled, EndpointKind.PHONE, spelled)


def technology(word: str, rest: str) -> str:
    """A technology as Asterisk spells it; `rest` is what stands behind it, for the message.

    One that is not known may be a driver from elsewhere, and stays as it is.

    Raises:
        ValueError: Asterisk no longer has it, or it is one that Asterisk has with a slip of the keyboard.
    """
    plain = word.lower()
    if plain in _SPELLED:
        return _SPELLED[plain]
    if plain in _GONE:
        module, instead = _GONE[plain]
        place = _for_pjsip(rest) if plain == "sip" else rest
        said = "is a phone of {module}, which Asterisk no longer has; write {better}"
        raise ValueError(
            phrase("phone-of-driver-gone", said, module=module, better=f"{instead}/{place}")
        )
    like = difflib.get_close_matches(plain, _SPELLED, n=1, cutoff=_MISTYPED)
    if like:
        said = "is of no technology of Asterisk; did you mean {better}?"
        raise ValueError(phrase("no-technology", said, better=f"{_SPELLED[like[0]]}/{rest}"))
    return word


def _for_pjsip(rest: str) -> str:
    """What chan_sip dialled as ``trunk/number`` is ``number@trunk`` for PJSIP."""
    trunk, slash, number = rest.partition("/")
    return f"{number}@{trunk}" if slash and "/" not in number and "@" not in rest else rest


@lru_cache(maxsize=20_000)
def is_phone_here(text: str) -> bool:
    """Whether this is a phone of the PBX itself. Such a phone may be shown more of a call.

    False if the text is not an endpoint. The answer is cached.
    """
    try:
        return read(text).kind is EndpointKind.PHONE
    except ValueError:
        return False


@lru_cache(maxsize=20_000)
def leads_on(text: str) -> bool:
    """Whether calls to this endpoint may be forwarded: a trunk, or a route through the dialplan.

    False if the text is not an endpoint. The answer is cached.
    """
    try:
        return read(text).may_forward
    except ValueError:
        return False


def homes_of(addresses: Mapping[str, str]) -> tuple[str, ...]:
    """The PBXes where a phone with these addresses, by PBX, is at home; their order is kept.

    Those are the ones where it is registered (``PJSIP/1001``). If it is registered at none of them,
    they are those that ring it through their own dialplan (``Local/…``). Empty if it is reached
    over trunks only: then its home is a PBX that the router does not know. An address that is no
    endpoint of Asterisk (``client/alice``) is a phone of its PBX.
    """
    kinds = {pbx: _kind_of(address) for pbx, address in addresses.items()}
    for kind in (EndpointKind.PHONE, EndpointKind.ROUTE):
        found = tuple(pbx for pbx, known in kinds.items() if known is kind)
        if found:
            return found
    return ()


def _kind_of(address: str) -> EndpointKind:
    if address.startswith(("sip/", "client/")):  # Twilio's
        return EndpointKind.PHONE
    try:
        return read(address).kind
    except ValueError:
        return EndpointKind.PHONE


def _route(spelled: str, rest: str) -> Endpoint:
    if not _ROUTE.fullmatch(rest):
        said = "does not say where in the dialplan; write it as {example}"
        raise ValueError(
            phrase("not-where-in-dialplan", said, example="Local/1001@from-internal/n")
        )
    return Endpoint(spelled, EndpointKind.ROUTE, spelled.partition("@")[0] + "@" + _context(rest))


def _context(rest: str) -> str:
    return rest.partition("@")[2].partition("/")[0]


def _pjsip(spelled: str, rest: str) -> Endpoint:
    """``PJSIP/1001``, ``PJSIP/2004@branch`` or ``PJSIP/branch/sip:2004@192.0.2.1``.

    Raises:
        ValueError: it is none of these.
    """
    endpoint, slash, uri = rest.partition("/")
    if slash and not uri.startswith(("sip:", "sips:")):
        said = "has a / too many; another PBX's extension is {better}"
        raise ValueError(phrase("slash-too-many", said, better=f"PJSIP/{uri}@{endpoint}"))
    if slash:
        return Endpoint(spelled, EndpointKind.TRUNK, f"PJSIP/{endpoint.rpartition('@')[2]}")
    user, at, trunk = rest.partition("@")
    if not at and _PLAIN.fullmatch(user):
        return Endpoint(spelled, EndpointKind.PHONE, spelled)
    if not _PLAIN.fullmatch(user) or not _PLAIN.fullmatch(trunk):
        examples = ("PJSIP/1001", "PJSIP/2004@branch")
        raise ValueError(
            phrase("no-phone-of-both", "is not a phone such as {examples_or}", examples_or=examples)
        )
    return Endpoint(spelled, EndpointKind.TRUNK, f"PJSIP/{trunk}")


def state_source(text: str) -> str:
    """A device's `state` in canonical form.

    That is one of ``hint:1001@ext-local``, ``Custom:DND1001`` and ``PJSIP/1001``.

    Raises:
        ValueError: the text is none of these.
    """
    if _HINT.fullmatch(text):
        return text
    if not _STATE.fullmatch(text) or text.lower().startswith("hint:"):
        examples = ("hint:1001@ext-local", "Custom:DND1001", "PJSIP/1001")
        raise ValueError(
            phrase("no-state", "is not a state such as {examples_or}", examples_or=examples)
        )
    tech, slash, rest = text.partition("/")
    return f"{technology(tech, rest)}/{rest}" if slash else text


def hint_of(source: str) -> tuple[str, str] | None:
    """Extension and context of a hint; None if the source is a device.

    `source` is in the form that `state_source` returns.
    """
    found = _HINT.fullmatch(source)
    return (found[1], found[2]) if found is not None else None


def devices_of(hint: str) -> tuple[str, ...]:
    """The devices of a dialplan hint: ``PJSIP/1001&Custom:DND1001,CustomPresence:1001``.

    What comes after the first comma is presence, which does not count. Words that are no device are
    left out.
    """
    listed = hint.partition(",")[0].split("&")
    return tuple(one.strip() for one in listed if _STATE.fullmatch(one.strip()))


def on_a_phone(device: str) -> bool:
    """Whether a device has channels of its own, rather than a state set by a program.

    Hints and ``Custom:`` devices have no slash in their names; ``Local/`` channels belong to no
    phone.
    """
    return "/" in device and not device.startswith("Local/")


CANNOT_RING: Final = frozenset({"UNAVAILABLE", "INVALID"})
"""Device states in which a device can't be rung, as in app_queue.

UNKNOWN is not one of them, because many drivers never report a state.
"""
TAKES_NONE: Final = frozenset({"INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD"})
"""Device states that mean busy."""


def device_state(state: str) -> DeviceState:
    """The `DeviceState` of a phone with this device state, if its own calls are counted elsewhere.

    `state` is Asterisk's word. A busy one gives `IDLE`, for that reason.
    """
    return DeviceState.UNREACHABLE if state in CANNOT_RING else DeviceState.IDLE
