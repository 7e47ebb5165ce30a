"""The schema of a pool in a PostgreSQL database. A connection sees the tables of its own pool only.

Pool ``main`` has the schema that a connection to the database has by itself, so an installation that
knew no pools keeps its records. Every other pool has ``callrouter_POOL``, with ``_`` for ``-``. The
comment on such a schema names its pool, so that ``north-1`` and ``north_1`` cannot both use it.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
from psycopg import sql

from callrouter.store.location import Address, StoreError

_COMMENT: Final = "callrouter: pool "
_LOOK: Final = """
    SELECT obj_description(oid, 'pg_namespace') AS comment,
           has_schema_privilege(oid, 'USAGE') AS usable,
           has_schema_privilege(oid, 'CREATE') AS fillable,
           pg_has_role(nspowner, 'MEMBER') AS own
      FROM pg_namespace WHERE nspname = %s
"""


class NoSchemaError(StoreError):
    """No router of a pool has used the database yet."""


def enter_to_write(link: psycopg.Connection[Any], address: Address) -> None:
    """Make this connection use the schema of the pool, which is created if there is none.

    The transaction is committed.

    Raises:
        StoreError: it cannot be created or used, or is that of another pool.
        psycopg.Error: the database failed.
    """
    schema = address.schema
    if not schema:
        if link.execute("SELECT current_schema()").fetchone() == (None,):
            raise StoreError(_without_schema(link))
        link.commit()
        return
    found = _look(link, schema)
    if found is None:
        _create(link, address)
        found = _look(link, schema)
    if found is None or not (found[1] and found[2]):
        raise StoreError(
            f"user {_user(link)} may not use the schema {schema} of pool {address.pool}; as its "
            f'owner: GRANT USAGE, CREATE ON SCHEMA {schema} TO "{_user(link)}"'
        )
    _check_owner(found[0], address)
    if found[0] is None and found[3]:
        _say(link, "COMMENT ON SCHEMA {} IS {}", schema, _COMMENT + address.pool)
    _use(link, schema)


def enter_to_read(link: psycopg.Connection[Any], address: Address) -> None:
    """Make this connection read in the schema of the pool. The transaction is committed.

    Raises:
        NoSchemaError: there is no such schema.
        StoreError: it may not be read, or is that of another pool.
        psycopg.Error: the database failed.
    """
    schema = address.schema
    if not schema:
        return
    found = _look(link, schema)
    if found is None:
        raise NoSchemaError(
            f"there is nothing of pool {address.pool} in {address}: no router of that pool has "
            "used this database yet"
        )
    if not found[1]:
        raise StoreError(
            f"user {_user(link)} may not read the schema {schema} of pool {address.pool}; as its "
            f'owner: GRANT USAGE ON SCHEMA {schema} TO "{_user(link)}"'
        )
    _check_owner(found[0], address)
    _use(link, schema)


def _look(link: psycopg.Connection[Any], schema: str) -> tuple[Any, ...] | None:
    return link.execute(_LOOK, (schema,)).fetchone()


def _check_owner(comment: str | None, address: Address) -> None:
    """Check that the schema is not that of another pool.

    Raises:
        StoreError: it is.
    """
    if comment is None or not comment.startswith(_COMMENT):
        return
    other = comment.removeprefix(_COMMENT)
    if other != address.pool:
        raise StoreError(
            f"the pools {other} and {address.pool} would have the same schema, {address.schema}, "
            f"and it belongs to {other}; give pool {address.pool} a name that differs in more "
            "than - and _"
        )


def _create(link: psycopg.Connection[Any], address: Address) -> None:
    schema = address.schema
    try:
        _say(link, "CREATE SCHEMA {}", schema)
    except (psycopg.errors.DuplicateSchema, psycopg.errors.UniqueViolation):
        link.rollback()  # another daemon of the pool has created it at the same moment
        return
    except psycopg.errors.InsufficientPrivilege as error:
        link.rollback()
        raise StoreError(
            f"user {_user(link)} may not create the schema of pool {address.pool} in this "
            f'database; as its owner: CREATE SCHEMA {schema} AUTHORIZATION "{_user(link)}"'
        ) from error


def _use(link: psycopg.Connection[Any], schema: str) -> None:
    # Nothing else is on the path: a table that is missing here must not be found in another pool.
    _say(link, "SET search_path TO {}", schema)


def _say(link: psycopg.Connection[Any], text: str, schema: str, *values: str) -> None:
    literals = [sql.Literal(value) for value in values]
    link.execute(sql.SQL(text).format(sql.Identifier(schema), *literals))
    link.commit()


def _user(link: psycopg.Connection[Any]) -> str:
    found = link.execute("SELECT current_user").fetchone()
    return str(found[0]) if found else ""


def _without_schema(link: psycopg.Connection[Any]) -> str:
    found = link.execute("SELECT current_setting('search_path')").fetchone()
    return (
        f"user {_user(link)} has no schema in this database (search_path is {found and found[0]}); "
        f'as its owner: CREATE SCHEMA AUTHORIZATION "{_user(link)}"'
    )
