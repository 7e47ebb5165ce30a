"""The gate before every write of a router in a cluster: only the router that Asterisk obeys acts.

Sure of its lease, a router writes at once. Otherwise (the database is away, or this process stood
still) it asks Asterisk for the epoch first, and writes only if the answer is its own and came
within `ASK_WITHIN` of the question. A newer epoch ends its acting for good.

Which interleavings exist of an old router (O, epoch 7), the network, Asterisk, and a new router
(N, epoch 8), and why none of them rings a phone twice or takes a caller out of a conversation:

Three delays are bounded, and N waits for their sum.

1. *From the permission to the kernel.* `permit` is asked when an action is already encoded; between
   its answer and `send(2)` lie a few microseconds. The permission is either O's lease, which ends
   at O at least 0.3 s before the database can give it to N, or an answer of Asterisk that named O's
   epoch at most `ASK_WITHIN` ago. Both are measured by CLOCK_BOOTTIME, so time in which the process
   was stopped or the machine asleep counts.
2. *From the kernel to Asterisk.* The kernel discards what is not acknowledged within
   `UNACKED_WITHIN`, together with the connection (TCP_USER_TIMEOUT), also while O itself is
   stopped. So a link that was cut delivers nothing old when it is whole again. A router that steps
   down discards its unsent bytes at once (SO_LINGER 0).
3. *From Asterisk's socket to the action's effect.* N counts its wait not from when it wrote its
   epoch but from Asterisk's answer to that. If Asterisk stood still, both sessions' bytes wait in
   its sockets, and it reads both as soon as it runs again.

N reads its first list `ARRIVES_WITHIN` = `ASK_WITHIN` + `UNACKED_WITHIN` after that answer. Let
Asterisk execute N's epoch at time E. Then every action of O is executed in one of three spans.

- *Before E.* It is history. N's list shows its effect: the leg exists, the caller is connected.
- *Between E and N's list.* A leg: its phone rings, N's list has it, and N adopts it. N rings no
  phone before it has read its list, and adoption reserves the agent, so the phone is not rung a
  second time. If the phone is picked up before N has adopted the leg, the leg waits in the
  dialplan, in its place, until N writes its own epoch on it. A connect: the dialplan sends the
  caller back to the music, the accepted leg waits for 10 s, and N connects the two. A hang-up of a
  leg, a requeue or a leave: O decided on it while it was the active router, and N's list, which is
  later, shows the result. So in this span O can do nothing that N does not see.
- *After N's list.* By 1 to 3 nothing of O is left. What would have to fail for that: O's process
  stops in the microseconds between `permit` and `send`; or it stops while Asterisk's socket is so
  full that bytes of it wait in this process; or its whole machine sleeps while bytes of it are
  unacknowledged, and Asterisk's side keeps the connection. Even then: a leg is unknown to N,
  which hangs it up as soon as its channel appears, and its user is never connected, since the
  dialplan ends it. A connect of a waiting caller is stopped by the dialplan. `Setvar` of the tick
  makes callers wait for one more turn. `Setvar` of CALLROUTER_LEG matters only to a connect, and
  N's own connect sets it again in the same write. A connect of a caller who talks to N's agent by
  then would end that conversation, because Asterisk executes a `Redirect` before the dialplan can
  look at it: the caller enters the queue again, in their place in line, and is served once more. A
  hang-up of a leg that N has connected ends that conversation as if the agent had hung up. No AMI action can be made
  conditional on a variable (measured on 22.10: an asynchronous `Originate` ignores `PreDialGoSub`,
  a label cannot depend on a variable), so these two are excluded by time and not by Asterisk.

Other orders:

- *Asterisk restarts.* Its sessions end, and with them all that was under way. The global variable
  is empty until a router that is sure writes it. One that is not sure has the dialplan recall the
  epoch from AstDB, and acts only if that is its own.
- *The epoch is lost* (``dialplan reload`` with ``clearglobalvars``). Legs without a cluster's
  protection are let through until the next beat, a second at most; the lease and the delays above
  hold all the same.
- *N reaches one Asterisk later than another.* O serves there only while it is sure or that Asterisk
  names its epoch, and it reads the epoch of every Asterisk that it reaches; the first newer one
  stops it everywhere. If O reaches only this Asterisk, N only others, and the database only N, an
  agent whose phones both can ring may be rung by both: callers of an Asterisk that N cannot reach
  are served rather than left. The Asterisk itself still obeys one router at a time. O cannot be told
  apart there from a router whose database is away for all: see docs/architecture.md.
- *N dies between its epoch and its list.* Nothing was ordered. The next router has epoch 9.
- *O's epoch arrives after N's.* O writes its epoch only while sure, so before N's lease begins, and
  by 2 it arrives within `UNACKED_WITHIN`, which is within N's wait. N reads the epoch again after
  the wait and at each beat, and writes its own if an older one stands there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias

from callrouter.clock import since_boot
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiReply
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.interface import Authority

ASK_WITHIN: Final = 0.15
"""Seconds from the question for the epoch to the last moment at which its answer permits a write."""

UNACKED_WITHIN: Final = 0.35
"""Seconds after which the kernel discards what Asterisk's machine has not acknowledged."""

ARRIVES_WITHIN: Final = ASK_WITHIN + UNACKED_WITHIN
"""Seconds within which everything that an earlier router wrote has been executed or discarded."""

HELD_FOR: Final = 1.0
"""Seconds after which what is still held is not written any more: it is out of date."""

MOST_HELD: Final = 20_000
"""Writes that are held at most. Further ones are dropped, so that a silent Asterisk costs no memory."""


Permit: TypeAlias = Callable[[], bool]
"""Asked immediately before a write: whether it may still be made."""


class HeldWrite(NamedTuple):
    """Actions that wait for Asterisk to confirm our epoch.

    Attributes:
        since: when they were to be written first, in seconds since boot.
        write: writes them; receives the permission to be asked for the last time.
        dropped: called instead if they must not be written.
    """

    since: float
    write: Callable[[Permit], None]
    dropped: Callable[[], None]


def epoch_number(text: str) -> int:
    """An epoch as Asterisk has it; 0 for none, or for text that is no epoch."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


class WriteGate:
    """Whether actions may be written to one Asterisk now.

    Attributes:
        epoch: what the orders written through it carry; 0: the dialplan knows no epochs.
        open: whether Asterisk obeys this router, as far as is known. False for a standby, without a
            link, and after a newer epoch was seen.
        asked_first: how many times the epoch was asked before a write.
        not_written: how many actions were dropped because this router may not be the active one.
    """

    def __init__(
        self,
        client: AmiClient,
        authority: Authority,
        *,
        on_epoch: Callable[[str], None],
        on_out_of_date: Callable[[], None],
    ) -> None:
        """A closed gate.

        Args:
            client: asks for the epoch.
            authority: tells whether the lease is valid.
            on_epoch: receives each epoch that Asterisk has named, as its text.
            on_out_of_date: called when something was held for too long and will not be written.
        """
        self.epoch = 0
        self.open = False
        self.asked_first = 0
        self.not_written = 0
        self._client = client
        self._authority = authority
        self._on_epoch = on_epoch
        self._on_out_of_date = on_out_of_date
        self._held: list[HeldWrite] = []
        self._asked_at: float | None = None

    def sure(self) -> bool:
        """Whether a write is permitted at this moment without asking Asterisk."""
        return self.open and not self._held and self._authority.sure()

    def close(self) -> None:
        """From now on nothing is written, and what is held is dropped."""
        self.open = False
        self._drop_held(until=float("inf"))

    def hold(
        self,
        write: Callable[[Permit], None],
        dropped: Callable[[], None],
        count: int,
        since: float,
    ) -> None:
        """Write as soon as Asterisk has confirmed our epoch, or drop it.

        Args:
            write: see `HeldWrite`.
            dropped: see `HeldWrite`.
            count: number of actions.
            since: see `HeldWrite`. It stays the same when a write was not permitted in the end and is held
                again, or it would never be out of date.
        """
        if not self.open or len(self._held) >= MOST_HELD:
            self.not_written += count
            dropped()
            return
        self._held.append(HeldWrite(since, write, self._counting(dropped, count)))
        if self._asked_at is None:
            self._ask()

    def _counting(self, dropped: Callable[[], None], count: int) -> Callable[[], None]:
        def drop() -> None:
            self.not_written += count
            dropped()

        return drop

    def _ask(self) -> None:
        self.asked_first += 1
        self._asked_at = asked_at = since_boot()
        [future] = self._client.send([actions.getvar("", contract.EPOCH)])
        future.add_done_callback(lambda done: self._answered(asked_at, done))
        asyncio.get_running_loop().call_later(ASK_WITHIN, self._ask_again, asked_at)

    def _ask_again(self, asked_at: float) -> None:
        """The answer is late or did not help. What is held is written once one does."""
        if self._asked_at != asked_at:
            return
        self._asked_at = None
        if self._drop_held(until=since_boot() - HELD_FOR):
            self._on_out_of_date()
        if not self._held:
            return
        if self._authority.sure():
            self._write_held(self.sure)
        else:
            self._ask()

    def _answered(self, asked_at: float, done: asyncio.Future[AmiReply]) -> None:
        if done.cancelled() or isinstance(done.exception(), AmiError):
            return  # the link is down, which drops everything, or the next question follows
        found = done.result().get("Value")
        self._on_epoch(found)  # closes this gate if the epoch is newer
        if epoch_number(found) != self._authority.epoch or not self.open:
            return

        def permit() -> bool:
            return since_boot() - asked_at <= ASK_WITHIN

        if permit():
            if self._asked_at == asked_at:
                self._asked_at = None
            self._write_held(permit)

    def _write_held(self, permit: Permit) -> None:
        held, self._held = self._held, []
        for one in held:
            one.write(permit)

    def _drop_held(self, until: float) -> int:
        """Drop what has been held since `until` or longer; return how much that was."""
        old = [one for one in self._held if one.since <= until]
        self._held = [one for one in self._held if one.since > until]
        for one in old:
            one.dropped()
        return len(old)
