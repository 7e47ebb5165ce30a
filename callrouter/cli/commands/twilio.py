"""The command for a Twilio account: what it needs, and setting it up."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callrouter.cli.commands.check import read_settings, twilios
from callrouter.cli.global_options import folder_of
from callrouter.cli.output_text import CommandFailed, print_before
from callrouter.cli.suggestions import SuggestingGroup
from callrouter.files import Folder
from callrouter.model.text import clean

if TYPE_CHECKING:
    from callrouter.pbx.twilio.setup.account_resources import AccountResources
    from callrouter.pbx.twilio.setup.steps import AccountNeeds, SetupStep
    from callrouter.settings import Settings, TwilioSettings


@click.group(cls=SuggestingGroup, short_help="Check or set up a Twilio account.")
def twilio() -> None:
    """Set up a Twilio account."""


@twilio.command(short_help="Show what the account needs, or set it up.")
@click.option("--apply", is_flag=True, help="Make the changes, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--fallback-url",
    default="",
    metavar="URL",
    help="What callers get when the router is down, such as a TwiML Bin.",
)
@click.option(
    "--passwords",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A new file, for the passwords of new SIP phones.",
)
@click.option(
    "--keep-countries",
    is_flag=True,
    help="Leave countries open in which no number is to be called.",
)
@click.pass_context
def setup(
    context: click.Context,
    *,
    apply: bool,
    yes: bool,
    fallback_url: str,
    passwords: Path | None,
    keep_countries: bool,
) -> None:
    """Show what has to change in each account, or change it.

    This covers where the numbers of the configuration lead, the countries that may be called (those
    of numbers: countries and of agents' phones, and no others), and the SIP domains and credentials
    for agents' SIP phones. Nothing else in the account is touched.

    Exits with status 1 while changes are pending, 3 if Twilio cannot be reached.
    """
    if fallback_url and not fallback_url.startswith("https://"):
        raise CommandFailed(
            2, "--fallback-url must be an https:// address that the router does not serve"
        )
    settings = read_settings(folder_of(context))
    pbxes = twilios(settings)
    if not pbxes:
        raise CommandFailed(2, "the configuration has no pbx with driver: twilio")
    how = _How(apply=apply, yes=yes, passwords=passwords)
    left = [
        asyncio.run(_set_up(pbx, _wish(pbx, settings, fallback_url, keep=keep_countries), how))
        for pbx in pbxes
    ]
    context.exit(1 if any(left) else 0)


class _How:
    """Options of the setup. New passwords go to a file that only its owner can read."""

    def __init__(self, *, apply: bool, yes: bool, passwords: Path | None) -> None:
        self.apply, self.yes = apply, yes
        self.passwords = passwords
        self._kept: int | None = None

    def keep(self, phone: str, password: str) -> None:
        """Save a new password.

        The file is opened once: if its name leads elsewhere later, nothing is written there.

        Raises:
            CommandFailed: the file is there already, or cannot be written (exit status 2).
        """
        assert self.passwords is not None  # noqa: S101 - asked for before anything is changed
        try:
            if self._kept is None:
                with Folder.open(self.passwords.absolute().parent) as folder:
                    self._kept = folder.create(self.passwords.name)
            os.write(self._kept, f"{phone} {password}\n".encode())
            os.fsync(self._kept)
        except FileExistsError as error:
            raise CommandFailed(2, f"{self.passwords} is there already: name a new file") from error
        except OSError as error:
            raise CommandFailed(
                2, f"{self.passwords} cannot be written: {error.strerror}"
            ) from error


def _wish(
    pbx: TwilioSettings, settings: Settings, fallback_url: str, *, keep: bool
) -> AccountNeeds:
    from callrouter.pbx.twilio.setup.steps import needs_of  # noqa: PLC0415 - only here

    found = needs_of(pbx, settings.table, settings.numbers.countries, fallback_url)
    return replace(found, only_these=found.only_these and not keep)


async def _set_up(pbx: TwilioSettings, needs: AccountNeeds, how: _How) -> bool:
    """Show or make the changes of one account; True: some are still pending.

    A configured number that the account does not have counts as pending too.

    Raises:
        CommandFailed: Twilio cannot be reached (exit status 3), or as in `_make`.
    """
    from callrouter.pbx.twilio.rest.api_client import ApiUnavailable  # noqa: PLC0415 - only here
    from callrouter.pbx.twilio.setup.account_resources import opened  # noqa: PLC0415 - only here
    from callrouter.pbx.twilio.setup.steps import needed_steps, numbers_of  # noqa: PLC0415 - only here

    print_before([f"{pbx.id}: Twilio account {pbx.account_sid}"])
    try:
        async with opened(pbx) as account:
            missing = sorted({*numbers_of(pbx)} - (await account.numbers()).keys())
            for number in missing:
                print_before([f"  ✗ {number} is not a number of the account"])
            found = [step async for step in needed_steps(account, needs)]
            made = await _make(account, found, how)
    except ApiUnavailable as error:
        raise CommandFailed(3, f"{pbx.id}: {error}") from error
    return bool(missing) or not made


async def _make(account: AccountResources, found: list[SetupStep], how: _How) -> bool:
    """Show the changes, ask, and make them; True: none is left.

    It asks unless `how` has `yes`, and changes nothing without `apply`.

    Raises:
        CommandFailed: there are new passwords but no file for them, before anything is changed; or
            that file cannot be written (exit status 2).
    """
    print_before(f"  to change: {clean(step.text)}" for step in found)
    if not found:
        click.echo("  all is as it should be")
        return True
    if not how.apply:
        click.echo("  nothing was changed; --apply does it")
        return False
    if how.passwords is None and any(step.secret for step in found):
        raise CommandFailed(
            2, "new SIP phones get passwords: say with --passwords FILE where they go"
        )
    if not how.yes and not click.confirm(f"  make these changes ({len(found)})?"):
        click.echo("  nothing was changed")
        return False
    for step in found:
        await step.make(account, how.keep)
        print_before([f"  changed: {clean(step.about)}"])
    if any(step.secret for step in found):
        click.echo(f"  passwords are in {how.passwords}: put them into the phones, and delete it")
    return True
