"""Chooses the driver for a PBX. A driver is imported only if the configuration names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callrouter.settings import AsteriskSettings, PbxSettings, TwilioSettings, extras

if TYPE_CHECKING:
    from callrouter.model.routing_table import Table
    from callrouter.pbx.interface import Authority, DeviceBoard, Pbx, Post


class CannotDrive(Exception):  # noqa: N818 - named for what happened
    """A configured driver is not available; `str()` says why and what to do."""


def make_pbx(  # noqa: PLR0917 - a MakePbx: called with all of them, in this order
    settings: PbxSettings,
    post: Post,
    table: Table,
    run_id: str,
    board: DeviceBoard,
    authority: Authority,
) -> Pbx:
    """Return the driver for one entry of ``pbx:``. It does nothing until it is run.

    Args:
        settings: the entry.
        post: receives the driver's events.
        table: the routing table at the start.
        run_id: a word that no earlier run used.
        board: tells which devices are available.
        authority: tells whether this router may act on the PBX.

    Raises:
        CannotDrive: the driver's library is not installed, or a file it needs cannot be read.
    """
    if isinstance(settings, AsteriskSettings):
        from callrouter.pbx.asterisk.driver import AsteriskPbx  # noqa: PLC0415 - see above

        try:
            return AsteriskPbx(
                settings.id,
                settings,
                post=post,
                table=table,
                board=board,
                run_id=run_id,
                authority=authority,
            )
        except OSError as error:  # it reads the file with certificate authorities
            why = error.strerror or str(error)
            raise CannotDrive(
                f"pbx {settings.id}: tls: {settings.ca} cannot be used ({why})"
            ) from error
    if isinstance(settings, TwilioSettings):
        try:
            from callrouter.pbx.twilio.driver import TwilioPbx  # noqa: PLC0415 - see above
        except ModuleNotFoundError as error:
            raise CannotDrive(
                f"pbx {settings.id}: driver twilio needs Twilio's library, and {error.name} is not "
                f"installed ({extras.remedy('twilio')})"
            ) from error
        return TwilioPbx(settings.id, settings, post=post, table=table, authority=authority)
    from callrouter.pbx.simulated import SimulatedPbx  # noqa: PLC0415 - see above

    return SimulatedPbx(
        settings.id, settings, post=post, table=table, run_id=run_id, authority=authority
    )
