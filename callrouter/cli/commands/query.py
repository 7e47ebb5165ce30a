"""The commands that query the running daemon: status, queues, agents, calls, agent."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from callrouter.cli import global_options
from callrouter.cli.daemon_client import DaemonClient, DaemonRefused
from callrouter.cli.global_options import asks_remote_daemon, global_options_of
from callrouter.cli.output_text import CommandFailed
from callrouter.cli.remote_daemon import RemoteDaemon
from callrouter.cli.suggestions import SuggestingChoice
from callrouter.cli.tables import agent_table, answers, call_table
from callrouter.clock import SystemClock

if TYPE_CHECKING:
    from callrouter.api.schemas.agent_answers import AgentJson
    from callrouter.api.schemas.call_answers import CallJson

REFRESH = 1.0
"""Seconds between two refreshes of ``--watch``."""
PIPE_WIDTH = 160
"""Columns if the output is not a terminal: wide enough to keep lines whole."""


def console() -> Console:
    """Return the console for tables; without colours or cut lines in a pipe.

    A pipe gets `PIPE_WIDTH` columns unless ``COLUMNS`` is set. Markup, emoji and highlighting are
    off, so that texts from outside stay as they are.
    """
    made = Console(highlight=False, emoji=False, markup=False)
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = PIPE_WIDTH
    return made


def show_on(out: Console, shown: Sequence[RenderableType]) -> None:
    """Print what was rendered; in a pipe, without the spaces that pad table cells.

    Args:
        out: the console.
        shown: texts and tables, one below the other.
    """
    if out.is_terminal:
        out.print(*shown, sep="\n")
        return
    with out.capture() as captured:
        out.print(*shown, sep="\n")
    click.echo("\n".join(line.rstrip() for line in captured.get().split("\n")), nl=False)


def local_now() -> datetime:
    """Return the time by this machine's clock, in UTC.

    Ages in the tables are counted from it, so they are off by as much as it differs from the clock
    of the daemon.
    """
    return datetime.fromtimestamp(SystemClock().now(), UTC)


@contextmanager
def exit_on_refusal() -> Iterator[None]:
    """Turn the daemon's refusals into exit statuses.

    Raises:
        CommandFailed: the daemon refused: exit status 2 for an unknown name or a wrong value, 1 for
            what is not possible now.
    """
    try:
        yield
    except DaemonRefused as no:
        raise CommandFailed(2 if no.status in {404, 422} else 1, str(no)) from no


def client_for(context: click.Context) -> DaemonClient:
    """Return the client for a command: ``--url``, else ``--config``, else from the environment.

    Raises:
        CommandFailed: no folder or no usable address (exit status 2).
        click.UsageError: options contradict each other.
    """
    given = global_options_of(context)
    if given.url is not None and given.config is not None:
        raise click.UsageError("--config and --url name two daemons; give one of them")
    if not asks_remote_daemon(context):
        if given.token is not None:
            raise click.UsageError(
                "--token is for a daemon that --url or CALLROUTER_URL names; none is"
            )
        return DaemonClient.of_folder(global_options.choose(given.config, os.environ), os.environ)
    remote = RemoteDaemon.parse(
        given.url if given.url is not None else os.environ["CALLROUTER_URL"],
        given.token if given.token is not None else os.environ.get("CALLROUTER_TOKEN", ""),
    )
    if remote.exposes_token:
        click.echo(
            f"callrouter: warning: the token goes to {remote.host} unencrypted; use https://",
            err=True,
        )
    return DaemonClient(remote)


Fetch = Callable[[DaemonClient], Any]
Show = Callable[[Any, int, int | None], Sequence[RenderableType]]
"""Renders what was fetched, for a number of columns and, if it matters, of lines."""

FOOT = 2
"""Lines below the output of ``--watch``."""


def fetch_and_show(
    context: click.Context, fetch: Fetch, show: Show, *, as_json: bool, watch: bool
) -> None:
    """Fetch from the daemon and print, once or repeatedly.

    Args:
        context: the command's context, which says which daemon.
        fetch: asks the daemon.
        show: renders what was fetched.
        as_json: whether to print what was fetched as JSON instead.
        watch: whether to repeat it every second, until the command is interrupted.

    Raises:
        CommandFailed: the daemon cannot be reached (exit status 3), or refuses.
    """
    client = client_for(context)
    with exit_on_refusal():
        if as_json:
            _json(client, fetch, watch=watch)
        elif watch:
            _watch(client, fetch, show)
        else:
            out = console()
            show_on(out, show(fetch(client), out.width, None))


def _json(client: DaemonClient, fetch: Fetch, *, watch: bool) -> None:
    while watch:  # one line per refresh, for programs that follow along
        click.echo(json.dumps(fetch(client), ensure_ascii=False))
        time.sleep(REFRESH)
    click.echo(json.dumps(fetch(client), ensure_ascii=False, indent=2))


def _watch(client: DaemonClient, fetch: Fetch, show: Show) -> None:
    out = console()
    view = fetch(client)  # a daemon that is not running ends the command at the first request
    if not out.is_terminal or out.is_dumb_terminal:  # each refresh below the last
        while True:
            show_on(out, [*show(view, out.width, None), Text("")])
            sys.stdout.flush()
            time.sleep(REFRESH)
            view = fetch(client)
    with Live(console=out, screen=True, auto_refresh=False) as screen:
        trouble = ""
        while True:
            foot = trouble or f"{local_now().astimezone():%H:%M:%S}, Ctrl-C ends"
            style = "bold red" if trouble else "dim"
            lines = show(view, out.width, max(1, out.height - FOOT))
            screen.update(Group(*lines, Text(f"\n{foot}", style=style)), refresh=True)
            time.sleep(REFRESH)
            try:
                view, trouble = fetch(client), ""
            except CommandFailed as error:
                trouble = f"{error.message}; trying again"


STATES = ("offline", "available", "reserved", "ringing", "on-call", "wrap-up", "paused")
"""The states of an agent, as in the API."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
watch_option = click.option("--watch", is_flag=True, help="Refresh every second until Ctrl-C.")


@click.command(short_help="Show the daemon's state.")
@json_option
@watch_option
@click.pass_context
def status(context: click.Context, *, as_json: bool, watch: bool) -> None:
    """Show the state of the daemon: telephone systems, configuration, calls, agents."""

    def fetch(client: DaemonClient) -> Any:
        found = client.get("status")
        return found if as_json else (found, client.get("queues"))

    fetch_and_show(
        context,
        fetch,
        lambda view, _width, _height: answers.status(*view),
        as_json=as_json,
        watch=watch,
    )


@click.command(short_help="Show the queues and who is waiting.")
@json_option
@watch_option
@click.pass_context
def queues(context: click.Context, *, as_json: bool, watch: bool) -> None:
    """Show the queues and the callers waiting in them.

    Free: agents who could be rung now. Busy: being rung, on a call or in wrap-up. Away: paused or
    offline. Today: calls that arrived; of these, Answered and Lost (the caller hung up while
    waiting).
    """
    fetch_and_show(
        context,
        lambda client: client.get("queues"),
        call_table.queues,
        as_json=as_json,
        watch=watch,
    )


@click.command(short_help="Show the agents and what they are doing.")
@click.option("--queue", metavar="QUEUE", help="Only the agents of this queue.")
@click.option(
    "--state",
    "wanted",
    metavar="STATE",
    type=SuggestingChoice(STATES),
    help=f"Only agents in this state: {', '.join(STATES)}.",
)
@json_option
@watch_option
@click.pass_context
def agents(
    context: click.Context, *, queue: str | None, wanted: str | None, as_json: bool, watch: bool
) -> None:
    """Show the agents: state, since when, calls today, phones and queues (with priority)."""

    def fetch(client: DaemonClient) -> Any:
        if queue is not None:
            client.get("queues", queue)  # reports a queue that does not exist
        views: list[AgentJson] = client.get("agents")
        found = [
            view
            for view in views
            if (wanted is None or view["state"] == wanted)
            and (queue is None or any(item["id"] == queue for item in view["queues"]))
        ]
        if as_json:
            return found
        busy = any(view["call"] for view in found)
        calls: list[CallJson] = client.get("calls", only="live") if busy else []
        return found, {call["id"]: call for call in calls}

    fetch_and_show(
        context,
        fetch,
        lambda found, width, height: agent_table.agents(
            found[0], width, local_now(), found[1], height
        ),
        as_json=as_json,
        watch=watch,
    )


@click.command(short_help="Show current calls.")
@click.option("--ended", is_flag=True, help="The calls that are over, the last one first.")
@json_option
@watch_option
@click.pass_context
def calls(context: click.Context, *, ended: bool, as_json: bool, watch: bool) -> None:
    """Show the active calls: the caller, the queue, and what is happening to them."""
    fetch_and_show(
        context,
        lambda client: client.get("calls", only="ended" if ended else "live"),
        call_table.ended_calls if ended else call_table.calls,
        as_json=as_json,
        watch=watch,
    )


ACTIONS = ("sign-in", "sign-out", "pause", "resume", "ready", "free")


@click.command(short_help="Show an agent, or change their state.")
@click.argument("agent_id", metavar="ID")
@click.argument("action", metavar="[ACTION]", type=SuggestingChoice(ACTIONS), required=False)
@click.argument("reason", metavar="[REASON]", nargs=-1)
@json_option
@click.pass_context
def agent(
    context: click.Context,
    *,
    agent_id: str,
    action: str | None,
    reason: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show an agent, or change their state.

    \b
    sign-in         starts work
    sign-out        ends work
    pause [REASON]  starts a break
    resume          ends the break
    ready           ends wrap-up early
    free            treats the phone as free: the call on it was left behind

    During a call, sign-out and pause take effect after it.
    """  # noqa: D301 - \b is click's own, and has to be the character
    if reason and action != "pause":
        raise click.UsageError(f"only pause takes a reason; '{' '.join(reason)}' is too much here")
    client = client_for(context)
    with exit_on_refusal():
        if action is None:
            view: AgentJson = client.get("agents", agent_id)
        else:
            body = {"reason": " ".join(reason)} if reason else None
            view = client.post("agents", agent_id, action, body=body)
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
    else:
        show_on(console(), agent_table.agent(view, local_now(), messages=action is None))
