"""The options of transfers."""

from __future__ import annotations

from callrouter.model.routing_table import NO_OUTSIDE
from callrouter.settings.schema import fields as f
from callrouter.settings.schema import phone_fields as p
from callrouter.settings.schema import written_values as written
from callrouter.settings.schema.durations import format_duration
from callrouter.settings.schema.options import OptionGroup, option


class TransfersOptions(OptionGroup):
    """Which numbers outside agents may pass callers on to. Without this section, none."""

    outside: list[p.NumberBeginning] = option(
        [],
        "How these numbers begin, or whole numbers. Fewer than three digits after the calling code "
        "cover its main country only (+1: the United States and Canada). Premium, satellite, short "
        "and emergency numbers are refused whatever is listed. Default: none, which switches "
        "transfers to numbers outside off.",
        example='["+44", "+1 212 555 0100"]',
        attribute="allowed",
        words=written.names_or_none,
    )
    at_once: f.Count = option(
        NO_OUTSIDE.at_once,
        "Maximum number of callers who are with numbers outside at a time.",
        example="10",
        words=str,
    )
    per_hour: f.Count = option(
        NO_OUTSIDE.per_hour,
        "Maximum number of callers whom one agent passes on to numbers outside in an hour.",
        example="30",
        words=str,
    )
    ring_for: f.Duration = option(
        NO_OUTSIDE.ring_for,
        "How long a number is rung before the caller comes back; from 5s to 2m.",
        example="20s",
        words=format_duration,
    )
