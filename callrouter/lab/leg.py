"""The signalling of one call: a SIP dialog (RFC 3261, 12) with one audio stream (RFC 3264)."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Literal

from callrouter.lab.behaviour import Behaviour
from callrouter.lab.call_record import OnChange, Record, Side
from callrouter.lab.line import ALLOW, Exchange, SipLine, new_tag
from callrouter.lab.message import (
    Headers,
    Request,
    Response,
    parse_address,
    quote,
    uri_user,
)
from callrouter.lab.rtp import Media
from callrouter.lab.sdp import mirror, read_sdp, write_sdp
from callrouter.lab.transaction import ServerTransaction

Extra = tuple[tuple[str, str], ...]
_GOODBYE_S = 2.0
_SIPFRAG = re.compile(rb"SIP/2\.0 (\d{3})")


class SipLeg(Record):
    """One call at the level of SIP messages; `dialog.Dialog` adds what a person does with it.

    It starts nothing by itself: `script.behave` and the tests decide when something happens.
    """

    def __init__(
        self, line: SipLine, direction: Literal["in", "out"], call_id: str, on_change: OnChange
    ) -> None:
        super().__init__(direction, call_id, on_change)
        self.local_tag, self.remote_tag = new_tag(), ""
        self.behaviour: Behaviour | None = None
        self._line = line
        self._media = Media(line.name, line.pace, self._voice, self._digit)
        self._local = self._remote = self._target = ""
        self._routes: list[str] = []
        self._cseq = 0
        self._sdp_version = 0
        self._invite: ServerTransaction | None = None
        self._exchange: Exchange | None = None
        self._ack: Request | None = None
        self._cancelling = False
        self._reinviting = False
        self._progress: asyncio.Future[int] | None = None

    # Outgoing calls.

    def place(
        self,
        target: str,
        *,
        name: str | None,
        number: str | None,
        headers: Extra = (),
        sender: str | None = None,
    ) -> None:
        """Send the INVITE.

        A `number` goes into P-Asserted-Identity, since From must name the endpoint.

        `sender` is another user part for From, for a server that identifies us by our address.
        """
        line = self._line
        self._target = line.uri(target)
        self.called = self.peer_number = uri_user(self._target)
        shown = quote(name) + " " if name else ""
        address = line.address_of_record if sender is None else f"sip:{sender}@{line.domain}"
        self._local = f"{shown}<{address}>;tag={self.local_tag}"
        self._remote = f"<{self._target}>"
        if number is not None:
            identity = f"{shown}<sip:{number}@{line.domain}>"
            headers = (("P-Asserted-Identity", identity), *headers)
        request = self._request("INVITE", headers, self._offer("sendrecv"))
        self.invite_at = time.monotonic()
        self._exchange = line.send(request, self._invite_answered, self._next_cseq)

    def _invite_answered(self, response: Response | None) -> None:
        if response is None:
            self._finish("them", code=408)
            return
        if response.code < 200:
            self._progressed(response)
        elif response.code < 300:
            self._accepted(response)
        else:
            by: Side = "us" if self._cancelling else "them"
            self._finish(by, code=response.code, at=response.at)

    def _progressed(self, response: Response) -> None:
        if self._cancelling:
            self._send_cancel()
        if response.code == 183:
            self._take_sdp(response.body)
        if response.code > 100:
            self._rings(early=response.code == 183, at=response.at)

    def _accepted(self, response: Response) -> None:
        if self._ack is not None:
            self._line.layer.send(self._ack, self._line.server)  # a retransmission of their 200
            return
        self._establish(response)
        self._ack = self._request("ACK", cseq=response.cseq)
        self._line.layer.send(self._ack, self._line.server)
        if self.state == "ended" or self._cancelling:
            # The answer crossed our CANCEL (RFC 3261, 15.1.2), so we must end this call.
            self._line.send(self._request("BYE"), lambda _: None, self._next_cseq)
            self._finish("us", code=487)
            return
        self._take_sdp(response.body)
        self._is_up(response.at)

    def _establish(self, response: Response) -> None:
        self.remote_tag = response.to_tag
        self._remote = response.headers.get("to")
        self._target = parse_address(response.headers.get("contact")).uri or self._target
        self._routes = response.headers.all("record-route")[::-1]

    def _send_cancel(self) -> None:
        """CANCEL the last INVITE. Allowed only after a provisional response (RFC 3261, 9.1)."""
        if self._exchange is None:
            return
        sent = self._exchange.current.message
        headers = Headers([("Via", sent.headers.get("via")), ("Max-Forwards", "70")])
        for name in ("From", "To", "Call-ID"):
            headers.add(name, sent.headers.get(name))
        headers.add("CSeq", f"{sent.cseq} CANCEL")
        if self._line.layer.sent(sent.branch, "CANCEL"):
            return
        request = Request(headers, b"", "CANCEL", sent.uri)
        self._line.layer.request(request, self._line.server, lambda _: None)

    # Incoming calls.

    def take(self, invite: ServerTransaction) -> None:
        """Become the called side of `invite`; sends nothing.

        The caller's number is that of P-Asserted-Identity, if there is one, else that of From.
        """
        request = invite.request
        self._invite, self.invite_at = invite, invite.at
        caller = parse_address(request.headers.get("from"))
        asserted = parse_address(request.headers.get("p-asserted-identity"))
        self.called = uri_user(request.uri)
        self.peer_number = asserted.user or caller.user
        self.peer_name = asserted.name or caller.name
        self.remote_tag = caller.tag
        self._local = f"{request.headers.get('to')};tag={self.local_tag}"
        self._remote = request.headers.get("from")
        self._target = parse_address(request.headers.get("contact")).uri or caller.uri
        self._routes = request.headers.all("record-route")

    @property
    def headers(self) -> Headers:
        """The headers of the INVITE; empty for outgoing calls."""
        return self._invite.request.headers if self._invite is not None else Headers()

    # Requests of the other side; called by the phone.

    def receive(self, transaction: ServerTransaction) -> None:
        """Take a request of the other side within this dialog.

        `phone.Phone` calls it. A method that is not known here gets 501. INVITE, UPDATE and INFO
        get 481 once the call has ended.
        """
        handler = {
            "ACK": self._on_ack,
            "BYE": self._on_bye,
            "INVITE": self._on_offer,
            "UPDATE": self._on_offer,
            "INFO": self._on_info,
            "NOTIFY": self._on_notify,
        }.get(transaction.request.method)
        if handler is None:
            transaction.respond(501)
        elif self.state == "ended" and transaction.request.method in {"INVITE", "UPDATE", "INFO"}:
            transaction.respond(481)
        else:
            handler(transaction)

    def cancelled(self, cancel: ServerTransaction) -> None:
        """Send 200 to the CANCEL and, unless we have answered, 487 to the INVITE.

        The Reason headers of the CANCEL are kept in `reasons`.
        """
        cancel.respond(200, tag=self.local_tag)
        if self._invite is None or self.state in {"up", "ended"}:
            return
        self.reasons = tuple(cancel.request.headers.all("reason"))
        self._invite.respond(487, tag=self.local_tag)
        self._finish("them", code=487, at=cancel.at)

    def vanish(self) -> None:
        """End without any message, like a phone that was unplugged.

        The other side learns nothing and must notice by itself.
        """
        self._finish("us")

    def _on_ack(self, transaction: ServerTransaction) -> None:
        if self._invite is None or self.acked_at is not None:
            return
        self.acked_at = transaction.at
        self._invite.acknowledged()
        self._take_sdp(transaction.request.body)  # the answer, if the offer was ours
        self._changed("acked")

    def _on_bye(self, transaction: ServerTransaction) -> None:
        transaction.respond(200)
        if self.state != "ended":
            self.reasons = tuple(transaction.request.headers.all("reason"))
            self._finish("them", at=transaction.at)

    def _on_offer(self, transaction: ServerTransaction) -> None:
        invite = transaction.request.method == "INVITE"
        if invite and self._reinviting:
            transaction.respond(491)
            return
        sdp = read_sdp(transaction.request.body)
        if sdp is None and transaction.request.body:
            transaction.respond(488)
            return
        body = self._offer(mirror(sdp.direction) if sdp else "sendrecv") if invite or sdp else b""
        self._respond(transaction, 200, body)
        self._take_sdp(transaction.request.body)
        held = sdp is not None and sdp.direction in {"sendonly", "inactive"}
        if held != self.held:
            self.held = held
            self._changed("held" if held else "unheld")

    def _on_info(self, transaction: ServerTransaction) -> None:
        transaction.respond(200)
        found = re.search(rb"Signal\s*=\s*([0-9A-D*#])", transaction.request.body)
        if found is not None:
            self._digit(found[1].decode())

    def _on_notify(self, transaction: ServerTransaction) -> None:
        transaction.respond(200)
        found = _SIPFRAG.match(transaction.request.body)
        if found is not None and self._progress is not None and not self._progress.done():
            code = int(found[1])
            if code >= 200:
                self._progress.set_result(code)

    # Helpers.

    def _respond(self, transaction: ServerTransaction, code: int, body: bytes = b"") -> None:
        headers = (("Contact", self._line.contact), ("Allow", ALLOW))
        transaction.respond(code, tag=self.local_tag, body=body, headers=headers)

    def _next_cseq(self) -> int:
        self._cseq += 1
        return self._cseq

    def _request(
        self, method: str, extra: Extra = (), body: bytes = b"", *, cseq: int | None = None
    ) -> Request:
        headers = Headers([("Via", self._line.layer.via()), ("Max-Forwards", "70")])
        headers.add("From", self._local)
        headers.add("To", self._remote)
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{self._next_cseq() if cseq is None else cseq} {method}")
        for route in self._routes:
            headers.add("Route", route)
        if method != "BYE":
            headers.add("Contact", self._line.contact)
            headers.add("Allow", ALLOW)
        for name, value in extra:
            headers.add(name, value)
        if body and not any(name == "Content-Type" for name, _ in extra):
            headers.add("Content-Type", "application/sdp")
        return Request(headers, body, method, self._target)

    def _offer(self, direction: str) -> bytes:
        self._sdp_version += 1
        return write_sdp(self._media.port, direction=direction, version=self._sdp_version)

    def _take_sdp(self, body: bytes) -> None:
        sdp = read_sdp(body)
        if sdp is not None and self.state != "ended":
            self._media.aim(sdp)

    def _finish(self, by: Side, *, code: int = 0, at: float | None = None) -> None:
        self._media.close()
        if self._progress is not None and not self._progress.done() and by == "them":
            # Asterisk may hang up on the transferring phone before its last NOTIFY.
            self._progress.set_result(200)
        self._is_over(by, code=code, at=at)
