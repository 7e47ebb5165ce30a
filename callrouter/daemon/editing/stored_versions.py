"""Saves edited files as a new version in the database of the pool."""

from __future__ import annotations

from callrouter.api.problem_json import ApiProblem
from callrouter.config_source.config_sources import DatabaseSource
from callrouter.config_source.version_table import OvertakenError
from callrouter.daemon.config_reading import ConfigReading
from callrouter.model.text import phrase, sentence_of
from callrouter.settings.config_files import ConfigSnapshot
from callrouter.settings.yaml.pool_files import BOOTSTRAP
from callrouter.store.location import StoreError


def store(
    source: DatabaseSource, reading: ConfigReading, before: ConfigSnapshot, who: str, how: str
) -> None:
    """Store the files of a reading, whose losses have been confirmed.

    Args:
        source: the database.
        reading: the configuration with the files.
        before: the configuration from which it was made.
        who: the person, for the history.
        how: how they did it, for the history.

    Raises:
        OvertakenError: another version was stored in the meantime; nothing is stored.
        ApiProblem: 503, the database cannot be reached.
    """
    try:
        source.store(
            reading.snapshot.files,
            after=before.version,
            who=who,
            how=how,
            lines=reading.lines,
            removed_queues=reading.removed_queues,
            confirmed=True,
        )
    except OvertakenError:
        raise
    except StoreError as error:
        raise no_database(error) from error


def no_database(error: Exception) -> ApiProblem:
    """Return the answer while the database cannot be used."""
    text = "the configuration is in the database, which cannot be used now: {error}"
    detail = phrase("configuration-in-database-away", text, error=sentence_of(error))
    return ApiProblem(503, "no-database", detail)


def overtaken() -> ApiProblem:
    """Return the answer to a save that others have overtaken again and again."""
    return ApiProblem(
        409,
        "overtaken",
        phrase(
            "nothing-saved-overtaken", "nothing was saved: others are saving files too; try again"
        ),
    )


def check_not_own_file(name: str) -> None:
    """Check that a file of the pool has another name than the file of each router.

    Raises:
        ApiProblem: 422.
    """
    if name == BOOTSTRAP:
        detail = phrase(
            "own-file",
            "{file} is each router's own file and is edited there; take another name",
            file=BOOTSTRAP,
        )
        raise ApiProblem(422, "wrong-name", detail)
