"""The lease of a pool, without I/O and without a clock: who may act, and who may take over.

The lease is a row in PostgreSQL. Its holder renews it often, and each renewal changes the
row. Two rules keep two daemons from being sure of themselves at the same moment:

1. The holder is sure for `VALID - MARGIN` after the moment *before* it sent the last renewal that was confirmed.
2. Another takes the lease only after it has seen the same row for `VALID`, counted from the moment
   *after* it first saw it; the same statement checks that the row still is what it saw.

Between the two moments the database has committed the renewal. That holds across a lost connection as well, and
across a failover, as long as no renewal that counts is missing where the row is read next; `PoolRow.seal` and `Term.renewed` see
to that. So no times of two machines are ever compared, only
durations, each counted by its own machine's clock since boot (`CLOCK_BOOTTIME`, which runs while the
machine sleeps or the process is stopped, and which no person can set). It is right as long as these clocks
run at rates within 5 % of the true one: `(VALID - MARGIN) * 1.05 < VALID * 0.95`. The database's own clock serves to show
when the lease ends; a step of it makes no difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

VALID: Final = 2.6
"""Seconds for which a lease is valid."""
MARGIN: Final = 0.26
"""Seconds by which the holder counts its lease as shorter. See above."""
RENEW_EVERY: Final = 0.8
"""Seconds between two renewals."""
LOOK_EVERY: Final = 0.2
"""Seconds between two looks of a standby, and between two attempts to renew after a failure."""
BLIND: Final = 4.0
"""Seconds for which a standby may have lost sight of the row and go on counting. See `Watch.saw`."""
GRACE: Final = 1.2
"""Seconds that the holder gets for a renewal once a standby sees the row again."""
CLOCKS_APART: Final = 1.12
"""Seconds that another machine may count in one of ours, at most: 1.05 / 0.95, and some more."""
UNSEALED: Final = BLIND * 1.2
"""Seconds from the first renewal without a seal in which such renewals do not count. See `Term.renewed`."""
ANY: Final = "*"
"""Stands for any node in `PoolRow.hand_to`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRow:
    """The row of a pool.

    Attributes:
        holder: the node that holds the lease or held it last; empty: none ever has.
        holder_run: the run of that node.
        epoch: raised with each take-over.
        renewals: raised with each take-over and each renewal.
        released: whether the holder has given it back.
        hand_to: the node that is to take it over, `ANY`, or empty.
        holder_clock: the epoch seconds by the clock of the holder's router at its last renewal; None: it has
            not told.
        seal: a word that no other renewal has, if the commit of this one has waited for a synchronous
            standby, so that a failover cannot lose it; otherwise empty.
        asked_at: the seconds since boot of the holder's machine before it asked for this renewal, or for an
            earlier one of this term that was confirmed later; None: not told.
    """

    holder: str = ""
    holder_run: str = ""
    epoch: int = 0
    renewals: int = 0
    released: bool = True
    hand_to: str = ""
    seal: str = ""
    asked_at: float | None = None
    holder_clock: float | None = None


class Watch:
    """What a standby has seen of a pool's row.

    Args:
        name: of this node.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._since = 0.0
        self._not_before = 0.0
        self._last: PoolRow | None = None
        self._last_at = 0.0
        self.holder_clock_ahead: float | None = None
        """Seconds by which the clock of the holder's router is ahead of our seconds since boot, as far as is known."""
        self.row: PoolRow | None = None
        """As last seen; None: not seen since the connection was made."""

    def saw(self, row: PoolRow, at: float, asked_at: float) -> None:
        """Note the row.

        A row that is seen again after a lost connection goes on being counted if it has a seal: no
        renewal after it was confirmed, even if another server answers now. The holder gets `GRACE` to
        renew its lease, because the database may have been away for it too. Without a seal, or after
        more than `BLIND`, counting begins again.

        A renewal that we have missed in the meantime has a seal too, and its holder tells how many of its
        seconds after the one that we have seen it was asked for. So it is counted from then.

        Args:
            row: the row.
            at: this machine's time when the answer had arrived, in seconds since boot.
            asked_at: the same before the question was sent.
        """
        last = self._last
        again = last is not None and _lease_of(last) == _lease_of(row)
        asked_later = 0.0 if again else _asked_later(last, row)
        if self.row is None and asked_later is not None:
            if row.seal and at - self._last_at <= BLIND:
                self._since = min(at, self._since + asked_later * CLOCKS_APART)
            else:
                self._since = at
            self._not_before = at + GRACE
        elif not again:
            self._since = self._not_before = at
        if not again:
            self._compare_clocks(row, at)
        self.row = self._last = row
        self._last_at = asked_at

    def _compare_clocks(self, row: PoolRow, at: float) -> None:
        """Learn from a renewal that was not there at the look before.

        It is older by what it took to get here, so of many the latest clock is right. The machines'
        clocks may drift apart by a thousandth.
        """
        before = self._last
        if before is None or before.holder_run != row.holder_run:
            self.holder_clock_ahead = None
        elif self.row is not None and row.holder_clock is not None:
            found = row.holder_clock - at
            known = self.holder_clock_ahead
            drifted = found if known is None else known - 0.001 * (at - self._last_at)
            self.holder_clock_ahead = max(found, drifted)

    def lost_sight(self) -> None:
        """The connection was lost."""
        self.row = None

    def takes_at(self) -> float | None:
        """Return from when on this node may take the lease, in seconds since boot.

        None: there is nothing to take yet.
        """
        row = self.row
        if row is None:
            return None
        if row.released and row.hand_to in {"", ANY, self._name}:
            return self._since
        return max(self._since + VALID, self._not_before)


def _asked_later(before: PoolRow | None, row: PoolRow) -> float | None:
    """The seconds, by the holder's clock, by which a later renewal of the same term was asked for later.

    None: it is none, or that is not known.
    """
    if before is None or before.asked_at is None or row.asked_at is None:
        return None
    same_term = (before.holder_run, before.epoch) == (row.holder_run, row.epoch)
    if not same_term or before.released or row.released or row.renewals <= before.renewals:
        return None
    return max(0.0, row.asked_at - before.asked_at)


def _lease_of(row: PoolRow) -> tuple[str, int, int, bool, str]:
    return row.holder_run, row.epoch, row.renewals, row.released, row.seal


class Term:
    """The time for which a node holds the lease, from one take-over on.

    Args:
        epoch: of this take-over.
        asked_at: this machine's time before the lease was asked for, in seconds since boot.
        after_release: whether the holder before had given the lease back; otherwise its last commands
            may still be under way.
        sealed: whether the row has a seal since.
        clock_before: `Watch.holder_clock_ahead` of the router before.
    """

    def __init__(
        self,
        epoch: int,
        asked_at: float,
        *,
        after_release: bool = False,
        sealed: bool = False,
        clock_before: float | None = None,
    ) -> None:
        self.epoch = epoch
        self.clock_before = clock_before
        self.after_release = after_release
        self._until = asked_at + VALID - MARGIN
        self._sealed = sealed
        self._unsealed_at: float | None = None
        """When the first of the renewals without a seal was asked for that follow one with a seal."""
        self._over = False

    def renewed(self, asked_at: float, *, sealed: bool = False) -> None:
        """A renewal was confirmed.

        When seals end, because the database does not wait for a standby any more, a standby of ours may be
        counting a row with a seal, and may see that row again after a failover that has lost the
        renewals since. It counts for `BLIND` at most. Renewals without a seal count after that.

        Args:
            asked_at: see `Term`.
            sealed: whether it has a seal.
        """
        if sealed:
            self._unsealed_at = None
        elif self._sealed:
            self._unsealed_at = asked_at
        self._sealed = sealed
        if self._unsealed_at is None or asked_at - self._unsealed_at > UNSEALED:
            self._until = max(self._until, asked_at + VALID - MARGIN)

    def end(self) -> None:
        """This node gives the lease back, or has lost it. It is never sure again in this term."""
        self._over = True

    @property
    def over(self) -> bool:
        """Whether the term has ended. A term whose lease could not be renewed in time has not."""
        return self._over

    def sure(self, now: float) -> bool:
        """Return whether the lease is certainly valid at `now`, in seconds since boot."""
        return now < self._until and not self._over

    def left(self, now: float) -> float:
        """Return the seconds for which it certainly is valid."""
        return 0.0 if self._over else max(0.0, self._until - now)
