"""Answers Twilio's webhooks from memory: parameters in, a document out, and events for the router.

The sender was authenticated before (`callrouter.pbx.twilio.signature`). Twilio repeats a request
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
from callrouter.pbx.twilio.callers import Callers
from callrouter.pbx.twilio.calls_and_legs import (
    Caller,
    Leg,
    LegState,
    Stand,
    label,
    read_room,
    read_stay,
    read_turn,
)
from callrouter.pbx.twilio.dial import Dials
from callrouter.pbx.twilio.ledger import Ledger
from callrouter.pbx.twilio.legs import Phones
from callrouter.pbx.twilio.phone_dialogues import People
from callrouter.pbx.twilio.urls import Links
from callrouter.settings import TwilioSettings

logger = logging.getLogger(__name__)

Params: TypeAlias = Mapping[str, str]
_NOT_ONE: Mapping[str, LegEnd] = {"": LegEnd.NOT_ACCEPTED, "2": LegEnd.DECLINED}
"""The outcome for each key except 1. Any key not listed is a wrong key."""
_SID = re.compile(r"CA[0-9a-f]{32}")
_CONFERENCE = re.compile(r"CF[0-9a-f]{32}")


class Malformed(Exception):  # noqa: N818 - named for what happened
    """A correctly signed request that does not match Twilio's documentation."""


class Desk:
    """Answers the webhooks of one account."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        phones: Phones,
        callers: Callers,
        people: People,
        dials: Dials,
        settings: TwilioSettings,
        links: Links,
    ) -> None:
        self._ledger = ledger
        self._phones = phones
        self._callers = callers
        self._people = people
        self._dials = dials
        self._settings = settings
        self._links = links
        self._of_callers: Mapping[str, Callable[[str, Params], str]] = {
            "voice": self._voice,
            "left": self._left,
            "caller-done": self._caller_done,
            "caller-status": self._caller_status,
        }
        self._of_legs: Mapping[str, Callable[[Leg, Params], str]] = {
            "agent": self._agent,
            "accept": self._accept,
            "agent-done": self._agent_done,
            "offer": self._offer,
        }

    def answer(self, part: str, token: str, params: Params, now: float) -> str:
        """The document that answers a request.

        Args:
            part: which of `links.PARTS` was requested.
            token: the one-shot token in the URL; "" if there is none.
            params: the parameters sent by Twilio.
            now: the time.

        Raises:
            Malformed: a parameter is missing that every Twilio request has.
        """
        self._ledger.at(now)
        if part == "conference":
            return self._conference(params)
        if part == "hold":
            return twiml.on_hold(self._links, self._settings.music.get("default", ""))
        sid = params.get("CallSid", "")
        if not _SID.fullmatch(sid):
            raise Malformed(f"{part}: no CallSid")
        said = self._people.answer(part, token, sid, params)
        if said is not None:
            return said
        if part == "dial-done":
            return self._dial_done(sid, token, params)
        if part == "wait":
            return self._wait(sid, token, params)
        if part in self._of_callers:
            return self._of_callers[part](sid, params)
        leg = self._ledger.by_token.get(token)
        if leg is None:
            self._ledger.counts["unknown token"] += 1
            return twiml.goodbye(twiml.NOTHING_HERE)
        if not self._phones.learn(leg, sid):
            self._ledger.counts["token of another call"] += 1
            return twiml.goodbye(twiml.NOTHING_HERE)
        return self._of_legs[part](leg, params)

    # ------------------------------------------------------------ callers

    def _voice(self, sid: str, params: Params) -> str:
        """A caller has called one of our numbers."""
        if sid in self._ledger.gone:
            self._ledger.counts["stale"] += 1
            return twiml.goodbye()
        caller = self._ledger.callers.get(sid)
        if caller is None:
            caller = self._new(sid, params, None)
            if caller is None:
                return self._callers.fallback()
            with self._callers.answering(caller):
                self._callers.arrive(caller)
        return self._where(caller)

    def _where(self, caller: Caller) -> str:
        """The document for a caller whose call has nothing to run."""
        if caller.stand is Stand.LEAVING:
            return caller.way_out
        if caller.stand is Stand.WAITING:
            return self._callers.waiting_room(caller)
        return twiml.talk(self._links, caller.room)

    def _new(self, sid: str, params: Params, entered_at: float | None) -> Caller | None:
        called = params.get("To", "")
        queue = self._settings.numbers.get(called)
        if queue is None:
            self._ledger.counts["number without a queue"] += 1
            logger.warning("%s: a call for a number that no queue is given for", self._ledger.name)
            return None
        arrived = CallArrived(
            call=f"{self._ledger.name}-{sid}",
            pbx=self._ledger.name,
            queue=queue,
            caller_number=params.get("From", ""),
            caller_name=params.get("CallerName", ""),
            called_number=called,
            entered_at=entered_at,
        )
        return Caller(arrived, sid, since=self._ledger.now)

    def _wait(self, sid: str, place: str, params: Params) -> str:
        """A waiting caller needs the next turn of music. The request also shows where they wait."""
        if sid in self._ledger.gone:
            self._ledger.counts["stale"] += 1
            return twiml.goodbye()
        caller = self._ledger.callers.get(sid)
        if caller is None:  # unknown: we were restarted, or never heard of the caller's arrival
            caller = self._new(
                sid, params, self._ledger.now - _seconds(params.get("QueueTime", ""))
            )
            if caller is None:
                return twiml.leave_queue()
            queue, priority, first = read_turn(place, self._ledger.table.queues)
            if queue:
                since = first or caller.arrived.entered_at
                stay = None if first is None else first + read_stay(place)
                caller.arrived = replace(
                    caller.arrived,
                    queue=queue,
                    priority=priority,
                    entered_at=since,
                    queued_at=stay or caller.arrived.entered_at,
                )
            with self._callers.answering(caller):
                self._callers.arrive(caller)
            self._ledger.counts["adopted"] += 1
        if caller.stand is Stand.LEAVING or caller.document:
            return twiml.leave_queue()
        spec = self._ledger.table.queues.get(caller.arrived.queue)
        sound = self._settings.music.get(spec.music, "") if spec is not None else ""
        return twiml.music(sound, self._callers.news(caller))

    def _left(self, sid: str, params: Params) -> str:
        """A caller has left Twilio's queue. `QueueResult` says why."""
        caller = self._ledger.callers.get(sid)
        if params.get("QueueResult") == "hangup" or params.get("CallStatus") in hangup_causes.OVER:
            self._ledger.caller_gone(sid)
            return twiml.nothing()
        if params.get("QueueResult", "").startswith("redirected"):
            return twiml.nothing()  # by us: the next document is on its way
        if caller is None:
            return self._callers.fallback()
        if params.get("QueueResult") == "leave" or caller.stand is Stand.LEAVING:
            return self._where(caller)
        # Twilio cannot keep the caller waiting (error, queue-full, system-error). Any destination
        # is better than none.
        self._ledger.counts["queue trouble"] += 1
        self._ledger.caller_gone(sid, CallerEnd.TAKEN)
        return self._callers.fallback()

    def _caller_status(self, sid: str, params: Params) -> str:
        """Twilio reports the state of a caller's whole call. Only its end matters."""
        if params.get("CallStatus") in hangup_causes.OVER:
            self._ledger.caller_gone(sid)
        return twiml.nothing()

    def _caller_done(self, sid: str, params: Params) -> str:
        """A caller has left the conference, and has either hung up or is still on the line."""
        if params.get("CallStatus") in hangup_causes.OVER:
            self._ledger.caller_gone(sid)
            return twiml.nothing()
        caller = self._ledger.callers.get(sid)
        if caller is None:
            return twiml.goodbye()
        leg = caller.leg
        if caller.stand is Stand.TALKING and leg is not None:
            # The conference has ended but the caller's call has not, so the agent has hung up. The
            # router decides whether that was a conversation or the caller must wait on.
            with self._callers.answering(caller):
                self._phones.end(leg)
                self._ledger.ended(leg, LegEnd.HUNG_UP)
        if caller.stand in {Stand.LEAVING, Stand.WAITING}:
            return self._where(caller)
        return twiml.goodbye()

    def _dial_done(self, sid: str, token: str, params: Params) -> str:
        """A caller's `<Dial>` has ended.

        No phone was picked up, the agent hung up, or the caller runs another document.
        """
        if params.get("CallStatus") in hangup_causes.OVER:
            self._ledger.caller_gone(sid)
            return twiml.nothing()
        caller = self._ledger.callers.get(sid)
        if caller is None:  # from before a restart, or long gone
            return twiml.goodbye() if sid in self._ledger.gone else self._voice(sid, params)
        with self._callers.answering(caller):
            self._dials.over(caller, token, params.get("DialCallStatus", ""))
        if caller.leg is not None and caller.leg.dialled:
            # they are talking: an old one has ended, or the request was repeated
            return twiml.nothing()
        return self._where(caller)

    # ------------------------------------------------------------ legs

    def _agent(self, leg: Leg, _params: Params) -> str:
        """A phone was picked up."""
        leg.picked_up = True
        if not leg.live or leg.stopping is not None:
            return self._taken(leg)
        if leg.state is LegState.ACCEPTED:
            return self._into_the_talk(leg)
        if not leg.ring.confirm:
            return self._accepts(leg)
        if leg.state is not LegState.ANSWERED:
            leg.state = LegState.ANSWERED
            self._phones.asked_for_key(leg)
            self._ledger.tell(LegAnswered(offer=leg.ring.offer, device=leg.ring.device))
        return twiml.press_one(self._links, leg.token, leg.ring.queue_name)

    def _accept(self, leg: Leg, params: Params) -> str:
        """A key was pressed, or none in time."""
        leg.picked_up = True
        if not leg.live or leg.stopping is not None:
            return self._taken(leg)
        if leg.state is LegState.ACCEPTED:
            return self._into_the_talk(leg)
        key = params.get("Digits", "")
        if key == "1":
            return self._accepts(leg)
        if not key and self._ledger.now < leg.asked_until:  # the router ends it when its time is up
            return twiml.press_one(self._links, leg.token, leg.ring.queue_name)
        self._ledger.ended(leg, _NOT_ONE.get(key, LegEnd.WRONG_KEY))
        return twiml.goodbye()

    def _accepts(self, leg: Leg) -> str:
        """Tell the router of the acceptance.

        By the time `tell` returns, it has ordered a connect or not.
        """
        leg.state = LegState.ACCEPTED
        self._ledger.tell(LegAccepted(offer=leg.ring.offer, device=leg.ring.device))
        return self._into_the_talk(leg)

    def _into_the_talk(self, leg: Leg) -> str:
        caller = self._callers.of(leg.ring.call)
        if leg.live and leg.stopping is None and caller is not None:
            if caller.leg is leg and leg.dialled:
                return twiml.nothing()  # Twilio connects it with the caller
            if caller.leg is leg:
                return twiml.talk(self._links, caller.room, label(leg), leg.token)
            if caller.consult is leg:
                return twiml.talk(self._links, caller.room, label(leg), leg.token, ends=False)
        return self._taken(leg)

    def _taken(self, leg: Leg) -> str:
        """Tell a late agent why there is no call for them. The leg ends with that."""
        self._ledger.counts["answered too late"] += 1
        self._ledger.over(leg)
        gone = self._callers.of(leg.ring.call) is None
        return twiml.goodbye(twiml.GONE if gone else twiml.TAKEN)

    def _agent_done(self, leg: Leg, params: Params) -> str:
        """An agent has left the conference: they hung up, or were left alone in it."""
        caller = self._callers.of(leg.ring.call)
        here = params.get("CallStatus") not in hangup_causes.OVER
        # The agent's call goes on although the conference has ended for it. If the agent had hung
        # up, their call would be over; so the caller has left.
        if here and caller is not None and caller.leg is leg and caller.stand is Stand.TALKING:
            self._ledger.caller_gone(caller.sid)
        self._ledger.ended(leg, LegEnd.HUNG_UP)
        return twiml.goodbye()

    def _offer(self, leg: Leg, params: Params) -> str:
        """Twilio reports the progress of the call to a phone."""
        status = params.get("CallStatus", "")
        if not leg.live:
            if status not in hangup_causes.OVER:
                self._phones.end(leg)  # a leg we had given up is ringing after all
            return twiml.nothing()
        if status in hangup_causes.OVER:
            self._leg_over(leg, status, params.get("SipResponseCode", ""))
        elif status == "in-progress":
            leg.picked_up = True
        elif status == "ringing" and not leg.rang:
            leg.rang = True
            if leg.state is LegState.PLACED:
                leg.state = LegState.RINGING
                self._ledger.tell(LegRang(offer=leg.ring.offer, device=leg.ring.device))
        return twiml.nothing()

    def _leg_over(self, leg: Leg, status: str, sip: str) -> None:
        if leg.stopping is not None:
            self._ledger.over(leg)
        elif leg.state is LegState.ACCEPTED:
            self._ledger.ended(leg, LegEnd.HUNG_UP)
        else:
            asked = leg.picked_up and leg.ring.confirm
            rang = leg.rang or leg.picked_up
            self._ledger.ended(
                leg, hangup_causes.of_status(status, sip, picked_up=asked, rang=rang)
            )

    # ------------------------------------------------------------ conferences

    def _conference(self, params: Params) -> str:
        """A conference has started or ended."""
        room = params.get("FriendlyName", "")
        caller = self._ledger.callers.get(read_room(room)[0])
        if caller is None or caller.leg is None or caller.room != room:
            return twiml.nothing()
        event = params.get("StatusCallbackEvent")
        if _CONFERENCE.fullmatch(params.get("ConferenceSid", "")):
            caller.conference = params["ConferenceSid"]
        if event == "conference-start":
            self._ledger.connected(caller)
        elif event == "conference-end" and caller.stand is Stand.TALKING:
            ended_by = params.get("CallSidEndingConference", "")
            if ended_by == caller.sid:
                self._ledger.caller_gone(caller.sid)
            elif ended_by == caller.leg.sid:
                self._ledger.ended(caller.leg, LegEnd.HUNG_UP)
        return twiml.nothing()


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0.0
