"""What the keys mean, what is refused, and what is warned of."""

from __future__ import annotations

from difflib import SequenceMatcher
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from callrouter.model.hours import Hours, parse_spans
from callrouter.model.routing_table import (
    HangUp,
    KeepWaiting,
    PauseEnd,
    PauseSpec,
    QueueSpec,
    SignIn,
    ToDialplan,
    ToQueue,
)
from callrouter.pbx.asterisk.execution.actions import dial_string, outbound_routes
from callrouter.settings import AsteriskSettings, SimulatedSettings, load
from callrouter.settings.errors.problems import Nearest
from callrouter.settings.schema.durations import parse_duration
from tests.settings.cases import (
    AGENTS,
    CONFIG,
    ENVIRON,
    PBX,
    POLICIES,
    QUEUES,
    loaded,
    problems,
    put,
    told,
    warned,
)

TWO_PBXES = (
    "pbx:\n"
    "  office: {driver: asterisk, username: u, secret: s, dial_number: 'PJSIP/{number}@c'}\n"
    "  plain: {driver: asterisk, username: u, secret: s}\n"
    "  lab: {driver: simulated, seed: 7}\n"
)


def queue(folder: Path, keys: str, **files: str) -> QueueSpec:
    text = f"queues:\n  support:\n    agents: [alice, bob]\n    {keys}\n"
    return loaded(folder, queues=text, **files).table.queues["support"]


def test_the_sample_files_load_without_a_word() -> None:
    settings = load(CONFIG, environ=ENVIRON)
    assert settings.warnings == ()
    assert set(settings.table.queues) == {"support", "sales", "front-desk", "french"}
    phones = {d.endpoint for a in settings.table.agents.values() for d in a.devices if d.endpoint}
    assert phones == {f"PJSIP/{n}" for n in range(1001, 1006)}
    for path in settings.files:
        assert path.read_text().startswith(
            "# yaml-language-server: $schema=callrouter.schema.json\n"
        )


def test_defaults_are_those_of_the_model(tmp_path: Path) -> None:
    settings = loaded(tmp_path)
    support = settings.table.queues["support"]
    assert support == QueueSpec(id="support", name="support", members=support.members)
    alice = settings.table.agents["alice"]
    assert (alice.name, alice.sign_in, alice.capacity, alice.wrap_up) == (
        "alice", SignIn.MANUAL, 1, None,
    )  # fmt: skip
    [desk] = alice.devices
    assert (desk.pbxes, desk.confirm, desk.ring_after, desk.enabled) == (
        ("office",),
        False,
        0,
        True,
    )
    assert (settings.http.host, settings.http.port) == ("127.0.0.1", 8080)
    assert (settings.timezone, settings.database) == ("UTC", "callrouter.db")
    assert settings.warnings == ()


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("20s", 20), ("5m", 300), ("1h30m", 5400), ("250ms", 0.25), ("1m30s", 90), ("1.5h", 5400),
        ("0s", 0), (20, 20), (2.5, 2.5), ("20", 20), ("1h1m1s1ms", 3661.001), ("300ms", 0.3),
    ],
)  # fmt: skip
def test_durations(written: object, seconds: float) -> None:
    assert parse_duration(written) == seconds


@pytest.mark.parametrize(
    "written",
    ["20 secs", "-5s", "'-5'", "-5", "5x", "1m1h", "s", "5S", "1s1s", "true", "1e5s", ".inf", "[1]", "{}",
     "''", "999999h", "1e99", "1:30", "' 5s'", "9999999999999999999999999999999999999999999s"],
)  # fmt: skip
def test_bad_durations(tmp_path: Path, written: str) -> None:
    text = f"queues:\n  support:\n    agents: [alice, bob]\n    wrap_up: {written}\n"
    [line] = told(tmp_path, queues=text)
    assert line.startswith(
        "queues.yaml:4:14: wrap_up must be a duration such as 20s, 5m or 1h30m, not "
    )


def test_ring_for_must_be_longer_than_nothing(tmp_path: Path) -> None:
    assert told(tmp_path, queues="queues:\n  q:\n    agents: [alice, bob]\n    ring_for: 0s\n") == [
        (
            "queues.yaml:4:15: ring_for must be a duration longer than 0, such as 20s, 5m or 1h30m,"
            " not '0s'"
        )
    ]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("0", "0"),
        ("101", "101"),
        ("high", "'high'"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("-1", "-1"),
    ],
)
def test_bad_priorities(tmp_path: Path, written: str, shown: str) -> None:
    text = f"queues:\n  support:\n    agents: {{alice: 1, bob: {written}}}\n"
    assert told(tmp_path, queues=text) == [
        f"queues.yaml:3:29: priority of bob must be a whole number from 1 to 100, not {shown}"
    ]


def test_members_keep_level_and_order(tmp_path: Path) -> None:
    text = "queues:\n  support: {agents: {bob: 100, alice: 1}}\n"
    members = loaded(tmp_path, queues=text).table.queues["support"].members
    assert [(m.agent, m.level, m.order) for m in members] == [("bob", 100, 0), ("alice", 1, 1)]


def test_queue_keys(tmp_path: Path) -> None:
    text = (
        "queues:\n"
        "  sales: {agents: [alice], on_full: hangup, max_waiting: 0, on_nobody: wait}\n"
        "  support:\n"
        "    name: Customer support\n"
        "    policy: [priority, random]\n"
        "    agents: [bob]\n"
        "    at_once: 3\n    ring_for: 25\n    retry_after: 1s\n    wrap_up: 1m\n    weight: 2\n"
        "    max_wait: 5m\n    max_waiting: 50\n    auto_pause: 0\n    music: jazz\n"
        "    on_max_wait: dialplan:voicemail,support,1\n"
        "    on_full: queue:sales\n"
        "    on_nobody: 'dialplan:night,*45#,start'\n"
        "    record: false\n"
    )
    queues = loaded(tmp_path, queues=text).table.queues
    assert (queues["sales"].on_full, queues["sales"].on_nobody) == (HangUp(), KeepWaiting())
    assert queues["support"] == QueueSpec(
        id="support",
        name="Customer support",
        policy=("priority", "random"),
        members=queues["support"].members,
        at_once=3,
        ring_for=25,
        retry_after=1,
        wrap_up=60,
        weight=2,
        max_wait=300,
        max_waiting=50,
        on_max_wait=ToDialplan("voicemail", "support", "1"),
        on_full=ToQueue("sales"),
        on_nobody=ToDialplan("night", "*45#", "start"),
        auto_pause=0,
        music="jazz",
    )


def test_ring_all(tmp_path: Path) -> None:
    assert queue(tmp_path, "policy: ring-all").at_once is None
    assert queue(tmp_path, "policy: [ring-all, priority]").at_once is None
    assert queue(tmp_path, "policy: ring-all\n    at_once: all").at_once is None
    assert queue(tmp_path, "at_once: all").at_once is None
    text = "queues:\n  q: {agents: [alice, bob], policy: ring-all, at_once: 2}\n"
    assert told(tmp_path, queues=text) == [
        (
            "queues.yaml:2:56: at_once: 2 contradicts policy: ring-all"
            " (take at_once out, or choose another policy)"
        )
    ]


QUEUE_ERRORS = [
    ("ring_fro: 20s", "4:5: unknown key 'ring_fro' (did you mean 'ring_for'?)"),
    (
        "policy: prioritty",
        ("4:13: unknown policy 'prioritty' (did you mean 'priority'?"
        " known: linear, longest-idle, priority, random, ring-all, round-robin, skills)"),
    ),
    ("policy: [priority, rnd]", "4:24: unknown policy 'rnd' (did you mean 'random'? known:"),
    ("policy: [random, random]", "4:22: policy 'random' appears twice"),
    ("policy: []", "4:13: policy names none (known: linear, longest-idle"),
    ("policy: {a: 1}", "4:13: policy must be the name of a policy, such as priority, not a mapping"),
    ("at_once: 0", "4:14: at_once must be a whole number from 1, or all, not 0"),
    ("at_once: every", "4:14: at_once must be a whole number from 1, or all, not 'every'"),
    ("weight: -1", "4:13: weight must be a whole number, 0 or more, not -1"),
    ("name: 12", '4:11: name must be a text of 1 to 200 characters, not 12 (put it in quotes: "12")'),
    ("on_full: queue:sale", "4:14: unknown queue 'sale'"),
    ("on_full: queue:suport", "4:14: unknown queue 'suport' (did you mean 'support'?)"),
    ("on_full: wait", "4:14: on_full must be dialplan:CONTEXT,EXTENSION,PRIORITY, queue:NAME or hangup, not 'wait'"),
    ("on_nobody: dialplan:a,b", "4:16: on_nobody must be dialplan:CONTEXT,EXTENSION,PRIORITY, queue:NAME, hangup or wait, not 'dialplan:a,b'"),
    ("on_nobody: 'dialplan:a,b,1&c'", "4:16: on_nobody must be dialplan"),
    ("on_nobody: 'dialplan:a,${EXTEN},1'", "4:16: ${…} is not replaced in 'on_nobody' (that is done for secrets, paths, URLs"),
    ("record: true", "4:13: record must be false in this version, not true"),
    ("service_level: {within: 20s}", "4:5: service_level has no 'target' (add a line 'target: …')"),
    ("service_level: {within: 20s, target: 80, short_abandon: soon}", "4:61: short_abandon must be a duration such as 20s"),
    ("service_level: {within: 20s, target: 80, short_abandn: 5s}", "4:46: unknown key 'short_abandn' (did you mean 'short_abandon'?)"),
    ("service_level: {within: 20s, target: 0}", "4:42: target must be a whole number from 1 to 100"),
    ("announce: {positon: true}", "4:16: unknown key 'positon' (did you mean 'position'?)"),
    ("show: '{que}'", "4:11: show '{que}': there is no field {que} (fields are {queue}, {name}, {number}, {tag}, {wait})"),
    ("show: '{name'", "4:11: show '{name': a brace stands alone"),
    ("alert_info: 'info=\"x\"'", "4:17: alert_info must be the value of a header such as <http://localhost>;info=ring3"),
    ("music: a b", "4:12: music must be the name of a music class"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "message"), QUEUE_ERRORS)
def test_queue_errors(tmp_path: Path, keys: str, message: str) -> None:
    text = f"queues:\n  support:\n    agents: [alice, bob]\n    {keys}\n"
    [line] = told(tmp_path, queues=text)
    assert line.startswith(f"queues.yaml:{message}"), line


def test_a_queue_that_asterisk_would_take_for_a_wrong_name(tmp_path: Path) -> None:
    [said] = told(tmp_path, queues="queues:\n  i: {agents: [alice]}\n")
    assert said.startswith(
        "queues.yaml:2:3: a queue cannot be called 'i' (Asterisk's dialplan goes"
    )


def test_two_pbxes_that_are_one_asterisk(tmp_path: Path) -> None:
    both = "driver: asterisk, username: u, secret: 9rT2x0Qw8LmZ4vB7"
    pbx = f"pbx:\n  a: {{{both}}}\n  b: {{{both}, host: localhost}}\n  c: {{{both}, port: 5039}}\n"
    agents = (
        "agents:\n  alice: {devices: {desk: {endpoint: {a: PJSIP/1, b: PJSIP/1}}}}\n  bob: {}\n"
    )
    found = [str(one) for one in loaded(tmp_path, pbx=pbx, agents=agents).warnings]
    said = "pbx.yaml:3:3: b is the same Asterisk as a: both have the same host and port"
    assert f"{said} (correct host or port, or remove one of them)" in found
    assert not any(line.startswith("pbx.yaml:4:3: c is the same") for line in found)


def test_an_agent_and_a_queue_of_one_lamp(tmp_path: Path) -> None:
    agents = (
        "agents:\n  queue-a: {devices: {desk: PJSIP/1}}\n  queue-b: {devices: {desk: PJSIP/2}}\n"
    )
    pbx = "pbx:\n  office: {driver: asterisk, username: u, secret: 9rT2x0Qw8LmZ4vB7}\n"
    found = loaded(
        tmp_path, pbx=pbx, agents=agents, queues="queues:\n  a: {agents: [queue-a, queue-b]}\n"
    )
    [said] = [str(one) for one in found.warnings if "lamp" in str(one)]
    assert said.startswith("agents.yaml:2:3: agent 'queue-a' and queue 'a' have the same lamp on ")


def test_a_queue_that_asterisk_would_take_for_a_hangup(tmp_path: Path) -> None:
    text = "queues:\n  h: {agents: [alice]}\n  hh: {agents: [alice]}\n"
    [said] = told(tmp_path, queues=text)
    assert said.startswith(
        "queues.yaml:2:3: a queue cannot be called 'h' (Asterisk's dialplan goes to"
    )


def test_dangling_and_repeated_agents(tmp_path: Path) -> None:
    text = "queues:\n  a: {agents: [alice, alcie, bob, bob]}\n  b: {agents: {zzz: 1}}\n  c: {agents: 5}\n"
    assert told(tmp_path, queues=text) == [
        "queues.yaml:2:23: unknown agent 'alcie' (did you mean 'alice'?)",
        "queues.yaml:2:35: agent 'bob' appears twice",
        "queues.yaml:3:16: unknown agent 'zzz' (there is none of that name in agents:)",
        (
            "queues.yaml:4:15: agents must be a list of agents, or a mapping such as {alice: 1, bob: 2},"
            " not 5"
        ),
    ]


DEVICE_ERRORS = [
    ("PJSIP/1001&PJSIP/1", "endpoint", "must be a phone such as PJSIP/1001"),
    ("1001", "desk", "must be"),
    ("{}", "", "desk has no phone to ring (give exactly one of endpoint, dial and number)"),
    ("{endpoint: PJSIP/1, number: '+447700900123'}", "", "desk has 'endpoint' and 'number'"),
    ("{endpoint: PJSIP/1, dial: Local/1@x}", "", "desk has 'endpoint' and 'dial' (give exactly one"),
    ("SIP/1001", "", "'SIP/1001' is a phone of chan_sip, which Asterisk no longer has; write PJSIP/1001"),
    ("SIP/trunk/5551234", "", "no longer has; write PJSIP/5551234@trunk"),
    ("Zap/1", "", "'Zap/1' is a phone of chan_zap, which Asterisk no longer has; write DAHDI/1"),
    ("Agent/1001", "", "'Agent/1001' is a phone of chan_agent, which Asterisk no longer has; write PJSIP/1001"),
    ("PSJIP/1001", "", "'PSJIP/1001' is of no technology of Asterisk; did you mean PJSIP/1001?"),
    ("lcoal/1001@from-internal", "", "did you mean Local/1001@from-internal?"),
    ("{endpoint: PJSIP/1, state: SIP/1001}", "", "which Asterisk no longer has; write PJSIP/1001"),
    ("{dial: Local/1001}", "", "'Local/1001' does not say where in the dialplan; write it as Local/1001@from-internal/n"),
    ("{dial: Local/1001@a/q}", "", "does not say where in the dialplan"),
    ("PJSIP/2004/branch", "", "has a / too many; another PBX's extension is PJSIP/branch@2004"),
    ("PJSIP/2004@a@b", "", "is not a phone such as PJSIP/1001 or PJSIP/2004@branch"),
    ("{endpoint: PJSIP/1, state: hint 1001}", "", "'hint 1001' is not a state such as hint:1001@ext-local, Custom:DND1001"),
    ("{endpoint: PJSIP/1, state: [Custom:DND1, 'hint:1001']}", "", "'hint:1001' is not a state such as"),
    ("{number: '+447700900123', state: Custom:DND1}", "", "state says nothing of an outside number"),
    ("{endpoint: PJSIP/1, contacts: one}", "", "contacts must be all or first, not 'one'"),
    ("{number: '+447700900123', auto_answer: true}", "", "auto_answer cannot be combined with key 1"),
    ("{endpoint: PJSIP/1, confirm: true, auto_answer: true}", "", "auto_answer cannot be combined with key 1"),
    ("{dial: Local/1@x, confirm: false, auto_answer: true}", "", "auto_answer does not reach a phone behind Local/1@x"),
    ("{number: '07700900123'}", "", "number must be an international number such as +447700900123"),
    ("{number: 447700900123}", "", "number must be an international number"),
    ("{number: '+12345'}", "", "number must be an international number"),
    ("{number: '+1234567890123456'}", "", "number must be an international number"),
    ("{number: '+447700900123', confirm: false}", "", "confirm: false is not allowed for an outside number"),
    ("{endpoint: PJSIP/1, accept_within: 10s}", "", "accept_within has no effect: this phone is not asked for key 1 (take it out, or add confirm: true)"),
    ("{number: '+447700900123', accept_within: 0.5}", "", "accept_within must be from 1s to 5m, not 500ms"),
    ("{number: '+447700900123', accept_within: 1h}", "", "accept_within must be from 1s to 5m, not 1h"),
    ("{number: '+447700900123', accept_within: soon}", "", "accept_within must be a duration longer than 0"),
    ("{endpoint: PJSIP/1, hours: mon-fri}", "", "hours: 'mon-fri' is not days and times, such as"),
    ("{endpoint: PJSIP/1, pbx: ofice}", "", "unknown pbx 'ofice' (did you mean 'office'?)"),
    ("{endpoint: PJSIP/1, ring_aftr: 1s}", "", "unknown key 'ring_aftr' (did you mean 'ring_after'?)"),
    ("[PJSIP/1]", "", "desk must be a phone such as PJSIP/1001"),
]  # fmt: skip


@pytest.mark.parametrize(("device", "_key", "message"), DEVICE_ERRORS)
def test_device_errors(tmp_path: Path, device: str, _key: str, message: str) -> None:
    agents = f"agents:\n  bob: {{}}\n  alice:\n    devices:\n      desk: {device}\n"
    [line] = told(tmp_path, agents=agents)
    assert line.startswith("agents.yaml:5:")
    assert message in line


def test_a_national_number_is_not_advised_as_an_international_one(tmp_path: Path) -> None:
    """YAML takes the 0 from 07700900123, and +7 700 900 123 would be another country's."""
    agents = "agents:\n  bob: {}\n  alice:\n    devices:\n      desk: {number: 7700900123}\n"
    assert told(tmp_path, agents=agents)[0].endswith("numbers.region, not 7700900123")
    [line] = told(tmp_path, agents=agents.replace("7700900123", "447700900123"))
    assert line.endswith('(write "+447700900123")')


@pytest.mark.parametrize("odd", list("&,;|$ '\"{}()<>\\`\t\n\x00%!?=#:/é"))
def test_nothing_odd_gets_into_a_dial_string(tmp_path: Path, odd: str) -> None:
    escaped = "".join(f"\\x{ord(c):02x}" for c in odd)
    agents = f'agents:\n  bob: {{}}\n  alice: {{devices: {{desk: "PJSIP/1{escaped}2"}}}}\n'
    assert len(told(tmp_path, agents=agents)) == 1
    if odd in ":/":
        return  # these two are harmless beside a number: PJSIP/trunk/sip:{number}@host
    pbx = f'pbx:\n  office: {{driver: asterisk, username: u, secret: s, dial_number: "PJSIP/{{number}}{escaped}"}}\n'
    assert len(told(tmp_path, pbx=pbx)) == 1


PHONES = [
    # as written, how Asterisk rings it, whether key 1 is asked for
    ("PJSIP/1001", "PJSIP/1001", False),
    ("pjsip/1001", "PJSIP/1001", False),
    ("iax2/1002", "IAX2/1002", False),
    ("Local/1002@from-internal", "Local/1002@from-internal", True),
    ("{dial: local/1001@from-internal/n}", "Local/1001@from-internal/n", True),
    ("{dial: Local/1001@from-internal/n, confirm: false}", "Local/1001@from-internal/n", False),
    ("PJSIP/2004@branch", "PJSIP/2004@branch", True),
    ("PJSIP/branch/sip:2004@192.0.2.1", "PJSIP/branch/sip:2004@192.0.2.1", True),
    ("IAX2/branch/2004", "IAX2/branch/2004", True),
    ("DAHDI/4", "DAHDI/4", False),
    ("SCCP/1001", "SCCP/1001", False),
]


@pytest.mark.parametrize(("written", "dialled", "confirm"), PHONES)
def test_how_a_phone_is_spelled_and_who_may_answer_it(
    tmp_path: Path, written: str, dialled: str, confirm: bool
) -> None:
    pbx = "pbx:\n  office: {driver: asterisk, username: u, secret: s}\n"
    agents = f"agents:\n  bob: {{}}\n  alice: {{devices: {{desk: {written}}}}}\n"
    [desk] = loaded(tmp_path, pbx=pbx, agents=agents).table.agents["alice"].devices
    assert (desk.endpoint, desk.confirm) == (dialled, confirm)


NORTH_AND_SOUTH = """pbx:
  north: {driver: asterisk, username: u, secret: s}
  south: {driver: asterisk, username: u, secret: s}
"""
SEVERAL = [
    # as written, the address of the home, homes, key 1, whether the answer is watched
    ("{north: PJSIP/1001, south: PJSIP/1001@north}", "PJSIP/1001", ("north",), False, True),
    ("{south: PJSIP/1001@north, north: pjsip/1001}", "PJSIP/1001", ("north",), False, True),
    ("{north: PJSIP/1001, south: PJSIP/1001}", "PJSIP/1001", ("north", "south"), False, False),
    ("{north: Local/1001@x/n, south: PJSIP/1001@north}", "Local/1001@x/n", ("north",), True, False),
    ("{north: PJSIP/1@west, south: PJSIP/1@west}", "PJSIP/1@west", (), True, False),
    ("{south: PJSIP/1001}", "PJSIP/1001", ("south",), False, False),
]


@pytest.mark.parametrize(("written", "endpoint", "homes", "confirm", "watched"), SEVERAL)
def test_a_phone_with_an_address_on_each_pbx(
    tmp_path: Path,
    written: str,
    endpoint: str,
    homes: tuple[str, ...],
    confirm: bool,
    watched: bool,
) -> None:
    agents = f"agents:\n  bob: {{}}\n  alice: {{devices: {{desk: {{endpoint: {written}}}}}}}\n"
    [desk] = loaded(tmp_path, pbx=NORTH_AND_SOUTH, agents=agents).table.agents["alice"].devices
    assert (desk.endpoint, desk.homes, desk.confirm) == (endpoint, homes, confirm)
    assert desk.watch_answer is watched
    assert set(desk.pbxes) == set(desk.addresses)


def test_each_pbx_has_its_own_address_of_a_phone(tmp_path: Path) -> None:
    both = '{endpoint: {north: PJSIP/1001, south: "PJSIP/1001@north"}, state: Custom:DND1}'
    agents = f"agents:\n  bob: {{}}\n  alice: {{devices: {{desk: {both}}}}}\n"
    settings = loaded(tmp_path, pbx=NORTH_AND_SOUTH, agents=agents)
    [north] = settings.table.devices_on("north")
    [south] = settings.table.devices_on("south")
    assert (north.endpoint, north.states) == ("PJSIP/1001", ("Custom:DND1",))
    assert (south.endpoint, south.states) == ("PJSIP/1001@north", ())
    assert settings.table.agents["alice"].extension == "1001"


def test_a_home_that_cannot_tell_which_phones_are_in_use_is_not_watched(tmp_path: Path) -> None:
    """The simulated PBX forwards nothing; of Twilio's phones nothing is known, so key 1 is asked for."""

    def read(pbx: str, endpoint: str) -> tuple[bool, bool]:
        agents = f"agents:\n  bob: {{}}\n  alice: {{devices: {{desk: {{endpoint: {endpoint}}}}}}}\n"
        http = "http: {public_url: https://x.example.com}\n"
        settings = loaded(tmp_path, pbx=pbx, agents=agents, http=http)
        [desk] = settings.table.agents["alice"].devices
        return desk.confirm, desk.watch_answer

    simulated = NORTH_AND_SOUTH.replace(
        "driver: asterisk, username: u, secret: s", "driver: simulated"
    )
    assert read(simulated, "{north: PJSIP/1001, south: PJSIP/1001@north}") == (False, False)
    cloud = "  cloud: {driver: twilio, account_sid: AC0123456789abcdef0123456789abcdef, auth_token: 0123456789abcdef0123456789abcdef, caller_id: '+442079460000', numbers: {'+442079460001': support}}\n"
    phone = "{cloud: sip/a@acme.sip.twilio.com, south: PJSIP/a@cloud}"
    assert read(NORTH_AND_SOUTH + cloud, phone) == (True, False)


@pytest.mark.parametrize("explicit", [True, False])
def test_what_is_written_about_key_1_holds_on_every_pbx(tmp_path: Path, explicit: bool) -> None:
    both = (
        f"{{endpoint: {{north: PJSIP/1, south: PJSIP/1@north}}, confirm: {str(explicit).lower()}}}"
    )
    agents = f"agents:\n  bob: {{}}\n  alice: {{devices: {{desk: {both}}}}}\n"
    [desk] = loaded(tmp_path, pbx=NORTH_AND_SOUTH, agents=agents).table.agents["alice"].devices
    assert (desk.confirm, desk.watch_answer) == (explicit, False)


SEVERAL_ERRORS = [
    ("{endpoint: {}}", "5:24: endpoint names no PBX (such as {north: PJSIP/1001, south:"),
    ("{endpoint: {nort: PJSIP/1}}", "5:25: unknown pbx 'nort' (did you mean 'north'?)"),
    ("{endpoint: {north: '1001'}}", "5:32: north must be a phone such as PJSIP/1001"),
    ("{endpoint: {north: SIP/1}}", "5:32: 'SIP/1' is a phone of chan_sip, which"),
    ("{endpoint: {north: PJSIP/1, south: PSJIP/1@north}}", "5:48: 'PSJIP/1@north' is of no"),
    (
        "{endpoint: {north: PJSIP/1}, pbx: north}",
        "5:42: pbx has no effect: endpoint names the PBXes",
    ),
    ("{endpoint: {North: PJSIP/1}}", "5:25: a PBX's name must be"),
    ("{endpoint: [PJSIP/1]}", "5:24: endpoint must be a phone such as PJSIP/1001"),
    (
        "{endpoint: {north: Local/1@x, south: PJSIP/1@n}, auto_answer: true, confirm: false}",
        "5:75: auto_answer does not reach a phone behind Local/1@x",
    ),
    ("{endpoint: {cloud: PJSIP/1}}", "5:32: pbx cloud cannot ring PJSIP/1 (Twilio rings sip/"),
]


@pytest.mark.parametrize(("device", "message"), SEVERAL_ERRORS)
def test_errors_of_a_phone_on_several_pbxes(tmp_path: Path, device: str, message: str) -> None:
    cloud = "  cloud: {driver: twilio, account_sid: AC0123456789abcdef0123456789abcdef, auth_token: 0123456789abcdef0123456789abcdef, caller_id: '+442079460000', numbers: {'+442079460001': support}}\n"
    agents = f"agents:\n  bob: {{}}\n  alice:\n    devices:\n      desk: {device}\n"
    http = "http: {public_url: https://x.example.com}\n"
    [line] = told(tmp_path, pbx=NORTH_AND_SOUTH + cloud, agents=agents, http=http)
    assert line.startswith(f"agents.yaml:{message}"), line


def test_who_cannot_be_reached_from_where_is_said_with_few_names(tmp_path: Path) -> None:
    names = [f"a{n}" for n in range(8)]
    agents = (
        "agents:\n  alice: {devices: {desk: {endpoint: {north: PJSIP/1, south: PJSIP/1@north}}}}\n"
    )
    agents += "".join(
        f"  {name}: {{devices: {{desk: {{endpoint: PJSIP/{name}, pbx: north}}}}}}\n"
        for name in names
    )
    queues = f"queues:\n  support: {{agents: [alice, {', '.join(names)}]}}\n"
    said = warned(tmp_path, pbx=NORTH_AND_SOUTH, agents=agents, queues=queues)
    [line] = [line for line in said if "do not reach" in line]
    assert "callers on south do not reach a0, a1, a2, a3, a4 and 3 more" in line
    assert 'south: "PJSIP/1001@north"' in line


def test_what_else_tells_of_a_phone(tmp_path: Path) -> None:
    one = "{dial: Local/1001@from-internal/n, state: hint:1001@ext-local, contacts: first}"
    more = "{endpoint: PJSIP/1002, state: [hint:1002@ext-local, Custom:DND1002, pjsip/1002]}"
    agents = f"agents:\n  bob: {{devices: {{a: {one}, b: {more}}}}}\n  alice: {{}}\n"
    a, b = loaded(tmp_path, agents=agents).table.agents["bob"].devices
    assert (a.states, a.all_contacts) == (("hint:1001@ext-local",), False)
    assert b.states == ("hint:1002@ext-local", "Custom:DND1002", "PJSIP/1002")
    assert b.all_contacts


def test_which_pbx_rings_a_device(tmp_path: Path) -> None:
    agents = (
        "agents:\n  bob: {}\n  alice:\n    devices:\n"
        "      a: {endpoint: PJSIP/1, pbx: plain}\n"
        "      b: {number: +447700900123}\n"
        "      c: {number: '+447700900124', pbx: lab, enabled: false}\n"
        "      d: {endpoint: PJSIP/2, pbx: lab, confirm: true, ring_after: 10s, accept_within: 40}\n"
    )
    settings = loaded(tmp_path, pbx=TWO_PBXES, agents=agents)
    a, b, c, d = settings.table.agents["alice"].devices
    assert (a.pbxes, a.confirm) == (("plain",), False)
    assert (b.pbxes, b.confirm, b.number, b.address) == (
        ("office", "lab"), True, "+447700900123", "+447700900123",
    )  # fmt: skip
    assert (c.pbxes, c.enabled) == (("lab",), False)
    assert (d.confirm, d.ring_after, d.accept_within) == (True, 10, 40)
    assert (a.accept_within, b.accept_within) == (25, 25)
    assert settings.pbxes["lab"] == SimulatedSettings(id="lab", seed=7)


def test_a_device_that_no_pbx_or_several_could_ring(tmp_path: Path) -> None:
    def why(device: str, pbx: str = TWO_PBXES) -> list[str]:
        agents = f"agents:\n  bob: {{}}\n  alice: {{devices: {{desk: {device}}}}}\n"
        return told(tmp_path, pbx=pbx, agents=agents)

    assert why("PJSIP/1") == [
        (
            "agents.yaml:3:21: desk needs a 'pbx': there are office, plain and lab"
            " (such as {endpoint: PJSIP/1, pbx: office})"
        )
    ]
    assert why("{number: '+447700900123', pbx: plain}") == [
        "agents.yaml:3:58: pbx plain cannot ring an outside number (give it a dial_number)"
    ]
    one = "pbx:\n  plain: {driver: asterisk, username: u, secret: s}\n"
    assert why("{number: '+447700900123'}", one) == [
        "agents.yaml:3:21: no pbx can ring an outside number (give one a dial_number)"
    ]
    # What is wrong with the only PBX is said once, not for each phone.
    assert len(why("PJSIP/1", "pbx:\n  plain: {driver: asterisk, username: u}\n")) == 1


PBX_ERRORS = [
    ("{driver: asterix}", "2:20: driver must be asterisk, twilio or simulated, not 'asterix' (did you mean 'asterisk'?)"),
    ("{driver: [a]}", "2:20: driver must be asterisk, twilio or simulated, not a list"),
    ("{}", "2:3: office has no 'driver' (add a line 'driver: …')"),
    ("5", "2:11: office must be a mapping, not 5"),
    ("{driver: asterisk, username: u}", "2:3: office has no 'secret'"),
    ("{driver: asterisk, username: u, secret: s, port: 0}", "2:60: port must be a whole number from 1 to 65535, not 0"),
    ("{driver: asterisk, username: u, secret: s, hots: h}", "2:54: unknown key 'hots' (did you mean 'host'?)"),
    ("{driver: asterisk, username: u, secret: s, host: 'a b'}", "2:60: host must be a host name"),
    ("{driver: asterisk, username: u, secret: s, host: 10.0.0.300}", "2:60: host must be a host name"),
    ("{driver: asterisk, username: u, secret: s, host: '1:2'}", "2:60: host must be a host name"),
    ("{driver: asterisk, username: u, secret: s, tls: yes}", "2:59: tls must be true or false, not 'yes'"),
    ("{driver: asterisk, username: u, secret: s, tls: {cert: x}}", "2:54: tls has no 'ca'"),
    ("{driver: asterisk, username: u, secret: s, show: business}", "2:54: show: business without caller_id (give caller_id"),
    ("{driver: asterisk, username: u, secret: s, show: both}", "2:60: show must be caller or business"),
    ("{driver: asterisk, username: u, secret: s, caller_id: '02079460000'}", "2:65: caller_id must be an international number"),
    ("{driver: asterisk, username: u, secret: s, dial_number: PJSIP/x}", "2:67: dial_number must be a dial string with exactly one {number}"),
    ("{driver: asterisk, username: u, secret: s, dial_number: 'PJSIP/{number}{number}'}", "2:67: dial_number must be"),
    ("{driver: simulated, host: x}", "2:31: unknown key 'host'"),
    ("{driver: simulated, seed: x}", "2:37: seed must be a whole number, not 'x'"),
]  # fmt: skip


@pytest.mark.parametrize(("pbx", "message"), PBX_ERRORS)
def test_pbx_errors(tmp_path: Path, pbx: str, message: str) -> None:
    found = told(tmp_path, pbx=f"pbx:\n  office: {pbx}\n")
    assert found[0].startswith(f"pbx.yaml:{message}"), found


def test_pbx_and_http(tmp_path: Path) -> None:
    for name in ("c.pem", "ca.pem"):
        (tmp_path / name).touch()
    pbx = (
        "pbx:\n  office:\n    driver: asterisk\n    host: pbx.example.com\n    port: 5039\n"
        "    username: u\n    secret: kQ3x9vLp2mZ8\n    dial_number: PJSIP/+{number}@carrier\n"
        "    tls: {ca: ca.pem}\n"
    )
    http = (
        "http:\n  listen: '[::]:443'\n  tls: {certificate: c.pem, key: /dev/null}\n"
        "  api_tokens: [{name: crm, role: supervisor, token: kQ3x9vLp2mZ8tR5wYb7N4cJd}]\n"
    )
    settings = loaded(tmp_path, pbx=pbx, http=http)
    assert settings.pbxes["office"] == AsteriskSettings(
        id="office",
        host="pbx.example.com",
        port=5039,
        username="u",
        secret="kQ3x9vLp2mZ8",
        dial_number="PJSIP/+{number}@carrier",
        tls=True,
        ca=tmp_path / "ca.pem",
    )
    assert (settings.http.host, settings.http.port) == ("::", 443)
    assert (settings.http.certificate, settings.http.key) == (tmp_path / "c.pem", Path("/dev/null"))
    assert settings.http.api_tokens[0].role == "supervisor"
    assert settings.warnings == ()


def test_site_errors(tmp_path: Path) -> None:
    site = (
        "http:\n"
        "  listen: 8080\n"
        "  tls: {certificate: c.pem}\n"
        "  api_tokens:\n"
        "    - {name: a, role: boss, token: 0123456789abcdef}\n"
        "    - {name: b, role: admin, token: short}\n"
        "    - {name: c, role: admin, token: 0123456789abcdeX}\n"
        "    - {name: c, role: admin, token: 0123456789abcdeY}\n"
        "    - {name: d, role: admin, token: 0123456789abcdeX}\n"
        "users:\n  sam: {role: supervisr, password: secret}\n"
        "timezone: Europe/Lndon\n"
        "rules: []\n"  # nothing wrong with none
        "numbers: {region: gb, types: [mobil], registration: true}\n"
        "qeues: {}\n"
    )
    found = told(tmp_path, site=site)
    assert [line.removeprefix("site.yaml:") for line in found] == [
        (
            "2:11: listen must be an address and a port such as 127.0.0.1:8080, not 8080"
            " (write 127.0.0.1:8080)"
        ),
        "3:3: tls has no 'key' (add a line 'key: …')",
        "5:23: role must be metrics, agent, supervisor or admin, not 'boss'",
        "6:37: token must be a text of at least 16 characters",
        "8:14: api token 'c' appears twice",
        "9:37: token appears twice (give each program its own)",
        "11:15: role must be agent, supervisor or admin, not 'supervisr' (did you mean 'supervisor'?)",
        "11:36: password must be a hash made by 'callrouter passwd' ($argon2id$…)",
        "12:11: unknown time zone 'Europe/Lndon' (did you mean 'Europe/London'?)",
        "14:19: region must be a country of two capital letters, such as GB, not 'gb' (write GB)",
        "14:31: item 1 of types must be mobile or fixed-line, not 'mobil' (did you mean 'mobile'?)",
        "14:39: 'registration' is not supported by this version",
        "15:1: unknown key 'qeues' (did you mean 'queues'?)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("timezone: GMT+1", "unknown time zone 'GMT+1' (such as Europe/London)"),
        ("pauses: {}\nrules: [{name: ' ', then: {priority: 1}}]", "name must be a text of 1 to 200 characters, not ' '"),
        ("numbers: {region: UK}", "region must be a country of two capital letters, such as GB, not 'UK' (write GB)"),
        ("numbers: {countries: [GB, XX]}", "item 2 of countries must be a country of two capital letters, such as GB, not 'XX'"),
        ("http: {listen: '300.0.0.1:80'}", "listen must be an address and a port"),
        ("users: {sam: {role: supervisor, queues: [], password: '$argon2id$x'}}", "queues names none (it would be limited to nothing; for all queues take queues out)"),
        ("http: {api_tokens: [{name: a, role: supervisor, queues: [], token: 0123456789abcdef}]}", "queues names none"),
        ("database: 'host=db dbname=calls'", "database is neither the name of a file nor an address (write postgresql://USER:PASSWORD@HOST/DATABASE)"),
        ("users: {sam: {role: admin, password: hunter2}}", "password must be a hash made by 'callrouter passwd'"),
        ("qu\u00a0eues: {}", "unknown key 'qu\\xa0eues' (it has a space that is not a plain one (U+00A0); write plain spaces)"),
        ("timezone:\u00a0UTC", "the file must consist of sections"),
    ],
)  # fmt: skip
def test_one_fault_of_a_site(tmp_path: Path, text: str, message: str) -> None:
    [line] = told(tmp_path, site=text + "\n")
    assert message in line


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("pbx: {office: {driver: asterisk, username: u, secret: Zk38fj20dkfi38dk, tls: {ca: no.pem}}}", "no.pem"),
        ("pbx: {office: {driver: simulated}}\nhttp: {tls: {certificate: here.pem, key: gone.pem}}", "gone.pem"),
        ("pbx: {office: {driver: simulated}}\nhttp: {tls: {certificate: here.pem, key: '${PLACE}'}}", "'${PLACE}'"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_there(tmp_path: Path, text: str, file: str) -> None:
    (tmp_path / "here.pem").touch()
    put(tmp_path, {"pbx.yaml": text + "\n", "agents.yaml": AGENTS, "queues.yaml": QUEUES})
    found = load(tmp_path, environ={"PLACE": "s3cret-p1ace"}, policies=POLICIES).warnings
    [said] = [str(each) for each in found if "there is no file" in str(each)]
    assert f"{file} (without it the daemon does not start)" in said
    assert "p1ace" not in said


@pytest.mark.parametrize(
    ("addresses", "said"),
    [
        ("north: PJSIP/1, south: PJSIP/1@south", "PJSIP/1@south leads to south, and no address says that the phone is there (it is registered at north: such as PJSIP/1@north)"),
        ("north: PJSIP/1@north, south: PJSIP/1@north", "(where it is registered it has no @: north: PJSIP/1)"),
        ("north: PJSIP/1, south: PJSIP/1@north", ""),
        ("north: PJSIP/1, south: PJSIP/1@branch", ""),
        ("north: PJSIP/1, south: Local/1@south", ""),
    ],
)  # fmt: skip
def test_an_address_that_leads_to_the_wrong_pbx(tmp_path: Path, addresses: str, said: str) -> None:
    agents = f"agents: {{alice: {{devices: {{desk: {{endpoint: {{{addresses}}}}}}}}}}}\n"
    queues = "queues: {support: {agents: [alice]}}\n"
    found = warned(tmp_path, pbx=NORTH_AND_SOUTH, agents=agents, queues=queues)
    led = " ".join(line for line in found if " leads to " in line)
    assert said in led
    assert bool(said) == bool(led)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("queue_log: on", "queue_log must be asterisk, file, both or off, not 'on'"),
        ("queue_log: true", "queue_log must be asterisk, file, both or off, not true"),
        (
            "queue_log: both\nqueue_log_file: /var/log/asterisk/queue_log",
            "with queue_log: both, Asterisk writes the same lines into this file (name another",
        ),
    ],
)
def test_queue_log_errors(tmp_path: Path, keys: str, message: str) -> None:
    (error,) = told(tmp_path, site=f"{keys}\n")
    assert message in error


def test_a_file_of_queue_log_that_is_not_written_is_warned_of(tmp_path: Path) -> None:
    (warning,) = warned(tmp_path, site="queue_log_file: x\n")
    assert "queue_log_file is not used with queue_log: asterisk" in warning


def test_names(tmp_path: Path) -> None:
    agents = "agents:\n  alice: {}\n  bob: {}\n  Carol Ann: {}\n  -x: {}\n"
    rule = "small letters, digits, '-' and '_' (64 at most, a letter or digit first)"
    assert told(tmp_path, agents=agents) == [
        f"agents.yaml:4:3: an agent's name must be {rule}, not 'Carol Ann' (such as 'carol-ann')",
        f"agents.yaml:5:3: an agent's name must be {rule}, not '-x' (such as 'x')",
    ]
    assert told(tmp_path, agents=agents[:30] + f"  {'x' * 65}: {{}}\n")[0].startswith(
        "agents.yaml:4"
    )


def test_an_agent_who_is_switched_off_is_not_there(tmp_path: Path) -> None:
    agents = "agents:\n  alice: {enabled: false, devices: {a: PJSIP/1}}\n  bob: {devices: {a: PJSIP/2}}\n"
    table = loaded(tmp_path, agents=agents).table
    assert set(table.agents) == {"bob"}
    assert [(m.agent, m.order) for m in table.queues["support"].members] == [("bob", 1)]


def test_warnings_about_agents_and_queues(tmp_path: Path) -> None:
    agents = (
        "agents:\n"
        "  alice: {devices: {desk: PJSIP/1}}\n"
        "  bob: {devices: {desk: PJSIP/1}}\n"
        "  carol: {}\n"
        "  dave: {devices: {desk: {endpoint: PJSIP/4, enabled: false}}}\n"
    )
    queues = (
        "queues:\n"
        "  support: {agents: [alice, bob, dave], max_wait: 1m, on_max_wait: 'queue:sales'}\n"
        "  sales: {on_full: 'queue:support'}\n"
        "  self: {agents: [alice], max_waiting: 1, on_full: 'queue:self'}\n"
    )
    assert warned(tmp_path, agents=agents, queues=queues) == [
        "agents.yaml:3:19: PJSIP/1 is also a phone of alice (see agents.yaml:2)",
        "agents.yaml:4:3: agent carol has no phone (no call can ring)",
        "agents.yaml:4:3: agent carol is in no queue",
        "agents.yaml:5:3: agent dave has no phone that is enabled (no call can ring)",
        "queues.yaml:3:3: queue sales has no agents",
        "queues.yaml:3:11: on_full never applies (max_waiting is not set)",
        (
            "queues.yaml:3:20: calls can go round in a circle: support -> sales -> support"
            " (let one of them end elsewhere)"
        ),
        (
            "queues.yaml:4:52: calls can go round in a circle: self -> self"
            " (let one of them end elsewhere)"
        ),
    ]


def test_a_long_chain_of_overflow_is_no_trouble(tmp_path: Path) -> None:
    chain = "".join(
        f"  q{i}: {{agents: [alice, bob], max_waiting: 1, on_full: 'queue:q{(i + 1) % 3000}'}}\n"
        for i in range(3000)
    )
    assert len(warned(tmp_path, queues="queues:\n" + chain)) == 1


def test_what_once_had_no_effect_is_taken(tmp_path: Path) -> None:
    agents = "agents:\n  alice: {pin: $argon2id$x}\n  bob: {pin: $argon2id$y}\n"
    site = (
        "users: {sam: {role: admin, password: $argon2id$x}}\ndatabase: x.db\n"
        "timezone: Europe/London\nnumbers: {region: GB}\nhttp: {listen: '0.0.0.0:80'}\n"
    )
    queues = QUEUES.replace(
        "{", "{service_level: {within: 20s, target: 80}, announce: {position: true}, "
    )
    settings = loaded(tmp_path, agents=agents, site=site, queues=queues)
    found = [str(problem) for problem in settings.warnings if "no phone" not in problem.text]
    assert found == [
        (
            "site.yaml:5:16: HTTP without TLS is open to other machines"
            " (listen on 127.0.0.1, or give http a tls)"
        ),
    ]
    assert settings.service_levels["support"].within == 20
    assert settings.service_levels["support"].short_abandon == 5
    assert settings.numbers.region == "GB"


def test_everything_wrong_is_told_at_once_in_order(tmp_path: Path) -> None:
    queues = (
        "queues:\n"
        "  support:\n"
        "    agents: {alice: 0, bbo: 1}\n"
        "    policy: prioritty\n"
        "    ring_fro: 20s\n"
        "    on_full: queue:nowhere\n"
        "    max_wait: 5 min\n"
    )
    found = problems(tmp_path, queues=queues)
    assert [(p.line, p.column) for p in found] == [
        (3, 21),
        (3, 24),
        (4, 13),
        (5, 5),
        (6, 14),
        (7, 15),
    ]
    assert found[3].source_line == "    ring_fro: 20s"
    assert found[3].hint == "did you mean 'ring_for'?"


def test_a_thousand_dangling_names_are_quick(tmp_path: Path) -> None:
    agents = "agents:\n" + "".join(f"  agent{i}: {{}}\n" for i in range(10_000))
    queues = "queues:\n  q:\n    agents:\n" + "".join(f"      agnet{i}: 1\n" for i in range(10_000))
    found = problems(tmp_path, agents=agents, queues=queues)
    assert len(found) == 101  # and how many there are besides
    assert found[-1].text == "9900 more mistakes, which are not listed"
    assert found[7].hint == "did you mean 'agent7'?"


@pytest.mark.parametrize(
    "wrong", ["agnet-4711", "agent-4771", "agent4711", "Agent-4711", "gent-4711"]
)
def test_the_nearest_of_very_many_names(wrong: str) -> None:
    names = tuple(f"agent-{i}" for i in range(10_000))
    hint = Nearest().hint(wrong, names)
    close = [n for n in names if f"'{n}'" in hint]
    best = max(SequenceMatcher(None, n, wrong.lower()).ratio() for n in names)
    assert [SequenceMatcher(None, n, wrong.lower()).ratio() for n in close] == [best]
    assert Nearest().hint("zzz", names) == ""


def test_policies_come_from_the_program(tmp_path: Path) -> None:
    queues = QUEUES.replace("{", "{policy: mine, ")
    loaded_dir = tmp_path / "c"
    loaded_dir.mkdir()
    assert problems(loaded_dir, queues=queues)
    settings = load(loaded_dir, environ={}, policies=POLICIES | {"mine"})
    assert settings.table.queues["support"].policy == ("mine",)
    assert PBX


def test_numbers_in_files_are_held_to_their_form_and_dear_ones_warned_of(tmp_path: Path) -> None:
    def agents(number: str) -> str:
        return f'agents:\n  alice: {{devices: {{mobile: {{number: "{number}"}}}}}}\n  bob: {{}}\n'

    assert told(tmp_path, agents=agents("+999123456789")) == [
        (
            "agents.yaml:2:38: number '+999123456789': no country has numbers that begin like this "
            "(such as +447700900123)"
        )
    ]
    assert told(tmp_path, agents=agents("+4477009")) == [
        (
            "agents.yaml:2:38: number '+4477009': too few digits for a number of its country "
            "(such as +447700900123)"
        )
    ]
    assert told(tmp_path, agents=agents("+33612345678")) == []
    assert [
        line for line in warned(tmp_path, agents=agents("+449098790000")) if "costs" in line
    ] == [
        (
            "agents.yaml:2:21: +449098790000 is a premium-rate number; every call to it costs "
            "(agents could not register it)"
        )
    ]


def test_a_token_may_act_for_one_agent(tmp_path: Path) -> None:
    def site(more: str) -> str:
        return f"http:\n  api_tokens:\n    - {{name: app, token: 0123456789abcdef, {more}}}\n"

    settings = loaded(tmp_path, site=site("role: agent, agent: alice"))
    assert settings.http.api_tokens[0].agent == "alice"
    assert told(tmp_path, site=site("role: agent, agent: alise")) == [
        "site.yaml:3:64: unknown agent 'alise' (did you mean 'alice'?)"
    ]
    assert told(tmp_path, site=site("role: supervisor, agent: alice")) == [
        (
            "site.yaml:3:62: a token of role supervisor acts for all agents "
            "(take agent: out, or give it role: agent)"
        )
    ]


# ---------------------------------------------------------------- pauses and hours of devices


def test_pauses_have_a_length_and_what_comes_after_it(tmp_path: Path) -> None:
    text = (
        "pauses:\n  lunch: {longest: 45m, then: resume}\n  training: {longest: 2h, then: sign-out}\n"
        "  short: {longest: 10m, default: true}\n  meeting: {}\n"
    )
    assert loaded(tmp_path, pauses=text).table.pauses == {
        "lunch": PauseSpec(reason="lunch", longest=2700, then=PauseEnd.RESUME),
        "training": PauseSpec(reason="training", longest=7200, then=PauseEnd.SIGN_OUT),
        "short": PauseSpec(reason="short", longest=600, then=PauseEnd.TELL, default=True),
        "meeting": PauseSpec(reason="meeting"),
    }
    assert loaded(tmp_path, pauses="pauses: {}\n").table.pauses == {}


@pytest.mark.parametrize(
    ("pauses", "message"),
    [
        (
            "{lunch: {then: resume}}",
            "1:24: then: resume says what comes after a length that is not there (add a longest",
        ),
        (
            "{a: {default: true}, b: {default: true}}",
            "1:43: default: true stands for 'a' too (one reason at most is the default)",
        ),
        ("{lunch: {longest: 0}}", "1:27: longest must be a duration longer than 0"),
        ("{lunch: {longest: 5m, then: warn}}", "1:37: then must be tell, resume or sign-out"),
        ("{lunch: {longst: 5m}}", "1:18: unknown key 'longst' (did you mean 'longest'?)"),
        ("{Lunch: {}}", "1:10: a reason for a pause must be small letters"),
    ],
)
def test_pause_errors(tmp_path: Path, pauses: str, message: str) -> None:
    [found] = told(tmp_path, pauses=f"pauses: {pauses}\n")
    assert f"pauses.yaml:{message}" in found


def test_hours_of_a_device_are_in_the_zone_of_the_table(tmp_path: Path) -> None:
    agents = (
        "agents:\n  alice: {devices: {desk: {endpoint: PJSIP/1, hours: mon-fri 08:00-18:00}}}\n"
    )
    site = f"{PBX}timezone: Europe/Paris\n"
    table = loaded(tmp_path, pbx=site, agents=agents, queues="queues: {}\n").table
    [desk] = table.agents["alice"].devices
    assert desk.hours == Hours(parse_spans("mon-fri 08:00-18:00"), ZoneInfo("Europe/Paris"))
    agents = agents.replace("mon-fri", "mon-fry")
    [found] = told(tmp_path, agents=agents, queues="queues: {}\n")
    assert "agents.yaml:2:54: hours: " in found


# ---------------------------------------------------------------- how numbers are dialled


def asterisk(
    folder: Path, more: str, site: str = "numbers: {region: GB}\n"
) -> list[str] | AsteriskSettings:
    text = f"pbx:\n  office: {{driver: asterisk, username: u, secret: s, {more}}}\n"
    found = told(folder, pbx=text, site=site, agents="agents: {}\n", queues="queues: {}\n")
    if found:
        return found
    office = loaded(
        folder, pbx=text, site=site, agents="agents: {}\n", queues="queues: {}\n"
    ).pbxes["office"]
    assert isinstance(office, AsteriskSettings)
    return office


@pytest.mark.parametrize(
    ("form", "number", "dialled"),
    [
        ("e164", "+447700900123", "447700900123"),
        ("plus", "+447700900123", "+447700900123"),
        ("'00'", "+447700900123", "00447700900123"),
        ("national", "+447700900123", "07700900123"),
        ("national", "+33142685300", "0033142685300"),
    ],
)
def test_number_format(tmp_path: Path, form: str, number: str, dialled: str) -> None:
    office = asterisk(
        tmp_path,
        f"number_format: {form}, dial_number: ['PJSIP/{{number}}@one', 'Local/{{number}}@from-internal/n']",
    )
    assert isinstance(office, AsteriskSettings)
    assert [dial_string(way, number) for way in outbound_routes(office)] == [
        f"PJSIP/{dialled}@one",
        f"Local/{dialled}@from-internal/n",
    ]


@pytest.mark.parametrize(
    ("more", "site", "what"),
    [
        (
            "dial_number: 'PJSIP/{number}@x', number_format: local",
            "",
            "number_format must be e164, plus, national or 00",
        ),
        (
            "dial_number: 'PJSIP/{number}@x', number_format: national",
            "",
            "number_format: national needs numbers.region",
        ),
        ("number_format: plus", "", "number_format without dial_number"),
        (
            "dial_number: 'PJSIP/+{number}@x', number_format: plus",
            "",
            "+{number} in dial_number writes it twice",
        ),
        (
            "dial_number: ['PJSIP/{number}@x', 'PJSIP/x']",
            "",
            "item 2 of dial_number must be a dial string",
        ),
        ("dial_number: []", "", "dial_number"),
    ],
)
def test_number_formats_that_cannot_be(tmp_path: Path, more: str, site: str, what: str) -> None:
    found = asterisk(tmp_path, more, site)
    assert isinstance(found, list), found
    assert any(what in line for line in found), found


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("http: {listen: 8443}", "write 127.0.0.1:8443"),
        ("http: {listen: true}", ""),
        ("http: {public_url: 80}", ""),
        ("socket: {group: 5}", 'put it in quotes: "5"'),
        ("rules: [{name: x, when: {hours: 9}, then: {priority: 1}}]", ""),
        ("destinations: {ops: {mail: 5}}", ""),
        ("destinations: {ops: {webhook: 80}}", ""),
        ("cluster: {name: 1}", 'put it in quotes: "1"'),
    ],
)
def test_what_is_advised_would_be_right(tmp_path: Path, line: str, advice: str) -> None:
    (found,) = (one for one in told(tmp_path, site=line + "\n") if ", not " in one)
    assert found.endswith(f" ({advice})" if advice else found.rpartition(", not ")[2])
    assert bool(advice) == found.endswith(")")
