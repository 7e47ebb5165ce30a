"""The epoch at one Asterisk: reads it, makes Asterisk obey this router, and notices a newer one.

Asterisk is the keeper of the epoch: a global variable that the dialplan compares with the epoch of
each order. Why that, and in which order things are done, is argued in `execution.write_gate`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from callrouter.clock import since_boot
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import (
    Action,
    AmiClient,
    AmiDown,
    AmiError,
    AmiMessage,
    AmiNotPermitted,
    AmiReply,
)
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter, Step
from callrouter.pbx.asterisk.execution.write_gate import (
    ARRIVES_WITHIN,
    ASK_WITHIN,
    WriteGate,
    epoch_number,
)
from callrouter.pbx.asterisk.tracking.channels import LegChannel
from callrouter.pbx.interface import Authority
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

READ_EVERY: Final = 1.0
"""Seconds between two readings of the epoch by a standby."""

READ_EVERY_UNSURE: Final = 0.2
"""Seconds between two readings by an active router that is not sure of its lease.

Shorter than `ARRIVES_WITHIN`: it sees the epoch of a router that took over before that one acts.
"""

HANDED_OVER: Final = 0.05
"""Seconds to wait after a planned hand-over. The router before closed its sockets by itself."""

TRY_EVERY: Final = 0.1
"""Seconds between two attempts to make Asterisk obey this router."""

RECALLED_WITHIN: Final = 0.5
"""Seconds for the dialplan to read AstDB."""

STANDBY_EVENTS: Final = "system"
"""The event classes of a standby: those that cost nothing. It reads the lists once it is active."""


def _nothing() -> None:
    """Do nothing."""


def _ignore(_why: str) -> None:
    """Do nothing."""


class EpochKeeper:
    """Keeps the epoch of one Asterisk.

    Attributes:
        active: whether this router is to act on this Asterisk.
        may_serve: set once what is stored has been read, so that the lists can be compared with it.
        seen: the epoch that Asterisk named last; 0: none, or it was not read yet.
    """

    def __init__(self, pbx: str, client: AmiClient, authority: Authority, tasks: Tasks) -> None:
        """Keep quiet until `claim`. Call `use` before that.

        Args:
            pbx: the PBX's name.
            client: the AMI session.
            authority: tells our epoch, and whether the lease is valid.
            tasks: owns the task that makes Asterisk obey.
        """
        self.active = authority.active
        self.may_serve = asyncio.Event()
        if self.active:
            self.may_serve.set()
        self.seen = 0
        self.gate = WriteGate(
            client,
            authority,
            on_epoch=self.read,
            on_out_of_date=self._out_of_date,
        )
        self.writer = ActionWriter(pbx, client, self.gate)
        self._pbx = pbx
        self._client = client
        self._authority = authority
        self._tasks = tasks
        self._next_tick: Callable[[], Action] | None = None
        self._on_obeyed: Callable[[], None] = _nothing
        self._resync: Callable[[str], None] = _ignore
        self._fenced_orders = 0
        self._wait = ARRIVES_WITHIN
        self._is_first = False
        """Whether Asterisk has not obeyed this router since its take-over."""
        self._task: asyncio.Task[None] | None = None

    def use(
        self,
        next_tick: Callable[[], Action],
        on_obeyed: Callable[[], None],
        resync: Callable[[str], None],
    ) -> None:
        """Set the parts of the driver that are made with our writer.

        Args:
            next_tick: returns the router's sign of life, which is written with the epoch.
            on_obeyed: called for each connection once Asterisk obeys this router.
            resync: called with the reason if writes were dropped.
        """
        self._next_tick, self._on_obeyed, self._resync = next_tick, on_obeyed, resync

    def _out_of_date(self) -> None:
        self._resync("writes were out of date before they were permitted")

    # ------------------------------------------------------------ what is seen

    def heard(self, message: AmiMessage) -> bool:
        """Take note of an event. Return whether it is to be handled.

        Until Asterisk obeys this router, none is: the lists are read afterwards.
        """
        if not self.gate.open:
            return False
        if message.name == "UserEvent" and message.get("UserEvent") == contract.FENCED:
            self._fenced_orders += 1
            self.writer.complain_mildly(
                "Asterisk did not carry out an order of a router that was replaced "
                f"({message.get('Order')}, epoch {message.get('OrderEpoch')})"
            )
        return True

    def adopt(self, legs: Iterable[LegChannel]) -> None:
        """Write our epoch on the legs of earlier routers, so that the dialplan lets them through."""
        if self.gate.epoch:
            epoch = str(self.gate.epoch)
            uids = [leg.uid for leg in legs if leg.channel]
            self.writer.send(*(actions.setvar(uid, contract.ORDER_EPOCH, epoch) for uid in uids))

    def counts(self, *, older_legs: int) -> dict[str, int]:
        """What the fence has stopped, for `PbxHealth.counts`.

        Args:
            older_legs: number of legs of earlier routers that appeared after our first list.
        """
        counts = {
            contract.FENCED_ORDERS: self._fenced_orders,
            contract.OLDER_LEGS: older_legs,
            contract.NOT_WRITTEN: self.gate.not_written,
            contract.ASKED_FIRST: self.gate.asked_first,
        }
        return {what: count for what, count in counts.items() if count}

    # ------------------------------------------------------------ when

    def claim(self, events: str, *, handed_over: bool = False) -> None:
        """This router is the active one from now on. It serves once `may_serve` is set.

        So Asterisk is made to obey, which takes a while, beside the reading of what is stored.

        Args:
            events: the event classes to ask Asterisk for.
            handed_over: whether the router before has given up the lease by itself.
        """
        if self.active:
            return
        self.active = True
        self._wait = HANDED_OVER if handed_over else ARRIVES_WITHIN
        self._is_first = True
        self._client.use_events(events)
        if self._client.up:
            self.link_up()

    def link_up(self) -> None:
        """The link is up. If this router is active, make Asterisk obey it."""
        if self.active and (self._task is None or self._task.done()):
            self._task = self._tasks.spawn(self._make_obey(), f"{self._pbx}: epoch")

    def link_lost(self) -> None:
        """The link is down."""
        self.gate.close()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def run(self) -> None:
        """Read the epoch while the heartbeat does not: before this router serves, or while unsure."""
        while True:
            sure = self.gate.open and self._authority.sure()
            if self._client.up and not (sure and self.active):
                self._client.send([actions.getvar("", contract.EPOCH)])[0].add_done_callback(
                    self._on_answer
                )
            await asyncio.sleep(READ_EVERY_UNSURE if self.active else READ_EVERY)

    def _on_answer(self, done: asyncio.Future[AmiReply]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.read(done.result().get("Value"))

    def read_back(self) -> Sequence[Step]:
        """The step that reads the epoch, for each beat."""

        def on_reply(reply: AmiReply | AmiError) -> None:
            if isinstance(reply, AmiError):
                return
            self.read(reply.get("Value"))
            if self.seen < self._authority.epoch and self.gate.sure():
                self._write_again()

        return (Step(actions.getvar("", contract.EPOCH), on_reply),)

    def _write_again(self) -> None:
        """Write the epoch into an Asterisk that has lost its global variables, or has that of an older router."""
        with contextlib.suppress(AmiNotPermitted):  # the lease has just ended; the next beat sees
            self._client.send([self._write_epoch()], permit=self.gate.sure)
            logger.warning("%s: Asterisk had lost the epoch; it has it again", self._pbx)

    def read(self, text: str) -> None:
        """Take note of the epoch that Asterisk has named. A newer one than ours ends our acting."""
        self.seen = epoch_number(text)
        if self.active and self.seen > self._authority.epoch:
            self.stand_down(f"Asterisk obeys a router of epoch {self.seen}")
            self._authority.newer_epoch(self._pbx, self.seen)

    def stand_down(self, why: str) -> None:
        """Stop acting at once, and discard what Asterisk has not received yet.

        Args:
            why: the reason, for the log.
        """
        self.active = False
        self.gate.close()
        self._client.drop(f"this router stops acting: {why}")
        self._client.use_events(STANDBY_EVENTS)  # at the next login; nothing is written now

    # ------------------------------------------------------------ making Asterisk obey

    async def _make_obey(self) -> None:
        while self._client.up and self.active:
            try:
                if await self._try_once() and await self._may_serve():
                    self.gate.open = True
                    self._on_obeyed()
                    return
            except AmiDown:
                return
            except AmiError as error:
                self.writer.complain(f"can't make Asterisk obey this router: {error}")
            await asyncio.sleep(TRY_EVERY)

    async def _may_serve(self) -> bool:
        """Wait until what is stored has been read. Return whether this router is still the active one."""
        await self.may_serve.wait()
        return self.active

    async def _try_once(self) -> bool:
        """Whether Asterisk obeys this router now."""
        ours = self._authority.epoch
        await self.check_dialplan()
        found = await self._read_now()
        if found == ours or not self.active:
            return self.active
        asked_at = since_boot()
        sure = self._authority.sure()
        if not sure and found == 0 and self.gate.epoch:
            found = await self._recall()
        if not sure and found != ours:
            if self.active:
                self.writer.complain_mildly(
                    "not served: the lease cannot be confirmed, and this Asterisk does not know that "
                    "this router is the active one"
                )
            return False
        await self._write_now(asked_at if found == ours else None)
        # An empty epoch means that Asterisk was restarted, and then nothing is under way, or that it
        # lost its variables, perhaps at the very end of the router before.
        if found or self._is_first:
            await asyncio.sleep(self._wait)
            if await self._read_now() != ours:
                return False
        self._is_first = False
        return True

    async def _read_now(self) -> int:
        reply = await self._client.request(actions.getvar("", contract.EPOCH), timeout=2.0)
        self.read(reply.get("Value"))
        return self.seen

    async def _write_now(self, recalled_at: float | None) -> None:
        """Write our epoch, and with it a sign of life, for callers who wait for a router.

        Args:
            recalled_at: when AstDB was asked, if its answer permits the write and not the lease.
        """

        def permit() -> bool:
            if recalled_at is None:
                return self._authority.sure()
            return since_boot() - recalled_at <= ASK_WITHIN + RECALLED_WITHIN

        tick = [self._next_tick()] if self._next_tick is not None else []
        answers = self._client.send([self._write_epoch(), *tick], permit=permit)
        for answer in answers:
            await answer
        if self.gate.epoch:
            self._client.send([_through_dialplan("keep")], permit=permit)

    def _write_epoch(self) -> Action:
        return actions.setvar("", contract.EPOCH, str(self._authority.epoch))

    async def _recall(self) -> int:
        """The epoch in AstDB; 0 if there is none, or the dialplan did not say."""
        blank = actions.setvar("", contract.EPOCH_KEPT, "")
        for answer in self._client.send([blank, _through_dialplan("recall")]):
            await answer
        for _ in range(round(RECALLED_WITHIN / 0.02)):
            await asyncio.sleep(0.02)
            reply = await self._client.request(actions.getvar("", contract.EPOCH_KEPT))
            if kept := reply.get("Value"):
                self.read(kept[1:])
                return self.seen
        return 0

    async def check_dialplan_again(self) -> None:
        """As `check_dialplan`, while in service. Without an answer, nothing is concluded."""
        with contextlib.suppress(AmiError):
            await self.check_dialplan()

    async def check_dialplan(self) -> None:
        """Find out whether the dialplan knows epochs; if not, orders carry none.

        Raises:
            AmiError: no answer.
        """
        reply = await self._client.request(actions.getvar("", contract.EPOCH_EXISTS), timeout=2.0)
        self.gate.epoch = self._authority.epoch if reply.get("Value") == "1" else 0
        if not self.gate.epoch:
            self.writer.complain(
                "the dialplan knows no epochs, so Asterisk cannot stop late orders of a router that "
                "was replaced",
                "run `callrouter dialplan --output` into Asterisk's folder, then asterisk -rx "
                '"dialplan reload"',
            )


def _through_dialplan(extension: str) -> Action:
    """Run an extension of [callrouter-epoch]. Both ends of the call are gone a moment later."""
    return {
        "Action": "Originate",
        "Channel": f"Local/{extension}@{contract.EPOCHS}/n",
        "Application": "Wait",
        "Data": "1",
        "Timeout": "2000",
        "Async": "true",
    }


CLEARED_AFTER: Final = 2.2
"""Seconds in which a router of a cluster that serves this Asterisk has shown itself by its ticks."""


class LeftoverEpoch:
    """Clears the epoch that a cluster has left in Asterisk, for a router without a cluster.

    The dialplan would stop all its orders, since they carry no epoch. If a router of the cluster
    still serves this Asterisk, the epoch stays, and an error in the log says so.
    """

    def __init__(self, writer: ActionWriter, another_serves: Callable[[], bool]) -> None:
        """Write through `writer`. `another_serves` returns whether another router's ticks come."""
        self._writer = writer
        self._another_serves = another_serves

    def look(self) -> None:
        """Ask for the epoch, and clear one that is found, unless a router of its cluster serves."""
        self._writer.write([Step(actions.getvar("", contract.EPOCH), self._on_reply)])

    def _on_reply(self, reply: AmiReply | AmiError) -> None:
        if not isinstance(reply, AmiError) and epoch_number(reply.get("Value")):
            asyncio.get_running_loop().call_later(CLEARED_AFTER, self._clear)

    def _clear(self) -> None:
        if self._another_serves():
            self._writer.complain(
                "this Asterisk obeys a router of a cluster, which stops the orders of this one",
                "give this router the same `cluster:` and `database:`, or stop the others",
            )
            self.look()
            return
        self._writer.complain_mildly(
            "the epoch of a cluster was left in Asterisk; it is cleared, since this router has no "
            "`cluster:`"
        )
        self._writer.send(actions.setvar("", contract.EPOCH, ""), _through_dialplan("keep"))
