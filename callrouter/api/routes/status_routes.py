"""``/healthz``, ``/api/status`` and ``/api/openapi.json``: the daemon itself."""

from __future__ import annotations

import asyncio
import functools
from typing import Literal, cast

from aiohttp import web

from callrouter import __version__
from callrouter.api.access.auth import identify, is_known
from callrouter.api.access.tokens import ApiCaller
from callrouter.api.context import Backend, backend_of
from callrouter.api.json_answers import answer, encode, encoded
from callrouter.api.json_values import moment, seconds
from callrouter.api.openapi import document
from callrouter.api.routes.cluster_routes import cluster_status
from callrouter.api.schemas.config_answers import ConfigStatusJson, MistakeJson
from callrouter.api.schemas.status_answers import HealthJson, PbxStatusJson, StatusJson
from callrouter.api.schemas.vocabulary import UpOrDown
from callrouter.api.shared_answers import FILES
from callrouter.settings import Problem


def add_status_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/api/status", status),
            web.get("/api/openapi.json", openapi),
        ]
    )


async def healthz(request: web.Request) -> web.Response:
    """``GET /healthz``: 200 while any PBX is in sync; with ``?strict``, while every PBX is.

    A daemon that has lost one of two PBXes still serves the other, and it works without its
    database. A probe that restarted it would also discard the state of the good PBX. `state` tells
    up, degraded or down. A standby of a cluster is well as long as it runs. Version and drift are
    shown only with a valid token.
    """
    backend = backend_of(request)
    health = backend.health()
    pbxes: dict[str, UpOrDown] = {
        name: "up" if backend.in_step(name, health) else "down" for name, health in health.items()
    }
    ups = [state == "up" for state in pbxes.values()]
    stored = (tell := backend.extra.get("store")) is None or tell()["state"] == "good"
    well = any(ups) or not ups
    body: HealthJson = {
        "state": "up" if all(ups) and stored else "degraded" if well else "down",
        "pbx": pbxes,
    }
    if (word := backend.config.word) != "good":
        body["config"] = "last-good" if backend.config.last_good else word
    if tell is not None:
        body["store"] = "up" if stored else "down"
    _tell_role(backend, body)
    if await is_known(request):
        body["drift"] = {name: health.drift for name, health in health.items()}
        body["version"] = __version__
    if body.get("role") == "standby":
        body["state"], well = _standby_state(backend)
    if "strict" in request.query:
        well = body["state"] == "up" if body.get("role") == "standby" else all(ups)
    return answer(body, 200 if well else 503)


def _tell_role(backend: Backend, body: HealthJson) -> None:
    """Say which part this node has in its cluster, if it belongs to one."""
    status = cluster_status(backend)
    if status is not None:
        body["role"] = status["role"]
        body["standbys"] = status["standbys"]


def _standby_state(backend: Backend) -> tuple[UpOrDown | Literal["degraded"], bool]:
    """Return the state of a standby, which serves no call and passes every request on.

    It is well while it runs: a load balancer may send requests to it.
    """
    ready = all(health.up for health in backend.health().values())
    passes = backend.cluster is not None and backend.cluster.active_node() is not None
    return "up" if ready and passes else "degraded", True


async def status(request: web.Request) -> web.Response:
    """``GET /api/status``: the daemon itself."""
    return answer(status_json(backend_of(request), identify(request)))


def status_json(backend: Backend, caller: ApiCaller) -> StatusJson:
    """Return the state of the daemon, its PBXes and its configuration, and the current totals.

    The locations of its files are for admins only.
    """
    extra = {name: tell() for name, tell in backend.extra.items()}
    if (cluster := cluster_status(backend)) is not None:
        extra["cluster"] = {**extra.get("cluster", {}), **cluster}
    if caller.role != "admin":
        extra.pop("history", None)
        if "store" in extra:
            extra["store"] = {**extra["store"], "database": None}
        if "queue_log" in extra:
            extra["queue_log"] = {**extra["queue_log"], "file": None}
    if caller.queues:
        extra.pop("outbox", None)
        if "alerts" in extra:
            extra["alerts"] = [one for one in extra["alerts"] if one["queue"] in caller.queues]
    view = {
        "version": __version__,
        "pid": backend.pid,
        "started_at": moment(backend.started_at),
        "uptime_s": seconds(backend.clock.now() - backend.started_at),
        "listen": backend.listen(),
        "pbx": _pbxes(backend),
        "config": _config(backend, caller),
        **backend.views.totals(),
        **extra,
    }
    # The parts of the daemon give sections of their own, whose types a test holds.
    return cast("StatusJson", view)


def _pbxes(backend: Backend) -> dict[str, PbxStatusJson]:
    return {
        name: {
            "state": "up" if backend.in_step(name, health) else "down",
            "detail": health.detail,
            "drift": health.drift,
            "faults": health.faults,
            "counts": dict(health.counts),
            "link": {count.name: count.value for count in health.link},
        }
        for name, health in backend.health().items()
    }


def _config(backend: Backend, caller: ApiCaller) -> ConfigStatusJson:
    """Return the state of the configuration.

    What the files say of everything is not told to a supervisor who is limited to some queues, as
    `/api/config/diff` is not.
    """
    config = backend.config
    told = (config.held, config.problems, config.warnings, config.needs_restart)
    held, problems, warnings, needs_restart = ((), (), (), ()) if caller.queues else told
    return {
        "state": config.word,
        "held": list(held),
        "last_good": config.last_good,
        "folder": config.folder if caller.role == "admin" else None,
        "loaded_at": moment(config.loaded_at),
        "source": "database" if config.in_database else "files",
        "version": config.version or None,
        "away": config.away or None,
        "differs_from": config.differs_from or None,
        "problems": [mistake_json(item) for item in problems],
        "warnings": [mistake_json(item) for item in warnings],
        "needs_restart": list(needs_restart),
    }


def mistake_json(problem: Problem) -> MistakeJson:
    """Return a mistake in the configuration, without the text of the line.

    The line may contain a secret, and this answer goes over HTTP.
    """
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "text": problem.text,
        "hint": problem.hint,
    }


@functools.cache
def _encoded_document() -> bytes:
    return encode(document())


async def openapi(request: web.Request) -> web.Response:
    """``GET /api/openapi.json``. It is made in a thread, since the first time takes long.

    It shares the gate of the answers from files, so it is made once for all who ask at the same
    time.
    """

    async def make() -> bytes:
        return await asyncio.to_thread(_encoded_document)

    return encoded(await request.app[FILES].answer("openapi", make))
