"""``GET /api/live?topics=…``: the state, then what has changed of agents, queues and calls.

Made for pages. A page that shows a thousand agents needs the new row of those who changed, ten
times a second at most, and not every notice. So changed ids are gathered for `EVERY` seconds, and
the rows are made and encoded once for all watchers who may see the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, Literal, TypeAlias, cast

from callrouter.api.json_answers import encode
from callrouter.api.json_values import Json, moment
from callrouter.api.shared_frames import SharedMessage
from callrouter.api.views.floor_views import FloorViews
from callrouter.api.views.sight import Sight
from callrouter.api.views.unknown_ids import UnknownIdError
from callrouter.clock import Clock
from callrouter.model.notices import Notice

Topic: TypeAlias = Literal["agents", "queues", "calls"]
TOPICS: Final[tuple[Topic, ...]] = ("agents", "queues", "calls")
EVERY: Final = 0.1
"""Seconds between two messages of changes at least. With half of it a change is on the screen sooner, but the page's
main thread and the daemon have nearly twice the work."""
GATHER: Final = 0.01
"""Seconds from a change to its message when there was none just before: one event leads to several changes."""
SWEEP: Final = 1.0
"""Seconds between two comparisons of some rows with what was sent of them last."""
SWEPT: Final = 100
"""Rows compared at a time. A thousand agents are all compared within ten seconds."""
BEAT: Final = 1.0
"""Seconds of silence after which watchers get an empty message, by which a page knows that what it
shows is true now, and not that the line is cut.
"""
_TICKING: Final = frozenset(
    {"wait_s", "talk_s", "idle_s", "wrap_up_s", "since_s", "longest_wait_s"}
)
"""Fields that only count time. A page counts them itself, from when it got the row."""


class Watcher:
    """A page that watches.

    Attributes:
        topics: what it watches.
        sees: returns what it may see now.
        send: sends it a message.
        behind: returns whether earlier messages still wait for it. It is then sent nothing, and later
            what has changed since, once: a slow link shows late what is true and not what was.
        silent: whether it has been sent nothing since this was last looked at.
        missed: the ids of what has changed while it was behind.
    """

    def __init__(
        self,
        topics: frozenset[Topic],
        sees: Callable[[], Sight],
        send: Callable[[str], None],
        behind: Callable[[], bool] = lambda: False,
    ) -> None:
        self.topics = topics
        self.sees = sees
        self.send = send
        self.behind = behind
        self.silent = False
        self.missed: dict[Topic, dict[str, None]] = {}


class ChangeFeed:
    """Gathers what has changed and sends it to the watchers. Costs nothing while there are none.

    Args:
        views: makes the rows.
        clock: the time of the messages.
    """

    def __init__(self, views: FloorViews, clock: Clock) -> None:
        self.seq = 0
        self._views = views
        self._clock = clock
        self._watchers: set[Watcher] = set()
        self._changed: dict[Topic, dict[str, None]] = {topic: {} for topic in TOPICS}
        self._timer: asyncio.TimerHandle | None = None
        self._flushed_at = 0.0
        self._sweep: asyncio.TimerHandle | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._sent: dict[str, int] = {}
        """Of each agent, the hash of the row as it was made last, for the sweep."""
        self._to_sweep: Iterator[str] = iter(())
        self._shown: dict[Sight, set[str]] = {}
        """The calls that those who see this have been shown. The end of others is none of theirs."""

    def add(self, watcher: Watcher) -> None:
        """Send the changes to a watcher from now on."""
        self._watchers.add(watcher)
        seen = watcher.sees()
        shown = self._shown.setdefault(seen, set())
        shown.update(self._views.call_ids(seen))
        if self._sweep is None:
            loop = asyncio.get_running_loop()
            self._sweep = loop.call_later(SWEEP, self._compare_some)
            self._beat = loop.call_later(BEAT, self._tell_time)

    def remove(self, watcher: Watcher) -> None:
        """Send a watcher nothing more."""
        self._watchers.discard(watcher)
        if not self._watchers:
            self.close()

    def close(self) -> None:
        """Stop the timers. Called at the end, and while no one watches."""
        for timer in (self._timer, self._sweep, self._beat):
            if timer is not None:
                timer.cancel()
        self._timer = self._sweep = self._beat = None
        self._sent.clear()
        self._shown.clear()
        for ids in self._changed.values():
            ids.clear()

    # ------------------------------------------------------------ what changes

    def listen(self, notice: Notice) -> None:
        """Note whom a notice is about. A listener of the runtime."""
        if not self._watchers:
            return
        call = getattr(notice, "call", "")
        if isinstance(call, str) and call:
            self._changed["calls"][call] = None
        agent = getattr(notice, "agent", "")
        if isinstance(agent, str) and agent:
            self._changed["agents"][agent] = None
            for queue in self._views.queues_of(agent):
                self._changed["queues"][queue] = None
        queue = getattr(notice, "queue", "")
        if isinstance(queue, str) and queue:
            self._changed["queues"][queue] = None
        self._soon()

    def rows_changed(self, agents: Collection[str]) -> None:
        """Note agents whose stored state has changed. A row listener of the runtime."""
        if self._watchers:
            self._changed["agents"].update(dict.fromkeys(agents))
            self._soon()

    def _soon(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            wait = max(GATHER, self._flushed_at + EVERY - loop.time())
            self._timer = loop.call_later(wait, self._flush)

    def _compare_some(self) -> None:
        """Find agents whose row differs from the one made last, though no notice was about them.

        A phone that becomes busy or unreachable changes its agent's row and may change nothing that
        a notice is about.
        """
        self._sweep = asyncio.get_running_loop().call_later(SWEEP, self._compare_some)
        for _ in range(SWEPT):
            name = next(self._to_sweep, None)
            if name is None:
                self._to_sweep = iter(self._views.agent_ids())
                break
            before = self._sent.get(name)
            try:
                now = _print_of(cast("Json", self._views.agent(name)))
            except UnknownIdError:
                self._sent.pop(name, None)
                continue
            self._sent[name] = now
            if before is not None and before != now:
                self._changed["agents"][name] = None
                self._soon()

    # ------------------------------------------------------------ what is sent

    def _tell_time(self) -> None:
        """Send a message without rows to those who have heard nothing for a while."""
        self._beat = asyncio.get_running_loop().call_later(BEAT, self._tell_time)
        text = ""
        for watcher in self._watchers:
            if watcher.missed:
                self._soon()
            elif watcher.silent:
                if not text:
                    self.seq += 1
                    text = SharedMessage(encode(self._body()).decode())
                watcher.send(text)
            watcher.silent = True

    def _flush(self) -> None:
        self._timer = None
        self._flushed_at = asyncio.get_running_loop().time()
        changed = {topic: list(ids) for topic, ids in self._changed.items()}
        for ids in self._changed.values():
            ids.clear()
        self.seq += 1
        for watcher in self._watchers:  # before calls that have ended are forgotten
            if watcher.missed or watcher.behind():
                self._remember(watcher, changed)
        caught_up = self._catch_up()
        made: dict[tuple[Sight, frozenset[Topic]], str] = {}
        for watcher in list(self._watchers):
            if watcher.missed or watcher in caught_up:
                continue
            seen = watcher.sees()
            key = (seen, watcher.topics)
            if key not in made:
                made[key] = self._message(seen, watcher.topics, changed)
            if made[key]:
                watcher.silent = False
                watcher.send(made[key])

    def _remember(self, watcher: Watcher, changed: Mapping[Topic, Iterable[str]]) -> None:
        """Note what a watcher that is behind has missed. Of calls, only those that it sees or was shown."""
        seen = watcher.sees()
        shown = self._shown.setdefault(seen, set())
        for topic in watcher.topics:
            for name in changed[topic]:
                if topic != "calls" or name in shown or self._views.active_call_row(name, seen):
                    watcher.missed.setdefault(topic, {})[name] = None

    def _catch_up(self) -> set[Watcher]:
        """Send those who are not behind any more what they have missed, and return them.

        One message for all who may see the same: what one of them knows already does it no harm, and
        many slow links do not cost many messages.
        """
        groups: dict[tuple[Sight, frozenset[Topic]], list[Watcher]] = {}
        for watcher in self._watchers:
            if watcher.missed and not watcher.behind():
                groups.setdefault((watcher.sees(), watcher.topics), []).append(watcher)
        for (seen, topics), watchers in groups.items():
            missed: dict[Topic, dict[str, None]] = {}
            for watcher in watchers:
                for topic, ids in watcher.missed.items():
                    missed.setdefault(topic, {}).update(ids)
            text = self._message(seen, topics, missed, missed.get("calls", ()))
            for watcher in watchers:
                watcher.missed = {}
                if text:
                    watcher.silent = False
                    watcher.send(text)
        return {watcher for watchers in groups.values() for watcher in watchers}

    def _message(
        self,
        seen: Sight,
        topics: frozenset[Topic],
        changed: Mapping[Topic, Iterable[str]],
        told: Collection[str] = (),
    ) -> str:
        """Return the message for those who see this; empty if nothing of it has changed.

        `told` are calls that this watcher knows, though others with the same sight may have been told
        of their end already.
        """
        body = self._body()
        gone: list[Json] = []
        for topic in TOPICS:
            rows: list[object] = []
            if topic in topics:
                for name in changed.get(topic, ()):
                    row = self._row(topic, name, seen)
                    if row is None or (not row and topic == "calls" and name in told):
                        gone.append({"topic": topic, "id": name})
                    elif row:
                        rows.append(row)
            body[topic] = rows
        body["gone"] = gone
        if not gone and not any(body[topic] for topic in TOPICS):
            return ""
        return SharedMessage(encode(body).decode())

    def _body(self) -> Json:
        """Return a message without rows."""
        empty: Json = {topic: [] for topic in TOPICS}
        head: Json = {"type": "changes", "seq": self.seq, "at": moment(self._clock.now())}
        return {**head, **empty, "gone": []}

    def _row(self, topic: Topic, name: str, seen: Sight) -> object | None:
        """Return a row; None: it is gone; empty: it is not for this watcher."""
        try:
            match topic:
                case "agents":
                    return self._views.agent(name, seen) if seen.sees_agent(name) else {}
                case "queues":
                    return self._views.queue(name, seen) if seen.sees_queue(name) else {}
                case "calls":
                    return self._call_row(name, seen)
        except UnknownIdError:
            return None

    def _call_row(self, name: str, seen: Sight) -> object | None:
        """Return the row of a call. One that has been shown and is hidden by now counts as gone."""
        shown = self._shown.setdefault(seen, set())
        row = self._views.active_call_row(name, seen)
        if row is not None:
            shown.add(name)
            return row
        if name not in shown:
            return {}
        shown.discard(name)
        return None


def read_topics(text: str) -> frozenset[Topic] | None:
    """Return the topics of a query, such as ``agents,calls``; None: one of them is unknown."""
    names = {part.strip() for part in text.split(",")}
    return frozenset(cast("Iterable[Topic]", names)) if names <= set(TOPICS) else None


def _print_of(view: Json) -> int:
    """Return a hash of a row without the fields that only count time."""
    return hash(repr([(key, _still(value)) for key, value in view.items() if key not in _TICKING]))


def _still(value: object) -> object:
    if isinstance(value, dict):
        return [(key, _still(item)) for key, item in value.items() if key not in _TICKING]
    if isinstance(value, list):
        return [_still(item) for item in value]
    return value
