"""A receiver of webhooks that behaves as it is told, and checks signatures by code of its own.

It shares nothing with the sender: the signature is computed here as the specification of Standard
Webhooks says, with the standard library.
"""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another key, of 24 bytes").decode()


@dataclass
class Received:
    id: str
    type: str
    call: str
    data: dict[str, Any]
    taken: bool
    at: float = field(default_factory=time.monotonic)


def verify(secret: str, headers: Any, body: bytes) -> None:
    """What a receiver does: https://github.com/standard-webhooks/standard-webhooks."""
    key = base64.b64decode(secret[len("whsec_") :])
    signed = b".".join(
        [headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body]
    )
    want = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    versions = [one.split(",", 1) for one in headers["webhook-signature"].split(" ")]
    assert any(v == "v1" and hmac.compare_digest(text, want) for v, text in versions)
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 300


class Receiver:
    """`mode`: ok | 500 | 400 | 410 | hang | drop | redirect | endless."""

    def __init__(self, secret: str = SECRET, port: int = 0) -> None:
        self.secret = secret
        self.port = port
        self.mode = "ok"
        self.modes: dict[str, str] = {}
        """By the kind of event."""
        self.attempts: list[Received] = []
        self.strangers: list[str] = []
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?x=1"

    @property
    def taken(self) -> list[Received]:
        """What was taken, each event once, in the order of its first arrival."""
        found: dict[str, Received] = {}
        for one in self.attempts:
            if one.taken:
                found.setdefault(one.id, one)
        return list(found.values())

    async def open(self) -> None:
        app = web.Application()
        app.router.add_post("/hook", self._hook)
        app.router.add_route("*", "/{rest:.*}", self._stranger)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _stranger(self, request: web.Request) -> web.Response:
        self.strangers.append(request.path)
        return web.Response()

    async def _hook(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        verify(self.secret, request.headers, body)
        event = json.loads(body)
        assert event.keys() == {"type", "timestamp", "data"}
        assert request.headers["Content-Type"] == "application/json"
        mode = self.modes.get(event["type"], self.mode)
        data = event["data"]
        call = data.get("call") or data.get("alert") or data.get("agent")
        self.attempts.append(
            Received(request.headers["webhook-id"], event["type"], call, data, mode == "ok")
        )
        match mode:
            case "hang":
                await asyncio.sleep(3600)
            case "drop":
                assert request.transport is not None
                request.transport.abort()
            case "redirect":
                return web.Response(status=307, headers={"Location": "/elsewhere"})
            case "endless":
                self.attempts[-1].taken = True
                answer = web.StreamResponse()
                await answer.prepare(request)
                for _ in range(10_000):
                    await answer.write(b"x" * 65536)
                return answer
            case "ok":
                pass
            case status:
                return web.Response(status=int(status), text="no")
        return web.Response(status=204)
