"""doctor: checks this machine and each PBX."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from callrouter.cli.commands.check import asterisks, read_settings, twilios
from callrouter.cli.daemon_client import DaemonClient, DaemonRefused
from callrouter.cli.global_options import folder_of
from callrouter.cli.output_text import CommandFailed, print_text
from callrouter.cli.tables.layout import parse

if TYPE_CHECKING:
    from pathlib import Path

    from callrouter.pbx.interface import Finding
    from callrouter.settings import AsteriskSettings, Settings

_MARKS = {True: "✓", False: "✗", None: "-"}


@click.command(short_help="Check this machine and each PBX for what is needed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> None:
    """Check this machine, then log in to each PBX and check what the router needs there.

    On this machine: file permissions, database, port. On an Asterisk: version, modules,
    permissions, dialplan, sounds, clock, other routers, the trunk, and the agents' phones. At
    Twilio: credentials, numbers and where they lead, caller id, countries, SIP phones. Changes
    nothing. Exits with status 1 if something is wrong, 3 if a PBX cannot be reached.
    """
    folder = folder_of(context)
    settings = read_settings(folder)
    status = _status(folder)
    views, worst = [], 0
    for view, title, looks in _patients(settings, folder, status):
        if not as_json:
            click.echo(title)
        found_worst, findings = asyncio.run(_examine(looks, aloud=not as_json))
        views.append(view | {"ok": found_worst == 0, "findings": findings})
        worst = max(worst, found_worst)
    if as_json:
        click.echo(json.dumps(views, ensure_ascii=False, indent=2))
    elif len(views) == 1:
        click.echo("no pbx with driver: asterisk or twilio, so there is none to examine")
    context.exit(worst)


def _status(folder: Path) -> Mapping[str, Any] | None:
    """Return the status of this configuration's daemon.

    None if it is not running or not accessible.
    """
    try:
        found: Mapping[str, Any] = DaemonClient.of_folder(folder, os.environ).get("status")
    except (CommandFailed, DaemonRefused):
        return None
    return found


def _patients(
    settings: Settings, folder: Path, status: Mapping[str, Any] | None
) -> Iterator[tuple[dict[str, Any], str, AsyncIterator[Finding]]]:
    """Yield what to check: its description for programs, its title for people, and the checks.

    First this machine, then each Asterisk, then each Twilio account. The checks run only as they
    are iterated. `status` is that of the daemon; None: it does not run or cannot be asked.
    """
    from callrouter.daemon import host_checks  # noqa: PLC0415 - only here

    here = host_checks.look(settings, folder, os.environ, status)
    yield {"pbx": None, "machine": os.uname().nodename}, "this machine", here
    for office in asterisks(settings):
        view = {"pbx": office.id, "host": office.host, "port": office.port}
        title = f"{office.id}: Asterisk at {office.host}:{office.port}"
        yield view, title, _asterisk(office, settings, status)
    for cloud in twilios(settings):
        from callrouter.pbx.twilio.setup import account_checks  # noqa: PLC0415 - only here

        view = {"pbx": cloud.id, "account": cloud.account_sid}
        title = f"{cloud.id}: Twilio account {cloud.account_sid}"
        yield (
            view,
            title,
            account_checks.examine(
                cloud, settings.table, settings.numbers.countries, running=status is not None
            ),
        )


def _asterisk(
    office: AsteriskSettings, settings: Settings, status: Mapping[str, Any] | None
) -> AsyncIterator[Finding]:
    from callrouter.feature_codes import prompts  # noqa: PLC0415 - only here
    from callrouter.pbx.asterisk.contract import RouterRun  # noqa: PLC0415 - only here
    from callrouter.pbx.asterisk.diagnostics import examination as asterisk  # noqa: PLC0415 - only here

    languages = (agent.language for agent in settings.table.agents.values())
    wanted = asterisk.Examination(
        spoken={"": (), **dict.fromkeys(languages, prompts.every())},
        router=None
        if status is None
        else RouterRun(status["pid"], parse(status["started_at"]).timestamp()),
        codes=settings.codes,
        counts={} if status is None else status["pbx"].get(office.id, {}).get("counts", {}),
        cluster=settings.cluster is not None,
    )
    return asterisk.examine(office.id, office, settings.table, wanted)


async def _examine(
    looks: AsyncIterator[Finding], *, aloud: bool
) -> tuple[int, list[dict[str, Any]]]:
    """Run the checks of one of them and, if `aloud`, print the findings as they arrive.

    Returns:
        0 if all is well, 1 if not, 3 if unreachable; and the findings, for programs.
    """
    worst, found = 0, []
    async for finding in looks:
        found.append({"ok": finding.ok, "what": finding.what, "advice": finding.advice})
        if finding.ok is False:
            worst = max(worst, 1 if finding.reached else 3)
        if not aloud:
            continue
        print_text(f"  {_MARKS[finding.ok]} {finding.what}", indent=4)
        if finding.advice and finding.ok is not True:
            print_text(f"      {finding.advice}", indent=0)
    return worst, found
