"""Where Asterisk is, who we are there, how patient we are; and what a failed connection means."""

import errno
import socket
import ssl
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AmiAccount:
    """Where Asterisk is and who we are there. The secret shows in no repr.

    Attributes:
        tls: encrypt with this context and check the certificate as it says; None is plain TCP.
    """

    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AmiTiming:
    """Every interval of a session, in seconds.

    Attributes:
        connect_timeout: for TCP and TLS together.
        login_timeout: for greeting and login together.
        boot_grace: how long after the login to wait for the event FullyBooted. A user without
            read=system never gets it, so the session then comes up without.
        ping_interval: silence after which a Ping is sent.
        ping_timeout: silence after the Ping that counts as loss; with `ping_interval` this makes
            4.5 s until a hung Asterisk is noticed.
        unread_timeout: for Asterisk to read on, once what it has not read fills its buffers and ours.
        deaf_timeout: for any answer at all, once one action went without; events may go on coming.
        connect_every: pause before another connection is tried beside one that has no answer yet.
            The kernel repeats a lost SYN after 1, 3 and 7 s; a fresh attempt finds a returning link sooner.
        retry_first: least time between the starts of two attempts.
        retry_ceiling: most time between two attempts when Asterisk cannot be reached. A caller who
            enters in the meantime waits for it, and a refused connection costs Asterisk next to nothing.
        in_use_ceiling: the same when Asterisk still holds our previous session and takes no second one.
        refused_ceiling: the same when it refuses the login; more, so as to look like no attack.
        stable_after: a session that was up for so long starts over without back-off.
    """

    connect_timeout: float = 4.0
    connect_every: float = 0.5
    login_timeout: float = 5.0
    boot_grace: float = 1.0
    ping_interval: float = 2.0
    ping_timeout: float = 2.5
    unread_timeout: float = 5.0
    deaf_timeout: float = 2.5
    retry_first: float = 0.25
    retry_ceiling: float = 0.5
    in_use_ceiling: float = 0.5
    refused_ceiling: float = 30.0
    stable_after: float = 5.0


def explain(error: Exception, account: AmiAccount, seconds: float) -> str:
    """Why a connection could not be opened within `seconds`, and what to look at, for people."""
    host, where = account.host, f"Asterisk at {account.host}:{account.port}"
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"host {host!r} cannot be found ({error}): check the host name and the DNS"
    if isinstance(error, TimeoutError):
        return f"{where} did not answer within {seconds:g} s: check the address and firewalls"
    if _refused(error):
        return (
            f"{where} refused the connection: check that Asterisk runs, and enabled, bindaddr and "
            "port in its manager.conf"
        )
    if account.tls is not None:
        return _tls_trouble(error, where)
    return f"cannot connect to {where}: {error}"


def _refused(error: Exception) -> bool:
    """A host with several addresses gives one error that tells of all in its text only."""
    return isinstance(error, ConnectionRefusedError) or f"[Errno {errno.ECONNREFUSED}]" in str(
        error
    )


def _tls_trouble(error: Exception, where: str) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the TLS certificate of {where} was not accepted: {error.verify_message}"
    why = error.reason if isinstance(error, ssl.SSLError) else error
    return f"no TLS with {where} ({why}): check tlsenable and tlsbindaddr in its manager.conf"
