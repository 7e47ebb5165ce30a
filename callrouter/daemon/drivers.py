"""Which driver serves a telephone system. Each is imported only when the configuration asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callrouter.settings import AsteriskSettings, PbxSettings

if TYPE_CHECKING:
    from callrouter.model.table import Table
    from callrouter.pbx.base import Pbx, Post


def make_pbx(settings: PbxSettings, post: Post, table: Table, boot: str) -> Pbx:
    """The driver for one entry of ``pbx:``; it does nothing until run."""
    if isinstance(settings, AsteriskSettings):
        from callrouter.pbx.asterisk.driver import AsteriskPbx  # noqa: PLC0415 - see above

        return AsteriskPbx(settings.id, settings, post=post, table=table, boot=boot)
    from callrouter.pbx.simulated import SimulatedPbx  # noqa: PLC0415 - see above

    return SimulatedPbx(settings.id, settings, post=post, table=table, boot=boot)
