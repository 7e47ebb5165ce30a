"""Parses the conditions of alarms: ``longest_wait > 2m``, ``< 1m``."""

from __future__ import annotations

from typing import Final

from callrouter.alerting.alert_rules import MEASURES, Limit, Measure, Unit
from callrouter.model.text import in_quotes, listed
from callrouter.settings.schema.durations import format_duration, parse_duration

_SIGNS: Final = ("<=", ">=", "<", ">", "=")
_MISTAKEN: Final = {"==": "=", "=>": ">=", "=<": "<=", "≥": ">=", "≤": "<=", "<>": "", "!=": ""}
_EXAMPLE: Final = {Unit.COUNT: "5", Unit.DURATION: "2m", Unit.PERCENT: "80"}
_MOST: Final = {Unit.COUNT: 1_000_000, Unit.DURATION: 366 * 86400.0, Unit.PERCENT: 100}
_TINY: Final = 0.5


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
        raise ConditionError("it names no measure", f"such as {in_quotes('waiting > 5')}")
    measure = MEASURES.get(name)
    if measure is None:
        raise ConditionError(f"unknown measure {in_quotes(name)}", word=name)
    if not sign:
        hint = f"such as {in_quotes(f'{name} > {_EXAMPLE[measure.unit]}')}"
        raise ConditionError(f"{in_quotes(text)} compares {name} with nothing", hint)
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
        raise ConditionError(f"{in_quotes(text)} is no comparison", f"such as {in_quotes(example)}")
    if name not in {"", measure.word}:
        text_ = f"{in_quotes(name)} is not what the alarm watches"
        raise ConditionError(text_, f"leave it out, or write {measure.word}")
    limit = Limit(sign, _value(measure, value))
    _check_possible(measure, limit)
    both = next((v for v in _samples(when, limit) if when.holds(v) and limit.holds(v)), None)
    if both is not None:
        shown = value_text(measure, both)
        raise ConditionError(
            f"at {shown}, {in_quotes(limit_text(measure, limit))} holds, and when as well",
            f"such as {in_quotes(limit_text(measure, when.opposite()))}",
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
        hint = "make an alarm of each comparison"
        raise ConditionError(f"{in_quotes(text)} is more than one comparison", hint)
    if sign and sign not in _SIGNS:
        right = _MISTAKEN.get(sign, "")
        hint = f"write {right}" if right else f"signs are {listed(_SIGNS, 'or')}"
        raise ConditionError(f"{in_quotes(sign)} is not a sign", hint)
    if not sign and " " in name:
        first, _, rest = name.partition(" ")
        if first in MEASURES and rest.strip():
            hint = f"write {in_quotes(f'{first} > {rest.strip()}')}"
            raise ConditionError(f"{in_quotes(text)} has no sign", hint)
    return name, sign, value


def _value(measure: Measure, text: str) -> float:
    """Return the value of a comparison.

    Raises:
        ConditionError: it is missing, of another unit or too large.
    """
    hint = f"{measure.word} is {measure.unit.value}"
    if not text:
        raise ConditionError("the comparison has no value", hint)
    wrong = ConditionError(f"{in_quotes(text)} is no value of {measure.word}", hint)
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
        what = "always holds" if found == {True} else "never holds"
        text = f"{in_quotes(condition_text(measure, limit))} {what}"
        raise ConditionError(text, f"{measure.word} is {measure.unit.value}, 0 or more")


def _samples(*limits: Limit) -> list[float]:
    """Return values on both sides of each limit, at it, and at the ends."""
    found = [0.0, 1_000_000_000.0]
    for limit in limits:
        found += [limit.value - _TINY, limit.value, limit.value + _TINY]
    return sorted(value for value in found if value >= 0)
