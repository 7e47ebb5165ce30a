"""Describes changes of alarms, webhooks and destinations. Secrets and paths of URLs are not shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar
from urllib.parse import urlsplit

from callrouter.alerting.alert_rules import AlertRule
from callrouter.model.text import joined, phrase
from callrouter.outbox.destinations import Destination, MailServer, Subscription
from callrouter.settings.diff.compare import (
    ADDED,
    REMOVED,
    Difference,
    differing,
    heading,
    option_differences,
)
from callrouter.settings.loaded import Settings
from callrouter.settings.schema import written_values as written
from callrouter.settings.schema.alert_options import DestinationOptions, SmtpOptions
from callrouter.settings.schema.condition_parsing import condition_text, limit_text
from callrouter.settings.schema.durations import format_duration

_NEVER: Final = phrase("value-never", "never")
_Thing = TypeVar("_Thing")
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
        before_, after_ = was.get(to, written.NOTHING), now.get(to, written.NOTHING)
        both = phrase("from-this-to-that", "{was} -> {now}", was=before_, now=after_)
        yield Difference(phrase("webhooks", "webhooks to {to}: {what}", to=to, what=both))
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
    what = phrase("destination-named", "destination {id}", id=id_)
    if old is None or new is None:
        yield from map(Difference, _added_or_removed(what, old, new, _address))
        return
    before, after = _address(old), _address(new)
    if before != after:
        text = "{what}: {was} -> {now}"
        yield Difference(phrase("thing-was-now", text, what=what, was=before, now=after))
    elif old.webhook != new.webhook:
        yield Difference(phrase("webhook-changed", "{what}: webhook changed", what=what))
    yield from option_differences(heading(what), DestinationOptions, old, new)


def _address(destination: Destination) -> str:
    """Return the address for people. The path of a URL may be a secret."""
    if destination.mail:
        return phrase("mail-to", "mail {address}", address=destination.mail)
    url = urlsplit(destination.webhook)
    return phrase("webhook-at", "webhook {address}", address=f"{url.scheme}://{url.netloc}/…")


def _added_or_removed(
    what: str, old: _Thing | None, new: _Thing | None, shown: Callable[[_Thing], str]
) -> Iterator[str]:
    if new is not None:
        yield phrase("added", "{what} added ({address})", what=what, address=shown(new))
    elif old is not None:
        yield phrase("removed", "{what} removed ({address})", what=what, address=shown(old))


def _alert(name: str, old: AlertRule | None, new: AlertRule | None) -> Iterator[str]:
    what = phrase("alarm-named", "alarm {name}", name=name)
    if old is None or new is None:
        yield from _added_or_removed(
            what, old, new, lambda rule: condition_text(rule.measure, rule.when)
        )
        return
    was, now = _parts(old), _parts(new)
    for key, before in was.items():
        if before != now[key]:
            text = "{what}: {key} {was} -> {now}"
            yield phrase("key-was-now", text, what=what, key=key, was=before, now=now[key])


def _parts(rule: AlertRule) -> dict[str, str]:
    return {
        "when": condition_text(rule.measure, rule.when),
        "clear": limit_text(rule.measure, rule.clear),
        "for": format_duration(rule.for_s),
        "queues": written.names_or_all(rule.queues),
        "quiet": _NEVER if rule.quiet is None else written.hours(rule.quiet.spans),
        "to": ", ".join(rule.to),
    }


def _by_destination(subscriptions: tuple[Subscription, ...]) -> dict[str, str]:
    """Return what each destination gets, in words."""
    found: dict[str, list[str]] = {}
    for each in subscriptions:
        events = ", ".join(each.events)
        if each.queues:
            text = "{events} of {queues_and}"
            events = phrase("events-of", text, events=events, queues_and=each.queues)
        for to in each.to:
            found.setdefault(to, []).append(events)
    return {to: joined(parts) for to, parts in found.items()}
