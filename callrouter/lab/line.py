"""A phone's identity at its server: addresses, and requests that answer digest challenges."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from callrouter.lab.message import Headers, Request, Response, authorize
from callrouter.lab.rtp import Pace
from callrouter.lab.transaction import ClientTransaction, Peer, Transactions

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, NOTIFY"
_MOST_CHALLENGES = 2  # the second one may say that the first nonce was stale


def new_tag() -> str:
    """Return a new tag or Call-ID."""
    return secrets.token_hex(8)


@dataclass(slots=True)
class SipLine:
    """A phone's identity, and the destination of its requests."""

    name: str
    server: Peer
    username: str
    password: str
    layer: Transactions
    pace: Pace = field(default_factory=Pace)

    @property
    def domain(self) -> str:
        """`host:port` of the server."""
        return f"{self.server[0]}:{self.server[1]}"

    @property
    def address_of_record(self) -> str:
        """The phone's public SIP URI."""
        return f"sip:{self.username}@{self.domain}"

    @property
    def contact(self) -> str:
        """The Contact value: where the server reaches the phone."""
        return f"<sip:{self.username}@127.0.0.1:{self.layer.port}>"

    def uri(self, target: str) -> str:
        """Return `target` itself if it is a SIP URI, or that number at the server."""
        return target if target.startswith("sip:") else f"sip:{target}@{self.domain}"

    def send(
        self,
        request: Request,
        on_response: Callable[[Response | None], None],
        next_cseq: Callable[[], int],
    ) -> Exchange:
        """Send `request`, answering challenges; `on_response` as in `Transactions.request`.

        Args:
            request: the first attempt. A retry copies its headers, but for Via, CSeq and the
                answer.
            on_response: gets every response but a challenge that is answered.
            next_cseq: gives the number of each retry.
        """
        return Exchange(self, request, on_response, next_cseq)


class Exchange:
    """One request with its digest retries; `current` is the latest transaction.

    Two challenges are answered at most, because the second one may say that the first nonce was
    stale. The next 401 or 407 is passed on like any refusal.
    """

    def __init__(
        self,
        line: SipLine,
        request: Request,
        on_response: Callable[[Response | None], None],
        next_cseq: Callable[[], int],
    ) -> None:
        self._line, self._on_response, self._next_cseq = line, on_response, next_cseq
        self._challenges = 0
        self.current: ClientTransaction
        self._send(request)

    def _send(self, request: Request) -> None:
        def receive(response: Response | None) -> None:
            if response is None or not self._retry(request, response):
                self._on_response(response)

        self.current = self._line.layer.request(request, self._line.server, receive)

    def _retry(self, request: Request, response: Response) -> bool:
        if response.code not in {401, 407} or self._challenges >= _MOST_CHALLENGES:
            return False
        self._challenges += 1
        asks, answers = (
            ("www-authenticate", "Authorization")
            if response.code == 401
            else ("proxy-authenticate", "Proxy-Authorization")
        )
        value = authorize(
            response.headers.get(asks),
            method=request.method,
            uri=request.uri,
            username=self._line.username,
            password=self._line.password,
        )
        kept = [
            (name, text)
            for name, text in request.headers.items()
            if name not in {"Via", "CSeq", answers}
        ]
        headers = Headers([("Via", self._line.layer.via()), *kept])
        headers.add("CSeq", f"{self._next_cseq()} {request.method}")
        headers.add(answers, value)
        self._send(Request(headers, request.body, request.method, request.uri))
        return True


async def final_response(
    line: SipLine, request: Request, next_cseq: Callable[[], int], within: float = 5.0
) -> Response | None:
    """Send a request other than INVITE and return its final response; None if there is none.

    Raises no TimeoutError: None also means that `within` seconds are over. The transaction then
    goes on in the background, until its own end.
    """
    future: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()

    def receive(response: Response | None) -> None:
        if not future.done() and (response is None or response.code >= 200):
            future.set_result(response)

    line.send(request, receive, next_cseq)
    try:
        async with asyncio.timeout(within):
            return await future
    except TimeoutError:
        return None
