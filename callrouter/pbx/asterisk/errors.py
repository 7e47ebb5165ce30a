"""What can go wrong with an AMI action. No text here ever holds the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callrouter.pbx.asterisk.wire import AmiMessage


class AmiError(Exception):
    """Anything an AMI action can end with, other than its reply."""


class AmiBadValue(AmiError, ValueError):  # noqa: N818 - named for what happened
    """The action cannot be put on the wire safely. Nothing was written."""


class AmiDown(AmiError):  # noqa: N818
    """The link is down, or was lost before the answer.

    An action that had been written may have been executed all the same; it is never sent again.
    """


class AmiTimeout(AmiError):  # noqa: N818
    """No answer in time. The action may have been, or may yet be, executed."""


class AmiRejected(AmiError):  # noqa: N818
    """Asterisk answered `Response: Error`; `str()` is its message.

    Attributes:
        reply: the whole answer.
    """

    def __init__(self, text: str, reply: AmiMessage) -> None:
        super().__init__(text)
        self.reply = reply


class AmiGarbage(AmiError):  # noqa: N818
    """The other side does not speak AMI, or a message of it is beyond every measure."""
