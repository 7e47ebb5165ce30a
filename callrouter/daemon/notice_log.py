"""Writes what the core reports to the log."""

from __future__ import annotations

import logging
from typing import Final

from callrouter.api.notice_text import log_line
from callrouter.model.call_notices import OfferDecided
from callrouter.model.notices import AgentNotified, AgentStatusChanged, Notice, Oddity

logger = logging.getLogger(__name__)

_NOT_LOGGED: Final = (OfferDecided, AgentStatusChanged, AgentNotified)
"""Kept for `why` and for the agent; in the log they would repeat what other lines say."""


def log_notice(notice: Notice) -> None:
    """Log a notice. A listener of the runtime.

    The level is INFO. A mistake in how calls are sent is a WARNING, or an ERROR if it is a wrong
    queue.
    """
    if isinstance(notice, _NOT_LOGGED):
        return
    level = logging.INFO
    if isinstance(notice, Oddity) and notice.mistake:
        level = logging.ERROR if notice.mistake == "queue" else logging.WARNING
    logger.log(level, "%s", log_line(notice))
