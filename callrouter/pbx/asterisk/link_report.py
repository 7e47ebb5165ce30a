"""What is told of one Asterisk: to operators the link's state in words and counters, to the core whether it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from callrouter.model.events import Event, PbxLost
from callrouter.pbx.asterisk import contract
from callrouter.pbx.asterisk.ami import AmiClient
from callrouter.pbx.asterisk.execution.executor import Executor
from callrouter.pbx.asterisk.queue_log_writer import QueueLogWriter
from callrouter.pbx.interface import Authority, LinkCount


class Outage:
    """Tells the core, once in each outage, that Asterisk does not run. So it is where nothing listens.

    A standby tells nothing: it serves no calls.
    """

    def __init__(self, pbx: str, post: Callable[[Event], None], authority: Authority) -> None:
        self._pbx, self._post, self._authority = pbx, post, authority
        self._stopped = False

    def attempt_failed(self, no_server: bool) -> None:
        """An attempt to connect has failed, perhaps because nothing listens at the address."""
        if no_server is not self._stopped and self._authority.active:
            self._stopped = no_server
            why = "nothing listens there" if no_server else "no answer"
            self._post(PbxLost(pbx=self._pbx, why=why, stopped=no_server))

    def over(self) -> None:
        """There is a session."""
        self._stopped = False


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


def refused_counts(executor: Executor, lines: QueueLogWriter) -> dict[str, int]:
    """What Asterisk or a trunk would not take, for `PbxHealth.counts`."""
    counts = {
        contract.NUMBERS_REFUSED: executor.numbers_refused,
        contract.NEXT_TRUNK: executor.trunks_failed,
        contract.LINES_LOST: lines.lost,
    }
    return {what: count for what, count in counts.items() if count}


def link_counts(client: AmiClient) -> tuple[LinkCount, ...]:
    """The counters of the AMI session."""
    return tuple(
        LinkCount(f"ami_{count.name}", count.meaning, count.value)
        for count in client.counters.all()
    )
