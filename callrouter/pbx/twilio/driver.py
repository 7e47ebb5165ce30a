"""The driver `twilio`: runs the call control on the event loop, with HTTP requests and webhooks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence

import aiohttp
from aiohttp import web

from callrouter.clock import Clock, SystemClock
from callrouter.model.call_notices import CallEntered, WaitingCallMoved
from callrouter.model.commands import PbxCommand
from callrouter.model.events import PbxLost
from callrouter.model.ivr import CallNumber, PhoneEvent, Say
from callrouter.model.notices import Notice
from callrouter.model.routing_table import Table
from callrouter.pbx.interface import ALONE, Authority, PbxHealth, Post
from callrouter.pbx.twilio import epochs, resync_account
from callrouter.pbx.twilio.call_control import CallControl
from callrouter.pbx.twilio.epochs import RequestGate
from callrouter.pbx.twilio.rest.api_client import ApiClient, ApiUnavailable
from callrouter.pbx.twilio.rest.api_requests import ApiOutcome, ApiRequest, ApiResult
from callrouter.pbx.twilio.rest.http_client import TwilioHttp
from callrouter.pbx.twilio.webhook import WebhookUrls
from callrouter.pbx.twilio.webhooks.replays import ReplayGuard
from callrouter.pbx.twilio.webhooks.signature import SignatureCheck
from callrouter.pbx.twilio.webhooks.webhook_routes import Webhooks
from callrouter.queue_log.log_lines import CallChannels
from callrouter.settings import TwilioSettings
from callrouter.tasks import Tasks

logger = logging.getLogger(__name__)

RESYNC_EVERY = 60.0
"""Seconds between two resyncs with the REST API."""
MOST_FAILED_RESYNCS = 2
"""Number of consecutive failed resyncs after which Twilio counts as unreachable."""
RETRY_RESYNC_AFTER = 5.0


class TwilioPbx:
    """One Twilio account. See `callrouter.pbx.interface.Pbx`, `HasRoutes` and `HasPhoneDialogues`.

    There is no permanent link. Callers arrive over HTTP as long as Twilio reaches us, and the
    driver is up as long as the REST API answers. While it does not, callers wait and hear music.

    The calls are handled by `CallControl`, which does no I/O. This class gives it the time, sends
    its requests, passes on their outcomes, and wakes it when an action is due. After everything
    that may have scheduled an action, `_set_timer` is called.

    Args:
        name: as in the configuration.
        settings: account, numbers, rates.
        post: receives the events.
        table: the routing table, with the queues and phones.
        clock: the source of time.
        resync_every: see `RESYNC_EVERY`.
        authority: tells whether this router may act. One that is not active makes no request until
            `activate`.
    """

    def __init__(
        self,
        name: str,
        settings: TwilioSettings,
        *,
        post: Post,
        table: Table,
        clock: Clock | None = None,
        resync_every: float = RESYNC_EVERY,
        authority: Authority = ALONE,
    ) -> None:
        self.name = name
        self._settings = settings
        self._post = post
        self._clock = clock or SystemClock()
        self._resync_every = resync_every
        self._authority = authority
        self._gate = None if authority is ALONE else RequestGate(authority)
        self._urls = WebhookUrls(settings.public_url, name)
        self._api: ApiClient | None = None
        self._tasks = Tasks()
        self._up = False
        self._detail = "not asked yet"
        self._timer: asyncio.TimerHandle | None = None
        self.control = CallControl(
            name,
            settings,
            post=post,
            send=self._send,
            token=lambda: epochs.make_token(authority.epoch),
            on_epoch=self._on_epoch,
            table=table,
            now=self._clock.now(),
        )
        self._webhooks = Webhooks(
            self.control.handlers,
            self._urls,
            SignatureCheck([settings.auth_token, settings.other_auth_token], settings.public_url),
            account_sid=settings.account_sid,
            counts=self.control.account.counts,
            clock=self._clock,
            after=self._set_timer,
            before=self._check_for_replay,
        )
        self._replays = ReplayGuard(
            self.control.account,
            self.control.dialogues,
            is_over=self._has_ended,
            codes=settings.codes,
            tasks=lambda: self._tasks,
        )

    # ------------------------------------------------------------ phone dialogues

    def report_phone_events(self, report: Callable[[PhoneEvent], None]) -> None:
        """Report every dialled feature code to `report`, and everything that follows from it.

        See `callrouter.model.ivr` for the events.
        """
        self.control.dialogues.events.listen(report)

    def say(self, command: Say) -> None:
        """Speak to a person, then read digits or hang up.

        While a webhook of this call is handled, its answer carries the words.
        """
        self.control.account.set_time(self._clock.now())
        self.control.dialogues.say(command)
        self._set_timer()

    def call_number(self, command: CallNumber) -> None:
        """Call an outside number to verify it. One `NumberAnswered` or `NumberFailed` follows."""
        self.control.account.set_time(self._clock.now())
        self.control.number_calls.call_number(command)
        self._set_timer()

    def routes(self) -> Sequence[web.RouteDef]:
        """The routes of the webhooks."""
        return self._webhooks.routes()

    def claim(self, *, handed_over: bool = False) -> None:
        """Nothing is to be done: each request is permitted by the lease. See `ClusterPbx`."""
        del handed_over  # what the router before had requested is in Twilio's lists either way

    def activate(self) -> None:
        """Serve this account from now on. See `callrouter.pbx.interface.ClusterPbx`."""
        if self._gate is not None:
            self._gate.activate()

    def _on_epoch(self, epoch: int) -> None:
        """A webhook has named an epoch. A newer one than ours means that this router is replaced."""
        if self._gate is not None and self._gate.active and epoch > self._authority.epoch:
            self._gate.stand_down()
            self._authority.newer_epoch(self.name, epoch)

    async def run(self) -> None:
        """Resync with the REST API, repeatedly, until cancelled.

        Webhooks are answered before the first resync too: their callers wait until it is done.
        """
        self._tasks = Tasks()
        if self._gate is not None:
            self._detail = "standby"
            await self._gate.until_active()
            self._detail = "not asked yet"
            self._tasks.spawn(self._gate.keep_looking(), f"{self.name}: looking at the lease")
        async with aiohttp.ClientSession() as session:
            settings = self._settings
            self._api = ApiClient(
                TwilioHttp(session, api_url=settings.api_url),
                account_sid=settings.account_sid,
                user=settings.api_key or settings.account_sid,
                secret=settings.api_secret or settings.auth_token,
                urls=self._urls,
            )
            try:
                await self._resync_forever(self._api)
            finally:
                self._api = None
                self._report_lost("stopped")
                if self._timer is not None:
                    self._timer.cancel()
                await self._tasks.close()

    def execute(self, commands: Sequence[PbxCommand]) -> None:
        """Execute the commands of one event. Does nothing while the driver is not running."""
        if self._api is None:
            return
        self.control.execute(commands, self._clock.now())
        self._set_timer()

    def use(self, table: Table) -> None:
        """Use a new routing table. If it has other phones, the router gets a new snapshot."""
        before = self.control.account.endpoints()
        self.control.account.table = table
        if self._up and self.control.account.endpoints() != before:
            self.resync("the configuration names other phones")

    def resync(self, why: str) -> None:
        """Post a snapshot of the present state.

        It is the state in memory. The REST API is not asked, because its lists lag behind what the
        webhooks have reported.

        Args:
            why: the reason, for the log.
        """
        if self._up:
            logger.debug("%s: snapshot: %s", self.name, why)
            self._post(self.control.account.snapshot())

    def listen(self, notice: Notice) -> None:
        """Keep the queue names at Twilio current.

        A restarted daemon finds waiting callers by them.
        """
        if isinstance(notice, CallEntered | WaitingCallMoved):
            self.control.update_queue(notice, self._clock.now())
            self._set_timer()
        if isinstance(notice, CallEntered):
            caller = self.control.account.caller_of(notice.call)
            if caller is not None:
                caller.logged = False

    def call_channels(self, call: str) -> CallChannels:
        """The CallSids of a call, under which Twilio's own logs have it.

        One that is over has only the caller's.
        """
        sid = call.removeprefix(f"{self.name}-")
        caller = self.control.account.caller_of(call)
        if caller is None:
            return CallChannels(sid)
        return CallChannels(sid, caller.leg.sid if caller.leg else "", caller.logged)

    def health(self) -> PbxHealth:
        """The current health of this driver."""
        counts = dict(self.control.account.counts)
        if self._gate is not None and self._gate.not_made:
            counts["requests not made because another router is active"] = self._gate.not_made
        standby = self._gate is not None and not self._gate.active
        return PbxHealth(up=self._up or standby, detail=self._detail, counts=counts)

    # ------------------------------------------------------------ ended calls

    def remember(self, keep: Callable[[str, float], None]) -> None:
        """Report every ended call and its end time to `keep`, to be remembered over a restart."""
        self.control.account.store_ended_calls(keep)

    def recall(self, over: Iterable[tuple[str, float]]) -> None:
        """Load the calls that had ended before this run, in order of their end."""
        self.control.account.set_time(self._clock.now())
        self.control.account.restore_ended_calls(over)

    async def _check_for_replay(self, part: str, fields: Mapping[str, str]) -> None:
        """Called before each webhook is handled. May wait for a moment, see `ReplayGuard`."""
        if self._api is not None:
            self.control.account.set_time(self._clock.now())
            await self._replays.check(part, fields.get("CallSid", ""), fields.get("To", ""))

    async def _has_ended(self, sid: str) -> bool | None:
        over = await self._api.has_ended(sid) if self._api is not None else None
        self.control.account.set_time(self._clock.now())
        return over

    # ------------------------------------------------------------ resync

    async def _resync_forever(self, api: ApiClient) -> None:
        """Come into step at the first success, and drop what has vanished at each one.

        A single failure proves nothing, so the driver is reported lost after `MOST_FAILED_RESYNCS`
        in a row.
        """
        failed = 0
        while True:
            try:
                found = await api.calls_in_progress(ringing=not self._up)
            except ApiUnavailable as error:
                failed += 1
                if failed == 1:
                    logger.warning("%s: %s", self.name, error)
                if failed >= MOST_FAILED_RESYNCS or not self._up:
                    self._report_lost(str(error))
                await asyncio.sleep(min(RETRY_RESYNC_AFTER, self._resync_every))
                continue
            failed = 0
            account = self.control.account
            account.set_time(self._clock.now())
            resync_account.drop_vanished(account, found)
            if not self._up:
                resync_account.adopt(account, self._settings, found)
                self._up = True
                self._detail = f"Twilio account {self._settings.account_sid[:6]}…"
                self._post(account.snapshot())
            self._set_timer()
            await asyncio.sleep(self._resync_every)

    def _report_lost(self, why: str) -> None:
        self._detail = why
        if self._up:
            self._up = False
            self._post(PbxLost(pbx=self.name, why=why))

    # ------------------------------------------------------------ requests and time

    def _send(self, request: ApiRequest) -> None:
        if self._api is None:
            result = ApiResult(outcome=ApiOutcome.NOT_SENT, detail="the driver is not running")
            loop = asyncio.get_running_loop()
            loop.call_soon(self.control.account.take_result, request, result, self._clock.now())
            return
        self._tasks.spawn(
            self._make_request(self._api, request), f"{self.name} {type(request).__name__.lower()}"
        )

    async def _make_request(self, api: ApiClient, request: ApiRequest) -> None:
        if self._gate is not None and not await self._gate.permitted():
            result = ApiResult(outcome=ApiOutcome.NOT_SENT, detail="another router is active")
        else:
            result = await api.make(request)
        self.control.account.take_result(request, result, self._clock.now())
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        moment = self.control.account.next_at()
        if moment is not None and self._api is not None:
            delay = max(0.0, moment - self._clock.now())
            self._timer = asyncio.get_running_loop().call_later(delay, self._run_due)

    def _run_due(self) -> None:
        self._timer = None
        while self.control.account.run_due(self._clock.now()):
            pass
        self._set_timer()
