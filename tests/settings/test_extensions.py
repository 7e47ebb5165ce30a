"""What agents key in at phones that are not theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

from callrouter.settings import ConfigError, load

PBX = "pbx: {office: {driver: asterisk, username: x, secret: y, dial_number: 'PJSIP/{number}@t'}}\n"


def extensions(folder: Path, agents: str) -> dict[str, str]:
    (folder / "all.yaml").write_text(PBX + "agents:\n" + agents)
    table = load(folder, environ={}).table
    return {id_: agent.extension for id_, agent in table.agents.items()}


def test_by_default_the_digits_of_the_first_phone(tmp_path: Path) -> None:
    agents = """
  alice: {devices: {mobile: {number: "+447700900123"}, desk: PJSIP/1001, other: PJSIP/1002}}
  bob: {devices: {desk: PJSIP/bob-77}}
  carol: {devices: {desk: PJSIP/carol}}
  dave: {extension: 4711, devices: {desk: PJSIP/1004}}
  erin: {extension: "0815"}
  frank: {devices: {desk: PJSIP/555@Trunk_01}}
  gina: {devices: {desk: {dial: Local/1007@from-internal-2/n}}}
"""
    assert extensions(tmp_path, agents) == {
        "alice": "1001",
        "bob": "77",
        "carol": "",
        "dave": "4711",
        "erin": "0815",
        "frank": "555",
        "gina": "1007",
    }


def test_a_shared_phone_is_nobodys_extension(tmp_path: Path) -> None:
    agents = """
  alice: {devices: {desk: PJSIP/1001}}
  bob: {devices: {desk: PJSIP/1001}}
  carol: {extension: "1003"}
  dave: {devices: {desk: PJSIP/1003}}
"""
    assert extensions(tmp_path, agents) == {"alice": "", "bob": "", "carol": "1003", "dave": ""}


@pytest.mark.parametrize(
    ("agents", "says"),
    [
        (
            "  a: {extension: '1001'}\n  b: {extension: '1001'}\n",
            "all.yaml:4:18: extension '1001' is a's already (give each agent their own)",
        ),
        ("  a: {extension: 10-1}\n", "extension must be 1 to 12 digits such as 1001"),
        ("  a: {extension: '1234567890123'}\n", "extension must be 1 to 12 digits"),
        ("  a: {language: '../x'}\n", "language must be a language"),
        ("  a: {language: 'en&x'}\n", "language must be a language"),
    ],
)
def test_what_is_refused(tmp_path: Path, agents: str, says: str) -> None:
    with pytest.raises(ConfigError) as error:
        extensions(tmp_path, agents)
    assert says in "\n".join(map(str, error.value.problems))
