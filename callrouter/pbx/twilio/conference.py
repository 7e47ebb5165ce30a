"""Conversations: hold, consultation with a colleague, and attended transfer.

All parties are in one conference. It ends when the caller leaves, or when the agent leaves who has
the caller. An agent who has put the caller on hold may leave without ending it, because a colleague
may stay.
"""

from __future__ import annotations

import logging
from functools import partial

from callrouter.model.commands import Consult, PutThrough, SetHold
from callrouter.model.events import ConnectFailed, ConnectFault, ConnectSucceeded
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.callers import MOST_TRIES
from callrouter.pbx.twilio.calls_and_legs import (
    PropertyKey,
    TwilioCaller,
    TwilioCallerState,
    TwilioLegState,
)
from callrouter.pbx.twilio.rest.api_requests import ApiOutcome, ApiResult, UpdateParticipant

logger = logging.getLogger(__name__)

_RETRY_AFTER = 0.5


class ConferenceControl:
    """Changes the participants of conferences.

    Args:
        account: the state of the account.
    """

    def __init__(self, account: AccountState) -> None:
        self._account = account

    def set_hold(self, command: SetHold) -> None:
        """Put a caller on hold, or take them off hold."""
        caller = self._conversation_of(command.call)
        if caller is None or caller.leg is None:
            return
        self._set_property(caller, caller.sid, hold=command.on)
        self._set_property(caller, caller.leg.sid, ends=not command.on)

    def consult(self, command: Consult) -> None:
        """Add a colleague to the conversation while the caller is on hold."""
        caller = self._conversation_of(command.call)
        leg = self._account.legs.get((command.offer, command.device))
        if caller is None:
            self._report_failed(command, ConnectFault.CALLER_GONE)
        elif leg is None or leg.state is not TwilioLegState.ACCEPTED or leg.stop_reason is not None:
            self._report_failed(command, ConnectFault.LEG_GONE)
        else:
            caller.consulted_leg = leg
            self._account.post_event(ConnectSucceeded(call=command.call, offer=command.offer))

    def put_through(self, command: PutThrough) -> None:
        """Complete a transfer: the colleague has the caller, who can hear them again."""
        caller = self._conversation_of(command.call)
        leg = caller.consulted_leg if caller is not None else None
        if caller is None or leg is None or leg.ring.offer != command.offer:
            return
        caller.leg, caller.consulted_leg = leg, None
        self._set_property(caller, leg.sid, ends=True)
        self._set_property(caller, caller.sid, hold=False)

    def _conversation_of(self, call: str) -> TwilioCaller | None:
        caller = self._account.caller_of(call)
        return caller if caller is not None and caller.state is TwilioCallerState.TALKING else None

    def _report_failed(self, command: Consult, why: ConnectFault) -> None:
        self._account.post_event(ConnectFailed(call=command.call, offer=command.offer, why=why))

    def _set_property(
        self, caller: TwilioCaller, sid: str, *, hold: bool | None = None, ends: bool | None = None
    ) -> None:
        """Request a property of a participant.

        The last wanted value wins, in whatever order the answers arrive: only one request per
        property is under way, and when it is answered, the wanted value is compared again.
        """
        key = (sid, "hold" if hold is not None else "ends")
        caller.wanted_properties[key] = bool(hold if hold is not None else ends)
        if key not in caller.pending_properties:
            self._request_property(caller, key, 1)

    def _request_property(self, caller: TwilioCaller, key: PropertyKey, attempt: int) -> None:
        caller.pending_properties.add(key)
        sid, what = key
        value = caller.wanted_properties[key]
        seat = UpdateParticipant(
            room=caller.conference_name,
            conference=caller.conference_sid,
            sid=sid,
            hold=value if what == "hold" else None,
            ends=value if what == "ends" else None,
        )
        self._account.send_request(
            seat, partial(self._on_property_set, caller, key, value, attempt)
        )

    def _on_property_set(
        self, caller: TwilioCaller, key: PropertyKey, value: bool, attempt: int, result: ApiResult
    ) -> None:
        """Handle the outcome.

        Repeating the request is harmless, and webhooks report who has left.
        """
        caller.pending_properties.discard(key)
        if self._account.callers.get(caller.sid) is not caller or result.call_ended:
            return
        if result.outcome is not ApiOutcome.DONE and attempt < MOST_TRIES:
            caller.pending_properties.add(key)
            self._account.call_after(
                _RETRY_AFTER * attempt, lambda: self._request_property(caller, key, attempt + 1)
            )
        elif result.outcome is not ApiOutcome.DONE:
            logger.error("%s: hold or transfer failed: %s", self._account.name, result.detail)
        elif caller.wanted_properties.get(key, value) is not value:
            self._request_property(caller, key, 1)
