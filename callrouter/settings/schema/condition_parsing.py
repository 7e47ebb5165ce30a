"""Parses the conditions of alarms: ``longest_wait > 2m``, ``< 1m``."""

from __future__ import annotations

from typing import Final

from callrouter.alerting.alert_rules import MEASURES, Limit, Measure, Unit
from callrouter.model.text import in_quotes, phrase
from callrouter.settings.errors.hints import such_as, write
from callrouter.settings.schema.durations import format_duration, parse_duration

_SIGNS: Final = ("<=", ">=", "<", ">", "=")
_MISTAKEN: Final = {"==": "=", "=>": ">=", "=<": "<=", "≥": ">=", "≤": "<=", "<>": "", "!=": ""}
_EXAMPLE: Final = {Unit.COUNT: "5", Unit.DURATION: "2m", Unit.PERCENT: "80"}
_MOST: Final = {Unit.COUNT: 1_000_000, Unit.DURATION: 366 * 86400.0, Unit.PERCENT: 100}
_TINY: Final = 0.5
_UNITS: Final = {
    Unit.COUNT: phrase("unit-count", "a whole number"),
    Unit.DURATION: phrase("unit-duration", "a duration such as {example}", example="2m"),
    Unit.PERCENT: phrase("unit-percent", "a percentage from 0 to 100"),
}
"""The units in words; the same as their values."""


class ConditionError(ValueError):
    """A condition that cannot be used.

    Attributes:
        hint: what would be right.
        word: the unknown name of a measure, if that is what is wrong.
    """

    def __init__(self, text: str, hint: str = "", word: str = "") -> None:
        super().__init__(text)
        self.hint = hint
        self.word = word


def parse_condition(text: str) -> tuple[Measure, Limit]:
    """Return the measure and the limit of a text such as ``longest_wait > 2m``.

    Raises:
        ConditionError: it is not one comparison of a measure with a value that it can have.
    """
    name, sign, value = _split(text)
    if not name:
        raise ConditionError(
            phrase("condition-no-measure", "it names no measure"), such_as(in_quotes("waiting > 5"))
        )
    measure = MEASURES.get(name)
    if measure is None:
        text_ = phrase("unknown-measure", "unknown measure {name}", name=in_quotes(name))
        raise ConditionError(text_, word=name)
    if not sign:
        said = "{text} compares {name} with nothing"
        text_ = phrase("compares-with-nothing", said, text=in_quotes(text), name=name)
        raise ConditionError(text_, such_as(in_quotes(f"{name} > {_EXAMPLE[measure.unit]}")))
    limit = Limit(sign, _value(measure, value))
    _check_possible(measure, limit)
    return measure, limit


def parse_clear(text: str, measure: Measure, when: Limit) -> Limit:
    """Return the limit at which an alarm is over, from a text such as ``< 1m``.

    The name of the measure may stand before it.

    Raises:
        ConditionError: it is not a comparison, or holds while `when` does.
    """
    name, sign, value = _split(text)
    if not sign:
        example = limit_text(measure, when.opposite())
        text_ = phrase("no-comparison", "{text} is not a comparison", text=in_quotes(text))
        raise ConditionError(text_, such_as(in_quotes(example)))
    if name not in {"", measure.word}:
        text_ = phrase(
            "not-what-alarm-watches", "{name} is not what the alarm watches", name=in_quotes(name)
        )
        hint = "leave it out, or write {measure}"
        raise ConditionError(text_, phrase("leave-out-or-write", hint, measure=measure.word))
    limit = Limit(sign, _value(measure, value))
    _check_possible(measure, limit)
    both = next((v for v in _samples(when, limit) if when.holds(v) and limit.holds(v)), None)
    if both is not None:
        said = "at {value}, {limit} holds, and when as well"
        shown, clear = value_text(measure, both), in_quotes(limit_text(measure, limit))
        raise ConditionError(
            phrase("both-hold", said, value=shown, limit=clear),
            such_as(in_quotes(limit_text(measure, when.opposite()))),
        )
    return limit


def condition_text(measure: Measure, limit: Limit) -> str:
    """Return ``longest_wait > 2m``, which `parse_condition` reads."""
    return f"{measure.word} {limit_text(measure, limit)}"


def limit_text(measure: Measure, limit: Limit) -> str:
    """Return ``> 2m``."""
    return f"{limit.sign} {value_text(measure, limit.value)}"


def value_text(measure: Measure, value: float) -> str:
    """Return a value of a measure as the files write it: ``5``, ``2m``, ``80%``."""
    match measure.unit:
        case Unit.DURATION:
            return format_duration(value)
        case Unit.PERCENT:
            return f"{value:g}%"
        case Unit.COUNT:
            return f"{value:g}"


def _split(text: str) -> tuple[str, str, str]:
    """Return the name, the sign and the value as written; empty where there is none.

    Raises:
        ConditionError: a sign is not one of ours, or there are several comparisons.
    """
    start = next((i for i, c in enumerate(text) if c in "<>=!≥≤"), len(text))
    end = start
    while end < len(text) and text[end] in "<>=!≥≤":
        end += 1
    name, sign, value = text[:start].strip(), text[start:end], text[end:].strip()
    if any(c in "<>=" for c in value) or {"and", "or"} & set(value.lower().split()):
        text_ = "{text} is more than one comparison"
        raise ConditionError(
            phrase("several-comparisons", text_, text=in_quotes(text)),
            phrase("alarm-of-each", "make an alarm of each comparison"),
        )
    if sign and sign not in _SIGNS:
        right = _MISTAKEN.get(sign, "")
        hint = phrase("signs-are", "signs are {signs_or}", signs_or=_SIGNS)
        raise ConditionError(
            phrase("no-sign", "{sign} is not a sign", sign=in_quotes(sign)),
            write(right) if right else hint,
        )
    if not sign and " " in name:
        first, _, rest = name.partition(" ")
        if first in MEASURES and rest.strip():
            text_ = phrase("sign-missing", "{text} has no sign", text=in_quotes(text))
            raise ConditionError(text_, write(in_quotes(f"{first} > {rest.strip()}")))
    return name, sign, value


def _value(measure: Measure, text: str) -> float:
    """Return the value of a comparison.

    Raises:
        ConditionError: it is missing, of another unit or too large.
    """
    hint = phrase("measure-is", "{name} is {unit}", name=measure.word, unit=_UNITS[measure.unit])
    if not text:
        raise ConditionError(phrase("no-value", "the comparison has no value"), hint)
    said = "{text} is not a value of {name}"
    wrong = ConditionError(
        phrase("no-value-of", said, text=in_quotes(text), name=measure.word), hint
    )
    if measure.unit is Unit.DURATION:
        try:
            value = parse_duration(text)
        except ValueError:
            raise wrong from None
    else:
        digits = text.removesuffix("%").strip() if measure.unit is Unit.PERCENT else text
        if not (digits.isascii() and digits.isdigit() and len(digits) < 8):
            raise wrong
        value = float(digits)
    if value > _MOST[measure.unit]:
        raise wrong
    return value


def _check_possible(measure: Measure, limit: Limit) -> None:
    """Raise `ConditionError` if every possible value, or none, is within the limit."""
    values = [v for v in _samples(limit) if 0 <= v <= _MOST[measure.unit]]
    found = {limit.holds(value) for value in values}
    if len(found) == 1:
        shown = in_quotes(condition_text(measure, limit))
        text = phrase("always-holds", "{condition} always holds", condition=shown)
        if found != {True}:
            text = phrase("never-holds", "{condition} never holds", condition=shown)
        hint, unit = "{name} is {unit}, 0 or more", _UNITS[measure.unit]
        raise ConditionError(text, phrase("measure-is-from-0", hint, name=measure.word, unit=unit))


def _samples(*limits: Limit) -> list[float]:
    """Return values on both sides of each limit, at it, and at the ends."""
    found = [0.0, 1_000_000_000.0]
    for limit in limits:
        found += [limit.value - _TINY, limit.value, limit.value + _TINY]
    return sorted(value for value in found if value >= 0)
