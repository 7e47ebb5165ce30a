"""What a change of the configuration is in words."""

from __future__ import annotations

import itertools
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callrouter.model.hours import parse_spans
from callrouter.model.routing_table import (
    Rule,
    Table,
)
from callrouter.settings import HttpSettings, Settings, changes, load
from callrouter.settings.diff.compare import reordered
from callrouter.settings.schema import written_values as w
from callrouter.settings.schema.durations import format_duration, parse_duration
from tests.settings.cases import ENVIRON, loaded

FILES = {
    "pbx": (
        "pbx:\n  office: {driver: asterisk, username: u, secret: hunter-two, dial_number: 'PJSIP/{number}@c'}\n"
        "http:\n  listen: 127.0.0.1:8080\n"
        "  api_tokens: [{name: crm, role: agent, token: hunter-two-hunter-two}]\n"
        "users:\n  sam: {role: supervisor, password: $argon2id$hunter}\n"
        "database: postgresql://u:hunter@h/d\n"
        "timezone: Europe/London\n"
        "numbers: {region: GB}\n"
    ),
    "agents": (
        "agents:\n"
        "  alice: {name: Alice Martin, pin: $argon2id$hunter, skills: {french: 3},\n"
        "          devices: {desk: PJSIP/1, mobile: {number: '+447700900123'}}}\n"
        "  bob: {devices: {desk: PJSIP/2}}\n"
        "  carol: {devices: {desk: PJSIP/3}}\n"
        "  dave: {devices: {desk: PJSIP/4}}\n"
        "pauses:\n"
        "  lunch: {longest: 45m, then: resume}\n"
        "  tea: {default: true}\n"
    ),
    "queues": (
        "queues:\n"
        "  support:\n"
        "    policy: priority\n"
        "    agents: {alice: 1, bob: 2, dave: 3}\n"
        "    ring_for: 20s\n"
        "    hours: mon-fri 09:00-17:00\n"
        "    holidays: [2026-12-25]\n"
        "    skills: {french: 0}\n"
        "    shifts:\n"
        "      - {hours: mon-fri 12:00-13:00, agents: [carol]}\n"
        "      - {hours: mon-fri 16:00-17:00, agents: {carol: 1, dave: 2}}\n"
        "    widen:\n"
        "      - {after: 30s, at_once: 3}\n"
        "      - {after: 60s, agents: {carol: 10}}\n"
        "    service_level: {within: 20s, target: 80}\n"
        "  sales: {policy: linear, agents: [alice, bob, carol]}\n"
        "rules:\n"
        "  - {name: night, when: {hours: daily 22:00-06:00}, then: {queue: sales}}\n"
        "  - {name: VIP, when: {caller: '+442079460018', queue: support}, then: {priority: 1, agent: alice}}\n"
        "  - {name: france, when: {caller: '+33*'}, then: {skills: {french: 2}}}\n"
    ),
}  # fmt: skip


def settings(folder: Path, *edits: tuple[str, str]) -> Settings:
    files = dict(FILES)
    for old, new in edits:
        [name] = [name for name, text in files.items() if old in text]
        files[name] = files[name].replace(old, new, 1)
    return loaded(folder, ENVIRON, None, **files)


RESTART = " (needs a restart)"
CASES: list[tuple[str, str, list[str]]] = [
    # Members.
    ("bob: 2,", "bob: 1,", ["bob moves from priority 2 to 1 in support"]),
    ("bob, carol]", "bob, carol, dave]", ["dave joins sales with priority 1"]),
    ("{alice: 1, bob: 2, dave: 3}", "{alice: 1, bob: 2}", ["dave leaves support"]),
    ("[alice, bob, carol]", "[carol, alice, bob]", ["carol moves up in the order of sales"]),
    ("[alice, bob, carol]", "[bob, carol, alice]", ["alice moves down in the order of sales"]),
    ("[alice, bob, carol]", "[bob, alice, carol]", ["bob moves up in the order of sales"]),
    # Order says nothing to this policy.
    ("{alice: 1, bob: 2, dave: 3}", "{dave: 3, bob: 2, alice: 1}", []),
    # Keys of a queue.
    ("ring_for: 20s", "ring_for: 25s", ["support: ring_for 20s -> 25s"]),
    ("ring_for: 20s", "ask_alone_for: 10s", ["support: ask_alone_for 6s -> 10s"]),
    ("ring_for: 20s", "show: '{queue}: {name}'", ["support: show none -> {queue}: {name}"]),
    ("ring_for: 20s", "alert_info: '<http://a>;info=b'", ["support: alert_info none -> <http://a>;info=b"]),
    ("ring_for: 20s", "name: Help", ["support: name support -> Help"]),
    ("policy: priority", "policy: [priority, random]", ["support: policy priority -> priority, random"]),
    ("policy: priority", "policy: ring-all", ["support: policy priority -> ring-all", "support: at_once 1 -> all"]),
    ("ring_for: 20s", "wrap_up: 1m30s", ["support: wrap_up 0s -> 1m30s"]),
    ("ring_for: 20s", "max_wait: 5m", ["support: max_wait none -> 5m"]),
    ("ring_for: 20s", "max_waiting: 50", ["support: max_waiting none -> 50"]),
    ("ring_for: 20s", "on_full: queue:sales", ["support: on_full none -> queue:sales"]),
    ("ring_for: 20s", "on_closed: 'dialplan:a,b,1'", ["support: on_closed none -> dialplan:a,b,1"]),
    ("ring_for: 20s", "on_nobody: wait", ["support: on_nobody none -> wait"]),
    ("ring_for: 20s", "on_nobody: hangup", ["support: on_nobody none -> hangup"]),
    ("ring_for: 20s", "weight: 2", ["support: weight 1 -> 2"]),
    ("ring_for: 20s", "music: jazz", ["support: music default -> jazz"]),
    ("ring_for: 20s", "last_agent: 8h", ["support: last_agent never -> 8h"]),
    ("ring_for: 20s", "announce: {position: true}", ["support: announce nothing -> position every 45s"]),
    ("ring_for: 20s", "announce: {position: true, estimate: true, every: 1m}", ["support: announce nothing -> position and estimate every 1m"]),
    ("ring_for: 20s", "prefer_for: 15s", ["support: prefer_for 0s -> 15s"]),
    ("    hours: mon-fri 09:00-17:00\n", "", ["support: hours mon-fri 09:00-17:00 -> always"]),
    (
        "hours: mon-fri 09:00-17:00",
        "hours: mon-fri 09:00-12:00, 13:00-17:00; sat 10:00-14:00",
        ["support: hours mon-fri 09:00-17:00 -> mon-fri 09:00-12:00, 13:00-17:00; sat 10:00-14:00"],
    ),
    (
        "[2026-12-25]",
        "[2026-12-26, 2027-01-01]",
        [
            "support: holidays added: 2026-12-26, 2027-01-01",
            "support: holidays removed: 2026-12-25",
        ],
    ),
    ("skills: {french: 0}", "skills: {french: 2, german: 1}", ["support: skill french 0 -> 2", "support: skill german 1 added"]),
    ("    skills: {french: 0}\n", "", ["support: skill french removed (was 0)"]),
    ("{within: 20s, target: 80}", "{within: 30s, target: 80}", ["support: service_level 80% within 20s -> 80% within 30s"]),
    (
        "{within: 20s, target: 80}",
        "{within: 20s, target: 80, short_abandon: 3s}",
        ["support: service_level 80% within 20s -> 80% within 20s, short abandons below 3s"],
    ),
    # Queues.
    (
        "  sales:",
        "  billing: {agents: [alice, bob, carol]}\n  sales:",
        ["queue billing is new (policy longest-idle; 3 agents)"],
    ),
    (
        "  support:\n",
        "  old: {}\n  support:\n",
        ["queue old is new (policy longest-idle; 0 agents)"],
    ),
    # Shifts.
    ("agents: [carol]}", "agents: [carol, bob]}", ["bob joins shift mon-fri 12:00-13:00 of support with priority 1"]),
    ("{carol: 1, dave: 2}", "{carol: 1, dave: 5}", ["dave moves from priority 2 to 5 in shift mon-fri 16:00-17:00 of support"]),
    (
        "      - {hours: mon-fri 12:00-13:00, agents: [carol]}\n",
        "",
        ["shift mon-fri 12:00-13:00 of support is gone"],
    ),
    (
        "hours: mon-fri 12:00-13:00, agents: [carol]",
        "hours: mon-fri 13:00-14:00, agents: {carol: 1, dave: 2}",
        [
            "shift mon-fri 12:00-13:00 of support is gone",
            "shift mon-fri 13:00-14:00 of support is new (carol 1, dave 2)",
        ],
    ),
    (
        (
            "      - {hours: mon-fri 12:00-13:00, agents: [carol]}\n"
            "      - {hours: mon-fri 16:00-17:00, agents: {carol: 1, dave: 2}}\n"
        ),
        (
            "      - {hours: mon-fri 16:00-17:00, agents: {carol: 1, dave: 2}}\n"
            "      - {hours: mon-fri 12:00-13:00, agents: [carol]}\n"
        ),
        ["shift mon-fri 16:00-17:00 of support moved up"],
    ),
    # Widening.
    ("at_once: 3", "at_once: all", ["support after 30s: at_once 3 -> all"]),
    ("{after: 30s, at_once: 3}", "{after: 30s, skills: {}}", [
        "support after 30s: at_once 3 -> as before",
        "support after 30s: skills as before -> none",
    ]),
    ("{after: 30s, at_once: 3}", "{after: 40s, at_once: 2, skills: {}}", [
        "support after 30s: no longer widens (at_once 3)",
        "support after 40s: widens (at_once 2; skills none)",
    ]),
    ("agents: {carol: 10}", "at_once: all", [
        "carol leaves support after 1m",
        "support after 1m: at_once as before -> all",
    ]),
    ("agents: {carol: 10}", "agents: {carol: 5}, skills: {french: 1}", [
        "carol moves from priority 10 to 5 in support after 1m",
        "support after 1m: skills as before -> french 1",
    ]),
    ("      - {after: 60s, agents: {carol: 10}}\n", "", ["support after 1m: no longer widens (carol 10)"]),
    # Rules.
    ("priority: 1, agent: alice", "priority: 2, agent: bob", ["rule VIP: then priority 1 -> 2", "rule VIP: then agent alice -> bob"]),
    ("'+442079460018'", "['+442079460018', '+44*']", ["rule VIP: caller +44…018 -> +44…018 or +44*"]),
    ("'+442079460018'", "'+442079461018'", ["rule VIP: caller changed"]),
    ("queue: support}", "queue: [sales, support]}", ["rule VIP: queue support -> sales or support"]),
    ("hours: daily 22:00-06:00", "hours: sat-sun 00:00-24:00, tag: x", ["rule night: hours daily 22:00-06:00 -> sat-sun 00:00-24:00", "rule night: tag none -> x"]),
    ("rules:\n", "rules:\n  - {name: all, when: {called: 1234567, tag: [x, y]}, then: {tag: z}}\n", ["rule all is new (called …567, tag x or y: then tag z)"]),
    ("rules:\n", "rules:\n  - {name: all, then: {priority: 9}}\n", ["rule all is new (every call: then priority 9)"]),
    ("  - {name: france, when: {caller: '+33*'}, then: {skills: {french: 2}}}\n", "", ["rule france is gone"]),
    ("{french: 2}}}", "{german: 2}}}", ["rule france: then skills french 2 -> german 2"]),
    # Agents.
    ("name: Alice Martin", "name: Alice Jones", ["alice: name Alice Martin -> Alice Jones"]),
    ("skills: {french: 3}", "skills: {french: 4}", ["alice: skill french 3 -> 4"]),
    ("skills: {french: 3}", "wrap_up: 30s", ["alice: wrap_up that of the queue -> 30s", "alice: skill french removed (was 3)"]),
    ("bob: {devices", "bob: {capacity: 2, sign_in: always, devices", ["bob: sign_in manual -> always", "bob: capacity 1 -> 2"]),
    ("{desk: PJSIP/2}", "{desk: {endpoint: PJSIP/2, state: Custom:DND2, contacts: first, auto_answer: true}}", ["bob: device desk: state none -> Custom:DND2", "bob: device desk: contacts all -> first", "bob: device desk: auto_answer false -> true"]),
    ("{desk: PJSIP/2}", "{desk: {endpoint: {office: PJSIP/2}}}", ["bob: device desk PJSIP/2 -> office PJSIP/2"]),
    ("{desk: PJSIP/2}", "{desk: PJSIP/2, mobile: {number: '+447700900456'}}", ["bob: device mobile added (+44…456)"]),
    ("'+447700900123'", "'+447700900456'", ["alice: device mobile +44…123 -> +44…456"]),
    ("'+447700900123'", "'+447700901123'", ["alice: device mobile: number changed"]),
    ("'+447700900123'", "'+447700900123', accept_within: 40s", ["alice: device mobile: accept_within 25s -> 40s"]),
    ("'+447700900123'", "'+447700900123', ring_after: 10s, enabled: false", ["alice: device mobile: ring_after 0s -> 10s", "alice: device mobile switched off"]),
    ("desk: PJSIP/1, mobile: {number: '+447700900123'}", "mobile: {number: '+447700900123'}", ["alice: extension 1 -> none", "alice: device desk removed (PJSIP/1)"]),
    ("desk: PJSIP/1, mobile: {number: '+447700900123'}", "mobile: {number: '+447700900123'}, desk: PJSIP/1", ["alice: order of devices desk, mobile -> mobile, desk"]),
    ("{desk: PJSIP/2}", "{desk: {endpoint: PJSIP/2, confirm: true}}", ["bob: device desk: confirm false -> true"]),
    ("  dave:", "  erin: {name: Erin Day, devices: {desk: PJSIP/5}}\n  dave:", ["agent erin is new (Erin Day; 1 device)"]),
    ("$argon2id$hunter, skills", "$argon2id$hunter, extension: 77, skills", ["alice: extension 1 -> 77"]),
    ("$argon2id$hunter, skills", "$argon2id$hunter, language: fr, skills", ["alice: language en -> fr"]),
    ("$argon2id$hunter, skills", "$argon2id$hunter2, skills", ["alice: PIN changed"]),
    ("pin: $argon2id$hunter, ", "", ["alice: PIN removed"]),
    ("number: '+447700900123'", "number: '+447700900123', hours: mon-fri 08:00-18:00", ["alice: device mobile: hours always -> mon-fri 08:00-18:00"]),
    # Reasons for pauses.
    ("longest: 45m", "longest: 1h", ["pause lunch: longest 45m, then resume -> longest 1h, then resume"]),
    ("then: resume}", "then: sign-out}", ["pause lunch: longest 45m, then resume -> longest 45m, then sign-out"]),
    ("tea: {default: true}", "tea: {}\n  walk: {longest: 10m}", ["pause tea: no limit, the default -> no limit", "pause walk is new (longest 10m, then tell)"]),
    ("  tea: {default: true}\n", "", ["pause tea is gone"]),
    ("pauses:\n  lunch: {longest: 45m, then: resume}\n  tea: {default: true}\n", "", ["pauses: reasons are any text from now on", "pause lunch is gone", "pause tea is gone"]),
    # Switched off is gone, wherever the agent was.
    ("dave: {", "dave: {enabled: false, ", ["agent dave is gone; leaves support"]),
    # The operator's part.
    ("timezone: Europe/London", "timezone: Europe/Paris", ["timezone Europe/London -> Europe/Paris"]),
    ("region: GB", "region: FR, types: [mobile]", ["numbers: region GB -> FR", "numbers: types none -> mobile"]),
    ("secret: hunter-two", "secret: hunter-three", [f"pbx office: secret changed{RESTART}"]),
    ("username: u,", "username: u, port: 5039, tls: true,", [f"pbx office: port 5038 -> 5039{RESTART}", f"pbx office: tls false -> true{RESTART}"]),
    ("8080", "8081", [f"http: listen 127.0.0.1:8080 -> 127.0.0.1:8081{RESTART}"]),
    ("hunter-two-hunter-two", "hunter-two-hunter-three", ["api token crm changed"]),
    ("role: agent,", "role: admin,", ["api token crm: role agent -> admin"]),
    ("[{name: crm,", "[{name: app, role: admin, token: hunter-four-hunter}, {name: crm,", ["api token app added (admin)"]),
    ("role: supervisor,", "role: admin,", ["user sam: role supervisor -> admin"]),
    ("$argon2id$hunter}", "$argon2id$hunter2}", ["user sam: password changed"]),
    ("users:\n", "users:\n  kim: {role: agent, password: $argon2id$x}\n", ["user kim added"]),
    ("u:hunter@h", "u:hunter2@h", [f"database changed{RESTART}"]),
    (
        "timezone: Europe/London",
        "timezone: Europe/London\nqueue_log: file\nqueue_log_file: ql",
        [f"queue_log asterisk -> file{RESTART}", f"queue_log_file queue_log -> ql{RESTART}"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), CASES)
def test_changes(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    before = settings(tmp_path)
    after = settings(tmp_path, (old, new))
    found = changes(before, after)
    assert found == expected
    assert not any("hunter" in line or "argon2" in line for line in found)
    assert bool(changes(after, before)) == bool(expected)
    assert changes(after, after) == []


def test_nothing_changes_by_where_and_how_it_is_written(tmp_path: Path) -> None:
    one = settings(tmp_path)
    text = "\n".join(FILES.values()).replace("ring_for: 20s", "ring_for: 20 # seconds")
    for name in FILES:
        (tmp_path / f"{name}.yaml").write_text("")
    other = loaded(tmp_path, ENVIRON, None, pbx="", agents="", queues="", all=text)
    assert changes(one, other) == []


def test_moved_down(tmp_path: Path) -> None:
    rules = FILES["queues"].partition("rules:\n")[2].splitlines(keepends=True)
    before = settings(tmp_path)
    vip = settings(tmp_path, ("".join(rules), "".join([rules[1], rules[0], rules[2]])))
    assert changes(before, vip) == ["rule VIP moved up"]
    night = settings(tmp_path, ("".join(rules), "".join([*rules[1:], rules[0]])))
    assert changes(before, night) == ["rule night moved down"]


def test_a_queue_and_all_that_goes_with_it(tmp_path: Path) -> None:
    before = settings(tmp_path)
    after = settings(
        tmp_path,
        ("  sales: {policy: linear, agents: [alice, bob, carol]}\n", ""),
        ("then: {queue: sales}", "then: {priority: 9}"),
    )
    assert changes(before, after) == [
        "queue sales is gone; it serves those who wait in it",
        "rule night: then queue sales -> none",
        "rule night: then priority none -> 9",
    ]


def test_pbx_comes_and_goes(tmp_path: Path) -> None:
    before = loaded(tmp_path)
    after = loaded(tmp_path, pbx="pbx:\n  home: {driver: simulated}\n")
    assert changes(before, after) == [
        "alice: device desk: pbx office -> home",
        "bob: device desk: pbx office -> home",
        f"pbx office is gone{RESTART}",
        f"pbx home is new{RESTART}",
    ]
    pbx = "pbx:\n  office: {driver: asterisk, username: u, secret: s}\n"
    assert changes(before, loaded(tmp_path, pbx=pbx)) == [
        f"pbx office: driver simulated -> asterisk{RESTART}"
    ]


PBX = "pbx:\n  office: {driver: asterisk, username: u, secret: s, dial_number: %s}\nnumbers: {region: %s}\n"
ONE = "'PJSIP/{number}@a'"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            (ONE, "GB"),
            ("['PJSIP/{number}@a', 'PJSIP/{number}@b']", "GB"),
            ["dial_number PJSIP/{number}@a -> PJSIP/{number}@a, PJSIP/{number}@b"],
        ),
        (
            (ONE, "GB"),
            (f"{ONE}, number_format: national", "GB"),
            ["number_format e164 -> national"],
        ),
        (
            (f"{ONE}, number_format: national", "GB"),
            (f"{ONE}, number_format: national", "FR"),
            ["region of national numbers GB -> FR"],
        ),
        ((ONE, "GB"), (ONE, "FR"), []),
    ],
)
def test_how_outside_numbers_are_dialled(
    tmp_path: Path, old: tuple[str, str], new: tuple[str, str], expected: list[str]
) -> None:
    before, after = (loaded(tmp_path, pbx=PBX % pair) for pair in (old, new))
    said = [line for line in changes(before, after) if line.startswith("pbx")]
    assert said == [f"pbx office: {text}{RESTART}" for text in expected]


def test_the_group_at_the_socket(tmp_path: Path) -> None:
    before = loaded(tmp_path, rest="socket: {group: users}\n")
    after = loaded(tmp_path, rest="socket: {group: staff, role: admin}\n")
    assert changes(before, after) == [
        f"socket: group users -> staff{RESTART}",
        f"socket: role supervisor -> admin{RESTART}",
    ]


def test_tls(tmp_path: Path) -> None:
    http = "http: {listen: '[::1]:80', tls: {certificate: c.pem, key: k.pem}}\n"
    assert changes(loaded(tmp_path), loaded(tmp_path, http=http)) == [
        f"http: listen 127.0.0.1:8080 -> [::1]:80{RESTART}",
        f"http: tls none -> {tmp_path}/c.pem and {tmp_path}/k.pem{RESTART}",
    ]


def test_a_provider_of_openid_connect(tmp_path: Path) -> None:
    text = (
        "http: {public_url: 'https://c.example', oidc: {issuer: 'https://%s', client_id: us%s}}\n"
    )
    none = loaded(tmp_path, http="http: {public_url: 'https://c.example'}\n")
    one = loaded(tmp_path, http=text % ("a.example", ""))
    other = loaded(tmp_path, http=text % ("b.example", ", client_secret: x, claim: sub"))
    assert changes(none, one) == ["http: oidc added"]
    assert changes(one, none) == ["http: oidc removed"]
    assert changes(one, other) == [
        "http: oidc issuer https://a.example -> https://b.example",
        "http: oidc client_secret changed",
        "http: oidc claim email -> sub",
    ]


def test_mail_addresses(tmp_path: Path) -> None:
    agent = "agents: {alice: {%sdevices: {desk: PJSIP/1001}}}\n"
    queues = "queues: {support: {agents: [alice]}}\nusers: {sam: {role: admin, password: '%s'%s}}\n"
    digest = "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA"
    before = loaded(tmp_path, agents=agent % "", queues=queues % (digest, ""))
    after = loaded(
        tmp_path,
        agents=agent % "email: a@example.com, ",
        queues=queues % (digest, ", email: s@example.com"),
    )
    assert changes(before, after) == [
        "alice: email added",
        "user sam: email none -> s@example.com",
    ]


def test_transfers_to_numbers_outside(tmp_path: Path) -> None:
    queues = "queues: {support: {agents: [alice]}}\n"
    agents = "agents: {alice: {devices: {desk: PJSIP/1001}}}\n"
    before = loaded(tmp_path, agents=agents, queues=queues)
    more = 'transfers: {outside: ["+44", "+1 (212) 555-0100"], at_once: 2, per_hour: 3, ring_for: 20s}\n'
    after = loaded(tmp_path, agents=agents, queues=queues + more)
    assert changes(before, after) == [
        "transfers: outside none -> +44, +12125550100",
        "transfers: at_once 5 -> 2",
        "transfers: per_hour 10 -> 3",
        "transfers: ring_for 30s -> 20s",
    ]


def test_no_part_of_the_settings_is_forgotten() -> None:
    def names(kind: Any) -> set[str]:
        return {field.name for field in fields(kind)}

    # Whatever is added here has to be described, and tried above. Options are in test_options.
    assert names(Rule) == {
        "name", "callers", "called", "queues", "tags", "hours", "priority", "queue", "agent", "tag",
        "skills", "waiting",
    }  # fmt: skip
    assert names(Table) == {"agents", "queues", "rules", "zone", "pauses", "numbering", "outside"}
    assert names(HttpSettings) == {
        "host", "port", "certificate", "key", "api_tokens", "public_url", "oidc", "trusted_proxies",
    }  # fmt: skip
    assert names(Settings) == {
        "table", "pbxes", "http", "users", "pins", "passwords", "emails", "service_levels", "numbers", "timezone",
        "database", "warnings", "files", "removals_at_once", "socket", "codes", "history", "queue_log",
        "queue_log_file", "cluster", "config", "digest", "alerts", "destinations", "webhooks", "smtp",
    }  # fmt: skip


def test_other_names(tmp_path: Path) -> None:
    before = """
agents:
  ann: {devices: {desk: PJSIP/1}}
  bob: {devices: {desk: PJSIP/2}}
queues: {support: {agents: {ann: 1, bob: 2}, on_full: "queue:sales"}, sales: {agents: [ann]}}
rules: [{name: x, when: {queue: support}, then: {agent: ann}}]
reload: {removals: confirm}
"""
    after = """
agents:
  annette: {renamed_from: ann, devices: {desk: PJSIP/1}}
  bob: {devices: {desk: PJSIP/2}}
queues:
  helpdesk: {renamed_from: support, agents: {annette: 1, bob: 3}, on_full: "queue:sales"}
  sales: {agents: [annette]}
rules: [{name: x, when: {queue: helpdesk}, then: {agent: annette}}]
reload: {removals: at-once}
"""
    found = []
    for number, text in enumerate((before, after)):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "all.yaml").write_text("pbx: {sim: {driver: simulated}}" + text)
        found.append(load(folder, environ={}))
    assert changes(*found) == [
        "agent ann is called annette from now on",
        "queue support is called helpdesk from now on",
        "bob moves from priority 2 to 3 in helpdesk",
        "reload: removals confirm -> at-once",
    ]


# ---------------------------------------------------------------- words


@pytest.mark.parametrize("text", ["0s", "20s", "1h30m", "250ms", "1m30s", "5m", "8h", "1s500ms"])
def test_durations_are_written_as_read(text: str) -> None:
    assert format_duration(parse_duration(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "mon-fri 09:00-17:30; sat 10:00-14:00",
        "mon 09:00-12:00, 13:00-17:00",
        "daily 00:00-24:00",
        "mon,wed,fri-sun 22:00-06:00",
    ],
)
def test_hours_are_written_as_read(text: str) -> None:
    assert w.hours(parse_spans(text)) == text


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 1439), st.integers(1, 1440)),
        min_size=1,
        max_size=6,
    )
)
def test_any_hours_are_read_back(spans: list[tuple[int, int, int]]) -> None:
    def clock(minutes: int) -> str:
        return f"{minutes // 60:02}:{minutes % 60:02}"

    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    text = "; ".join(
        f"{days[day]} {clock(start)}-{clock(end)}" for day, start, end in spans if start != end
    )
    if text:
        assert parse_spans(w.hours(parse_spans(text))) == parse_spans(text)


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+447700900123", "+44…123"), ("+1234567", "…567"), ("02079460018", "…018"), ("1001", "1001")],
)
def test_masks(number: str, shown: str) -> None:
    assert w.masked(number) == shown


def test_moves_are_as_few_as_can_be() -> None:
    for new in itertools.permutations("abcd"):
        moves = reordered("abcd", new)
        stayed = [key for key in new if key not in {key for key, _ in moves}]
        assert stayed == sorted(stayed)
        longest = max(
            len(part)
            for n in range(5)
            for part in itertools.combinations(new, n)
            if list(part) == sorted(part)
        )
        assert len(moves) == 4 - longest
    assert reordered("abc", "cxa") == [("c", True)]
    assert reordered("", "a") == []


def test_limits_of_numbers_and_the_agent_of_a_token(tmp_path: Path) -> None:
    def settings(numbers: str, agent: str) -> Settings:
        token = f"{{name: app, role: agent, agent: {agent}, token: 0123456789abcdef}}"
        site = f"numbers: {{{numbers}}}\nhttp: {{api_tokens: [{token}]}}\n"
        return loaded(tmp_path, site=site)

    old = settings("region: GB", "alice")
    new = settings("region: GB, approval: supervisor, calls_per_hour: 2", "bob")
    assert changes(old, new) == [
        "numbers: approval none -> supervisor",
        "numbers: calls_per_hour 5 -> 2",
        "api token app: agent alice -> bob",
    ]
