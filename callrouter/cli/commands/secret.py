"""The commands that create the hash of a PIN or a password, and a token for the API."""

from __future__ import annotations

import itertools
import re
import secrets
import sys

import click

from callrouter.cli.output_text import CommandFailed

PIN_LEAST = 5
"""Digits, enough at internal phones."""
PIN_OUTSIDE = 6
"""Digits for agents who dial codes from outside, where 30 wrong ones in 15 minutes cause a
lockout.
"""
PIN_MOST = 20
PASSWORD_LEAST = 8
TOKEN_BYTES = 24
"""192 bits; 128 are required."""
_NAME = re.compile("[a-z0-9][a-z0-9_-]{0,63}")


@click.command(short_help="Make the hash for a PIN or a password.")
def passwd() -> None:
    """Create the hash for an agent's `pin` or a user's `password`, for the configuration.

    Asks twice, or reads one line from standard input if that is not a terminal. Only digits make a
    PIN, which can be keyed in at any phone; anything else is a password.
    """
    text = _asked() if sys.stdin.isatty() else _piped()
    fault = why_not(text)
    if fault:
        raise CommandFailed(2, fault)
    from argon2 import PasswordHasher  # noqa: PLC0415 - only here

    if sys.stdin.isatty() and text.isdigit() and len(text) < PIN_OUTSIDE:
        click.echo(
            f"A PIN of {len(text)} digits will do at the phones of the house. Where codes can be dialled from "
            f"outside, take {PIN_OUTSIDE} or more.",
            err=True,
        )
    click.echo(PasswordHasher().hash(text))


@click.command(short_help="Make a token for the HTTP API.")
@click.option(
    "--role",
    type=click.Choice(["metrics", "agent", "supervisor", "admin"]),
    help="What its holder may do. Default: supervisor, or agent with --agent.",
)
@click.option("--agent", metavar="AGENT", help="The agent it acts for; its role is agent.")
@click.option("--name", metavar="NAME", help="Who it is for. Default: the agent's id, or the role.")
def token(*, role: str | None, agent: str | None, name: str | None) -> None:
    """Create a token for the HTTP API, and print the lines for callrouter.yaml.

    It has 192 random bits. Nothing is written: paste the line below `http:` and `api_tokens:`, or
    keep the token in a file or the environment and write ${file:PATH} or ${NAME} instead.
    """
    if agent is not None and role not in {None, "agent"}:
        raise CommandFailed(
            2, f"a token of role {role} acts for no agent: take --agent out, or --role"
        )
    for what, given in (("--agent", agent), ("--name", name)):
        if given is not None and not _NAME.fullmatch(given):
            raise CommandFailed(
                2, f"{what} must be small letters, digits, '-' and '_' (64 at most)"
            )
    role = role or ("agent" if agent else "supervisor")
    of_agent = f", agent: {_in_yaml(agent)}" if agent else ""
    made = secrets.token_urlsafe(TOKEN_BYTES)
    click.echo(made)
    click.echo()
    click.echo("http:")
    click.echo("  api_tokens:")
    name = _in_yaml(name or agent or role)
    click.echo(f'    - {{name: {name}, role: {role}{of_agent}, token: "{made}"}}')


def _in_yaml(name: str) -> str:
    """Return a name in a form that YAML reads as text: in quotes if it could be a number."""
    return f'"{name}"' if name[0].isdigit() or name in {"true", "false", "null"} else name


def _asked() -> str:
    text: str = click.prompt("PIN or password", hide_input=True, err=True)
    again: str = click.prompt("Once more", hide_input=True, err=True)
    if text != again:
        raise CommandFailed(2, "the two are not the same; nothing was made")
    return text


def _piped() -> str:
    try:
        return sys.stdin.readline().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise CommandFailed(2, "what came on standard input is not text") from error


def why_not(text: str) -> str:
    """Say why this cannot be accepted; empty if it can.

    Digits alone are a PIN, of `PIN_LEAST` to `PIN_MOST`; anything else is a password of at least
    `PASSWORD_LEAST` characters. The answer never repeats them.
    """
    if not text:
        return "nothing was given: type it at the prompt, or pass it on standard input"
    if not (text.isascii() and text.isdigit()):
        if len(text) < PASSWORD_LEAST:
            return f"too short: a password has {PASSWORD_LEAST} characters at least"
        return "too simple: one character over and over" if len(set(text)) == 1 else ""
    if len(text) < PIN_LEAST:
        return f"too short: a PIN has {PIN_LEAST} digits at least"
    if len(text) > PIN_MOST:
        return f"too long: a PIN has {PIN_MOST} digits at most"
    return "too easily guessed: take digits without a pattern" if _trivial(text) else ""


def _trivial(pin: str) -> bool:
    """Return whether a PIN is among the first an attacker would try.

    `pin` consists of digits. Trivial are equal steps from digit to digit (also past 9 to 0), a part
    that is repeated (123123), and PINs with only two different digits.
    """
    steps = {(int(b) - int(a)) % 10 for a, b in itertools.pairwise(pin)}
    if len(steps) == 1:  # 11111, 12345, 54321, 13579
        return True
    repeated = any(
        pin == (pin[:size] * len(pin))[: len(pin)] for size in range(1, len(pin) // 2 + 1)
    )
    return repeated or len(set(pin)) == 2
