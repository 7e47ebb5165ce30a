"""Sends alarms by mail. Each message is sent in a thread of its own, which the loop never waits for long."""

from __future__ import annotations

import asyncio
import json
import smtplib
import ssl
import threading
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final

from callrouter.model.text import clean
from callrouter.outbox.delivery_queue import Attempt, Outcome
from callrouter.outbox.destinations import Destination, MailServer
from callrouter.outbox.outbox_rows import OutboxRow

WITHIN: Final = 25.0
"""Seconds for a whole attempt."""
_STEP: Final = 10.0
"""Seconds for each answer of the server."""
_SUBJECT: Final = 150
"""Characters of a subject."""


class MailSender:
    """Makes attempts by SMTP.

    Args:
        server: returns the server of now; None: there is none.
        context: makes the TLS settings; the system's certificates count.
    """

    def __init__(
        self,
        server: Callable[[], MailServer | None],
        *,
        context: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._server = server
        self._context = context

    async def send(self, destination: Destination, row: OutboxRow) -> Attempt:
        """Hand a message to the server once."""
        server = self._server()
        if server is None:
            return Attempt(Outcome.AWAY, "there is no section smtp")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Attempt] = loop.create_future()

        def settle(attempt: Attempt) -> None:
            if not done.done():
                done.set_result(attempt)

        def work() -> None:
            attempt = self._deliver(server, destination, row)
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, attempt)

        threading.Thread(target=work, name="mail", daemon=True).start()
        try:
            async with asyncio.timeout(WITHIN):
                return await done
        except TimeoutError:
            return Attempt(Outcome.AWAY, f"the mail server does not answer within {WITHIN:g} s")

    def _deliver(self, server: MailServer, destination: Destination, row: OutboxRow) -> Attempt:
        try:
            with self._connect(server) as link:
                if server.tls == "starttls":
                    link.starttls(context=self._context())
                if server.user:
                    link.login(server.user, server.password)
                link.send_message(message(server, destination, row))
        except smtplib.SMTPRecipientsRefused as error:
            code = max((code for code, _ in error.recipients.values()), default=0)
            return _refused(code, "the recipient")
        except smtplib.SMTPAuthenticationError:
            return Attempt(Outcome.AWAY, "the mail server refuses the login")
        except smtplib.SMTPNotSupportedError:
            return Attempt(Outcome.AWAY, "the mail server lacks STARTTLS or login")
        except smtplib.SMTPResponseException as error:
            return _refused(error.smtp_code, "the mail")
        except ssl.SSLError:
            return Attempt(Outcome.AWAY, "TLS with the mail server failed")
        except (smtplib.SMTPException, OSError) as error:
            why = getattr(error, "strerror", None) or "it closed the connection"
            return Attempt(Outcome.AWAY, f"the mail server cannot be reached ({why})")
        return Attempt(Outcome.DELIVERED)

    def _connect(self, server: MailServer) -> smtplib.SMTP:
        if server.tls == "tls":
            return smtplib.SMTP_SSL(
                server.host, server.port, timeout=_STEP, context=self._context()
            )
        return smtplib.SMTP(server.host, server.port, timeout=_STEP)


def _refused(code: int, what: str) -> Attempt:
    """Return what an answer of the server means; 5xx is final for this message (RFC 5321, 4.2.1)."""
    detail = f"the mail server refuses {what} ({code})"
    return Attempt(Outcome.REFUSED if 500 <= code < 600 else Outcome.AWAY, detail)


def message(server: MailServer, destination: Destination, row: OutboxRow) -> EmailMessage:
    """Return an event as mail. Its id is the message's too, so that one sent twice is recognized."""
    event = json.loads(row.body)
    data = event["data"]
    text = clean(str(data.get("text") or row.name))
    mail = EmailMessage()
    mail["From"] = server.sender
    mail["To"] = destination.mail
    mail["Subject"] = f"callrouter: {text}"[:_SUBJECT]
    mail["Date"] = formatdate(row.at)
    mail["Message-ID"] = f"<{row.event}@{server.sender.rpartition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    lines = [f"{key}: {clean(str(value))}" for key, value in data.items() if value is not None]
    mail.set_content(
        "\n".join([text, "", f"type: {event['type']}", f"at: {event['timestamp']}", *lines, ""])
    )
    return mail
