"""AMI on the wire, without I/O: splits bytes into messages, checks actions and encodes them.

An AMI message is a series of `Key: value` lines, each ended by CRLF, followed by an empty line.
Asterisk reads more leniently than it writes: in an action, a bare LF ends a header too. So a line
end inside a value would start a header, or an action, that the sender never meant. No value with
such a character is ever sent.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from callrouter.pbx.asterisk.ami.errors import AmiBadValue, AmiGarbage

MAX_MESSAGE = 1 << 20
"""Maximum size of a received message in bytes. Real ones have a few hundred."""

MAX_LINE = 1000
"""Maximum size of a header sent, in bytes. Asterisk 22 refuses a whole action at about 1,020."""

MAX_HEADERS = 120
"""Maximum number of headers in an action sent. Asterisk 22 refuses the action at 126."""

GREETING = b"Asterisk Call Manager/"

Action: TypeAlias = Mapping[str, str | Sequence[str]]
"""An action to send: maps each header to its value, or to the values of a repeated header."""


class MessageSplitter:
    """Splits a byte stream into the greeting and whole messages, whatever its chunks.

    Attributes:
        greeting: the server's first line; None until it has arrived.
    """

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self.greeting: str | None = None
        self._rest = b""
        self._limit = limit

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, in order, each without its empty line.

        Raises:
            AmiGarbage: this is not AMI, or a message exceeds the limit. The stream is unusable
                afterwards.
        """
        if self._rest:
            data = self._rest + data
        if self.greeting is None:
            data = self._greet(data)
        messages = data.split(b"\r\n\r\n")
        self._rest = messages.pop()
        if len(self._rest) > self._limit or (messages and len(messages[0]) > self._limit):
            raise AmiGarbage(f"sent one message of more than {self._limit} bytes")
        return messages

    def _greet(self, data: bytes) -> bytes:
        line, eol, rest = data.partition(b"\r\n")
        if line[: len(GREETING)] != GREETING[: len(line)] or len(line) > 200:
            said = line[:60].decode("ascii", "replace").encode("ascii", "backslashreplace")
            shown = "".join(c if c.isprintable() else "." for c in said.decode("ascii"))
            raise AmiGarbage(f"does not speak AMI: it said {shown!r}")
        if not eol:
            return data
        self.greeting = line.decode("ascii", "replace")
        return rest


_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_ACTION_ID = re.compile(r"[!-~]{1,128}")
# Control characters end or hide headers; surrogates cannot be encoded. U+0085 is in \x7f-\x9f.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


_KNOWN_KEYS: Final[dict[str, str]] = {}
"""Valid header names, each with its lower-case form."""


def guard(action: Action) -> dict[str, str | list[str]]:
    """A copy of `action` that is safe to write: each value arrives as exactly one header.

    Raises:
        AmiBadValue: names the header and the reason, but never the value.
    """
    safe: dict[str, str | list[str]] = {}
    seen: set[str] = set()
    count = 1  # the ActionID, which is added if missing
    for key, value in action.items():
        lower = _KNOWN_KEYS.get(key) or _lower(key)
        if lower in seen:
            raise AmiBadValue(f"header {key} is there twice: give one header a list of values")
        seen.add(lower)
        if isinstance(value, str):
            _guard_value(key, lower, value)
            safe[key] = value
            count += 1
            continue
        if lower in {"action", "actionid"} or not isinstance(value, Sequence):
            raise AmiBadValue(f"header {key}: {type(value).__name__} instead of one text")
        values = list(value)
        for one in values:
            _guard_value(key, lower, one)
        safe[key] = values
        count += len(values)
    if "action" not in seen:
        raise AmiBadValue("an action needs a header Action")
    if count > MAX_HEADERS:
        raise AmiBadValue(f"{count} headers: Asterisk takes at most {MAX_HEADERS}")
    return safe


def _lower(key: str) -> str:
    if not _KEY.fullmatch(str(key)):
        raise AmiBadValue(f"{key!r:.80} is no AMI header name: letters, digits, - and _ only")
    if len(_KNOWN_KEYS) < 1000:  # there are a few dozen
        _KNOWN_KEYS[key] = key.lower()
    return key.lower()


def _guard_value(key: str, lower: str, value: object) -> None:
    if not isinstance(value, str):
        raise AmiBadValue(f"header {key}: {type(value).__name__} instead of text")
    if lower == "actionid" and not _ACTION_ID.fullmatch(value):
        raise AmiBadValue("header ActionID: 1 to 128 visible ASCII characters, no spaces")
    size = len(key) + 2 + len(value)
    if not (value.isascii() and value.isprintable()):  # true of almost every value
        found = _UNSAFE.search(value)
        if found:
            code, place = ord(found.group()), found.start() + 1
            raise AmiBadValue(
                f"header {key}: character {place} is U+{code:04X}, a control character"
            )
        size = len(key) + 2 + len(value.encode())
    if size > MAX_LINE:
        raise AmiBadValue(f"header {key}: {size} bytes, Asterisk takes at most {MAX_LINE}")


def encode(safe: Mapping[str, str | list[str]], action_id: str) -> str:
    """A guarded action as the text that is sent. `action_id` is added unless it is ""."""
    lines = []
    for key, value in safe.items():
        if isinstance(value, str):
            lines.append(f"{key}: {value}")
        else:
            lines += [f"{key}: {one}" for one in value]
    if action_id:
        lines.append(f"ActionID: {action_id}")
    return "\r\n".join([*lines, "\r\n"])
