"""Checks that Asterisk has our dialplan and gives the manager user every permission it needs.

Asterisk does not report any of this. A forbidden action fails only when it is needed, an event the
user may not read never arrives, and without the dialplan no call ever reaches the router. So ask
once after each login, and listen for the echoes of events that we cause ourselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from callrouter.pbx.asterisk import contract, dialplan
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiMessage, AmiReply
from callrouter.pbx.asterisk.execution.executor import Executor, Step

logger = logging.getLogger(__name__)

LAMP = "Custom:callrouter"
"""A device state that is in use while a router is in step with Asterisk.

Changing it causes an event of the class ``call``.
"""

ECHO_WITHIN = 2.0
"""Seconds within which an event that we cause must arrive."""

_HINT = "callers would not be served; check the user in manager_callrouter.conf"
_ONLY_A_LOG = (
    "callers are served, but queue_log is not written; check the user in manager_callrouter.conf"
)


class LoginCheck:
    """Warns the operator about missing parts and permissions."""

    def __init__(
        self, session: AmiClient, executor: Executor, has_queue_log: Callable[[bool], None]
    ) -> None:
        """After each login, `has_queue_log` is told whether Asterisk has the QueueLog action."""
        self._session = session
        self._executor = executor
        self._has_queue_log = has_queue_log
        self.missing: tuple[str, ...] = ()
        """Our contexts that are missing from the dialplan."""
        self._looking = False
        self._waiting: set[str] = set()
        self._foreign = ""
        """The last tick that another run of a router set."""

    def heard(self, message: AmiMessage) -> None:
        """Take an event that may be the awaited echo."""
        if not self._waiting:
            return
        if message.get("UserEvent") == "CallrouterHello":
            self._waiting.discard("user")
        elif message.name == "DeviceStateChange" and message.get("Device") == LAMP:
            self._waiting.discard("call")

    async def run(self) -> None:
        """Check which actions are permitted and which events arrive."""
        try:
            allowed = await self._session.request({"Action": "ListCommands"})
            needed = dict(contract.NEEDS)
            if "QueueLog" not in allowed and await self._lacks_app_queue(allowed):
                del needed["QueueLog"]
            self._has_queue_log("QueueLog" in needed)
            missing = sorted({c for name, c in needed.items() if name not in allowed})
            for name in missing:
                hint = _ONLY_A_LOG if name == contract.NEEDS["QueueLog"] else _HINT
                self._executor.complain(f"write={name} is missing", hint)
            if "Getvar" in allowed:
                await self._dialplan()
            await self._listen(missing)
        except (AmiError, OSError):
            # The link is gone or too slow to judge, or our own dialplan file cannot be read. The
            # check runs again after the next login.
            return

    async def _lacks_app_queue(self, allowed: AmiMessage) -> bool:
        """Whether Asterisk runs without app_queue, which is allowed. Reported once per login."""
        if "Getvar" not in allowed:
            return False
        said = await self._session.request({"Action": "Getvar", "Variable": contract.HAS_APP_QUEUE})
        if said.get("Value") != "0":
            return False
        self._executor.complain_mildly(
            "app_queue is not loaded, so no queue_log is written; callers are served all the same"
        )
        return True

    async def look_at_dialplan(self) -> None:
        """Check that the dialplan is still loaded: a reload with a broken #include removes it."""
        if self._looking:
            return
        self._looking = True
        try:
            missing = await self._not_there()
            for _ in range(5 if set(missing) - set(self.missing) else 0):
                # halfway through a reload some contexts are still there
                await asyncio.sleep(ECHO_WITHIN)
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
        names = [contract.context_exists(context) for context in contract.CONTEXTS]
        said = [
            await self._session.request({"Action": "Getvar", "Variable": name}) for name in names
        ]
        # A value other than 1 or 0 is not an answer: func_dialplan is not loaded, and `doctor`
        # reports that.
        return [c for c, r in zip(contract.CONTEXTS, said, strict=True) if r.get("Value") == "0"]

    async def _dialplan(self) -> None:
        missing = await self._not_there()
        self.missing = tuple(missing)
        ours = await self._session.request({"Action": "Getvar", "Variable": dialplan.is_ours()})
        if not missing and ours.get("Value") == "0":
            self._executor.complain(
                "the dialplan is of another version of callrouter",
                "run `callrouter dialplan --output` into Asterisk's folder, then asterisk -rx "
                '"dialplan reload"',
            )
        if missing:
            self._lacking(missing)

    def _lacking(self, missing: list[str]) -> None:
        lacking = "callers" if set(missing) - {contract.CODES, contract.PERSON} else "phone codes"
        self._executor.complain(
            f"dialplan context missing: {', '.join(missing)}",
            f"{lacking} would not be served; #include extensions_callrouter.conf in extensions.conf "
            '(`callrouter dialplan` writes it), then asterisk -rx "dialplan reload"',
        )

    async def _listen(self, missing: list[str]) -> None:
        lamp = {"Action": "Setvar", "Variable": f"DEVICE_STATE({LAMP})", "Value": ""}
        self._waiting = {"user", "call"} - ({"user"} & set(missing))
        if "user" in self._waiting:
            self._executor.send({"Action": "UserEvent", "UserEvent": "CallrouterHello"})
        try:
            # Only a change causes an event. A previous router left the state at the second value,
            # so set the first one before it.
            await self._session.request(lamp | {"Value": "NOT_INUSE"})
            await self._session.request(lamp | {"Value": "INUSE"})
        except AmiError:
            self._waiting.discard("call")  # no conclusion is possible
        await asyncio.sleep(ECHO_WITHIN)
        for name in sorted(self._waiting):
            self._executor.complain(f"no events come: read={name} is missing", _HINT)
        self._waiting.clear()

    def look_at_tick(self, tick: str, forgotten: Callable[[], None]) -> Step:
        """The step that reads back our last tick. Write it before the next tick.

        Another router on the same Asterisk would ring phones for the same callers. It overwrites
        the tick between two of ours with one that keeps changing. A foreign tick that does not
        change is left over from an earlier run, which means that our own write was lost.

        Args:
            tick: the tick we set last.
            forgotten: called if Asterisk has lost its global variables, for example after
                ``dialplan reload`` with ``clearglobalvars = yes``.
        """

        def told(reply: AmiReply | AmiError) -> None:
            if isinstance(reply, AmiError):
                return
            said = reply.get("Value")
            if not said:
                forgotten()
            seen = contract.run_of_tick(said)
            if seen is None or _run(said) == _run(tick):
                self._foreign = ""
                return
            if _run(said) == _run(self._foreign) and said != self._foreign:
                self._executor.complain(
                    f"another router (process {seen[0]} on its machine) serves the same Asterisk",
                    "stop one of them: both ring phones for the same callers",
                )
            self._foreign = said

        return {"Action": "Getvar", "Variable": contract.TICK}, told


def _run(tick: str) -> str:
    """The run of a router that set this tick."""
    return tick.partition("-")[0]
