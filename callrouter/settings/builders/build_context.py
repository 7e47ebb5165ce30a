"""The context shared by all steps from the schema to the routing table, with its time zones.

`zoneinfo` caches what it has read forever. Here, a zone stays the same object as long as its file
does, so that a reload can detect by identity whether its rules have changed.
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Final

from callrouter.model.hours import DayOff, Hours, Span, not_days_and_times, parse_spans
from callrouter.model.text import phrase, sentence_of
from callrouter.settings.errors import hints
from callrouter.settings.errors.problems import Nearest, did_you_mean, quoted
from callrouter.settings.loaded import PbxSettings
from callrouter.settings.yaml.reader import Items, Section
from callrouter.settings.yaml.source import Document, KeyPath
from callrouter.settings.yaml.substitution import Substituted

_OFFSET: Final = re.compile("(?:UTC|GMT)?[+-][0-9:]{1,5}")
"""A difference from UTC. It names no place, and so no summer time."""
_WHATS: Final = {
    "agent": phrase("what-agent", "agent"),
    "queue": phrase("what-queue", "queue"),
    "pbx": phrase("what-pbx", "pbx"),
    "destination": phrase("what-destination", "destination"),
}
_read = lru_cache(maxsize=1024)(parse_spans)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """What all builders share.

    Attributes:
        document: The files as written; receives what is inconsistent.
        nearest: Finds the right name for a mistyped one.
        policies: The allowed names of policies.
        pbxes: The PBXes that could be built.
        zone: The time zone of hours.
    """

    document: Document
    nearest: Nearest
    policies: frozenset[str]
    pbxes: Mapping[str, PbxSettings]
    zone: tzinfo

    def check_name(
        self, section: str, name: str, path: KeyPath, what: str, *, key: bool = False
    ) -> bool:
        """Check that a name is in a section.

        Nothing is reported if a file or the section could not be read, since the name may be there.

        Args:
            section: The section, such as ``queues``.
            name: The name.
            path: Where the name is used; a missing one is reported there.
            what: What it names, for the message.
            key: Whether the name is a key at `path` and not a value.

        Returns:
            Whether it is there.
        """
        names = self.document.names(section)
        if name in names or not self.document.knows_all_names(section):
            return name in names
        hint = self.nearest.hint(name, names) or phrase(
            "there-none-in", "there is none of that name in {section}:", section=section
        )
        self.document.error(
            path,
            phrase(
                "unknown", "unknown {what} {name}", what=_WHATS.get(what, what), name=quoted(name)
            ),
            hint,
            key=key,
        )
        return False

    def refuse_empty(self, path: KeyPath, why: str) -> None:
        """Report an empty list of queues: without the list it is all of them.

        Nothing is reported if the list lost an item, which has been reported, or is not there.

        Args:
            path: Where the list stands.
            why: What an empty list would mean, for the hint.
        """
        written = self.document.written(*path)
        if isinstance(written, Items) and not written and not written.thinned:
            key = str(path[-1])
            text = phrase("names-none", "{key} names none", key=key)
            hint = "{why}; for all queues take {key} out"
            self.document.error(path, text, phrase("for-all-queues", hint, why=why, key=key))

    def within(self, timezone: str | None, path: KeyPath) -> BuildContext:
        """Return this context, or a copy with its own time zone if one is given.

        An unknown time zone is reported below `path` and replaced by UTC.
        """
        if timezone is None:
            return self
        zone = find_zone(timezone, (*path, "timezone"), self.document, self.nearest)
        return replace(self, zone=zone)

    def hours(
        self, texts: Mapping[KeyPath, str], holidays: Collection[date | DayOff] = frozenset()
    ) -> Hours | None:
        """Parse days and times into one value.

        Args:
            texts: The texts as written, by their paths.
            holidays: The days on which they do not apply.

        Returns:
            The hours; None: there are none, or they are invalid, which has been reported.
        """
        spans: set[Span] = set()
        wrong = False
        for path, text in texts.items():
            try:
                spans.update(_read(text))
            except ValueError as error:
                wrong = True
                written = self.document.written(*path)
                hint = "" if isinstance(written, Substituted) else hints.hours(text)
                said = phrase("hours", "hours: {why}", why=_why(written, error))
                self.document.error(path, said, hint)
        if wrong or not spans:
            return None
        in_order = sorted(spans, key=lambda span: (span.day, span.start, span.end))
        return Hours(tuple(in_order), self.zone, frozenset(holidays))


def warn_of_missing_file(document: Document, path: KeyPath, file: Path) -> None:
    """Warn if a file that the daemon needs for its start is not there.

    A file in a folder that we may not search is not reported.
    """
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        written = document.written(*path)
        # What stands behind ${NAME} may be a secret that was put in the wrong place.
        name = quoted(written.written) if isinstance(written, Substituted) else file
        text = phrase("no-file-there", "there is no file {name}", name=str(name))
        hint = phrase("daemon-needs-it", "without it the daemon does not start")
        document.warning(path, text, hint)
    except OSError:
        return


def is_damaged(written: object) -> bool:
    """Return whether an invalid part of a value, at any depth, was removed (and reported).

    `written` is what `Document.written` returns. Where something was removed, a check that misses
    it must report nothing.
    """
    if isinstance(written, Section):
        return bool(written.at.keys() - written.keys()) or any(map(is_damaged, written.values()))
    return isinstance(written, Items) and (written.thinned or any(map(is_damaged, written)))


def _why(written: object, error: ValueError) -> str:
    if isinstance(written, Substituted):
        # The parser would quote part of a value that must not be shown.
        return not_days_and_times(quoted(written.written))
    why = sentence_of(error)
    if why.isprintable() and len(why) < 200:
        return why
    return phrase("no-days-and-times", "not days and times")


# ---------------------------------------------------------------- time zones

_Seen = tuple[str, int, int, int]

_known: Final[dict[str, tuple[_Seen | None, zoneinfo.ZoneInfo]]] = {}


def find_zone(name: str, path: KeyPath, document: Document, nearest: Nearest) -> tzinfo:
    """Return the time zone; UTC for an unknown one, which is reported at `path`.

    For the same name it is the same object as before, unless the zone's file has changed.
    """
    # The directories posix and right repeat all zones, in right with leap seconds.
    found = None if name.startswith(("posix", "right/")) else _zone(name)
    if found is not None:
        return found
    zones = sorted(zoneinfo.available_timezones())
    if zones:
        close = {zone.lower(): zone for zone in zones}
        near = "" if _OFFSET.fullmatch(name) else nearest.name(name, tuple(close))
        hint = did_you_mean(quoted(close[near])) if near else ""
        text = phrase("unknown-time-zone", "unknown time zone {name}", name=quoted(name))
        document.error(path, text, hint or phrase("such-as-europe-london", "such as Europe/London"))
    elif name != "UTC":
        text = phrase(
            "time-zone-cannot-be-looked-up",
            "time zone {name} cannot be looked up: this machine has no time zones",
            name=quoted(name),
        )
        document.error(path, text, phrase("install-tzdata", "install tzdata"))
    return UTC


def _zone(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        seen = _file_of(name)
        known = _known.get(name)
        if known is not None and known[0] != seen:
            zoneinfo.ZoneInfo.clear_cache(only_keys=(name,))
        made = zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, zoneinfo.ZoneInfoNotFoundError):
        return None
    _known[name] = seen, made
    return made


def _file_of(name: str) -> _Seen | None:
    """Return the file of a zone and what identifies its version; None: it is from a package.

    The version is the inode, the size in bytes and the time of the last change in ns. The first
    folder of `zoneinfo.TZPATH` with such a file counts.
    """
    for folder in zoneinfo.TZPATH:
        try:
            status = (Path(folder) / name).stat()
        except OSError:
            continue
        return folder, status.st_ino, status.st_size, status.st_mtime_ns
    return None
