"""The two files that Asterisk includes, for a configuration."""

from __future__ import annotations

import hashlib
import re

from callrouter.pbx.asterisk import words
from callrouter.shipped import folder

EXTENSIONS = "extensions_callrouter.conf"
MANAGER = "manager_callrouter.conf"

_PLAIN = re.compile(r"[^\s;\[\]\x00-\x1f\x7f]+")


def render_extensions() -> str:
    """`extensions_callrouter.conf`. It serves any queue, so that a new one needs no reload."""
    return (folder("dialplan") / EXTENSIONS).read_text()


def version(text: str) -> str:
    """What the context ``callrouter-version`` of a dialplan has to say: a digest of its other lines.

    Comments and blank lines do not count.
    """
    lines = [line.strip() for line in text.partition("\n[callrouter-version]\n")[0].splitlines()]
    meant = "\n".join(line for line in lines if line and not line.startswith(";"))
    return hashlib.sha256(meant.encode()).hexdigest()[:12]


def is_ours() -> str:
    """The variable that is 1 where the dialplan is the one that is shipped with this callrouter."""
    return f"DIALPLAN_EXISTS({words.VERSION},{version(render_extensions())},1)"


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
