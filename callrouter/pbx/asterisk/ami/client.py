"""The client: connects, logs in, detects the loss of the link and reconnects."""

import asyncio
import logging
import random
from collections.abc import Callable, Sequence

from callrouter.pbx.asterisk.ami.client_options import (
    AmiAccount,
    AmiTiming,
    LoginRefusal,
    UserEventRules,
    explain_failure,
    no_server,
)
from callrouter.pbx.asterisk.ami.connection import AmiConnection, abort
from callrouter.pbx.asterisk.ami.counters import AmiCounters
from callrouter.pbx.asterisk.ami.errors import AmiDown
from callrouter.pbx.asterisk.ami.handshake import (
    AttemptFailedError,
    first_connection,
    log_in,
    wait_until_booted,
)
from callrouter.pbx.asterisk.ami.messages import AmiMessage, AmiReply
from callrouter.pbx.asterisk.ami.replies import ListRows
from callrouter.pbx.asterisk.ami.wire import Action, guard

logger = logging.getLogger(__name__)

LOG_AGAIN_AFTER = 60.0
"""Seconds after which a continuing outage is logged again."""


def _events(mask: str) -> Action:
    """The action that asks for events from now on."""
    return {"Action": "Events", "EventMask": mask}


class AmiClient:
    """One AMI session, kept alive until it is closed.

    `on_up`, `on_down` and `on_event` are called in the event loop, in order, and must not block.
    Exceptions they raise are logged and counted, nothing more. Events are delivered only between
    `on_up` and `on_down`. After every `on_up` the caller must query the state it needs, because
    events may have been lost.

    Attributes:
        account: address and credentials.
        counters: counters over all connections.
        last_error: why the session is not up, in words for the operator; "" while it is up.
        refused: why the last login was refused; None if it was accepted or not answered.
    """

    def __init__(
        self,
        account: AmiAccount,
        *,
        on_event: Callable[[AmiMessage], None],
        on_up: Callable[[], None],
        on_down: Callable[[str], None],
        on_failed: Callable[[bool], None] = lambda _no_server: None,
        event_names: frozenset[str] | None = None,
        event_mask: str = "on",
        timing: AmiTiming | None = None,
        on_forged: Callable[[str], None] | None = None,
        user_events: UserEventRules | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Check the account. Nothing is connected before `run`.

        Args:
            account: address and credentials.
            on_event: receives every event that `event_names` contains.
            on_up: called when the session becomes usable.
            on_down: called when it stops being usable; receives the reason.
            on_failed: called after each attempt that led to no session; receives whether that was because
                nothing listens at the address.
            event_names: the events to parse; None for all. Events of lists are always parsed.
            event_mask: the `Events:` header of the login: `on`, `off`, or classes such as
                `call,user`.
            timing: intervals; by default the standard ones.
            on_forged: receives the name of each event that was dropped because Asterisk does not
                write it like that. Without it, every event is accepted.
            user_events: where ``UserEvent`` may come from, if `on_forged` is given.
            rng: source of the jitter between attempts.

        Raises:
            AmiBadValue: the user name, secret or `event_mask` cannot be sent.
        """
        login = {"Username": account.username, "Secret": account.secret, "Events": event_mask}
        guard({"Action": "Login", **login})
        self.account = account
        self.counters = AmiCounters()
        self.last_error = ""
        self.refused: LoginRefusal | None = None
        self._on_event = on_event
        self._on_up = on_up
        self._on_down = on_down
        self._on_failed = on_failed
        self._event_names = event_names
        self._event_mask = event_mask
        self._timing = timing or AmiTiming()
        self._on_forged = on_forged
        self._user_events = user_events
        self._rng = rng or random.Random()  # noqa: S311 - spreads attempts, hides nothing
        self._link: AmiConnection | None = (
            None  # the connection in use, from its opening to its loss
        )
        self._keeper: asyncio.Task[None] | None = None
        self._closed = False
        self._times_up = 0
        self._logged_at = -LOG_AGAIN_AFTER

    @property
    def up(self) -> bool:
        """Whether the session is logged in and usable. False as soon as the link is lost."""
        return self._link is not None and self._link.live

    # -- life cycle -------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the session alive until `close` is called or this call is cancelled.

        Returns at once if the session was closed before.

        Raises:
            RuntimeError: it is already running.
        """
        if self._closed:
            return
        if self._keeper is not None:
            raise RuntimeError("this AMI session runs already")
        self._keeper = asyncio.create_task(  # noqa: TID251 - awaited below, and held until its end
            self._stay_connected(), name=f"AMI session with {self.account.where}"
        )
        try:
            await asyncio.wait([self._keeper])
        finally:
            await self.close()
        if not self._keeper.cancelled():
            self._keeper.result()

    async def close(self) -> None:
        """Log off for good. Unanswered actions fail with AmiDown, and there is no further login.

        Returns within about a second, even if Asterisk does not read any more.
        """
        self._closed = True
        link = self._link
        if link is not None:
            link.drop("closed by this side", politely=True)
        if self._keeper is not None and self._keeper is not asyncio.current_task():
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if link is not None and not link.gone.done():
            await asyncio.wait([link.gone], timeout=1.0)
            abort(link.transport)  # Asterisk did not read the rest

    def drop(self, reason: str) -> None:
        """End the connection in use at once, and discard what Asterisk has not received of it.

        A new one is opened as after any loss of the link, unless the session was closed.

        Args:
            reason: for errors and log lines.
        """
        if self._link is not None:
            self._link.drop(reason)

    def use_events(self, mask: str) -> None:
        """Ask Asterisk for other events from now on, and at every later login.

        Args:
            mask: as the parameter `event_mask`.

        Raises:
            AmiBadValue: the mask cannot be sent.
        """
        guard(_events(mask))
        self._event_mask = mask
        if self.up:
            self.send([_events(mask)])

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            try:
                was_up = await self._one_connection()
            except AttemptFailedError as error:
                self.refused = error.refused
                self.counters.refused_logins += error.refused is not None
                failures += 1
                self._log_failure(str(error))
                self._tell_failure(error.no_server)
            except Exception:
                # A bug of ours or a lack of memory. Whatever it is, the session must come back.
                self.refused = None
                failures += 1
                self.counters.handler_errors += 1
                logger.exception("the AMI session with %s failed; trying again", self.account.where)
            else:
                failures = 0 if was_up >= self._timing.stable_after else failures + 1
            wait = started + self._pause(failures) - loop.time()
            await asyncio.sleep(max(wait, 0.0))

    def _pause(self, failures: int) -> float:
        """Seconds between the starts of two attempts: doubles each time, plus up to 25 % jitter."""
        timing = self._timing
        ceiling = {
            None: timing.retry_ceiling,
            LoginRefusal.IN_USE: timing.in_use_ceiling,
            LoginRefusal.ACCOUNT: timing.refused_ceiling,
        }[self.refused]
        pause = timing.retry_first * 2.0 ** min(max(failures - 1, 0), 16)
        return max(min(pause, ceiling), timing.retry_first) * self._rng.uniform(1.0, 1.25)

    def _log_failure(self, text: str) -> None:
        """Log a new failure at once, and the same failure again once a minute."""
        now = asyncio.get_running_loop().time()
        if text != self.last_error or now - self._logged_at >= LOG_AGAIN_AFTER:
            logger.error("no AMI session, trying again until there is one: %s", text)
            self._logged_at = now
        self.last_error = text

    # -- one connection ---------------------------------------------------------------------

    async def _one_connection(self) -> float:
        """Connect, log in and wait for the loss. Return how long the session was up, in seconds."""
        loop = asyncio.get_running_loop()
        link = await self._open()
        self._link = link
        try:
            mask = self._event_mask
            await log_in(link, self.account, self._timing, mask)
            link.start_watchdog()
            await wait_until_booted(link, self._timing.boot_grace)
            if self._event_mask != mask:  # `use_events` was called while we logged in
                link.submit([_events(self._event_mask)], self._timing.login_timeout)
            began = loop.time()
            self._go_up(link)
            await asyncio.wait([link.lost])
            return loop.time() - began
        except AmiDown as error:
            raise AttemptFailedError(f"{self.account.where}: {error}") from error
        finally:
            link.drop("gave up")
            self._link = None

    async def _open(self) -> AmiConnection:
        timing, account = self._timing, self.account

        def protocol() -> AmiConnection:
            return AmiConnection(
                wanted=self._event_names,
                counters=self.counters,
                on_event=self._on_event,
                on_lost=self._on_lost,
                timing=timing,
                on_forged=self._on_forged,
                user_events=self._user_events,
            )

        async def connect() -> AmiConnection:
            _, link = await asyncio.get_running_loop().create_connection(
                protocol, account.host, account.port, ssl=account.tls
            )
            return link

        try:
            return await first_connection(
                connect,
                lambda link: link.drop("another connection was quicker"),
                every=timing.connect_every,
                timeout=timing.connect_timeout,
            )
        except (OSError, UnicodeError) as error:  # TLS errors and timeouts are OSErrors too
            raise AttemptFailedError(
                explain_failure(error, account, timing.connect_timeout), no_server=no_server(error)
            ) from error

    # -- up and down ------------------------------------------------------------------------

    def _go_up(self, link: AmiConnection) -> None:
        link.live = True
        self.last_error, self.refused = "", None
        self.counters.reconnects += 1 if self._times_up else 0
        self._times_up += 1
        logger.debug("AMI session with %s is up", self.account.where)
        try:
            self._on_up()
        except Exception:
            self.counters.handler_errors += 1
            logger.exception("the handler for 'session up' failed; going on")

    def _on_lost(self, reason: str, was_live: bool) -> None:
        """A link was lost. Report it only if the session was up."""
        if not was_live:
            return
        self.last_error = f"{self.account.where}: {reason}"
        log = logger.debug if self._closed else logger.warning
        log("AMI session with %s is down: %s", self.account.where, reason)
        try:
            self._on_down(reason)
        except Exception:
            self.counters.handler_errors += 1
            logger.exception("the handler for 'session down' failed; going on")

    def _tell_failure(self, no_server: bool) -> None:
        try:
            self._on_failed(no_server)
        except Exception:
            self.counters.handler_errors += 1
            logger.exception("the handler for 'attempt failed' failed; going on")

    # -- actions ----------------------------------------------------------------------------

    def send(
        self,
        actions: Sequence[Action],
        *,
        timeout: float = 5.0,
        permit: Callable[[], bool] | None = None,
    ) -> list[asyncio.Future[AmiReply]]:
        """Write all actions at once, in order. Return one future for each, in the same order.

        Every future ends, either with the reply or with AmiRejected, AmiTimeout or AmiDown. No
        action is ever sent a second time, and none is queued while the session is down. A future
        need not be awaited. If an action has an `ActionID`, it is kept, so that `OriginateResponse`
        can be matched by it. The answer to an asynchronous Originate is the first one,
        "successfully queued".

        Args:
            actions: headers, each with a value or a list of values.
            timeout: seconds until AmiTimeout.
            permit: asked immediately before the actions are written.

        Raises:
            AmiBadValue: one of them cannot be sent. Nothing was written.
            AmiNotPermitted: `permit` said no. Nothing was written.
        """
        if self._link is not None and self._link.live:
            return self._link.submit(actions, timeout, permit)
        for action in actions:
            guard(action)
        return [self._failed() for _ in actions]

    async def request(
        self,
        action: Action,
        *,
        timeout: float = 5.0,  # noqa: ASYNC109 - its end must be known to the table of actions
    ) -> AmiReply:
        """Send one action and wait for its reply.

        Raises:
            AmiError: AmiBadValue, AmiRejected, AmiTimeout or AmiDown.
        """
        [reply] = self.send([action], timeout=timeout)
        return await reply

    def _failed(self) -> asyncio.Future[AmiReply]:
        future: asyncio.Future[AmiReply] = asyncio.get_running_loop().create_future()
        future.set_exception(self._down())
        future.exception()  # marks it as retrieved, so that asyncio does not warn
        return future

    def _down(self) -> AmiDown:
        return AmiDown(
            f"no AMI session with {self.account.where}: {self.last_error or 'not up yet'}"
        )

    # Must be last in the class: below this line, type checkers take `list` to mean this method.
    async def list(
        self,
        action: Action,
        *,
        timeout: float = 10.0,  # noqa: ASYNC109
    ) -> ListRows:
        """Send an action that answers with a list, and wait until the list is complete.

        The result contains the list's events without the closing one. It is empty if Asterisk
        answers "No ... found". A partial list is never returned.

        Raises:
            AmiError: as `request`. AmiRejected also if the list is cancelled or the answer is not a
                list.
        """
        if self._link is None or not self._link.live:
            guard(action)
            raise self._down()
        return await self._link.submit_list(action, timeout)
