"""Builds alarms, webhooks and destinations from the options that fit the schema."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from callrouter.alerting.alert_rules import MEASURES, AlertRule, Limit, Measure
from callrouter.model.text import phrase, sentence_of
from callrouter.outbox.destinations import Destination, MailServer, Subscription
from callrouter.settings.builders.build_context import BuildContext, is_damaged
from callrouter.settings.builders.site_builder import is_loopback
from callrouter.settings.errors.problems import quoted
from callrouter.settings.schema.alert_options import AlertOptions, DestinationOptions
from callrouter.settings.schema.condition_parsing import (
    ConditionError,
    parse_clear,
    parse_condition,
)
from callrouter.settings.schema.options import spec_values
from callrouter.settings.schema.root_options import RootOptions
from callrouter.settings.yaml.source import KeyPath

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how a secret begins
_SECRET_IS: Final = phrase(
    "form-of-secret", "{prefix} and 24 to 64 bytes in base64", prefix=SECRET_PREFIX
)
_MAKE_ONE: Final = phrase(
    "command-makes-one", "{command} makes one", command='echo "whsec_$(openssl rand -base64 32)"'
)


def build_destinations(root: RootOptions, context: BuildContext) -> dict[str, Destination]:
    """Build the destinations.

    Each must be either a webhook with a secret or a mail address, and mail needs a server.
    """
    found: dict[str, Destination] = {}
    for id_, options in root.destinations.items():
        path: KeyPath = ("destinations", id_)
        _check_destination(path, options, root, context)
        found[id_] = Destination(id=id_, **spec_values(options))
    return found


def _check_destination(
    path: KeyPath, options: DestinationOptions, root: RootOptions, context: BuildContext
) -> None:
    document = context.document
    written = document.written(*path)
    if is_damaged(written):
        return
    if (options.webhook is None) is (options.mail is None):
        name = quoted(str(path[-1]))
        if options.mail is None:
            text = "destination {name} has neither webhook nor mail"
            words = phrase("destination-has-none", text, name=name)
        else:
            text = "destination {name} has both webhook and mail"
            words = phrase("destination-has-both", text, name=name)
        document.error(path, words, phrase("write-one-them", "write one of them"), key=True)
        return
    if options.mail is not None:
        for key in ("secret", "plain_http"):
            if key in options.model_fields_set:
                document.error(
                    (*path, key),
                    phrase("belongs-webhook", "{key} belongs to a webhook", key=key),
                    phrase("take-out", "take it out"),
                    key=True,
                )
        if root.smtp is None and "smtp" not in document.root.at:
            hint = phrase(
                "add-section-smtp-with-host-from", "add a section smtp with host and from"
            )
            document.error(
                (*path, "mail"),
                phrase("there-no-server-for-mail", "there is no server for mail"),
                hint,
            )
        return
    if options.secret is None:
        text = phrase(
            "destination-has-no-secret-sign-with",
            "destination {path} has no secret to sign with",
            path=quoted(str(path[-1])),
        )
        document.error(
            path,
            text,
            phrase(
                "secret-is",
                "secret: {what}; {how}",
                what=_SECRET_IS,
                how=_MAKE_ONE,
            ),
            key=True,
        )
    elif not _is_secret(options.secret):
        document.error(
            (*path, "secret"),
            phrase("secret-must-be", "secret must be {what}", what=_SECRET_IS),
            _MAKE_ONE,
        )
    _check_plain_http((*path, "webhook"), options, context)


def _check_plain_http(path: KeyPath, options: DestinationOptions, context: BuildContext) -> None:
    try:
        address = urlsplit(options.webhook or "")
        host, _ = address.hostname or "", address.port
    except ValueError:
        context.document.error(
            path,
            phrase("webhook-has-wrong-host-or-port", "webhook has a wrong host or port"),
            phrase("such-as-https-b-c", "such as https://a.b/c"),
        )
        return
    if address.scheme == "http" and not options.plain_http and not is_loopback(host):
        text = phrase(
            "webhook-without-tls-leads-another-machine",
            "webhook without TLS leads to another machine",
        )
        context.document.error(
            path,
            text,
            phrase("write-https-or-add-plain-http", "write https://, or add plain_http: true"),
        )


def _is_secret(text: str) -> bool:
    if not text.startswith(SECRET_PREFIX):
        return False
    try:
        size = len(base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True))
    except (binascii.Error, ValueError):
        return False
    return 24 <= size <= 64


def build_smtp(root: RootOptions, context: BuildContext) -> MailServer | None:
    """Build the server for mail; None: none is configured."""
    smtp, document = root.smtp, context.document
    if smtp is None:
        return None
    if smtp.password is not None and smtp.user is None:
        document.error(
            ("smtp", "password"),
            phrase("password-without-user", "password without a user"),
            phrase("add-user", "add user"),
            key=True,
        )
    if smtp.user is not None and smtp.password is None:
        document.error(
            ("smtp", "user"),
            phrase("user-without-password", "user without a password"),
            phrase("add-password", "add password"),
            key=True,
        )
    if smtp.password is not None and smtp.tls == "none" and not is_loopback(smtp.host):
        text = phrase(
            "password-would-go-another-machine-without",
            "the password would go to another machine without TLS",
        )
        document.error(
            ("smtp", "tls"), text, phrase("write-starttls-or-tls", "write starttls or tls")
        )
    return MailServer(**spec_values(smtp))


def build_webhooks(root: RootOptions, context: BuildContext) -> tuple[Subscription, ...]:
    """Build which events go where, in the order of the files."""
    found = []
    for index, options in enumerate(root.webhooks):
        path: KeyPath = ("webhooks", index)
        to = _destinations(path, options.to, context)
        _check_no_mail(path, options.to, root, context)
        if not options.events and not is_damaged(context.document.written(*path)):
            context.document.error(
                (*path, "events"),
                phrase("events-names-none", "events names none"),
                phrase("such-as-call-ended", "such as [call.ended]"),
            )
        _check_queues(path, options.queues, context)
        found.append(
            Subscription(
                to=to,
                events=tuple(dict.fromkeys(options.events)),
                queues=tuple(dict.fromkeys(options.queues)),
            )
        )
    return tuple(found)


def _check_no_mail(
    path: KeyPath, written: str | list[str], root: RootOptions, context: BuildContext
) -> None:
    """Report destinations of webhooks that are mail addresses: a busy day has thousands of events."""
    for place, name in enumerate([written] if isinstance(written, str) else written):
        found = root.destinations.get(name)
        if found is not None and found.mail is not None:
            where = (*path, "to") if isinstance(written, str) else (*path, "to", place)
            text = phrase(
                "destination-mail-address",
                "destination {name} is a mail address",
                name=quoted(name),
            )
            context.document.error(
                where,
                text,
                phrase(
                    "name-one-with-webhook-mail-for", "name one with a webhook; mail is for alerts"
                ),
            )


def build_alerts(root: RootOptions, context: BuildContext) -> tuple[AlertRule, ...]:
    """Build the alarms in the order of the files. Those with a mistake are left out."""
    found = []
    names: dict[str, KeyPath] = {}
    for index, options in enumerate(root.alerts):
        path: KeyPath = ("alerts", index)
        first = names.setdefault(options.name, path)
        if first != path:
            text = phrase(
                "alarm-stands-twice", "alarm {name} appears twice", name=quoted(options.name)
            )
            hint = phrase(
                "first-in", "first in {place}", place=context.document.line((*first, "name"))
            )
            context.document.error((*path, "name"), text, hint)
        rule = _alert(path, options, root, context)
        if rule is not None:
            found.append(rule)
    return tuple(found)


def _alert(
    path: KeyPath, options: AlertOptions, root: RootOptions, context: BuildContext
) -> AlertRule | None:
    condition = _condition(path, options, context)
    quiet = [options.quiet] if isinstance(options.quiet, str) else options.quiet
    places: dict[KeyPath, str] = {
        (*path, "quiet", n) if isinstance(options.quiet, list) else (*path, "quiet"): text
        for n, text in enumerate(quiet)
    }
    hours = context.hours(places)
    to = _destinations(path, options.to, context)
    _check_queues(path, options.queues, context)
    if condition is None:
        return None
    measure, when, clear = condition
    _check_measure(path, measure, options.queues, root, context)
    values = spec_values(
        options,
        to=to,
        queues=tuple(dict.fromkeys(options.queues)),
        quiet=hours,
        when=when,
        clear=clear,
    )
    return AlertRule(measure=measure, **values)


def _condition(
    path: KeyPath, options: AlertOptions, context: BuildContext
) -> tuple[Measure, Limit, Limit] | None:
    """Return what raises and what clears an alarm; None: a mistake, which was reported."""
    key = "when"
    try:
        measure, when = parse_condition(options.when)
        key = "clear"
        clear = (
            when.opposite() if options.clear is None else parse_clear(options.clear, measure, when)
        )
    except ConditionError as error:
        hint = error.hint
        if error.word:
            hint = context.nearest.hint(error.word, tuple(MEASURES))
            hint = hint or phrase(
                "measures-are", "measures are {measures}", measures=tuple(MEASURES)
            )
        text = phrase("wrong-condition", "{key}: {error}", key=key, error=sentence_of(error))
        context.document.error((*path, key), text, hint)
        return None
    return measure, when, clear


def _check_measure(
    path: KeyPath, measure: Measure, queues: Sequence[str], root: RootOptions, context: BuildContext
) -> None:
    """Report queues of a measure that has none, and a service level that is not configured."""
    if queues and not measure.takes_queues:
        text = phrase("not-measured-by-queue", "{word} is not measured by queue", word=measure.word)
        context.document.error(
            (*path, "queues"), text, phrase("take-queues-out", "take queues out"), key=True
        )
    if measure is not Measure.SERVICE_LEVEL:
        return
    with_target = {id_ for id_, queue in root.queues.items() if queue.service_level is not None}
    for place, name in enumerate(queues):
        if name in root.queues and name not in with_target:
            text = phrase(
                "queue-has-no-service-level", "queue {name} has no service_level", name=quoted(name)
            )
            hint = phrase(
                "add-service-level-within-20s-target",
                "add service_level: {{within: 20s, target: 80}} to it",
            )
            context.document.error((*path, "queues", place), text, hint)
    if not queues and not with_target and context.document.knows_all_names("queues"):
        text = phrase("no-queue-has-service-level", "no queue has a service_level")
        context.document.error(
            (*path, "when"),
            text,
            phrase("add-queues-are-meant", "add it to the queues that are meant"),
        )


def _destinations(
    path: KeyPath, written: str | list[str], context: BuildContext
) -> tuple[str, ...]:
    if isinstance(written, str):
        context.check_name("destinations", written, (*path, "to"), "destination")
        return (written,)
    for place, name in enumerate(written):
        context.check_name("destinations", name, (*path, "to", place), "destination")
    if not written and not is_damaged(context.document.written(*path, "to")):
        context.document.error(
            (*path, "to"),
            phrase("names-no-destination", "to names no destination"),
            phrase("such-as-ops", "such as [ops]"),
        )
    return tuple(dict.fromkeys(written))


def _check_queues(path: KeyPath, names: Sequence[str], context: BuildContext) -> None:
    nothing = phrase("would-be-about-nothing", "it would be about nothing")
    context.refuse_empty((*path, "queues"), nothing)
    for place, name in enumerate(names):
        context.check_name("queues", name, (*path, "queues", place), "queue")
