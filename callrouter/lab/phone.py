"""A small SIP phone on loopback that can handle many calls at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Coroutine
from typing import Any, Literal

from callrouter.lab.behaviour import Answer, Behaviour, Silent, TryingOnly
from callrouter.lab.dialog import Dialog
from callrouter.lab.leg import Extra
from callrouter.lab.line import ALLOW, SipLine, final_response, new_tag
from callrouter.lab.message import Headers, Request
from callrouter.lab.rtp import Pace
from callrouter.lab.script import behave
from callrouter.lab.transaction import Peer, ServerTransaction, Transactions

_log = logging.getLogger(__name__)
_CLOSE_S = 1.0
_ENTITY = re.compile(rb'entity="sips?:([^@"]+)@')
_STATE = re.compile(rb"<state[^>]*>([a-z]+)</state>")

Choice = Behaviour | Callable[[Dialog], Behaviour]


class RegistrationFailedError(Exception):
    """The server refused the REGISTER with `code`, or did not answer (408)."""

    def __init__(self, name: str, code: int) -> None:
        super().__init__(f"{name} could not register: SIP code {code}")
        self.code = code


class Phone:
    """A SIP phone that talks to one server over UDP on 127.0.0.1.

    Args:
        name: what its audio says, and what `Dialog.heard` shows at the other side.
        server: the server's host and port.
        username: the SIP user; the name of the Asterisk endpoint.
        password: for digest challenges.
        behaviour: what the phone does with incoming calls; may be replaced at any time.
        pace: how often its RTP speaks.
    """

    def __init__(
        self,
        name: str,
        *,
        server: Peer,
        username: str | None = None,
        password: str = "",
        behaviour: Choice | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.name = name
        self.behaviour: Choice = behaviour if behaviour is not None else Answer()
        self.incoming: list[Dialog] = []
        self.outgoing: list[Dialog] = []
        self.on_change: Callable[[Phone, Dialog, str], None] | None = None
        self.registered = False
        self.lamps: dict[str, list[str]] = {}
        """States shown for each subscribed extension, in order (RFC 4235)."""
        self._server, self._username = server, username or name
        self._password, self._pace = password, pace or Pace()
        self._running: SipLine | None = None
        self._dialogs: dict[tuple[str, str], Dialog] = {}
        self._invited: dict[ServerTransaction, Dialog] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._registration_id, self._registration_cseq = new_tag(), 0
        self._refresh: asyncio.TimerHandle | None = None
        self._came = asyncio.Event()
        self._dead = False

    @property
    def port(self) -> int:
        """The phone's SIP port.

        Raises:
            RuntimeError: the phone is not started, or closed.
        """
        return self._line.layer.port

    @property
    def dialogs(self) -> list[Dialog]:
        """Every call that has not ended."""
        return [dialog for dialog in self._dialogs.values() if dialog.state != "ended"]

    async def start(self) -> None:
        """Open the SIP port. Nothing is registered yet.

        The kernel chooses the port. Needs a running event loop.
        """
        layer = Transactions(self._on_request)
        self._running = SipLine(
            self.name, self._server, self._username, self._password, layer, self._pace
        )

    async def close(self) -> None:
        """Hang up all calls, unregister and release all ports; takes a second at most."""
        if self._running is None:
            return
        if not self._dead:
            self._stop_tasks()
            with contextlib.suppress(TimeoutError, RegistrationFailedError):
                async with asyncio.timeout(_CLOSE_S):
                    await asyncio.gather(*(dialog.bye() for dialog in self.dialogs))
                    if self.registered:
                        await self.unregister()
        self.die()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._running.layer.close()
        self._running = None

    def die(self) -> None:
        """Stop answering anything at once, like a phone that was unplugged.

        Its ports stay bound.
        """
        self._dead = True
        self._stop_tasks()
        if self._running is not None:
            self._running.layer.deafen()
        for dialog in self._dialogs.values():
            dialog.vanish()

    async def register(self, expires: int = 3600) -> None:
        """Register for `expires` seconds, and renew in time.

        Raises:
            RegistrationFailedError: the server refused or did not answer.
            RuntimeError: the phone is not started, or closed.
        """
        line = self._line
        headers = Headers([("Via", line.layer.via()), ("Max-Forwards", "70")])
        headers.add("From", f"<{line.address_of_record}>;tag={new_tag()}")
        headers.add("To", f"<{line.address_of_record}>")
        headers.add("Call-ID", self._registration_id)
        headers.add("CSeq", f"{self._next_cseq()} REGISTER")
        headers.add("Contact", line.contact)
        headers.add("Expires", str(expires))
        request = Request(headers, b"", "REGISTER", f"sip:{line.domain}")
        response = await final_response(line, request, self._next_cseq)
        code = 408 if response is None else response.code
        if code >= 300:
            raise RegistrationFailedError(self.name, code)
        self.registered = expires > 0
        line.layer.stop_timer(self._refresh)
        if self.registered:
            again = max(1.0, expires * 0.8)
            self._refresh = line.layer.later(again, lambda: self._keep(self._reregister(expires)))

    async def unregister(self) -> None:
        """Remove the registration; raises as `register`.

        Calls go on. A renewal that was planned is dropped.
        """
        await self.register(0)

    async def watch(self, extension: str) -> int:
        """Subscribe to the dialog state of an extension, as a BLF key does.

        Returns the final code; 408 if there was none. The states arrive later, in `lamps`.

        Raises:
            RuntimeError: the phone is not started, or closed.
        """
        line = self._line
        headers = Headers([("Via", line.layer.via()), ("Max-Forwards", "70")])
        headers.add("From", f"<{line.address_of_record}>;tag={new_tag()}")
        headers.add("To", f"<{line.uri(extension)}>")
        headers.add("Call-ID", new_tag())
        headers.add("CSeq", f"{self._next_cseq()} SUBSCRIBE")
        headers.add("Contact", line.contact)
        headers.add("Event", "dialog")
        headers.add("Accept", "application/dialog-info+xml")
        headers.add("Expires", "3600")
        request = Request(headers, b"", "SUBSCRIBE", line.uri(extension))
        response = await final_response(line, request, self._next_cseq)
        return 408 if response is None else response.code

    async def call(
        self,
        target: str,
        *,
        caller_name: str | None = None,
        caller_number: str | None = None,
        headers: Extra = (),
        sender: str | None = None,
    ) -> Dialog:
        """Call a number (or SIP URI); returns as soon as the INVITE is sent.

        Args:
            target: the number or URI.
            caller_name: the display name.
            caller_number: a number for P-Asserted-Identity.
            headers: further headers.
            sender: a user part for From other than the phone's own.

        Raises:
            RuntimeError: the phone is not started, or closed.
            ValueError: the phone's name cannot be spoken, see `Media`.
        """
        dialog = self._new_dialog("out", new_tag())
        self.outgoing.append(dialog)
        dialog.place(target, name=caller_name, number=caller_number, headers=headers, sender=sender)
        self._tell(dialog, "new")
        return dialog

    async def wait_incoming(self, count: int = 1, within: float = 5.0) -> Dialog:
        """Wait until `count` calls have arrived since the start; returns the `count`th.

        Raises:
            TimeoutError: not within `within` seconds.
        """
        async with asyncio.timeout(within):
            while len(self.incoming) < count:
                self._came.clear()
                await self._came.wait()
        return self.incoming[count - 1]

    @property
    def _line(self) -> SipLine:
        if self._running is None:
            raise RuntimeError(f"phone {self.name} is not started")
        return self._running

    def _new_dialog(self, direction: Literal["in", "out"], call_id: str) -> Dialog:
        dialog = Dialog(self._line, direction, call_id, lambda what: self._tell(dialog, what))
        self._dialogs[call_id, dialog.local_tag] = dialog
        return dialog

    def _tell(self, dialog: Dialog, what: str) -> None:
        if self.on_change is not None:
            self.on_change(self, dialog, what)

    def _next_cseq(self) -> int:
        self._registration_cseq += 1
        return self._registration_cseq

    async def _reregister(self, expires: int) -> None:
        try:
            await self.register(expires)
        except RegistrationFailedError as error:
            self.registered = False
            _log.warning("%s", error)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("phone %s: a call's script failed", self.name, exc_info=task.exception())

    def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    def _on_request(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        dialog = self._dialogs.get((request.call_id, request.to_tag))
        if request.method == "CANCEL":
            self._on_cancel(transaction)
        elif dialog is not None:
            dialog.receive(transaction)
        elif request.method == "ACK":
            return
        elif request.method == "INVITE" and not request.to_tag:
            self._on_invite(transaction)
        elif request.method in {"OPTIONS", "NOTIFY"}:
            self._on_lamp(request)
            transaction.respond(200, tag=new_tag(), headers=(("Allow", ALLOW),))
        elif request.to_tag:
            transaction.respond(481)
        else:
            transaction.respond(405, tag=new_tag(), headers=(("Allow", ALLOW),))

    def _on_lamp(self, request: Request) -> None:
        entity = _ENTITY.search(request.body)
        if entity is not None:
            state = _STATE.search(request.body)
            held = b'pname="+sip.rendering" pvalue="no"' in request.body
            shown = state[1].decode() if state is not None else "none"
            self.lamps.setdefault(entity[1].decode(), []).append("held" if held else shown)

    def _on_cancel(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        invite = self._line.layer.server(request.branch, request.call_id, "INVITE")
        dialog = self._invited.get(invite) if invite is not None else None
        if dialog is None:
            transaction.respond(481, tag=new_tag())
        elif not isinstance(dialog.behaviour, Silent | TryingOnly):
            dialog.cancelled(transaction)

    def _on_invite(self, transaction: ServerTransaction) -> None:
        dialog = self._new_dialog("in", transaction.request.call_id)
        dialog.take(transaction)
        self._invited[transaction] = dialog
        self.incoming.append(dialog)
        self._came.set()
        choice = self.behaviour
        behaviour = choice(dialog) if callable(choice) else choice
        dialog.behaviour = behaviour
        if not isinstance(behaviour, Silent):
            transaction.respond(100)
        self._tell(dialog, "new")
        self._keep(behave(dialog, behaviour))
