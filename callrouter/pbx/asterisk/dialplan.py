"""Generates the two files that Asterisk includes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from callrouter.model.ivr import NAMES, SHIPPED_CODES, Code, PhoneCodes
from callrouter.pbx.asterisk import contract
from callrouter.resources import folder

EXTENSIONS = "extensions_callrouter.conf"
MANAGER = "manager_callrouter.conf"

_PLAIN = re.compile(r"[^\s;\[\]\x00-\x1f\x7f]+")


def render_extensions(codes: PhoneCodes = SHIPPED_CODES) -> str:
    """The text of `extensions_callrouter.conf` with the given feature codes.

    The file serves every queue, so a new queue needs no dialplan reload.
    """
    text = (folder("dialplan") / EXTENSIONS).read_text()
    return _CODES.sub(lambda _: "".join(_dialled(codes)), text, count=1)


_CODE = r"exten => \S+,1,Goto\(callrouter-person,\S+\n"
_CODES = re.compile(f"(?:{_CODE})+")
"""The lines of [callrouter-codes] that a site may change; the first match in the file."""


def _dialled(codes: PhoneCodes) -> Iterator[str]:
    for code, name in NAMES.items():
        dialled = codes.named(code)
        if not dialled:
            continue
        yield f"exten => {dialled},1,Goto({contract.PERSON},{name},1)\n"
        if code is Code.PAUSE_RESUME:
            reason = f"{name}-${{EXTEN:-1}}"
            yield f"exten => _{dialled}[1-9],1,Goto({contract.PERSON},{reason},1)\n"


def version(text: str) -> str:
    """The version digest that the context ``callrouter-version`` of a dialplan must contain.

    It covers all other lines. Comments, blank lines and the feature codes, which a site may change,
    are left out.
    """
    text = re.sub(_CODE, "", text)
    lines = [line.strip() for line in text.partition("\n[callrouter-version]\n")[0].splitlines()]
    meant = "\n".join(line for line in lines if line and not line.startswith(";"))
    return hashlib.sha256(meant.encode()).hexdigest()[:12]


def is_ours() -> str:
    """The variable that is 1 if the loaded dialplan is the one shipped with this callrouter."""
    return f"DIALPLAN_EXISTS({contract.VERSION},{version(render_extensions())},1)"


def render_manager(username: str, secret: str) -> str:
    """The text of `manager_callrouter.conf` for this user.

    Raises:
        ValueError: the username or secret cannot be written in an Asterisk configuration file.
    """
    for what, value in (("username", username), ("secret", secret)):
        if not _PLAIN.fullmatch(value):
            raise ValueError(
                f"the {what} can't be written into manager.conf: no spaces, semicolons or brackets"
            )
    text = (folder("dialplan") / MANAGER).read_text()
    text = text.replace("\n[callrouter]\n", f"\n[{username}]\n")
    return text.replace("\nsecret = change-me\n", f"\nsecret = {secret}\n")
