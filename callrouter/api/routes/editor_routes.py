"""``/api/config/files``, ``draft``, ``complete``, ``tables`` and ``rollback``: the files are edited.

A text goes both ways as JSON. What a caller may not see is hidden in it, see
`callrouter.settings.editing.hidden_text`. A save names what it was made from (If-Match), so that
no other person's change is lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Any, Final

from aiohttp import web

from callrouter.api.access.acts import note_act, source_of
from callrouter.api.access.auth import identify
from callrouter.api.context import backend_of
from callrouter.api.editing.config_editing import (
    ConfigEditing,
    Draft,
    EditingPerson,
    FileToSave,
    TextCursor,
)
from callrouter.api.editing.large_bodies import read_large_body
from callrouter.api.json_answers import encode, encoded
from callrouter.api.problem_json import ApiProblem
from callrouter.api.schemas.editor_answers import ConfigFileJson
from callrouter.api.schemas.editor_bodies import (
    CompleteBody,
    DraftBody,
    EditBody,
    RollbackBody,
    SaveFileBody,
    SaveFilesBody,
)
from callrouter.api.shared_answers import EDITS, MOST_EDITS_WAITING
from callrouter.model.text import phrase
from callrouter.settings.editing.edit_rights import EditRights
from callrouter.settings.editing.text_edits import MOST_EDITS, Edit, EditKind

_KINDS: Final[tuple[EditKind, ...]] = ("value", "remove", "insert", "rename")
_MOST_SAVED: Final = 100
_LONGEST_PATH: Final = 20
_LAST_CHANGE: Final = 10_000_000


def add_editor_routes(app: web.Application) -> None:
    """Add the routes of this module."""
    app.add_routes(
        [
            web.get("/api/config/files", files),
            web.post("/api/config/files", save_several),
            web.get("/api/config/files/{name}", file),
            web.put("/api/config/files/{name}", save),
            web.post("/api/config/draft", draft),
            web.post("/api/config/complete", complete),
            web.get("/api/config/tables", tables),
            web.get("/api/config/history/{number}", change),
            web.post("/api/config/rollback", rollback),
        ]
    )


def _editor(request: web.Request) -> ConfigEditing:
    editor = backend_of(request).editor
    if editor is None:
        raise ApiProblem(
            404,
            "no-files",
            phrase("no-files", "this daemon was not started from a configuration folder"),
        )
    return editor


def _person(request: web.Request) -> EditingPerson:
    caller = identify(request)
    return EditingPerson(
        name=caller.person,
        address="" if caller.local else source_of(request),
        rights=EditRights(everything=caller.role == "admin", queues=caller.queues),
    )


async def _answer(
    request: web.Request, key: Hashable, make: Callable[[], Awaitable[Mapping[str, Any]]]
) -> web.Response:
    """Answer what is read from texts: one at a time, and once for all who ask the same."""
    gate = request.app[EDITS]
    if gate.waiting >= MOST_EDITS_WAITING and not gate.is_coming(key):
        detail = phrase(
            "too-many-edit",
            "too many people edit the files at this moment; try again in a second",
        )
        raise ApiProblem(503, "busy", detail, {"Retry-After": "1"})

    async def made() -> bytes:
        view = await make()
        return await asyncio.to_thread(encode, view)

    return encoded(await gate.answer(key, made))


async def files(request: web.Request) -> web.Response:
    """``GET /api/config/files``: the files, without their texts."""
    editor, person = _editor(request), _person(request)
    return await _answer(request, ("files", person.rights), lambda: editor.files(person))


async def file(request: web.Request) -> web.Response:
    """``GET /api/config/files/{name}``: a file's text, and its ETag.

    Raises:
        ApiProblem: 404 there is no such file, 409 it is broken and may hide something.
    """
    editor, person, name = _editor(request), _person(request), request.match_info["name"]
    tags: list[str] = []

    async def made() -> ConfigFileJson:
        view = await editor.file(person, name)
        tags.append(f'"{view["etag"]}"')
        return view

    response = await _answer(request, object(), made)
    response.headers["ETag"] = tags[0]
    if request.headers.get("If-None-Match", "") == tags[0]:
        return web.Response(status=304, headers={"ETag": tags[0]})
    return response


async def save(request: web.Request) -> web.Response:
    """``PUT /api/config/files/{name}``: save a file and apply it.

    Raises:
        ApiProblem: 403 not allowed, 404 no such file, 409 it removes a lot or cannot be written,
            412 it has changed since, 422 mistakes, 428 without If-Match.
    """
    body = await read_large_body(request, SaveFileBody)
    name = request.match_info["name"]
    note_act(request, target=name[:100])
    editor = _editor(request)
    given = FileToSave(name=name, text=_text_of(body), etag=_base_of(request))
    saved = await editor.save(_person(request), [given], confirm=body.get("confirm", False))
    note_act(request, lines=len(saved["changes"]), number=saved["number"] or 0)
    response = encoded(await asyncio.to_thread(encode, saved))
    response.headers["ETag"] = f'"{saved["etags"].get(name, "")}"'
    return response


def _text_of(body: SaveFileBody) -> str:
    if "text" not in body:
        raise ApiProblem(422, "wrong-body", "'text' must be given: the whole text of the file")
    return body["text"]


def _base_of(request: web.Request) -> str:
    """Return the ETag of the text that a save was made from; empty: the file must be new.

    Raises:
        ApiProblem: 428, the request does not say.
    """
    wanted = request.headers.get("If-Match", "").strip()
    if request.headers.get("If-None-Match", "").strip() == "*" and not wanted:
        return ""
    tag = wanted.removeprefix("W/").strip('"')
    if not tag or tag == "*":
        detail = (
            "say which version you have changed: If-Match with the ETag of GET; for a new file "
            "If-None-Match: *"
        )
        raise ApiProblem(428, "no-if-match", detail)
    return tag


async def save_several(request: web.Request) -> web.Response:
    """``POST /api/config/files``: save several files together, or none of them.

    Raises:
        ApiProblem: as for `save`.
    """
    body = await read_large_body(request, SaveFilesBody)
    given = body.get("files", [])
    note_act(request, target=", ".join(each["name"][:60] for each in given[:5]))
    editor = _editor(request)
    if not 0 < len(given) <= _MOST_SAVED:
        raise ApiProblem(422, "wrong-body", f"'files' must have 1 to {_MOST_SAVED} files")
    saved = await editor.save(
        _person(request),
        [FileToSave(name=one["name"], text=one["text"], etag=one["etag"]) for one in given],
        confirm=body.get("confirm", False),
    )
    note_act(request, lines=len(saved["changes"]), number=saved["number"] or 0)
    return encoded(await asyncio.to_thread(encode, saved))


async def draft(request: web.Request) -> web.Response:
    """``POST /api/config/draft``: what texts that are not saved would do.

    Raises:
        ApiProblem: 422 a name or an edit is wrong.
    """
    body = await read_large_body(request, DraftBody)
    editor, person = _editor(request), _person(request)
    edits = body.get("edits", [])
    if len(edits) > MOST_EDITS:
        raise ApiProblem(
            422,
            "wrong-body",
            phrase("most-edits", "at most {most} edits at a time", most=MOST_EDITS),
        )
    given = Draft(
        texts=body.get("files", {}),
        edits=[_edit(n, each) for n, each in enumerate(edits)],
        tables=body.get("tables", False),
    )
    return await _answer(request, object(), lambda: editor.draft(person, given))


def _edit(n: int, given: EditBody) -> Edit:
    """Return an edit of a request.

    Raises:
        ApiProblem: 422, it does not say what to do.
    """
    members = {"edit": n}
    kinds = [kind for kind in _KINDS if kind in given]
    if len(kinds) != 1 or given.get("remove") is False:
        detail = f"edit {n} must have exactly one of value, remove (true), insert and rename"
        raise ApiProblem(422, "wrong-edit", detail, members=members)
    if not 0 < len(given["path"]) <= _LONGEST_PATH:
        detail = f"the path of edit {n} must have 1 to {_LONGEST_PATH} parts"
        raise ApiProblem(422, "wrong-edit", detail, members=members)
    kind = kinds[0]
    value = given.get("value", given.get("insert", given.get("rename")))
    if value is None and kind != "remove":
        detail = f"edit {n} sets no value; to take it out, use remove"
        raise ApiProblem(422, "wrong-edit", detail, members=members)
    return Edit(kind=kind, path=tuple(given["path"]), value=value, file=given.get("file", ""))


async def complete(request: web.Request) -> web.Response:
    """``POST /api/config/complete``: what may be written at a place of a text.

    Raises:
        ApiProblem: 404 there is no such file and no text of it, 422 no place is given.
    """
    body = await read_large_body(request, CompleteBody)
    editor, person = _editor(request), _person(request)
    name = body.get("file", "")
    if not name and "text" not in body:
        raise ApiProblem(422, "wrong-body", "say where: 'file' or 'text' must be given")
    texts = dict(body.get("files", {}))
    if "text" in body:
        texts[name] = body["text"]
    given = Draft(texts=texts)
    cursor = TextCursor(file=name, line=body.get("line", 1), column=body.get("column", 1))
    return await _answer(request, object(), lambda: editor.complete(person, given, cursor))


async def tables(request: web.Request) -> web.Response:
    """``GET /api/config/tables``: queues, agents and priorities as values, for forms."""
    editor, person = _editor(request), _person(request)
    return await _answer(request, ("tables", person.rights), lambda: editor.tables(person))


async def change(request: web.Request) -> web.Response:
    """``GET /api/config/history/{number}``: a change, line by line.

    Raises:
        ApiProblem: 404 it is not on record.
    """
    editor, person, given = _editor(request), _person(request), request.match_info["number"]
    if not (given.isascii() and given.isdigit() and len(given) < 10):
        raise _no_change_number()
    key = ("change", given, person.rights)
    return await _answer(request, key, lambda: editor.change(person, int(given)))


def _no_change_number() -> ApiProblem:
    text = phrase("change-is-number", "a change is a number of GET /api/config/history")
    return ApiProblem(404, "unknown-change", text)


async def rollback(request: web.Request) -> web.Response:
    """``POST /api/config/rollback``: restore the files as they were before a change.

    Raises:
        ApiProblem: as for `save`; 404 the change is not on record.
    """
    body = await read_large_body(request, RollbackBody)
    number = body.get("number")
    note_act(request, target=f"before {number}" if number is not None else "in force")
    editor = _editor(request)
    if number is not None and not 0 < number < _LAST_CHANGE:
        raise _no_change_number()
    view = await editor.rollback(
        _person(request),
        number,
        etags=body.get("etags", {}),
        dry_run=body.get("dry_run", False),
        confirm=body.get("confirm", False),
    )
    note_act(request, lines=len(view["changes"]), dry_run=str(view["dry_run"]).lower())
    return encoded(await asyncio.to_thread(encode, view))
