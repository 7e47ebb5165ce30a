"""Options of a client: account, timing, user events. And what a failed connection means."""

import errno
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class AmiAccount:
    """Address and credentials of one Asterisk. The secret never appears in the repr.

    Attributes:
        tls: context for encryption and certificate checks. None means plain TCP.
    """

    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @property
    def where(self) -> str:
        """The Asterisk, for messages."""
        return f"Asterisk at {self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class AmiTiming:
    """Every interval of a session, in seconds.

    Attributes:
        connect_timeout: for TCP and TLS together.
        login_timeout: for the greeting and the login together.
        boot_grace: how long to wait for the FullyBooted event after login. A user without
            read=system never receives it, so the session comes up without it after this time.
        ping_interval: silence before a Ping is sent.
        ping_timeout: silence after the Ping before the link counts as lost. Together with
            `ping_interval`, a hung Asterisk is detected within 4.5 s.
        unread_timeout: how long Asterisk may stop reading once the send buffers on both sides
            are full.
        unacked_timeout: how long the kernel may go on sending data that is not acknowledged. Then it
            discards the data and the connection, even while this process stands still. No action
            arrives later than this after it was written (TCP_USER_TIMEOUT, tcp(7)).
        deaf_timeout: how long Asterisk may leave every action unanswered after one action has
            timed out. Events may still arrive during this time.
        connect_every: delay before another connection attempt starts alongside one that is still
            pending. The kernel retransmits a lost SYN after 1, 3 and 7 s; a fresh attempt notices
            sooner that the network is back.
        retry_first: minimum time between the starts of two attempts.
        retry_ceiling: maximum time between two attempts while Asterisk is unreachable. It is short
            because callers who enter have to wait for it, and a refused connection costs
            Asterisk almost nothing.
        in_use_ceiling: the same while Asterisk still holds the previous session and does not
            accept a second one.
        refused_ceiling: the same while Asterisk refuses the login. It is longer so that the
            retries do not look like an attack.
        stable_after: a session that was up for this long resets the back-off.
    """

    connect_timeout: float = 4.0
    connect_every: float = 0.5
    login_timeout: float = 5.0
    boot_grace: float = 1.0
    ping_interval: float = 2.0
    ping_timeout: float = 2.5
    unread_timeout: float = 5.0
    unacked_timeout: float = 5.0
    deaf_timeout: float = 2.5
    retry_first: float = 0.25
    retry_ceiling: float = 0.5
    in_use_ceiling: float = 0.5
    refused_ceiling: float = 30.0
    stable_after: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEventRules:
    """Which ``UserEvent`` events belong to the client's user, and who may send them.

    Any manager account with ``write=user`` can send a ``UserEvent`` of any name. The dialplan's
    events also name the context that sent them, which no account can imitate.

    Attributes:
        prefix: names of own events begin with this. Other programs' events are skipped.
        contexts: for each own event, the contexts of the dialplan that send it.
        other_context: whether a context may send own events that `contexts` does not name.
        from_action: own events that the action ``UserEvent`` may send as well. They are accepted
            only without further headers, so they say no more than that events arrive.
    """

    prefix: str
    contexts: Mapping[str, frozenset[str]]
    other_context: Callable[[str], bool] = lambda _context: False
    from_action: frozenset[str] = frozenset()


class LoginRefusal(Enum):
    """Why Asterisk refused a login.

    The two are retried at different intervals, see `AmiTiming`.
    """

    ACCOUNT = "account"
    """The user, secret or address does not match manager.conf."""
    IN_USE = "in use"
    """Asterisk holds another session of the same user and allows only one."""


def explain_failure(error: Exception, account: AmiAccount, seconds: float) -> str:
    """Explain to an operator why a connection failed and what to check.

    Args:
        error: what the attempt raised.
        account: the Asterisk it was meant for.
        seconds: the timeout of the attempt.
    """
    host, where = account.host, account.where
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"host {host!r} cannot be found ({error}): check the host name and the DNS"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer within {seconds:g} s: check the address and firewalls"
    if no_server(error):
        return (
            f"{where} refused the connection: check that Asterisk runs, and enabled, bindaddr and "
            "port in its manager.conf"
        )
    if account.tls is not None:
        return _tls_failure(error, where)
    return f"cannot connect to {where}: {error}"


def no_server(error: Exception) -> bool:
    """Whether the connection was refused. With several addresses, only the message text says so."""
    return isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(
        error
    )


def _tls_failure(error: Exception, where: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the TLS certificate of {where} was not accepted: {error.verify_message}"
    why = error.reason if isinstance(error, ssl.SSLError) else error
    return f"no TLS with {where} ({why}): check tlsenable and tlsbindaddr in its manager.conf"
