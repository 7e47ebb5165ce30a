"""The operations on the texts of the configuration files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callrouter.api.operation import NO_FILES, Operation
from callrouter.api.schemas.config_answers import ChangeDetailJson
from callrouter.api.schemas.editor_answers import (
    CompletionsJson,
    ConfigFileJson,
    ConfigFilesJson,
    ConfigProblemJson,
    DraftJson,
    RolledBackJson,
    SavedJson,
    TablesJson,
)
from callrouter.api.schemas.editor_bodies import (
    CompleteBody,
    DraftBody,
    RollbackBody,
    SaveFileBody,
    SaveFilesBody,
)

_SAVING: Final = {
    409: "it removes a lot and is not confirmed, or the daemon may not write there",
    412: "a file has changed since; the answer says how",
    507: "the disk is full",
}


def _save(summary: str, body: Any) -> Operation:
    return Operation(
        summary=f"{summary}; it takes effect at once",
        answer=SavedJson,
        body=body,
        problem=ConfigProblemJson,
        large=True,
        problems={
            404: "there is no such file",
            428: "the request does not say which version was changed",
            **_SAVING,
        },
    )


EDITOR_OPERATIONS: Final[Mapping[tuple[str, str], Operation]] = {
    ("GET", "/api/config/history/{number}"): Operation(
        summary="A change of the configuration, line by line, without secrets",
        answer=ChangeDetailJson,
        problems={404: "it is not on record", 503: "too many people edit the files"},
    ),
    ("GET", "/api/config/files"): Operation(
        summary="The configuration files that the caller may see",
        answer=ConfigFilesJson,
        problems={**NO_FILES, 503: "too many people edit the files"},
    ),
    ("POST", "/api/config/files"): _save("Save several files together, or none", SaveFilesBody),
    ("GET", "/api/config/files/{name}"): Operation(
        summary="The text of a configuration file; what the caller may not see is hidden",
        answer=ConfigFileJson,
        problem=ConfigProblemJson,
        problems={
            404: "there is no such file",
            409: "it is broken, and shown only to an admin",
            503: "too many people edit the files",
        },
    ),
    ("PUT", "/api/config/files/{name}"): _save("Save a configuration file", SaveFileBody),
    ("GET", "/api/config/tables"): Operation(
        summary="Queues, agents and priorities as values with their places in the files",
        answer=TablesJson,
        problems={**NO_FILES, 503: "too many people edit the files"},
    ),
    ("POST", "/api/config/draft"): Operation(
        summary="What texts that are not saved, and changes of single values, would do",
        answer=DraftJson,
        body=DraftBody,
        problem=ConfigProblemJson,
        large=True,
        problems=NO_FILES,
    ),
    ("POST", "/api/config/complete"): Operation(
        summary="What may be written at a place of a text, and what it means",
        answer=CompletionsJson,
        body=CompleteBody,
        large=True,
        problems={404: "there is no such file and no text of it"},
    ),
    ("POST", "/api/config/rollback"): Operation(
        summary="Restore the files as they were before a change",
        answer=RolledBackJson,
        body=RollbackBody,
        problem=ConfigProblemJson,
        large=True,
        problems={404: "the change is not on record", **_SAVING},
    ),
}
"""By method and path."""
