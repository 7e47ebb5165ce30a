"""The codes that agents dial, where a site has moved them, and the dialplan that is written for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.model.ivr import SHIPPED_CODES, Code, PhoneCodes
from callrouter.pbx.asterisk.dialplan import render_extensions, version
from callrouter.settings import TwilioSettings, changes
from tests.settings.cases import loaded, told

MOVED = 'codes: {sign_in: "*65", pause: "*66", mobile: none, register: "77", ready: "#1"}\n'
TWILIO = (
    "pbx:\n  cloud: {driver: twilio, account_sid: AC" + "0" * 32 + ", auth_token: t, caller_id: "
    "'+442079460001', public_url: 'https://x.example', numbers: {'+442079460000': support}}\n"
)


def test_by_default_as_shipped(tmp_path: Path) -> None:
    assert loaded(tmp_path).codes == SHIPPED_CODES == PhoneCodes()


def test_moved(tmp_path: Path) -> None:
    before = loaded(tmp_path)
    after = loaded(tmp_path, codes=MOVED)
    assert after.codes == PhoneCodes(
        sign_in="*65", pause="*66", mobile="", register="77", ready="#1"
    )
    assert after.codes.read("*65") == (Code.SIGN_IN_OUT, "")
    assert after.codes.read("*66") == (Code.PAUSE_RESUME, "")
    assert after.codes.read("*663") == (Code.PAUSE_RESUME, "3")
    for other in ("", "*45", "*660", "*6633", "*651", "*"):
        assert after.codes.read(other) is None
    again = "; write the dialplan again with callrouter dialplan"
    assert changes(before, after) == [
        f"codes: sign_in *45 -> *65{again}",
        f"codes: pause *46 -> *66{again}",
        f"codes: mobile *47 -> none{again}",
        f"codes: register *48 -> 77{again}",
        f"codes: ready *49 -> #1{again}",
    ]


def test_twilio_hears_them_too(tmp_path: Path) -> None:
    agents = "agents:\n  alice: {devices: {web: client/a}}\n  bob: {devices: {web: client/b}}\n"
    cloud = loaded(tmp_path, pbx=TWILIO, agents=agents, codes=MOVED).pbxes["cloud"]
    assert isinstance(cloud, TwilioSettings)
    assert cloud.phone_codes.read("*65") == (Code.SIGN_IN_OUT, "")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('sign_in: "*46"', "pause: '*46' is sign_in's already (give each a code of its own)"),
        ('ready: "*463"', "ready: '*463' is a pause for the reason of that digit"),
        ("sign_in: 45", 'sign_in must be a code such as "*45" (in quotes), or none, not 45'),
        ('sign_in: "*45&x"', "sign_in must be a code"),
        ('sign_on: "*45"', "unknown key 'sign_on' (did you mean 'sign_in'?)"),
        ('register: "*"', "register must be a code"),
    ],
)
def test_codes_that_cannot_be(tmp_path: Path, keys: str, says: str) -> None:
    [line] = told(tmp_path, codes=f"codes: {{{keys}}}\n")
    assert says in line


def test_the_dialplan_has_them_and_is_of_the_same_version() -> None:
    shipped = render_extensions()
    moved = render_extensions(
        PhoneCodes(sign_in="*65", pause="*66", mobile="", register="77", ready="#1")
    )
    assert "exten => *45,1,Goto(callrouter-person,sign-in,1)" in shipped
    assert "exten => _*46[1-9],1,Goto(callrouter-person,pause-${EXTEN:-1},1)" in shipped
    assert "exten => *65,1,Goto(callrouter-person,sign-in,1)" in moved
    assert "exten => _*66[1-9],1,Goto(callrouter-person,pause-${EXTEN:-1},1)" in moved
    assert "exten => #1,1,Goto(callrouter-person,ready,1)" in moved
    assert "callrouter-person,mobile," not in moved
    assert "exten => *45" not in moved
    assert version(moved) == version(shipped)
    assert version(shipped.replace("Wait(2.5)", "Wait(2.6)")) != version(shipped)
