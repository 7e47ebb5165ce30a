"""SIP transactions over UDP (RFC 3261, 17): retransmission, and filtering of retransmissions.

The user of this module sees each request once, and each response only as often as needed.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable

from callrouter.lab.message import BadMessageError, Headers, Request, Response, parse, respond
from callrouter.lab.udp import Wire

_log = logging.getLogger(__name__)

T1 = 0.5
T2 = 4.0
LIFETIME = 64 * T1

Peer = tuple[str, int]


class Transactions:
    """The transaction layer of one phone, on one UDP port of 127.0.0.1.

    Args:
        on_request: called once per request, without retransmissions; also called for the ACK of a
            2xx.
    """

    def __init__(self, on_request: Callable[[ServerTransaction], None]) -> None:
        self._on_request = on_request
        self._loop = asyncio.get_running_loop()
        self._wire = Wire(self._receive)
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[tuple[str, str, str], ServerTransaction] = {}
        self._timers: set[asyncio.TimerHandle] = set()

    @property
    def port(self) -> int:
        """The port for outgoing and incoming requests."""
        return self._wire.port

    def via(self) -> str:
        """Return a Via value with a new branch."""
        return f"SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{secrets.token_hex(8)};rport"

    def send(self, message: Request | Response, to: Peer) -> None:
        """Send once, outside any transaction (the ACK of a 2xx)."""
        self._wire.send(message.to_bytes(), to)

    def request(
        self, message: Request, to: Peer, on_response: Callable[[Response | None], None]
    ) -> ClientTransaction:
        """Send `message` until it is answered.

        `on_response` gets each provisional response, the final one, and every retransmission of a
        2xx to an INVITE. It gets None once if no final response arrives within 32 s. The ACK of a
        refusal is sent here.
        """
        transaction = ClientTransaction(self, message, to, on_response)
        self._clients[message.branch, message.method] = transaction
        self.later(LIFETIME, transaction.expire)
        transaction.send_again(T1)
        return transaction

    def server(self, branch: str, call_id: str, method: str) -> ServerTransaction | None:
        """Return the transaction in which such a request arrived, if it is still remembered.

        That is for 64 s after its arrival. `phone.Phone` finds the INVITE of a CANCEL this way.
        """
        return self._servers.get((branch, call_id, method))

    def sent(self, branch: str, method: str) -> bool:
        """Return whether such a request of ours is still remembered."""
        return (branch, method) in self._clients

    def later(self, delay: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Start a timer that ends with this layer.

        `delay` is in seconds. `deafen` and `close` cancel it.
        """

        def fire() -> None:
            self._timers.discard(handle)
            callback()

        handle = self._loop.call_later(delay, fire)
        self._timers.add(handle)
        return handle

    def stop_timer(self, handle: asyncio.TimerHandle | None) -> None:
        """Cancel a timer of `later`."""
        if handle is not None:
            handle.cancel()
            self._timers.discard(handle)

    def forget(self, transaction: ClientTransaction) -> None:
        """Match nothing more to this transaction.

        Further responses to it are dropped.
        """
        self._clients.pop((transaction.message.branch, transaction.message.method), None)

    def deafen(self) -> None:
        """Stop receiving and repeating, but keep the port.

        For a phone that dies: its server gets no answer and no ICMP error either.
        """
        for handle in self._timers:
            handle.cancel()
        self._timers.clear()
        self._wire.deafen()

    def close(self) -> None:
        """Drop everything and release the port."""
        self.deafen()
        self._clients.clear()
        self._servers.clear()
        self._wire.close()

    def _receive(self, data: bytes, sender: Peer, at: float) -> None:
        if not data.strip():
            return  # keep-alive
        try:
            message = parse(data)
            message.at = at
            if isinstance(message, Response):
                self._receive_response(message)
            else:
                self._receive_request(message, sender)
        except BadMessageError as error:
            _log.debug("dropped a datagram from %s: %s", sender, error)
        except Exception:  # noqa: BLE001 - a datagram must never stop the phone that reads it
            _log.exception("could not handle a datagram from %s", sender)

    def _receive_response(self, response: Response) -> None:
        client = self._clients.get((response.branch, response.cseq_method))
        if client is not None:
            client.receive(response)

    def _receive_request(self, request: Request, sender: Peer) -> None:
        key = (request.branch, request.call_id, request.method)
        if request.method == "ACK":
            invite = self._servers.get((request.branch, request.call_id, "INVITE"))
            if invite is not None and invite.final >= 300:
                invite.acknowledged()
                return
        known = self._servers.get(key)
        if known is not None:
            known.repeat()
            return
        transaction = ServerTransaction(self, request, sender)
        if request.method != "ACK":
            self._servers[key] = transaction
            self.later(LIFETIME * 2, lambda: self._servers.__delitem__(key))
        self._on_request(transaction)


class ClientTransaction:
    """One request of ours; see `Transactions.request`.

    Attributes:
        message: the request.
        provisional: whether a response below 200 has arrived.
        final: the code of the final response; 0 before it, 408 if none came in time.
    """

    def __init__(
        self,
        layer: Transactions,
        message: Request,
        to: Peer,
        on_response: Callable[[Response | None], None],
    ) -> None:
        self.message = message
        self.provisional = False
        self.final = 0
        self._layer, self._to, self._on_response = layer, to, on_response
        self._timer: asyncio.TimerHandle | None = None

    def send_again(self, delay: float) -> None:
        """Send now, and again after `delay`, twice `delay`, and so on.

        INVITEs double without a limit (timer A), other requests up to 4 s (timer E). `receive` and
        `expire` stop it.
        """
        self._layer.send(self.message, self._to)
        again = delay * 2 if self.message.method == "INVITE" else min(delay * 2, T2)
        self._timer = self._layer.later(delay, lambda: self.send_again(again))

    def receive(self, response: Response) -> None:
        """Take a response that belongs to this transaction."""
        invite = self.message.method == "INVITE"
        if response.code < 200:
            self.provisional = True
            if invite:
                self._layer.stop_timer(self._timer)
            if not self.final:
                self._on_response(response)
            return
        self._layer.stop_timer(self._timer)
        if invite and response.code >= 300:
            self._layer.send(self._ack(response), self._to)
        if self.final == 0 or (invite and response.code < 300):
            self.final = response.code
            self._on_response(response)

    def expire(self) -> None:
        """End it after 32 s. An INVITE that is ringing may go on for longer."""
        if self.message.method == "INVITE" and self.provisional and not self.final:
            self._layer.later(LIFETIME, self.expire)
            return
        self._layer.stop_timer(self._timer)
        self._layer.forget(self)
        if not self.final:
            self.final = 408
            self._on_response(None)

    def _ack(self, response: Response) -> Request:
        """Return the ACK of a refusal: same branch, and the refusal's To (RFC 3261, 17.1.1.3)."""
        sent = self.message.headers
        headers = Headers([("Via", sent.get("via")), ("Max-Forwards", "70")])
        headers.add("From", sent.get("from"))
        headers.add("To", response.headers.get("to"))
        headers.add("Call-ID", self.message.call_id)
        headers.add("CSeq", f"{self.message.cseq} ACK")
        for route in sent.all("route"):
            headers.add("Route", route)
        return Request(headers, b"", "ACK", self.message.uri)


class ServerTransaction:
    """One request of the other side.

    Attributes:
        at: its arrival, in `time.monotonic` seconds.
        final: the code of our final response; 0 before it.
    """

    def __init__(self, layer: Transactions, request: Request, sender: Peer) -> None:
        self.request, self.sender, self.at = request, sender, request.at
        self.final = 0
        self._layer = layer
        self._last: Response | None = None
        self._timer: asyncio.TimerHandle | None = None

    def respond(
        self,
        code: int,
        *,
        tag: str = "",
        body: bytes = b"",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        """Send a response.

        A final one to an INVITE is repeated until its ACK; only the first counts.
        """
        if self.final:
            return
        self._last = respond(self.request, code, tag=tag, body=body)
        for name, value in headers:
            self._last.headers.add(name, value)
        self.final = code if code >= 200 else 0
        self.repeat()
        if self.final and self.request.method == "INVITE":
            self._again(T1, LIFETIME)

    def repeat(self) -> None:
        """Repeat the response, if there is one: the request was retransmitted."""
        if self._last is not None:
            self._layer.send(self._last, self.sender)

    def acknowledged(self) -> None:
        """Note the ACK: stop retransmitting.

        The final response of an INVITE would otherwise be repeated for 32 s.
        """
        self._layer.stop_timer(self._timer)

    def _again(self, delay: float, left: float) -> None:
        def fire() -> None:
            self.repeat()
            self._again(min(delay * 2, T2), left - delay)

        if left > 0:
            self._timer = self._layer.later(delay, fire)
