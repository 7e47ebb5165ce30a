"""``/api/agents/{id}/devices…``: an agent's phones, and their mobiles.

Registers, verifies and switches mobiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from aiohttp import web

from callrouter.api.access.auth import identify
from callrouter.api.access.tokens import ApiCaller
from callrouter.api.context import SIGHT, backend_of, floor_of
from callrouter.api.json_answers import SLICE, answer, answer_list, encode_list, encoded
from callrouter.api.json_values import moment
from callrouter.api.problem_json import ApiProblem
from callrouter.api.query_parameters import check_query
from callrouter.api.request_bodies import read_body
from callrouter.api.schemas.agent_answers import (
    AuditStepJson,
    DeviceAnswerJson,
    MobileJson,
    OwnDeviceJson,
)
from callrouter.api.schemas.bodies import (
    DeviceBody,
    EmptyBody,
    RegisterBody,
    RejectBody,
    VerifyBody,
)
from callrouter.api.shared_answers import RATES
from callrouter.api.views.unknown_ids import UnknownIdError
from callrouter.mobiles.mobile_records import AuditRow, MobileState
from callrouter.mobiles.mobile_service import MobileService
from callrouter.mobiles.registration_events import (
    ChangeRequested,
    MobileRequest,
    RegisterRequested,
    RegistrationAnswer,
    RejectRequested,
    RemoveRequested,
    RequestDone,
    Requester,
    RequestRefused,
    SwitchRequested,
    VerificationStarted,
    VerifyRequested,
)
from callrouter.model.text import clean, phrase, sentence_of
from callrouter.settings.schema.durations import parse_duration

MOST_STEPS: Final = 200

_STATUS: Final = {
    **dict.fromkeys(("not-yours", "not-allowed"), 403),
    **dict.fromkeys(("unknown-agent", "unknown-device"), 404),
    **dict.fromkeys(
        ("known", "taken", "busy", "verified", "waiting", "configured", "not-in-use", "refused"),
        409,
    ),
    "limit": 429,
    "no-pbx": 503,
}
"""HTTP status of a refusal. Refusals not listed here mean invalid input: 422."""


def add_device_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/api/agents/{id}/devices", devices),
            web.post("/api/agents/{id}/devices", register),
            web.patch("/api/agents/{id}/devices/{device}", change),
            web.delete("/api/agents/{id}/devices/{device}", remove),
            web.post("/api/agents/{id}/devices/{device}/verify", verify),
            web.post("/api/agents/{id}/devices/{device}/reject", reject),
            web.get("/api/mobiles", mobiles),
            web.get("/api/agents/{id}/audit", audit),
        ]
    )


# ---------------------------------------------------------------- access


def _mobiles(request: web.Request) -> MobileService:
    found = backend_of(request).mobiles
    if found is None:
        raise ApiProblem(
            404, "no-devices", phrase("no-registering", "no devices can be registered here")
        )
    return found


def _requester(caller: ApiCaller) -> Requester:
    return Requester(
        name=caller.person,
        via="command line" if caller.local else "api",
        agent=caller.agent,
        supervisor=caller.role in {"supervisor", "admin"},
    )


def _owned(request: web.Request) -> str:
    """Return the agent in the path if the caller may see their devices.

    Raises:
        ApiProblem: 403, they are another agent's.
    """
    name = request.match_info["id"]
    if not _requester(identify(request)).may(name):
        raise ApiProblem(
            403,
            "not-yours",
            phrase("devices-for-them", "the devices of {name} are for them to see", name=name[:64]),
        )
    return name


def _ask(request: web.Request, event: MobileRequest) -> VerificationStarted | RequestDone:
    if backend_of(request).mobiles is None and not event.requester.may(event.agent):
        raise ApiProblem(
            403,
            "not-yours",
            phrase(
                "devices-not-yours", "the devices of {agent} are not yours", agent=event.agent[:64]
            ),
        )
    made: RegistrationAnswer = _mobiles(request).request(event)
    if isinstance(made, RequestRefused):
        raise ApiProblem(_STATUS.get(made.kind, 422), made.kind, made.text)
    return made


# ---------------------------------------------------------------- answers


def _own_devices(request: web.Request, agent: str) -> list[OwnDeviceJson]:
    """Return an agent's phones with unmasked numbers, for the agent and supervisors.

    Raises:
        UnknownIdError: there is no agent of this id.
    """
    mobiles = backend_of(request).mobiles
    registered = mobiles.mobiles_of(agent) if mobiles is not None else []
    return floor_of(request).own_devices(agent, registered)


def _made(
    request: web.Request, made: VerificationStarted | RequestDone, status: int = 200
) -> web.Response:
    """Answer with what was done, the device as it is now, and the code of the verification call.

    The device is null if the agent has none of that id any more.
    """
    found = _own_devices(request, made.agent)
    started = made if isinstance(made, VerificationStarted) else None
    view: DeviceAnswerJson = {
        "text": made.text,
        "code": started.code if started is not None else None,
        "expires_at": moment(started.expires_at) if started is not None else None,
        "device": next((item for item in found if item["id"] == made.device), None),
    }
    return answer(view, status)


# ---------------------------------------------------------------- routes


async def devices(request: web.Request) -> web.Response:
    """``GET /api/agents/{id}/devices``.

    Raises:
        ApiProblem: 403, they are another agent's.
        UnknownIdError: there is no agent of this id.
    """
    return encoded(await encode_list(_own_devices(request, _owned(request))))


async def register(request: web.Request) -> web.Response:
    """``POST /api/agents/{id}/devices``: register a mobile; the answer contains the code.

    The status is 201. The agent types the code when the verification call asks for it.

    Raises:
        ApiProblem: what the registrar refuses (see `_STATUS`), 404 no devices can be registered
            here, 422 no number or a wrong duration; those of `read_body`.
    """
    body = await read_body(request, RegisterBody)
    if "number" not in body:
        raise ApiProblem(
            422, "wrong-body", phrase("say-which-number", "say which number, such as +447700900123")
        )
    event = RegisterRequested(
        requester=_requester(identify(request)),
        agent=request.match_info["id"],
        number=body["number"],
        device=body.get("id", ""),
        ring_after=_duration(body.get("ring_after", 0)),
        hours=body.get("hours", ""),
        vouch=body.get("vouch", False),
    )
    return _made(request, _ask(request, event), 201)


async def verify(request: web.Request) -> web.Response:
    """``POST …/{device}/verify``: call again.

    A supervisor can vouch for the mobile or approve it instead.

    Raises:
        ApiProblem: what the registrar refuses (see `_STATUS`); those of `read_body`.
    """
    body = await read_body(request, VerifyBody)
    event = VerifyRequested(
        requester=_requester(identify(request)),
        agent=request.match_info["id"],
        device=request.match_info["device"],
        vouch=body.get("vouch", False),
    )
    return _made(request, _ask(request, event))


async def change(request: web.Request) -> web.Response:
    """``PATCH …/{device}``: switch on or off.

    For registered mobiles also when and in which order to ring.

    The other fields are changed first, and stay so even if switching is refused.

    Raises:
        ApiProblem: what the registrar refuses (see `_STATUS`), 422 nothing to change or a wrong
            duration; those of `read_body`.
    """
    body = await read_body(request, DeviceBody)
    if not body:
        known = ", ".join(DeviceBody.__annotations__)
        raise ApiProblem(422, "wrong-body", f"say what to change: {known}")
    requester, agent = _requester(identify(request)), request.match_info["id"]
    device = request.match_info["device"]
    events: list[MobileRequest] = []
    if body.keys() - {"enabled"}:
        events.append(
            ChangeRequested(
                requester=requester,
                agent=agent,
                device=device,
                ring_after=_duration(body["ring_after"]) if "ring_after" in body else None,
                hours=body.get("hours"),
                place=body.get("order"),
            ),
        )
    if "enabled" in body:
        events.append(
            SwitchRequested(requester=requester, agent=agent, device=device, on=body["enabled"])
        )
    made = [_ask(request, event) for event in events]
    return _made(request, made[-1])


async def remove(request: web.Request) -> web.Response:
    """``DELETE …/{device}``: delete a registered mobile.

    The device in the answer is null.

    Raises:
        ApiProblem: what the registrar refuses (see `_STATUS`); those of `read_body`.
    """
    await read_body(request, EmptyBody)
    event = RemoveRequested(
        requester=_requester(identify(request)),
        agent=request.match_info["id"],
        device=request.match_info["device"],
    )
    made = _ask(request, event)
    return answer({"text": made.text, "code": None, "expires_at": None, "device": None})


async def reject(request: web.Request) -> web.Response:
    """``POST …/{device}/reject``: do not accept a mobile; the device in the answer is null.

    Raises:
        ApiProblem: what the registrar refuses (see `_STATUS`); those of `read_body`.
    """
    body = await read_body(request, RejectBody)
    event = RejectRequested(
        requester=_requester(identify(request)),
        agent=request.match_info["id"],
        device=request.match_info["device"],
        reason=body.get("reason", "").strip(),
    )
    made = _ask(request, event)
    return answer({"text": made.text, "code": None, "expires_at": None, "device": None})


async def mobiles(request: web.Request) -> web.Response:
    """``GET /api/mobiles``: what the visible agents registered, by agent; `?status=` for some of it.

    Raises:
        ApiProblem: 404 no devices can be registered here, 422 there is no such status.
    """
    service, sight = _mobiles(request), request[SIGHT]
    check_query(request, ("status",))
    status = request.query.get("status", "")
    known = [state.value for state in MobileState]
    if status and status not in known:
        raise ApiProblem(422, "wrong-query", f"'status' must be one of {', '.join(known)}")
    owners = [name for name in service.owners() if sight.sees_agent(name)]

    def every() -> Iterator[MobileJson]:
        for name in owners:
            yield from _registered(request, name, status)

    return await answer_list(request, ("mobiles", status, sight), every, len(owners))


def _registered(request: web.Request, agent: str, status: str) -> Iterator[MobileJson]:
    """Yield what an agent registered; nothing for one who is an agent no more."""
    try:
        name = floor_of(request).agent(agent)["name"]
    except UnknownIdError:
        return
    for device in _own_devices(request, agent):
        if device["source"] == "registered" and status in {"", device["status"]}:
            yield {**device, "agent": agent, "agent_name": name}


async def audit(request: web.Request) -> web.Response:
    """``GET /api/agents/{id}/audit``: what was done with their mobiles, newest first.

    There are `MOST_STEPS` at most. The caller's rate limit pays for as many.

    Raises:
        ApiProblem: 403 another agent's, 404 no devices can be registered here, 503 the store cannot
            be read.
    """
    name = _owned(request)
    mobiles = _mobiles(request)
    request.app[RATES].charge(identify(request), MOST_STEPS // SLICE)
    try:
        steps = await mobiles.audit_rows(name, MOST_STEPS)
    except Exception as error:
        text = "the audit can't be read now: {error}"
        detail = phrase("audit-unreadable", text, error=sentence_of(error))
        raise ApiProblem(503, "no-store", detail) from error
    return answer({"steps": [_step(row) for row in steps]})


def _step(row: AuditRow) -> AuditStepJson:
    return {
        "at": moment(row.at),
        "device": clean(row.device),
        "who": row.who,
        "via": row.via,
        "what": row.what,
        "number": row.number,
        "detail": row.detail,
    }


def _duration(value: object) -> float:
    """Return seconds from a number or a text such as ``10s``.

    Raises:
        ApiProblem: 422, it is neither.
    """
    try:
        return parse_duration(value)
    except ValueError as error:
        detail = phrase("ring-after-seconds", "'ring_after' must be seconds, or a text such as 10s")
        raise ApiProblem(422, "wrong-type", detail) from error
