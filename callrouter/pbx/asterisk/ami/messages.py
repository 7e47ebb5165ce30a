"""A message from Asterisk, and the access to its headers. No I/O.

In data from Asterisk only CRLF ends a line: U+2028, NEL, VT or a lone CR or LF inside a caller's
name is part of the name.
"""

from collections.abc import Iterator
from typing import Final, TypeAlias


class AmiMessage:
    """One event or reply. Header names are spelled exactly as Asterisk spells them (`Uniqueid`).

    Most messages are asked for a few headers, if any, so nothing is parsed in advance.

    Attributes:
        name: the event's name, such as `Hangup`; "" for a reply.
    """

    __slots__ = ("_raw", "_split_lines", "name")

    def __init__(self, raw: bytes) -> None:
        """Take the bytes of a message, without the empty line that ends it."""
        self._raw = b"\r\n" + raw  # lets the first line be found like any other
        self._split_lines: list[list[str]] | None = None
        # Only the first line counts: the event OriginateResponse also has a header Response.
        if raw.startswith(b"Event:"):
            self.name = _value(raw, 6)
        elif raw.startswith(b"Response:"):
            self.name = ""
        else:
            lines = self._lines
            event = bool(lines) and lines[0][0] == "Event"
            self.name = lines[0][1].removeprefix(" ") if event else ""

    @property
    def _lines(self) -> list[list[str]]:
        """Each line with a colon: the key, and the value with its leading space."""
        if self._split_lines is None:
            text = self._raw[2:].decode("utf-8", "replace")
            self._split_lines = [line.split(":", 1) for line in text.split("\r\n") if ":" in line]
        return self._split_lines

    def get(self, key: str, default: str = "") -> str:
        """The first value of header `key`, without its leading space.

        Args:
            key: the header's name, exactly as Asterisk spells it.
            default: returned if there is no such header.
        """
        start = self._find(key)
        return default if start < 0 else _value(self._raw, start)

    def _find(self, key: str) -> int:
        """Offset of the first value of a header; negative if there is none."""
        mark = _MARKS.get(key)
        if mark is None:
            if ":" in key or "\r\n" in key:
                return -1
            mark = _mark(key)
        found = self._raw.find(mark)
        return found if found < 0 else found + len(mark)

    def all(self, key: str) -> list[str]:
        """Every value of header `key`, in order."""
        return [value.removeprefix(" ") for name, value in self._lines if name == key]

    def items(self) -> list[tuple[str, str]]:
        """Every header in order, including repeated ones."""
        return [(key, value.removeprefix(" ")) for key, value in self._lines]

    def __getitem__(self, key: str) -> str:
        start = self._find(key)
        if start < 0:
            raise KeyError(key)
        return _value(self._raw, start)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._find(key) >= 0

    def __iter__(self) -> Iterator[str]:
        """The names of the headers in order, without duplicates."""
        return iter(dict.fromkeys(key for key, _ in self._lines))

    def __len__(self) -> int:
        return len(dict.fromkeys(key for key, _ in self._lines))

    def __repr__(self) -> str:
        """Name and channel only.

        The rest may contain a caller's number, which must not be logged.
        """
        return f"<AmiMessage {self.name or 'Response'} {self.get('Uniqueid')}>"


_MARKS: Final[dict[str, bytes]] = {}
"""Search patterns by header name: the end of the previous line, the name and a colon."""


def _mark(key: str) -> bytes:
    made = b"\r\n%s:" % key.encode("utf-8", "surrogatepass")
    if len(_MARKS) < 1000:  # names come from the code and a few settings
        _MARKS[key] = made
    return made


def _value(raw: bytes, start: int) -> str:
    """The rest of a line, without the space that follows the colon."""
    end = raw.find(b"\r\n", start)
    value = raw[start:] if end < 0 else raw[start:end]
    return (value[1:] if value[:1] == b" " else value).decode("utf-8", "replace")


def parse(raw: bytes) -> AmiMessage:
    """Parse one message, without the empty line that ends it. Never fails.

    `Key: value`, `Key:value` and `Key:` are all accepted. A line without a colon is ignored.
    """
    return AmiMessage(raw)


AmiReply: TypeAlias = AmiMessage
"""The answer to an action: a message without a name."""
