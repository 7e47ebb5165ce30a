"""Builds what writes queue_log into a file, if the configuration asks for one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from callrouter.pbx.interface import NamesChannels, Pbx
from callrouter.queue_log.file_listener import FileListener
from callrouter.queue_log.log_file import QueueLogFile
from callrouter.queue_log.log_lines import CallChannels
from callrouter.runtime import Runtime
from callrouter.settings import Settings
from callrouter.settings.state_location import state_folder


def make_queue_log(
    runtime: Runtime, settings: Settings, folder: Path, environ: Mapping[str, str]
) -> tuple[QueueLogFile, FileListener] | None:
    """Return the file, not opened yet, and its listener, which listens already.

    It must listen before the drivers do: a driver forgets what an earlier run has logged of a call
    once it has seen the call enter.

    Returns:
        None if the configuration asks for no file.
    """
    if settings.queue_log not in {"file", "both"}:
        return None
    place = state_folder(folder, settings.database, environ) / settings.queue_log_file
    file = QueueLogFile(place)
    board = runtime.router.board
    listener = FileListener(
        file,
        table=lambda: board.table,
        signed_in=board.signed_in,
        channels=lambda call: channels_of(runtime.pbxes, call),
    )
    runtime.listen(listener.listen)
    return file, listener


def channels_of(pbxes: Mapping[str, Pbx], call: str) -> CallChannels:
    """Return the channels of a call, whose id begins with the name of its PBX.

    A PBX without names for channels gives the rest of the id.
    """
    names = (name for name in pbxes if call.startswith(f"{name}-"))
    name = max(names, key=len, default="")
    pbx: object = pbxes.get(name)
    if isinstance(pbx, NamesChannels):
        return pbx.call_channels(call)
    return CallChannels(call.removeprefix(f"{name}-"))
