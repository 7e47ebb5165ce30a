"""Decides when alarms are raised and when they are over. Pure: readings and times are arguments.

For each rule and each queue, agent or PBX that it watches there is one alarm:

- It is *raised* when `when` has held for `for_s` seconds at every reading, and is *over* when `clear`
  holds. In between, where neither holds, nothing changes.
- It is *told*, raised or over, outside the quiet hours of the rule. In quiet hours it only
  changes; at their end what is true then is told, if the destinations believe something else.
- Without a reading (None) nothing changes: while the PBX has not shown its calls after a restart,
  an alarm of before is neither over nor raised again.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from callrouter.alerting.alert_rows import AlertRow
from callrouter.alerting.alert_rules import AlertRule, Measure


@dataclass(frozen=True, slots=True)
class Reading:
    """A value of a measure now; None: not known. `detail` says more, for people."""

    value: float | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class AlertChange:
    """What the destinations of a rule are told: an alarm is raised, or over.

    `reading` is that of now; its value is None if what was watched is no more. `since` is when the
    condition began to hold, in epoch seconds.
    """

    rule: AlertRule
    subject: str
    raised: bool
    reading: Reading
    since: float


@dataclass(frozen=True, slots=True)
class ActiveAlert:
    """An alarm that is raised now, for the API."""

    rule: AlertRule
    subject: str
    since: float
    reading: Reading
    told: bool


GONE = Reading(None)


class Evaluator:
    """The state of all alarms."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], AlertRow] = {}
        self._rules: dict[str, AlertRule] = {}
        self._latest: dict[tuple[str, str], Reading] = {}
        self.held: Container[Measure] = ()
        """Alarms of these measures are not told for now: it is not known whether they were before."""

    def restore(self, rows: Iterable[AlertRow]) -> None:
        """Take over the alarms of an earlier run: before the first reading, or later.

        What is raised by now and was before goes on, and what was told is not told again.
        """
        for row in rows:
            key = (row.alert, row.subject)
            own = self._rows.get(key, row)
            self._rows[key] = replace(
                row if row.raised else own,
                raised=row.raised or own.raised,
                told=row.told or own.told,
            )

    def rows(self) -> dict[tuple[str, str], AlertRow]:
        """What is to be stored, by rule and subject."""
        return dict(self._rows)

    def active(self) -> list[ActiveAlert]:
        """The alarms that are raised, in the order of the rules."""
        order = {name: place for place, name in enumerate(self._rules)}
        found = [
            ActiveAlert(
                rule=self._rules[row.alert],
                subject=row.subject,
                since=row.began,
                reading=self._latest.get((row.alert, row.subject), GONE),
                told=row.told,
            )
            for row in self._rows.values()
            if row.raised and row.alert in self._rules
        ]
        return sorted(found, key=lambda alert: (order[alert.rule.name], alert.subject))

    def use(self, rules: Iterable[AlertRule]) -> None:
        """Watch by these rules from now on. Alarms of rules that are gone end without a word."""
        self._rules = {rule.name: rule for rule in rules}
        for key in [key for key in self._rows if key[0] not in self._rules]:
            del self._rows[key]
            self._latest.pop(key, None)

    def read(
        self, rule: AlertRule, readings: Mapping[str, Reading], now: float
    ) -> list[AlertChange]:
        """Take the readings of everything that a rule watches.

        Args:
            rule: one of those in use.
            readings: by subject. What is not in it is not there any more: its alarm is over.
            now: epoch seconds.

        Returns what the destinations must be told.
        """
        return self.read_part(rule, readings, now) + self.end_gone(rule, readings, now)

    def read_part(
        self, rule: AlertRule, readings: Mapping[str, Reading], now: float
    ) -> list[AlertChange]:
        """Take the readings of a part of what a rule watches. `end_gone` follows the last part."""
        changes = (
            self._follow(rule, subject, reading, now, gone=False)
            for subject, reading in readings.items()
        )
        return [change for change in changes if change is not None]

    def end_gone(self, rule: AlertRule, there: Container[str], now: float) -> list[AlertChange]:
        """End the alarms of a rule about what is not `there` any more."""
        known = [subject for name, subject in self._rows if name == rule.name]
        changes = (
            self._follow(rule, subject, GONE, now, gone=True)
            for subject in known
            if subject not in there
        )
        return [change for change in changes if change is not None]

    def _follow(
        self, rule: AlertRule, subject: str, reading: Reading, now: float, *, gone: bool
    ) -> AlertChange | None:
        key = (rule.name, subject)
        row = self._rows.get(key)
        if row is None:
            if reading.value is None or not rule.when.holds(reading.value):
                return None  # nearly always
            row = AlertRow(alert=rule.name, subject=subject)
        if reading.value is not None:
            self._latest[key] = reading
            row = _step(rule, row, reading.value, now)
        elif gone:
            row = replace(row, raised=False, since=None)
        change = None
        quiet = rule.measure in self.held or (rule.quiet is not None and rule.quiet.on(now))
        if row.raised is not row.told and not quiet:
            row = replace(row, told=row.raised)
            last = reading if gone else self._latest.get(key, reading)
            change = AlertChange(rule, subject, row.raised, last, row.began)
        if row.raised or row.told or row.since is not None:
            self._rows[key] = row
        else:
            self._rows.pop(key, None)
            self._latest.pop(key, None)
        return change


def _step(rule: AlertRule, row: AlertRow, value: float, now: float) -> AlertRow:
    """Return an alarm after a reading."""
    if row.raised:
        return replace(row, raised=False, since=None) if rule.clear.holds(value) else row
    if not rule.when.holds(value):
        return replace(row, since=None)
    since = now if row.since is None else row.since
    if now - since < rule.for_s:
        return replace(row, since=since)
    return replace(row, since=since, raised=True, began=since)
