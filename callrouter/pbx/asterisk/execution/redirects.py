"""Moves callers within our part of the dialplan, and never one who has left it.

Asterisk executes any `Redirect`, wherever the channel is. To avoid pulling back a caller that
another program has just moved, the channel's context is queried first. The other program's command
sets the context before anything runs there, so the answer shows the move as soon as it has
happened. If the caller is moved between the answer and our command (about a millisecond), the
dialplan notices and lets the caller go on to where they were sent (`callrouter-connect`).

Asterisk may also answer "Success" without executing the command. So a caller who was redirected is
checked once more after a second, and redirected again if necessary.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiError, AmiMessage, AmiRejected
from callrouter.pbx.asterisk.execution import actions

Answer: TypeAlias = AmiMessage | AmiError
Told: TypeAlias = Callable[[Answer], None]
Step: TypeAlias = tuple[actions.Action, Told | None]

LOOK_AGAIN = 1.0
"""Seconds within which a command must have taken effect."""

TRIES = 3
"""How many times a command is given."""

ANSWER_WITHIN = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Timeouts in seconds for the query of a channel's context.

An answer may be lost. The query is repeated after each timeout except the last.
"""


COMES_WITHIN = 0.5
"""Seconds within which a channel that is put into another one's place has come there."""


def _nothing() -> None:
    """Do nothing. The default callback of a `Move`."""


@dataclass(frozen=True)
class PendingRedirect:
    """A command to redirect a caller's channel.

    Attributes:
        redirect: the AMI action.
        wanted: called once the channel's position is known; returns False if the router has changed
            its mind since.
        moved_away: called if the channel is no longer in our part of the dialplan.
        told: receives Asterisk's answer to the action, or its failure to say where the channel is.
        until_out_of: contexts in which the channel must not be found a second later. If it is, and
            the move is still wanted, it is ordered again.
        tries: how many times in all.
    """

    redirect: actions.Action
    wanted: Callable[[], bool] = lambda: True
    moved_away: Callable[[], None] = _nothing
    told: Told | None = None
    until_out_of: frozenset[str] = frozenset()
    tries: int = TRIES


@dataclass(slots=True)
class _Asked:
    """A query to Asterisk and how many times it was sent."""

    times: int = 0
    answered: bool = False
    timer: asyncio.TimerHandle | None = None


class Redirects:
    """Redirects callers who are still where they may be moved from."""

    def __init__(
        self, write: Callable[[Sequence[Step]], None], complain: Callable[[str], None]
    ) -> None:
        self._write = write
        self._complain = complain
        self._coming: set[str] = set()

    def comes(self, uid: str) -> None:
        """A channel is about to come into our part of the dialplan: Asterisk tells so before it does it."""
        self._coming.add(uid)
        asyncio.get_running_loop().call_later(COMES_WITHIN, self._coming.discard, uid)

    def begin(self, move: PendingRedirect) -> Step:
        """The first step of a move: query where the channel is."""
        return self._ask(move, _Asked())

    def _ask(self, move: PendingRedirect, asked: _Asked) -> Step:
        within, asked.times = ANSWER_WITHIN[asked.times], asked.times + 1
        asked.timer = asyncio.get_running_loop().call_later(within, self._unanswered, move, asked)
        return _where(move), lambda answer: self._looked(move, asked, answer)

    def _unanswered(self, move: PendingRedirect, asked: _Asked) -> None:
        """Repeat the query, since its answer may be lost.

        A caller whose conversation is over waits for only two seconds.
        """
        if asked.times < len(ANSWER_WITHIN) and move.wanted():
            self._write([self._ask(move, asked)])

    def _looked(self, move: PendingRedirect, asked: _Asked, answer: Answer) -> None:
        if asked.answered:
            return
        asked.answered = True
        if asked.timer is not None:
            asked.timer.cancel()
        if not move.wanted():
            return
        if isinstance(answer, AmiError):
            if move.told is not None:
                move.told(answer)
        elif answer.get("Value") in contract.OURS:
            self._write([(move.redirect, move.told)])
            if move.until_out_of:
                asyncio.get_running_loop().call_later(LOOK_AGAIN, self._look_again, move)
        elif move.redirect["Channel"] in self._coming:
            again = partial(self._again, move)
            asyncio.get_running_loop().call_later(ANSWER_WITHIN[0], again)
        else:
            move.moved_away()

    def _again(self, move: PendingRedirect) -> None:
        if move.wanted():
            self._write([self.begin(move)])

    def _look_again(self, move: PendingRedirect) -> None:
        if move.wanted():
            self._write([(_where(move), lambda answer: self._found(move, answer))])

    def _found(self, move: PendingRedirect, answer: Answer) -> None:
        """A second later the channel should be elsewhere or gone.

        Otherwise order the move again.
        """
        stays = not isinstance(answer, AmiError) and answer.get("Value") in move.until_out_of
        if not stays or not move.wanted():
            return
        where = f"{move.redirect['Context']},{move.redirect['Exten']}"
        self._complain(f"{move.redirect['Channel']} was to go to {where} and did not")
        if move.tries > 1:
            self._write([self.begin(replace(move, tries=move.tries - 1))])


def _where(move: PendingRedirect) -> actions.Action:
    return actions.getvar(str(move.redirect["Channel"]), "CONTEXT")


def gone(answer: Answer) -> bool:
    """Whether an answer says that the channel does not exist."""
    text = str(answer)
    return isinstance(answer, AmiRejected) and (
        "does not exist" in text or "No such channel" in text
    )
