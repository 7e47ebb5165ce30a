"""Alarms in words and as JSON."""

from __future__ import annotations

from callrouter.alerting.alert_rules import AlertRule, Measure, Unit, Watched
from callrouter.alerting.evaluator import ActiveAlert, AlertChange, Reading
from callrouter.api.schemas.status_answers import AlertStatusJson
from callrouter.model.text import rough_duration
from callrouter.outbox.payloads import AlertData, AlertSubject, iso_time
from callrouter.settings.schema.condition_parsing import condition_text


def alert_data(change: AlertChange) -> AlertData:
    """Return what is sent of an alarm."""
    rule, reading = change.rule, change.reading
    words = sentence(rule, change.subject, reading, over=not change.raised)
    return {
        "alert": rule.name,
        "text": words if change.raised else f"over: {words}",
        "measure": rule.measure.word,
        "condition": condition_text(rule.measure, rule.when),
        **_subject(rule, change.subject),
        "value": reading.value,
        "since": iso_time(change.since),
    }


def alert_status(alert: ActiveAlert) -> AlertStatusJson:
    """Return an alarm that is raised now, for ``/api/status``."""
    return {
        "alert": alert.rule.name,
        "text": sentence(alert.rule, alert.subject, alert.reading),
        **_subject(alert.rule, alert.subject),
        "since": iso_time(alert.since),
        "quiet": not alert.told,
    }


def sentence(rule: AlertRule, subject: str, reading: Reading, *, over: bool = False) -> str:
    """Return an alarm in one line.

    Such as ``long-wait: the longest wait in queue support is 2 min 10 s; raised when longest_wait > 2m``.
    It ends with the limit that was met: of the alarm, or if it is over, of its end.
    """
    measure = rule.measure
    named = "PBX" if measure.watched is Watched.PBX else measure.watched.value
    what = measure.meaning.format(where=f"{named} {subject}")
    detail = f" ({reading.detail})" if reading.detail else ""
    met, limit = ("over", rule.clear) if over else ("raised", rule.when)
    words = f"{rule.name}: {what} is {_value(measure, reading.value)}{detail}"
    return f"{words}; {met} when {condition_text(measure, limit)}"


def _subject(rule: AlertRule, subject: str) -> AlertSubject:
    watched = rule.measure.watched
    return {
        "queue": subject if watched is Watched.QUEUE else None,
        "agent": subject if watched is Watched.AGENT else None,
        "pbx": subject if watched is Watched.PBX else None,
        "node": subject if watched is Watched.NODE else None,
    }


def _value(measure: Measure, value: float | None) -> str:
    if value is None:
        return "not watched any more"
    match measure.unit:
        case Unit.DURATION:
            return rough_duration(value)
        case Unit.PERCENT:
            return f"{value:.0f}%"
        case Unit.COUNT:
            return f"{value:.0f}"
