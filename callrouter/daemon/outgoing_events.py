"""What leaves the daemon for other programs: events of calls and agents, and alarms."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, Final

from callrouter.alerting.evaluator import AlertChange
from callrouter.api.views.watched_views import WatchedViews
from callrouter.clock import Clock
from callrouter.daemon.alert_texts import alert_data
from callrouter.model.notices import CallNotice, Notice
from callrouter.outbox.call_events import FOLLOWED, CallEvents, MadeEvent
from callrouter.outbox.delivery_queue import Attempt
from callrouter.outbox.destinations import Destination
from callrouter.outbox.mail_sender import MailSender
from callrouter.outbox.outbox import Outbox
from callrouter.outbox.outbox_rows import OpenCallRow, OutboxRow
from callrouter.outbox.webhook_sender import WebhookSender
from callrouter.settings import Settings
from callrouter.store.location import StoreError
from callrouter.store.service import StoreService
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

BATCH_FOR: Final = 0.02
"""Seconds for which notices are collected, so that no offer waits for the making of events."""
LOST_AFTER: Final = {"twilio": 150.0}
"""Seconds from the start after which an announced call that no PBX shows is taken to be over. Twilio's
lists lag, so a call that is missing from one is not gone."""
_LOST_AFTER: Final = 10.0
"""The same for other drivers."""
_LOOK_EVERY: Final = 1.0


class OutgoingEvents:
    """Makes events, and sends them by way of the outbox.

    Args:
        settings: returns the settings in force.
        floor: tells which calls there are.
        store: keeps what is not delivered.
        tasks: owns the tasks.
        clock: the time.
    """

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        floor: WatchedViews,
        store: StoreService,
        tasks: Tasks,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._floor = floor
        self._store = store
        self._clock = clock
        self._webhooks = WebhookSender(clock.now)
        self._mail = MailSender(lambda: settings().smtp)
        self.outbox = Outbox(
            store=store.outbox,
            send=self._send,
            destinations=lambda: settings().destinations,
            now=clock.now,
            spawn=tasks.spawn,
            jitter=random.Random().random,  # noqa: S311 - when it is tried again
        )
        self._calls = CallEvents(self._save_call)
        self._batch: list[Notice] = []
        self._timer: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------ from the core

    def listen(self, notice: Notice) -> None:
        """Note a notice. Its events are made a little later, in one go with others."""
        if type(notice) not in FOLLOWED or not self._settings().webhooks:
            return
        self._batch.append(notice)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(BATCH_FOR, self._make)

    def tell(self, change: AlertChange) -> None:
        """Send an alarm, or its end."""
        rule = change.rule
        self.outbox.add(
            "alert.fired" if change.raised else "alert.cleared",
            alert_data(change),
            to=rule.to,
            order_key=f"alert {rule.name} {change.subject}",
            at=self._clock.now(),
        )

    def _make(self) -> None:
        self._timer = None
        batch, self._batch = self._batch, []
        follows_calls = any(
            name.startswith("call.") for each in self._settings().webhooks for name in each.events
        )
        if not follows_calls:
            self._calls.forget_all()
            batch = [notice for notice in batch if not isinstance(notice, CallNotice)]
        self._add(self._calls.handle(batch))

    def _add(self, events: list[MadeEvent]) -> None:
        subscriptions = self._settings().webhooks
        for event in events:
            to = [
                destination
                for each in subscriptions
                if event.name in each.events
                and (not each.queues or not event.queue or event.queue in each.queues)
                for destination in each.to
            ]
            if to:
                self.outbox.add(
                    event.name, event.data, to=to, order_key=event.order_key, at=event.at
                )

    def _save_call(self, call: str, row: OpenCallRow | None) -> None:
        if row is None:
            self._store.open_calls.forget_key((call,))
        else:
            self._store.open_calls.put(row)

    # ------------------------------------------------------------ start and end

    async def recall(self) -> None:
        """Send what earlier runs left, and end the calls that ended while the router was down.

        It returns when that is known of every call.
        """
        began = self._clock.now()
        try:
            rows = await self._store.open_calls.load()
            self._calls.restore(rows)
            await self.outbox.load()
        except StoreError:
            return  # the daemon is stopping
        waiting = {row.call for row in rows}
        wait = max(
            (LOST_AFTER.get(p.driver, _LOST_AFTER) for p in self._settings().pbxes.values()),
            default=_LOST_AFTER,
        )
        while waiting:
            await asyncio.sleep(_LOOK_EVERY)
            now = self._clock.now()
            shown = self._floor.pbxes_in_step() >= self._settings().pbxes.keys()
            waiting = {call for call in waiting if not self._floor.call_known(call)}
            if shown and now - began >= wait:
                self._make()  # one of them may just have ended
                for call in waiting:
                    self._add(self._calls.lost(call, now))
                return

    async def close(self) -> None:
        """Store what has just happened, and send nothing more."""
        if self._timer is not None:
            self._timer.cancel()
            self._make()
        self.outbox.close()
        await self._webhooks.close()

    def status(self) -> dict[str, Any]:
        """Return the figures of the outbox for ``/api/status``."""
        return self.outbox.status()

    async def _send(self, destination: Destination, row: OutboxRow) -> Attempt:
        if destination.mail:
            return await self._mail.send(destination, row)
        return await self._webhooks.send(destination, row)
