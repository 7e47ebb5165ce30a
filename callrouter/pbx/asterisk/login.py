"""How the router logs in at an Asterisk. The driver and `doctor` use the same account."""

from __future__ import annotations

import ssl

from callrouter.pbx.asterisk.ami import AmiAccount
from callrouter.settings import AsteriskSettings


def ami_account(settings: AsteriskSettings) -> AmiAccount:
    """The manager account for these settings.

    Raises:
        OSError: the file with certificate authorities cannot be read.
    """
    tls = ssl.create_default_context(cafile=settings.ca) if settings.tls else None
    return AmiAccount(
        host=settings.host,
        port=settings.port,
        username=settings.username,
        secret=settings.secret,
        tls=tls,
    )
