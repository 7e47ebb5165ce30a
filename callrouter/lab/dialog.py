"""One call of a laboratory phone: what a person at the phone can do with it."""

from __future__ import annotations

import asyncio
import time

from callrouter.lab.behaviour import DtmfMethod
from callrouter.lab.call_record import CallEndedError
from callrouter.lab.leg import Extra, SipLeg
from callrouter.lab.line import final_response
from callrouter.lab.message import Response
from callrouter.lab.sdp import mirror, read_sdp

_GOODBYE_S = 2.0


class Dialog(SipLeg):
    """One call, created by `Phone.call` and by incoming INVITEs.

    Methods that need an answered call raise `CallEndedError` otherwise.
    """

    async def cancel(self) -> None:
        """Cancel our unanswered call. Returns when it has ended; raises TimeoutError after 5 s.

        Does nothing for an incoming, answered or ended call. Before the first provisional response
        no CANCEL may be sent (RFC 3261, 9.1); it is then sent as soon as one arrives.
        """
        if self.direction == "out" and self.state not in {"up", "ended"}:
            self._cancelling = True
            if self._exchange is not None and self._exchange.current.provisional:
                self._send_cancel()
            await self.wait_ended()

    def ring(self, *, early_media: bool = False) -> None:
        """Send 180, or 183 with audio.

        Does nothing for an outgoing, answered or ended call.

        Args:
            early_media: whether to send 183 and speak at once.
        """
        if self._invite is None or self.state in {"up", "ended"}:
            return
        if early_media:
            self._respond(self._invite, 183, self._answer_sdp())
            self._take_sdp(self._invite.request.body)
        else:
            self._respond(self._invite, 180)
        self._rings(early=early_media)

    async def answer(self) -> None:
        """Send 200 and speak. Does nothing on an answered call; raises if it has ended.

        Raises:
            CallEndedError: it has ended, or is an outgoing call.
        """
        if self._invite is None or self.state == "ended":
            raise CallEndedError(self.final_code)
        if self.state != "up":
            self._respond(self._invite, 200, self._answer_sdp())
            self._take_sdp(self._invite.request.body)
            self._is_up()

    async def refuse(self, code: int, headers: Extra = ()) -> None:
        """End an unanswered incoming call with a final `code` from 300 to 699.

        Does nothing for an outgoing, answered or ended call.

        Args:
            code: the final code.
            headers: further headers, as name and value.
        """
        if self._invite is not None and self.state not in {"up", "ended"}:
            now = time.monotonic()  # its consequences may arrive before we run again
            self._invite.respond(code, tag=self.local_tag, headers=headers)
            self._finish("us", code=code, at=now)

    async def redirect(self, target: str) -> None:
        """Redirect an unanswered incoming call to a number or SIP URI (302).

        Does nothing for an outgoing, answered or ended call. Whether to follow is for the server to
        decide.
        """
        await self.refuse(302, (("Contact", f"<{self._line.uri(target)}>"),))

    async def bye(self) -> None:
        """Hang up in any state: BYE, CANCEL or 480. Returns when the other side knows.

        It waits 2 s at most for the answer to a BYE. A CANCEL raises TimeoutError as `cancel` does.
        """
        if self.state == "ended":
            return
        if self.state != "up":
            await (self.cancel() if self.direction == "out" else self.refuse(480))
            return
        request = self._request("BYE")
        self._finish("us")  # before it is sent
        await final_response(self._line, request, self._next_cseq, _GOODBYE_S)

    async def hold(self) -> int:
        """Put the other side on hold by re-INVITE; returns the final code.

        While it lasts, this phone says nothing. `on_hold` tells whether it worked.

        Raises:
            CallEndedError: the call is not up.
            TimeoutError: no final answer within 5 s.
        """
        return await self._reinvite("sendonly")

    async def unhold(self) -> int:
        """Take the other side off hold; returns the final code.

        Raises as `hold`. A final code of 300 or more leaves the other side on hold.
        """
        return await self._reinvite("sendrecv")

    async def send_dtmf(self, digit: str, how: DtmfMethod = "rfc4733") -> None:
        """Press one key for 0.1 s; raises ValueError if it cannot be sent that way.

        By INFO (``info``), the digit is not checked, and the other side's refusal is not reported.

        Raises:
            CallEndedError: the call is not up.
            ValueError: as RFC 4733 event: not one of 0-9, ``*``, ``#``, A-D, or the other side
                takes no events.
        """
        self._must_be_up()
        if how == "rfc4733":
            await self._media.press(digit)
            return
        body = f"Signal={digit}\r\nDuration=100\r\n".encode()
        request = self._request("INFO", (("Content-Type", "application/dtmf-relay"),), body)
        await final_response(self._line, request, self._next_cseq)

    async def blind_transfer(self, target: str, within: float = 10.0) -> int:
        """REFER the other side to `target`; returns the final code of the transfer.

        Below 300, our part of the call has ended; otherwise it is still up. 408 also means that the
        REFER was not answered.

        Raises:
            CallEndedError: the call is not up.
            TimeoutError: the REFER was accepted, but no outcome followed within `within` seconds.
        """
        return await self._refer(f"<{self._line.uri(target)}>", within)

    async def attended_transfer(self, other: Dialog, within: float = 10.0) -> int:
        """Connect our peer with the peer of `other`, by REFER with Replaces.

        Returns and raises as `blind_transfer`.
        """
        replaces = f"{other.call_id}%3Bto-tag%3D{other.remote_tag}%3Bfrom-tag%3D{other.local_tag}"
        uri = f"sip:{other.peer_number}@{self._line.domain}"
        return await self._refer(f"<{uri}?Replaces={replaces}>", within)

    async def _refer(self, refer_to: str, within: float) -> int:
        self._must_be_up()
        self._progress = asyncio.get_running_loop().create_future()
        headers = (("Refer-To", refer_to), ("Referred-By", f"<{self._line.address_of_record}>"))
        request = self._request("REFER", headers)
        response = await final_response(self._line, request, self._next_cseq, within)
        if response is None or response.code >= 300:
            return 408 if response is None else response.code
        async with asyncio.timeout(within):
            code = await self._progress
        if code < 300:
            await self.bye()
        return code

    async def _reinvite(self, direction: str) -> int:
        self._must_be_up()
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def receive(response: Response | None) -> None:
            if response is not None and response.code < 200:
                return
            if response is not None and response.code < 300:
                ack = self._request("ACK", cseq=response.cseq)
                self._line.layer.send(ack, self._line.server)
                self._take_sdp(response.body)
            if not future.done():
                future.set_result(408 if response is None else response.code)

        self._reinviting = True
        request = self._request("INVITE", (), self._offer(direction))
        self._line.send(request, receive, self._next_cseq)
        try:
            async with asyncio.timeout(5):
                code = await future
        finally:
            self._reinviting = False
        if code < 300:
            self.on_hold = direction == "sendonly"
            if self.on_hold:
                self._media.speaking = False  # a phone that holds is mute
            self._changed("hold" if self.on_hold else "unhold")
        return code

    def _must_be_up(self) -> None:
        if self.state != "up":
            raise CallEndedError(self.final_code)

    def _answer_sdp(self) -> bytes:
        sdp = read_sdp(self._invite.request.body) if self._invite is not None else None
        return self._offer(mirror(sdp.direction) if sdp is not None else "sendrecv")
