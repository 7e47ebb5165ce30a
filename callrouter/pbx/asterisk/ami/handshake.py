"""A new connection: opened through an outage, then logged in at a booted Asterisk."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from callrouter.pbx.asterisk.ami.client_options import AmiAccount, AmiTiming, LoginRefusal
from callrouter.pbx.asterisk.ami.connection import AmiConnection
from callrouter.pbx.asterisk.ami.errors import AmiDown, AmiRejected
from callrouter.pbx.asterisk.ami.wire import Action

# ---------------------------------------------------------------- the TCP connection

T = TypeVar("T")


async def first_connection(
    connect: Callable[[], Awaitable[T]],
    discard: Callable[[T], None],
    *,
    every: float,
    timeout: float,  # noqa: ASYNC109 - one limit over all attempts, named in the error
) -> T:
    """Return the first connection that any of several attempts opens.

    While the network drops packets, a single attempt waits for the kernel to retransmit its SYN
    after 1, 3 and 7 s (RFC 6298). Fresh attempts alongside it reach the other side within `every`
    seconds of its return.

    Args:
        connect: starts one attempt.
        discard: receives a connection that opened after another had won.
        every: seconds between the starts of two attempts.
        timeout: seconds for all attempts together.

    Raises:
        TimeoutError: no attempt succeeded in time.
        OSError: the error of the first attempt that failed. The others are cancelled, since they
            would fail the same way.
    """
    attempts: set[asyncio.Future[T]] = set()
    try:
        async with asyncio.timeout(timeout):
            while True:
                attempts.add(asyncio.ensure_future(connect()))  # noqa: TID251 - ended below
                done, _ = await asyncio.wait(
                    attempts, timeout=every, return_when=asyncio.FIRST_COMPLETED
                )
                if done:
                    won = done.pop()
                    attempts.discard(won)
                    return won.result()
    finally:
        for attempt in attempts:
            attempt.cancel()
        for late in await asyncio.gather(*attempts, return_exceptions=True):
            if not isinstance(late, BaseException):
                discard(late)


logger = logging.getLogger(__name__)

_IN_USE_MESSAGE = "Login Already In Use"
"""Asterisk's message when a user with ``allowmultiplelogin = no`` opens a second session.

Source: main/manager.c.
"""


class AttemptFailedError(Exception):
    """An attempt did not lead to a session. The text is for the operator.

    Attributes:
        refused: why Asterisk refused the login; None if that was not the reason.
        no_server: nothing listens at the address.
    """

    def __init__(
        self, text: str, *, refused: LoginRefusal | None = None, no_server: bool = False
    ) -> None:
        super().__init__(text)
        self.refused = refused
        self.no_server = no_server


async def log_in(
    link: AmiConnection, account: AmiAccount, timing: AmiTiming, event_mask: str
) -> None:
    """Wait for the greeting, then log in by challenge. The secret itself is never sent.

    Args:
        link: the new connection.
        account: credentials.
        timing: how long to wait.
        event_mask: the events that Asterisk is asked for.

    Raises:
        AttemptFailedError: Asterisk is silent, refuses the login, or is no Asterisk.
        AmiDown: the connection was lost.
    """
    try:
        async with asyncio.timeout(timing.login_timeout):
            await _wait_for_greeting(link, account)
            await _authenticate(link, account, timing, event_mask)
    except TimeoutError as error:
        raise AttemptFailedError(_silence_text(link, account, timing)) from error


async def _wait_for_greeting(link: AmiConnection, account: AmiAccount) -> None:
    await asyncio.wait([link.greeted, link.lost], return_when=asyncio.FIRST_COMPLETED)
    if not link.greeted.done():
        reason = link.lost.result()
        raise AttemptFailedError(f"port {account.port} of {account.host} {reason}")


async def _authenticate(
    link: AmiConnection, account: AmiAccount, timing: AmiTiming, event_mask: str
) -> None:
    limit = timing.login_timeout * 2  # that of `log_in` applies first
    try:
        [reply] = link.submit([{"Action": "Challenge", "AuthType": "MD5"}], limit)
        challenge = (await reply).get("Challenge")
        key = hashlib.md5((challenge + account.secret).encode(), usedforsecurity=False)
        login: Action = {
            "Action": "Login",
            "AuthType": "MD5",
            "Username": account.username,
            "Key": key.hexdigest(),
            "Events": event_mask,
        }
        [reply] = link.submit([login], limit)
        await reply
    except AmiRejected as error:
        why = LoginRefusal.IN_USE if _IN_USE_MESSAGE in str(error) else LoginRefusal.ACCOUNT
        raise AttemptFailedError(_refusal_text(account, why, error), refused=why) from error


async def wait_until_booted(link: AmiConnection, grace: float) -> None:
    """Wait for FullyBooted. A booted Asterisk sends it right after its answer to the login.

    Args:
        link: a connection that is logged in.
        grace: how long to wait, in seconds. A user without read=system never receives the event.

    Raises:
        AmiDown: the connection was lost.
    """
    done: Sequence[asyncio.Future[Any]] = [link.booted, link.lost]
    await asyncio.wait(done, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
    if not any(future.done() for future in done):
        logger.info("no event FullyBooted (user without read=system?); going on without it")
    if link.lost.done():
        raise AmiDown(link.lost.result())


def _refusal_text(account: AmiAccount, why: LoginRefusal, error: AmiRejected) -> str:
    user, where = account.username, account.where
    if why is LoginRefusal.IN_USE:
        return (
            f"{where} has another session of user {user!r} and allows one only: put "
            f"'allowmultiplelogin = yes' into the section [{user}] of manager.conf there, then run "
            "'manager reload'. It ends a session that lost its network after minutes"
        )
    return (
        f"{where} refused the login of user {user!r} ({error}): check the section [{user}] "
        "of manager.conf there, its secret and its permit/deny lines, then run 'manager reload'"
    )


def _silence_text(link: AmiConnection, account: AmiAccount, timing: AmiTiming) -> str:
    seconds = timing.login_timeout
    if link.greeted.done():
        return f"{account.where} did not answer the login within {seconds:g} s"
    hint = "" if account.tls else "; is it the TLS port?"
    return (
        f"port {account.port} of {account.host} took the connection but said nothing in "
        f"{seconds:g} s{hint}"
    )
