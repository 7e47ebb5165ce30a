"""Answers Twilio's webhooks from memory: parameters in, a document out, and events for the router.

The sender was authenticated before (`callrouter.pbx.twilio.webhooks.signature`). Twilio repeats a request
that was not answered, and an attacker who has seen a request can replay it. So every handler is
idempotent: the same request gets the same answer, and nothing happens twice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from callrouter.model.events import (
    CallArrived,
    CallerEnd,
    LegAccepted,
    LegAnswered,
    LegEnd,
    LegRang,
)
from callrouter.pbx.twilio import hangup_causes, twiml
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.callers import CallerControl
from callrouter.pbx.twilio.calls_and_legs import (
    TwilioCaller,
    TwilioCallerState,
    TwilioLeg,
    TwilioLegState,
    decode_conference_name,
    decode_time_before_queue,
    decode_turn,
    encode_label,
)
from callrouter.pbx.twilio.dial import GroupDialler
from callrouter.pbx.twilio.legs import LegControl
from callrouter.pbx.twilio.phone_dialogues import PhoneDialogues
from callrouter.pbx.twilio.urls import WebhookUrls
from callrouter.settings import TwilioSettings

logger = logging.getLogger(__name__)

Params: TypeAlias = Mapping[str, str]
_NOT_ONE: Mapping[str, LegEnd] = {"": LegEnd.NOT_ACCEPTED, "2": LegEnd.DECLINED}
"""The outcome for each key except 1. Any key not listed is a wrong key."""
_SID = re.compile(r"CA[0-9a-f]{32}")
_CONFERENCE = re.compile(r"CF[0-9a-f]{32}")


class MalformedWebhook(Exception):  # noqa: N818 - named for what happened
    """A correctly signed request that does not match Twilio's documentation."""


class WebhookHandlers:
    """Answers the webhooks of one account."""

    def __init__(
        self,
        account: AccountState,
        *,
        leg_control: LegControl,
        callers: CallerControl,
        dialogues: PhoneDialogues,
        group_dialler: GroupDialler,
        settings: TwilioSettings,
        urls: WebhookUrls,
    ) -> None:
        self._account = account
        self._leg_control = leg_control
        self._callers = callers
        self._dialogues = dialogues
        self._group_dialler = group_dialler
        self._settings = settings
        self._urls = urls
        self._caller_handlers: Mapping[str, Callable[[str, Params], str]] = {
            "voice": self._on_voice,
            "left": self._on_left,
            "caller-done": self._on_caller_done,
            "caller-status": self._on_caller_status,
        }
        self._leg_handlers: Mapping[str, Callable[[TwilioLeg, Params], str]] = {
            "agent": self._on_agent,
            "accept": self._on_accept,
            "agent-done": self._on_agent_done,
            "offer": self._on_offer,
        }

    def answer(self, part: str, token: str, params: Params, now: float) -> str:
        """The document that answers a request.

        Args:
            part: which of `urls.PARTS` was requested.
            token: the one-shot token in the URL; "" if there is none.
            params: the parameters sent by Twilio.
            now: the time.

        Raises:
            MalformedWebhook: a parameter is missing that every Twilio request has.
        """
        self._account.set_time(now)
        if part == "conference":
            return self._on_conference(params)
        if part == "hold":
            return twiml.on_hold(self._urls, self._settings.music.get("default", ""))
        sid = params.get("CallSid", "")
        if not _SID.fullmatch(sid):
            raise MalformedWebhook(f"{part}: no CallSid")
        said = self._dialogues.answer(part, token, sid, params)
        if said is not None:
            return said
        if part == "dial-done":
            return self._on_dial_done(sid, token, params)
        if part == "wait":
            return self._on_wait(sid, token, params)
        if part in self._caller_handlers:
            return self._caller_handlers[part](sid, params)
        leg = self._account.by_token.get(token)
        if leg is None:
            self._account.counts["unknown token"] += 1
            return twiml.goodbye(twiml.NOTHING_HERE)
        if not self._leg_control.set_call_sid(leg, sid):
            self._account.counts["token of another call"] += 1
            return twiml.goodbye(twiml.NOTHING_HERE)
        return self._leg_handlers[part](leg, params)

    # ------------------------------------------------------------ callers

    def _on_voice(self, sid: str, params: Params) -> str:
        """A caller has called one of our numbers."""
        if sid in self._account.ended_calls:
            self._account.counts["stale"] += 1
            return twiml.goodbye()
        caller = self._account.callers.get(sid)
        if caller is None:
            caller = self._new_caller(sid, params, None)
            if caller is None:
                return self._callers.fallback()
            with self._callers.answering(caller):
                self._callers.register(caller)
        return self._document_for(caller)

    def _document_for(self, caller: TwilioCaller) -> str:
        """The document for a caller whose call has nothing to run."""
        if caller.state is TwilioCallerState.LEAVING:
            return caller.exit_document
        if caller.state is TwilioCallerState.WAITING:
            return self._callers.waiting_room(caller)
        return twiml.talk(self._urls, caller.conference_name)

    def _new_caller(
        self, sid: str, params: Params, entered_at: float | None
    ) -> TwilioCaller | None:
        called = params.get("To", "")
        queue = self._settings.numbers.get(called)
        if queue is None:
            self._account.counts["number without a queue"] += 1
            logger.warning("%s: a call for a number that no queue is given for", self._account.name)
            return None
        arrived = CallArrived(
            call=f"{self._account.name}-{sid}",
            pbx=self._account.name,
            queue=queue,
            caller_number=params.get("From", ""),
            caller_name=params.get("CallerName", ""),
            called_number=called,
            entered_at=entered_at,
        )
        return TwilioCaller(arrived, sid, state_since=self._account.now)

    def _on_wait(self, sid: str, place: str, params: Params) -> str:
        """A waiting caller needs the next turn of music. The request also shows where they wait."""
        if sid in self._account.ended_calls:
            self._account.counts["stale"] += 1
            return twiml.goodbye()
        caller = self._account.callers.get(sid)
        if caller is None:  # unknown: we were restarted, or never heard of the caller's arrival
            caller = self._new_caller(
                sid, params, self._account.now - _seconds(params.get("QueueTime", ""))
            )
            if caller is None:
                return twiml.leave_queue()
            queue, priority, first = decode_turn(place, self._account.table.queues)
            if queue:
                since = first or caller.arrived.entered_at
                stay = None if first is None else first + decode_time_before_queue(place)
                caller.arrived = replace(
                    caller.arrived,
                    queue=queue,
                    priority=priority,
                    entered_at=since,
                    queued_at=stay or caller.arrived.entered_at,
                )
            with self._callers.answering(caller):
                self._callers.register(caller)
            self._account.counts["adopted"] += 1
        if caller.state is TwilioCallerState.LEAVING or caller.document:
            return twiml.leave_queue()
        spec = self._account.table.queues.get(caller.arrived.queue)
        sound = self._settings.music.get(spec.music, "") if spec is not None else ""
        return twiml.music(sound, self._callers.take_announcement(caller))

    def _on_left(self, sid: str, params: Params) -> str:
        """A caller has left Twilio's queue. `QueueResult` says why."""
        caller = self._account.callers.get(sid)
        if params.get("QueueResult") == "hangup" or params.get("CallStatus") in hangup_causes.OVER:
            self._account.caller_left(sid)
            return twiml.nothing()
        if params.get("QueueResult", "").startswith("redirected"):
            return twiml.nothing()  # by us: the next document is on its way
        if caller is None:
            return self._callers.fallback()
        if params.get("QueueResult") == "leave" or caller.state is TwilioCallerState.LEAVING:
            return self._document_for(caller)
        # Twilio cannot keep the caller waiting (error, queue-full, system-error). Any destination
        # is better than none.
        self._account.counts["queue trouble"] += 1
        self._account.caller_left(sid, CallerEnd.TAKEN)
        return self._callers.fallback()

    def _on_caller_status(self, sid: str, params: Params) -> str:
        """Twilio reports the state of a caller's whole call. Only its end matters."""
        if params.get("CallStatus") in hangup_causes.OVER:
            self._account.caller_left(sid)
        return twiml.nothing()

    def _on_caller_done(self, sid: str, params: Params) -> str:
        """A caller has left the conference, and has either hung up or is still on the line."""
        if params.get("CallStatus") in hangup_causes.OVER:
            self._account.caller_left(sid)
            return twiml.nothing()
        caller = self._account.callers.get(sid)
        if caller is None:
            return twiml.goodbye()
        leg = caller.leg
        if caller.state is TwilioCallerState.TALKING and leg is not None:
            # The conference has ended but the caller's call has not, so the agent has hung up. The
            # router decides whether that was a conversation or the caller must wait on.
            with self._callers.answering(caller):
                self._leg_control.hang_up(leg)
                self._account.end_leg(leg, LegEnd.HUNG_UP)
        if caller.state in {TwilioCallerState.LEAVING, TwilioCallerState.WAITING}:
            return self._document_for(caller)
        return twiml.goodbye()

    def _on_dial_done(self, sid: str, token: str, params: Params) -> str:
        """A caller's `<Dial>` has ended.

        No phone was picked up, the agent hung up, or the caller runs another document.
        """
        if params.get("CallStatus") in hangup_causes.OVER:
            self._account.caller_left(sid)
            return twiml.nothing()
        caller = self._account.callers.get(sid)
        if caller is None:  # from before a restart, or long gone
            return (
                twiml.goodbye() if sid in self._account.ended_calls else self._on_voice(sid, params)
            )
        with self._callers.answering(caller):
            self._group_dialler.on_dial_ended(caller, token, params.get("DialCallStatus", ""))
        if caller.leg is not None and caller.leg.in_group_dial:
            # they are talking: an old one has ended, or the request was repeated
            return twiml.nothing()
        return self._document_for(caller)

    # ------------------------------------------------------------ legs

    def _on_agent(self, leg: TwilioLeg, _params: Params) -> str:
        """A phone was picked up."""
        leg.picked_up = True
        if not leg.live or leg.stop_reason is not None:
            return self._too_late(leg)
        if leg.state is TwilioLegState.ACCEPTED:
            return self._conversation_document(leg)
        if not leg.ring.confirm:
            return self._accept(leg)
        if leg.state is not TwilioLegState.ANSWERED:
            leg.state = TwilioLegState.ANSWERED
            self._leg_control.start_key_timeout(leg)
            self._account.post_event(LegAnswered(offer=leg.ring.offer, device=leg.ring.device))
        return twiml.press_one(self._urls, leg.token, leg.ring.queue_name)

    def _on_accept(self, leg: TwilioLeg, params: Params) -> str:
        """A key was pressed, or none in time."""
        leg.picked_up = True
        if not leg.live or leg.stop_reason is not None:
            return self._too_late(leg)
        if leg.state is TwilioLegState.ACCEPTED:
            return self._conversation_document(leg)
        key = params.get("Digits", "")
        if key == "1":
            return self._accept(leg)
        if not key and self._account.now < leg.key_until:  # the router ends it when its time is up
            return twiml.press_one(self._urls, leg.token, leg.ring.queue_name)
        self._account.end_leg(leg, _NOT_ONE.get(key, LegEnd.WRONG_KEY))
        return twiml.goodbye()

    def _accept(self, leg: TwilioLeg) -> str:
        """Tell the router of the acceptance.

        By the time `tell` returns, it has ordered a connect or not.
        """
        leg.state = TwilioLegState.ACCEPTED
        self._account.post_event(LegAccepted(offer=leg.ring.offer, device=leg.ring.device))
        return self._conversation_document(leg)

    def _conversation_document(self, leg: TwilioLeg) -> str:
        caller = self._callers.caller_of(leg.ring.call)
        if leg.live and leg.stop_reason is None and caller is not None:
            if caller.leg is leg and leg.in_group_dial:
                return twiml.nothing()  # Twilio connects it with the caller
            if caller.leg is leg:
                return twiml.talk(self._urls, caller.conference_name, encode_label(leg), leg.token)
            if caller.consulted_leg is leg:
                return twiml.talk(
                    self._urls, caller.conference_name, encode_label(leg), leg.token, ends=False
                )
        return self._too_late(leg)

    def _too_late(self, leg: TwilioLeg) -> str:
        """Tell a late agent why there is no call for them. The leg ends with that."""
        self._account.counts["answered too late"] += 1
        self._account.end_stopped_leg(leg)
        gone = self._callers.caller_of(leg.ring.call) is None
        return twiml.goodbye(twiml.GONE if gone else twiml.TAKEN)

    def _on_agent_done(self, leg: TwilioLeg, params: Params) -> str:
        """An agent has left the conference: they hung up, or were left alone in it."""
        caller = self._callers.caller_of(leg.ring.call)
        here = params.get("CallStatus") not in hangup_causes.OVER
        # The agent's call goes on although the conference has ended for it. If the agent had hung
        # up, their call would be over; so the caller has left.
        if (
            here
            and caller is not None
            and caller.leg is leg
            and caller.state is TwilioCallerState.TALKING
        ):
            self._account.caller_left(caller.sid)
        self._account.end_leg(leg, LegEnd.HUNG_UP)
        return twiml.goodbye()

    def _on_offer(self, leg: TwilioLeg, params: Params) -> str:
        """Twilio reports the progress of the call to a phone."""
        status = params.get("CallStatus", "")
        if not leg.live:
            if status not in hangup_causes.OVER:
                self._leg_control.hang_up(leg)  # a leg we had given up is ringing after all
            return twiml.nothing()
        if status in hangup_causes.OVER:
            self._on_leg_over(leg, status, params.get("SipResponseCode", ""))
        elif status == "in-progress":
            leg.picked_up = True
        elif status == "ringing" and not leg.rang:
            leg.rang = True
            if leg.state is TwilioLegState.PLACED:
                leg.state = TwilioLegState.RINGING
                self._account.post_event(LegRang(offer=leg.ring.offer, device=leg.ring.device))
        return twiml.nothing()

    def _on_leg_over(self, leg: TwilioLeg, status: str, sip: str) -> None:
        if leg.stop_reason is not None:
            self._account.end_stopped_leg(leg)
        elif leg.state is TwilioLegState.ACCEPTED:
            self._account.end_leg(leg, LegEnd.HUNG_UP)
        else:
            asked = leg.picked_up and leg.ring.confirm
            rang = leg.rang or leg.picked_up
            self._account.end_leg(
                leg, hangup_causes.of_status(status, sip, picked_up=asked, rang=rang)
            )

    # ------------------------------------------------------------ conferences

    def _on_conference(self, params: Params) -> str:
        """A conference has started or ended."""
        room = params.get("FriendlyName", "")
        caller = self._account.callers.get(decode_conference_name(room)[0])
        if caller is None or caller.leg is None or caller.conference_name != room:
            return twiml.nothing()
        event = params.get("StatusCallbackEvent")
        if _CONFERENCE.fullmatch(params.get("ConferenceSid", "")):
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
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0
