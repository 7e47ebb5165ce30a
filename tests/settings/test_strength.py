"""Secrets that are easily guessed, and those that others could read, are warned of."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from callrouter.cli.main import cli
from callrouter.settings.lint.secret_lint import SECRET_BITS, TOKEN_BITS, bits, why_weak
from tests.settings.cases import warned

WEAK_TOKENS = [
    "aaaaaaaaaaaaaaaa", "a" * 64, "0123456789abcdef", "0123456789abcdef0123456789abcdef", "abcd" * 16,
    "fedcba9876543210fedcba98", "change-me-change-me-change-me", "secret-secret-secret-secret", "1234567890" * 8,
    "correct-horse-bat", "passwordpasswordpasswordpassword", "deadbeefdeadbeefdeadbeefdeadbeef", "q" * 500 + "w",
    "kQ3x9vLp2mZ8", "a1b2c3d4e5f60718",
]  # fmt: skip
WEAK_SECRETS = [
    "x", "1", "change-me", "changeme", "CHANGE-ME", "secret", "asterisk", "amp111", "password1", "callrouter",
    "1234567890", "aaaaaaaaaaaa", "abcdefghijkl", "admin123", "kQ3x9", "P@ssw0rd", "s3cr3t", "Summer2026!", "qwertz123456", "C4llr0uter!", "dragon12",
]  # fmt: skip


@pytest.mark.parametrize("token", WEAK_TOKENS)
def test_weak_tokens(token: str, tmp_path: Path) -> None:
    assert why_weak(token, TOKEN_BITS)
    if len(token) >= 16:
        http = f"http: {{api_tokens: [{{name: crm, role: admin, token: {token}}}]}}\n"
        [said] = warned(tmp_path, http=http)
        assert "the token of crm has fewer than 128 bits" in said
        assert "`callrouter token` makes one" in said
        assert token not in said


@pytest.mark.parametrize("secret", WEAK_SECRETS)
def test_weak_secrets(secret: str, tmp_path: Path) -> None:
    assert why_weak(secret, SECRET_BITS)
    pbx = f'pbx: {{office: {{driver: asterisk, username: u, secret: "{secret}"}}}}\n'
    [said] = warned(tmp_path, pbx=pbx)
    assert "the secret of office is easily guessed" in said
    assert "take 16 random characters" in said


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex])
def test_random_ones_are_not(make: object) -> None:
    assert callable(make)
    for _ in range(2_000):
        assert why_weak(make(24), TOKEN_BITS) == ""
        assert why_weak(make(16), SECRET_BITS) == ""
    underrated = sum(bool(why_weak(make(16), TOKEN_BITS)) for _ in range(2_000))
    assert underrated < 20, "openssl rand -hex 16 is good enough"


def test_bits() -> None:
    assert bits("") == 0
    assert bits("8") <= 4
    assert 0 < bits("aaaaaaaaaaaaaaaaaaaaaaaaaa") < 15
    assert bits(secrets.token_hex(16)) <= 128


@pytest.mark.parametrize(
    ("host", "more", "count"),
    [
        ("127.0.0.1", "", 0), ("localhost", "", 0), ("LOCALHOST", "", 0), ('"::1"', "", 0), ("127.8.0.1", "", 0),
        ("192.0.2.1", "", 1), ("pbx.example.com", "", 1), ("192.0.2.1", ", tls: true", 0),
        ("192.0.2.1", ", tls: {ca: a.pem}", 0), ("192.0.2.1", ", tls: false", 1), ('"::"', "", 1),
    ],
)  # fmt: skip
def test_a_link_in_clear_to_another_machine(
    tmp_path: Path, host: str, more: str, count: int
) -> None:
    (tmp_path / "a.pem").touch()
    secret = secrets.token_hex(16)
    pbx = f'pbx: {{office: {{driver: asterisk, host: {host}, username: u, secret: "x{secret}"{more}}}}}\n'
    said = warned(tmp_path, pbx=pbx)
    assert len(said) == count, said
    assert all("not encrypted" in line for line in said)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {"name": "supervisor", "role": "supervisor"}),
        (["--role", "metrics"], {"name": "metrics", "role": "metrics"}),
        (["--agent", "alice"], {"name": "alice", "role": "agent", "agent": "alice"}),
        (["--agent", "1001", "--name", "true"], {"name": "true", "role": "agent", "agent": "1001"}),
        (["--role", "agent"], {"name": "agent", "role": "agent"}),
        (["--role", "admin", "--name", "crm"], {"name": "crm", "role": "admin"}),
    ],
)
def test_the_command(words: list[str], expected: dict[str, str], tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["token", *words])
    assert result.exit_code == 0, result.output
    made, _, lines = result.output.partition("\n\n")
    assert why_weak(made, TOKEN_BITS) == ""
    assert yaml.safe_load(lines) == {"http": {"api_tokens": [{**expected, "token": made}]}}
    agents = "agents: {alice: {devices: {d: PJSIP/1}}, '1001': {devices: {d: PJSIP/2}}}\n"
    queues = "queues: {q: {agents: [alice, '1001']}}\n"
    for said in warned(tmp_path, http=lines, agents=agents, queues=queues):
        assert "acts for no agent" in said
    assert CliRunner().invoke(cli, ["token", *words]).output != result.output


@pytest.mark.parametrize(
    "words",
    [["--role", "boss"], ["--agent", "Alice"], ["--agent", "a", "--role", "admin"], ["--name", "a, b"], ["x"]],
)  # fmt: skip
def test_what_is_no_token(words: list[str]) -> None:
    result = CliRunner().invoke(cli, ["token", *words])
    assert result.exit_code != 0
    assert "api_tokens" not in result.output


def test_a_token_named_like_a_person_is_warned_of(tmp_path: Path) -> None:
    token = secrets.token_urlsafe(24)
    hashed = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$" + "A" * 43
    people = f"users: {{sam: {{role: supervisor, password: '{hashed}'}}}}\n"
    cases = (
        (f"{{name: sam, role: admin, token: {token}}}", "token sam has a user's name"),
        (f"{{name: alice, role: supervisor, token: {token}}}", "token alice has an agent's name"),
        (
            f"{{name: alice, role: agent, agent: alice, token: {token}}}",
            "",
        ),  # `callrouter token` makes it
        (f"{{name: sam-app, role: admin, token: {token}}}", ""),
    )
    for number, (item, said) in enumerate(cases):
        http = f"http: {{api_tokens: [{item}]}}\n{people}"
        (folder := tmp_path / str(number)).mkdir()
        found = [one for one in warned(folder, http=http) if "name both alike" in one]
        assert len(found) == bool(said)
        assert all(said in one and "-app" in one for one in found)
