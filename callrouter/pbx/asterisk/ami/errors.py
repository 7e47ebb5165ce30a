"""Errors that an AMI action can raise. No message ever contains the secret."""

from callrouter.pbx.asterisk.ami.messages import AmiReply


class AmiError(Exception):
    """Base class of every way an AMI action can end without a reply."""


class AmiBadValue(AmiError, ValueError):  # noqa: N818 - named for what happened
    """The action cannot be written to the wire safely. Nothing was sent."""


class AmiDown(AmiError):  # noqa: N818
    """The link is down, or was lost before the answer arrived.

    An action that was already written may still have been executed. It is never sent again.
    """


class AmiNotPermitted(AmiError):  # noqa: N818
    """The sender's permission had ended when the actions were about to be written. Nothing was sent."""


class AmiTimeout(AmiError):  # noqa: N818
    """No answer arrived in time. The action may have been executed, or may yet be."""


class AmiRejected(AmiError):  # noqa: N818
    """Asterisk answered `Response: Error`. `str()` is its message.

    Attributes:
        reply: the whole answer.
    """

    def __init__(self, text: str, reply: AmiReply) -> None:
        super().__init__(text)
        self.reply = reply


class AmiGarbage(AmiError):  # noqa: N818
    """The other side does not speak AMI, or it sent an oversized message."""
