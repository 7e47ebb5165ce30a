"""device: an agent's phones; registering, verifying and switching mobiles."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.text import Text

from callrouter.cli.commands.query import client_for, console, exit_on_refusal, json_option, show_on
from callrouter.cli.suggestions import SuggestingGroup
from callrouter.cli.tables import layout
from callrouter.cli.tables.layout import Column, clock_time, plain, state
from callrouter.model.text import clean

if TYPE_CHECKING:
    from callrouter.api.schemas.agent_answers import DeviceAnswerJson, OwnDeviceJson

_F = TypeVar("_F", bound=Callable[..., Any])


@click.group(
    cls=SuggestingGroup, short_help="An agent's phones: list, add, verify, on, off, change, remove."
)
def device() -> None:
    """An agent's phones: register a mobile, verify it, switch phones on and off.

    \b
    callrouter device list alice
    callrouter device add alice "+44 7700 900123" --ring-after 10s
    callrouter device verify alice mobile
    callrouter device off alice mobile

    A mobile is rung for callers once it is verified: callrouter calls it, and the code shown by
    `add` must be keyed in there.
    """  # noqa: D301 - \b is click's own, and has to be the character


def print_device_answer(view: DeviceAnswerJson, *, as_json: bool) -> None:
    """Print what was done, and the code that the verification call will ask for.

    Args:
        view: the daemon's answer.
        as_json: whether to print it as JSON.
    """
    if as_json:
        click.echo(json.dumps(view, ensure_ascii=False, indent=2))
        return
    found = view["device"]
    if view["code"] is None or found is None:
        click.echo(clean(view["text"]))
        return
    until = clock_time(view["expires_at"])
    click.echo(clean(f"calling {found['address']} ({found['id']}): {view['text']}"))
    click.echo(f"code: {view['code']} (until {until})")


def _vouch(command: _F) -> _F:
    text = "A supervisor answers for it: no call, or approve one that waits."
    return click.option("--vouch", is_flag=True, help=text)(command)


@device.command(name="list", short_help="The phones of an agent.")
@click.argument("agent")
@json_option
@click.pass_context
def list_devices(context: click.Context, *, agent: str, as_json: bool) -> None:
    """List the phones of an agent, configured and registered."""
    client = client_for(context)
    with exit_on_refusal():
        views: list[OwnDeviceJson] = client.get("agents", agent, "devices")
    if as_json:
        click.echo(json.dumps(views, ensure_ascii=False, indent=2))
    else:
        out = console()
        show_on(out, devices_table(views, out.width))


_COLUMNS = (
    Column("Device"),
    Column("Phone"),
    Column("State", flexible=1),
    Column("On"),
    Column("Rings", flexible=1),
    Column("From", drop=1),
)


def devices_table(views: Sequence[OwnDeviceJson], width: int) -> list[Text]:
    """Return the answer of ``/api/agents/{id}/devices`` as a table.

    Args:
        views: the agent's phones.
        width: columns of the terminal.
    """
    if not views:
        return [Text("no phones")]
    rows = []
    for view in views:
        word = view["status"] if view["status"] != "in-use" else view["state"]
        after = f"after {view['ring_after_s']:g} s" if view["ring_after_s"] else "at once"
        rows.append(
            [
                plain(view["id"]),
                plain(_address(view)),
                state(word, view["trouble"] or ""),
                Text("yes" if view["enabled"] else "no"),
                plain(", ".join(filter(None, (after, view["hours"])))),
                plain(view["source"]),
            ]
        )
    return layout.table(_COLUMNS, rows, width)


def _address(view: OwnDeviceJson) -> str:
    known = view.get("addresses") or {}  # a daemon of an earlier version does not say
    return ", ".join(f"{pbx} {one}" for pbx, one in known.items()) or view["address"]


@device.command(short_help="Register a mobile; it is called to prove it.")
@click.argument("agent")
@click.argument("number", metavar="NUMBER", nargs=-1, required=True)
@click.option("--name", metavar="NAME", help="What to call it. Default: mobile, mobile-2, …")
@click.option("--ring-after", metavar="DURATION", help="So long after the agent's first phone.")
@click.option("--hours", metavar="HOURS", help="When it may ring, such as 'mon-fri 08:00-18:00'.")
@_vouch
@json_option
@click.pass_context
def add(
    context: click.Context,
    *,
    agent: str,
    number: tuple[str, ...],
    name: str | None,
    ring_after: str | None,
    hours: str | None,
    vouch: bool,
    as_json: bool,
) -> None:
    """Register NUMBER as a mobile of AGENT; blanks in it need no quotes.

    The mobile is called at once and asks for the code that is shown here. NUMBER may be written in
    any form: with + and country code, with 00, or as dialled at home.
    """
    given = {"id": name, "ring_after": ring_after, "hours": hours, "vouch": vouch or None}
    body = {"number": " ".join(number)} | {
        key: value for key, value in given.items() if value is not None
    }
    client = client_for(context)
    with exit_on_refusal():
        print_device_answer(client.post("agents", agent, "devices", body=body), as_json=as_json)


@device.command(short_help="Call a registered mobile again, or vouch for it.")
@click.argument("agent")
@click.argument("name", metavar="DEVICE")
@_vouch
@json_option
@click.pass_context
def verify(context: click.Context, *, agent: str, name: str, vouch: bool, as_json: bool) -> None:
    """Call a registered mobile again to verify it, with a new code."""
    client = client_for(context)
    body = {"vouch": True} if vouch else {}
    with exit_on_refusal():
        print_device_answer(
            client.post("agents", agent, "devices", name, "verify", body=body), as_json=as_json
        )


@device.command(short_help="Switch a phone on.")
@click.argument("agent")
@click.argument("name", metavar="DEVICE")
@json_option
@click.pass_context
def on(context: click.Context, *, agent: str, name: str, as_json: bool) -> None:
    """Switch a phone on."""
    _change(context, agent, name, {"enabled": True}, as_json=as_json)


@device.command(short_help="Switch a phone off; it rings no more.")
@click.argument("agent")
@click.argument("name", metavar="DEVICE")
@json_option
@click.pass_context
def off(context: click.Context, *, agent: str, name: str, as_json: bool) -> None:
    """Switch a phone off. It is not rung until it is switched on again; an active call goes on."""
    _change(context, agent, name, {"enabled": False}, as_json=as_json)


@device.command(short_help="When, and in which order, a registered mobile rings.")
@click.argument("agent")
@click.argument("name", metavar="DEVICE")
@click.option("--ring-after", metavar="DURATION", help="So long after the agent's first phone.")
@click.option("--hours", metavar="HOURS", help="When it may ring; '' is always.")
@click.option("--order", type=click.IntRange(0, 99), help="Its place among the agent's mobiles.")
@json_option
@click.pass_context
def change(
    context: click.Context,
    *,
    agent: str,
    name: str,
    ring_after: str | None,
    hours: str | None,
    order: int | None,
    as_json: bool,
) -> None:
    """Change when, and in which order, a registered mobile rings."""
    given = {"ring_after": ring_after, "hours": hours, "order": order}
    body = {key: value for key, value in given.items() if value is not None}
    if not body:
        raise click.UsageError("say what to change: --ring-after, --hours or --order")
    _change(context, agent, name, body, as_json=as_json)


@device.command(short_help="Forget a registered mobile.")
@click.argument("agent")
@click.argument("name", metavar="DEVICE")
@json_option
@click.pass_context
def remove(context: click.Context, *, agent: str, name: str, as_json: bool) -> None:
    """Delete a registered mobile."""
    client = client_for(context)
    with exit_on_refusal():
        print_device_answer(client.delete("agents", agent, "devices", name), as_json=as_json)


def _change(
    context: click.Context, agent: str, name: str, body: dict[str, Any], *, as_json: bool
) -> None:
    client = client_for(context)
    with exit_on_refusal():
        print_device_answer(
            client.patch("agents", agent, "devices", name, body=body), as_json=as_json
        )
