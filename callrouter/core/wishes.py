"""What agents want, carried out: breaks and how long they may last, leaving, wrap-up, and what is told."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from callrouter.core.agents import OFF_HOOK, count_present, leave_lanes, present, touch
from callrouter.core.devices import disown, forget_devices, forget_refusals
from callrouter.core.state import Agent, Floor
from callrouter.model.commands import Happened
from callrouter.model.table import PauseEnd, PauseSpec, SignIn

if TYPE_CHECKING:
    from callrouter.core.state import Call, Queue

# Kept by hand: see `callrouter.core.state`.
_WRAP_UP_ENDED: Final = Happened.WRAP_UP_ENDED
_WRAP_UP: Final = Happened.WRAP_UP

MISSED = "missed calls"
"""The reason of a pause that the router decided on."""

ROUTER = "callrouter"
"""Who did what the router did by itself."""


# ---------------------------------------------------------------- who, and telling


def changed_by(floor: Floor, agent: Agent, by: str) -> None:
    """Keep who brought the agent's wanted state about, and when."""
    agent.changed_by, agent.changed_at = by, floor.now
    agent.promised = ""
    agent.before = None


def by_another(agent: Agent, by: str) -> bool:
    """Whether someone else did it, or somebody at a phone that is not theirs: the agent has to be told."""
    own = {f"phone {device.endpoint}" for device in agent.spec.devices if device.endpoint}
    return by not in {"", agent.id, ROUTER} | own


def tell(floor: Floor, agent: Agent, text: str) -> None:
    """Tell the agent: kept with them for pages and lamps to show, and logged."""
    agent.messages.append((floor.now, text))
    floor.record(Happened.TOLD, agent=agent.id, detail=(text,))


def lasting(seconds: float) -> str:
    """A length in words: ``45 min``, ``1 h 30 min``, ``20 s``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


# ---------------------------------------------------------------- pauses


def reason_of(pauses: Mapping[str, PauseSpec], asked: str) -> str | None:
    """The reason that is meant by what was asked for; None: there is none like it.

    Where reasons are defined, no word at all means the default one, or, without one, no reason.
    """
    if not pauses:
        return asked
    if not asked:
        return next((spec.reason for spec in pauses.values() if spec.default), "")
    return asked if asked in pauses else next((r for r in pauses if r == asked.lower()), None)


def unknown_reason(pauses: Mapping[str, PauseSpec], asked: str) -> str:
    """What is wrong with a reason, with what would be right; empty if it will do."""
    if reason_of(pauses, asked) is not None:
        return ""
    close = get_close_matches(asked.lower()[:100], pauses, n=1, cutoff=0.6)
    hint = f"did you mean '{close[0]}'? " if close else ""
    return f"there is no pause reason '{asked[:80]}'; {hint}the reasons are: {', '.join(pauses)}"


def set_pause(floor: Floor, agent: Agent, reason: str, by: str) -> None:
    """The break begins now."""
    was = present(agent)
    agent.pause = reason
    agent.paused_at = floor.now
    agent.pending_pause = None
    agent.overstayed = False
    changed_by(floor, agent, by)
    limit_pause(floor, agent)
    count_present(floor, agent, was)
    touch(floor, agent)
    floor.record(Happened.PAUSED, agent=agent.id, detail=(reason, by))
    if by_another(agent, by):
        tell(floor, agent, f"paused by {by}" + (f": {reason}" if reason else ""))


def end_pause(floor: Floor, agent: Agent, by: str) -> None:
    """The agent is back, at the end of the line."""
    was = present(agent)
    reason, agent.pause = agent.pause or "", None
    agent.paused_at = None
    agent.misses = 0
    agent.idle_since = floor.now
    changed_by(floor, agent, by)
    limit_pause(floor, agent)
    count_present(floor, agent, was)
    touch(floor, agent)
    floor.record(Happened.RESUMED, agent=agent.id, detail=(reason, by))
    if by_another(agent, by):
        tell(floor, agent, f"brought back from the pause by {by}")


def pause_ends(floor: Floor, agent: Agent) -> float | None:
    """When the pause has lasted as long as its reason allows; None: it may last."""
    spec = floor.table.pauses.get(agent.pause) if agent.pause is not None else None
    if spec is None or spec.longest is None or agent.paused_at is None:
        return None
    return agent.paused_at + spec.longest


def limit_pause(floor: Floor, agent: Agent) -> None:
    """Arm the end of the pause as its rule now is, measured from its beginning."""
    ends = pause_ends(floor, agent)
    if ends is not None and ends > floor.now:
        agent.overstayed = False
    if ends is None or agent.overstayed:
        floor.timers.pause.cancel(agent.id)
    else:
        floor.timers.pause.set(agent.id, ends)


def paused_enough(floor: Floor, agent: Agent) -> None:
    """The pause has lasted as long as its reason allows."""
    spec = floor.table.pauses.get(agent.pause or "")
    if agent.pause is None or spec is None or spec.longest is None:
        return
    lasted = f"the pause '{spec.reason}' has lasted {lasting(spec.longest)}"
    if spec.then is PauseEnd.RESUME:
        end_pause(floor, agent, ROUTER)
        tell(floor, agent, f"{lasted}: you are back, and calls ring again")
    elif spec.then is PauseEnd.SIGN_OUT and agent.spec.sign_in is not SignIn.ALWAYS:
        tell(floor, agent, f"{lasted}: you were signed out")
        if any(offer.state in OFF_HOOK for offer in agent.offers.values()):
            agent.overstayed = agent.pending_sign_out = True
            agent.pending_by = ROUTER
        else:
            set_signed_out(floor, agent, ROUTER)
    else:
        agent.overstayed = True
        tell(floor, agent, f"{lasted}, the longest it may; resume when you are back")
        touch(floor, agent)


# ---------------------------------------------------------------- leaving


def set_signed_out(floor: Floor, agent: Agent, by: str) -> None:
    """The agent leaves now; a break or a wrap-up ends with it."""
    was = present(agent)
    end_wrap_up(floor, agent)
    since = agent.signed_in_at if agent.signed_in_at is not None else floor.now
    agent.signed_in = False
    agent.signed_in_at = None
    agent.pause = agent.pending_pause = agent.paused_at = None
    agent.pending_sign_out = False
    agent.misses = 0
    forget_refusals(floor, agent)
    changed_by(floor, agent, by)
    limit_pause(floor, agent)
    count_present(floor, agent, was)
    touch(floor, agent)
    floor.record(Happened.SIGNED_OUT, agent=agent.id, detail=(floor.now - since, by))
    if by_another(agent, by) and not agent.gone:
        tell(floor, agent, f"signed out by {by}")


def keep_promise(floor: Floor, agent: Agent) -> None:
    """Found in the call during which they asked for a pause or sign-out: it is pending again."""
    promised, agent.promised = agent.promised, ""
    was = present(agent)
    if promised == "pause" and agent.pause is not None:
        agent.pending_pause, agent.pause = agent.pause, None
        agent.paused_at = None
        limit_pause(floor, agent)
    elif promised == "sign-out" and not agent.signed_in:
        agent.pending_sign_out = agent.signed_in = True
    else:
        return
    agent.pending_by = agent.changed_by
    count_present(floor, agent, was)
    touch(floor, agent)


def settle_pending(floor: Floor, agent: Agent) -> None:
    """Carry out what was asked for during a call, now that the agent has none."""
    if agent.offers:
        return
    if agent.pending_sign_out or agent.gone:
        agent.pending_sign_out = False
        agent.pending_pause = None
        if agent.signed_in:
            by = "taken out of the table" if agent.gone else agent.pending_by
            set_signed_out(floor, agent, by)
    elif agent.pending_pause is not None:
        reason, agent.pending_pause = agent.pending_pause, None
        if agent.signed_in:
            set_pause(floor, agent, reason, agent.pending_by)
    if agent.gone:
        retire(floor, agent)


def retire(floor: Floor, agent: Agent) -> None:
    """An agent who was taken out of the table has finished."""
    leave_lanes(agent)
    floor.agents.pop(agent.id, None)
    floor.freed.pop(agent.id, None)
    floor.timers.wrap_up.cancel(agent.id)
    floor.timers.pause.cancel(agent.id)
    forget_devices(floor, agent)
    disown(floor, agent)


# ---------------------------------------------------------------- after-call work


def start_wrap_up(floor: Floor, agent: Agent, call: Call, queue: Queue, ended_at: float) -> None:
    """After-call work for `queue` begins, or, where there is none, the idle clock."""
    own = agent.spec.wrap_up
    seconds = queue.spec.wrap_up if own is None else own
    agent.idle_since = ended_at
    if seconds <= 0 or not agent.signed_in:
        return
    until = ended_at + seconds
    if agent.wrap_until is not None and agent.wrap_until >= until:
        return  # that of another call, with more to write down, goes on
    agent.wrap_until = until
    agent.wrap_queue = queue.id
    floor.timers.wrap_up.set(agent.id, agent.wrap_until)
    floor.record(_WRAP_UP, call=call, queue=queue.id, agent=agent.id, detail=(seconds,))


def longest_wrap_up(floor: Floor, agent: Agent, queue: str) -> float:
    """Seconds of after-call work that the rules give an agent after a call of `queue`, if that is known."""
    if agent.spec.wrap_up is not None:
        return agent.spec.wrap_up
    known = floor.queues.get(queue)
    if known is not None:
        return known.spec.wrap_up
    return max((queue.spec.wrap_up for queue in floor.queues.values()), default=0.0)


def end_wrap_up(floor: Floor, agent: Agent) -> None:
    """After-call work is over; the idle clock starts."""
    if agent.wrap_until is None:
        return
    agent.idle_since = min(floor.now, agent.wrap_until)
    agent.wrap_until = None
    floor.timers.wrap_up.cancel(agent.id)
    floor.record(_WRAP_UP_ENDED, agent=agent.id, queue=agent.wrap_queue)
    touch(floor, agent)
