"""Logging in through a provider of OpenID Connect: the whole way, and every way to cheat on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from aiohttp import ClientResponse, DummyCookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from callrouter.api.access.sessions import COOKIE
from callrouter.api.oidc import oidc_logins, provider
from callrouter.api.oidc.oidc_logins import COOKIE_FOR_LOG_IN, OidcLogins
from callrouter.settings import Settings
from callrouter.settings.loaded import OidcSettings
from tests.api.oidc_provider import CLIENT, SECRET, FakeProvider
from tests.api.test_sessions import HASHER, PASSWORD
from tests.api.world import Client, World
from tests.settings.cases import loaded, told

SITE = "https://calls.example.com"
HTTP = """
http:
  public_url: {site}
  oidc: {{issuer: "{issuer}", client_id: {client}, client_secret: "{secret}", name: Example SSO}}
"""
PEOPLE = """
agents:
  alice: {{email: Alice@Example.com, devices: {{desk: PJSIP/1001}}}}
  bob: {{devices: {{desk: PJSIP/1002}}}}
queues:
  support: {{agents: [alice, bob]}}
users:
  sam: {{role: supervisor, queues: [support], email: sam@example.com}}
  ada: {{role: admin, password: "{password}"}}
"""


class OidcWorld(World):
    """A call centre whose people log in through the provider."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings=settings)
        self.settings = settings
        self.backend.oidc = OidcLogins(lambda: self.settings.http, self.people, self.clock)

    def use(self, **changes: Any) -> None:
        """Change the provider's settings, as a reload does."""
        oidc = self.settings.http.oidc
        assert oidc is not None
        http = replace(self.settings.http, oidc=replace(oidc, **changes))
        self.settings = replace(self.settings, http=http)
        self.sessions.use(self.settings)


class Way:
    """A browser's way through the log-in."""

    def __init__(self, client: Client, world: OidcWorld, there: FakeProvider) -> None:
        self.client, self.world, self.there = client, world, there

    async def begin(self) -> tuple[str, str]:
        """Where the provider is, and our cookie."""
        answer = await self.client.get("/api/oidc/log-in", allow_redirects=False)
        assert answer.status == 303, await answer.text()
        cookie = answer.cookies[COOKIE_FOR_LOG_IN]
        assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
        assert cookie["secure"]
        assert cookie["httponly"]
        return answer.headers["Location"], cookie.value

    async def visit(self, url: str) -> str:
        """What the provider has the browser send back to us: path and query."""
        answer = await self.client.session.get(url, allow_redirects=False)
        back = answer.headers["Location"]
        assert back.startswith(f"{SITE}/api/oidc/callback?")
        return back.removeprefix(SITE)

    async def finish(self, back: str, cookie: str) -> ClientResponse:
        headers = {"Cookie": f"{COOKIE_FOR_LOG_IN}={cookie}"}
        answer = await self.client.get(back, headers=headers, allow_redirects=False)
        assert answer.status == 303, await answer.text()
        return answer

    async def whole(self) -> ClientResponse:
        url, cookie = await self.begin()
        return await self.finish(await self.visit(url), cookie)

    async def person(self) -> dict[str, Any]:
        """Who is logged in at the end."""
        answer = await self.whole()
        assert answer.headers["Location"] == "/", answer.headers["Location"]
        cookie = answer.cookies[COOKIE]
        assert (cookie["samesite"], cookie["secure"], cookie["httponly"]) == ("Strict", True, True)
        headers = {"Cookie": f"{COOKIE}={cookie.value}"}
        found: dict[str, Any] = await (
            await self.client.get("/api/session", headers=headers)
        ).json()
        return found

    async def failure(self) -> str:
        """The word for why it failed."""
        return said(await self.whole())


def said(answer: ClientResponse) -> str:
    assert COOKIE not in answer.cookies
    before, _, word = answer.headers["Location"].partition("/#log-in-failed/")
    assert before == ""
    return word


@pytest_asyncio.fixture
async def there() -> AsyncIterator[FakeProvider]:
    from tests.api.world import Clock  # noqa: PLC0415

    made = FakeProvider(Clock().now)
    server = TestServer(made.app())
    await server.start_server()
    made.url = str(server.make_url("")).rstrip("/")
    yield made
    await server.close()


@pytest_asyncio.fixture
async def way(there: FakeProvider, tmp_path: Path) -> AsyncIterator[Way]:
    http = HTTP.format(site=SITE, issuer=there.url, client=CLIENT, secret=SECRET)
    people = PEOPLE.format(password=HASHER.hash(PASSWORD))
    world = OidcWorld(loaded(tmp_path, agents=people, rest=http, queues=""))
    there.now = world.clock.now
    async with TestClient(TestServer(world.app), cookie_jar=DummyCookieJar()) as client:
        yield Way(client, world, there)
    world.close()


async def test_a_person_without_a_password_logs_in(way: Way) -> None:
    found = await way.person()
    assert (found["user"], found["role"], found["queues"]) == ("sam", "supervisor", ["support"])
    assert way.there.asked == [
        "/.well-known/openid-configuration", "/authorize", "/token", "/keys",
    ]  # fmt: skip


async def test_an_agent_is_known_by_the_address_whatever_its_letters(way: Way) -> None:
    way.there.person["email"] = "aLICE@example.COM"
    found = await way.person()
    assert (found["user"], found["role"], found["agent"]) == ("alice", "agent", "alice")


async def test_an_id_is_enough(way: Way) -> None:
    way.world.use(claim="preferred_username", scopes=("profile",))
    way.there.person |= {"preferred_username": "Bob"}
    assert (await way.person())["user"] == "bob"


async def test_what_the_id_token_lacks_is_asked_for(way: Way) -> None:
    way.there.in_token = False
    assert (await way.person())["user"] == "sam"
    assert way.there.asked[-1] == "/me"
    way.there.answers["/me"] = lambda: web.json_response({"sub": "8", "email": "ada@x"})
    assert await way.failure() == "token"


async def test_keys_are_fetched_once_and_again_when_rotated(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    await way.person()
    await way.person()
    assert way.there.asked.count("/keys") == 1
    way.there.rotate()
    assert await way.failure() == "token", "they have just been fetched"
    monkeypatch.setattr(provider, "KEYS_AT_MOST_EVERY", 0.0)
    await way.person()
    assert way.there.asked.count("/keys") == 2


async def test_the_page_is_told(way: Way) -> None:
    ways = await (await way.client.get("/api/log-in")).json()
    assert ways == {"session": False, "oidc": {"name": "Example SSO"}}
    way.world.use(name=None)
    ways = await (await way.client.get("/api/log-in")).json()
    assert ways["oidc"] == {"name": "127.0.0.1"}
    cookie = (await way.whole()).cookies[COOKIE].value
    answer = await way.client.get("/api/log-in", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert (await answer.json())["session"] is True


async def test_log_out_there(way: Way) -> None:
    answer = await way.client.get("/api/oidc/log-out", allow_redirects=False)
    url = urlsplit(answer.headers["Location"])
    assert url.path == "/bye"
    assert parse_qs(url.query) == {
        "client_id": [CLIENT], "post_logout_redirect_uri": [f"{SITE}/"],
    }  # fmt: skip


async def test_without_a_provider_there_is_none(way: Way) -> None:
    cookie = (await way.whole()).cookies[COOKIE].value
    http = replace(way.world.settings.http, oidc=None)
    way.world.settings = replace(way.world.settings, http=http)
    for name in ("log-in", "callback", "log-out"):
        answer = await way.client.get(f"/api/oidc/{name}", allow_redirects=False)
        assert answer.status == 404
        assert "http.oidc" in (await answer.json())["detail"]
    headers = {"Cookie": f"{COOKIE}={cookie}"}
    assert (await way.client.get("/api/session", headers=headers)).status == 200, (
        "sam is still there"
    )
    way.world.sessions.use(replace(way.world.settings, users={}))
    assert (await way.client.get("/api/session", headers=headers)).status == 401


async def test_another_address_ends_the_session(way: Way) -> None:
    cookie = (await way.whole()).cookies[COOKIE].value
    sam = replace(way.world.settings.users["sam"], email="samantha@example.com")
    way.world.sessions.use(replace(way.world.settings, users={"sam": sam}))
    answer = await way.client.get("/api/session", headers={"Cookie": f"{COOKIE}={cookie}"})
    assert answer.status == 401


# ---------------------------------------------------------------- people who may not


@pytest.mark.parametrize(
    ("person", "word"),
    [
        ({"sub": "7", "email": "eve@example.com"}, "unknown-person"),
        ({"sub": "7"}, "unknown-person"),
        ({"sub": "7", "email": ["sam@example.com"]}, "unknown-person"),
        ({"sub": "7", "email": " "}, "unknown-person"),
        ({"sub": "7", "email": "sam@example.com", "email_verified": False}, "unverified-email"),
        ({"sub": "7", "email": "sam@example.com", "email_verified": "false"}, "unverified-email"),
    ],
)
async def test_a_person_who_is_not_ours(way: Way, person: dict[str, Any], word: str) -> None:
    way.there.person = person
    assert await way.failure() == word


@pytest.mark.parametrize(
    ("error", "word"), [("access_denied", "denied"), ("server_error", "provider")]
)
async def test_the_provider_says_no(way: Way, error: str, word: str) -> None:
    url, cookie = await way.begin()
    state = parse_qs(urlsplit(url).query)["state"][0]
    back = f"/api/oidc/callback?state={state}&error={error}&error_description=%0Aevil"
    assert said(await way.finish(back, cookie)) == word


# ---------------------------------------------------------------- hostile tokens


def without(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda claims: claims.pop(name)


def with_(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda claims: claims.update(changes)


@pytest.mark.parametrize(
    "changed",
    [
        with_(iss="https://evil.example"), with_(aud="another"), with_(aud=[]), with_(aud=["another"]),
        with_(aud=["callrouter", "another"]), with_(azp="another"), with_(nonce="guess"),
        with_(nonce=["x"]), with_(exp=1_700_000_000), with_(exp="soon"), with_(exp=None),
        with_(iat=1_900_000_000), with_(nbf=1_900_000_000), with_(at_hash="AAAA"),
        *(without(name) for name in ("iss", "sub", "aud", "exp", "iat", "nonce")),
    ],
)  # fmt: skip
async def test_a_token_with_wrong_claims(way: Way, changed: Callable[[Any], Any]) -> None:
    way.there.changed = changed
    assert await way.failure() == "token"


@pytest.mark.parametrize("skew", [-50, 50])
async def test_clocks_may_differ_by_a_minute(way: Way, skew: int) -> None:
    way.there.now = lambda: way.world.clock.now() + skew
    way.there.changed = lambda claims: claims.update(exp=claims["iat"] + (51 if skew > 0 else 1))
    assert (await way.person())["user"] == "sam"


async def test_tokens_that_are_not_signed_by_a_key_of_the_provider(way: Way) -> None:
    theirs = FakeProvider(way.there.now, "theirs")
    way.there.discovery = {"id_token_signing_alg_values_supported": None}
    for sign in (
        way.there.unsigned,
        way.there.confused,
        theirs.signed,
        lambda claims: way.there.signed(claims, kid="none-of-them"),
        lambda claims: way.there.signed(claims)[:-8] + "AAAAAAAA",
        lambda _: "a.b",
        lambda _: "",
        lambda _: "🂡" * 100,
        lambda _: 7,
    ):
        way.there.sign = sign  # type: ignore[assignment]
        assert await way.failure() == "token"


async def test_only_what_the_provider_says_it_signs_with(way: Way) -> None:
    way.there.discovery = {"id_token_signing_alg_values_supported": ["ES256"]}
    assert await way.failure() == "token"


# ---------------------------------------------------------------- replays and forgeries


async def test_an_answer_counts_once_and_in_one_browser(way: Way) -> None:
    url, cookie = await way.begin()
    back = await way.visit(url)
    _, others = await way.begin()
    for wrong in ("", "x", others, cookie + "x", cookie.rpartition(".")[0]):
        assert said(await way.finish(back, wrong)) == "expired"
    for wrong in (
        "/api/oidc/callback",
        back.replace("state=", "state=x"),
        back.replace("state=", "state=%C3%A4"),
        back.replace("state=", "x="),
    ):
        assert said(await way.finish(wrong, cookie)) == "expired"
    assert (await way.finish(back, cookie)).headers["Location"] == "/"
    assert said(await way.finish(back, cookie)) == "expired"


async def test_strangers_do_not_fill_the_log(way: Way, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(60):
        assert said(await way.finish("/api/oidc/callback", "x")) == "expired"
    lines = [one for one in caplog.messages if "log-in by oidc" in one]
    assert 0 < len(lines) < 30


async def test_it_must_not_take_long(way: Way) -> None:
    url, cookie = await way.begin()
    back = await way.visit(url)
    way.world.clock.at += oidc_logins.LASTS + 1
    assert said(await way.finish(back, cookie)) == "expired"


async def test_another_provider_answers(way: Way) -> None:
    """RFC 9207, and a stolen code: it fits no other verifier."""
    url, cookie = await way.begin()
    back = await way.visit(url)
    other = back.partition("&iss=")[0] + "&iss=https%3A%2F%2Fevil.example"
    assert said(await way.finish(other, cookie)) == "provider"
    stolen = parse_qs(urlsplit(back).query)["code"][0]
    url, cookie = await way.begin()
    own = parse_qs(urlsplit(await way.visit(url)).query)
    back = f"/api/oidc/callback?state={own['state'][0]}&code={stolen}"
    assert said(await way.finish(back, cookie)) == "provider"


async def test_a_provider_that_names_itself_must(way: Way) -> None:
    way.there.discovery = {"authorization_response_iss_parameter_supported": True}
    url, cookie = await way.begin()
    back = (await way.visit(url)).partition("&iss=")[0]
    assert said(await way.finish(back, cookie)) == "provider"


# ---------------------------------------------------------------- a provider that misbehaves

DOCUMENT = "/.well-known/openid-configuration"


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"token_endpoint": None},
        {"token_endpoint": "ftp://127.0.0.1/"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "https://user@evil.example"},
        {"jwks_uri": "http://[x"},
    ],
)
async def test_a_wrong_discovery_document(way: Way, discovery: dict[str, Any]) -> None:
    way.there.discovery = discovery
    answer = await way.client.get("/api/oidc/log-in", allow_redirects=False)
    assert said(answer) == "provider"
    await way.client.get("/api/oidc/log-in", allow_redirects=False)
    assert way.there.asked == [DOCUMENT], "not asked again at once"


ANSWERS: dict[str, Callable[[], web.Response]] = {
    "huge": lambda: web.Response(body=b'{"keys":[' + b" " * (provider.MOST_BYTES + 1)),
    "no JSON": lambda: web.Response(text="<html>"),
    "a list": lambda: web.json_response([]),
    "deep": lambda: web.Response(body=b"[" * 100_000),
    "a fault": lambda: web.Response(status=500),
    "elsewhere": lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
    "packed": lambda: web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
    "keys of no kind": lambda: web.json_response(
        {"keys": [1, {}, {"kty": "oct", "k": "AAAA"}] * 50}
    ),
}


@pytest.mark.parametrize("path", [DOCUMENT, "/token", "/keys"])
@pytest.mark.parametrize("what", list(ANSWERS))
async def test_odd_answers(way: Way, path: str, what: str) -> None:
    if path == DOCUMENT:
        way.there.answers[path] = ANSWERS[what]
        answer = await way.client.get("/api/oidc/log-in", allow_redirects=False)
        assert said(answer) == "provider"
        return
    url, cookie = await way.begin()
    back = await way.visit(url)
    way.there.answers[path] = ANSWERS[what]
    assert said(await way.finish(back, cookie)) in {"provider", "token"}


async def test_a_provider_that_is_slow_or_away(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "WITHIN", 0.0)
    assert said(await way.client.get("/api/oidc/log-in", allow_redirects=False)) == "provider"
    monkeypatch.undo()
    way.world.use(issuer="http://127.0.0.1:1")
    monkeypatch.setattr(provider, "RETRY_AFTER", 0.0)
    assert said(await way.client.get("/api/oidc/log-in", allow_redirects=False)) == "provider"


async def test_an_old_document_is_better_than_none(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    await way.begin()
    monkeypatch.setattr(provider, "KEPT_FOR", 0.0)
    way.there.answers[DOCUMENT] = ANSWERS["a fault"]
    await way.begin()


# ---------------------------------------------------------------- the files

OIDC = "http:\n  public_url: https://calls.example.com\n  oidc: {{issuer: '{issuer}', client_id: us}}\n"


def test_what_it_needs(tmp_path: Path) -> None:
    settings = loaded(tmp_path, rest=OIDC.format(issuer="https://login.example.com"))
    assert settings.http.oidc == OidcSettings(issuer="https://login.example.com", client_id="us")
    [said_] = told(tmp_path, rest=OIDC.format(issuer="http://login.example.com"))
    assert "issuer http://login.example.com is not HTTPS" in said_
    [said_] = told(tmp_path, rest="http: {oidc: {issuer: 'https://x.example', client_id: us}}\n")
    assert "oidc needs public_url" in said_


def test_a_user_needs_some_way_in(tmp_path: Path) -> None:
    [said_] = told(tmp_path, rest="users: {sam: {role: admin}}\n")
    assert "'sam' has no password and cannot log in" in said_


def test_an_address_is_one_persons(tmp_path: Path) -> None:
    users = "users:\n  a: {role: admin, email: x@example.com}\n  b: {role: admin, email: X@Example.com}\n"
    [said_] = told(tmp_path, rest=users + OIDC.format(issuer="https://login.example.com"))
    assert "X@Example.com is the address of 'a' already" in said_


def test_without_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callrouter.settings.extras.find_spec", lambda _: None)
    [said_] = told(tmp_path, rest=OIDC.format(issuer="https://login.example.com"))
    assert "oidc needs authlib and joserfc, which are not installed here" in said_
    assert "pip install 'Authlib>=1.9' 'joserfc>=1.8'" in said_
