"""Files, YAML and substitution: each message with its place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from callrouter.settings import AsteriskSettings, ConfigError, load
from callrouter.settings.config_files import MOST_BYTES
from callrouter.settings.yaml import reader
from tests.settings.cases import AGENTS, PBX, POLICIES, QUEUES, loaded, problems, put, told

BAD_YAML = [
    (b"a: \xff", "1:4: not UTF-8 text (byte 0xff) (save the file as UTF-8)"),
    ("a: é\x07", "1:5: control character U+0007 (take it out)"),
    ("a: b\u2028c", "1:5: control character U+2028 (take it out)"),
    (
        "- a\n",
        ("1:1: the file must consist of sections"
        " (such as 'queues:' with the queues indented below it)"),
    ),
    (
        "text",
        ("1:1: the file must consist of sections"
        " (such as 'queues:' with the queues indented below it)"),
    ),
    ("http: {}\n---\nusers: {}\n", "2:1: a second document begins here (one is allowed)"),
    ("http:\n\tlisten: x\n", "2:1: a tab is not allowed here (indent with spaces)"),
    (
        "http:\n  listen: a: b\n",
        "2:12: a ':' is not allowed here (put the text in quotes, or fix the indentation)",
    ),
    ("http: 'abc\n", "1:7: this quote is never closed"),
    ("http: {listen: 'x'\n", "1:7: a ',' or a closing bracket is missing"),
    ("http: [\n", "1:7: this bracket is never closed"),
    ("http: @x\n", "1:7: a text cannot begin with '@' (put it in quotes)"),
    ("http: {}\n users: {}\n", "2:2: wrong indentation (is something indented too little or too far?)"),
    ("http: {}\nusers\n", "2:1: a ':' is missing after the key (write key: value)"),
    ("http: &a {}\n", "1:7: anchors (&) are not supported (put a text that begins with & in quotes)"),
    ("http: *a\n", "1:7: aliases (*) are not supported (write the value again; or put a text that begins with * in quotes)"),
    ("http: !!map {}\n", "1:7: tags (!) are not supported (put a text that begins with ! in quotes)"),
    ("http:\n  <<: {}\n", "2:3: merge keys (<<) are not supported"),
    ("? [a]\n: b\n", "1:3: a key must be a plain name, not a mapping or a list"),
    ("http:\n  listen: a:1\n  listen: b:1\n", "3:3: duplicate key 'listen' (first on line 2)"),
    ("http:\n  listen:\n", "2:3: 'listen' has no value (write one, or take the key out)"),
    ("http:\n", "1:1: 'http' has no value (write one, or take the key out)"),
    ("http: {: 1}\n", "1:8: a key is missing before"),
    ("http:\n  : 1\n", "2:3: a key is missing before ':'"),
    ("http: {listen: ${A}}\n", "1:17: a ',' or a closing bracket is missing (inside { } or [ ] put ${...} in quotes)"),
    ("pbx: {dial_number: PJSIP/{number}@c}\n", "1:26: a ',' or a closing bracket is missing (put the text with {number} in quotes)"),
    ("pbx: [Local/{number}@c/n]\n", "1:21: a text cannot begin with '@' (put the text with {number} in quotes)"),
    ("pbx: {number}@c\n", "1:7: 'number' has no value (put the text with {number} in quotes)"),
    ("queues:\n  support\n    agents: [alice]\n", "2:10: a ':' is missing after the key (write support:)"),
    ("queues:\n  show: {queue}: {name}\n", "2:16: a ':' is not allowed here (put the text with {queue} in quotes)"),
    ("http: {listen:[a]}\n", "1:8: a ':' is not allowed here (write a space after it)"),
    ("http: " + "[" * 30, "1:26: nested more than 20 deep"),
    ("http: " + "[" * 100_000, "1:26: nested more than 20 deep"),
    ('http: {listen: "a\\nb"}', "1:16: a text must stand on one line, without control characters"),
    ('http: {listen: "\\q"}', "1:17: no such escape in a text in double quotes"),
    ("%YAML 1.9\n---\na: b\n", "1:1: this version of YAML is not supported"),
    ("agents: {}\n", "1:1: section 'agents' appears twice (first in agents.yaml:1)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD_YAML)
def test_bad_yaml(tmp_path: Path, text: str | bytes, message: str) -> None:
    found = told(tmp_path, x=text)
    assert any(line.startswith(f"x.yaml:{message}") for line in found), found


@pytest.mark.parametrize(("text", "message"), BAD_YAML)
def test_bad_yaml_without_libyaml(
    tmp_path: Path, text: str | bytes, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "_LOADER", yaml.SafeLoader)
    if len(text) > 10_000 or any(word in message for word in ("escape", "version", "a space")):
        pytest.skip("the parser in Python is slower, laxer, or points elsewhere")
    found = told(tmp_path, x=text)
    place = message.split(": ", maxsplit=1)[0]
    assert any(line.startswith(f"x.yaml:{place}: ") for line in found), found


def test_alias_bomb_is_refused_at_once(tmp_path: Path) -> None:
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1},' * 9}]\n" for i in range(1, 30))
    found = told(tmp_path, x=bomb)
    assert "x.yaml:1:5: anchors (&) are not supported" in found[0]
    assert len(found) == 101


def test_no_folder_no_files_unreadable(tmp_path: Path) -> None:
    def why(folder: Path) -> str:
        with pytest.raises(ConfigError) as caught:
            load(folder, environ={}, policies=POLICIES)
        return str(caught.value)

    missing = tmp_path / "nowhere"
    assert why(missing) == (
        f"{missing}: the configuration folder cannot be read: No such file or directory"
    )
    assert (
        why(tmp_path)
        == f"{tmp_path}: no configuration here (expected at least one *.yaml file; `callrouter init DIR` writes samples)"
    )
    (tmp_path / "x.yaml").symlink_to("nothing")
    assert why(tmp_path) == "x.yaml: cannot be read: No such file or directory"
    (tmp_path / "x.yaml").unlink()
    os.mkfifo(tmp_path / "x.yaml")
    assert why(tmp_path) == "x.yaml: is not a file"
    (tmp_path / "x.yaml").unlink()
    (tmp_path / "x.yaml").write_bytes(b"#" * (MOST_BYTES + 1))
    assert why(tmp_path) == "x.yaml: is larger than 16 MiB"


def test_nothing_at_all_lacks_a_pbx(tmp_path: Path) -> None:
    assert told(tmp_path, pbx="", agents="", queues="# nothing\n") == [
        "agents.yaml:1:1: no pbx is configured (add a section 'pbx:')"
    ]


def test_empty_files_and_sections_other_suffix_and_hidden_files(tmp_path: Path) -> None:
    put(tmp_path, {".#queues.yaml": "{{{", "notes.txt": "{{{", "more.yml": "users:\n"})
    settings = loaded(tmp_path, agents="agents:\n", queues="\ufeff---\nqueues:\n...\n", x="")
    assert settings.table.agents == {}
    assert [path.name for path in settings.files] == [
        "agents.yaml",
        "more.yml",
        "pbx.yaml",
        "queues.yaml",
        "x.yaml",
    ]


def test_sections_may_stand_anywhere(tmp_path: Path) -> None:
    put(tmp_path, {"all.yaml": QUEUES + AGENTS + PBX})
    assert set(load(tmp_path, environ={}, policies=POLICIES).table.queues) == {"support"}


def test_a_broken_file_does_not_make_names_dangle(tmp_path: Path) -> None:
    found = told(tmp_path, agents="agents: {\n", http="http: {listn: x}\n")
    assert [line.split(" ")[0] for line in found] == ["agents.yaml:1:9:", "http.yaml:1:8:"]


def test_traps_of_yaml_1_1(tmp_path: Path) -> None:
    agents = (
        "agents:\n"
        "  no: {name: on}\n"
        "  on: {name: 12:30}\n"
        "  1001: {name: 2026-12-25}\n"
        "  08: {name: 1_000}\n"
        "  y: {name: NO}\n"
        "  z: {name: 0x10}\n"
    )
    queues = "queues:\n  support:\n    agents: [no, on, 1001, 08, y, z]\n"
    table = loaded(tmp_path, agents=agents, queues=queues).table
    assert {id_: agent.name for id_, agent in table.agents.items()} == {
        "no": "on",
        "on": "12:30",
        "1001": "2026-12-25",
        "08": "1_000",
        "y": "NO",
        "z": "0x10",
    }
    assert [member.agent for member in table.queues["support"].members] == list(table.agents)


@pytest.mark.parametrize(
    ("written", "hint"),
    [("yes", "true"), ("On", "true"), ("True", "true"), ("no", "false"), ("off", "false"), ("'false'", "false")],
)  # fmt: skip
def test_yes_and_no_are_not_booleans(tmp_path: Path, written: str, hint: str) -> None:
    agents = f"agents:\n  alice: {{enabled: {written}}}\n"
    shown = written.strip("'")
    assert told(tmp_path, agents=agents, queues="") == [
        f"agents.yaml:2:20: enabled must be true or false, not '{shown}' (write {hint})"
    ]


def test_numbers_that_are_not(tmp_path: Path) -> None:
    for written, shown, hint in [
        ("08", "'08'", " (write 8)"),
        ("+3", "'+3'", " (write 3)"),
        ("'3'", "'3'", " (write 3)"),
        ("0x3", "'0x3'", ""),
        ("1:30", "'1:30'", ""),
        ("1.5", "1.5", ""),
        ("1.0", "1.0", ""),
        ("true", "true", ""),
        ("high", "'high'", ""),
        ("11", "11", ""),
        ("0", "0", ""),
        ("[]", "a list", ""),
        ("{}", "a mapping", ""),
        ("99999999999999999999", "'99999999999999999999'", ""),
    ]:
        agents = f"agents:\n  alice: {{capacity: {written}}}\n"
        assert told(tmp_path, agents=agents, queues="") == [
            f"agents.yaml:2:21: capacity must be a whole number from 1 to 10, not {shown}{hint}"
        ]


def asterisk(folder: Path, secret: str, environ: dict[str, str]) -> AsteriskSettings:
    pbx = f"pbx:\n  office:\n    driver: asterisk\n    username: u\n    secret: {secret}\n"
    found = loaded(folder, environ, pbx=pbx).pbxes["office"]
    assert isinstance(found, AsteriskSettings)
    return found


def test_substitution(tmp_path: Path) -> None:
    put(tmp_path, {"secret.txt": "from file\r\n", "sub$.txt": "x\n\n"})
    environ = {"A": "one", "B": "${A}", "PORT": "5039"}
    for written, value in [
        ("'${A}'", "one"),
        ("x${A}-${A}", "xone-one"),
        ("${B}", "${A}"),
        ("$${A}", "${A}"),
        ("$argon2id$v=19$x", "$argon2id$v=19$x"),
        ("$5", "$5"),
        ("'${file:secret.txt}'", "from file"),
        (f"'${{file:{tmp_path}/secret.txt}}'", "from file"),
    ]:
        assert asterisk(tmp_path, written, environ).secret == value
    port = "pbx:\n  office: {driver: asterisk, username: u, secret: s, port: '${PORT}'}\n"
    office = loaded(tmp_path, environ, pbx=port).pbxes["office"]
    assert isinstance(office, AsteriskSettings)
    assert office.port == 5039


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("${NOT_SET}", "the environment variable in ${…} is not set"),
        ("${file:no.txt}", "the file in ${file:…} does not exist"),
        ("${file:.}", "the file in ${file:…} does not exist"),
        ("${file:/dev/zero}", "the file in ${file:…} does not exist"),
        ("${file:bad.txt}", "the file in ${file:…} is not UTF-8 text"),
        ("${file:big.txt}", "the file in ${file:…} is larger than 64 KiB"),
        (
            "${}",
            "what stands in ${…} is not an environment variable (write ${NAME} or ${file:PATH};",
        ),
        ("${a b}", "what stands in ${…} is not an environment variable"),
        ("${NAME", "'${' without '}'"),
        ("${LINES}", "the value of ${…} must stand on one line, without control characters"),
        ("", "secret must be a text, not empty"),
    ],
)
def test_bad_substitution(tmp_path: Path, written: str, message: str) -> None:
    put(tmp_path, {"bad.txt": b"\xff", "big.txt": "x" * 70_000})
    pbx = f'pbx:\n  office:\n    driver: asterisk\n    username: u\n    secret: "{written}"\n'
    [problem] = problems(tmp_path, {"LINES": "a\nAction: b"}, pbx=pbx)
    assert str(problem).startswith(f"pbx.yaml:5:13: {message}")
    assert "Action" not in str(problem)


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    environ = {"S": "hunter-two"}
    pbx = (
        "pbx:\n  office: {driver: asterisk, port: '${S}', username: u, secret: hunter-two, x: 1}\n"
        "  b:\n    driver: asterisk\n    secrte: hunter-two\n    username: [hunter-two]\n"
    )
    http = (
        "http:\n  api_tokens:\n    - {name: crm, role: '${S}', token: hunter-two}\n"
        "    - {name: crm2, role: admin, token: [hunter-two]}\n"
        "    - {name: '${S}', role: admin, token: hunter-two-hunter-two}\n"
        "    - {name: '${S}', role: admin, token: hunter-two-hunter-two-2}\n"
    )
    users = "users:\n  sam: {role: admin, password: hunter-two}\n"
    queues = "queues:\n  support: {policy: '${S}', agents: ['${S}'], on_full: 'queue:${S}'}\n"
    found = problems(tmp_path, environ, pbx=pbx, http=http, users=users, queues=queues)
    assert len(found) >= 10
    for problem in found:
        assert "hunter" not in str(problem)
        if "username" not in problem.source_line:
            assert "hunter" not in repr(problem) + problem.source_line
    assert "${…} is not replaced in 'policy'" in "".join(map(str, found))


def test_secrets_are_not_in_reprs(tmp_path: Path) -> None:
    pbx = "pbx:\n  office: {driver: asterisk, username: u, secret: hunter-two}\n"
    http = "http: {api_tokens: [{name: crm, role: admin, token: hunter-two-hunter-two}]}\n"
    users = "users:\n  sam: {role: admin, password: $argon2id$hunter}\n"
    rest = "database: postgresql://u:hunter@h/d\n"
    agents = "agents: {alice: {pin: $argon2id$hunter}, bob: {}}\n"
    settings = loaded(tmp_path, pbx=pbx, http=http, users=users, rest=rest, agents=agents)
    assert "hunter" not in repr(settings)
    assert settings.http.api_tokens[0].token == "hunter-two-hunter-two"
    assert settings.users["sam"].password == settings.pins["alice"] == "$argon2id$hunter"
    assert settings.database == "postgresql://u:hunter@h/d"
