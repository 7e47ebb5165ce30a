"""Talks to the provider: its discovery document, its keys, and what it gives for a code.

Whatever comes is bounded in size and time, no redirect is followed, and every address must be HTTPS
unless the provider is on this machine.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from callrouter.api.oidc.oidc_error import OidcError
from callrouter.settings.loaded import OidcSettings

logger = logging.getLogger(__name__)

WITHIN: Final = 8.0
"""Seconds for one answer of the provider."""
MOST_BYTES: Final = 256 * 1024
"""Size of one answer. Real ones are of some kilobytes."""
KEPT_FOR: Final = 3600.0
"""Seconds for which its discovery document and keys are used before they are fetched again."""
KEYS_AT_MOST_EVERY: Final = 30.0
"""Seconds between two fetches of its keys because a token names one that is not known."""
RETRY_AFTER: Final = 5.0
"""Seconds after a failed fetch in which the next log-in is refused without another one."""
_ADDRESSES: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_OPTIONAL: Final = ("userinfo_endpoint", "end_session_endpoint")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFacts:
    """What we use of a discovery document (OpenID Connect Discovery 1.0, 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    end_session_endpoint: str = ""
    auth_method: str = "client_secret_basic"
    algorithms: tuple[str, ...] = ()
    says_issuer: bool = False
    """Whether it names itself in the answer to the browser (RFC 9207)."""


@dataclass(slots=True)
class _Kept:
    facts: ProviderFacts
    fetched_at: float
    keys: bytes = b""
    keys_at: float = field(default=-1e9)


class OidcProvider:
    """The provider that the settings name. One object serves all log-ins."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None
        self._turn = asyncio.Lock()
        self._failed_at = -1e9

    async def facts(self, settings: OidcSettings) -> ProviderFacts:
        """Return what its discovery document says.

        Raises:
            OidcError: it cannot be had, or is not right.
        """
        return (await self._known(settings)).facts

    async def keys(self, settings: OidcSettings, *, renewed: bool = False) -> bytes:
        """Return its keys as JSON, at most an hour old.

        Args:
            settings: the provider.
            renewed: a token names a key that is not among them: fetch them again, if that has not
                just been done.

        Raises:
            OidcError: they cannot be had.
        """
        kept = await self._known(settings)
        async with self._turn:
            limit = KEYS_AT_MOST_EVERY if renewed else KEPT_FOR
            if _steady() - kept.keys_at >= limit:
                kept.keys = await self._fetch("GET", kept.facts.jwks_uri)
                kept.keys_at = _steady()
        return kept.keys

    async def tokens(
        self, settings: OidcSettings, facts: ProviderFacts, fields: Mapping[str, str]
    ) -> dict[str, Any]:
        """Exchange a code.

        Args:
            settings: the provider.
            facts: its discovery document.
            fields: of the request, besides what identifies us.

        Raises:
            OidcError: it refuses the code, or cannot be reached.
        """
        url, headers, body = await asyncio.to_thread(_token_request, settings, facts, fields)
        found = _object(await self._fetch("POST", url, headers, body), url)
        if "error" in found:
            raise OidcError("provider", f"the code was refused: {str(found['error'])[:100]}")
        return found

    async def userinfo(self, facts: ProviderFacts, access_token: str) -> dict[str, Any]:
        """Return the claims that it tells for an access token.

        Raises:
            OidcError: they cannot be had.
        """
        headers = {"Authorization": f"Bearer {access_token}"}
        url = facts.userinfo_endpoint
        return _object(await self._fetch("GET", url, headers), url)

    async def _known(self, settings: OidcSettings) -> _Kept:
        async with self._turn:
            now = _steady()
            kept = self._kept
            same = kept is not None and kept.facts.issuer == settings.issuer
            if kept is not None and same and now - kept.fetched_at < KEPT_FOR:
                return kept
            if now - self._failed_at < RETRY_AFTER:
                raise OidcError("provider", "the provider could not be used a moment ago")
            try:
                url = settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
                facts = read_facts(settings, _object(await self._fetch("GET", url), url))
            except OidcError as error:
                self._failed_at = _steady()
                if kept is not None and same:  # better an old one than none
                    logger.warning("http: oidc: %s; the former discovery document is used", error)
                    return kept
                raise
            self._kept = _Kept(facts, now)
            return self._kept

    async def _fetch(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: str = ""
    ) -> bytes:
        """Return the body of an answer.

        Raises:
            OidcError: there is none, or it is too large or no success.
        """
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        try:
            async with (
                asyncio.timeout(WITHIN),
                aiohttp.ClientSession(auto_decompress=False, trust_env=True) as session,
                session.request(
                    method, url, headers=sent, data=body or None, allow_redirects=False
                ) as answer,
            ):
                found = b""
                async for part in answer.content.iter_chunked(16_384):
                    found += part
                    if len(found) > MOST_BYTES:
                        raise OidcError("provider", f"{url} answers more than {MOST_BYTES} bytes")
                refusal = answer.status in {400, 401} and method == "POST"
                if answer.status != 200 and not refusal:
                    raise OidcError("provider", f"{url} answers with status {answer.status}")
                return found
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise OidcError("provider", f"{url} cannot be reached: {why}") from error


def read_facts(settings: OidcSettings, found: Mapping[str, Any]) -> ProviderFacts:
    """Return what a discovery document says.

    Raises:
        OidcError: it is another provider's, an address is missing or not safe, or the provider
            cannot do what we need.
    """
    if found.get("issuer") != settings.issuer:
        other = str(found.get("issuer"))[:200]
        raise OidcError("provider", f"issuer is {settings.issuer}, and the provider says {other}")
    secure = settings.issuer.startswith("https:")
    addresses = {}
    for name in (*_ADDRESSES, *_OPTIONAL):
        value = found.get(name, "")
        if name in _OPTIONAL and not value:
            continue
        if not isinstance(value, str) or not _safe(value, secure=secure):
            raise OidcError(
                "provider", f"{name} of the provider is {str(value)[:200] or 'missing'}"
            )
        addresses[name] = value
    methods = _texts(found.get("token_endpoint_auth_methods_supported"))
    wanted = (
        ("none",)
        if settings.client_secret is None
        else ("client_secret_basic", "client_secret_post")
    )
    usable = [method for method in wanted if method in methods] if methods else []
    return ProviderFacts(
        issuer=settings.issuer,
        auth_method=(usable or list(wanted))[0],
        algorithms=_texts(found.get("id_token_signing_alg_values_supported")),
        says_issuer=found.get("authorization_response_iss_parameter_supported") is True,
        **addresses,
    )


def _steady() -> float:
    return asyncio.get_running_loop().time()


def _safe(url: str, *, secure: bool) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    schemes = {"https"} if secure else {"https", "http"}
    return parts.scheme in schemes and bool(parts.hostname) and not parts.username


def _texts(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _token_request(
    settings: OidcSettings, facts: ProviderFacts, fields: Mapping[str, str]
) -> tuple[str, dict[str, str], str]:
    """Return address, headers and body. In a thread, since it loads the library."""
    from authlib.oauth2.auth import ClientAuth  # noqa: PLC0415 - an extra
    from authlib.oauth2.rfc6749.parameters import prepare_token_request  # noqa: PLC0415

    body = prepare_token_request("authorization_code", **fields)
    client = ClientAuth(settings.client_id, settings.client_secret or "", facts.auth_method)
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    url, headers, body = client.prepare("POST", facts.token_endpoint, headers, body)
    return str(url), {str(k): str(v) for k, v in headers.items()}, str(body)


def _object(text: bytes, url: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise OidcError("provider", f"{url} answers with no JSON object")
    return found
