"""A process of a cluster: one router after another, each a standby first and perhaps active later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from callrouter.api.control_socket import ControlSocket
from callrouter.background import let_go
from callrouter.clock import SystemClock
from callrouter.config_source.start_config import StartConfig
from callrouter.daemon import last_good
from callrouter.daemon.assembly import ClusterRole, MakePbx, assemble
from callrouter.daemon.clustered.cluster_member import ClusterMember, ConfigShown
from callrouter.daemon.lifecycle import Daemon
from callrouter.daemon.live_config import LiveConfig
from callrouter.daemon.process import LastResort
from callrouter.settings import ConfigError
from callrouter.settings.loaded import ClusterSettings
from callrouter.store.location import Address, choose

logger = logging.getLogger(__name__)


class ClusterProcess:
    """Runs routers until one is told to stop.

    A router that was active and steps down is closed as a whole, and all its parts are made again for
    the next standby: what it knew of calls and agents is out of date from then on.

    Args:
        folder: the configuration folder.
        environ: the environment.
        make: makes the driver of a PBX.
        control: the command line's socket.
        last_resort: see `Daemon`.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        make: MakePbx,
        control: ControlSocket,
        last_resort: LastResort,
    ) -> None:
        self._folder = folder
        self._environ = environ
        self._make = make
        self._control = control
        self._last_resort = last_resort

    async def run(self, start: StartConfig, settings: ClusterSettings) -> None:
        """Serve until told to stop. `cluster:` counts as it was at the start of the process.

        Raises:
            CannotDrive: a driver is not available.
            CannotListen: the HTTP side cannot be opened.
            StoreError: a library for the database is missing.
        """
        place = choose(start.settings.database, self._folder, self._environ, pool=settings.pool)
        assert isinstance(place, Address)  # noqa: S101 - `cluster_builder` refuses any other
        member = ClusterMember(settings, place)
        member.start()
        try:
            while True:
                role = ClusterRole(member, member.new_tenure())
                parts = assemble(
                    self._folder,
                    self._environ,
                    start,
                    self._make,
                    self._control,
                    role=role,
                )
                member.show_config = partial(_shown, parts.config)
                daemon = Daemon(parts, self._control, self._environ, self._last_resort, role)
                if await daemon.run():
                    break
                member.show_config = partial(_same, member.show_config())
                del parts, daemon, role
                let_go()
                start = await asyncio.to_thread(self._read_again, start)
        finally:
            await member.close()

    def _read_again(self, before: StartConfig) -> StartConfig:
        try:
            return last_good.choose_start(self._folder, self._environ, SystemClock().now())
        except ConfigError as error:
            logger.error("standing by with the configuration of before: %s", error)  # noqa: TRY400
            return before


def _shown(config: LiveConfig) -> ConfigShown:
    source = "database" if config.state.in_database else "files"
    return ConfigShown(config.settings.digest, source)


def _same(shown: ConfigShown) -> ConfigShown:
    """Return what was shown before: nothing of a router that is closed is to be held any longer."""
    return shown
