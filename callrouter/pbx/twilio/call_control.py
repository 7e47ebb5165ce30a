"""The driver's logic, without I/O: account state, legs, callers, and the commands for them.

The owner provides the time, sends the requests it receives through `send`, returns their outcomes
through `take_result`, and calls `run_due` when `next_at` is due. Events go to `post`, which may give commands
before it returns. That is how a webhook is answered from memory within a single call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from callrouter.model.call_notices import CallEntered, WaitingCallMoved
from callrouter.model.commands import (
    Announce,
    Connect,
    Consult,
    DialOutside,
    Disregard,
    Leave,
    PbxCommand,
    PutThrough,
    Requeue,
    Ring,
    SetHold,
    StopRing,
)
from callrouter.model.events import Event
from callrouter.model.routing_table import Table
from callrouter.pbx.twilio.account_state import AccountState
from callrouter.pbx.twilio.caller_webhooks import CallerWebhooks
from callrouter.pbx.twilio.callers import CallerControl
from callrouter.pbx.twilio.calls_and_legs import TwilioLeg
from callrouter.pbx.twilio.conference import ConferenceControl
from callrouter.pbx.twilio.dial import GroupDialler
from callrouter.pbx.twilio.handlers import WebhookHandlers
from callrouter.pbx.twilio.leg_webhooks import LegWebhooks
from callrouter.pbx.twilio.legs import LegControl
from callrouter.pbx.twilio.number_calls import NumberCalls
from callrouter.pbx.twilio.phone_dialogues import PhoneDialogues
from callrouter.pbx.twilio.rate import CallRate
from callrouter.pbx.twilio.rest.api_requests import ApiRequest
from callrouter.pbx.twilio.webhook import WebhookReply, WebhookUrls
from callrouter.settings import TwilioSettings


class CallControl:
    """The calls of one account.

    Args:
        name: name of the PBX.
        settings: numbers, rates, where callers are sent.
        post: receives the events.
        send: receives the requests.
        token: creates unguessable one-shot tokens.
        on_epoch: receives the epoch that the token of an unknown leg names.
        table: the queues and phones.
        now: the time at the start.
    """

    def __init__(
        self,
        name: str,
        settings: TwilioSettings,
        *,
        post: Callable[[Event], None],
        send: Callable[[ApiRequest], None],
        token: Callable[[], str],
        table: Table,
        now: float,
        on_epoch: Callable[[int], None] = lambda _epoch: None,
    ) -> None:
        urls = WebhookUrls(settings.public_url, name)
        reply = WebhookReply()
        rate = CallRate(settings.calls_per_second)
        self.account = account = AccountState(
            name,
            post=post,
            send=send,
            table=table,
            now=now,
            offers_per_second=settings.calls_per_second,
            on_caller_left=self._on_caller_left,
        )
        self.leg_control = LegControl(account, caller_id=settings.caller_id, rate=rate, token=token)
        self.callers = CallerControl(account, settings, urls, reply)
        self.conferences = ConferenceControl(account)
        self.group_dialler = GroupDialler(account, self.leg_control, reply, urls=urls, token=token)
        self.dialogues = PhoneDialogues(account, settings, urls, reply=reply, token=token)
        self.number_calls = NumberCalls(
            account, self.dialogues, caller_id=settings.caller_id, rate=rate, token=token
        )
        self.handlers = WebhookHandlers(
            account,
            self.leg_control,
            callers=CallerWebhooks(
                account,
                callers=self.callers,
                leg_control=self.leg_control,
                group_dialler=self.group_dialler,
                reply=reply,
                settings=settings,
                urls=urls,
            ),
            legs=LegWebhooks(account, self.leg_control, urls),
            dialogues=self.dialogues,
            number_calls=self.number_calls,
            on_epoch=on_epoch,
        )

    def _on_caller_left(self, leg: TwilioLeg) -> None:
        self.leg_control.hang_up_soon(leg)

    def execute(self, commands: Sequence[PbxCommand], now: float) -> None:
        """Execute the commands of one event.

        Phones that are to ring together come last, so that phones that were stopped by the same
        event are stopped first.

        Args:
            commands: the commands, in the router's order.
            now: the time, in epoch seconds.
        """
        together: dict[str, list[Ring]] = {}
        for command in commands:
            if isinstance(command, Ring) and command.together:
                together.setdefault(command.call, []).append(command)
            else:
                self.execute_one(command, now)
        self.account.set_time(now)
        for call, rings in together.items():
            self.group_dialler.ring(call, rings)

    def update_queue(self, notice: CallEntered | WaitingCallMoved, now: float) -> None:
        """Follow a call, ours or not, that has changed its queue or its place in the queue."""
        self.account.set_time(now)
        priority: int = 0
        queued_at: float | None = notice.at
        if isinstance(notice, WaitingCallMoved):
            priority = notice.to_priority
            queued_at = notice.at if notice.to_queue else None
        elif notice.waited_s is not None:
            queued_at = notice.at - notice.waited_s
        self.callers.update_queue(notice.call, notice.queue, priority, queued_at)

    def execute_one(self, command: PbxCommand, now: float) -> None:
        """Execute one command. A command for something that has ended has no effect.

        Args:
            command: the command.
            now: the time, in epoch seconds.
        """
        self.account.set_time(now)
        match command:
            case Ring():
                self.leg_control.ring(command)
            case StopRing():
                self.leg_control.stop(command)
            case Connect():
                self.callers.connect(command)
            case Requeue():
                self.callers.requeue(command)
            case Leave():
                self.callers.leave(command)
            case Disregard() | DialOutside():
                pass  # Twilio reports no calls but ours, and its snapshots refuse numbers outside
            case SetHold() | Consult() | PutThrough():
                self._execute_in_conversation(command)
            case Announce():
                self.callers.announce(command)

    def _execute_in_conversation(self, command: SetHold | Consult | PutThrough) -> None:
        match command:
            case SetHold():
                self.conferences.set_hold(command)
            case Consult():
                self.conferences.consult(command)
            case PutThrough():
                self.conferences.put_through(command)
