"""The log-in through a provider: authorization code flow with PKCE, state and nonce.

What must be remembered between the two requests is in a cookie of the browser, signed by us: so
strangers who begin log-ins and never end them cost no memory.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from callrouter.api.access.people import People, Person
from callrouter.api.oidc.id_tokens import UnknownKeyError, Wanted, check_id_token
from callrouter.api.oidc.oidc_error import OidcError
from callrouter.api.oidc.provider import OidcProvider, ProviderFacts
from callrouter.clock import Clock
from callrouter.settings.loaded import HttpSettings, OidcSettings

COOKIE_FOR_LOG_IN: Final = "__Host-callrouter-oidc"
"""Lives from the first request of a log-in to the last."""
LASTS: Final = 600.0
"""Seconds that a person may take at the provider."""
CALLBACK: Final = "/api/oidc/callback"
MOST_AT_ONCE: Final = 10
"""Log-ins that are being finished at once."""
_MOST_USED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Begun:
    """A log-in that has begun: where the browser goes, and the cookie it takes along."""

    url: str
    cookie: str


class OidcLogins:
    """Logs people in through the provider of the settings in force.

    Args:
        settings: returns the HTTP settings in force.
        people: who may log in.
        clock: the time.
    """

    def __init__(self, settings: Callable[[], HttpSettings], people: People, clock: Clock) -> None:
        self._settings = settings
        self._people = people
        self._clock = clock
        self._provider = OidcProvider()
        self._key = secrets.token_bytes(32)
        self._used: dict[str, float] = {}
        self._finishing = 0

    @property
    def provider(self) -> OidcSettings | None:
        """The provider; None: people log in by password alone."""
        return self._settings().oidc

    async def begin(self) -> Begun:
        """Begin a log-in.

        Raises:
            OidcError: the provider cannot be used.
        """
        settings = self._configured()
        facts = await self._provider.facts(settings)
        secret = f"{int(self._clock.now())}.{secrets.token_urlsafe(24)}"
        verifier = self._derive("verifier", secret)
        challenge = hashlib.sha256(verifier.encode()).digest()  # RFC 7636, 4.2: S256
        url = await asyncio.to_thread(
            _grant_uri,
            facts.authorization_endpoint,
            {
                "client_id": settings.client_id,
                "redirect_uri": self._redirect_uri(),
                "scope": " ".join(dict.fromkeys(("openid", *settings.scopes))),
                "state": self._derive("state", secret),
                "nonce": self._derive("nonce", secret),
                "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
                "code_challenge_method": "S256",
            },
        )
        return Begun(url, f"{secret}.{self._derive('cookie', secret)}")

    async def finish(self, cookie: str, query: Mapping[str, str]) -> Person:
        """Return who has logged in.

        Args:
            cookie: that of `begin`.
            query: what the provider has the browser send.

        Raises:
            OidcError: they are not known, the provider says no, or its answer is not right.
        """
        settings = self._configured()
        secret = self._secret_of(cookie)
        state = query.get("state", "").encode("utf-8", "replace")
        if not hmac.compare_digest(state, self._derive("state", secret).encode()):
            raise OidcError("expired", "state is not that of this browser's log-in")
        self._use_up(secret)
        if "error" in query:
            kind = "denied" if query["error"] == "access_denied" else "provider"
            text = f"{query['error']}: {query.get('error_description', '')}"[:200]
            raise OidcError(
                "denied" if kind == "denied" else "provider", f"the provider says {text}"
            )
        if not query.get("code"):
            raise OidcError("provider", "the provider has sent no code")
        if self._finishing >= MOST_AT_ONCE:
            raise OidcError("busy", f"{MOST_AT_ONCE} log-ins are being finished")
        self._finishing += 1
        try:
            facts = await self._provider.facts(settings)
            self._check_issuer(facts, query)
            return self._person(
                settings, await self._claims(settings, facts, secret, query["code"])
            )
        finally:
            self._finishing -= 1

    async def log_out_url(self) -> str:
        """Return where a browser goes to log out at the provider as well.

        Raises:
            OidcError: the provider cannot be used, or has no such address.
        """
        settings = self._configured()
        facts = await self._provider.facts(settings)
        if not facts.end_session_endpoint:
            raise OidcError("provider", "the provider has no address to log out at")
        back = {"client_id": settings.client_id, "post_logout_redirect_uri": f"{self._site()}/"}
        mark = "&" if "?" in facts.end_session_endpoint else "?"
        return f"{facts.end_session_endpoint}{mark}{urlencode(back)}"

    # ------------------------------------------------------------ parts of it

    def _configured(self) -> OidcSettings:
        found = self.provider
        if found is None:
            raise OidcError("provider", "http.oidc is not configured any more")
        return found

    def _site(self) -> str:
        return self._settings().public_url

    def _redirect_uri(self) -> str:
        return self._site() + CALLBACK

    def _derive(self, what: str, secret: str) -> str:
        """Return a value that no one can make from the cookie without our key."""
        made = hmac.new(self._key, f"{what} {secret}".encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made).decode().rstrip("=")

    def _secret_of(self, cookie: str) -> str:
        secret, _, proof = cookie.rpartition(".")
        sent = proof.encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(sent, self._derive("cookie", _plain(secret)).encode()):
            raise OidcError("expired", "the log-in was not begun in this browser")
        if self._clock.now() - float(secret.partition(".")[0]) > LASTS:
            raise OidcError("expired", "the log-in took longer than ten minutes")
        return secret

    def _use_up(self, secret: str) -> None:
        now = self._clock.now()
        while self._used and (
            len(self._used) >= _MOST_USED or next(iter(self._used.values())) < now - LASTS
        ):
            del self._used[next(iter(self._used))]
        if secret in self._used:
            raise OidcError("expired", "this log-in has been finished already")
        self._used[secret] = now

    @staticmethod
    def _check_issuer(facts: ProviderFacts, query: Mapping[str, str]) -> None:
        """Refuse an answer that another provider has given (RFC 9207)."""
        issuer = query.get("iss")
        if issuer is None and not facts.says_issuer:
            return
        if issuer != facts.issuer:
            raise OidcError("provider", "the answer names another issuer, or none")

    async def _claims(
        self, settings: OidcSettings, facts: ProviderFacts, secret: str, code: str
    ) -> dict[str, Any]:
        fields = {
            "code": code,
            "redirect_uri": self._redirect_uri(),
            "code_verifier": self._derive("verifier", secret),
        }
        answer = await self._provider.tokens(settings, facts, fields)
        token, access = answer.get("id_token"), answer.get("access_token", "")
        if not isinstance(token, str) or not isinstance(access, str):
            raise OidcError("token", "the provider has sent no ID token")
        wanted = Wanted(
            issuer=facts.issuer,
            client_id=settings.client_id,
            nonce=self._derive("nonce", secret),
            algorithms=facts.algorithms,
            access_token=access,
            now=self._clock.now(),
        )
        claims = await self._checked(settings, token, wanted)
        if settings.claim in claims or not (
            facts.userinfo_endpoint and access.isprintable() and access
        ):
            return claims
        more = await self._provider.userinfo(facts, access)
        if more.get("sub") != claims["sub"]:  # OpenID Connect Core 1.0, 5.3.2
            raise OidcError("token", "what the provider tells is about another person")
        return {**more, **claims}

    async def _checked(self, settings: OidcSettings, token: str, wanted: Wanted) -> dict[str, Any]:
        for renewed in (False, True):
            keys = await self._provider.keys(settings, renewed=renewed)
            try:
                return await asyncio.to_thread(check_id_token, token, keys, wanted)
            except UnknownKeyError:
                continue
        raise OidcError("token", "no key of the provider has signed the ID token")

    def _person(self, settings: OidcSettings, claims: Mapping[str, Any]) -> Person:
        value = claims.get(settings.claim)
        if not isinstance(value, str) or not value.strip():
            raise OidcError("unknown-person", f"the provider tells no claim {settings.claim}")
        if settings.claim == "email" and claims.get("email_verified", True) not in {True, "true"}:
            raise OidcError("unverified-email", "the provider has not verified the mail address")
        person = self._people.by_claim(value)
        if person is None:
            text = f"no user or agent has the id or email of the claim {settings.claim}"
            raise OidcError("unknown-person", text)
        return person


def _plain(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _grant_uri(address: str, fields: Mapping[str, str]) -> str:
    """Return where the browser goes. In a thread, since it loads the library."""
    from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # noqa: PLC0415 - an extra

    return str(prepare_grant_uri(address, response_type="code", **fields))
