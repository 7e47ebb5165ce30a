"""The tables that all pools of a database share, in a schema of their own.

They are made by statements that can be repeated, not by alembic: daemons of different versions use
them at the same time while one is replaced by another, so a table only ever gets more columns.
"""

from __future__ import annotations

from typing import Final

SCHEMA: Final = "callrouter_cluster"
VERSION: Final = 2
"""Raised with every statement that is added below."""

HAS_TABLES: Final = f"SELECT to_regclass('{SCHEMA}.layout') IS NOT NULL"
FIND_VERSION: Final = f"SELECT coalesce(max(version), 0) FROM {SCHEMA}.layout"  # noqa: S608 - a constant
"""The version of the tables. It can be asked if `HAS_TABLES` is true."""

MAKE: Final = f"""\
SELECT pg_advisory_xact_lock(hashtext('{SCHEMA}'));
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.layout (version integer NOT NULL);
CREATE TABLE IF NOT EXISTS {SCHEMA}.pools (
    pool text PRIMARY KEY,
    holder text NOT NULL DEFAULT '',
    holder_run text NOT NULL DEFAULT '',
    epoch bigint NOT NULL DEFAULT 0,
    renewals bigint NOT NULL DEFAULT 0,
    expires_at timestamptz NOT NULL DEFAULT '-infinity',
    taken_at timestamptz,
    hand_to text,
    released boolean NOT NULL DEFAULT true
);
ALTER TABLE {SCHEMA}.pools ADD COLUMN IF NOT EXISTS seal text NOT NULL DEFAULT '';
ALTER TABLE {SCHEMA}.pools ADD COLUMN IF NOT EXISTS holder_clock double precision;
CREATE TABLE IF NOT EXISTS {SCHEMA}.nodes (
    pool text NOT NULL,
    name text NOT NULL,
    run_id text NOT NULL,
    pid integer NOT NULL,
    host text NOT NULL,
    url text NOT NULL,
    version text NOT NULL,
    config_digest text NOT NULL DEFAULT '',
    config_source text NOT NULL DEFAULT '',
    state_since timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    problem text NOT NULL DEFAULT '',
    PRIMARY KEY (pool, name)
);
CREATE TABLE IF NOT EXISTS {SCHEMA}.secrets (name text PRIMARY KEY, value text NOT NULL);
INSERT INTO {SCHEMA}.secrets (name, value)
    VALUES ('nodes', replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''))
    ON CONFLICT DO NOTHING;
INSERT INTO {SCHEMA}.layout (version)
    SELECT {VERSION} WHERE NOT EXISTS (SELECT FROM {SCHEMA}.layout WHERE version >= {VERSION});
"""  # noqa: S608 - of constants
"""Several statements, to be sent together: PostgreSQL makes one transaction of them.

``hand_to`` is the node that is to take the pool over, or ``*`` for any. ``seal`` is described in
`lease.PoolRow`; it begins with the number of its renewal, because an earlier version does not write it. ``holder_clock`` is the time in epoch
seconds by the clock of the holder's router, when it renewed the lease. ``nodes.state_since`` is when
the node became active or a standby. The secret ``nodes`` is what daemons prove themselves with to one another.
"""
