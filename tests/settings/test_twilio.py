"""The keys of a PBX with ``driver: twilio``."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.settings import TwilioSettings, changes
from tests.settings.cases import loaded, told

SID = "AC" + "0a" * 16
NEEDED = (
    f"account_sid: {SID}, auth_token: hunter-two, public_url: 'https://calls.example.com/', "
    "numbers: {'+442079460000': support}, caller_id: '+442079460000'"
)
QUEUES = "queues:\n  support: {}\n"


def pbx(more: str = "", needed: str = NEEDED) -> str:
    return f"pbx:\n  cloud: {{driver: twilio, {needed}{more}}}\n"


def test_all_keys(tmp_path: Path) -> None:
    more = (
        f", other_auth_token: hunter-three, api_key: {'SK' + '1b' * 16}, api_secret: hunter-four, "
        "calls_per_second: 0.5, codes: '+442079460090', fallback: '+442079460099', places: {voicemail: '+442079460077'}, "
        "music: {default: 'https://example.com/m.mp3'}, api_url: 'http://127.0.0.1:9'"
    )
    cloud = loaded(tmp_path, pbx=pbx(more), agents="agents: {}\n", queues=QUEUES).pbxes["cloud"]
    assert cloud == TwilioSettings(
        id="cloud",
        account_sid=SID,
        auth_token="hunter-two",
        other_auth_token="hunter-three",
        api_key="SK" + "1b" * 16,
        api_secret="hunter-four",
        public_url="https://calls.example.com",
        numbers={"+442079460000": "support"},
        caller_id="+442079460000",
        calls_per_second=0.5,
        codes="+442079460090",
        fallback="+442079460099",
        places={"voicemail": "+442079460077"},
        music={"default": "https://example.com/m.mp3"},
        api_url="http://127.0.0.1:9",
    )
    assert "hunter" not in repr(cloud)


def test_a_change_is_said_without_numbers_and_secrets(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before = loaded(tmp_path / "a", pbx=pbx(), agents="agents: {}\n", queues=QUEUES)
    needed = NEEDED.replace("hunter-two", "hunter-three").replace("946", "945")
    now = pbx(", calls_per_second: 5", needed)
    after = loaded(tmp_path / "b", pbx=now, agents="agents: {}\n", queues=QUEUES)
    assert changes(before, after) == [
        f"pbx cloud: {what} (needs a restart)"
        for what in (
            "auth_token changed",
            "numbers changed",
            "caller_id changed",
            "calls_per_second 1.0 -> 5.0",
        )
    ]


@pytest.mark.parametrize(
    ("changed", "to", "what"),
    [
        (SID, "AC1", "account_sid must be an account SID (AC and 32 characters 0-9 a-f), not 'AC1'"),
        ("https://calls", "http://calls", "public_url must be an address such as https://"),
        ("support}", "suport}", "unknown queue 'suport' (did you mean 'support'?)"),
        (
            "caller_id:",
            "codes: '+442079460000', caller_id:",
            "codes is a number of queue 'support' already (give agents a number of their own)",
        ),
        ("caller_id: '+44", "caller_id: '44", "caller_id must be an international number"),
        ("auth_token: hunter-two, ", "", "cloud has no 'auth_token'"),
        ("auth_token", "auth_tokn", "unknown key 'auth_tokn' (did you mean 'auth_token'?)"),
        ("hunter-two", "[hunter-two]", "auth_token must be a text, not empty"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, changed: str, to: str, what: str) -> None:
    found = told(tmp_path, pbx=pbx(needed=NEEDED.replace(changed, to)), queues=QUEUES)
    assert any(what in line for line in found), found
    assert not any("hunter" in line for line in found)


@pytest.mark.parametrize(
    ("more", "what"),
    [
        (", calls_per_second: 0", "calls_per_second must be a number from 0.1 to 100"),
        (f", api_key: {'SK' + '1b' * 16}", "api_key without api_secret (give both, or none)"),
        (", api_secret: hunter-four", "api_secret without api_key (give both, or none)"),
        (", places: {'a b': '+442079460077'}", "a name such as voicemail"),
        (", music: {default: m.mp3}", "the address of a sound file"),
    ],
)
def test_more_mistakes(tmp_path: Path, more: str, what: str) -> None:
    found = told(tmp_path, pbx=pbx(more), queues=QUEUES)
    assert any(what in line for line in found), found
    assert not any("hunter" in line for line in found)


def test_which_pbx_rings_which_phone(tmp_path: Path) -> None:
    both = (
        pbx()
        + "  office: {driver: asterisk, username: u, secret: s, dial_number: 'PJSIP/{number}@c'}\n"
    )
    agents = (
        "agents:\n  ann:\n    devices:\n"
        "      desk: PJSIP/1001\n"
        "      softphone: sip/ann@acme.sip.twilio.com\n"
        "      browser: client/ann\n"
        "      mobile: {number: '+447700900123'}\n"
    )
    table = loaded(tmp_path, pbx=both, agents=agents, queues=QUEUES).table
    assert {device.id: device.pbxes for device in table.agents["ann"].devices} == {
        "desk": ("office",),
        "softphone": ("cloud",),
        "browser": ("cloud",),
        "mobile": ("cloud", "office"),
    }


def test_a_phone_that_nobody_can_ring(tmp_path: Path) -> None:
    for device, what in (
        ("PJSIP/1001", "no pbx can ring PJSIP/1001 (Twilio rings sip/USER@NAME.sip.twilio.com"),
        ("{endpoint: PJSIP/1001, pbx: cloud}", "pbx cloud cannot ring PJSIP/1001"),
    ):
        agents = f"agents:\n  ann: {{devices: {{desk: {device}}}}}\n"
        found = told(tmp_path, pbx=pbx(), agents=agents, queues=QUEUES)
        assert any(what in line for line in found), found


def test_what_looks_like_twilio_s_is_chan_sip_s_where_there_is_an_asterisk_alone(
    tmp_path: Path,
) -> None:
    office = "pbx:\n  office: {driver: asterisk, username: u, secret: s}\n"
    agents = "agents:\n  ann: {devices: {desk: sip/ann@trunk}}\n"
    [said] = told(tmp_path, pbx=office, agents=agents, queues=QUEUES)
    assert "is a phone of chan_sip, which Asterisk no longer has; write PJSIP/ann@trunk" in said


PEOPLE = (
    "agents:\n"
    "  ann: {devices: {desk: sip/ann@acme.sip.twilio.com}}\n"
    "  bob: {devices: {web: client/bob}}\n"
    "  cat: {devices: {mobile: {number: '+447700900123'}}}\n"
)
DIAL = "queues:\n  support: {agents: [ann, bob], at_once: all, ring_all: dial}\n"


def test_ring_all_dial(tmp_path: Path) -> None:
    settings = loaded(tmp_path, pbx=pbx(), agents=PEOPLE, queues=DIAL)
    assert settings.table.queues["support"].dial
    assert [str(one) for one in settings.warnings if "ring_all" in str(one)] == []


def test_a_change_of_ring_all_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    before = loaded(tmp_path / "a", pbx=pbx(), agents=PEOPLE, queues=DIAL.replace("dial", "each"))
    after = loaded(tmp_path / "b", pbx=pbx(), agents=PEOPLE, queues=DIAL)
    assert not before.table.queues["support"].dial
    assert changes(before, after) == ["support: ring_all each -> dial"]


@pytest.mark.parametrize(
    ("queues", "site", "what"),
    [
        (DIAL.replace("dial", "dail"), pbx(), "ring_all must be each or dial, not 'dail'"),
        (
            DIAL.replace("at_once: all, ", ""),
            pbx(),
            "ring_all: dial rings several phones at once, and at_once is 1 (give the queue at_once: all",
        ),
        (
            DIAL,
            "pbx: {office: {driver: asterisk, username: u, secret: s}}\n",
            "ring_all: dial is Twilio's, and no pbx is a Twilio (take it out: Asterisk rings all",
        ),
    ],
)
def test_ring_all_dial_where_it_cannot_be(
    tmp_path: Path, queues: str, site: str, what: str
) -> None:
    assert any(what in line for line in told(tmp_path, pbx=site, agents=PEOPLE, queues=queues))


def test_ring_all_dial_that_widening_makes_possible_or_that_has_no_phones(tmp_path: Path) -> None:
    later = "queues:\n  support: {agents: [ann, bob], ring_all: dial, widen: [{after: 30s, at_once: 3}]}\n"
    assert loaded(tmp_path, pbx=pbx(), agents=PEOPLE, queues=later).table.queues["support"].dial
    alone = DIAL.replace("bob", "cat")
    found = [str(one) for one in loaded(tmp_path, pbx=pbx(), agents=PEOPLE, queues=alone).warnings]
    said = "ring_all: dial has 1 SIP phone or browser of Twilio's to ring (phones that press 1 are called"
    assert any(said in line for line in found), found


def test_the_address_of_the_http_side_will_do_for_twilio(tmp_path: Path) -> None:
    without = NEEDED.replace("public_url: 'https://calls.example.com/', ", "")
    assert without != NEEDED
    site = "http: {public_url: 'https://acd.example.com/'}\n"
    files = {"pbx": pbx(needed=without), "agents": "agents: {}\n", "queues": QUEUES}
    settings = loaded(tmp_path, **files, http=site)
    assert settings.http.public_url == "https://acd.example.com"
    [cloud] = settings.pbxes.values()
    assert isinstance(cloud, TwilioSettings)
    assert cloud.public_url == "https://acd.example.com"
    for http in ("http: {}\n", "http: {public_url: 'http://calls.lan:8080'}\n"):
        found = told(tmp_path, **files, http=http)
        assert any("cloud has no 'public_url' (how Twilio reaches us" in line for line in found)


def test_a_changed_address_of_the_http_side_is_said(tmp_path: Path) -> None:
    files = {"pbx": pbx(), "agents": "agents: {}\n", "queues": QUEUES}
    found = []
    for name, url in (("a", ""), ("b", "https://calls.example.com")):
        (tmp_path / name).mkdir()
        http = f"http: {{public_url: '{url}'}}\n" if url else "http: {}\n"
        found.append(loaded(tmp_path / name, **files, http=http))
    assert changes(*found) == ["http: public_url none -> https://calls.example.com"]


@pytest.mark.parametrize(
    "written", ["+44 20 7946 0000", "020 7946 0000", "0044 (20) 7946-0000", "442079460000"]
)
def test_numbers_may_be_written_in_any_way(tmp_path: Path, written: str) -> None:
    changed = NEEDED.replace("'+442079460000': support", f"'{written}': support")
    agents = "agents:\n  alice: {devices: {mobile: {number: '07700 900123'}}}\n"
    found = loaded(
        tmp_path,
        pbx=pbx(needed=changed),
        agents=agents,
        queues=QUEUES,
        site="numbers: {region: GB}\n",
    )
    cloud = found.pbxes["cloud"]
    assert isinstance(cloud, TwilioSettings)
    assert cloud.numbers == {"+442079460000": "support"}
    assert found.table.agents["alice"].devices[0].number == "+447700900123"


def test_one_number_written_in_two_ways_stands_twice(tmp_path: Path) -> None:
    changed = NEEDED.replace(
        "'+442079460000': support", "'+442079460000': support, '+44 20 7946 0000': support"
    )
    found = told(tmp_path, pbx=pbx(needed=changed), queues=QUEUES)
    assert any("this number appears twice (first in pbx.yaml:2" in line for line in found), found
