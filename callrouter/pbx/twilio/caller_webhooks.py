"""Webhooks about callers: they arrive, wait, leave the queue, and leave a conversation."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import Final

from callrouter.model.events import CallArrived, CallerEnd, LegEnd
from callrouter.pbx.twilio import twiml
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.callers import CallerControl
from callrouter.pbx.twilio.calls_and_legs import (
    TwilioCaller,
    TwilioCallerState,
    decode_conference_name,
    decode_time_before_queue,
    decode_turn,
)
from callrouter.pbx.twilio.dial import GroupDialler
from callrouter.pbx.twilio.legs import LegControl
from callrouter.pbx.twilio.webhook import Webhook, WebhookReply, WebhookUrls
from callrouter.settings import TwilioSettings

logger = logging.getLogger(__name__)

_CONFERENCE_SID: Final = re.compile(r"CF[0-9a-f]{32}")


class CallerWebhooks:
    """Handles the webhooks about the callers of one account.

    Each method takes a webhook and returns the document that the caller's call must run next.

    Args:
        account: the state of the account.
        callers: moves callers.
        leg_control: ends the agents' legs.
        group_dialler: knows what a caller's `<Dial>` rang.
        reply: the answer that is being built.
        settings: the queues of the numbers, and the music.
        urls: the URLs that Twilio is given.
    """

    def __init__(
        self,
        account: AccountState,
        *,
        callers: CallerControl,
        leg_control: LegControl,
        group_dialler: GroupDialler,
        reply: WebhookReply,
        settings: TwilioSettings,
        urls: WebhookUrls,
    ) -> None:
        self._account = account
        self._callers = callers
        self._leg_control = leg_control
        self._group_dialler = group_dialler
        self._reply = reply
        self._settings = settings
        self._urls = urls

    # ------------------------------------------------------------ arriving and waiting

    def on_voice(self, webhook: Webhook) -> str:
        """A caller has called one of our numbers, or Twilio repeats that request."""
        if webhook.sid in self._account.ended_calls:
            self._account.counts["stale"] += 1
            return twiml.goodbye()
        caller = self._account.callers.get(webhook.sid)
        if caller is None:
            caller = self._new_caller(webhook, entered_at=None)
            if caller is None:
                return self._callers.fallback()
            self._register(caller)
        return self._document_for(caller)

    def on_wait(self, webhook: Webhook) -> str:
        """A waiting caller needs the next turn of music. The token says where they wait."""
        if webhook.sid in self._account.ended_calls:
            self._account.counts["stale"] += 1
            return twiml.goodbye()
        caller = self._account.callers.get(webhook.sid)
        if caller is None:  # unknown: we were restarted, or never heard of the caller's arrival
            caller = self._adopted_caller(webhook)
            if caller is None:
                return twiml.leave_queue()
            self._register(caller)
            self._account.counts["adopted"] += 1
        if caller.state is TwilioCallerState.LEAVING or caller.dial_document:
            return twiml.leave_queue()
        spec = self._account.table.queues.get(caller.arrived.queue)
        sound = self._settings.music.get(spec.music, "") if spec is not None else ""
        return twiml.music(sound, self._callers.take_announcement(caller))

    def _register(self, caller: TwilioCaller) -> None:
        """Report a new caller. What the router orders at once is in the caller's next document."""
        with self._reply.building(caller.sid):
            self._callers.register(caller)

    def _new_caller(self, webhook: Webhook, entered_at: float | None) -> TwilioCaller | None:
        """A caller of one of our numbers; None if no queue is configured for it."""
        called = webhook.params.get("To", "")
        queue = self._settings.numbers.get(called)
        if queue is None:
            self._account.counts["number without a queue"] += 1
            logger.warning("%s: a call for a number that no queue is given for", self._account.name)
            return None
        arrived = CallArrived(
            call=self._account.call_id(webhook.sid),
            pbx=self._account.name,
            queue=queue,
            caller_number=webhook.params.get("From", ""),
            caller_name=webhook.params.get("CallerName", ""),
            called_number=called,
            entered_at=entered_at,
        )
        return TwilioCaller(arrived, webhook.sid, state_since=self._account.now)

    def _adopted_caller(self, webhook: Webhook) -> TwilioCaller | None:
        """A caller who waits already: the queue, priority and times are in the turn's token."""
        waited = _seconds(webhook.params.get("QueueTime", ""))
        caller = self._new_caller(webhook, entered_at=self._account.now - waited)
        if caller is None:
            return None
        caller.logged = True
        queue, priority, first = decode_turn(webhook.token, self._account.table.queues)
        if queue:
            queued_at = None if first is None else first + decode_time_before_queue(webhook.token)
            caller.arrived = replace(
                caller.arrived,
                queue=queue,
                priority=priority,
                entered_at=first or caller.arrived.entered_at,
                queued_at=queued_at or caller.arrived.entered_at,
            )
        return caller

    def _document_for(self, caller: TwilioCaller) -> str:
        """The document for a caller whose call has nothing to run."""
        if caller.state is TwilioCallerState.LEAVING:
            return caller.exit_document
        if caller.state is TwilioCallerState.WAITING:
            return self._callers.waiting_room(caller)
        return twiml.join_conference(self._urls, caller.conference_name)

    # ------------------------------------------------------------ leaving

    def on_left(self, webhook: Webhook) -> str:
        """A caller has left Twilio's queue. `QueueResult` says why."""
        caller = self._account.callers.get(webhook.sid)
        result = webhook.params.get("QueueResult", "")
        if result == "hangup" or webhook.call_is_over:
            self._account.caller_left(webhook.sid)
            return twiml.nothing()
        if result.startswith("redirected"):
            return twiml.nothing()  # by us: the next document is on its way
        if caller is None:
            return self._callers.fallback()
        if result == "leave" or caller.state is TwilioCallerState.LEAVING:
            return self._document_for(caller)
        # Twilio cannot keep the caller waiting (error, queue-full, system-error). Any destination
        # is better than none.
        self._account.counts["queue trouble"] += 1
        self._account.caller_left(webhook.sid, CallerEnd.MOVED_AWAY)
        return self._callers.fallback()

    def on_caller_status(self, webhook: Webhook) -> str:
        """Twilio reports the state of a caller's whole call. Only its end matters."""
        if webhook.call_is_over:
            self._account.caller_left(webhook.sid)
        return twiml.nothing()

    def on_caller_done(self, webhook: Webhook) -> str:
        """A caller has left the conference, and has either hung up or is still on the line."""
        if webhook.call_is_over:
            self._account.caller_left(webhook.sid)
            return twiml.nothing()
        caller = self._account.callers.get(webhook.sid)
        if caller is None:
            return twiml.goodbye()
        leg = caller.leg
        if caller.state is TwilioCallerState.TALKING and leg is not None:
            # The conference has ended but the caller's call has not, so the agent has hung up. The
            # router decides whether that was a conversation or the caller must wait on.
            with self._reply.building(caller.sid):
                self._leg_control.hang_up(leg)
                self._account.end_leg(leg, LegEnd.HUNG_UP)
        if caller.state in {TwilioCallerState.LEAVING, TwilioCallerState.WAITING}:
            return self._document_for(caller)
        return twiml.goodbye()

    def on_dial_done(self, webhook: Webhook) -> str:
        """A caller's `<Dial>` has ended.

        No phone was picked up, the agent hung up, or the caller runs another document.
        """
        if webhook.call_is_over:
            self._account.caller_left(webhook.sid)
            return twiml.nothing()
        caller = self._account.callers.get(webhook.sid)
        if caller is None:  # from before a restart, or long gone
            ended = webhook.sid in self._account.ended_calls
            return twiml.goodbye() if ended else self.on_voice(webhook)
        with self._reply.building(caller.sid):
            status = webhook.params.get("DialCallStatus", "")
            self._group_dialler.on_dial_ended(caller, webhook.token, status)
        if caller.leg is not None and caller.leg.in_group_dial:
            # they are talking: an old one has ended, or the request was repeated
            return twiml.nothing()
        return self._document_for(caller)

    # ------------------------------------------------------------ conversations

    def on_hold(self, _webhook: Webhook) -> str:
        """A caller on hold needs the next turn of music."""
        return twiml.on_hold(self._urls, self._settings.music.get("default", ""))

    def on_conference(self, webhook: Webhook) -> str:
        """A conference has started or ended.

        Its name contains the offer, so news about an earlier conference of the same caller is
        recognised by the name and ignored.
        """
        params = webhook.params
        name = params.get("FriendlyName", "")
        caller = self._account.callers.get(decode_conference_name(name)[0])
        if caller is None or caller.leg is None or caller.conference_name != name:
            return twiml.nothing()
        event = params.get("StatusCallbackEvent")
        if _CONFERENCE_SID.fullmatch(params.get("ConferenceSid", "")):
            caller.conference_sid = params["ConferenceSid"]
        if event == "conference-start":
            self._account.mark_connected(caller)
        elif event == "conference-end" and caller.state is TwilioCallerState.TALKING:
            ended_by = params.get("CallSidEndingConference", "")
            if ended_by == caller.sid:
                self._account.caller_left(caller.sid)
            elif ended_by == caller.leg.sid:
                self._account.end_leg(caller.leg, LegEnd.HUNG_UP)
        return twiml.nothing()


def _seconds(text: str) -> float:
    """A parameter in whole seconds, such as ``QueueTime``; 0 if it is not one."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0
