"""A command group that loads only the command in use."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from callrouter.cli import suggestions
from callrouter.cli.global_options import FLAGS, VALUED, in_order


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
        with _options_meant():
            return super().parse_args(ctx, in_order(args))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        The options of the command itself are parsed only here.

        Raises:
            click.UsageError: one of them is unknown; the closest one is suggested.
        """
        with _options_meant():
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
