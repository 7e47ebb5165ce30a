"""Whether Asterisk has the dialplan, and lets the manager's user do and hear what the router needs.

Asterisk does not say: an action that is not permitted is refused when it is needed, an event that may
not be read just does not come, and without the dialplan no call ever reaches the router. So ask once
after each login, and listen for echoes of our own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from callrouter.pbx.asterisk import dialplan, words
from callrouter.pbx.asterisk.errors import AmiError
from callrouter.pbx.asterisk.outbox import Outbox, Step
from callrouter.pbx.asterisk.session import AmiReply, AmiSession
from callrouter.pbx.asterisk.wire import AmiMessage

logger = logging.getLogger(__name__)

LAMP = "Custom:callrouter"
"""A device state that is in use while a router is in step; changing it echoes as a call event."""

ECHO_WITHIN = 2.0
"""Seconds for an event of our own making to come back."""

_HINT = "callers would not be served; check the user in manager_callrouter.conf"
_ONLY_A_LOG = (
    "callers are served, but queue_log is not written; check the user in manager_callrouter.conf"
)


class Checkup:
    """Complains, in words for people, of what is missing and what the user is not permitted."""

    def __init__(
        self, session: AmiSession, outbox: Outbox, has_queue_log: Callable[[bool], None]
    ) -> None:
        """`has_queue_log` is told after each login whether Asterisk knows the action QueueLog."""
        self._session = session
        self._outbox = outbox
        self._has_queue_log = has_queue_log
        self.missing: tuple[str, ...] = ()
        """Contexts of ours that are not in the dialplan."""
        self._looking = False
        self._waiting: set[str] = set()
        self._foreign = ""
        """The last tick that another run of a router had set."""

    def heard(self, message: AmiMessage) -> None:
        """An event has come; it may be the echo that is waited for."""
        if not self._waiting:
            return
        if message.get("UserEvent") == "CallrouterHello":
            self._waiting.discard("user")
        elif message.name == "DeviceStateChange" and message.get("Device") == LAMP:
            self._waiting.discard("call")

    async def run(self) -> None:
        """Ask what may be done, and see what can be heard."""
        try:
            allowed = await self._session.request({"Action": "ListCommands"})
            needed = dict(words.NEEDS)
            if "QueueLog" not in allowed and await self._lacks_app_queue(allowed):
                del needed["QueueLog"]
            self._has_queue_log("QueueLog" in needed)
            missing = sorted({c for name, c in needed.items() if name not in allowed})
            for name in missing:
                hint = _ONLY_A_LOG if name == words.NEEDS["QueueLog"] else _HINT
                self._outbox.complain(f"write={name} is missing", hint)
            if "Getvar" in allowed:
                await self._dialplan()
            await self._listen(missing)
        except (AmiError, OSError):
            # The link is gone, or too slow to judge; or we cannot read our own dialplan. There will be
            # another login.
            return

    async def _lacks_app_queue(self, allowed: AmiMessage) -> bool:
        """Whether Asterisk runs without app_queue, which is fine; said once after a login."""
        if "Getvar" not in allowed:
            return False
        said = await self._session.request({"Action": "Getvar", "Variable": words.HAS_APP_QUEUE})
        if said.get("Value") != "0":
            return False
        self._outbox.complain_mildly(
            "app_queue is not loaded, so no queue_log is written; callers are served all the same"
        )
        return True

    async def look_at_dialplan(self) -> None:
        """See that the dialplan is there still: a reload with a broken #include takes it away."""
        if self._looking:
            return
        self._looking = True
        try:
            missing = await self._not_there()
            for _ in range(5 if set(missing) - set(self.missing) else 0):
                await asyncio.sleep(ECHO_WITHIN)  # in the midst of a reload some are there still
                before, missing = missing, await self._not_there()
                if missing == before:
                    break
        except (AmiError, OSError):
            return
        finally:
            self._looking = False
        if self.missing and not missing:
            logger.info("the dialplan is there again")
        elif set(missing) - set(self.missing):
            self._lacking(missing)
        self.missing = tuple(missing)

    async def _not_there(self) -> list[str]:
        names = [words.is_there(context) for context in words.CONTEXTS]
        said = [
            await self._session.request({"Action": "Getvar", "Variable": name}) for name in names
        ]
        # What is neither 1 nor 0 is no answer: func_dialplan is not loaded, and `doctor` says so.
        return [c for c, r in zip(words.CONTEXTS, said, strict=True) if r.get("Value") == "0"]

    async def _dialplan(self) -> None:
        missing = await self._not_there()
        self.missing = tuple(missing)
        ours = await self._session.request({"Action": "Getvar", "Variable": dialplan.is_ours()})
        if not missing and ours.get("Value") == "0":
            self._outbox.complain(
                "the dialplan is of another version of callrouter",
                "run `callrouter dialplan --output` into Asterisk's folder, then asterisk -rx "
                '"dialplan reload"',
            )
        if missing:
            self._lacking(missing)

    def _lacking(self, missing: list[str]) -> None:
        lacking = "callers" if set(missing) - {words.CODES, words.PERSON} else "phone codes"
        self._outbox.complain(
            f"dialplan context missing: {', '.join(missing)}",
            f"{lacking} would not be served; #include extensions_callrouter.conf in extensions.conf "
            '(`callrouter dialplan` writes it), then asterisk -rx "dialplan reload"',
        )

    async def _listen(self, missing: list[str]) -> None:
        lamp = {"Action": "Setvar", "Variable": f"DEVICE_STATE({LAMP})", "Value": ""}
        self._waiting = {"user", "call"} - ({"user"} & set(missing))
        if "user" in self._waiting:
            self._outbox.send({"Action": "UserEvent", "UserEvent": "CallrouterHello"})
        try:
            # Two states, since only a change echoes; a router that was here before left the second.
            await self._session.request(lamp | {"Value": "NOT_INUSE"})
            await self._session.request(lamp | {"Value": "INUSE"})
        except AmiError:
            self._waiting.discard("call")  # nothing can be concluded
        await asyncio.sleep(ECHO_WITHIN)
        for name in sorted(self._waiting):
            self._outbox.complain(f"no events come: read={name} is missing", _HINT)
        self._waiting.clear()

    def look_at_tick(self, tick: str, forgotten: Callable[[], None]) -> Step:
        """Read back our last tick. To be written before the next one.

        Another router that serves the same Asterisk would ring phones for the same callers. It sets a tick
        of its own between two of ours, and that tick moves: one that stands still is left over from an
        earlier run, and ours was lost on its way.

        Args:
            tick: what we set last.
            forgotten: called when Asterisk has lost its global variables, as by ``dialplan reload`` with
                ``clearglobalvars = yes``.
        """

        def told(reply: AmiReply | AmiError) -> None:
            if isinstance(reply, AmiError):
                return
            said = reply.get("Value")
            if not said:
                forgotten()
            seen = words.ticking(said)
            if seen is None or _run(said) == _run(tick):
                self._foreign = ""
                return
            if _run(said) == _run(self._foreign) and said != self._foreign:
                self._outbox.complain(
                    f"another router (process {seen[0]} on its machine) serves the same Asterisk",
                    "stop one of them: both ring phones for the same callers",
                )
            self._foreign = said

        return {"Action": "Getvar", "Variable": words.TICK}, told


def _run(tick: str) -> str:
    """Which run of a router set a tick."""
    return tick.partition("-")[0]
