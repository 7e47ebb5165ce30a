"""Alarms, destinations and webhooks in the files: what is read, refused, and shown by `diff`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callrouter.alerting.alert_rules import Limit, Measure
from callrouter.outbox.destinations import EVENT_NAMES
from callrouter.settings import Settings, changes
from callrouter.settings.schema.condition_parsing import (
    condition_text,
    parse_condition,
)
from tests.settings.cases import ENVIRON, loaded, told

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OPS = f'ops: {{webhook: "https://hooks.example.com/x", secret: "{SECRET}"}}'
HOOK = f"destinations:\n  {OPS}\n"
MAIL = (
    "destinations:\n  sam: {mail: sam@example.com}\n"
    "smtp: {host: mail.example.com, from: callrouter@example.com}\n"
)
ENV = {**ENVIRON, "HOOK": SECRET, "SMTP": "a-password"}


def with_alert(folder: Path, keys: str, more: str = "") -> Settings:
    text = f"{HOOK}alerts:\n  - {{name: a, to: [ops], {keys}}}\n{more}"
    return loaded(folder, ENV, None, out=text)


def alert_errors(folder: Path, keys: str, queues: str = "") -> list[str]:
    text = f"{HOOK}alerts:\n  - {{name: a, to: [ops], {keys}}}\n"
    files = {"out": text, **({"queues": queues} if queues else {})}
    return [line.partition(": ")[2] for line in told(folder, ENV, **files)]


def errors(folder: Path, text: str) -> list[str]:
    return [line.partition(": ")[2] for line in told(folder, ENV, out=text)]


# ---------------------------------------------------------------- what is read


def test_the_example_of_the_interface_is_read(tmp_path: Path) -> None:
    settings = with_alert(
        tmp_path, 'when: "longest_wait > 2m", queues: [support], for: 30s, clear: "< 1m"'
    )
    (rule,) = settings.alerts
    assert (rule.name, rule.measure, rule.to) == ("a", Measure.LONGEST_WAIT, ("ops",))
    assert (rule.when, rule.clear) == (Limit(">", 120), Limit("<", 60))
    assert (rule.queues, rule.for_s, rule.quiet) == (("support",), 30.0, None)
    ops = settings.destinations["ops"]
    assert (ops.webhook, ops.secret) == ("https://hooks.example.com/x", SECRET)
    assert ops.give_up_after == 24 * 3600
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("when", "measure", "limit"),
    [
        ("waiting > 5", Measure.WAITING, Limit(">", 5)),
        ("waiting>=5", Measure.WAITING, Limit(">=", 5)),
        (" longest_wait  >  90 ", Measure.LONGEST_WAIT, Limit(">", 90)),
        ("longest_wait > 1m30s", Measure.LONGEST_WAIT, Limit(">", 90)),
        ("signed_in < 1", Measure.SIGNED_IN, Limit("<", 1)),
        ("signed_in = 0", Measure.SIGNED_IN, Limit("=", 0)),
        ("present < 2", Measure.PRESENT, Limit("<", 2)),
        ("service_level < 80", Measure.SERVICE_LEVEL, Limit("<", 80)),
        ("service_level < 80%", Measure.SERVICE_LEVEL, Limit("<", 80)),
        ("pause > 45m", Measure.PAUSE, Limit(">", 2700)),
        ("unreachable_phones > 0", Measure.UNREACHABLE_PHONES, Limit(">", 0)),
        ("pbx_away > 30s", Measure.PBX_AWAY, Limit(">", 30)),
        ("database_away > 1m", Measure.DATABASE_AWAY, Limit(">", 60)),
        ("no_standby > 1m", Measure.NO_STANDBY, Limit(">", 60)),
        ("node_away > 30s", Measure.NODE_AWAY, Limit(">", 30)),
        ("config_differs > 5m", Measure.CONFIG_DIFFERS, Limit(">", 300)),
        ("refused_logins > 20", Measure.REFUSED_LOGINS, Limit(">", 20)),
    ],
)
def test_conditions(when: str, measure: Measure, limit: Limit) -> None:
    assert parse_condition(when) == (measure, limit)
    assert parse_condition(condition_text(measure, limit)) == (measure, limit)


def test_without_clear_it_is_over_when_it_does_not_hold(tmp_path: Path) -> None:
    (rule,) = with_alert(tmp_path, 'when: "waiting > 5"').alerts
    assert rule.clear == Limit("<=", 5)


def test_quiet_hours_are_those_of_the_site(tmp_path: Path) -> None:
    more = "timezone: Europe/London\n"
    (rule,) = with_alert(tmp_path, 'when: "waiting > 5", quiet: "mon-fri 22:00-07:00"', more).alerts
    assert rule.quiet is not None
    london = ZoneInfo("Europe/London")
    assert rule.quiet.on(datetime(2026, 7, 7, 6, 30, tzinfo=london).timestamp())
    assert not rule.quiet.on(datetime(2026, 7, 7, 7, 30, tzinfo=london).timestamp())


def test_webhooks_mail_and_references(tmp_path: Path) -> None:
    text = (
        'destinations:\n  crm: {webhook: "https://crm.example.com/h?x=1", secret: "${HOOK}"}\n'
        "  near: {webhook: 'http://127.0.0.1:9000/h', secret: '${HOOK}', give_up_after: 3d}\n"
        "  six: {webhook: 'http://[::1]:9000', secret: '${HOOK}'}\n"
        "  sam: {mail: sam@example.com}\n"
        "webhooks:\n  - {to: crm, events: [call.ended, call.offered, call.ended]}\n"
        "  - {to: [near, six], events: [agent.paused], queues: [support]}\n"
        "smtp: {host: mail.example.com, from: c@example.com, user: c, password: '${SMTP}'}\n"
    )
    settings = loaded(tmp_path, ENV, None, out=text)
    first, second = settings.webhooks
    assert (first.to, first.events) == (("crm",), ("call.ended", "call.offered"))
    assert (second.to, second.queues) == (("near", "six"), ("support",))
    assert settings.destinations["near"].give_up_after == 3 * 86400
    smtp = settings.smtp
    assert smtp is not None
    assert (smtp.host, smtp.port, smtp.tls, smtp.user) == (
        "mail.example.com", 587, "starttls", "c",
    )  # fmt: skip
    assert smtp.password == "a-password"
    assert "a-password" not in repr(settings)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("when", "said"),
    [
        (
            "longst_wait > 2m",
            "when: unknown measure 'longst_wait' (did you mean 'longest_wait'?)",
        ),
        ("wait > 2m", "when: unknown measure 'wait' (did you mean 'waiting'?)"),
        ("longest_wait", "when: 'longest_wait' compares longest_wait with nothing (such as 'longest_wait > 2m')"),
        ("longest_wait 2m", "when: 'longest_wait 2m' has no sign (write 'longest_wait > 2m')"),
        ("waiting > 2m", "when: '2m' is not a value of waiting (waiting is a whole number)"),
        ("waiting > -1", "when: '-1' is not a value of waiting (waiting is a whole number)"),
        ("waiting > many", "when: 'many' is not a value of waiting (waiting is a whole number)"),
        ("longest_wait > 2 minutes", "when: '2 minutes' is not a value of longest_wait (longest_wait is a duration such as 2m)"),
        ("service_level < 101", "when: '101' is not a value of service_level (service_level is a percentage from 0 to 100)"),
        ("waiting >", "when: the comparison has no value (waiting is a whole number)"),
        ("> 5", "when: it names no measure (such as 'waiting > 5')"),
        ("waiting == 5", "when: '==' is not a sign (write =)"),
        ("waiting => 5", "when: '=>' is not a sign (write >=)"),
        ("waiting != 5", "when: '!=' is not a sign (signs are <=, >=, <, > or =)"),
        ("waiting > 5 and longest_wait > 2m", "when: 'waiting > 5 and longest_wait > 2m' is more than one comparison (make an alarm of each comparison)"),
        ("1 < waiting < 5", "when: '1 < waiting < 5' is more than one comparison (make an alarm of each comparison)"),
        ("waiting < 0", "when: 'waiting < 0' never holds (waiting is a whole number, 0 or more)"),
        ("waiting >= 0", "when: 'waiting >= 0' always holds (waiting is a whole number, 0 or more)"),
        ("service_level > 100", "when: 'service_level > 100%' never holds (service_level is a percentage from 0 to 100, 0 or more)"),
    ],
)  # fmt: skip
def test_wrong_conditions(tmp_path: Path, when: str, said: str) -> None:
    with_target = (
        "queues:\n  support: {agents: [alice], service_level: {within: 20s, target: 80}}\n"
    )
    assert alert_errors(tmp_path, f'when: "{when}"', with_target) == [said]


@pytest.mark.parametrize(
    ("clear", "said"),
    [
        ("> 3m", "clear: at 3m500ms, '> 3m' holds, and when as well (such as '<= 2m')"),
        ("< 3m", "clear: at 2m500ms, '< 3m' holds, and when as well (such as '<= 2m')"),
        ("1m", "clear: '1m' is not a comparison (such as '<= 2m')"),
        ("waiting < 1", "clear: 'waiting' is not what the alarm watches (leave it out, or write longest_wait)"),
        ("< 0", "clear: 'longest_wait < 0s' never holds (longest_wait is a duration such as 2m, 0 or more)"),
    ],
)  # fmt: skip
def test_wrong_clear(tmp_path: Path, clear: str, said: str) -> None:
    assert alert_errors(tmp_path, f'when: "longest_wait > 2m", clear: "{clear}"') == [said]


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('when: "waiting > 5", queues: [suport]', "unknown queue 'suport' (did you mean 'support'?)"),
        ('when: "database_away > 1m", queues: [support]', "database_away is not measured by queue (take queues out)"),
        ('when: "service_level < 80", queues: [support]', "queue 'support' has no service_level (add service_level: {within: 20s, target: 80} to it)"),
        ('when: "service_level < 80"', "no queue has a service_level (add it to the queues that are meant)"),
        ('when: "waiting > 5", quiet: "22:00-07:00"', "hours: '22:00-07:00' is not days and times, such as 'mon-fri 09:00-17:30' (write daily 22:00-07:00)"),
        ('when: "waiting > 5", for: soon', "for must be a duration such as 20s, 5m or 1h30m, not 'soon'"),
        ('when: "waiting > 5", fore: 5s', "unknown key 'fore' (did you mean 'for'?)"),
        ("queues: [support]", "item 1 of alerts has no 'when' (add a line 'when: …')"),
        ("when: true", 'when must be a comparison such as "longest_wait > 2m", not true'),
    ],
)  # fmt: skip
def test_wrong_alarms(tmp_path: Path, keys: str, said: str) -> None:
    assert alert_errors(tmp_path, keys) == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{HOOK}alerts:\n  - {{name: a, when: waiting > 5, to: [opps]}}\n", "unknown destination 'opps' (did you mean 'ops'?)"),
        (f"{HOOK}alerts:\n  - {{name: a, when: waiting > 5, to: []}}\n", "to names no destination (such as [ops])"),
        (f"{HOOK}alerts: {{name: a}}\n", 'alerts must be a list such as [{name: long-wait, when: "longest_wait > 2m", to: [ops]}], not a mapping'),
        (f"{HOOK}webhooks:\n  - {{to: crm, events: [call.ended]}}\n", "unknown destination 'crm' (there is none of that name in destinations:)"),
        (f"{MAIL}webhooks:\n  - {{to: sam, events: [call.ended]}}\n", "destination 'sam' is a mail address (name one with a webhook; mail is for alerts)"),
        (f"{HOOK}webhooks:\n  - {{to: ops, events: []}}\n", "events names none (such as [call.ended])"),
        (f"{HOOK}webhooks:\n  - {{to: ops, events: [call.end]}}\n", f"item 1 of events must be one of {', '.join(EVENT_NAMES)}, not 'call.end' (did you mean 'call.ended'?)"),
        (f"{HOOK}webhooks:\n  - {{to: ops, events: call.ended}}\n", "events must be a list such as [call.ended], not 'call.ended'"),
        ("destinations:\n  ops: {}\n", "destination 'ops' has neither webhook nor mail (write one of them)"),
        (f"destinations:\n  ops: {{webhook: 'https://a.example.com', mail: a@example.com, secret: {SECRET}}}\n", "destination 'ops' has both webhook and mail (write one of them)"),
        ("destinations:\n  ops: {webhook: 'https://a.example.com'}\n", "destination 'ops' has no secret to sign with (secret: whsec_ and 24 to 64 bytes in base64; echo \"whsec_$(openssl rand -base64 32)\" makes one)"),
        (f"destinations:\n  ops: {{webhook: 'http://a.example.com', secret: {SECRET}}}\n", "webhook without TLS leads to another machine (write https://, or add plain_http: true)"),
        (f"destinations:\n  ops: {{webhook: 'https://me:pw@a.example.com', secret: {SECRET}}}\n", "webhook must be an address such as https://hooks.example.com/calls, not 'https:// …'"),
        (f"destinations:\n  ops: {{webhook: 'ftp://a.example.com', secret: {SECRET}}}\n", "webhook must be an address such as https://hooks.example.com/calls, not 'ftp://a.example.com'"),
        (f"destinations:\n  ops: {{webhook: 'https://a.example.com:99999', secret: {SECRET}}}\n", "webhook has a wrong host or port (such as https://a.b/c)"),
        ("destinations:\n  sam: {mail: sam@example.com}\n", "there is no server for mail (add a section smtp with host and from)"),
        ("destinations:\n  sam: {mail: sam}\n", "mail must be a mail address such as sam@example.com, not 'sam'"),
        (f"{MAIL}", ""),
        (f"{MAIL.replace('}', ', secret: x}', 1)}", "secret belongs to a webhook (take it out)"),
        ("smtp: {host: a.example.com, from: a@example.com, user: a}\n", "user without a password (add password)"),
        ("smtp: {host: a.example.com, from: a@example.com, password: a}\n", "password without a user (add user)"),
        ("smtp: {host: a.example.com, from: a@example.com, user: a, password: b, tls: none}\n", "the password would go to another machine without TLS (write starttls or tls)"),
        ("smtp: {host: a.example.com}\n", "smtp has no 'from' (add a line 'from: …')"),
        ("smtp: {host: a.example.com, from: a@example.com, tls: ssl}\n", "tls must be starttls, tls or none, not 'ssl'"),
    ],
)  # fmt: skip
def test_wrong_destinations_and_webhooks(tmp_path: Path, text: str, said: str) -> None:
    assert errors(tmp_path, text) == ([said] if said else [])


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_kurz", "whsec_!!!!", SECRET[6:]])
def test_a_wrong_secret_is_refused_and_not_shown(tmp_path: Path, secret: str) -> None:
    text = f"destinations:\n  ops: {{webhook: 'https://a.example.com', secret: \"{secret}\"}}\n"
    (line,) = errors(tmp_path, text)
    assert line.startswith("secret must be whsec_ and 24 to 64 bytes in base64 (")
    assert secret == "whsec_" or secret not in line


def test_an_alarm_of_the_same_name(tmp_path: Path) -> None:
    text = HOOK + "alerts:\n" + "  - {name: a, when: waiting > 5, to: ops}\n" * 2
    assert told(tmp_path, ENV, out=text) == [
        "out.yaml:5:12: alarm 'a' appears twice (first in out.yaml:4)"
    ]


# ---------------------------------------------------------------- diff

BEFORE = HOOK + (
    "alerts:\n  - {name: a, when: waiting > 5, to: ops}\n"
    "webhooks:\n  - {to: ops, events: [call.ended]}\n"
    "smtp: {host: mail.example.com, from: c@example.com, user: c, password: p1}\n"
)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("waiting > 5", "waiting > 6", ["alarm a: when waiting > 5 -> waiting > 6", "alarm a: clear <= 5 -> <= 6"]),
        ("to: ops}\nwe", "to: ops, for: 1m, quiet: daily 22:00-06:00}\nwe", ["alarm a: for 0s -> 1m", "alarm a: quiet never -> daily 22:00-06:00"]),
        ("to: ops}\nwe", "to: ops, queues: [support]}\nwe", ["alarm a: queues all -> support"]),
        ("name: a", "name: b", ["alarm a removed (waiting > 5)", "alarm b added (waiting > 5)"]),
        ("https://hooks.example.com/x", "https://hooks.example.com/y", ["destination ops: webhook changed"]),
        ("https://hooks.example.com/x", "https://other.example.com/y", ["destination ops: webhook https://hooks.example.com/… -> webhook https://other.example.com/…"]),
        (SECRET, SECRET.replace("M", "N", 1), ["destination ops: secret changed"]),
        ('"}\n', '", give_up_after: 2d, plain_http: true}\n', ["destination ops: plain_http false -> true", "destination ops: give_up_after 1d -> 2d"]),
        ("  ops:", "  sam: {mail: s@example.com}\n  ops:", ["destination sam added (mail s@example.com)"]),
        ("events: [call.ended]", "events: [call.offered, call.ended], queues: [support]", ["webhooks to ops: call.ended -> call.offered, call.ended of support"]),
        ("password: p1", "password: p2", ["smtp: password changed"]),
        ("host: mail", "host: relay", ["smtp: host mail.example.com -> relay.example.com"]),
        ("from: c@", "from: d@", ["smtp: from c@example.com -> d@example.com"]),
        ("smtp:", "# smtp:", ["smtp removed (mail.example.com)"]),
    ],
)  # fmt: skip
def test_diff(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert old in BEFORE
    before = loaded(tmp_path, ENV, None, out=BEFORE)
    found = changes(before, loaded(tmp_path, ENV, None, out=BEFORE.replace(old, new, 1)))
    assert found == said
    assert SECRET not in str(found)
