"""Checks ID tokens with Authlib and joserfc. For a thread: the libraries are loaded here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from callrouter.api.oidc.oidc_error import OidcError

ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA"),
)
"""Signatures that are accepted: those with a public key. So neither ``none``, nor ours as a secret."""
SKEW: Final = 60
"""Seconds by which the provider's clock may differ from ours."""
MOST_KEYS: Final = 50
"""Keys of a provider that are looked at."""


class UnknownKeyError(Exception):
    """No key of the provider fits the token: they may have been rotated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an ID token must say.

    Attributes:
        issuer: who issued it.
        client_id: for whom.
        nonce: made for this log-in.
        algorithms: those that the provider says it signs with; empty: it does not say.
        access_token: what came with it, for ``at_hash``.
        now: epoch seconds.
    """

    issuer: str
    client_id: str
    nonce: str
    algorithms: tuple[str, ...]
    access_token: str
    now: float


def check_id_token(token: str, keys: bytes, wanted: Wanted) -> dict[str, Any]:
    """Return the claims of an ID token (OpenID Connect Core 1.0, 3.1.3.7).

    Args:
        token: as it came.
        keys: the provider's JWK set.
        wanted: what it must say.

    Raises:
        UnknownKeyError: no key fits.
        OidcError: it is not valid.
    """
    from authlib.oidc.core import CodeIDToken  # noqa: PLC0415 - an extra
    from joserfc import jws, jwt  # noqa: PLC0415
    from joserfc.errors import JoseError  # noqa: PLC0415

    allowed = [name for name in ALGORITHMS if not wanted.algorithms or name in wanted.algorithms]
    try:
        header = jws.extract_compact(token.encode()).headers()
        if header.get("alg") not in allowed:
            raise OidcError("token", f"the ID token is signed by {str(header.get('alg'))[:20]}")
        found = None
        for key in _keys(keys, header.get("kid")):
            try:
                found = jwt.decode(token, key, algorithms=allowed)
                break
            except (JoseError, ValueError, TypeError):
                continue
        if found is None:
            raise UnknownKeyError
        claims = CodeIDToken(
            found.claims,
            found.header,
            options={"iss": {"values": [wanted.issuer]}, "aud": {"values": [wanted.client_id]}},
            params={
                "nonce": wanted.nonce,
                "client_id": wanted.client_id,
                "access_token": wanted.access_token,
            },
        )
        claims.validate(now=int(wanted.now), leeway=SKEW)
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise OidcError("token", f"the ID token is not valid: {why}") from error
    return dict(claims)


def _keys(text: bytes, kid: object) -> list[Any]:
    """Return the keys that may have signed: of this id, or all if the token names none."""
    from joserfc.errors import JoseError  # noqa: PLC0415 - an extra
    from joserfc.jwk import import_key  # noqa: PLC0415

    try:
        items = json.loads(text)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise OidcError("provider", "the provider's keys are no JWK set") from error
    if not isinstance(items, list):
        raise OidcError("provider", "the provider's keys are no JWK set")
    found = []
    for item in items[:MOST_KEYS]:
        if not isinstance(item, dict) or item.get("use", "sig") != "sig":
            continue
        if item.get("kty") == "oct" or (kid is not None and item.get("kid") != kid):
            continue
        try:
            found.append(import_key(item))
        except (JoseError, ValueError, TypeError):
            continue  # of a kind that we do not know
    return found
