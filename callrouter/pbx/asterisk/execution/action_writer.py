"""Writes AMI actions together, hands each reply to its requester, and logs complaints."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from callrouter.clock import since_boot
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import (
    Action,
    AmiBadValue,
    AmiClient,
    AmiError,
    AmiNotPermitted,
    AmiRejected,
    AmiReply,
)
from callrouter.pbx.asterisk.execution.write_gate import Permit, WriteGate

logger = logging.getLogger(__name__)

OnReply: TypeAlias = Callable[[AmiReply | AmiError], None]
"""Receives the reply to an action, or how it ended without one."""

_QUIET_FOR = 60.0
"""Seconds during which the same message is not logged again."""

_MAX_REMEMBERED = 100


class Step(NamedTuple):
    """An action to write, and who receives the reply.

    Attributes:
        action: the headers.
        on_reply: called once, with the reply or with the error that ended the action; None if
            nothing depends on it.
    """

    action: Action
    on_reply: OnReply | None = None


class ActionWriter:
    """The one place from which the driver writes actions to Asterisk.

    All parts of the driver share it, so that the order of writing is the order of the calls.
    """

    def __init__(self, pbx: str, client: AmiClient, gate: WriteGate | None = None) -> None:
        """Write to `client`.

        Args:
            pbx: names the telephone system in log messages.
            client: the AMI session.
            gate: decides whether a router in a cluster may write; None without a cluster.
        """
        self._pbx = pbx
        self._client = client
        self._gate = gate
        self._later: list[Step] = []
        self._complained_at: dict[str, float] = {}

    @property
    def up(self) -> bool:
        """Whether actions are written. If not, every action ends with AmiDown.

        The link is down, or another router is the active one.
        """
        return self._client.up and (self._gate is None or self._gate.open)

    def send(self, *actions: Action) -> None:
        """Write actions together, whatever their replies."""
        self.write([Step(action) for action in actions])

    def send_later(self, action: Action, on_reply: OnReply | None = None) -> None:
        """Queue an action that is not urgent. It is written with others after the current event.

        Each write wakes Asterisk's thread for this link, so batching halves the cost.
        """
        if not self._later:
            asyncio.get_running_loop().call_soon(self._write_later)
        self._later.append(Step(action, on_reply))

    def _write_later(self) -> None:
        steps, self._later = self._later, []
        self.write(steps)

    def write(self, steps: Sequence[Step]) -> None:
        """Write actions together.

        An action that cannot be sent fails without affecting the others.
        """
        if not steps:
            return
        gate = self._gate
        if gate is None:
            self._write(steps, None)
        elif gate.sure():
            self._write(steps, gate.sure)
        else:
            self._hold(gate, steps)

    def _hold(self, gate: WriteGate, steps: Sequence[Step], since: float | None = None) -> None:
        begun = since_boot() if since is None else since
        gate.hold(
            partial(self._write, steps, since=begun), partial(_fail, steps), len(steps), begun
        )

    def _write(
        self, steps: Sequence[Step], permit: Permit | None, since: float | None = None
    ) -> None:
        try:
            futures = self._client.send([step.action for step in steps], permit=permit)
        except AmiBadValue as error:
            self._write_singly(steps, error, permit, since)
            return
        except AmiNotPermitted:
            if self._gate is not None:
                self._hold(self._gate, steps, since)
            return
        for future, step in zip(futures, steps, strict=True):
            future.add_done_callback(self._on_done(step))

    def _write_singly(
        self,
        steps: Sequence[Step],
        error: AmiBadValue,
        permit: Permit | None,
        since: float | None,
    ) -> None:
        if len(steps) > 1:
            for step in steps:
                self._write([step], permit, since)
            return
        [step] = steps
        self.complain(f"{step.action['Action']} was not sent: {error}")
        if step.on_reply is not None:
            step.on_reply(error)

    def _on_done(self, step: Step) -> Callable[[asyncio.Future[AmiReply]], None]:
        def done(future: asyncio.Future[AmiReply]) -> None:
            if future.cancelled():
                return
            error = future.exception()
            if isinstance(error, AmiRejected) and "ermission" in str(error):
                self._complain_of_permission(str(step.action["Action"]))
            if step.on_reply is None:
                return
            if error is None:
                step.on_reply(future.result())
            elif isinstance(error, AmiError):
                step.on_reply(error)

        return done

    def _complain_of_permission(self, action: str) -> None:
        self.complain(
            f"Asterisk does not permit {action}",
            f"the user in manager_callrouter.conf needs write={contract.NEEDS.get(action, '?')}",
        )

    def complain(self, text: str, hint: str = "") -> None:
        """Log an error, at most once a minute for the same text.

        Args:
            text: what is wrong.
            hint: what can be done about it.
        """
        self._log(logging.ERROR, text, hint)

    def complain_mildly(self, text: str) -> None:
        """Log a warning, at most once a minute for the same text."""
        self._log(logging.WARNING, text, "")

    def _log(self, level: int, text: str, hint: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._complained_at.get(text, -_QUIET_FOR) < _QUIET_FOR:
            return
        if len(self._complained_at) > _MAX_REMEMBERED:
            self._complained_at.clear()
        self._complained_at[text] = now
        logger.log(level, "%s: %s%s", self._pbx, text, f"; {hint}" if hint else "")


def _fail(steps: Sequence[Step]) -> None:
    """Tell each requester that its action was not written."""
    error = AmiNotPermitted("not written: another router may be the active one")
    loop = asyncio.get_running_loop()
    for step in steps:
        if step.on_reply is not None:
            loop.call_soon(step.on_reply, error)  # as for any other action, never during the write
