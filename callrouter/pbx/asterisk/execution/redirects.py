"""Moves callers within our part of the dialplan, and never one who has left it.

Asterisk executes any `Redirect`, wherever the channel is. To avoid pulling back a caller that
another program has just moved, the channel's context is queried first. The other program's command
sets the context before anything runs there, so the answer shows the move as soon as it has
happened. If the caller is moved between the answer and our command (about a millisecond), the
dialplan notices and lets the caller go on to where they were sent (`callrouter-connect`).

Asterisk may also answer "Success" without executing the command. So a caller who was redirected is
checked once more after a second, and redirected again if necessary. That is safe although no action
is repeated blindly: the second redirect follows only if the channel still stands where the first
should have taken it from, and the router still wants it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import Action, AmiError, AmiRejected, AmiReply
from callrouter.pbx.asterisk.execution import actions
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter, OnReply, Step

CHECK_AFTER: Final = 1.0
"""Seconds within which a command must have taken effect."""

TRIES: Final = 3
"""How many times a command is given."""

ANSWER_WITHIN: Final = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Timeouts in seconds for the query of a channel's context.

An answer may be lost. The query is repeated after each timeout except the last.
"""

REENTRY_TOLD_WITHIN: Final = 0.3
"""Seconds within which the event has come of a caller who entered a queue again."""

ARRIVES_WITHIN: Final = 0.5
"""Seconds within which a channel that is put into another one's place has come there."""


def _nothing() -> None:
    """Do nothing. The default callback of a `PendingRedirect`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRedirect:
    """A command to redirect a caller's channel.

    Attributes:
        redirect: the AMI action.
        still_wanted: called once the channel's position is known; returns False if the router has
            changed its mind since.
        on_moved_away: called if the channel is no longer in our part of the dialplan.
        on_reply: receives Asterisk's answer to the action, or its failure to say where the channel
            is.
        until_out_of: contexts in which the channel must not be found a second later. If it is, and
            the redirect is still wanted, it is ordered again.
        tries: how many times in all.
        returns: whether a channel that was sent away may be back by the time of the check. If it is
            found, it is looked at a second time, `REENTRY_TOLD_WITHIN` later.
    """

    redirect: Action
    still_wanted: Callable[[], bool] = lambda: True
    on_moved_away: Callable[[], None] = _nothing
    on_reply: OnReply | None = None
    until_out_of: frozenset[str] = frozenset()
    tries: int = TRIES
    returns: bool = False

    @property
    def channel(self) -> str:
        """The channel to redirect."""
        return str(self.redirect["Channel"])


@dataclass(slots=True)
class _ContextQuery:
    """A query for a channel's context, and how many times it was sent."""

    times: int = 0
    answered: bool = False
    timer: asyncio.TimerHandle | None = None


class Redirects:
    """Redirects callers who are still where they may be moved from."""

    def __init__(self, writer: ActionWriter) -> None:
        self._writer = writer
        self._expected: set[str] = set()

    def expect(self, uid: str) -> None:
        """A channel is about to come into our part of the dialplan.

        Asterisk says so before it puts the channel there.
        """
        self._expected.add(uid)
        asyncio.get_running_loop().call_later(ARRIVES_WITHIN, self._expected.discard, uid)

    def begin(self, pending: PendingRedirect) -> Step:
        """The first step of a redirect: query where the channel is."""
        return self._query_context(pending, _ContextQuery())

    def _query_context(self, pending: PendingRedirect, query: _ContextQuery) -> Step:
        within, query.times = ANSWER_WITHIN[query.times], query.times + 1
        loop = asyncio.get_running_loop()
        query.timer = loop.call_later(within, self._on_query_timeout, pending, query)
        return Step(_get_context(pending), partial(self._on_context, pending, query))

    def _on_query_timeout(self, pending: PendingRedirect, query: _ContextQuery) -> None:
        """Repeat the query, since its answer may be lost.

        A caller whose conversation is over waits for only two seconds.
        """
        if query.times < len(ANSWER_WITHIN) and pending.still_wanted():
            self._writer.write([self._query_context(pending, query)])

    def _on_context(
        self, pending: PendingRedirect, query: _ContextQuery, reply: AmiReply | AmiError
    ) -> None:
        if query.answered:
            return
        query.answered = True
        if query.timer is not None:
            query.timer.cancel()
        if not pending.still_wanted():
            return
        loop = asyncio.get_running_loop()
        if isinstance(reply, AmiError):
            if pending.on_reply is not None:
                pending.on_reply(reply)
        elif reply.get("Value") in contract.OURS:
            self._writer.write([Step(pending.redirect, pending.on_reply)])
            if pending.until_out_of:
                loop.call_later(CHECK_AFTER, self._check, pending)
        elif pending.channel in self._expected:
            loop.call_later(ANSWER_WITHIN[0], self._begin_again, pending)
        else:
            pending.on_moved_away()

    def _begin_again(self, pending: PendingRedirect) -> None:
        if pending.still_wanted():
            self._writer.write([self.begin(pending)])

    def _check(self, pending: PendingRedirect, *, again: bool = False) -> None:
        """A second later the channel should be elsewhere or gone. `again`: it was found once."""
        if pending.still_wanted():
            on_reply = partial(self._on_checked, pending, again=again)
            self._writer.write([Step(_get_context(pending), on_reply)])

    def _on_checked(
        self, pending: PendingRedirect, reply: AmiReply | AmiError, *, again: bool
    ) -> None:
        stays = not isinstance(reply, AmiError) and reply.get("Value") in pending.until_out_of
        if not stays or not pending.still_wanted():
            return
        if pending.returns and not again:
            # The site's dialplan may have sent the caller into a queue again, and the event of that
            # entry is on its way. Sending them away once more would be wrong.
            look = partial(self._check, pending, again=True)
            asyncio.get_running_loop().call_later(REENTRY_TOLD_WITHIN, look)
            return
        place = f"{pending.redirect['Context']},{pending.redirect['Exten']}"
        self._writer.complain(f"{pending.channel} was to go to {place} and did not")
        if pending.tries > 1:
            self._writer.write([self.begin(replace(pending, tries=pending.tries - 1))])


def _get_context(pending: PendingRedirect) -> Action:
    return actions.getvar(pending.channel, "CONTEXT")


def is_channel_gone(reply: AmiReply | AmiError) -> bool:
    """Whether a reply says that the channel does not exist."""
    text = str(reply)
    return isinstance(reply, AmiRejected) and (
        "does not exist" in text or "No such channel" in text
    )
