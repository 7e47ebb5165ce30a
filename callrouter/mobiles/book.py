"""The registered mobiles, with the checks on their numbers, device names and ring settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from callrouter.mobiles.mobile_records import MobileRow, MobileState, NumberSettings
from callrouter.mobiles.number_policy import RefusedNumber, is_mobile_form, read_number
from callrouter.model.hours import parse_spans
from callrouter.model.routing_table import AgentSpec
from callrouter.model.text import phrase, sentence_of

LONGEST_RING_AFTER: Final = 600.0
"""Seconds after an agent's first devices within which a mobile must begin to ring."""
LAST_PLACE: Final = 99
"""The last place in the order of an agent's mobiles; the first is 0."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class RequestDenied(Exception):  # noqa: N818 - an answer, not an error
    """A request is refused.

    Args:
        kind: a stable word, by which callers and counters tell refusals apart.
        text: the reason, in words for people.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text

    @property
    def with_kind(self) -> str:
        """The kind and the reason, for the audit."""
        return phrase("kind-and-reason", "{kind}: {reason}", kind=self.kind, reason=self.text)


class MobileBook:
    """All registered mobiles, together with the configuration they depend on.

    Its queries change nothing. `Registrar` changes `mobiles`.
    """

    def __init__(self) -> None:
        self.mobiles: dict[tuple[str, str], MobileRow] = {}
        self.settings = NumberSettings()
        self.agents: dict[str, AgentSpec] = {}
        self.dialling: tuple[str, ...] = ()
        self._verdicts: dict[str, str] = {}

    def configure(
        self, settings: NumberSettings, agents: dict[str, AgentSpec], dialling: tuple[str, ...]
    ) -> None:
        """Apply new rules.

        Args:
            settings: which numbers may be registered.
            agents: the agents as configured, by id.
            dialling: the PBXes that can dial outside numbers.
        """
        self.settings, self.agents, self.dialling = settings, agents, dialling
        self._verdicts.clear()

    def of(self, agent: str) -> list[MobileRow]:
        """An agent's registered mobiles, in the order in which they are shown; empty: there are none."""
        return in_order(row for row in self.mobiles.values() if row.agent == agent)

    def reason_not_rung(self, row: MobileRow) -> str:
        """Why a mobile is not rung for callers, in words; empty if it is rung.

        A mobile in use is checked against the present rules and the configuration each time. So one
        that does not fit them any more rests without being removed, and is rung again when it does.
        """
        match MobileState(row.state):
            case MobileState.UNVERIFIED:
                return phrase("mobile-unverified", "not verified yet")
            case MobileState.WAITING:
                return phrase("mobile-waiting", "waiting for a supervisor")
            case _:
                return self._reason_dormant(row)

    def _reason_dormant(self, row: MobileRow) -> str:
        spec = self.agents.get(row.agent)
        if spec is None:
            return phrase("mobile-no-agent", "its agent is not in the configuration")
        if self.is_configured(row.agent, row.device):
            return phrase("mobile-name-taken", "the configuration has another phone of this name")
        if any(device.number == row.number for device in spec.devices):
            return phrase("number-in-files", "the configuration has this number already")
        if not self.dialling:
            return phrase("mobile-not-dialled", "no PBX dials outside numbers")
        if row.number not in self._verdicts:
            verdict = read_number(row.number, self.settings)
            self._verdicts[row.number] = verdict.text if isinstance(verdict, RefusedNumber) else ""
        return self._verdicts[row.number]

    def name_for_new(self, agent: str, wanted: str) -> str:
        """The name of a new mobile of an agent: `wanted`, or a free one if that is empty.

        Raises:
            RequestDenied: the wanted name is not valid, or is in use already.
        """
        used = {device.id for device in self.agents[agent].devices}
        used |= {row.device for row in self.of(agent)}
        if not wanted:
            names = ("mobile", *(f"mobile-{n}" for n in range(2, len(used) + 3)))
            return next(name for name in names if name not in used)
        if not _NAME.fullmatch(wanted):
            raise RequestDenied(
                "wrong-name",
                phrase(
                    "device-name",
                    "a device's name is small letters, digits, - and _ (64 at most)",
                ),
            )
        if wanted in used:
            raise RequestDenied(
                "known",
                phrase(
                    "device-exists",
                    "there is a device '{wanted}' already; remove it first",
                    wanted=wanted,
                ),
            )
        return wanted

    def is_configured(self, agent: str, device: str) -> bool:
        """Whether the configuration has a device of this name for an agent."""
        spec = self.agents.get(agent)
        return spec is not None and any(each.id == device for each in spec.devices)

    def row(self, agent: str, device: str) -> MobileRow:
        """A registered mobile.

        Raises:
            RequestDenied: the agent has no registered mobile of this name.
        """
        row = self.mobiles.get((agent, device))
        if row is not None:
            return row
        if self.is_configured(agent, device):
            raise RequestDenied(
                "configured",
                phrase(
                    "device-in-files",
                    "{device} is in the configuration; change it there",
                    device=device,
                ),
            )
        raise RequestDenied(
            "unknown-device",
            phrase(
                "no-device-named",
                "{agent} has no device '{device}'",
                agent=agent,
                device=device[:64],
            ),
        )

    def check_not_taken(self, agent: str, number: str) -> None:
        """Check that a number is not another agent's, verified or configured.

        The error does not reveal which agent. The number of an agent who is no longer configured is
        free.

        Raises:
            RequestDenied: the number belongs to another agent.
        """
        for other in self.mobiles.values():
            proved = other.state != MobileState.UNVERIFIED.value
            there = other.agent != agent and other.agent in self.agents
            if other.number == number and there and proved:
                raise RequestDenied(
                    "taken", phrase("number-of-another", "this number is another agent's")
                )
        for spec in self.agents.values():
            if spec.id != agent and any(device.number == number for device in spec.devices):
                raise RequestDenied(
                    "taken", phrase("number-of-another", "this number is another agent's")
                )


def in_order(rows: Iterable[MobileRow]) -> list[MobileRow]:
    """One agent's mobiles, in the order in which they are shown."""
    return sorted(rows, key=lambda row: (row.place, row.added_at, row.device))


def is_valid_row(row: MobileRow) -> bool:
    """Whether a stored row is valid.

    Without this check, a person who can write to the store could have any number called, or break
    the routing table with a name that it does not allow.
    """
    try:
        MobileState(row.state)
        check_ringing(row.ring_after, row.hours, row.place)
    except (RequestDenied, ValueError):
        return False
    return bool(_NAME.fullmatch(row.device) and is_mobile_form(row.number))


def check_still_allowed(number: str, settings: NumberSettings) -> None:
    """Check a number that was accepted earlier against the present rules.

    Raises:
        RequestDenied: it would not be accepted now.
    """
    verdict = read_number(number, settings)
    if isinstance(verdict, RefusedNumber):
        raise RequestDenied(verdict.kind, verdict.text)


def check_ringing(ring_after: float, hours: str, place: int) -> None:
    """Check the limits of a mobile's ring settings.

    Raises:
        RequestDenied: a value is out of range.
    """
    if not 0 <= ring_after <= LONGEST_RING_AFTER:
        raise RequestDenied(
            "wrong-value",
            phrase(
                "ring-after-range",
                "ring_after must be from 0 to {most} s",
                most=f"{LONGEST_RING_AFTER:.0f}",
            ),
        )
    if not 0 <= place <= LAST_PLACE:
        raise RequestDenied(
            "wrong-value", phrase("order-range", "order must be from 0 to {last}", last=LAST_PLACE)
        )
    if hours:
        try:
            parse_spans(hours)
        except ValueError as error:
            why = phrase("hours-wrong", "hours: {why}", why=sentence_of(error))
            raise RequestDenied("wrong-value", why) from error
