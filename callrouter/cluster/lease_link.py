"""A connection to PostgreSQL on which nothing takes longer than its limit. For a thread.

psycopg's own connections wait for an answer for as long as the operating system believes in the other side, which can be
minutes. Here each step waits on the socket with a deadline, by libpq's functions for asynchronous use.
"""

from __future__ import annotations

import contextlib
import select
from collections.abc import Container, Sequence
from typing import Any, Final, TypeAlias

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from callrouter.clock import since_boot
from callrouter.store.location import Address, StoreError

CONNECT_WITHIN: Final = 1.0
"""Seconds to connect to a host and to log in."""
TRY_EVERY: Final = 0.2
"""Seconds between two attempts at a host that refuses, while another has not answered yet."""
EARLIER_FIRST: Final = 0.1
"""Seconds that the hosts before one that has accepted get to accept as well.

Should two servers take themselves for the primary, all nodes that reach both choose the same one.
"""
ANSWER_WITHIN: Final = 1.0
"""Seconds for an answer."""

_OWN: Final[dict[str, Any]] = {
    "application_name": "callrouter cluster",
    "keepalives": 1,
    "keepalives_idle": 1,
    "keepalives_interval": 1,
    "keepalives_count": 2,
    "tcp_user_timeout": 1000,
    "target_session_attrs": "read-write",
}
"""The address's own options take precedence."""
_LIMITS: Final = (
    f"SET statement_timeout = '{ANSWER_WITHIN * 1000:.0f}ms'; "
    f"SET lock_timeout = '{ANSWER_WITHIN * 800:.0f}ms'; "
    f"SET idle_in_transaction_session_timeout = '{ANSWER_WITHIN * 1000:.0f}ms'"
)
_COMPLETE: Final = frozenset({pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK})

Rows: TypeAlias = list[tuple[str | None, ...]]
"""Each value as PostgreSQL's text; None is NULL."""


class LeaseLink:
    """Connects when it is first asked, and again after every failure.

    Args:
        address: the database. Several hosts are tried side by side.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._hosts = _hosts(address.url)
        self._link: pq.abc.PGconn | None = None
        self._warned = ""

    @property
    def open(self) -> bool:
        """Whether there is a connection that no question has failed on."""
        return self._link is not None

    def close(self) -> None:
        """Close it. The next question connects again."""
        link, self._link = self._link, None
        if link is not None:
            with contextlib.suppress(Exception):
                link.finish()

    def ask(self, text: str, *values: str | float | None) -> Rows:
        """Send a statement and return the rows of its answer.

        Args:
            text: the statement, with ``$1`` and so on for the values. Without values it may be several.
            values: the values.

        Raises:
            StoreError: there was no answer in time, or the database refused. What was asked for may
                have been done all the same. The connection is closed.
        """
        try:
            if self._link is None:
                self._link = self._connect()
            return self._ask(self._link, text, values)
        except OSError as error:
            self.close()
            raise StoreError(str(error)) from error
        except psycopg.Error as error:
            self.close()
            raise self._failure(str(error)) from error
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------ connecting

    def _connect(self) -> pq.abc.PGconn:
        attempts = [_HostAttempt(host) for host in self._hosts]
        try:
            link = _first_of(attempts, since_boot() + CONNECT_WITHIN)
        finally:
            for one in attempts:
                one.close()
        if link is None:
            said = dict.fromkeys(one.said for one in attempts)
            raise self._failure("; ".join(said))
        try:
            link.nonblocking = 1
            link.notice_handler = self._notice
            self._ask(link, _LIMITS, ())
        except BaseException:
            link.finish()
            raise
        return link

    def _notice(self, result: pq.abc.PGresult) -> None:
        severity = result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED) or b""
        if severity == b"WARNING":
            said = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""
            self._warned = said.decode("utf-8", "replace")

    # ------------------------------------------------------------ asking

    def _ask(self, link: pq.abc.PGconn, text: str, values: Sequence[object]) -> Rows:
        deadline = since_boot() + ANSWER_WITHIN
        self._warned = ""
        try:
            if values:
                given = [None if value is None else str(value).encode() for value in values]
                link.send_query_params(text.encode(), given)
            else:
                link.send_query(text.encode())
            while link.flush():
                _wait(link.socket, select.POLLIN | select.POLLOUT, deadline)
                link.consume_input()
            rows = self._answers(link, deadline)
        except TimeoutError:
            raise self._failure(f"it did not answer within {ANSWER_WITHIN:.0f} s") from None
        if self._warned:
            # Such as: the wait for the synchronous standby was given up. Then the commit may be
            # lost, so it does not count.
            raise self._failure(self._warned)
        return rows

    def _answers(self, link: pq.abc.PGconn, deadline: float) -> Rows:
        rows: Rows = []
        refusal: StoreError | None = None
        while True:
            while link.is_busy():
                _wait(link.socket, select.POLLIN, deadline)
                link.consume_input()
            result = link.get_result()
            if result is None:
                break
            if result.status in _COMPLETE:
                rows = _rows(result)
            else:
                refusal = refusal or self._failure(result.get_error_message())
        if refusal is not None:
            raise refusal
        return rows

    def _failure(self, text: str) -> StoreError:
        return StoreError(self._address.without_password(" ".join(text.split())))


class _HostAttempt:
    """Connects to one host, again and again until it accepts.

    Attributes:
        said: why the host has not accepted yet.
        link: the connection under way; None: the next attempt is not due.
        next_at: when the next attempt is due, in seconds since boot.
    """

    def __init__(self, conninfo: str) -> None:
        self.said = f"it did not answer within {CONNECT_WITHIN:.0f} s"
        self.link: pq.abc.PGconn | None = None
        self.next_at = 0.0
        self._conninfo = conninfo.encode()
        self._waits_for = select.POLLOUT

    def begin(self) -> None:
        """Begin the next attempt, if it is due."""
        if self.link is None and since_boot() >= self.next_at:
            self.link = pq.PGconn.connect_start(self._conninfo)
            self._waits_for = select.POLLOUT
            if self.link.status == pq.ConnStatus.BAD:
                self._failed(self.link)

    def watch(self, waiting: select.poll) -> None:
        """Register what the attempt under way waits for."""
        if self.link is not None:
            waiting.register(self.link.socket, self._waits_for)

    def go_on(self, descriptors: Container[int]) -> pq.abc.PGconn | None:
        """Go on if one of `descriptors`, which are ready, is ours. Return the connection once it is made."""
        link = self.link
        if link is None or link.socket not in descriptors:
            return None
        state = link.connect_poll()
        if state == pq.PollingStatus.OK:
            self.link = None
            return link
        if state == pq.PollingStatus.FAILED:
            self._failed(link)
        self._waits_for = select.POLLOUT if state == pq.PollingStatus.WRITING else select.POLLIN
        return None

    def close(self) -> None:
        """Break off the attempt under way."""
        if self.link is not None:
            self.link.finish()
            self.link = None

    def _failed(self, link: pq.abc.PGconn) -> None:
        self.said = link.get_error_message()
        self.next_at = since_boot() + TRY_EVERY
        self.close()


def _first_of(attempts: Sequence[_HostAttempt], deadline: float) -> pq.abc.PGconn | None:
    """Return a connection to the first host that accepts; None: all have refused, or it is too late.

    A host that is dead costs no time of another, nor does one that is not the primary yet. Of several
    that accept at about the same time, the first of the address is taken; see `EARLIER_FIRST`.
    """
    best: pq.abc.PGconn | None = None
    before = attempts
    while (now := since_boot()) < deadline:
        waiting = select.poll()
        for one in before:
            if best is None:
                one.begin()
            one.watch(waiting)
        if not any(one.link for one in before):
            break
        until = min([deadline, *(one.next_at for one in before if one.link is None and not best)])
        ready = {descriptor for descriptor, _ in waiting.poll(max(0.0, until - now) * 1000)}
        for index, one in enumerate(before):
            if (link := one.go_on(ready)) is not None:
                if best is not None:
                    best.finish()
                best, before = link, before[:index]
                deadline = min(deadline, since_boot() + EARLIER_FIRST)
                break
    return best


def _wait(descriptor: int, events: int, deadline: float) -> None:
    """Wait until a socket is ready.

    Raises:
        TimeoutError: it was not before the deadline.
    """
    waiting = select.poll()
    waiting.register(descriptor, events)
    left = deadline - since_boot()
    if left <= 0 or not waiting.poll(left * 1000):
        raise TimeoutError


def _rows(result: pq.abc.PGresult) -> Rows:
    return [
        tuple(
            None if (value := result.get_value(row, column)) is None else value.decode()
            for column in range(result.nfields)
        )
        for row in range(result.ntuples)
    ]


def _hosts(url: str) -> list[str]:
    """Return an address for each host of an address, in their order.

    So each has a time limit of its own, and one that does not answer does not use up that of the others.
    """
    given = {**_OWN, **conninfo_to_dict(url)}
    places = {
        key: str(given[key]).split(",") for key in ("host", "hostaddr", "port") if given.get(key)
    }
    several = max((len(found) for found in places.values()), default=1)
    hosts = []
    for index in range(several):
        own = {key: found[index if len(found) > 1 else 0] for key, found in places.items()}
        hosts.append(make_conninfo(**{**given, **own}))
    return hosts
