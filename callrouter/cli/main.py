"""``callrouter``: the command line."""

from __future__ import annotations

import logging
import os
import sys

import click

from callrouter import __version__
from callrouter.cli.failures import CommandFailed
from callrouter.cli.global_options import GlobalOptions, folder_of
from callrouter.cli.lazy_group import LazyGroup


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--config",
    metavar="DIR",
    help="The configuration folder. Default: $CALLROUTER_CONFIG, else ./config, else "
    "/etc/callrouter.",
)
@click.option(
    "--url",
    metavar="URL",
    help="Ask the daemon at this address over HTTP, such as https://calls.example.com. Default: "
    "$CALLROUTER_URL, else the daemon of the configuration folder on this machine.",
)
@click.option(
    "--token",
    metavar="TOKEN",
    help="The API token for --url. Default: $CALLROUTER_TOKEN, which, unlike an option, does not show "
    "in the list of processes.",
)
@click.version_option(__version__, prog_name="callrouter", message="%(prog)s %(version)s")
@click.pass_context
def cli(context: click.Context, *, config: str | None, url: str | None, token: str | None) -> None:
    """Distributes calls to agents, beside Asterisk or on Twilio.

    These options may be given before or after the command.

    Exit status: 0 done, 1 the answer is no, 2 bad usage or bad configuration, 3 the daemon or the
    telephone system cannot be reached.
    """
    context.obj = GlobalOptions(config, url, token)


@cli.command(short_help="Run the daemon in the foreground.")
@click.pass_context
def run(context: click.Context) -> None:
    """Run the daemon in the foreground; it logs to stderr.

    SIGTERM or Ctrl-C stops it and leaves every call as it is. SIGHUP makes it read the
    configuration again, although it notices a changed file by itself.
    """
    from callrouter.daemon import run as serve  # noqa: PLC0415 - aiohttp takes its time

    context.exit(serve(folder_of(context), os.environ))


@cli.command(short_help="Run a whole call centre on this machine.")
@click.option("--seconds", type=click.FloatRange(min=1), help="End after so many seconds.")
@click.option("--calls", type=click.IntRange(min=1), help="End after so many connected calls.")
@click.option("--simulated", is_flag=True, help="Do without Asterisk and phones.")
@click.pass_context
def demo(
    context: click.Context, *, seconds: float | None, calls: int | None, simulated: bool
) -> None:
    """Show a complete call centre on this machine, with its own phones and callers.

    Ctrl-C ends it and leaves nothing behind. It needs no configuration.
    """
    from callrouter.demo.command import run as play  # noqa: PLC0415 - only here

    context.exit(play(calls=calls, seconds=seconds, simulated=simulated))


cli.later(
    "callrouter.cli.commands.check",
    check="Check the configuration and list every mistake.",
    dialplan="Write the files that Asterisk includes.",
)
cli.later("callrouter.cli.commands.init", init="Make a configuration folder with sample files.")
cli.later(
    "callrouter.cli.commands.doctor", doctor="Check this machine and each PBX for what is needed."
)
cli.later("callrouter.cli.commands.twilio", twilio="Check or set up a Twilio account.")
cli.later(
    "callrouter.cli.commands.query",
    status="Show the daemon's state.",
    queues="Show the queues and who is waiting.",
    agents="Show the agents and what they are doing.",
    calls="Show current calls.",
    agent="Show an agent, or change their state.",
)
cli.later("callrouter.cli.commands.call", call="Hold, transfer or end a call.")
cli.later(
    "callrouter.cli.commands.explain",
    why="Explain why a call went where it went.",
    why_not="Explain why an agent is not being offered calls.",
)
cli.later(
    "callrouter.cli.commands.secret",
    passwd="Make the hash for a PIN or a password.",  # noqa: S106 - a command
    token="Make a token for the HTTP API.",  # noqa: S106 - a command
)
cli.later(
    "callrouter.cli.commands.device",
    device="An agent's phones: list, add, verify, on, off, change, remove.",
)
cli.later(
    "callrouter.cli.commands.change",
    diff="Show what the files would change in the running daemon.",
    reload="Load the configuration files now.",
    history="Show who changed what in the configuration, and when.",
    rollback="Restore the files as they were before a change.",
)


def main() -> None:
    """Run the command line and exit with its status.

    It never returns. Ctrl-C ends it with status 130, and an output that is closed early (``|
    head``) with 0.

    Raises:
        SystemExit: always, with the exit status.
    """
    # Drivers used by a command may log. Without the daemon's log, those lines go nowhere.
    logging.getLogger("callrouter").addHandler(logging.NullHandler())
    try:
        # Not standalone, because click would exit with status 1 after Ctrl-C or a broken pipe.
        status = cli(prog_name="callrouter", standalone_mode=False)
        sys.stdout.flush()
    except CommandFailed as error:
        error.show()
        sys.exit(error.status)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone. Keep Python from reporting that on exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)
