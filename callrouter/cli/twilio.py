"""The command for an account of Twilio: what it needs, and making it so."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import click

from callrouter.cli import folders
from callrouter.cli.offline import read, twilios
from callrouter.cli.problems import Failed
from callrouter.logs import clean

if TYPE_CHECKING:
    from callrouter.settings import TwilioSettings


@click.group(short_help="What an account of Twilio needs.")
def twilio() -> None:
    """What an account of Twilio needs."""


@twilio.command(short_help="Show what the account's numbers need, or make it so.")
@click.option("--apply", is_flag=True, help="Make the changes; without it they are only shown.")
@click.option(
    "--fallback-url",
    default="",
    metavar="URL",
    help="What callers get when the router is down, such as a TwiML Bin.",
)
@click.pass_context
def setup(context: click.Context, *, apply: bool, fallback_url: str) -> None:
    """Show what has to change about the numbers of each account, or change it.

    Nothing else of the account is touched. Ends with status 1 while something is to be changed, 3
    when Twilio cannot be asked.
    """
    pbxes = twilios(read(folders.choose(context.obj, os.environ)))
    if not pbxes:
        raise Failed(2, "the configuration has no pbx with driver: twilio")
    if fallback_url and not fallback_url.startswith("https://"):
        raise Failed(2, "--fallback-url must be an https:// address that the router does not serve")
    left = [asyncio.run(_set_up(pbx, apply=apply, fallback_url=fallback_url)) for pbx in pbxes]
    context.exit(1 if any(left) else 0)


async def _set_up(pbx: TwilioSettings, *, apply: bool, fallback_url: str) -> bool:
    """Show or make the changes of one account; True: something is left to be done."""
    from callrouter.pbx.twilio.account import opened  # noqa: PLC0415 - only here
    from callrouter.pbx.twilio.links import Links  # noqa: PLC0415 - only here
    from callrouter.pbx.twilio.rest import NoAnswer  # noqa: PLC0415 - only here

    click.echo(f"{pbx.id}: Twilio account {pbx.account_sid}")
    try:
        async with opened(pbx) as account:
            missing = sorted(pbx.numbers.keys() - (await account.numbers()).keys())
            changes = await account.changes(Links(pbx.public_url, pbx.id), fallback_url)
            if apply:
                await account.make(changes)
    except NoAnswer as error:
        raise Failed(3, f"{pbx.id}: {error}") from error
    for number in missing:
        click.echo(f"  ✗ {number} is no number of the account")
    for change in changes:
        was = clean(change.now) or "empty"
        verb = "changed" if apply else "to change"
        click.echo(f"  {verb}: {change.number}: {change.field} {was} -> {change.wanted}")
    if not changes and not missing:
        click.echo("  all numbers are as they should be")
    if changes and not apply:
        click.echo("  nothing was changed; --apply does it")
    return bool(missing) or bool(changes and not apply)
