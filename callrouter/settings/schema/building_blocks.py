"""Building blocks of the schema."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

# Union tags appear in the path of an error and must be distinguishable from keys.
LIST, MAPPING, SHORT, LONG = "<list>", "<mapping>", "<short>", "<long>"
DRIVERS = {"asterisk": "<asterisk>", "twilio": "<twilio>", "simulated": "<simulated>"}
TAGS = frozenset({LIST, MAPPING, SHORT, LONG, *DRIVERS.values()})


def list_or_mapping(value: Any) -> str:
    """Distinguish ``[a, b]`` from ``{a: 1}``."""
    return LIST if isinstance(value, list) else MAPPING


def list_or_short(value: Any) -> str:
    """Distinguish ``[a, b]`` from ``a``."""
    return LIST if isinstance(value, list) else SHORT


def short_or_long(value: Any) -> str:
    """Distinguish ``a`` from ``{key: a}``."""
    return LONG if isinstance(value, dict | BaseModel) else SHORT


def driver_tag(value: Any) -> str | None:
    """Return the tag of a PBX from its `driver`; None: it has none."""
    driver = value.get("driver") if isinstance(value, dict) else None
    return None if driver is None else DRIVERS.get(str(driver), str(driver))


class OptionGroup(BaseModel):
    """A mapping with known keys only and without type coercion."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)
