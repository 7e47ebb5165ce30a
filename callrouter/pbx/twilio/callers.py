"""Moves callers: into the waiting room, into a conference with an agent, and out.

A caller is moved by giving the call another document. Either the answer to a webhook carries it, or
a request does; `callrouter.pbx.twilio.webhook.WebhookReply` decides which.

A request may take effect although its answer is lost. Repeating it is safe if the caller waits or
leaves, because running the same document twice changes nothing. So these moves are repeated until
they succeed. A move into a conference is not: joining twice would interrupt a conversation that has
already begun.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial

from callrouter.model.commands import Announce, Connect, Leave, Requeue, Result
from callrouter.model.events import CallerListens, ConnectFailed, ConnectFault
from callrouter.model.routing_table import HangUp, ToDialplan
from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.calls_and_legs import (
    TwilioCaller,
    TwilioCallerState,
    TwilioLeg,
    TwilioLegState,
    encode_queue_name,
    encode_turn,
)
from callrouter.pbx.twilio.rest.api_requests import ApiOutcome, ApiResult, RedirectCall
from callrouter.pbx.twilio.webhook import WebhookReply, WebhookUrls
from callrouter.settings import TwilioSettings

logger = logging.getLogger(__name__)

MOST_TRIES = 5
"""How many times a waiting or leaving caller's move is requested."""
_RETRY_AFTER = 0.5
"""Seconds before a request is repeated, times the number of attempts so far."""


class CallerControl:
    """Moves the callers of one account.

    Args:
        account: the state of the account.
        settings: where callers are sent.
        urls: the URLs that Twilio is given.
        reply: the answer that is being built for a webhook.
    """

    def __init__(
        self,
        account: AccountState,
        settings: TwilioSettings,
        urls: WebhookUrls,
        reply: WebhookReply,
    ) -> None:
        self._account = account
        self._settings = settings
        self._urls = urls
        self._reply = reply

    def register(self, caller: TwilioCaller) -> None:
        """Register a caller who has called or was found waiting, and tell the router.

        The router's first commands for the caller are carried out before this returns.
        """
        self._account.callers[caller.sid] = caller
        caller.first_entered_at = caller.arrived.entered_at or self._account.now
        caller.queued_at = caller.arrived.queued_at or self._account.now
        self._account.post_event(caller.arrived)

    def connect(self, command: Connect) -> None:
        """Connect a caller with an accepted leg.

        The agent is put into the conference by the answer to their own webhook, and the caller by a
        request. If either has left in the meantime, `ConnectFailed` is posted.
        """
        caller = self._account.caller_of(command.call)
        leg = self._account.legs.get((command.offer, command.device))
        if caller is None or caller.state is TwilioCallerState.LEAVING:
            self._report_connect_failed(command.call, command.offer, ConnectFault.CALLER_GONE)
        elif leg is None or leg.state is not TwilioLegState.ACCEPTED or not leg.wanted:
            self._report_connect_failed(command.call, command.offer, ConnectFault.LEG_GONE)
        else:
            caller.start_connecting(leg)
            if leg.in_group_dial:  # the answer being built connects it
                caller.conference_name = ""
                self._account.mark_connected(caller)
            else:
                self._redirect_to_conference(caller, leg)

    def _redirect_to_conference(self, caller: TwilioCaller, leg: TwilioLeg) -> None:
        self._account.send_request(
            RedirectCall(
                sid=caller.sid, twiml=twiml.join_conference(self._urls, caller.conference_name)
            ),
            partial(self._on_redirected_to_conference, caller, leg),
        )

    def _report_connect_failed(self, call: str, offer: str, why: ConnectFault) -> None:
        self._account.post_event(ConnectFailed(call=call, offer=offer, why=why))

    def requeue(self, command: Requeue) -> None:
        """Put a caller back in the queue, whether they were being connected or talked already.

        An announcement that was stored before is out of date by now and is dropped.
        """
        caller = self._account.caller_of(command.call)
        if caller is None or caller.state is TwilioCallerState.LEAVING:
            return
        caller.detach(TwilioCallerState.WAITING)
        caller.state_since = self._account.now
        caller.announcement = None
        if command.queued_at is not None:
            caller.queued_at = command.queued_at
        self._run(caller, self.waiting_room(caller))

    def announce(self, command: Announce) -> None:
        """Store an announcement until the caller's music pauses. A newer one replaces it."""
        caller = self._account.caller_of(command.call)
        if caller is not None and caller.state is TwilioCallerState.WAITING:
            caller.announcement = command

    def take_announcement(self, caller: TwilioCaller) -> Announce | None:
        """Return the announcement that the caller must hear now, if there is one.

        It may have been stored for a while. So it is thrown away, and `CallerListens` makes the
        router order another one, with the present position, before `post_event` returns.
        """
        if caller.announcement is None:
            return None
        caller.announcement = None
        self._account.post_event(CallerListens(call=caller.arrived.call))
        news, caller.announcement = caller.announcement, None
        return news

    def update_queue(
        self, call: str, queue: str, priority: int, queued_at: float | None = None
    ) -> None:
        """Move a waiting call to its new queue in Twilio, so that a restart finds it there.

        Args:
            call: the call's id.
            queue: its queue.
            priority: its priority; 0 leaves it unchanged.
            queued_at: when it entered the queue (epoch seconds); None leaves it unchanged.
        """
        caller = self._account.caller_of(call)
        if caller is None:
            return
        before = caller.arrived
        after = replace(before, queue=queue, priority=priority or before.priority)
        if queued_at is not None:
            caller.queued_at = queued_at
        if after == before:
            return
        caller.arrived = after
        waits = caller.state is TwilioCallerState.WAITING and not caller.rings_phones
        if waits and not caller.redirect_pending:
            self._run(caller, self.waiting_room(caller))

    def leave(self, command: Leave) -> None:
        """Let a caller leave, to where the command says.

        The document is kept with the caller: whichever comes first, our request or the next turn of
        music, runs it.
        """
        caller = self._account.caller_of(command.call)
        if caller is None:
            return
        caller.detach(TwilioCallerState.LEAVING)
        caller.exit_document = self._exit_document(command)
        self._run(caller, caller.exit_document)

    def waiting_room(self, caller: TwilioCaller) -> str:
        """The document with which a caller waits, or with which their call rings phones."""
        return caller.dial_document or twiml.wait_in_queue(
            self._urls,
            encode_queue_name(caller.arrived),
            encode_turn(caller.arrived, caller.first_entered_at, caller.queued_at),
        )

    def _exit_document(self, command: Leave) -> str:
        """The document for leaving.

        A dialplan context of the rules is a number here, as configured under ``places``. A caller
        whose conversation is over just hangs up. All other callers get the fallback.
        """
        match command.target:
            case HangUp():
                return twiml.goodbye()
            case ToDialplan(context):
                number = self._settings.places.get(context, "")
            case _ if command.result is Result.ANSWERED:
                return twiml.goodbye()
            case _:
                number = ""
        return self.fallback(number)

    def fallback(self, number: str = "") -> str:
        """Send a caller to a number ("": the fallback's), or apologise if there is none."""
        number = number or self._settings.fallback
        if number:
            return twiml.dial_number(number, self._settings.caller_id)
        return twiml.goodbye(twiml.NOT_NOW)

    def _on_redirected_to_conference(
        self, caller: TwilioCaller, leg: TwilioLeg, result: ApiResult
    ) -> None:
        """Handle the outcome of moving a caller into a conference.

        If the outcome is unknown, nothing is done. A second move would interrupt the conversation
        if the first one succeeded. The conference will report it, or the router's time limit for a
        connect puts the caller back in the queue.
        """
        if caller.leg is not leg or caller.state is not TwilioCallerState.MOVING:
            return  # already known from elsewhere, or not wanted any more
        if result.outcome is ApiOutcome.DONE:
            self._account.mark_connected(caller)
        elif result.safe_to_repeat:
            self._account.call_after(_RETRY_AFTER, lambda: self._retry_connect(caller, leg))
        elif result.call_ended:
            self._account.remove_caller(caller.sid)
            call = caller.arrived.call
            self._report_connect_failed(call, leg.ring.offer, ConnectFault.CALLER_GONE)
        elif result.outcome is not ApiOutcome.UNKNOWN:
            logger.warning(
                "%s: a caller cannot be connected: %s", self._account.name, result.detail
            )
            self._report_connect_failed(caller.arrived.call, leg.ring.offer, ConnectFault.FAILED)

    def _retry_connect(self, caller: TwilioCaller, leg: TwilioLeg) -> None:
        if caller.leg is leg and caller.state is TwilioCallerState.MOVING and leg.live:
            self._redirect_to_conference(caller, leg)

    def _run(self, caller: TwilioCaller, document: str) -> None:
        """Have a waiting or leaving caller's call run a document."""
        self._reply.deliver(caller.sid, partial(self._redirect_until_done, caller, document, 1))

    def _redirect_until_done(self, caller: TwilioCaller, document: str, attempt: int) -> None:
        """Move a caller to the waiting room or out, repeating the request until it succeeds.

        Args:
            caller: the caller.
            document: the document to run.
            attempt: number of this attempt, from 1.
        """
        caller.redirect_pending = True
        self._account.send_request(
            RedirectCall(sid=caller.sid, twiml=document),
            partial(self._on_redirected, caller, caller.state, document, attempt),
        )

    def _on_redirected(
        self,
        caller: TwilioCaller,
        state: TwilioCallerState,
        document: str,
        attempt: int,
        result: ApiResult,
    ) -> None:
        """Handle the outcome of a move to the waiting room or out.

        While a request is under way, no second one is sent, because they might be carried out in
        the wrong order. So when it is done, the caller's present document is compared with the
        requested one. A move is not repeated if the caller's state has changed since.
        """
        caller.redirect_pending = False
        if result.call_ended:
            self._account.caller_left(caller.sid)
        elif result.outcome is ApiOutcome.DONE:
            if caller.state is state is TwilioCallerState.WAITING and not caller.rings_phones:
                now = self.waiting_room(caller)
                if now != document:  # the caller has been moved on since
                    self._redirect_until_done(caller, now, 1)
        elif caller.state is state and caller.leg is None:
            if attempt < MOST_TRIES:
                self._account.call_after(
                    _RETRY_AFTER * attempt,
                    lambda: self._retry_redirect(caller, state, document, attempt + 1),
                )
            else:
                logger.error("%s: a caller cannot be moved: %s", self._account.name, result.detail)

    def _retry_redirect(
        self, caller: TwilioCaller, state: TwilioCallerState, document: str, attempt: int
    ) -> None:
        if (
            self._account.callers.get(caller.sid) is caller
            and caller.state is state
            and caller.leg is None
        ):
            self._redirect_until_done(caller, document, attempt)
