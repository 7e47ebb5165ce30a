"""Describes changes of alarms, webhooks and destinations. Secrets and paths of URLs are not shown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from callrouter.alerting.alert_rules import AlertRule
from callrouter.model.text import listed, phrase
from callrouter.outbox.destinations import Destination, MailServer, Subscription
from callrouter.settings.diff.compare import (
    ADDED,
    REMOVED,
    Difference,
    differing,
    option_differences,
)
from callrouter.settings.loaded import Settings
from callrouter.settings.schema import written_values as written
from callrouter.settings.schema.alert_options import DestinationOptions, SmtpOptions
from callrouter.settings.schema.condition_parsing import condition_text, limit_text
from callrouter.settings.schema.durations import format_duration

_NO_SERVER: Final = MailServer(host="", sender="")


def alert_changes(old: Settings, new: Settings) -> Iterator[Difference]:
    """Yield every change of what is sent to other systems, and where."""
    for id_ in differing(old.destinations, new.destinations):
        yield from _destination(id_, old.destinations.get(id_), new.destinations.get(id_))
    before, after = ({rule.name: rule for rule in each.alerts} for each in (old, new))
    for name in differing(before, after):
        yield from map(Difference, _alert(name, before.get(name), after.get(name)))
    was, now = _by_destination(old.webhooks), _by_destination(new.webhooks)
    for to in differing(was, now):
        text = f"{was.get(to, 'nothing')} -> {now.get(to, 'nothing')}"
        yield Difference(phrase("webhooks", "webhooks to {to}: {what}", to=to, what=text))
    if old.smtp is None or new.smtp is None:
        if old.smtp is not new.smtp:
            server = new.smtp or old.smtp or _NO_SERVER
            yield Difference(
                phrase(
                    "smtp-is",
                    "smtp {value} ({host})",
                    value=REMOVED if new.smtp is None else ADDED,
                    host=server.host,
                )
            )
    else:
        yield from option_differences("smtp:", SmtpOptions, old.smtp, new.smtp)


def _destination(
    id_: str, old: Destination | None, new: Destination | None
) -> Iterator[Difference]:
    what = f"destination {id_}"
    if old is None or new is None:
        which = new or old
        where = "" if which is None else f" ({_address(which)})"
        yield Difference(f"{what} {'removed' if new is None else 'added'}{where}")
        return
    before, after = _address(old), _address(new)
    if before != after:
        yield Difference(f"{what}: {before} -> {after}")
    elif old.webhook != new.webhook:
        yield Difference(phrase("webhook-changed", "{what}: webhook changed", what=what))
    yield from option_differences(f"{what}:", DestinationOptions, old, new)


def _address(destination: Destination) -> str:
    """Return the address for people. The path of a URL may be a secret."""
    if destination.mail:
        return f"mail {destination.mail}"
    url = urlsplit(destination.webhook)
    return f"webhook {url.scheme}://{url.netloc}/…"


def _alert(name: str, old: AlertRule | None, new: AlertRule | None) -> Iterator[str]:
    what = f"alarm {name}"
    if old is None or new is None:
        which = new or old
        shown = "" if which is None else f" ({condition_text(which.measure, which.when)})"
        yield f"{what} {'removed' if new is None else 'added'}{shown}"
        return
    was, now = _parts(old), _parts(new)
    for key, before in was.items():
        if before != now[key]:
            yield f"{what}: {key} {before} -> {now[key]}"


def _parts(rule: AlertRule) -> dict[str, str]:
    return {
        "when": condition_text(rule.measure, rule.when),
        "clear": limit_text(rule.measure, rule.clear),
        "for": format_duration(rule.for_s),
        "queues": ", ".join(rule.queues) or "all",
        "quiet": "never" if rule.quiet is None else written.hours(rule.quiet.spans),
        "to": ", ".join(rule.to),
    }


def _by_destination(subscriptions: tuple[Subscription, ...]) -> dict[str, str]:
    """Return what each destination gets, in words."""
    found: dict[str, list[str]] = {}
    for each in subscriptions:
        queues = f" of {listed(each.queues)}" if each.queues else ""
        for to in each.to:
            found.setdefault(to, []).append(f"{', '.join(each.events)}{queues}")
    return {to: "; ".join(parts) for to, parts in found.items()}
