"""What operators are told of the link to one Asterisk: its state in words, and its counters."""

from __future__ import annotations

from collections.abc import Sequence

from callrouter.pbx.asterisk.ami import AmiClient
from callrouter.pbx.interface import LinkCount


def state_text(client: AmiClient, *, standby: bool, in_step: bool, missing: Sequence[str]) -> str:
    """The state of the link in words.

    Args:
        client: the AMI session.
        standby: whether this router waits for its turn.
        in_step: whether the core knows the calls and phones as Asterisk has them.
        missing: our contexts that the dialplan lacks.
    """
    where = client.account.where
    if not client.up:
        return client.last_error or f"{where}: connecting"
    if standby:
        return f"{where}: standby"
    if not in_step:
        return f"{where}: comparing calls and phones"
    return f"{where}; dialplan context missing: {', '.join(missing)}" if missing else where


def link_counts(client: AmiClient) -> tuple[LinkCount, ...]:
    """The counters of the AMI session."""
    return tuple(
        LinkCount(f"ami_{count.name}", count.meaning, count.value)
        for count in client.counters.all()
    )
