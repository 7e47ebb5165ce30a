"""A provider of OpenID Connect for tests, which can also misbehave. Its log-in page asks no one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT = "callrouter"
SECRET = "a secret / of ours"


@cache
def _key(name: str) -> RSAKey:
    """A key costs more than a test."""
    return RSAKey.generate_key(2048, {"kid": name})


class FakeProvider:
    """What it answers can be changed between requests.

    Attributes:
        url: its address and issuer; set once it is served.
        person: the claims of who logs in.
        changed: changes the claims of an ID token before it is signed.
        sign: signs the claims.
        discovery: what the discovery document says otherwise.
        asked: the paths of requests, in order.
    """

    def __init__(self, now: Callable[[], float], key: str = "one") -> None:
        self.url = ""
        self.now = now
        self.person: dict[str, Any] = {"sub": "7", "email": "sam@example.com"}
        self.keys = [_key(key)]
        self.changed: Callable[[dict[str, Any]], Any] = lambda claims: None
        self.sign: Callable[[dict[str, Any]], str] = self.signed
        self.discovery: dict[str, Any] = {}
        self.answers: dict[str, Callable[[], web.Response]] = {}
        self.in_token = True
        self.asked: list[str] = []
        self._codes: dict[str, Mapping[str, str]] = {}

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._note])
        app.router.add_get("/.well-known/openid-configuration", self._document)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/me", self._me)
        return app

    def signed(self, claims: dict[str, Any], **header: str) -> str:
        return str(jwt.encode({"alg": "RS256", "kid": "one", **header}, claims, self.keys[0]))

    def rotate(self) -> None:
        self.keys = [_key("two")]
        self.sign = lambda claims: self.signed(claims, kid="two")

    def confused(self, claims: dict[str, Any]) -> str:
        """Signed with the public key as if it were a secret, which the library refuses to do."""
        parts = (json.dumps({"alg": "HS256", "kid": "one"}), json.dumps(claims))
        text = ".".join(_base64(part.encode()) for part in parts)
        public = self.keys[0].as_pem(private=False)
        return f"{text}.{_base64(hmac.new(public, text.encode(), hashlib.sha256).digest())}"

    @staticmethod
    def unsigned(claims: dict[str, Any]) -> str:
        parts = (json.dumps({"alg": "none"}), json.dumps(claims))
        return ".".join(_base64(part.encode()) for part in parts) + "."

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path in self.answers:
            return self.answers[request.path]()
        found: web.StreamResponse = await handler(request)
        return found

    async def _document(self, _: web.Request) -> web.Response:
        found = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize?tenant=1",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "userinfo_endpoint": f"{self.url}/me",
            "end_session_endpoint": f"{self.url}/bye",
            "id_token_signing_alg_values_supported": ["RS256"],
        }
        return web.json_response(found | self.discovery)

    async def _authorize(self, request: web.Request) -> web.Response:
        asked = request.query
        assert asked["response_type"] == "code"
        assert asked["code_challenge_method"] == "S256"
        assert "openid" in asked["scope"].split()
        assert asked["tenant"] == "1"
        code = secrets.token_hex(8)
        self._codes[code] = dict(asked)
        back = urlencode({"code": code, "state": asked["state"], "iss": self.url})
        raise web.HTTPFound(f"{asked['redirect_uri']}?{back}")

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        basic = base64.b64decode(request.headers["Authorization"].removeprefix("Basic "))
        assert basic.decode() == f"{CLIENT}:{SECRET}"
        asked = self._codes.pop(str(form.get("code")), None)
        proof = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        if asked is None or _base64(proof) != asked["code_challenge"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        assert form["redirect_uri"] == asked["redirect_uri"]
        claims = {
            "iss": self.url,
            "aud": CLIENT,
            "nonce": asked["nonce"],
            "iat": int(self.now()),
            "exp": int(self.now()) + 300,
            **(self.person if self.in_token else {"sub": self.person["sub"]}),
        }
        self.changed(claims)
        return web.json_response(
            {"access_token": "for-me", "token_type": "Bearer", "id_token": self.sign(claims)}
        )

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def _me(self, request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer for-me"
        return web.json_response(self.person)


def _base64(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).decode().rstrip("=")
