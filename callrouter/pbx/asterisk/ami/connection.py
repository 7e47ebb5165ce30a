"""One connection to Asterisk, from the greeting to its loss. `client` opens one after another."""

import asyncio
import contextlib
import logging
import socket
import struct
from collections.abc import Callable, Sequence
from typing import cast

from callrouter.pbx.asterisk.ami.client_options import AmiTiming, UserEventRules
from callrouter.pbx.asterisk.ami.counters import AmiCounters
from callrouter.pbx.asterisk.ami.errors import AmiGarbage, AmiNotPermitted
from callrouter.pbx.asterisk.ami.event_guard import EventGuard, Verdict
from callrouter.pbx.asterisk.ami.messages import AmiMessage, AmiReply, parse
from callrouter.pbx.asterisk.ami.panoramisk_parts import AMIProtocol
from callrouter.pbx.asterisk.ami.replies import PING_ID, ListRows, PendingActions
from callrouter.pbx.asterisk.ami.wire import Action, MessageSplitter

logger = logging.getLogger(__name__)

_PING = f"Action: Ping\r\nActionID: {PING_ID}\r\n\r\n".encode()
_LOGOFF = b"Action: Logoff\r\n\r\n"
_FULLY_BOOTED = b"FullyBooted"

MAX_UNSENT = 8 << 20
"""Maximum number of bytes that may wait for Asterisk to read: about 20,000 actions."""


class AmiConnection(AMIProtocol):  # type: ignore[misc] # panoramisk has no types
    """The protocol of one connection.

    No exception ever leaves `data_received`, because asyncio would then close the connection.

    The base class is panoramisk's, which asyncio drives; every method that does something is
    defined here.

    Attributes:
        live: whether events are passed to `on_event`. The client sets it when the session is up.
        greeted, booted: done when the greeting, or the event FullyBooted, has arrived.
        lost: the reason, once the connection is lost. Never an exception.
        gone: done when the socket is closed.
    """

    def __init__(
        self,
        *,
        wanted: frozenset[str] | None,
        counters: AmiCounters,
        on_event: Callable[[AmiMessage], None],
        on_lost: Callable[[str, bool], None],
        timing: AmiTiming,
        on_forged: Callable[[str], None] | None = None,
        user_events: UserEventRules | None = None,
    ) -> None:
        """Prepare for one connection.

        Args:
            wanted: names of the events to parse; None for all.
            counters: updated with what happens on this connection.
            on_event: receives every wanted event while the link is live.
            on_lost: receives the reason, and whether the link was live.
            timing: intervals.
            on_forged: receives the name of each event that was dropped because Asterisk does not
                write it like that. Without it, every event is accepted.
            user_events: where ``UserEvent`` may come from, if `on_forged` is given.
        """
        self._loop = asyncio.get_running_loop()
        self._wanted = None if wanted is None else frozenset(name.encode() for name in wanted)
        self._counters = counters
        self._on_event = on_event
        self._on_lost = on_lost
        self._timing = timing
        self._on_forged = on_forged
        self._guard = None if on_forged is None else EventGuard(user_events)
        self._splitter = MessageSplitter()
        self._pending = PendingActions(counters, self._on_timeout, strict=on_forged is not None)
        self._lists = self._pending.lists
        self._last_byte_at = self._loop.time()
        self._pinged_at: float | None = None
        self._watch_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._deaf_timer: asyncio.TimerHandle | None = None
        self.live = False
        self.closed = True
        self.greeted: asyncio.Future[str] = self._loop.create_future()
        self.booted: asyncio.Future[None] = self._loop.create_future()
        self.lost: asyncio.Future[str] = self._loop.create_future()
        self.gone: asyncio.Future[None] = self._loop.create_future()

    # -- connection ---------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio when the connection is open: configure the socket."""
        super().connection_made(transport)
        self.responses = self._pending.open
        self._counters.connects += 1
        # it may be closed already, which is reported in a moment
        with contextlib.suppress(OSError):
            tune_socket(transport.get_extra_info("socket"), self._timing.unacked_timeout)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by asyncio when the socket is closed, by either side."""
        if not self.gone.done():
            self.gone.set_result(None)
        self.drop(f"the connection broke: {exc}" if exc else "Asterisk closed the connection")

    def drop(self, reason: str, *, politely: bool = False) -> None:
        """End the connection now. All open actions fail with AmiDown; nothing is kept.

        Args:
            reason: appears in errors and log lines.
            politely: first send Logoff and everything else in the send buffer.
        """
        if self.closed:
            return
        was_live, self.live, self.closed = self.live, False, True
        for timer in (self._watch_timer, self._unread_timer, self._deaf_timer):
            if timer is not None:
                timer.cancel()
        if politely:
            self.transport.write(_LOGOFF)
            self.transport.close()
        else:
            self._discard_unsent()
            abort(self.transport)
        self._pending.fail_all(reason)
        if not self.lost.done():
            self.lost.set_result(reason)
        self._on_lost(reason, was_live)

    def _discard_unsent(self) -> None:
        """Discard unsent data, so that Asterisk does not receive outdated actions later."""
        with contextlib.suppress(OSError, AttributeError):
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        """End the connection. panoramisk calls this."""
        self.drop("closed")

    def start_watchdog(self) -> None:
        """Start the watchdog: Ping after silence, and drop the link if that brings no byte either.

        Call it once, after the login. Before the login Asterisk does not accept a Ping.
        """
        now = self._loop.time()
        if self._pinged_at is not None and self._last_byte_at <= self._pinged_at:
            due = self._pinged_at + self._timing.ping_timeout
            if now >= due:
                quiet = now - self._last_byte_at
                self.drop(f"Asterisk has not sent a byte for {quiet:.1f} s, not even to a Ping")
                return
        else:
            self._pinged_at = None
            due = self._last_byte_at + self._timing.ping_interval
            if now >= due:
                self.transport.write(_PING)
                self._pinged_at = now
                due = now + self._timing.ping_timeout
        self._watch_timer = self._loop.call_at(due, self.start_watchdog)

    def pause_writing(self) -> None:
        """Called by asyncio when Asterisk stops reading and the send buffers fill up."""
        seconds = self._timing.unread_timeout
        self._unread_timer = self._loop.call_later(
            seconds, self.drop, f"Asterisk has not read what it is sent for {seconds:g} s"
        )

    def resume_writing(self) -> None:
        """Called by asyncio when Asterisk reads again."""
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _on_timeout(self) -> None:
        """An action timed out. Drop the link if Asterisk answers nothing else either.

        The Ping makes sure that there is something to answer.
        """
        if self.closed or self._deaf_timer is not None:
            return
        self.transport.write(_PING)
        seconds = self._timing.deaf_timeout
        self._deaf_timer = self._loop.call_later(
            seconds, self.drop, f"Asterisk has answered nothing for {seconds:g} s, not even a Ping"
        )

    def _stop_deaf_timer(self) -> None:
        if self._deaf_timer is not None:
            self._deaf_timer.cancel()
            self._deaf_timer = None

    # -- sending ----------------------------------------------------------------------------

    def submit(
        self, actions: Sequence[Action], timeout: float, permit: Callable[[], bool] | None = None
    ) -> list[asyncio.Future[AmiReply]]:
        """Write all actions at once. Each future ends with its reply or an AmiError.

        Args:
            actions: what to write.
            timeout: seconds until AmiTimeout.
            permit: asked when nothing is left to be done but the write itself, so that a process
                that stood still in between does not write what it may not write any more.

        Raises:
            AmiBadValue: one of them cannot be sent. Nothing was written.
            AmiNotPermitted: `permit` said no. Nothing was written.
        """
        data, futures = self._pending.expect(actions, timeout)
        if permit is not None and not permit():
            self._pending.withdraw(futures)
            raise AmiNotPermitted("not written: the permission to write had ended")
        if data:
            self.transport.write(data)
            unsent = self.transport.get_write_buffer_size()
            if unsent > MAX_UNSENT:  # not now: the sender is in the middle of something
                reason = f"Asterisk does not read: {unsent} bytes wait to be sent"
                self._loop.call_soon(self.drop, reason)
        return futures

    def submit_list(self, action: Action, timeout: float) -> asyncio.Future[ListRows]:
        """As `submit`, for an action that answers with a list.

        The future returns the list's events.
        """
        data, [future] = self._pending.expect([action], timeout, is_list=True)
        self.transport.write(data)
        return future

    # -- receiving --------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Called by asyncio: handle every complete message, in order."""
        self._last_byte_at = self._loop.time()
        self._counters.received_bytes += len(data)
        try:
            messages = self._splitter.feed(data)
        except AmiGarbage as error:
            self.drop(str(error))
            return
        if self._splitter.greeting is not None and not self.greeted.done():
            self.greeted.set_result(self._splitter.greeting)
        for raw in messages:
            if self.closed:
                return  # the event handler closed the link
            try:
                self._handle(raw)
            except Exception:
                self._counters.handler_errors += 1
                logger.exception("a message from Asterisk could not be handled: a defect here")

    def _handle(self, raw: bytes) -> None:
        if raw.startswith(b"\r\n"):  # some modules end a message with one CRLF too many
            raw = raw.lstrip(b"\r\n")
        if raw.startswith(b"Event:"):
            self._handle_event(raw)
        elif raw.startswith(b"Response:"):
            self._stop_deaf_timer()
            self._pending.take_reply(parse(raw))
        elif raw:
            self._counters.unmatched_messages += 1
            if self._guard is not None and not self._guard.is_remainder(raw):
                self._drop_event(b"")

    def _handle_event(self, raw: bytes) -> None:
        """Handle an event. This is the hot path.

        Unwanted events are recognised by their first line and never parsed.
        """
        if self._lists and self._pending.take_list_event(raw):
            if self._guard is not None:
                self._guard.is_remainder(raw)
            return
        end = raw.find(b"\r\n")
        name = raw[6:] if end < 0 else raw[6:end]
        if name[:1] == b" ":
            name = name[1:]
        if name == _FULLY_BOOTED and not self.booted.done():
            self.booted.set_result(None)
        wanted = self.live and (self._wanted is None or name in self._wanted)
        if self._guard is not None:
            why = self._guard.why_rejected(name, raw, wanted=wanted)
            if why is not None:
                self._reject_event(name, why)
                return
        if not wanted:
            self._counters.skipped_events += 1
            return
        message = parse(raw)
        self._counters.events += 1
        try:
            self._on_event(message)
        except Exception:
            self._counters.handler_errors += 1
            logger.exception("the handler of AMI events failed on %r; going on", message)

    def _reject_event(self, name: bytes, why: Verdict) -> None:
        """Count an event that is not handled. Report it, unless the cause is known already."""
        if why is Verdict.FOREIGN:
            self._counters.skipped_events += 1
        elif why is not Verdict.REMAINDER:
            self._drop_event(name)

    def _drop_event(self, name: bytes) -> None:
        self._counters.forged_events += 1
        if self.live and self._on_forged is not None:
            self._on_forged(name[:40].decode("ascii", "replace"))


def abort(transport: asyncio.BaseTransport | None) -> None:
    """Abort a connection at once. One that is already closed or gone is left as it is.

    A TLS transport that was closed twice has dropped its protocol, and its `abort` then raises
    AttributeError in Python 3.11.2, the version of Debian 12.
    """
    if transport is not None:
        with contextlib.suppress(AttributeError):
            cast("asyncio.WriteTransport", transport).abort()


def tune_socket(sock: socket.socket, unacked_timeout: float) -> None:
    """Configure the socket to detect a dead peer within about 5 s, or sooner with data in flight.

    Args:
        sock: the socket.
        unacked_timeout: see `AmiTiming`.
    """
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", 2),  # seconds
        ("TCP_KEEPINTVL", 1),  # seconds
        ("TCP_KEEPCNT", 3),
        # ms; keepalive does not cover unacknowledged data
        ("TCP_USER_TIMEOUT", round(unacked_timeout * 1000)),
    ):
        if hasattr(socket, option):  # Linux has all four
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
