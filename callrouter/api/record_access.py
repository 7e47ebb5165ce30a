"""The API's way to the record: the threads that read it, and who may see what of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from callrouter.api.views.sight import Sight
from callrouter.record.reading_threads import ReadingThread
from callrouter.reports.request import Scope
from callrouter.settings.loaded import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAccess:
    """How the API reads the record.

    Attributes:
        lookups: answers what takes milliseconds: a page of calls, one call.
        reports: answers what may take seconds.
        settings: returns the configuration in force.
    """

    lookups: ReadingThread
    reports: ReadingThread
    settings: Callable[[], Settings]


def scope_of(sight: Sight) -> Scope:
    """Return what a caller may see of reports: what they may see of the floor."""
    return Scope(queues=sight.queues, agents=sight.agents, agent=sight.agent, masked=sight.masked)
