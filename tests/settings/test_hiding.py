"""No message about a configuration has in it what may be a secret, however the secret is mistyped."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from callrouter.api.routes.status_routes import mistake_json
from callrouter.cli.commands.check import mistakes_json
from callrouter.settings import ConfigError, load
from callrouter.settings.errors.hiding import (
    CONTAINERS,
    LONGEST,
    SECRET_KEYS,
    SHOWN,
    difference,
    excerpt,
    is_secret,
    without_secret,
)
from callrouter.settings.errors.problems import MOST, quoted
from callrouter.settings.schema.options import key_of, walk
from callrouter.settings.schema.pbx_options import PBX_GROUPS
from callrouter.settings.schema.root_options import RootOptions
from tests.settings.cases import POLICIES, put

MARKER = "7hUnterTw0-x9Zq"

PLACES = {
    "secret": "pbx:\n  office:\n    driver: asterisk\n    username: u\n",
    "auth_token": "pbx:\n  cloud:\n    driver: twilio\n",
    "other_auth_token": "pbx:\n  cloud:\n    driver: twilio\n",
    "api_key": "pbx:\n  cloud:\n    driver: twilio\n",
    "api_secret": "pbx:\n  cloud:\n    driver: twilio\n",
    "token": "http:\n  api_tokens:\n    - name: crm\n      role: admin\n",
    "password": "users:\n  sam:\n    role: admin\n",
    "pin": "agents:\n  alice:\n    name: Alice\n",
    "client_secret": "http:\n  oidc:\n    client_id: x\n",
    "database": "",
}
WRITTEN = (
    "{key} = {m}",
    "{key} {m}",
    "{key}: {m}: x",
    "{key}:{m}",
    "{key} : {{x {m}",
    "{key}: {{x: {m}",
    "{key}: {{{m}}}",
    "{key}: [{m}]",
    "{key}: [{m}",
    "{key}: [a, {m}]",
    "? {key}\n{i}: {m}",
    "? {key} {m}",
    "{key}:\n{i}{m}",
    "{key}:\n{i}{m}: x",
    "{key}:\n\n{i}# a comment\n{i}{m}",
    "{key}:\n{i}- {m}",
    "{key}:\n{i}  - {m}\n{i}  - {m}2",
    "{key}:\n{i}  {m}: x",
    "{key}:\n{i}  x: {m}",
    "{key}\n{i}{m}",
    "{key}: |\n{i}  one\n{i}    {m}\n{i}    {m}: x\n{i}x",
    "{key}: >\n{i}{m}: [x",
    '{key}: "{m}\n{i}more {m}',
    "{key}: '{m}\n{i}{m}: x",
    '{key}: "a\\q{m}"',
    "{key}: *{m}",
    "{key}: &{m} x",
    "{key}: !{m} x",
    "{key}: @{m}",
    "{key}: `{m}",
    "{key}: %{m}",
    "{key}: ${{{m}}}",
    "{key}: ${{{m}",
    "{key}: ${{file:{m}}}",
    "{key}: ${{file:/{m}/x}}",
    "{key}: a ${{x y {m}}}",
    '{key}: "{m}\\nx"',
    "{key}: {m}\n{i}{key}: {m}",
    "{key}: {m}\n{i}x: [1",
    "{key}x: {m}",
    "{key}{m}: x",
    "{upper}: {m}",
    "{dashed}: {m}",
    "my_{key}: {m}",
    "{key}: {m} \x07",
    "{{{key}: {m}, a: 1}}",
    "{{{key} {m}}}",
    "{{{key}:{m}}}",
    "{{{key}: a,{m}}}",
    "- {key}: {m}",
    "- {key} {m}",
    "<<: {{{key}: {m}}}",
    "\t{key}: {m}",
)


def spellings() -> Iterator[tuple[str, str]]:
    for (key, before), written in itertools.product(PLACES.items(), WRITTEN):
        last = before.rstrip("\n").rpartition("\n")[2]
        indent = " " * (len(last) - len(last.lstrip()))
        typing = {"m": MARKER, "i": indent, "upper": key.upper(), "dashed": key.replace("_", "-")}
        yield key, f"{before}{indent}{written.format(key=key, **typing)}\n"
    for key, word in (
        ("password", "pass"), ("password", "passwd"), ("password", "pwd"), ("password", "pasword"),
        ("password", "passphrase"), ("token", "tokne"), ("token", "tokens"), ("secret", "sekret"),
        ("secret", "secrte"), ("secret", "credentials"), ("pin", "pni"), ("pin", "PIN"),
        ("api_key", "apikey"), ("api_key", "api-key"), ("auth_token", "authtoken"),
    ):  # fmt: skip
        for written in WRITTEN:
            last = PLACES[key].rstrip("\n").rpartition("\n")[2]
            indent = " " * (len(last) - len(last.lstrip()))
            typing = {"m": MARKER, "i": indent, "upper": word.upper(), "dashed": word}
            yield word, f"{PLACES[key]}{indent}{written.format(key=word, **typing)}\n"


def test_no_broken_spelling_of_a_secret_is_quoted(tmp_path: Path) -> None:
    told = found = 0
    path = tmp_path / "all.yaml"
    for _, text in spellings():
        path.write_text(text)
        try:
            load(tmp_path, environ={"x": MARKER}, policies=POLICIES)
        except ConfigError as error:
            said = json.dumps(mistakes_json(error.problems), ensure_ascii=False)
            said += json.dumps([mistake_json(item) for item in error.problems]) + str(error)
            said += repr(error)
            assert MARKER not in said, text + "\n" + said
            assert MARKER[:6] not in said, text + "\n" + said
            told, found = told + len(error.problems), found + 1
    assert found > 1_000
    assert told >= found


@pytest.mark.parametrize(
    "text",
    [
        "http: {{public_url: 'https://crm:{m}@calls.example.com/x y'}}",
        "http: {{public_url: 'ftp://{m}@calls.example.com'}}",
        "pbx: {{cloud: {{driver: twilio, api_url: 'https://crm:a/b{m}@x', nonsense: 1}}}}",
        "pbx: {{office: 'asterisk://callrouter:{m}@127.0.0.1'}}",
        "db: postgresql://callrouter:{m}@localhost/callrouter",
        "users: {{sam: {m}}}",
        "users: {{sam: {{role: {m}}}}}",
        "http: {{api_tokens: [{{name: {m}, role: admin}}]}}",
        "pbx: {{cloud: {{driver: twilio, account_sid: {m}, auth_token: AC1}}}}",
    ],
)
def test_a_secret_in_a_url_or_behind_the_wrong_key_is_not_quoted(tmp_path: Path, text: str) -> None:
    put(tmp_path, {"all.yaml": text.format(m=MARKER)})
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={}, policies=POLICIES)
    said = str(caught.value) + json.dumps([mistake_json(item) for item in caught.value.problems])
    assert MARKER not in said
    assert len(caught.value.problems) > 0


def test_a_line_is_cut_before_the_password_of_a_url() -> None:
    lines = [
        f"  webhook: https://crm:{MARKER}@hooks.example.com/x  # ours",
        "  mail: sam@example.com",
    ]
    assert difference("all.yaml", [], lines, 9)[3:] == ["+  webhook: https:// …", "+" + lines[1]]


def test_the_api_does_not_quote_lines(tmp_path: Path) -> None:
    put(tmp_path, {"all.yaml": "nonsense: 1\n"})
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={}, policies=POLICIES)
    assert "source_line" not in mistake_json(caught.value.problems[0])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("support", "'support'"),
        ("password-reset", "'password-reset'"),
        ("secretary", "'secretary'"),
        ("secret", "'secret'"),
        ("secret:", "'secret:'"),
        ("secret x", "'secret …'"),
        ("secret = x", "'secret = …'"),
        ("token:x", "'token: …'"),
        ("sign in desk", "'sign in desk'"),
        ("pin 1234", "'pin …'"),
        ("secret7x9", "'secret …'"),
        ("https://crm:x@calls.example.com", "'https:// …'"),
        (
            "see https://calls.example.com, bob@example.com",
            "'see https://calls.example.com, bob@example.com'",
        ),
    ],
)
def test_what_is_quoted(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_other_lines_are_shown_whole() -> None:
    lines = [
        "queues:",
        "  password-reset:",
        "    ring_fro: 20s  # token",
        "http:",
        "  api_tokens:",
        "    - {name: crm, role: boss, token: 0123456789abcdef}",
        "    - name: crm",
        "      token: x",
        "      role: boss",
    ]
    shown = [excerpt(lines, n) for n in range(1, len(lines) + 1)]
    assert shown == [
        *lines[:5],
        "    - {name: crm, role: boss, token: …",
        *lines[6:7],
        "      token: …",
        lines[8],
    ]


def test_a_quoted_line_is_short() -> None:
    long = "a" * 900 + " here " + "b" * 900
    shown = excerpt([long], 1, 903)
    assert "here" in shown
    assert len(shown) <= SHOWN + 4
    assert len(shown) <= 204
    assert excerpt(["a: " + "x" * LONGEST], 1) == "…"


@pytest.mark.parametrize("letters", [10_000, 1_000_000])
def test_a_long_wrong_line_takes_no_time_and_no_room(tmp_path: Path, letters: int) -> None:
    put(tmp_path, {"all.yaml": "queues:\n  q: {on_full: " + "a" * letters + "}\n" + "b" * letters})
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={}, policies=POLICIES)
    assert len(str(mistakes_json(caught.value.problems))) < 5_000


def test_ten_thousand_wrong_names_in_one_line(tmp_path: Path) -> None:
    names = ", ".join(f"name{n}" for n in range(10_000))
    put(tmp_path, {"all.yaml": f"agents: {{bob: {{}}}}\nqueues: {{q: {{agents: [{names}]}}}}\n"})
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ={}, policies=POLICIES)
    assert caught.value.count >= 10_000
    assert len(caught.value.problems) == MOST + 1
    assert "more mistakes" in caught.value.problems[-1].text
    assert len(json.dumps(mistakes_json(caught.value.problems))) < 100_000


def test_what_comes_from_the_environment_is_bounded(tmp_path: Path) -> None:
    item = "    - {name: n%d, role: admin, token: '${BIG}'}\n"
    lists = "http:\n  api_tokens:\n" + "".join(item % n for n in range(5_000))
    put(tmp_path, {"all.yaml": lists})
    for size, text in ((1_000_000, "is larger than 64 KiB"), (60_000, "is larger than 16 MiB")):
        with pytest.raises(ConfigError) as caught:
            load(tmp_path, environ={"BIG": "x" * size}, policies=POLICIES)
        assert text in str(caught.value)


def test_without_secret_is_linear_in_what_it_reads() -> None:
    for text in ("a" * 400_000, "a-" * 200_000, "a b" * 150_000, ": " * 200_000):
        assert without_secret(text) == text


@pytest.mark.parametrize(
    ("file", "allowed"),
    [
        ("queues: {q: {name: '${S}'}}", False),
        ("queues: {token: {name: '${S}'}}", False),
        ("queues: {q: {music: '${S}'}}", False),
        ("agents: {alice: {name: '${S}'}}", False),
        ("agents: {alice: {devices: {token: 'PJSIP/${S}'}}}", False),
        ("pauses: {secret: {then: '${S}'}}", False),
        ("pbx: {a: {driver: simulated}, '${S}': {driver: simulated}}", False),
        ("timezone: '${S}'", False),
        ("numbers: {region: '${S}'}", False),
        ("http: {api_tokens: [{name: '${S}', role: admin, token: 0123456789abcdef}]}", False),
        ("http: {listen: '127.0.0.1:${PORT}'}", True),
        ("http: {tls: {certificate: '${S}', key: '${S}'}}", True),
        ("http: {api_tokens: [{name: a, role: admin, token: '${S}'}]}", True),
        ("pbx: {a: {driver: asterisk, username: u, secret: '${S}', host: '${HOST}'}}", True),
        ("pbx: {a: {driver: asterisk, username: u, secret: s, tls: {ca: '${S}'}}}", True),
        ("agents: {alice: {pin: '${HASH}'}}", True),
        ("users: {sam: {role: admin, password: '${HASH}'}}", True),
        ("database: '${S}'", True),
    ],
)
def test_where_references_are_replaced(tmp_path: Path, file: str, allowed: bool) -> None:
    rest = "" if file.startswith("pbx") else "pbx: {a: {driver: simulated}}\n"
    put(tmp_path, {"all.yaml": rest + file + "\n"})
    environ = {"S": "a-secret-of-the-house", "PORT": "80", "HOST": "h", "HASH": "$argon2id$x"}
    if allowed:
        load(tmp_path, environ=environ, policies=POLICIES)
        return
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, environ=environ, policies=POLICIES)
    said = str(caught.value)
    assert "is not replaced in" in said or "'${S}'" in said
    assert "of-the-house" not in said


def test_a_difference_hides_secrets() -> None:
    before = ["pbx:", "  office:", "    port: 5038", f"    secret: {MARKER}old", "    host: a"]
    after = ["pbx:", "  office:", "    port: 5039", f"    secret: {MARKER}new", "    host: a"]
    assert difference("a.yaml", before, after, 100) == [
        "--- before/a.yaml",
        "+++ after/a.yaml",
        "@@ -1,5 +1,5 @@",
        " pbx:",
        "   office:",
        "-    port: 5038",
        "-    secret: …",
        "+    port: 5039",
        "+    secret: …",
        "     host: a",
    ]
    assert difference("a.yaml", before, before, 100) == []
    many = [f"a{n}: x" for n in range(10_000)]
    assert len(difference("a.yaml", [], many, 100)) == 103
    assert len(difference("a.yaml", many, many * 9, 100)) == 3


def test_no_key_of_ours_is_taken_for_that_of_a_secret() -> None:
    groups = [group for _, group in walk(RootOptions)] + list(PBX_GROUPS.values())
    keys = {key_of(name, field) for group in groups for name, field in group.model_fields.items()}
    assert {key for key in keys if is_secret(key)} == keys & (SECRET_KEYS | CONTAINERS)
