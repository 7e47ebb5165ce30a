"""The driver's logic, without I/O: ledger, legs, callers, and the commands for them.

The owner provides the time, sends the requests it receives through `send`, returns their outcomes
through `came`, and calls `step` when `next_at` is due. Events go to `post`, which may give commands
before it returns. That is how a webhook is answered from memory within a single call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from callrouter.model.commands import (
    Announce,
    Connect,
    Consult,
    Disregard,
    Happened,
    Leave,
    PbxCommand,
    PutThrough,
    Record,
    Requeue,
    Ring,
    SetHold,
    StopRing,
)
from callrouter.model.events import Event
from callrouter.model.routing_table import Table
from callrouter.pbx.twilio.api_requests import Ask
from callrouter.pbx.twilio.callers import Callers
from callrouter.pbx.twilio.conference import Talks
from callrouter.pbx.twilio.dial import Dials
from callrouter.pbx.twilio.handlers import Desk
from callrouter.pbx.twilio.ledger import Ledger
from callrouter.pbx.twilio.legs import Phones
from callrouter.pbx.twilio.phone_dialogues import People
from callrouter.pbx.twilio.rate import Pace
from callrouter.pbx.twilio.urls import Links
from callrouter.settings import TwilioSettings


class Exchange:
    """The calls of one account.

    Args:
        name: name of the PBX.
        settings: numbers, rates, where callers are sent.
        post: receives the events.
        send: receives the requests.
        token: creates unguessable one-shot tokens.
        table: the queues and phones.
        now: the time at the start.
    """

    def __init__(
        self,
        name: str,
        settings: TwilioSettings,
        *,
        post: Callable[[Event], None],
        send: Callable[[Ask], None],
        token: Callable[[], str],
        table: Table,
        now: float,
    ) -> None:
        links = Links(settings.public_url, name)
        self.ledger = Ledger(name, post=post, send=send, table=table, now=now)
        self.ledger.offers_per_second = settings.calls_per_second
        pace = Pace(settings.calls_per_second)
        self.phones = Phones(self.ledger, caller_id=settings.caller_id, pace=pace, token=token)
        self.ledger.left_alone = self.phones.left_alone
        self.callers = Callers(self.ledger, settings, links)
        self.talks = Talks(self.ledger, self.callers)
        self.people = People(self.ledger, settings, links, pace=pace, token=token)
        self.dials = Dials(self.ledger, self.phones, self.callers, links=links, token=token)
        self.desk = Desk(
            self.ledger,
            phones=self.phones,
            callers=self.callers,
            people=self.people,
            dials=self.dials,
            settings=settings,
            links=links,
        )

    def orders(self, commands: Sequence[PbxCommand], now: float) -> None:
        """Execute the commands of one event."""
        together: dict[str, list[Ring]] = {}
        for command in commands:
            if isinstance(command, Ring) and command.together:
                together.setdefault(command.call, []).append(command)
            else:
                self.order(command, now)
        self.ledger.at(now)
        for call, rings in together.items():
            self.dials.ring(call, rings)

    def heard(self, record: Record, now: float) -> None:
        """Follow a record: a call, ours or not, has changed its queue or its place in the queue."""
        self.ledger.at(now)
        moved = record.kind is Happened.MOVED
        priority = int(record.detail[2]) if moved else 0
        stays = moved and not record.detail[0]
        waited = float(record.detail[3]) if len(record.detail) > 3 else 0.0
        queued_at = None if stays else record.at - waited
        self.callers.follow(record.call, record.queue, priority, queued_at)

    def order(self, command: PbxCommand, now: float) -> None:
        """Execute one command. A command for something that has ended has no effect."""
        self.ledger.at(now)
        match command:
            case Ring():
                self.phones.ring(command)
            case StopRing():
                self.phones.stop(command)
            case Connect():
                self.callers.connect(command)
            case Requeue():
                self.callers.requeue(command)
            case Leave():
                self.callers.leave(command)
            case Disregard():
                pass  # Twilio reports no calls but ours
            case SetHold() | Consult() | PutThrough():
                self._in_talk(command)
            case Announce():
                self.callers.announce(command)

    def _in_talk(self, command: SetHold | Consult | PutThrough) -> None:
        match command:
            case SetHold():
                self.talks.set_hold(command)
            case Consult():
                self.talks.consult(command)
            case PutThrough():
                self.talks.put_through(command)
