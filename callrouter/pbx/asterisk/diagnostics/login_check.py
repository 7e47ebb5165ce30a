"""Checks after each login that Asterisk has our dialplan and gives the user every permission.

What is checked is in `requirements`, which `doctor` uses as well. This module turns the results
into log lines, once a minute at most for the same text.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final

from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiClient, AmiError, AmiMessage
from callrouter.pbx.asterisk.diagnostics import requirements
from callrouter.pbx.asterisk.diagnostics.requirements import ActionReport, EventClass
from callrouter.pbx.asterisk.execution.action_writer import ActionWriter

logger = logging.getLogger(__name__)

LAMP: Final = "Custom:callrouter"
"""A device state that is in use while a router is in step with Asterisk."""

LAMP_STATES: Final = ("NOT_INUSE", "INUSE")

_RECHECKS: Final = 5
"""How often a missing context is looked for again before it is reported."""

_NOT_SERVED = "callers would not be served; check the user in manager_callrouter.conf"
_ONLY_A_LOG = (
    "callers are served, but queue_log is not written; check the user in manager_callrouter.conf"
)


class LoginCheck:
    """Warns the operator about missing parts and permissions.

    Attributes:
        missing: our contexts that are missing from the dialplan.
    """

    def __init__(
        self, client: AmiClient, writer: ActionWriter, has_queue_log: Callable[[bool], None] | None
    ) -> None:
        """After each login, `has_queue_log` is told whether Asterisk has the QueueLog action.

        None: no queue_log is written through Asterisk, so the action is not missed.
        """
        self.missing: tuple[str, ...] = ()
        self._client = client
        self._writer = writer
        self._has_queue_log = has_queue_log
        self._checking = False
        self._awaited: set[EventClass] = set()
        """The classes whose echo has not arrived yet."""

    def on_event(self, message: AmiMessage) -> None:
        """Take an event that may be the awaited echo."""
        if self._awaited:
            self._awaited -= requirements.echo_classes(message, LAMP)

    async def run(self) -> None:
        """Check which actions are permitted, which events arrive, and the dialplan.

        What is wrong is logged. If the link breaks before the end, nothing is concluded.
        """
        try:
            report = await requirements.check_actions(self._client)
            if self._has_queue_log is not None:
                self._has_queue_log(report.has_app_queue)
            self._complain_of_actions(report)
            if report.may_query:
                await self._check_dialplan_now()
            await self._check_events(may_send="UserEvent" not in report.forbidden)
        except (AmiError, OSError):
            # The link is gone or too slow to judge, or our own dialplan file cannot be read. The
            # check runs again after the next login.
            return

    def _complain_of_actions(self, report: ActionReport) -> None:
        if self._has_queue_log is not None and not report.has_app_queue:
            self._writer.complain_mildly(
                "app_queue is not loaded, so no queue_log is written; callers are served all the same"
            )
        for name in report.missing_classes:
            only_a_log = name == contract.NEEDS["QueueLog"]
            if only_a_log and self._has_queue_log is None:
                continue
            hint = _ONLY_A_LOG if only_a_log else _NOT_SERVED
            self._writer.complain(f"write={name} is missing", hint)

    async def _check_events(self, *, may_send: bool) -> None:
        # Set before the actions are written: an echo may arrive before their replies.
        self._awaited = set(EventClass)
        expected = await requirements.cause_echoes(
            self._client, LAMP, LAMP_STATES, may_send=may_send
        )
        self._awaited &= expected
        await asyncio.sleep(requirements.ECHO_WITHIN)
        for name in sorted(one.value for one in self._awaited):
            self._writer.complain(f"no events come: read={name} is missing", _NOT_SERVED)
        self._awaited.clear()

    # ------------------------------------------------------------ the dialplan

    async def check_dialplan(self) -> None:
        """Check that the dialplan is still loaded: a reload with a broken #include removes it."""
        if self._checking:
            return
        self._checking = True
        try:
            missing = await self._missing_for_good()
        except (AmiError, OSError):
            return
        finally:
            self._checking = False
        if self.missing and not missing:
            logger.info("the dialplan is there again")
        elif set(missing) - set(self.missing):
            self._complain_of_contexts(missing)
        self.missing = missing

    async def _missing_for_good(self) -> tuple[str, ...]:
        """The missing contexts. Halfway through a reload some contexts are still there."""
        missing = (await requirements.check_contexts(self._client)).missing
        for _ in range(_RECHECKS if set(missing) - set(self.missing) else 0):
            await asyncio.sleep(requirements.ECHO_WITHIN)
            before, missing = missing, (await requirements.check_contexts(self._client)).missing
            if missing == before:
                break
        return missing

    async def _check_dialplan_now(self) -> None:
        self.missing = (await requirements.check_contexts(self._client)).missing
        if self.missing:
            self._complain_of_contexts(self.missing)
        elif await requirements.is_dialplan_ours(self._client) is False:
            self._writer.complain(
                "the dialplan is of another version of callrouter",
                "run `callrouter dialplan --output` into Asterisk's folder, then asterisk -rx "
                '"dialplan reload"',
            )

    def _complain_of_contexts(self, missing: Sequence[str]) -> None:
        only_codes = set(missing) <= {contract.CODES, contract.PERSON}
        lacking = "phone codes" if only_codes else "callers"
        self._writer.complain(
            f"dialplan context missing: {', '.join(missing)}",
            f"{lacking} would not be served; #include extensions_callrouter.conf in extensions.conf "
            '(`callrouter dialplan` writes it), then asterisk -rx "dialplan reload"',
        )
