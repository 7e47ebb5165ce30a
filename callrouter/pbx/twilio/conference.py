"""Conversations: hold, consultation with a colleague, and attended transfer.

All parties are in one conference. It ends when the caller leaves, or when the agent leaves who has
the caller. An agent who has put the caller on hold may leave without ending it, because a colleague
may stay.

What each participant should be (on hold, ending the conference) is wanted state, and the requests
are made to reach it. Requests for one property go out one at a time, since two at once could
arrive in either order and leave the caller on hold for good. When one is answered, what is wanted
now is compared with what was asked for. A request may be repeated, because setting a property twice
changes nothing.
"""

from __future__ import annotations

import logging
from functools import partial

from callrouter.model.commands import Consult, PutThrough, SetHold
from callrouter.model.events import ConnectFailed, ConnectFault, ConnectSucceeded
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.callers import MOST_TRIES
from callrouter.pbx.twilio.calls_and_legs import (
    ParticipantProperty,
    PropertyKey,
    TwilioCaller,
    TwilioCallerState,
    TwilioLegState,
)
from callrouter.pbx.twilio.rest.api_requests import ApiOutcome, ApiResult, UpdateParticipant

logger = logging.getLogger(__name__)

_RETRY_AFTER = 0.5


class ConferenceControl:
    """Changes the participants of the conferences of one account.

    Args:
        account: the state of the account.
    """

    def __init__(self, account: AccountState) -> None:
        self._account = account

    def set_hold(self, command: SetHold) -> None:
        """Put a caller on hold, or take them off hold.

        While the caller is on hold, the agent's leaving does not end the conference.
        """
        caller = self._conversation_of(command.call)
        if caller is None or caller.leg is None:
            return
        self._set(caller, caller.sid, ParticipantProperty.HOLD, command.on)
        self._set(caller, caller.leg.sid, ParticipantProperty.ENDS_CONFERENCE, not command.on)

    def consult(self, command: Consult) -> None:
        """Add a colleague, whose leg has accepted, to the conversation.

        The answer to the colleague's own webhook puts them into the conference; see
        `callrouter.pbx.twilio.leg_webhooks`.
        """
        caller = self._conversation_of(command.call)
        leg = self._account.legs.get((command.offer, command.device))
        if caller is None:
            self._report_failed(command, ConnectFault.CALLER_GONE)
        elif leg is None or leg.state is not TwilioLegState.ACCEPTED or not leg.wanted:
            self._report_failed(command, ConnectFault.LEG_GONE)
        else:
            caller.consulted_leg = leg
            self._account.post_event(ConnectSucceeded(call=command.call, offer=command.offer))

    def put_through(self, command: PutThrough) -> None:
        """Complete a transfer: the colleague has the caller, who can hear them again.

        From now on the colleague's leaving ends the conference, and the first agent's does not.
        """
        caller = self._conversation_of(command.call)
        leg = caller.consulted_leg if caller is not None else None
        if caller is None or leg is None or leg.ring.offer != command.offer:
            return
        caller.leg, caller.consulted_leg = leg, None
        self._set(caller, leg.sid, ParticipantProperty.ENDS_CONFERENCE, True)
        self._set(caller, caller.sid, ParticipantProperty.HOLD, False)

    def _conversation_of(self, call: str) -> TwilioCaller | None:
        caller = self._account.caller_of(call)
        return caller if caller is not None and caller.state is TwilioCallerState.TALKING else None

    def _report_failed(self, command: Consult, why: ConnectFault) -> None:
        self._account.post_event(ConnectFailed(call=command.call, offer=command.offer, why=why))

    def _set(self, caller: TwilioCaller, sid: str, what: ParticipantProperty, value: bool) -> None:
        """Want a property of a participant, and request it unless a request is under way.

        The last wanted value wins, in whatever order the answers arrive.

        Args:
            caller: whose conference it is.
            sid: the participant.
            what: the property.
            value: its value.
        """
        key = (sid, what)
        caller.wanted_properties[key] = value
        if key not in caller.pending_properties:
            self._request(caller, key, 1)

    def _request(self, caller: TwilioCaller, key: PropertyKey, attempt: int) -> None:
        caller.pending_properties.add(key)
        sid, what = key
        value = caller.wanted_properties[key]
        request = UpdateParticipant(
            conference_name=caller.conference_name,
            conference_sid=caller.conference_sid,
            sid=sid,
            hold=value if what is ParticipantProperty.HOLD else None,
            ends=value if what is ParticipantProperty.ENDS_CONFERENCE else None,
        )
        self._account.send_request(request, partial(self._on_result, caller, key, value, attempt))

    def _on_result(
        self, caller: TwilioCaller, key: PropertyKey, value: bool, attempt: int, result: ApiResult
    ) -> None:
        """Handle the outcome: repeat what failed, and request what is wanted by now.

        If the participant has left, there is nothing more to do: webhooks report that.
        """
        caller.pending_properties.discard(key)
        if self._account.callers.get(caller.sid) is not caller or result.call_ended:
            return
        if result.outcome is not ApiOutcome.DONE and attempt < MOST_TRIES:
            caller.pending_properties.add(key)
            self._account.call_after(
                _RETRY_AFTER * attempt, lambda: self._request(caller, key, attempt + 1)
            )
        elif result.outcome is not ApiOutcome.DONE:
            logger.error("%s: hold or transfer failed: %s", self._account.name, result.detail)
        elif caller.wanted_properties.get(key, value) is not value:
            self._request(caller, key, 1)
