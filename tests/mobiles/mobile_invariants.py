"""The invariants of registered mobiles. Tests check them after every event."""

from __future__ import annotations

from callrouter.mobiles.mobile_records import MobileState
from callrouter.mobiles.number_policy import is_mobile_form
from callrouter.mobiles.registrar import Registrar
from callrouter.mobiles.registration_events import MOST_TRIES


def check(registrar: Registrar) -> None:
    """Check everything from scratch.

    Raises:
        AssertionError: an invariant does not hold. The text says which.
    """
    book, verifications = registrar.book, registrar.verifications
    owners: dict[str, str] = {}
    for (agent, device), row in book.mobiles.items():
        _hold((row.agent, row.device) == (agent, device), f"{agent}/{device} lies under its name")
        _hold(is_mobile_form(row.number), f"{agent}/{device} is E.164")
        state = MobileState(row.state)
        if state is MobileState.UNVERIFIED:
            _hold(row.verified_at is None, f"{agent}/{device} is unverified")
            continue
        owner = owners.setdefault(row.number, agent)
        _hold(owner == agent, f"{device} of {agent} is proved to be of one agent, not {owner} too")
        proved = row.verified_at is not None or bool(row.approved_by)
        _hold(proved, f"{agent}/{device} was proved, or a supervisor answers for it")
    refs = [pending.ref for pending in verifications.pending.values()]
    _hold(len(refs) == len(set(refs)), "every verification call has a ref of its own")
    for agent, pending in verifications.pending.items():
        row = pending.row
        _hold(row.agent == agent, f"the call for {agent} is for them")
        _hold(book.mobiles.get((agent, row.device)) == row, f"the call for {agent} has a mobile")
        _hold(row.state == MobileState.UNVERIFIED.value, f"the call for {agent} has to prove it")
        _hold(pending.tries < MOST_TRIES, f"the call for {agent} has tries left")


def _hold(true: bool, what: str) -> None:
    if not true:
        raise AssertionError(f"does not hold: {what}")
