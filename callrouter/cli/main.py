"""``callrouter``: the command line. A command's module is loaded only when that command is used."""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from callrouter import __version__
from callrouter.cli import suggestions
from callrouter.cli.global_options import FLAGS, VALUED, GlobalOptions, folder_of, in_order
from callrouter.cli.output_text import CommandFailed


@contextmanager
def _options_meant() -> Iterator[None]:
    """For an unknown option, suggest the closest of the command's and the program's options."""
    try:
        yield
    except click.NoSuchOption as error:
        own = [text for item in error.ctx.command.params for text in item.opts] if error.ctx else []
        before = FLAGS if error.ctx and isinstance(error.ctx.command, click.Group) else ()
        known = {text.lstrip("-"): text for text in (*own, *VALUED, *before, "--help")}
        known.pop(error.option_name.lstrip("-"), None)
        near = suggestions.near(error.option_name.lstrip("-"), known)
        hint = suggestions.meaning([known[item] for item in near])
        text = f"No such option '{error.option_name}'." + suggestions.sentence(hint)
        raise click.UsageError(text, error.ctx) from None


class OutputClosed(Exception):  # noqa: N818 - named for what happened
    """The reader of the output (``| head``) has gone. Of a BrokenPipeError click makes an exit status 1."""


@contextmanager
def _output_may_close() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise OutputClosed from None


class LazyGroup(suggestions.SuggestingGroup):
    """Knows the commands by their help lines; `later` adds them.

    A module is imported only when one of its commands is used, so that every command starts
    quickly.
    """

    def __init__(self, *args: Any, **attrs: Any) -> None:
        super().__init__(*args, **attrs)
        self.places: dict[str, tuple[str, str]] = {}
        """Module and short help by command. The function in the module has the same name, with
        ``_`` for ``-``.
        """

    def later(self, module: str, **commands: str) -> None:
        """Add commands of a module, each with its short help (``_`` in a name stands for ``-``).

        Nothing is imported. The short help is given here too, since the list of commands is printed
        without loading them.
        """
        for name, text in commands.items():
            self.places[name.replace("_", "-")] = (module, text)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the command line. The program's options may be before or after the command.

        Raises:
            click.UsageError: an option of the program is unknown (the closest one is suggested), or
                lacks its value.
        """
        with _options_meant(), _output_may_close():
            return super().parse_args(ctx, in_order(args))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        The options of the command itself are parsed only here.

        Raises:
            click.UsageError: one of them is unknown; the closest one is suggested.
            OutputClosed: no reader of the output is left.
        """
        with _options_meant(), _output_may_close():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names in order.

        The order is alphabetical. No command is loaded for it.
        """
        return sorted({*super().list_commands(ctx), *self.places})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load and return a command.

        Args:
            ctx: click's context.
            cmd_name: the name as typed.

        Returns:
            None if there is no command of this name.
        """
        place = self.places.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(place[0])
        found: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Format the list of commands without loading any."""
        rows = []
        for name in self.list_commands(ctx):
            own = self.commands.get(name)
            short = own.get_short_help_str(1000) if own is not None else self.places[name][1]
            rows.append((name, short))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


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
cli.later(
    "callrouter.cli.commands.config",
    config="Keep the configuration in the database of a pool.",
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
    "callrouter.cli.commands.report_command",
    report="Report on calls, queues and agents of a day, a week or a month.",
)
cli.later(
    "callrouter.cli.commands.cluster_command",
    cluster="Show which router is active, or hand over to another.",
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
    except (BrokenPipeError, OutputClosed):
        # Keep Python from reporting on exit that the reader has gone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)
