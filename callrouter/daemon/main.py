"""The process `callrouter run`: from a configuration folder to an exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from callrouter.api.control_socket import ControlSocket, ControlSocketError, claim
from callrouter.api.server.sockets import CannotListen
from callrouter.clock import SystemClock
from callrouter.config_source.current_settings import ConfigAwayError
from callrouter.config_source.start_config import StartConfig
from callrouter.daemon import last_good
from callrouter.daemon.assembly import MakePbx, assemble
from callrouter.daemon.clustered.cluster_process import ClusterProcess
from callrouter.daemon.drivers import CannotDrive, make_pbx
from callrouter.daemon.lifecycle import Daemon
from callrouter.daemon.process import LastResort, loop_factory, raise_descriptor_limit
from callrouter.logs import Log
from callrouter.model.text import counted
from callrouter.settings import ConfigError
from callrouter.settings.builders.policy_plugins import PluginError, load_policies
from callrouter.store.location import StoreError

logger = logging.getLogger(__name__)


def run(folder: Path, environ: Mapping[str, str], *, make: MakePbx = make_pbx) -> int:
    """Run the daemon for the configuration in `folder` until told to stop.

    Returns the exit status: 0 stopped as told, 2 could not start, 3 could not start since the database
    with the configuration cannot be asked (stderr says why).
    """
    os.umask(0o077)  # all files we write contain private numbers or secrets
    try:
        load_policies()
        start = last_good.choose_start(folder, environ, SystemClock().now())
    except PluginError as error:
        complain(f"not started: {error}")
        return 2
    except ConfigAwayError as error:
        complain(f"not started: {error}")
        return 3
    except ConfigError as error:
        for problem in error.problems:
            print(problem, file=sys.stderr)  # noqa: T201 - as `callrouter check` says it
        complain(f"not started: {counted(error.count, 'mistake')} in {folder}")
        return 2
    try:
        control = claim(folder, environ)
    except ControlSocketError as error:
        complain(str(error))
        return 2
    return _serve(folder, environ, start, make, control)


def _serve(
    folder: Path,
    environ: Mapping[str, str],
    start: StartConfig,
    make: MakePbx,
    control: ControlSocket,
) -> int:
    """Run the daemon. From here on, everything is logged."""
    log = Log(journal="JOURNAL_STREAM" in environ)
    if control.note:
        logger.warning("%s", control.note)
    raise_descriptor_limit()
    last_resort = LastResort()
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            if start.settings.cluster is None:
                parts = assemble(folder, environ, start, make, control)
                runner.run(Daemon(parts, control, environ, last_resort).run())
            else:
                process = ClusterProcess(folder, environ, make, control, last_resort)
                runner.run(process.run(start, start.settings.cluster))
        logger.info("stopped; every call stays where it is")
        last_resort.cancel()
    except (CannotListen, CannotDrive, StoreError) as error:
        log.close()
        complain(str(error))
        return 2
    finally:
        control.release()
        log.close()
    return 0


def complain(text: str) -> None:
    """Print the reason for the exit to stderr.

    It is for errors before the log is open or after it is closed.
    """
    print(f"callrouter: {text}", file=sys.stderr)  # noqa: T201 - for who started us
