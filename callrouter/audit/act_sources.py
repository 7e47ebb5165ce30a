"""Acts for the audit that do not come over HTTP: by phone, and by a change of the files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from callrouter.audit.act_log import Act
from callrouter.audit.act_rows import ActOutcome, ActVia
from callrouter.mobiles.mobile_records import AuditRow

_BY_REQUEST: Final = frozenset({"api", "command line"})
"""Steps that a request over HTTP has led to, which is on record itself."""
_REFUSED: Final = frozenset(
    {"refused", "wrong-pin", "locked", "wrong-code", "no-code", "failed", "expired"}
)
_LINES: Final = 20
"""Lines of a change that are stored; the history of changes has them all."""


def mobile_step(add: Callable[[Act], None], row: AuditRow) -> None:
    """Take down a step of a mobile's registration, such as a code keyed in or a wrong PIN.

    Args:
        add: takes acts.
        row: the step.
    """
    if row.via in _BY_REQUEST:
        return
    refused = row.what in _REFUSED
    values = {"device": row.device, "number": row.number, "detail": row.detail}
    add(
        Act(
            who=row.who,
            role="agent" if row.who == row.agent else "",
            via=ActVia.PHONE,
            source=row.via or "callrouter",
            act=f"mobiles.{row.what}",
            agent=row.agent,
            values={name: value for name, value in values.items() if value},
            outcome=ActOutcome.REFUSED if refused else ActOutcome.DONE,
            kind=row.what if refused else "",
        )
    )


def files_changed(add: Callable[[Act], None], who: str, how: str, lines: tuple[str, ...]) -> None:
    """Take down a change of the configuration's files that no request has asked for.

    Args:
        add: takes acts.
        who: the owners of the changed files.
        how: ``file``, or ``start`` if they were changed while the daemon did not run.
        lines: the change in words.
    """
    values = {str(n): line for n, line in enumerate(lines[:_LINES], 1)}
    add(Act(who=who, role="", via=ActVia.FILE, source=how, act="config.files", values=values))
