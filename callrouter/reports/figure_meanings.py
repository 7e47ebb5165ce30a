"""What each figure of each report is: what it counts in, and its definition.

They are written here and nowhere else: the API gives them with each report, the page shows them, and
``python -m callrouter.reports.figure_meanings docs/figures.md`` puts them into the tables of that page, where a
test holds them equal.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple


class FigureMeaning(NamedTuple):
    """What a figure counts in, such as ``stays`` or ``s``, and its definition, in Markdown."""

    unit: str
    text: str


MEANINGS: Final[Mapping[str, Mapping[str, FigureMeaning]]] = {
    "queues": {
        "interval": FigureMeaning("time", "the beginning of the interval; only with `--by`"),
        "queue": FigureMeaning("", "id"),
        "name": FigureMeaning("", "name for people"),
        "entered": FigureMeaning(
            "stays",
            "let into the queue: answered + abandoned + left + waiting. Also by transfer, overflow, a move or a re-entry",
        ),
        "answered": FigureMeaning("stays", "caller and agent heard each other"),
        "abandoned": FigureMeaning(
            "stays", "the caller hung up while waiting, or while being connected. Short ones count"
        ),
        "left": FigureMeaning("stays", "ended otherwise: the sum of `left_by`"),
        "waiting": FigureMeaning("stays", "wait now"),
        "refused": FigureMeaning(
            "stays",
            "not let in, because the queue was full or closed or no agent was there; not part of `entered`",
        ),
        "service_level.strict": FigureMeaning("%", "answered within T / (answered + abandoned)"),
        "service_level.abandons_ignored": FigureMeaning(
            "%", "answered within T / (answered + abandoned after T)"
        ),
        "service_level.abandons_positive": FigureMeaning(
            "%", "(answered + abandoned within T) / (answered + abandoned)"
        ),
        "service_level.answered_only": FigureMeaning("%", "answered within T / answered"),
        "service_level.short_credit": FigureMeaning(
            "%", "(answered within T + short abandons) / (answered + abandoned)"
        ),
        "service_level.within_s": FigureMeaning("s", "T; none over several queues"),
        "service_level.target": FigureMeaning(
            "%", "what the queue aims at; none if it names no target"
        ),
        "service_level.met": FigureMeaning("yes or no", "whether `strict` reaches the target"),
        "wait_s.mean": FigureMeaning(
            "s",
            "mean wait of answered calls: the average speed of answer (ASA). Waits of 0 count, abandoned calls do not",
        ),
        "wait_s.median": FigureMeaning("s", "of answered calls"),
        "wait_s.p90": FigureMeaning("s", "90 % of answered calls waited no longer"),
        "wait_s.max": FigureMeaning("s", "longest wait of an answered call"),
        "abandoned_wait_s.mean": FigureMeaning("s", "mean wait of abandoned calls, short ones too"),
        "abandoned_wait_s.median": FigureMeaning("s", "of abandoned calls"),
        "abandoned_wait_s.p90": FigureMeaning("s", "of abandoned calls"),
        "abandoned_wait_s.max": FigureMeaning("s", "of abandoned calls"),
        "abandoned_share": FigureMeaning("%", "abandoned / entered"),
        "abandoned_within": FigureMeaning("stays", "B_T"),
        "abandoned_short": FigureMeaning("stays", "B_s"),
        "from_elsewhere": FigureMeaning(
            "stays", "of `entered`: by transfer, overflow, or moved by a supervisor"
        ),
        "re_entries": FigureMeaning(
            "stays", "of `entered`: the call was over, and its channel came back"
        ),
        "left_by.timeout": FigureMeaning("stays", "`max_wait` was over"),
        "left_by.full": FigureMeaning(
            "stays", "the queue was full when the call was to come back into it"
        ),
        "left_by.closed": FigureMeaning("stays", "the queue closed, or is gone"),
        "left_by.nobody": FigureMeaning("stays", "no agent was there any more"),
        "left_by.ended": FigureMeaning("stays", "a supervisor ended it"),
        "left_by.moved": FigureMeaning("stays", "a supervisor moved it to another queue"),
        "left_by.moved-away": FigureMeaning("stays", "another program took the caller"),
        "left_by.lost": FigureMeaning("stays", "gone after a time without a router"),
        "talk_s.mean": FigureMeaning(
            "s",
            "talk time, holds included, per answered stay; a stay's conversations with several agents count together",
        ),
        "talk_s.total": FigureMeaning("s", "talk time of all"),
        "hold_s.mean": FigureMeaning("s", "time on hold per answered stay"),
    },
    "hours": {
        "agents": FigureMeaning(
            "agents",
            "mean number of agents who were signed in with a phone that could ring, pauses and calls included. With `--queue`: those who may serve it by the present configuration",
        ),
    },
    "agents": {
        "interval": FigureMeaning("time", "the beginning of the interval; only with `--by`"),
        "agent": FigureMeaning("", "id"),
        "name": FigureMeaning("", "name for people"),
        "offers": FigureMeaning("offers", "how often the agent was rung; the sum of the next nine"),
        "answered": FigureMeaning("offers", "a conversation followed"),
        "missed": FigureMeaning("offers", "the phone rang until its time was up"),
        "declined": FigureMeaning(
            "offers", "declined on the phone, with key 2, or with a wrong key"
        ),
        "not_accepted": FigureMeaning(
            "offers", "picked up, and key 1 not pressed: a voicemail, say"
        ),
        "unreached": FigureMeaning(
            "offers", "busy, unavailable, unreachable, failed, no reply, or the number was refused"
        ),
        "lost": FigureMeaning("offers", "another agent accepted first"),
        "withdrawn": FigureMeaning(
            "offers", "the agent paused, the caller hung up or was moved, the router stopped"
        ),
        "not_connected": FigureMeaning(
            "offers",
            "accepted, and the two could not be connected, or the agent gave the call back at once",
        ),
        "ringing": FigureMeaning("offers", "ring now"),
        "answered_share": FigureMeaning(
            "%",
            "answered / (answered + missed + declined + not_accepted): of the offers that were the agent's to take",
        ),
        "conversations": FigureMeaning(
            "conversations",
            "begun; also those that broke off at once (their offers are `not_connected`), by a colleague who put the caller through, and those found after a gap",
        ),
        "talk_s.total": FigureMeaning("s", "of ended conversations, holds included"),
        "talk_s.mean": FigureMeaning("s", "per ended conversation"),
        "talk_s.max": FigureMeaning("s", "the longest"),
        "hold_s.total": FigureMeaning("s", "callers on hold"),
        "wrap_up_s.total": FigureMeaning("s", "after-call work"),
        "handle_s.mean": FigureMeaning(
            "s",
            "(talk + wrap-up) per ended conversation: the average handling time (AHT). Ringing is not part of it",
        ),
        "transfers": FigureMeaning(
            "conversations", "that ended because the agent gave the caller away"
        ),
        "signed_in_s": FigureMeaning("s", "signed in, also while no phone could ring"),
        "state_s.available": FigureMeaning("s", "free for a call"),
        "state_s.reserved": FigureMeaning(
            "s", "being rung, before the first phone says that it rings"
        ),
        "state_s.ringing": FigureMeaning("s", "a phone rings"),
        "state_s.on-call": FigureMeaning("s", "with a caller, or in a private call"),
        "state_s.wrap-up": FigureMeaning("s", "after-call work"),
        "state_s.paused": FigureMeaning("s", "paused"),
        "state_s.offline": FigureMeaning("s", "signed out, or no phone that could ring"),
        "private_s": FigureMeaning("s", "of `on-call`: private calls"),
        "occupancy": FigureMeaning(
            "%",
            "(on-call - private + wrap-up) / (the same + available). Ringing, pauses and private calls are in neither part",
        ),
    },
    "calls": {
        "entered_at": FigureMeaning("time", "first entry into any queue"),
        "call": FigureMeaning("", "id, for `report call ID` and `why`"),
        "queue": FigureMeaning("", "the first queue"),
        "last_queue": FigureMeaning("", "the last one"),
        "number": FigureMeaning(
            "", "the caller's number; masked for agents, and after the time in `history: numbers`"
        ),
        "caller_name": FigureMeaning("", "as the telephone system gave it"),
        "outcome": FigureMeaning(
            "",
            "`answered`, `abandoned`, `left`, `moved-away`, `lost`: that of the last stay. While the call is live, `waiting` or `talking`; none in the moment between",
        ),
        "result": FigureMeaning("", "of the last stay, as in `CALLROUTER_RESULT`"),
        "agent": FigureMeaning("", "who had the caller last"),
        "wait_s": FigureMeaning("s", "of all its stays together; of a waiting call, up to now"),
        "talk_s": FigureMeaning(
            "s",
            "of all its conversations, holds included; of a conversation that goes on, up to now",
        ),
        "hold_s": FigureMeaning("s", "on hold"),
        "offers": FigureMeaning("offers", "how many"),
        "transfers": FigureMeaning("", "how often an agent gave the caller away"),
        "stays": FigureMeaning("stays", "how many, refused ones too"),
        "ended_by": FigureMeaning("", "who or what ended it"),
        "ended_at": FigureMeaning("time", "end of the call"),
        "priority": FigureMeaning("", "1 is first"),
        "tag": FigureMeaning("", "`CALLROUTER_TAG`"),
        "called_number": FigureMeaning("", "the number that was called"),
        "pbx": FigureMeaning("", "the telephone system"),
    },
    "abandoned": {
        "abandoned_at": FigureMeaning("time", "when the caller hung up"),
        "queue": FigureMeaning("", "which queue"),
        "number": FigureMeaning("", "the caller's number; masked as in `calls`"),
        "caller_name": FigureMeaning("", "as the telephone system gave it"),
        "wait_s": FigureMeaning("s", "wait in this queue"),
        "position": FigureMeaning(
            "", "place in the queue at that moment; none if an agent had just accepted"
        ),
        "short": FigureMeaning("yes or no", "waited less than `short_abandon`"),
        "within": FigureMeaning("yes or no", "waited no longer than T"),
        "calls_since": FigureMeaning("calls", "further calls from the same number, up to now"),
        "called_back_at": FigureMeaning(
            "time",
            "when an agent first spoke to a caller with this number since, in any queue, also after the period",
        ),
        "called_back_by": FigureMeaning("", "that agent"),
        "call": FigureMeaning("", "id"),
        "entered_at": FigureMeaning("time", "entry into this queue"),
    },
    "pauses": {
        "interval": FigureMeaning("time", "the beginning of the interval; only with `--by`"),
        "agent": FigureMeaning("", "id"),
        "name": FigureMeaning("", "name for people"),
        "reason": FigureMeaning("", "of the pause"),
        "pauses": FigureMeaning(
            "pauses",
            "begun in the interval. A pause interrupted by signing out, a private call or a phone that is gone counts again, one over a restart of the router does not",
        ),
        "total_s": FigureMeaning(
            "s", "time paused in the interval, also of pauses that began before"
        ),
        "longest_s": FigureMeaning("s", "the longest part of one pause in the interval"),
        "by_others": FigureMeaning("pauses", "of `pauses`: begun by another person"),
    },
    "fairness": {
        "queue": FigureMeaning("", "id"),
        "agent": FigureMeaning("", "id"),
        "level": FigureMeaning("", "the agent's priority in the queue, 1 first"),
        "offers": FigureMeaning("offers", "made to the agent for calls of the queue"),
        "expected": FigureMeaning(
            "offers", "as above; the sum over all agents is that of the offers"
        ),
        "difference": FigureMeaning("%", "(offers - expected) / expected"),
        "answered": FigureMeaning("offers", "a conversation followed"),
        "talk_s": FigureMeaning("s", "with callers of the queue"),
        "talk_share": FigureMeaning("%", "of all agents' talk in the queue"),
        "available_s": FigureMeaning("s", "the agent was free for a call"),
        "away_s": FigureMeaning("s", "the agent was paused or offline"),
        "away": FigureMeaning("", "the three longest absences: when, how long, why"),
    },
    "call": {
        "at": FigureMeaning("time", "when"),
        "what": FigureMeaning(
            "",
            "`entered`, `offered`, `rang`, `accepted`, `offer ended`, `connected`, `held`, `retrieved`, `asked a colleague`, `talks to the colleague`, `consultation ended`, `conversation ended`, `wrap-up ended`, `abandoned`, `left`",
        ),
        "queue": FigureMeaning("", "in which queue"),
        "agent": FigureMeaning("", "which agent"),
        "after_s": FigureMeaning(
            "s", "how long what ends here has lasted: a wait, ringing, a conversation, a hold"
        ),
        "detail": FigureMeaning("", "how, why, where to"),
        "offer": FigureMeaning("", "id of the offer"),
    },
}
"""By report and column. The columns that ``hours`` shares with ``queues`` stand there."""
_SHARED: Final = {"hours": "queues"}


def meaning_of(what: str, column: str) -> FigureMeaning:
    """Return what a column of a report means; empty: it has no definition."""
    own = MEANINGS.get(what, {})
    other = MEANINGS.get(_SHARED.get(what, ""), {})
    return own.get(column) or other.get(column) or FigureMeaning("", "")


def page_with_meanings(text: str) -> str:
    """Return a page whose sections ``## report WHAT`` have tables with these definitions."""
    for what, figures in MEANINGS.items():
        head, section, rest = text.partition(f"\n## report {what}\n")
        table, next_section, tail = rest.partition("\n## ")
        rows = "".join(
            f"| `{name}` | {meaning.unit}{' ' if meaning.unit else ''}| {meaning.text} |\n"
            for name, meaning in figures.items()
        )
        lines = table.splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith("| `")]
        first = next(number for number, line in enumerate(kept) if line.startswith("|---")) + 1
        table = "".join([*kept[:first], rows, *kept[first:]])
        text = head + section + table + next_section + tail
    return text


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(page_with_meanings(page.read_text("utf-8")), "utf-8")
