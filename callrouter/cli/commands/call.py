"""``callrouter call``: hold, transfer and end.

CALL may be the id of an agent or of a call; the agent is tried first.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from callrouter.cli.commands.query import client_for, exit_on_refusal, json_option
from callrouter.cli.daemon_client import DaemonClient, DaemonRefused
from callrouter.cli.suggestions import SuggestingChoice
from callrouter.model.text import clean

if TYPE_CHECKING:
    from callrouter.api.schemas.agent_answers import AgentJson
    from callrouter.api.schemas.call_answers import CallJson

ACTIONS = ("hold", "unhold", "transfer", "consult", "complete", "cancel", "end")
_TO = ("transfer", "consult")


@click.command(short_help="Hold, transfer or end a call.")
@click.argument("whose", metavar="CALL")
@click.argument("action", metavar="ACTION", type=SuggestingChoice(ACTIONS))
@click.option("--queue", metavar="QUEUE", help="To a queue.")
@click.option("--agent", metavar="AGENT", help="To an agent.")
@click.option("--number", metavar="NUMBER", help="To a number outside.")
@json_option
@click.pass_context
def call(
    context: click.Context,
    *,
    whose: str,
    action: str,
    queue: str | None,
    agent: str | None,
    number: str | None,
    as_json: bool,
) -> None:
    """Hold, transfer or end a call. CALL is the id of the call, or of the agent who is on it.

    \b
    hold      plays music to the caller
    unhold    reconnects the caller with the agent
    transfer  transfers the caller: --queue, --agent who is rung first, or
              --number, which `transfers: outside` must allow
    consult   puts the caller on hold and rings a colleague: --agent, or --queue
    complete  transfers the caller to that colleague (hanging up does the same)
    cancel    drops the colleague and reconnects the caller
    end       hangs up on the caller, waiting or connected

    hold, unhold, consult, complete and cancel need a telephone system that lets callrouter perform
    them (Twilio); with Asterisk, use the keys of the phone.
    """  # noqa: D301 - \b is click's own, and has to be the character
    places = (("queue", queue), ("agent", agent), ("number", number))
    to = {key: value for key, value in places if value}
    if number and action != "transfer":
        raise click.UsageError(f"{action} takes no --number")
    if to and action not in _TO:
        raise click.UsageError(f"{action} takes neither --queue nor --agent")
    if not to and action in _TO:
        needed = "--queue, --agent or --number" if action == "transfer" else "--queue or --agent"
        raise click.UsageError(f"{action} needs {needed}")
    client = client_for(context)
    with exit_on_refusal():
        view = _end(client, whose) if action == "end" else _ask(client, whose, action, to)
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
    else:
        click.echo(clean(conversation_words(view)))


def _ask(client: DaemonClient, whose: str, action: str, to: dict[str, str]) -> CallJson:
    """Request an action of the agent of this name or, if there is none, on the call with this id.

    Raises:
        DaemonRefused: there is neither, or no agent talks on the call.
    """
    told: CallJson
    try:
        told = client.post("agents", whose, "call", action, body=to)
    except DaemonRefused as no:
        if no.status != 404:
            raise
        agents = no.hint
    else:
        return told
    try:
        view: CallJson = client.get("calls", whose)
    except DaemonRefused as no:
        raise DaemonRefused(
            no.status, f"there is no agent or call '{whose}'", no.hint or agents
        ) from no
    agent = view["agent"] or ""
    if not agent:
        raise DaemonRefused(409, f"no agent talks on call {whose}")
    told = client.post("agents", agent, "call", action, body={**to, "call": whose})
    return told


def _end(client: DaemonClient, whose: str) -> CallJson:
    """End a call by its id, or the one that the agent of this name is connected to.

    Raises:
        DaemonRefused: there is neither, or the agent is on no call.
    """
    call: str | None = whose
    try:
        found: AgentJson = client.get("agents", whose)
    except DaemonRefused as no:
        if no.status not in {403, 404}:
            raise
    else:
        call = found["call"]
    if not call:
        raise DaemonRefused(409, f"{whose} is on no call")
    ended: CallJson = client.delete("calls", call)
    return ended


def conversation_words(view: CallJson) -> str:
    """Return what is happening to a call, in a line.

    If it goes on, its agent is named, or the queue if it has none. Names are as the daemon sent
    them: the command cleans the line for a terminal.
    """
    if view["ended_at"]:
        return f"call {view['id']}: ended"
    state = "on hold" if view["held"] else view["state"]
    who = f" with {view['agent']}" if view["agent"] else f" in {view['queue']}"
    asked_ = f", {view['consulting']} is asked" if view["consulting"] else ""
    return f"call {view['id']}: {state}{who}{asked_}"
