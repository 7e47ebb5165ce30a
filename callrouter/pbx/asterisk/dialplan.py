"""The two files that Asterisk includes, for a configuration."""

from __future__ import annotations

import re

from callrouter.shipped import folder

EXTENSIONS = "extensions_callrouter.conf"
MANAGER = "manager_callrouter.conf"

_PLAIN = re.compile(r"[^\s;\[\]\x00-\x1f\x7f]+")


def render_extensions() -> str:
    """`extensions_callrouter.conf`. It serves any queue, so that a new one needs no reload."""
    return (folder("dialplan") / EXTENSIONS).read_text()


def render_manager(username: str, secret: str) -> str:
    """`manager_callrouter.conf` for this user.

    Raises:
        ValueError: the username or secret can't stand in a configuration file of Asterisk.
    """
    for what, value in (("username", username), ("secret", secret)):
        if not _PLAIN.fullmatch(value):
            raise ValueError(
                f"the {what} can't be written into manager.conf: no spaces, semicolons or brackets"
            )
    text = (folder("dialplan") / MANAGER).read_text()
    text = text.replace("\n[callrouter]\n", f"\n[{username}]\n")
    return text.replace("\nsecret = change-me\n", f"\nsecret = {secret}\n")
