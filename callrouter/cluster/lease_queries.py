"""What a node asks the tables that all pools share: one statement for each step of the lease.

Every time in the tables is the database's own. A statement with an unknown outcome may be repeated:
it changes the row only if that still is what the node has seen or holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callrouter import __version__
from callrouter.cluster.cluster_tables import FIND_VERSION, HAS_TABLES, MAKE, SCHEMA, VERSION
from callrouter.cluster.lease import ANY, VALID, PoolRow
from callrouter.store.upgrade import REVISIONS, VERSION_TABLE

if TYPE_CHECKING:
    from callrouter.cluster.lease_link import LeaseLink

_POOLS: Final = f"{SCHEMA}.pools"
_NODES: Final = f"{SCHEMA}.nodes"
_IS_SEALED: Final = (
    "(current_setting('synchronous_standby_names') <> '' "
    "AND current_setting('synchronous_commit') IN ('on', 'remote_apply'))"
)
_WORD: Final = "(renewals + 1) || ':' || gen_random_uuid()"
_SEAL: Final = f"CASE WHEN {_IS_SEALED} THEN {_WORD} ELSE '' END"
_ASKED_BEFORE: Final = "nullif(split_part(seal, ':', 3), '')::float8"
_WORD_AND_ASKED: Final = f"{_WORD} || ':' || greatest({_ASKED_BEFORE}, $14::float8)"
_SEAL_AND_ASKED: Final = f"CASE WHEN {_IS_SEALED} THEN {_WORD_AND_ASKED} ELSE '' END"
"""The moment is that of the latest renewal that was asked for: a statement may arrive behind a later one of another
connection. It stands in the seal because an earlier version, which may hold the lease next, does not know it.
"""
SEEN_WITHIN: Final = 3.0
"""Seconds for which a node counts as alive after its last sign of life, by the database's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """What a node tells the others about itself; see `cluster_tables`."""

    pool: str
    name: str
    run_id: str
    pid: int
    host: str
    url: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """What a node tells about its state.

    Attributes:
        since_s: seconds since it became active or a standby.
        clock: the time in epoch seconds by the router's clock.
        config_digest: of the configuration in force.
        config_source: ``files`` or ``database``.
        problem: what keeps it from serving, in words; empty: nothing.
    """

    since_s: float = 0.0
    clock: float | None = None
    config_digest: str = ""
    config_source: str = "files"
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenLease:
    """A lease that was taken.

    Attributes:
        epoch: of this take-over.
        after_release: whether the holder before had given it back.
        before: the node that held it before; empty: none has.
        sealed: whether the row has a seal since: see `lease.PoolRow`.
    """

    epoch: int
    after_release: bool
    before: str
    sealed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewedLease:
    """A lease that was renewed.

    Attributes:
        hand_to: the node that is to take the pool over, or `ANY`; empty: none is.
        standbys: the other nodes of the pool that could take it over.
        sealed: whether the row has a seal, and the database still waits for its standby.
    """

    hand_to: str
    standbys: tuple[str, ...]
    sealed: bool


def prepare(link: LeaseLink, pool: str) -> None:
    """Make the tables, if they are missing or of an earlier version, and the row of a pool.

    Raises:
        StoreError: the database cannot be reached or refuses.
    """
    present = link.ask(HAS_TABLES) == [("t",)]
    if not present or int(link.ask(FIND_VERSION)[0][0] or 0) < VERSION:
        link.ask(MAKE)
    link.ask(f"INSERT INTO {_POOLS} (pool) VALUES ($1) ON CONFLICT DO NOTHING", pool)  # noqa: S608


def read_pool(link: LeaseLink, pool: str) -> PoolRow:
    """Return the row of a pool. It must have been prepared.

    Raises:
        StoreError: the database cannot be reached, or the row is gone.
    """
    found = link.ask(
        "SELECT holder, holder_run, epoch, renewals, released, coalesce(hand_to, ''), seal, holder_clock "  # noqa: S608
        f"FROM {_POOLS} WHERE pool = $1",
        pool,
    )
    if not found:
        return PoolRow()
    holder, run, epoch, renewals, released, hand_to, word, clock = found[0]
    seal = (word or "") if (word or "").startswith(f"{renewals}:") else ""
    _, _, asked_at = seal.rpartition(":") if seal.count(":") > 1 else ("", "", "")
    return PoolRow(
        holder=holder or "",
        holder_run=run or "",
        epoch=int(epoch or 0),
        renewals=int(renewals or 0),
        released=released == "t",
        hand_to=hand_to or "",
        holder_clock=None if clock is None else float(clock),
        seal=seal,
        asked_at=float(asked_at) if asked_at else None,
    )


def show_node(link: LeaseLink, node: NodeFacts, state: NodeState) -> bool:
    """Give a sign of life.

    Returns:
        Whether the node's name is free; False: another run of the same name is alive.

    Raises:
        StoreError: the database cannot be reached.
    """
    return bool(link.ask(_SHOW, *_node_values(node, state)))


_SHOW: Final = f"""\
INSERT INTO {_NODES} AS n (pool, name, run_id, pid, host, url, version,
        config_digest, config_source, state_since, seen_at, problem)
    VALUES ($1, $2, $3, $4::integer, $5, $6, $7, $8, $9,
        clock_timestamp() - $10::float8 * interval '1 s', clock_timestamp(), $11)
    ON CONFLICT (pool, name) DO UPDATE SET
        run_id = excluded.run_id, pid = excluded.pid, host = excluded.host, url = excluded.url,
        version = excluded.version, config_digest = excluded.config_digest,
        config_source = excluded.config_source, state_since = excluded.state_since,
        seen_at = excluded.seen_at, problem = excluded.problem
    WHERE n.run_id = excluded.run_id OR n.seen_at < clock_timestamp() - interval '{SEEN_WITHIN} s'
    RETURNING name"""  # noqa: S608 - of constants


def _node_values(node: NodeFacts, state: NodeState) -> tuple[str | int | float, ...]:
    return (
        *(node.pool, node.name, node.run_id, node.pid, node.host, node.url, node.version),
        *(state.config_digest, state.config_source, state.since_s, state.problem),
    )


def too_new(link: LeaseLink, schema: str) -> str:
    """Return why this callrouter cannot serve the pool's part of the database; empty: it can.

    A router that took a pool over and could not read its states would be worse than none.

    Args:
        link: the connection.
        schema: of the pool's tables; empty: the one that the connection has by itself.

    Raises:
        StoreError: the database cannot be reached.
    """
    table = f'"{schema}".{VERSION_TABLE}' if schema else VERSION_TABLE
    if link.ask("SELECT to_regclass($1) IS NOT NULL", table) != [("t",)]:
        return ""  # not made yet
    found = link.ask(f"SELECT version_num FROM {table}")  # noqa: S608 - names of ours
    version = (found[0][0] or "") if found else ""
    if not version or version in REVISIONS:
        return ""
    return (
        f"the database is of version {version} and this callrouter {__version__} knows up to "
        f"{REVISIONS[-1]}: upgrade it"
    )


def take(link: LeaseLink, node: NodeFacts, seen: PoolRow, newest: int) -> TakenLease | None:
    """Take the lease, if the row still is what was seen.

    Args:
        link: the connection.
        node: who takes it.
        seen: the row as seen for as long as `lease.Watch` asks.
        newest: the newest epoch that is known from elsewhere, such as a PBX. A database that was
            put back from a copy may know an older one.

    Returns:
        The lease; None: another was faster.

    Raises:
        StoreError: it is not known whether it was taken.
    """
    found = link.ask(
        _TAKE,
        *(node.pool, seen.epoch, seen.renewals, "t" if seen.released else "f"),
        *(node.name, node.run_id, newest),
    )
    if not found:
        return None
    epoch, released, before, seal = found[0]
    return TakenLease(
        epoch=int(epoch or 0),
        after_release=released == "t",
        before=before or "",
        sealed=bool(seal),
    )


_TAKE: Final = f"""\
WITH old AS (
    SELECT released, holder FROM {_POOLS}
    WHERE pool = $1 AND epoch = $2::bigint AND renewals = $3::bigint AND released = $4::boolean
    FOR UPDATE)
UPDATE {_POOLS} AS p SET
    holder = $5, holder_run = $6, epoch = greatest(p.epoch, $7::bigint) + 1,
    renewals = p.renewals + 1, expires_at = clock_timestamp() + interval '{VALID} s',
    taken_at = clock_timestamp(), hand_to = NULL, released = false, seal = {_SEAL},
    holder_clock = NULL
FROM old WHERE p.pool = $1
RETURNING p.epoch, old.released, old.holder, p.seal"""  # noqa: S608 - of constants


def renew(
    link: LeaseLink, node: NodeFacts, state: NodeState, epoch: int, asked_at: float
) -> RenewedLease | None:
    """Renew the lease, and give a sign of life.

    Args:
        link: the connection.
        node: the holder.
        state: what it shows.
        epoch: of the lease.
        asked_at: this machine's time now, in seconds since boot.

    Returns:
        What the row says; None: the lease is not this run's any more.

    Raises:
        StoreError: it is not known whether it was renewed.
    """
    found = link.ask(_RENEW, *_node_values(node, state), epoch, state.clock, asked_at)
    if not found:
        return None
    hand_to, sealed, standbys = found[0]
    return RenewedLease(
        hand_to=hand_to or "",
        standbys=tuple((standbys or "").split()),
        # The server lets a commit that waits go on without a word when an operator says that it need not
        # wait for the standby any more. This question comes after the commit.
        sealed=sealed == "t" and link.ask(f"SELECT {_IS_SEALED}") == [("t",)],
    )


_RENEW: Final = f"""\
WITH shown AS ({_SHOW})
UPDATE {_POOLS} SET renewals = renewals + 1, expires_at = clock_timestamp() + interval '{VALID} s',
    seal = {_SEAL_AND_ASKED}, holder_clock = $13::float8
WHERE pool = $1 AND holder_run = $3 AND epoch = $12::bigint AND NOT released
RETURNING coalesce(hand_to, ''), seal <> '', coalesce((
    SELECT string_agg(name, ' ' ORDER BY name) FROM {_NODES}
    WHERE pool = $1 AND name <> $2 AND problem = ''
        AND seen_at > clock_timestamp() - interval '{SEEN_WITHIN} s'), '')"""  # noqa: S608


def release(link: LeaseLink, node: NodeFacts, epoch: int, hand_to: str) -> bool:
    """Give the lease back. Returns whether it was this run's.

    Args:
        link: the connection.
        node: the holder.
        epoch: of the lease.
        hand_to: the node that may take it at once, or `ANY`. Others wait for `lease.VALID`.

    Raises:
        StoreError: it is not known whether it was given back.
    """
    return bool(
        link.ask(
            f"UPDATE {_POOLS} SET released = true, expires_at = clock_timestamp(), "  # noqa: S608
            "renewals = renewals + 1, hand_to = $4, seal = '' "
            "WHERE pool = $1 AND holder_run = $2 AND epoch = $3::bigint RETURNING pool",
            *(node.pool, node.run_id, epoch, hand_to),
        )
    )


def ask_to_hand_over(link: LeaseLink, pool: str, to: str = ANY) -> bool:
    """Ask the active node of a pool to hand over. Returns whether there is an active one.

    Args:
        link: the connection.
        pool: the pool.
        to: the node that is to take it over, or `ANY`; empty: take the wish back.

    Raises:
        StoreError: the database cannot be reached.
    """
    return bool(
        link.ask(
            f"UPDATE {_POOLS} SET hand_to = nullif($2, '') "  # noqa: S608
            "WHERE pool = $1 AND NOT released RETURNING pool",
            *(pool, to),
        )
    )


def forget_node(link: LeaseLink, node: NodeFacts) -> None:
    """Say that a node has stopped: it is no standby any more, and its name is free.

    Raises:
        StoreError: the database cannot be reached.
    """
    link.ask(
        f"DELETE FROM {_NODES} WHERE pool = $1 AND name = $2 AND run_id = $3",  # noqa: S608
        *(node.pool, node.name, node.run_id),
    )
