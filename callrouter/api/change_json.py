"""A recorded change of the configuration, as the API has it."""

from __future__ import annotations

from callrouter.api.json_values import moment, phrase_json, phrases_json
from callrouter.api.schemas.config_answers import ChangeJson
from callrouter.settings.config_change import Change


def change_json(change: Change) -> ChangeJson:
    """Return a change without the contents of the files."""
    return {
        "number": change.number,
        "at": moment(change.at),
        "who": change.who,
        "how": change.how,
        "how_phrase": phrase_json(change.how),
        "changes": list(change.lines),
        "changes_phrases": phrases_json(change.lines),
        "files": change.changed_files,
    }
